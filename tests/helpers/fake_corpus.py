"""A small corpus in memory, and a pretraining on it as a program of its own (to be killed, or one of several).

    python -P fake_corpus.py OUT '{"steps": 6, ...}'

RANK and the like in the environment make it one of several processes. With FAIL_RANK and FAIL_STEP set, that process
is killed before that step.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuript.montages import Montage, load_montage

LIMIT_S = 240
TINY = {
    "size": "micro",
    "overrides": {
        "d_model": 12,
        "n_heads": 2,
        "d_ff": 8,
        "d_expert": 4,
        "d_shared": 8,
        "merges": (1, 2, 2),
        "experts": (0, 2, 4),
    },
    "batch_size": 8,
    "micro_batch": 4,
    "precision": "fp32",
    "val_fraction": 0.2,
    "val_windows": 8,
    "log_every": 1,
    "checkpoint_every": 3,
    "tensorboard": False,
    "device": "cpu",
    "timeout_s": 30.0,
}


@dataclass
class FakeGroup:
    name: str
    montage: Montage
    x: np.ndarray
    subjects: np.ndarray
    read_rows: list = field(default_factory=list)

    @property
    def n_windows(self) -> int:
        return len(self.x)

    def read(self, indices) -> np.ndarray:
        self.read_rows.extend(np.asarray(indices).tolist())
        return self.x[indices]


@dataclass
class FakeCorpus:
    groups: list
    sfreq: float = 64.0
    n_times: int = 32
    recipe: str = "fake"
    hours: float = 0.1

    @property
    def subjects(self) -> set:
        return {str(s) for g in self.groups for s in g.subjects}

    @property
    def file_hashes(self) -> set:
        return {"0" * 64}


def channels(names) -> Montage:
    full = load_montage("10-20")
    rows = [full.ch_names.index(n) for n in names]
    pos = full.pos_m[rows]
    return Montage(
        name="+".join(names),
        ch_names=tuple(names),
        pos_m=pos,
        lobes={"all": tuple(range(len(names)))},
        electrodes=tuple(names),
        electrode_pos_m=pos,
        derivation=np.eye(len(names)),
    )


def make_corpus(n_times: int = 32, seed: int = 1) -> FakeCorpus:
    """Sines with noise: 24 windows of three channels from 4 people, 13 of two channels from 3."""
    rng = np.random.default_rng(seed)
    groups = []
    for names, n, people in ((("C3", "Cz", "C4"), 24, "abcd"), (("Fz", "Pz"), 13, "dxy")):
        t = np.arange(n_times) / 64
        phase = rng.uniform(0, 6.28, (n, len(names), 1))
        x = 2e-5 * np.sin(2 * np.pi * 5 * t + phase) + 2e-6 * rng.standard_normal((n, len(names), n_times))
        who = np.array([f"fake/{people[i % len(people)]}" for i in range(n)])
        montage = channels(names)
        groups.append(FakeGroup(montage.name, montage, x.astype(np.float32), who))
    return FakeCorpus(groups, n_times=n_times)


def main() -> int:
    import torch

    from neuript.errors import NeuriptError
    from neuript.training.pretrain import PretrainRun, loop

    faulthandler.dump_traceback_later(LIMIT_S, exit=True)  # where it hangs, if it does
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    out, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    plain, rank = loop.Trainer.step, os.environ.get("RANK", "0")

    def step(self, batch):
        if (rank, str(batch.step)) == (os.environ.get("FAIL_RANK"), os.environ.get("FAIL_STEP")):
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, batch)

    loop.Trainer.step = step
    try:
        loop.pretrain(
            PretrainRun(**{**TINY, **settings}),
            make_corpus(),
            out,
            progress=lambda s: print("STEP", s.step, flush=True),
            checks=[lambda i=i: print("CHECK", i, torch.distributed.is_initialized(), flush=True) for i in range(3)],
        )
    except NeuriptError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The runner of a sweep's jobs: pretraining, fine-tuning, frozen features, change of channels."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError
from neuript.training.sweep.jobs import PRETRAIN, SweepJob

if TYPE_CHECKING:
    from torch import Tensor

    from neuript.training.corpus import Corpus
    from neuript.training.evaluate.protocols import EvalData
    from neuript.training.pretrain.loop import Status

CHECKPOINT_EVERY = 100
"""Steps that a kill may cost; not part of a configuration, as it does not change the result."""
SAY_EVERY_S = 60.0
CACHE = "cache"
"""Folder below OUT that keeps the cut windows of the data sets."""


class RealRunner:
    """Computes jobs on real data; see `worker.Runner`.

    Parameters
    ----------
    data : mapping of str to Path
        Folder of the recordings of each protocol, keyed by the protocol's name.
    corpora : sequence of Path
        Folders of the pretraining corpora.
    """

    def __init__(self, data: Mapping[str, Path], corpora: Sequence[Path]) -> None:
        self._folders = dict(data)
        self._corpora = list(corpora)
        self.load = cache(self._read)

    def __call__(
        self, job: SweepJob, folder: Path, needs: Mapping[str, Path], say: Callable[[str], None]
    ) -> Iterable[Mapping[str, Any]]:
        """Compute a job."""
        if job.kind == PRETRAIN:
            return self._pretrain(job, folder, say)
        return self._evaluate(job, folder, needs, say)

    def _pretrain(self, job: SweepJob, folder: Path, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        from neuript.training.pretrain import PretrainRun, pretrain
        from neuript.training.sweep.part import limit_hours

        settings = dict(job.config[PRETRAIN])
        hours = settings.pop("hours", None)
        values = {"checkpoint_every": CHECKPOINT_EVERY, "keep": 1, **settings}
        run = PretrainRun.from_dict(
            {
                **values,
                "size": job.config["size"],
                "overrides": {**job.config["model"], **settings.get("overrides", {})},
                "seed": job.config["seed"],
            }
        )
        corpora: Sequence[Any] = open_corpora(self._corpora, verify=True)
        if hours is not None:
            corpora = limit_hours(corpora, hours)
        began = time.monotonic()
        checkpoint = pretrain(run, corpora, folder / PRETRAIN, progress=_Progress(say))
        yield {
            "checkpoint": str(checkpoint.relative_to(folder)),
            "hours": round(sum(float(corpus.hours) for corpus in corpora), 3),
            "seconds": round(time.monotonic() - began, 1),
        }

    def _evaluate(
        self, job: SweepJob, folder: Path, needs: Mapping[str, Path], say: Callable[[str], None]
    ) -> Iterator[dict[str, Any]]:
        from neuript.training.evaluate.evaluation import fingerprint
        from neuript.training.sweep.frozen_features import frozen_svm
        from neuript.training.sweep.measure import Network, finetune, on_channels
        from neuript.training.sweep.transfer import transfer

        config = job.config
        data = self.load(config["data"], folder.parent / CACHE)
        encoder, channels = self._encoder(config["pretrained"], needs, data)
        network = Network(config["size"], config["model"], encoder, config["seed"], channels)
        windows = fingerprint(data)
        if job.kind == "transfer":
            for result in transfer(data, network, config["settings"], say):
                yield {**result, "windows_sha256": windows}
            return
        for condition, part in on_channels(data, config["settings"]):
            if job.kind == "svm":
                result = frozen_svm(part, network, config["settings"])
            else:
                result = finetune(part, network, config["settings"], say)
            yield {**result, **condition, "windows_sha256": windows}

    def _encoder(
        self, pretrained: str | None, needs: Mapping[str, Path], data: EvalData
    ) -> tuple[Mapping[str, Tensor] | None, tuple[str, ...] | None]:
        """Weights of a pretraining, and the channels that it was on."""
        if pretrained is None:
            return None, None
        from neuript.modelfile.checkpoint import load_checkpoint
        from neuript.training.evaluate.leaks import check_leak
        from neuript.training.pretrain.result import ENCODER

        path = needs[pretrained] / PRETRAIN / ENCODER
        manifest, state = load_checkpoint(path)
        check_leak(manifest, data, path)
        return state, manifest.ch_names

    def _read(self, name: str, cache_folder: Path) -> EvalData:
        from neuript.training.evaluate.protocols import get_protocol

        if name not in self._folders:
            raise NeuriptError(f"no folder of the data set {name!r} was given (--data {name}=DIR)")
        return get_protocol(name).load(self._folders[name], cache=cache_folder)


def preflight(data: Mapping[str, Path], corpora: Sequence[Path]) -> None:
    """Refuse before hours of work what cannot end well: no data, or test people in the corpus.

    Raises
    ------
    NeuriptError
        Saying which.
    """
    from neuript.realtime.recordings.recording_files import recording_sha256
    from neuript.training.evaluate.protocols import get_protocol

    opened = open_corpora(corpora)
    subjects = set().union(*(corpus.subjects for corpus in opened))
    hashes = set().union(*(corpus.file_hashes for corpus in opened))
    for name, folder in data.items():
        protocol = get_protocol(name)
        held = [s for s in protocol.sources(folder) if s.split in ("val", "test")]
        if opened:
            people = {f"{protocol.dataset}/{source.subject}" for source in held}
            files = {recording_sha256(source.path) for source in held if source.path.is_file()}
            refuse_leak(name, people, files, subjects, hashes)


def refuse_leak(name: str, people: set[str], files: set[str], corpus_people: set[str], corpus_files: set[str]) -> None:
    """Refuse a pretraining corpus that holds validation or test people, or their files.

    Parameters
    ----------
    name : str
        Name of the data set, for the message.
    people : set of str
        Subject ids of its validation and test splits.
    files : set of str
        SHA-256 of the files of those splits, in hexadecimal digits.
    corpus_people : set of str
        Subject ids of the corpus.
    corpus_files : set of str
        SHA-256 of the files of the corpus; these may be cut to fewer digits.

    Raises
    ------
    NeuriptError
        If the corpus holds one of the people or of the files.
    """
    from neuript.training.evaluate.leaks import overlap

    both, same_file = overlap(people, files, corpus_people, corpus_files)
    if both:
        raise NeuriptError(
            f"{name}: {', '.join(both[:3])}{' and others' if len(both) > 3 else ''} of its "
            "validation or test data are in the pretraining corpus; make one without them "
            "(neuript-train prepare --exclude-subjects)"
        )
    if same_file:
        raise NeuriptError(
            f"{name}: recordings of its validation or test data are in the pretraining corpus, "
            "under another subject's name; make one without them"
        )


def open_corpora(folders: Sequence[Path], *, verify: bool = False) -> list[Corpus]:
    """Open corpora, and compare the hashes of their shards if so wished."""
    from neuript.training.corpus import Corpus

    return [Corpus.open(folder, verify=verify) for folder in folders]


def corpus_fingerprint(folders: Sequence[Path]) -> str:
    """Return a hash of what is in corpora: recipes, recordings and their windows, not their places."""
    parts = []
    for corpus in open_corpora(folders):
        recordings = sorted((e.subject, e.recording, e.sha256) for e in corpus.entries)
        parts.append([corpus.recipe.to_dict(), recordings])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class _Progress:
    """Passes what the pretraining says on to the log, once a minute."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last = say, time.monotonic()

    def __call__(self, status: Status) -> None:
        now = time.monotonic()
        if now - self._last >= SAY_EVERY_S or status.step == status.n_steps:
            self._last = now
            self._say(
                f"  step {status.step}/{status.n_steps} loss {status.loss:.4f} "
                f"{status.windows_per_s:.1f} windows/s, {status.eta_s:.0f} s to go"
            )

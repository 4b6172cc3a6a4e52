"""The pretraining loop: one process or many, interrupted and resumed as often as it takes.

All that is random is a function of the seed and the step (see `loader`), so a run that was killed and resumed has the
same loss curve as one that was not, and so has one with another number of processes, up to rounding.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from neuript.errors import NeuriptError
from neuript.interrupt import CLUSTER, Interrupt
from neuript.network.pretext.masking import Share
from neuript.network.pretext.pretrainer import MaskedPretrainer
from neuript.training.pretrain import snapshots
from neuript.training.pretrain.batches import (
    Batch,
    BatchPlan,
    Loader,
    WindowCorpus,
    check_corpora,
    read_windows,
    split_by_subject,
    validation_batches,
)
from neuript.training.pretrain.clock import Clock
from neuript.training.pretrain.distributed import World, full, open_world, set_sync
from neuript.training.pretrain.logbook import Logbook, NoLog
from neuript.training.pretrain.monitor import ExpertMonitor
from neuript.training.pretrain.optimiser import build_optimizer, learning_rate
from neuript.training.pretrain.result import ENCODER, build_manifest, describe_data, export_encoder
from neuript.training.pretrain.run_settings import NOT_IN_SETTINGS, PretrainRun
from neuript.training.pretrain.shard_checks import run_checks

_log = logging.getLogger(__name__)

Resume = Literal["auto", "never", "must"]
BY_INDEX = ("learned_1d", "trigonometric")
"""Channel positions that are an index, and mean nothing for a random choice of channels."""


@dataclass(frozen=True, slots=True)
class Status:
    """What `progress` is told whenever an entry is logged."""

    step: int
    n_steps: int
    loss: float
    lr: float
    windows_per_s: float
    eta_s: float


Progress = Callable[[Status], None]


def pretrain(
    run: PretrainRun,
    corpus: WindowCorpus | Sequence[WindowCorpus],
    out: str | Path,
    *,
    resume: Resume = "auto",
    progress: Progress | None = None,
    checks: Sequence[Callable[[], None]] = (),
) -> Path:
    """Pretrain an encoder, or go on with a run that was interrupted.

    Under `torchrun` every process calls this with the same arguments.

    Parameters
    ----------
    run : PretrainRun
        Settings of model, masking, schedule and bookkeeping.
    corpus : WindowCorpus or sequence of WindowCorpus
        One or several, of the same rate and window length.
    out : str or Path
        Folder for checkpoints, log and result; created if it is not there.
    resume : {"auto", "must", "never"}
        "auto": from the newest checkpoint in `out`, if there is one. "must": refuse without one.
        "never": refuse with one.
    progress : callable, optional
        Called with a `Status` by the first process only.
    checks : sequence of callables
        Run first, divided among the processes of each machine when all have found each other (see
        `Corpus.shard_checks`); one that raises NeuriptError ends the run everywhere.

    Returns
    -------
    Path
        `out/encoder.safetensors`: encoder weights with a manifest, see `neuript.modelfile.checkpoint`.

    Raises
    ------
    NeuriptError
        If settings, corpus and checkpoint do not go together, files cannot be written, the loss is
        no longer a number, or another process is lost.
    KeyboardInterrupt
        After SIGINT, SIGTERM or SIGUSR1, when the checkpoint is written.
    """
    corpora = list(corpus) if isinstance(corpus, Sequence) else [corpus]
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with open_world(run) as world, torch.random.fork_rng(devices=devices):
        run_checks(checks, world)
        trainer = Trainer(run, corpora, Path(out), world)
        step = trainer.restore(resume)
        if step == trainer.n_steps and (trainer.out / ENCODER).is_file():
            return trainer.out / ENCODER
        # torchrun passes on a Ctrl-C that its children have had already; and a cluster sends one signal after another
        insist = ("SIGINT",) if world.size == 1 else ()
        with trainer.open_log(step) as log, Interrupt(CLUSTER, insist=insist) as interrupt:
            trainer.train(step, log, interrupt, progress)
        return trainer.finish()


class Trainer:
    """Model, optimiser and data of a run in one process.

    Parameters
    ----------
    run : PretrainRun
        Settings of the run, as in `pretrain`.
    corpora : sequence of WindowCorpus
        Corpora of the same rate and window length.
    out : Path
        Folder for checkpoints, log and result.
    world : World
        The processes that train together.

    Raises
    ------
    NeuriptError
        If the corpora do not go together, or channels are to be drawn for positions that are an index.
    """

    def __init__(self, run: PretrainRun, corpora: Sequence[WindowCorpus], out: Path, world: World) -> None:
        self.run, self.corpora, self.out, self.world = run, corpora, out, world
        self.sfreq, self.n_times = check_corpora(corpora)
        self.config, self.spec = run.model_config(self.n_times), run.pretrain_spec()
        if run.max_channels is not None and self.config.spatial_pe in BY_INDEX:
            raise NeuriptError(
                f"spatial_pe={self.config.spatial_pe} counts channels, which max_channels shuffles;"
                " leave max_channels out, or use positions on the head (3d)"
            )
        parts, self.val_parts, held_out = split_by_subject(corpora, run.val_fraction, run.seed)
        plan = BatchPlan(parts, run.batch_size, run.seed, run.max_channels)
        self.loader = Loader(plan, run.micro_batch, world.rank, world.size)
        self.n_steps = run.n_steps(int(plan.sizes.sum()))
        self.pos_m = max((p.group.montage.pos_m for p in [*parts, *self.val_parts]), key=len)
        self.data = describe_data(corpora, plan.parts, held_out)
        self.manifest = build_manifest(self.config, corpora[0], self.data, self.settings)
        self.metrics: dict[str, Any] = {}
        torch.manual_seed(run.seed)
        self.model = MaskedPretrainer(self.config, self.pos_m, self.spec).to(world.device)
        self.monitor = ExpertMonitor(self.model, run.collapse_share, run.collapse_steps)
        blocks = [*self.model.encoder.blocks, *self.model.decoder.layers]
        all_used = self.config.depth in self.model.decoder.scales  # blocks above the last scale read have no gradient
        self.engine = world.wrap(self.model, blocks, all_used=all_used)
        self.optimizer = build_optimizer(self.model.parameters(), run)
        self.losses = torch.zeros(3, dtype=torch.float64, device=world.device)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings, model, objective and data, as JSON values; another value of one makes another run."""
        return {
            "run": {k: v for k, v in self.run.to_dict().items() if k not in NOT_IN_SETTINGS},
            "steps": self.n_steps,
            "model": self.config.to_dict(),
            "objective": self.spec.to_dict(),
            "data": self.data.identity,
            "device": self.world.device.type,  # draws masks and dropout: another kind draws others
        }

    def restore(self, resume: Resume) -> int:
        """Go on from the newest checkpoint as `resume` says; return the steps that are done.

        Raises
        ------
        NeuriptError
            If there is no checkpoint and `resume` is "must", or there is one and it is "never".
        """
        found = snapshots.latest(self.out)
        if found is None:
            if resume == "must":
                raise NeuriptError(f"{self.out} has no checkpoint to go on from")
            self._make_folder()
            return 0
        path, about = found
        if resume == "never":
            raise NeuriptError(f"{self.out} has checkpoints already; resume, or use another folder")
        snapshots.check_settings(path, about["settings"], self.settings)
        snapshots.restore(path, self.model, self.optimizer, self.world)
        self.monitor.load_state(about["monitor"])
        self.metrics = about["metrics"]
        step = int(about["step"])
        if self.world.is_first:
            _log.info("going on from %s", path)
        return step

    def open_log(self, step: int) -> Logbook | NoLog:
        """Return the log of the first process; the others write none."""
        if not self.world.is_first:
            return NoLog()
        log = Logbook(self.out, step, tensorboard=self.run.tensorboard)
        n = sum(p.numel() for p in self.model.parameters())
        log.write("start", step, processes=self.world.size, parameters=n, data=self.data.counts)
        return log

    def train(self, step: int, log: Logbook | NoLog, interrupt: Interrupt, progress: Progress | None = None) -> None:
        """Take the steps from `step` to the last, with log, validation and snapshots.

        Raises
        ------
        KeyboardInterrupt
            When a signal asked for it, after the snapshot is written.
        """
        run = self.run
        clock = Clock()
        for batch in self.loader.steps(step, self.n_steps):
            step = batch.step + 1
            stopping = self.world.any(interrupt.requested)
            saving = stopping or step % run.checkpoint_every == 0 or step == self.n_steps
            logging_now = saving or step % run.log_every == 0
            self.monitor.watching = logging_now
            norm = self.step(batch)
            clock.steps += 1
            if logging_now:
                self._report(step, norm, clock, log, progress)
            every = run.validate_every
            if self.val_parts and (saving if every is None else step % every == 0):
                with clock.paused():
                    self.metrics = {"validation": self.validate() | {"step": step}}
                    log.write("validation", **self.metrics["validation"])
            if saving:
                with clock.paused():
                    self.checkpoint(step, log)
            if stopping and step < self.n_steps:
                raise KeyboardInterrupt

    def step(self, batch: Batch) -> Tensor:
        """Take one optimiser step; return the norm of the gradients before clipping."""
        run, device = self.run, self.world.device
        self.engine.train()
        self.model.set_montage(batch.pos_m)
        self.optimizer.zero_grad(set_to_none=True)
        for i, micro in enumerate(batch.micro):
            generator = torch.Generator(device).manual_seed(batch.seed)
            share = Share(generator, micro.start, batch.size)
            torch.manual_seed(micro.seed)
            with set_sync(self.engine, self.world, i + 1 == len(batch.micro)):
                with self.autocast():
                    out = self.engine(micro.x.to(device, non_blocking=True), share)
                (out.loss / len(batch.micro)).backward()
            found = torch.stack([out.loss, out.rec_loss, out.aux_loss]).detach()
            self.losses += found.double() / len(batch.micro)
        parameters = list(self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(parameters, run.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(batch.step, self.n_steps, run)
        self.optimizer.step()
        return norm

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass in the precision of the run."""
        enabled = self.run.precision == "bf16"
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=enabled)

    def validate(self) -> dict[str, float]:
        """Reconstruct the held-out subjects' windows with fixed masks.

        Returns
        -------
        dict
            `rec`, the reconstruction loss; `r2`, the share of the variance of the masked points
            (companded) that is predicted; `r2_within`, the same of their variance within each
            window and channel. A band of amplitudes leaves a gap among the visible values, and a
            model that only finds the gap, one constant for each channel, has a high `r2` and an
            `r2_within` of 0 or less.
        """
        run, world = self.run, self.world
        batches = validation_batches(self.val_parts, run.val_windows, self.loader.micro_batch, run.seed)
        sums = torch.zeros(6, dtype=torch.float64, device=world.device)
        self.model.eval()
        # Equal numbers of passes for all: a sharded model needs all processes in each.
        for first in range(0, len(batches), world.size):
            mine = first + world.rank
            part, windows, seed = batches[mine if mine < len(batches) else 0]
            self.model.set_montage(part.group.montage.pos_m)
            x = read_windows(part.group, windows).to(world.device)
            with torch.no_grad(), self.autocast():
                out = self.model(x, torch.Generator(world.device).manual_seed(seed))
            if mine < len(batches):
                t = out.target[out.masked].double()
                e = out.prediction[out.masked].double() - t
                n = t.new_tensor(len(t))
                around = t.view(*out.target.shape[:2], -1)  # all channels have the same count
                within = (around - around.mean(dim=-1, keepdim=True)).square().sum()
                values = [out.rec_loss.double() * n, e.square().sum(), t.sum(), t.square().sum()]
                sums += torch.stack([n, *values, within])
        n, rec, sse, total, squares, within = world.sum(sums).tolist()
        return {"rec": rec / n, "r2": 1 - sse / (squares - total**2 / n), "r2_within": 1 - sse / within}

    def checkpoint(self, step: int, log: Logbook | NoLog) -> None:
        """Write a checkpoint and drop old ones; all processes learn of a failure.

        Raises
        ------
        NeuriptError
            If it cannot be written.
        """
        tensors = snapshots.gather(self.model, self.optimizer, self.world)
        problem = None
        if self.world.is_first:
            about = {
                "settings": self.settings,
                "monitor": self.monitor.state(),
                "metrics": self.metrics,
                "manifest": self.manifest.to_dict(),
                "pos_m": self.pos_m.tolist(),
            }
            try:
                log.sync()
                snapshots.save(self.out, step, tensors, about)
                snapshots.prune(self.out, self.run.keep)
            except NeuriptError as error:
                problem = str(error)
        self._agree(problem)

    def finish(self) -> Path:
        """Write the encoder of the last checkpoint with its manifest; return its path."""
        path, problem = self.out / ENCODER, None
        if self.world.is_first:
            try:
                export_encoder(self.out, path)
            except NeuriptError as error:
                problem = str(error)
        self._agree(problem)  # nobody returns before the file is there
        return path

    def _agree(self, problem: str | None) -> None:
        """Raise in all processes what went wrong in the first."""
        problem = self.world.first_says(problem)
        if problem:
            raise NeuriptError(problem)

    def _report(self, step: int, norm: Tensor, clock: Clock, log: Logbook | NoLog, progress: Progress | None) -> None:
        run, world = self.run, self.world
        loss, rec, aux = (world.sum(self.losses) / clock.steps / world.size).tolist()
        self.losses.zero_()
        norm_value = full(norm)
        if not math.isfinite(loss) or not math.isfinite(norm_value):
            raise NeuriptError(
                f"the loss is no longer a number at step {step} (loss {loss:g}, gradient norm "
                f"{norm_value:g}); go on from the last checkpoint with fp32, or start again with a "
                "lower --lr"
            )
        lr = learning_rate(step - 1, self.n_steps, run)
        speed = clock.lap() * run.batch_size
        uses = self.monitor.collect(world)
        log.write(
            "train",
            step,
            loss=loss,
            rec=rec,
            aux=aux,
            lr=lr,
            grad_norm=norm_value,
            epoch=step / self.loader.plan.steps_per_round,
            windows_per_s=round(speed, 2),
            experts={name: asdict(use) for name, use in uses.items()},
        )
        for text in self.monitor.alarms(step, uses):
            if world.is_first:
                _log.warning("step %d: %s", step, text)
            log.write("alarm", step, text=text)
        if progress is not None and world.is_first:
            eta_s = (self.n_steps - step) * run.batch_size / speed if speed else math.inf
            progress(Status(step, self.n_steps, loss, lr, speed, eta_s))

    def _make_folder(self) -> None:
        try:
            os.makedirs(self.out, exist_ok=True)
        except OSError as error:
            raise NeuriptError(f"cannot make the folder {self.out}: {error.strerror}") from error

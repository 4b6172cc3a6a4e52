"""What computes a model's logits from a window: one small class around its network's engine.

An engine is made for one window shape and one thread (the decoder's). Its input buffer is allocated
once and aligned, and it is warmed up when built, so that the same window gives the same bits from
the first call to the last.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.engines.engine_module import EngineModule
from neuript.engines.ladder import AUTO, ENGINE_NAMES, LadderEngine, open_engine
from neuript.engines.rungs import EngineParts, default_threads
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.placement import with_network
from neuript.network.network import NeurIPTNetwork

if TYPE_CHECKING:
    from neuript.engines.contract import EnginePrecision
    from neuript.modelfile.checked_model import Deployable
    from neuript.modelfile.container import Golden
    from neuript.modelfile.manifest import Manifest

log = logging.getLogger(__name__)

WARM_UP_CALLS = 2
"""Memory is allocated and kernels are chosen in the first run."""

LOGIT_TOLERANCE = {"float32": 5e-4, "float16": 0.1, "bfloat16": 0.1}
"""Largest difference from the golden logits, relative to the largest of them (at least 1).

Other instruction sets round differently (about 1e-5 seen). How far an engine may be from the network itself is
`neuript.engines.agreement`.
"""


class Engine:
    """Logits for one window at a time.

    Parameters
    ----------
    forward : callable
        Function from a window to logits (1, n_outputs), both on the CPU. It takes the signal (1, n_chans, n_times) and,
        for a model with an alignment, the tangent vector (1, n_tangent).
    manifest : Manifest
        Description of the model: its channels, window and classes.
    computed_by : LadderEngine, optional
        What computes the network in it; None is PyTorch.
    threads : int, optional
        PyTorch threads to use on the CPU; None leaves PyTorch's setting alone.

    Attributes
    ----------
    reference : dict of str to ndarray
        Where the alignment is to begin, as the model's file says (the fields of
        `neuript.realtime.chain.alignment.Reference`); empty where it says nothing.
    inference_ms : float
        Milliseconds that a golden window took when the model was opened (median); NaN before that.
    """

    def __init__(
        self,
        forward: Callable[..., Tensor],
        manifest: Manifest,
        *,
        computed_by: LadderEngine | None = None,
        threads: int | None = None,
    ) -> None:
        self.manifest = manifest
        self.computed_by = computed_by
        self.threads = threads
        self.reference: dict[str, NDArray[np.float64]] = {}
        self.inference_ms = math.nan
        self._forward = forward
        self._signal = torch.zeros(1, manifest.n_chans, manifest.n_times)
        self._window = self._signal[0].numpy().T  # shares memory; (n_times, n_chans)
        self._tangent = torch.zeros(1, manifest.n_tangent)
        self._vector = self._tangent[0].numpy()
        self._inputs = (self._signal, self._tangent) if manifest.n_tangent else (self._signal,)

    def __repr__(self) -> str:
        """Return the engine's name, device and model shape."""
        m = self.manifest
        return f"<Engine {self.name} on {self.device}: {m.n_chans} x {m.n_times} -> {m.n_outputs}>"

    @property
    def name(self) -> str:
        """Name of the engine that computes the network now; it changes when one fails and the next goes on."""
        return "eager" if self.computed_by is None else self.computed_by.name

    @property
    def device(self) -> str:
        """Where the network is computed now, `cpu` or `cuda`; all else is on the CPU."""
        return "cpu" if self.computed_by is None else self.computed_by.device

    @property
    def precision(self) -> EnginePrecision:
        """Kind of the numbers that the network is computed with."""
        return "float32" if self.computed_by is None else self.computed_by.precision

    @property
    def steps_down(self) -> tuple[str, ...]:
        """A sentence for each engine that was not used, or left."""
        return () if self.computed_by is None else tuple(self.computed_by.steps_down)

    def infer(
        self, signal: NDArray[np.floating[Any]], tangent: NDArray[np.floating[Any]] | None = None, /
    ) -> NDArray[np.float32]:
        """Return the logits for one window.

        Parameters
        ----------
        signal : ndarray, shape (n_times, n_chans)
            The window's signal, oldest sample first: in volts as the chain gives it, or aligned where the model says
            so. Copied, so a view into a ring buffer is fine.
        tangent : ndarray, shape (n_tangent,), optional
            The window's tangent vector; only for a model with an alignment.

        Returns
        -------
        ndarray, shape (n_outputs,)
            float32 logits, a new array.

        Raises
        ------
        ValueError
            If a shape is not the model's.
        """
        if signal.shape != self._window.shape:
            raise ValueError(
                f"window.shape={signal.shape}, but the model takes (n_times, n_chans)={self._window.shape}"
            )
        vector = self._vector[:0] if tangent is None else tangent
        if vector.shape != self._vector.shape:
            raise ValueError(f"tangent.shape={vector.shape}, but the model takes {self._vector.shape}")
        self._window[...] = signal
        self._vector[...] = vector
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            logits = np.array(self._forward(*self._inputs)[0].to("cpu", torch.float32).numpy())
        if len(logits) == 1 and self.manifest.n_outputs == 2:  # the paper's one binary logit
            return np.concatenate([np.zeros(1, np.float32), logits])
        return logits

    def warm_up(self, n_calls: int = WARM_UP_CALLS) -> None:
        """Run on noise until lazy compilation and allocation are done (safe to call again)."""
        noise = np.random.default_rng(0).normal(scale=1e-5, size=self._window.shape)
        for _ in range(n_calls):
            self.infer(noise, np.zeros_like(self._vector))


def engine_of(
    deployable: Deployable,
    engine: str = AUTO,
    device: str = "cpu",
    threads: int | None = None,
    *,
    patient: bool = False,
) -> Engine:
    """Return the engine of a model: its network by what `neuript.engines` chooses, all else on the CPU.

    Parameters
    ----------
    deployable : Deployable
        The model.
    engine : str
        One of `ENGINE_NAMES`.
    device : {'cpu', 'cuda'}
        Where "auto" may compute.
    threads : int, optional
        Number of CPU threads; None chooses by the model's size.
    patient : bool
        True takes the time to measure all engines that are installed.

    Raises
    ------
    NeuriptError
        If there is no such engine, or it does not compute where it is asked to.
    """
    module, manifest = deployable.module, deployable.manifest
    threads = threads or default_threads(module)
    if not isinstance(deployable.network, NeurIPTNetwork):
        if engine not in ENGINE_NAMES:
            raise NeuriptError(f"there is no engine {engine!r}; choose {', '.join(ENGINE_NAMES)}")
        if engine != AUTO or device != "cpu":
            log.info("the model decodes without a network, so that there is no engine to choose")
        return eager_engine(module, manifest, threads=threads)
    made = open_engine(engine_parts(deployable, threads), engine=engine, device=device, patient=patient)
    return _ready(with_network(module, EngineModule(made)), manifest, made, threads)


def engine_parts(deployable: Deployable, threads: int = 1) -> EngineParts:
    """Return what the engines of a model's network are made of.

    Raises
    ------
    NeuriptError
        If the model decodes without a network.
    """
    network = deployable.network
    if not isinstance(network, NeurIPTNetwork):
        raise NeuriptError(f"{deployable.name} decodes without a network, so that there is no engine of it")
    graph, plan = deployable.parts.get("network.onnx"), deployable.parts.get("network.rtx")
    return EngineParts(
        network=network,
        windows=deployable.golden.signal,
        onnx=None if graph is None else bytes(graph.data),
        plan=None if plan is None else bytes(plan.data),
        precision="float16" if plan is not None and plan.about.get("precision") == "float16" else "float32",
        weights_sha256=deployable.manifest.weights_sha256,
        threads=threads,
    )


def golden_inputs(manifest: Manifest, n: int = 4) -> NDArray[np.float32]:
    """Return made-up EEG windows in volts for a model that has no better: shape (n, n_chans, n_times).

    Seeded 1/f noise of about 15 µV with a 10 Hz rhythm; each window has another size.
    """
    rng = np.random.default_rng(20_260_101)
    shape = (n, manifest.n_chans, manifest.n_times)
    freqs = np.fft.rfftfreq(manifest.n_times, 1 / manifest.sfreq)
    pink = np.fft.rfft(rng.normal(size=shape)) / np.maximum(freqs, freqs[1:2].min(initial=1.0))
    noise = np.fft.irfft(pink, manifest.n_times)
    noise /= noise.std(axis=-1, keepdims=True) + 1e-12
    time_s = np.arange(manifest.n_times) / manifest.sfreq
    alpha = np.sin(2 * np.pi * (10 * time_s + rng.uniform(size=(*shape[:2], 1))))
    scale = np.linspace(0.5, 2.0, n)[:, None, None]
    return (scale * (15e-6 * noise + 5e-6 * alpha)).astype(np.float32)


def golden_tangents(manifest: Manifest, n: int = 4) -> NDArray[np.float32]:
    """Return made-up tangent vectors for a model that takes some: shape (n, n_tangent), seeded, of typical length."""
    rng = np.random.default_rng(20_260_102)
    n_bands = max(1, len((manifest.preprocess.get("alignment") or {}).get("bands_hz", ())))
    scale = np.sqrt(n_bands / max(1, manifest.n_tangent))
    return np.asarray(scale * rng.normal(size=(n, manifest.n_tangent)), dtype=np.float32)


def check_golden(engine: Engine, golden: Golden, name: str) -> float:
    """Compare an engine with the golden vectors, note what a window takes, and return the largest relative difference.

    Parameters
    ----------
    engine : Engine
        The engine to check.
    golden : Golden
        Windows, and the logits that the file promises for them.
    name : str
        What to call the file in messages.

    Raises
    ------
    ModelRefusedError
        If the engine cannot run the windows or its logits differ by more than `LOGIT_TOLERANCE`.
    """
    logits = golden.logits
    try:
        got, taken = [], []
        for signal, tangent in zip(golden.signal, golden.tangent, strict=True):
            began = time.perf_counter()
            got.append(engine.infer(signal.T, tangent))
            taken.append(time.perf_counter() - began)
    except (RuntimeError, ValueError, IndexError) as error:
        first_line = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelRefusedError(
            f"{name} cannot run windows of {engine.manifest.n_chans} channels x "
            f"{engine.manifest.n_times} samples: {first_line[0][:200]}"
        ) from error
    if len(got[0]) != logits.shape[1]:
        raise ModelRefusedError(f"{name} gives {len(got[0])} logits, but has {logits.shape[1]} classes")
    engine.inference_ms = 1e3 * float(np.median(taken))
    difference = float(np.abs(np.stack(got) - logits).max() / max(1.0, float(np.abs(logits).max())))
    if not difference <= LOGIT_TOLERANCE[engine.precision]:  # NaN fails too
        raise ModelRefusedError(
            f"{name} does not give its golden outputs with the {engine.name} engine on "
            f"{engine.device} (difference {difference:.2g}); export it again on this version of "
            f"PyTorch ({torch.__version__})"
        )
    return difference


def eager_engine(module: nn.Module, manifest: Manifest, *, threads: int | None = None) -> Engine:
    """Run a module as it is; the reference for every other engine."""
    return _ready(module.eval(), manifest, None, threads or default_threads(module))


def _ready(
    forward: Callable[..., Tensor], manifest: Manifest, computed_by: LadderEngine | None, threads: int | None
) -> Engine:
    engine = Engine(forward, manifest, computed_by=computed_by, threads=threads)
    engine.warm_up()
    return engine

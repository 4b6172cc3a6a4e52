"""What computes logits from a window: one small class, fed by eager or compiled code.

An engine is made for one window shape and one thread (the decoder's). Its input buffer is allocated
once and aligned, and it is warmed up when built, so that the same window gives the same bits from
the first call to the last.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.placement import placed, with_network

if TYPE_CHECKING:
    from neuript.modelfile.checked_model import Deployable
    from neuript.modelfile.container import Golden
    from neuript.modelfile.manifest import Manifest

log = logging.getLogger(__name__)

LADDER_ENGINES = ("cpu", "onnxruntime", "openvino")
"""Those of `neuript.engines`, which compute the network alone and leave for the next when they fail."""
ENGINES = (*LADDER_ENGINES, "eager", "compiled", "tensorrt")
WARM_UP_CALLS = 2
"""Memory is allocated and kernels are chosen in the first run."""

SINGLE_THREAD_PARAMETERS = 4_000_000
"""Up to this size a second thread costs more in waiting than it saves."""

LOGIT_TOLERANCE = {"cpu": 5e-4, "cuda": 2e-2}
"""Largest difference from the golden logits, relative to the largest of them (at least 1).

Other instruction sets round differently (about 1e-5 seen); GPUs may use TF32 in convolutions.
"""

MAX_PROBABILITY_DIFFERENCE = 0.02
MAX_FLIP_RATE = 0.01


class Engine:
    """Logits for one window at a time.

    Parameters
    ----------
    forward : callable
        Function from a window to logits (1, n_outputs), both on the CPU. It takes the signal (1, n_chans, n_times) and,
        for a model with an alignment, the tangent vector (1, n_tangent).
    manifest : Manifest
        Description of the model: its channels, window and classes.
    name : str
        Name of the engine, one of `ENGINES`.
    device : {'cpu', 'cuda'}
        Where its network runs.
    threads : int, optional
        PyTorch threads to use on the CPU; None leaves PyTorch's setting alone.

    Attributes
    ----------
    reference : dict of str to ndarray
        Where the alignment is to begin, as the model's file says (the fields of
        `neuript.realtime.chain.alignment.Reference`); empty where it says nothing.
    """

    def __init__(
        self,
        forward: Callable[..., Tensor],
        manifest: Manifest,
        *,
        name: str,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        self.manifest = manifest
        self.name = name
        self.device = device
        self.threads = threads
        self.reference: dict[str, NDArray[np.float64]] = {}
        self._forward = forward
        pinned = device.startswith("cuda")
        self._signal = torch.zeros(1, manifest.n_chans, manifest.n_times, pin_memory=pinned)
        self._window = self._signal[0].numpy().T  # shares memory; (n_times, n_chans)
        self._tangent = torch.zeros(1, manifest.n_tangent, pin_memory=pinned and manifest.n_tangent > 0)
        self._vector = self._tangent[0].numpy()
        self._inputs = (self._signal, self._tangent) if manifest.n_tangent else (self._signal,)

    def __repr__(self) -> str:
        """Return the engine's name, device and model shape."""
        m = self.manifest
        return f"<Engine {self.name} on {self.device}: {m.n_chans} x {m.n_times} -> {m.n_outputs}>"

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


def ladder(engine: str, device: str) -> list[tuple[str, str]]:
    """Return engines and devices in the order in which they are tried; the last is the CPU."""
    end = [("cpu", "cpu"), ("eager", "cpu")]
    if engine == "eager" and device == "cpu":
        return end[1:]
    if engine == "auto":
        return end if device == "cpu" else [("tensorrt", device), ("eager", device), *end]
    if device == "cpu" or engine in LADDER_ENGINES:
        return list(dict.fromkeys([(engine, "cuda" if engine == "tensorrt" else "cpu"), *end]))
    return list(dict.fromkeys([(engine, device), ("eager", device), *end]))


def build(name: str, deployable: Deployable, device: str, threads: int | None) -> Engine:
    """Return an engine of a model, by name.

    Raises
    ------
    Exception
        Of any kind, if it cannot be built or run here.
    """
    module, manifest = deployable.module, deployable.manifest
    if name == "tensorrt":
        from neuript.modelfile.tensorrt import tensorrt_engine

        reference = eager_engine(module, manifest, threads=threads)
        return tensorrt_engine(module, manifest, reference, deployable.golden, device=device)
    if name in LADDER_ENGINES:
        return ladder_engine(name, deployable, threads=threads)
    make = compiled_engine if name == "compiled" else eager_engine
    return make(module, manifest, device=device, threads=threads)


def first_line(error: BaseException) -> str:
    """Return what an error says in one line of a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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
    """Compare an engine with the golden vectors and return the largest relative difference.

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
        got = np.stack([engine.infer(x.T, v) for x, v in zip(golden.signal, golden.tangent, strict=True)])
    except (RuntimeError, ValueError, IndexError) as error:
        first_line = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelRefusedError(
            f"{name} cannot run windows of {engine.manifest.n_chans} channels x "
            f"{engine.manifest.n_times} samples: {first_line[0][:200]}"
        ) from error
    if got.shape != logits.shape:
        raise ModelRefusedError(f"{name} gives logits of shape {got.shape[1:]}, but has {logits.shape[1]} classes")
    difference = float(np.abs(got - logits).max() / max(1.0, float(np.abs(logits).max())))
    if not difference <= LOGIT_TOLERANCE[engine.device.split(":")[0]]:  # NaN fails too
        raise ModelRefusedError(
            f"{name} does not give its golden outputs with the {engine.name} engine on "
            f"{engine.device} (difference {difference:.2g}); export it again on this version of "
            f"PyTorch ({torch.__version__})"
        )
    return difference


@dataclass(frozen=True)
class Parity:
    """How far one engine agrees with another, over some windows."""

    n_windows: int
    max_probability_difference: float
    flip_rate: float
    """Share of windows whose most probable class is another one."""

    @property
    def ok(self) -> bool:
        """Whether the difference is small enough to replace one engine by the other."""
        return self.max_probability_difference <= MAX_PROBABILITY_DIFFERENCE and self.flip_rate <= MAX_FLIP_RATE

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"probabilities differ by at most {self.max_probability_difference:.2g} and "
            f"{self.flip_rate:.1%} of {self.n_windows} decisions"
        )


def parity(
    reference: Engine, other: Engine, signals: NDArray[np.float32], tangents: NDArray[np.float32] | None = None
) -> Parity:
    """Compare the probabilities of two engines.

    NaN from the other engine counts as a probability difference of 1.

    Parameters
    ----------
    reference, other : Engine
        Engines of the same model.
    signals : ndarray of float32, shape (n, n_chans, n_times)
        Signal of the windows.
    tangents : ndarray of float32, shape (n, n_tangent), optional
        Tangent vectors of the windows; None makes some up where the model takes them.
    """
    if tangents is None:
        tangents = golden_tangents(reference.manifest, len(signals))
    expected, got = (_probabilities(engine, signals, tangents) for engine in (reference, other))
    difference = np.nan_to_num(np.abs(expected - got), nan=1.0)
    return Parity(
        n_windows=len(signals),
        max_probability_difference=float(difference.max()),
        flip_rate=float(np.mean(expected.argmax(1) != got.argmax(1))),
    )


def _probabilities(engine: Engine, signals: NDArray[np.float32], tangents: NDArray[np.float32]) -> NDArray[np.float64]:
    logits = np.stack([engine.infer(x.T, v) for x, v in zip(signals, tangents, strict=True)]).astype(np.float64)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def eager_engine(module: nn.Module, manifest: Manifest, *, device: str = "cpu", threads: int | None = None) -> Engine:
    """Run a module as it is; the reference for every other engine."""
    return _ready(placed(module, device), manifest, "eager", device, threads or default_threads(module))


def ladder_engine(name: str, deployable: Deployable, *, threads: int | None = None) -> Engine:
    """Compute the network with one of `neuript.engines`, and all else as the module does; eager where it has none."""
    from neuript.engines.engine_module import EngineModule
    from neuript.engines.ladder import open_engine
    from neuript.network.network import NeurIPTNetwork

    network, onnx = deployable.network, deployable.parts.get("network.onnx")
    if not isinstance(network, NeurIPTNetwork):
        return eager_engine(deployable.module, deployable.manifest, threads=threads)
    threads = threads or default_threads(deployable.module)
    made = open_engine(
        network, deployable.golden.signal, engine=name, onnx=None if onnx is None else bytes(onnx.data), threads=threads
    )
    module = with_network(deployable.module, EngineModule(made))
    return _ready(module, deployable.manifest, made.name, "cpu", threads)


def compiled_engine(
    module: nn.Module, manifest: Manifest, *, device: str = "cpu", threads: int | None = None
) -> Engine:
    """Run a module through `torch.compile` (on the CPU this needs a C++ compiler).

    Raises
    ------
    NeuriptError
        If it cannot be compiled here.
    """
    threads = threads or default_threads(module)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = torch.compile(placed(module, device), dynamic=False)
            return _ready(compiled, manifest, "compiled", device, threads)
    except Exception as error:  # Inductor raises many kinds, none of them public
        raise NeuriptError(
            f"the model cannot be compiled here ({type(error).__name__}); install a C++ compiler "
            "or use the eager engine"
        ) from error


def default_threads(module: nn.Module) -> int:
    """Return how many CPU threads suit a model: one for small ones, else up to four.

    The choice depends only on the model's size where there are four cores or more, because sums
    over more threads can round differently.
    """
    n_parameters = sum(p.numel() for p in module.parameters())
    if n_parameters <= SINGLE_THREAD_PARAMETERS:
        return 1
    return min(4, torch.get_num_threads())


def _ready(forward: Callable[..., Tensor], manifest: Manifest, name: str, device: str, threads: int | None) -> Engine:
    engine = Engine(forward, manifest, name=name, device=device, threads=threads)
    engine.warm_up()
    return engine

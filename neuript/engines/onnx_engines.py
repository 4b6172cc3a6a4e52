"""The ONNX graph on a CPU, by ONNX Runtime or OpenVINO, from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.engines.graph_names import ANSWER, ROUTERS, SIGNAL
from neuript.extras import of_extra

if TYPE_CHECKING:
    from neuript.engines.contract import EnginePrecision


class OnnxRuntimeEngine:
    """The graph in ONNX Runtime (extra `onnxruntime`).

    Parameters
    ----------
    onnx : bytes
        What `export_onnx` returns.
    threads : int
        Threads to use.
    """

    name = "onnxruntime"
    device = "cpu"
    precision: EnginePrecision = "float32"

    def __init__(self, onnx: bytes, *, threads: int = 1) -> None:
        runtime: Any = of_extra("onnxruntime", "onnxruntime", "the engine onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what goes wrong is raised
        self._session: Any = runtime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self._tells = ROUTERS in [output.name for output in self._session.get_outputs()]

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to what the graph answers, (batch, ...)."""
        return self._run(ANSWER, windows)

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, (batch, numbers), if the graph was exported with them."""
        return self._run(ROUTERS, windows) if self._tells else None

    def close(self) -> None:
        """Let the session go."""
        del self._session

    def _run(self, output: str, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = [self._session.run([output], {SIGNAL: window[None]})[0] for window in windows]
        return np.concatenate(rows)


class OpenVinoEngine:
    """The graph in OpenVINO (extra `fast`).

    Parameters
    ----------
    onnx : bytes
        What `export_onnx` returns.
    threads : int
        Threads to use.
    precision : {'float32', 'float16', 'bfloat16'}
        What OpenVINO may compute with; a CPU without such instructions uses float32 all the same.
    fused : bool
        True lets OpenVINO fuse the attention, a tenth less time, but its answers are wrong for sequences of few tokens
        (seen with 4 tokens of 64 samples, 2026.4): only with `compare_engines`.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self, onnx: bytes, *, threads: int = 1, precision: EnginePrecision = "float32", fused: bool = False
    ) -> None:
        openvino: Any = of_extra("fast", "openvino", "the engine openvino")
        kind = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}[precision]
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": kind,
            "NUM_STREAMS": 1,
        }
        if not fused:
            settings["SNIPPETS_MODE"] = "DISABLE"
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model=onnx, weights=b""), "CPU", settings)
        self.precision: EnginePrecision = precision
        self._request: Any = compiled.create_infer_request()
        self._outputs = {name: output for output in compiled.outputs for name in output.get_names()}

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to what the graph answers, (batch, ...)."""
        return self._run(ANSWER, windows)

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, (batch, numbers), if the graph was exported with them."""
        return self._run(ROUTERS, windows) if ROUTERS in self._outputs else None

    def close(self) -> None:
        """Let the compiled graph go."""
        del self._request, self._outputs

    def _run(self, output: str, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = [np.array(self._request.infer({SIGNAL: window[None]})[self._outputs[output]]) for window in windows]
        return np.concatenate(rows)

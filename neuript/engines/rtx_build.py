"""TensorRT-RTX engines built from the ONNX graph, on any computer: building needs no GPU, running does.

One engine serves GPUs of the Ampere, Ada and Blackwell generations on Linux and Windows (not Hopper, not Volta); the
kernels for the very GPU are made when it is loaded there. The package is an optional extra (`tensorrt`).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from neuript.engines.contract import EnginePrecision
from neuript.engines.onnx_export import OPSET, export_onnx
from neuript.errors import EngineRefusedError
from neuript.extras import of_extra
from neuript.network.network import NeurIPTNetwork

BINDINGS = "tensorrt_rtx_bindings"
_ENGINES = re.compile(r"Adding (\d+) engine\(s\) to plan file")
_NODE = re.compile(r"^Layer\(\w+\): ", re.MULTILINE)


@dataclass(frozen=True)
class RtxPlan:
    """An engine as bytes, and what is known about it without a GPU."""

    data: bytes
    precision: EnginePrecision
    version: str
    """Version of TensorRT-RTX that built it; another one may refuse it."""
    n_engines: int
    """Engines in it: 1 where nothing of the network is left to another one."""
    n_parts: int
    """Pieces that run one after the other in it."""
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layer_types: dict[str, int]
    """Number types of what the layers of the parsed graph return, with how often each occurs."""
    seconds: float
    """Time it took to build."""


def build_network_plan(network: NeurIPTNetwork, precision: EnginePrecision = "float32") -> RtxPlan:
    """Build the engine of a network.

    Parameters
    ----------
    network : NeurIPTNetwork
        The network.
    precision : {'float32', 'float16', 'bfloat16'}
        Kind of the numbers of its matrix products; what routers are asked with stays float32.

    Raises
    ------
    NeuriptError
        If TensorRT-RTX, onnx or onnxscript are not installed.
    EngineRefusedError
        If the engine cannot be built.
    """
    load_bindings()  # before the graph, which takes a while
    plan = build_plan(export_onnx(network, precision=precision), precision)
    expected = (1, network.n_chans, network.config.n_times)
    if plan.input_shape != expected:
        raise EngineRefusedError(f"the engine takes {plan.input_shape}, but the network {expected}")
    return plan


def build_plan(onnx: bytes, precision: EnginePrecision = "float32") -> RtxPlan:
    """Build the engine of an ONNX graph.

    Parameters
    ----------
    onnx : bytes
        The graph, whose number types are those of the engine (`export_onnx`).
    precision : {'float32', 'float16', 'bfloat16'}
        What the graph was exported with.

    Raises
    ------
    EngineRefusedError
        If TensorRT-RTX cannot read the graph or build the engine; the message gives its reason.
    """
    trt = load_bindings()
    _check_opset(onnx)
    logger = _logger(trt)
    builder = trt.Builder(logger)
    graph = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(graph, logger)
    if not parser.parse(onnx):
        raise EngineRefusedError(f"TensorRT-RTX cannot read the ONNX graph: {_first_error(parser, logger)}")
    if (graph.num_inputs, graph.num_outputs) != (1, 1):
        raise EngineRefusedError(
            f"the ONNX graph has {graph.num_inputs} inputs and {graph.num_outputs} outputs; a network has one of each"
        )
    start = time.perf_counter()
    data = builder.build_serialized_network(graph, builder.create_builder_config())
    if data is None:
        raise EngineRefusedError(f"TensorRT-RTX cannot build the engine: {_last_error(logger)}")
    text = "\n".join(logger.messages)
    found = _ENGINES.search(text)
    return RtxPlan(
        bytes(data),
        precision,
        str(trt.__version__),
        int(found[1]) if found else 0,
        len(_NODE.findall(text)),
        tuple(graph.get_input(0).shape),
        tuple(graph.get_output(0).shape),
        _layer_types(graph),
        time.perf_counter() - start,
    )


def load_bindings() -> Any:
    """Import TensorRT-RTX, or say which extra installs it."""
    return of_extra("tensorrt", BINDINGS, "a TensorRT engine")


def _check_opset(graph: bytes) -> None:
    """Refuse what is no ONNX graph, or one of an opset that nobody has compared with the network."""
    onnx = of_extra("tensorrt", "onnx", "a TensorRT engine")
    try:
        opsets = {opset.domain: opset.version for opset in onnx.load_from_string(graph).opset_import}
    except Exception as error:
        raise EngineRefusedError("TensorRT-RTX cannot read the ONNX graph: it is damaged, or something else") from error
    if opsets.get("") != OPSET:
        found = opsets.get("", "none")
        raise EngineRefusedError(f"TensorRT-RTX cannot build an ONNX graph of opset {found}; export it with {OPSET}")


def _layer_types(graph: Any) -> dict[str, int]:
    layers = (graph.get_layer(i) for i in range(graph.num_layers))
    outputs = (layer.get_output(i) for layer in layers for i in range(layer.num_outputs))
    return dict(Counter(output.dtype.name for output in outputs))


def _logger(trt: Any) -> Any:
    class Kept(trt.ILogger):  # type: ignore[misc]
        """Keeps what the library says: it is where it tells about the engine."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.messages: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            self.messages.append(message)
            if severity <= trt.ILogger.ERROR:
                self.errors.append(message)

    return Kept()


def _first_error(parser: Any, logger: Any) -> str:
    if not parser.num_errors:
        return _last_error(logger)
    error = parser.get_error(0)
    words = " ".join(str(error.desc()).split())
    return f"{words[:200]} (at {error.node_operator() or 'the graph'} {error.node_name()})"


def _last_error(logger: Any) -> str:
    return " ".join(str((logger.errors or ["it gives no reason"])[-1]).split())[:300]

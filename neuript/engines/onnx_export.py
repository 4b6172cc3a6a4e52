"""The network as an ONNX graph in float32, for engines that are not PyTorch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from neuript.engines.contract import EnginePrecision, RouterLogits
from neuript.engines.graph_names import ANSWER, ROUTERS, SIGNAL
from neuript.engines.half_products import halve_products
from neuript.engines.split import engine_part
from neuript.errors import EngineRefusedError
from neuript.extras import of_extra
from neuript.network.network import NeurIPTNetwork

OPSET = 20


def export_onnx(network: NeurIPTNetwork, *, routers: bool = False, precision: EnginePrecision = "float32") -> bytes:
    """Return the network as an ONNX model of opset 20: one window in, its logits out, or what `tail_of` finishes.

    Nothing of this computer is left in it, such as the paths of the program that made it.

    Parameters
    ----------
    network : NeurIPTNetwork
        The network, which is not changed.
    routers : bool
        True adds a second output, what the routers say (see `NetworkEngine.router_logits`).
    precision : {'float32', 'float16', 'bfloat16'}
        Kind of the numbers of the matrix products; all else is float32 (see `halve_products`).

    Raises
    ------
    NeuriptError
        If onnx and onnxscript are not installed, or the exporter fails.
    """
    for package in ("onnx", "onnxscript"):
        of_extra("onnx", package, "an ONNX graph")
    module = engine_part(copy.deepcopy(network).cpu()).eval()
    window = torch.zeros(1, network.n_chans, network.config.n_times)
    names = [ANSWER, ROUTERS] if routers else [ANSWER]
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if network.encoder.spatial_bias is not None:  # else a masked attention is exported with strides that it has not
            stack.enter_context(torch.nn.attention.sdpa_kernel([torch.nn.attention.SDPBackend.MATH]))
        try:
            program: Any = torch.onnx.export(
                RouterLogits(module).eval() if routers else module,
                (window,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[SIGNAL],
                output_names=names,
                verbose=False,
            )
        except Exception as error:  # of many kinds, pages long
            raise EngineRefusedError(
                f"the network cannot be written as an ONNX graph ({type(error).__name__})"
            ) from error
    model = program.model_proto
    if precision != "float32":
        halve_products(model, precision)
    return _without_traces(model)


def _without_traces(model: Any) -> bytes:
    """Take away what the exporter notes about the program: names of modules, and lines with their paths."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return bytes(model.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notices from users, who can do nothing about them."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(before)

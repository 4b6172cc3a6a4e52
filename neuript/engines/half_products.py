"""An ONNX graph whose matrix products are in half precision, and all else in float32: norms, softmax, routers, sums."""

from __future__ import annotations

from typing import Any

from neuript.engines.contract import EnginePrecision

PRODUCTS = ("MatMul", "Gemm")
_BIAS = ".router.bias"


def halve_products(model: Any, precision: EnginePrecision) -> None:
    """Cast what goes into the matrix products of a graph, and what comes out; in place.

    A router keeps float32: rounded, its logits would choose other experts.

    Parameters
    ----------
    model : onnx.ModelProto
        A graph of `export_onnx`, whose biases have the names of the network's parameters.
    precision : {'float16', 'bfloat16'}
        Kind of the numbers.
    """
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT16 if precision == "float16" else TensorProto.BFLOAT16
    graph, kept = model.graph, _of_routers(model.graph)
    cast: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        if node.op_type not in PRODUCTS or kept.intersection([*node.input, *node.output]):
            nodes.append(node)
            continue
        for name in node.input:
            if name not in cast:
                cast[name] = f"{name}_half"
                nodes.append(helper.make_node("Cast", [name], [cast[name]], to=kind))
        (output,) = node.output
        half = helper.make_node(node.op_type, [cast[name] for name in node.input], [f"{output}_product"])
        half.attribute.extend(node.attribute)
        nodes += [half, helper.make_node("Cast", [f"{output}_product"], [output], to=TensorProto.FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)


def _of_routers(graph: Any) -> set[str]:
    """Names of the products to which a router's bias is added."""
    return {name for node in graph.node if any(_BIAS in other for other in node.input) for name in node.input}

"""Build the module of a model file again from its manifest and weights, for engines that need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuript.errors import ModelRefusedError, NeuriptError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from neuript.modelfile.manifest import Manifest


def build_module(manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    """Return the model in `eval` mode with its weights, all of them and no others.

    `manifest.model["architecture"]` says what it is: `neuript` (the default; the other entries are
    a `NetworkConfig`), or `hybrid`, with `network` (a configuration or null) and `weights` (of the
    network and of the tangent branch).

    Raises
    ------
    ModelRefusedError
        If the architecture is unknown or the weights are not its.
    """
    from neuript.network.stack import PRIOR_PREFIX

    model = dict(manifest.model)
    architecture = model.pop("architecture", "neuript")
    builder = {"neuript": _network, "hybrid": _hybrid}.get(str(architecture))
    if builder is None:
        raise ModelRefusedError(
            f"the architecture {architecture!r} cannot be built again by this version of neuript; "
            "use the torchscript engine"
        )
    try:
        module = builder(model, manifest, state)
        module.load_state_dict({k: v for k, v in state.items() if not k.startswith(PRIOR_PREFIX)}, strict=True)
    except (NeuriptError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelRefusedError(
            f"the model cannot be built from its manifest: {str(error).splitlines()[0][:200]}"
        ) from error
    return module.eval()


def _network(model: Mapping[str, Any], manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    from neuript.network.config import NetworkConfig
    from neuript.network.network import NeurIPTNetwork

    montage = manifest.montage
    return NeurIPTNetwork(NetworkConfig.from_dict(model), montage["pos_m"], list(montage["lobes"].values()))


def _hybrid(model: Mapping[str, Any], manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    from neuript.network.stack import HybridClassifier, reference_of
    from neuript.network.tangent import TangentBranch

    network = _network(model["network"], manifest, state) if model.get("network") else None
    tangent, gate = (
        TangentBranch(state[f"{name}.weight"], state[f"{name}.bias"]) if f"{name}.weight" in state else None
        for name in ("tangent", "gate")
    )
    network_weight, tangent_weight = model["weights"]
    weights = float(network_weight), float(tangent_weight)
    return HybridClassifier(network, tangent, weights, state["bias"], reference_of(state), gate)

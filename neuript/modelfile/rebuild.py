"""Build the module of a model file from its manifest and weights: the one way from a file to something that computes.

What the manifest asks for is first built on PyTorch's `meta` device, where tensors have a shape and no memory, and
compared with the weights that are there; only then is it built for real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from neuript.errors import ModelRefusedError, NeuriptError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from neuript.modelfile.manifest import Manifest

MAX_CHANS = 1024
"""Channels of a network: what grows with their square stays small."""
MAX_LAYER_NUMBERS = 1 << 26
"""Numbers in one layer for one window, channels x samples x width: 256 MiB in float32."""
MAX_BIAS_NUMBERS = 1 << 28
"""Numbers in the bias of a spatial attention: one for each two channels at each time in each head."""
MAX_LOBES = 256
TENSORS_OF_A_BLOCK = 16
"""An encoder block has more tensors than this, so a file with fewer per block lies about its depth."""
_DRAWS = frozenset({"normal_", "uniform_"})


def build_module(manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    """Return the model in `eval` mode with its weights, all of them and no others.

    `manifest.model["architecture"]` says what it is: `neuript` (the default; the other entries are
    a `NetworkConfig`), or `hybrid`, with `network` (a configuration or null) and `weights` (of the
    network and of the tangent branch).

    Parameters
    ----------
    manifest : Manifest
        What the file says.
    state : mapping of str to Tensor
        Its weights, on the CPU; the module takes them as its own.

    Raises
    ------
    ModelRefusedError
        If the architecture is unknown, the weights are not its or not finite, or it asks for more memory than its
        weights account for.
    """
    from neuript.network.stack import PRIOR_PREFIX

    model = dict(manifest.model)
    architecture = model.pop("architecture", "neuript")
    builder = {"neuript": _network, "hybrid": _hybrid}.get(str(architecture))
    if builder is None:
        raise ModelRefusedError(f"the architecture {str(architecture)[:40]!r} is not known to this version of neuript")
    own = {name: tensor for name, tensor in state.items() if not name.startswith(PRIOR_PREFIX)}
    if bad := [name for name, t in own.items() if t.is_floating_point() and not bool(t.isfinite().all())]:
        raise ModelRefusedError(f"the weights {bad[0]!r} hold NaN or infinity; make the model again")
    try:
        return _built(builder, model, manifest, own).eval()
    except ModelRefusedError:
        raise
    except (NeuriptError, ValueError, TypeError, LookupError, RuntimeError, ArithmeticError, MemoryError) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise ModelRefusedError(f"the model cannot be built from its manifest: {reason[0][:200]}") from error


_Builder = Callable[[Mapping[str, Any], "Manifest", Mapping[str, "Tensor"]], "nn.Module"]


def _built(builder: _Builder, model: Mapping[str, Any], manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    with torch.device("meta"):
        _check_weights(builder(model, manifest, {k: v.to("meta") for k, v in state.items()}), state)
    with _NoDraws():
        module = builder(model, manifest, state)
    module.load_state_dict(dict(state), strict=True, assign=True)
    return module


class _NoDraws(TorchFunctionMode):
    """Leave new parameters undrawn: the weights of the file take their place."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _check_weights(empty: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and kinds of the weights with those of a module without memory."""
    wanted = {name: (tuple(t.shape), t.dtype) for name, t in empty.state_dict().items()}
    found = {name: (tuple(t.shape), t.dtype) for name, t in state.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            told, there = (" ".join(map(str, of[name])) if name in of else "nothing" for of in (wanted, found))
            raise ModelRefusedError(f"the weights {name!r} are {there}, and the manifest asks for {told}")


def _network(model: Mapping[str, Any], manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    from neuript.network.config import NetworkConfig
    from neuript.network.network import NeurIPTNetwork

    config = NetworkConfig.from_dict(model)
    lobes: Sequence[Sequence[int]] = list(dict(manifest.montage["lobes"]).values())
    n_chans, n_times = manifest.n_chans, max(config.n_times, manifest.n_times)
    _check_at_most(n_chans, MAX_CHANS, "channels")
    _check_at_most(len(lobes), MAX_LOBES, "lobes")
    _check_at_most(config.depth, len(state) // TENSORS_OF_A_BLOCK, "blocks, for its tensors of weights")
    _check_at_most(n_chans * n_times * config.d_model, MAX_LAYER_NUMBERS, "numbers in a layer")
    if config.spatial_bias:
        _check_at_most(n_chans**2 * n_times * config.n_heads, MAX_BIAS_NUMBERS, "numbers in a bias")
    return NeurIPTNetwork(config, manifest.montage["pos_m"], lobes)


def _check_at_most(number: int, most: int, what: str) -> None:
    if number > most:
        raise ModelRefusedError(f"the model asks for {number} {what}; at most {most} are taken")


def _hybrid(model: Mapping[str, Any], manifest: Manifest, state: Mapping[str, Tensor]) -> nn.Module:
    from neuript.network.stack import HybridClassifier, reference_of
    from neuript.network.tangent import TangentBranch

    _check_readout(manifest, state)
    network = _network(model["network"], manifest, state) if model.get("network") else None
    tangent, gate = (
        TangentBranch(state[f"{name}.weight"], state[f"{name}.bias"]) if f"{name}.weight" in state else None
        for name in ("tangent", "gate")
    )
    network_weight, tangent_weight = model["weights"]
    weights = float(network_weight), float(tangent_weight)
    return HybridClassifier(network, tangent, weights, state["bias"], reference_of(state), gate)


def _check_readout(manifest: Manifest, state: Mapping[str, Tensor]) -> None:
    """Compare what reads the tangent vectors with the classes and the vectors' length."""
    n_classes, n_tangent = len(manifest.classes), manifest.n_tangent
    for name, shape in {"tangent": (n_classes, n_tangent), "gate": (2, n_tangent)}.items():
        weight = state.get(f"{name}.weight")
        if weight is not None and tuple(weight.shape) != shape:
            raise ModelRefusedError(
                f"the weights '{name}.weight' are {tuple(weight.shape)}, and the manifest asks for {shape}"
            )

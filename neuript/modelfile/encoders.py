"""The pretrained encoder in a checkpoint, whichever kind of file it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError
from neuript.network.config import NetworkConfig
from neuript.network.stack import PRIOR_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from neuript.modelfile.manifest import Manifest

_PEOPLE = f"{PRIOR_PREFIX}network."
_ENCODER = "encoder."


def network_in(manifest: Manifest, state: Mapping[str, Tensor], name: str) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Return the network of a checkpoint: its configuration, and its weights under the network's own names.

    Parameters
    ----------
    manifest : Manifest
        What the file says.
    state : mapping of str to Tensor
        Its weights. Of a population of earlier people the encoder is taken: its head is theirs, and nobody else's.
    name : str
        Name of the file, for the sentence of a refusal.

    Raises
    ------
    NeuriptError
        If it holds no NeurIPT network.
    """
    said = dict(manifest.metrics.get("opinions", {}).get("network") or manifest.model)
    architecture = said.pop("architecture", "neuript")
    if "d_model" not in said:
        raise NeuriptError(
            f"{name} holds a model of architecture {architecture!r}; a NeurIPT network or encoder, or a population "
            "that has one, is needed"
        )
    peoples = {k.removeprefix(_PEOPLE): v for k, v in state.items() if k.startswith(_PEOPLE + _ENCODER)}
    return NetworkConfig.from_dict(said), peoples or dict(state)

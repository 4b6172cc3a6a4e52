"""A model file that has been checked: its parts, and the module that is built of them when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ModelRefusedError
from neuript.modelfile.container import Container, Golden, Part, pack

if TYPE_CHECKING:
    from torch import nn

    from neuript.network.config import NetworkConfig


class Deployable:
    """A model that has been checked, as numbers and as a module that computes with them.

    Parameters
    ----------
    container : Container
        The checked file.
    name : str
        What to call the file in messages.

    Attributes
    ----------
    manifest : Manifest
        Description of the model.
    sha256 : str
        Seal of the file.
    parts : dict of str to Part
        Bytes for engines, by name; see `neuript.modelfile.container.PART_NAMES`.
    """

    def __init__(self, container: Container, name: str) -> None:
        self.name = name
        self.manifest = container.manifest
        self.sha256 = container.sha256
        self.parts = container.parts
        self._container = container

    @cached_property
    def golden(self) -> Golden:
        """Windows and what the eager model said to them when the file was written."""
        from neuript.modelfile.torch_tensors import to_tensor

        arrays = {part: to_tensor(stored).numpy() for part, stored in self._container.vectors.items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ModelRefusedError(f"{self.name} has golden vectors with NaN or infinity")
        return Golden(**arrays)

    @cached_property
    def module(self) -> nn.Module:
        """The whole model in float32 on the CPU: from signal and tangent vectors to logits.

        Raises
        ------
        ModelRefusedError
            If manifest and weights do not belong together.
        """
        from neuript.modelfile.rebuild import build_module
        from neuript.modelfile.torch_tensors import to_state

        try:
            return build_module(self.manifest, to_state(self._container.weights))
        except ModelRefusedError as error:
            raise ModelRefusedError(f"{self.name}: {error}") from error

    @property
    def network(self) -> nn.Module | None:
        """The NeurIPT network in it, from signal to logits, in float32 on the CPU; None if it has none."""
        from neuript.modelfile.placement import network_of

        return network_of(self.module)

    @property
    def config(self) -> NetworkConfig | None:
        """Shape and switches of the network; None if it has none."""
        network = self.network
        return None if network is None else network.config  # type: ignore[return-value]

    @property
    def reference(self) -> dict[str, NDArray[np.float64]]:
        """Where the alignment begins, by field of `Reference`; empty where the file says nothing."""
        from neuript.network.stack import reference_of

        return {field: values.numpy() for field, values in reference_of(self.module.state_dict()).items()}

    def with_parts(self, parts: Mapping[str, Part]) -> bytes:
        """Return the bytes of a file with these parts beside or instead of its own."""
        held = self._container
        return pack(self.manifest, held.weights, held.vectors, {**self.parts, **parts})

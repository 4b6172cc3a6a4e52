"""What learning from people is asked for: one checked, JSON-safe object."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuript import specs
from neuript.network.config import NetworkConfig
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.training.fitting.encoder_readout import PATCHES, alignment_of_rhythms
from neuript.training.windows.dataset_spec import DatasetSpec

LEAST_PEOPLE = 3
"""With fewer nobody is left over to judge what two say of a third."""
UNLABELLED_RELEASE = 0.54
UNLABELLED_THRESHOLD = 0.68
"""Evidence at which a class is commanded before the person's own recordings can say: 0.3 false activations a minute on
the six people it was chosen on, 0.7 at most (docs/people.md)."""


@dataclass(frozen=True, kw_only=True)
class PopulationSpec(DatasetSpec):
    """How recordings of people become windows, and what is learnt from them.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    alignment: AlignmentSpec | None = field(default_factory=alignment_of_rhythms)
    """How windows are recentred."""
    network: bool = True
    """Whether a network is trained; without one there is the Riemannian branch alone."""
    seed: int = 520
    """Seed of the network's weights and batches."""
    table: bool = True
    """Whether everybody is left out in turn, to say how good a new person's decoder would be."""

    def __post_init__(self) -> None:
        """Check everything that can be checked without the recordings."""
        super().__post_init__()
        specs.require(self.alignment is not None, self, "alignment", "given: people are seen each from their own mean")
        specs.require(0 <= self.seed < 2**63, self, "seed", "a whole number from 0 to 2**63 - 1")

    def network_config(self, n_classes: int) -> NetworkConfig | None:
        """Return the shape of the network: one block on patches of 1/4 s, read out by second-order pooling."""
        if not self.network:
            return None
        n_times = round(self.window_s * self.sfreq)
        return NetworkConfig(n_outputs=n_classes, n_times=n_times, **PATCHES)

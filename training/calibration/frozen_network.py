"""The network of a calibration without a population: an encoder as it is, and what it makes of the person's windows.

The encoder is not trained on the person: a few dozen trials move its weights by noise alone (docs/method.md has the
figures), while a read-out of its features is fitted in no time and held by a penalty. What is the person's own in the
network is this read-out, as with a population.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuript.modelfile.checkpoint import load_checkpoint
from neuript.modelfile.encoders import network_in
from neuript.modelfile.manifest import Manifest
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.calibration.calibration_spec import encoder_file
from neuript.training.fitting.build import build_network
from neuript.training.fitting.encoder_readout import alignment_for, read_by_covariance
from neuript.training.fitting.forward import pooled_features
from neuript.training.fitting.heads import readout_as_head
from neuript.training.fitting.tangent_readout import F64, Readout
from neuript.training.windows.dataset import Dataset


@dataclass(frozen=True)
class EncoderFile:
    """A pretrained encoder, read but not built yet.

    Attributes
    ----------
    manifest : Manifest
        What its file says.
    state : dict of str to Tensor
        Its weights.
    """

    manifest: Manifest
    state: dict[str, Tensor]

    @classmethod
    def load(cls, network: str) -> EncoderFile | None:
        """Read the encoder of `CalibrationSpec.network`; None for "none".

        Raises
        ------
        NeuriptError
            Where there is no such checkpoint, or it is damaged.
        """
        path = encoder_file(network)
        if path is None:
            return None
        manifest, state = load_checkpoint(path)
        return cls(manifest, dict(state))

    def has_seen(self, paths: Sequence[Path]) -> bool:
        """Whether a recording is among those that it was trained on, by the hash of the file."""
        said = self.manifest.provenance
        known = {str(h) for h in (*said.get("file_hashes", ()), *(said.get("corpus") or {}).get("file_hashes", ()))}
        digits = min((len(digest) for digest in known), default=64)
        return any(recording_sha256(path)[:digits] in {h[:digits] for h in known} for path in paths if path.is_file())

    def alignment(self) -> AlignmentSpec:
        """Return how windows are to be recentred for it: as in its training, or broadband where it saw no alignment."""
        return alignment_for(self.manifest)


def build_frozen(encoder: EncoderFile, data: Dataset) -> FrozenNetwork:
    """Build an encoder for the channels of a data set, with a read-out of second order.

    Raises
    ------
    NeuriptError
        If the weights are not an encoder of this version.
    """
    config, state = network_in(encoder.manifest, encoder.state, "the encoder")
    config = read_by_covariance(config, len(data.classes), data.x.shape[-1])
    network = build_network(config, data.montage, seed=0, encoder=state)
    return FrozenNetwork(network.eval(), simulated=encoder.manifest.simulated)


class FrozenNetwork:
    """An encoder that is not trained, and its features of a person's windows.

    Parameters
    ----------
    network : NeurIPTNetwork
        In eval mode, with a linear head, which is not used.
    simulated : bool
        Whether its weights come from simulated people.
    """

    def __init__(self, network: NeurIPTNetwork, *, simulated: bool = False) -> None:
        self.network, self.simulated = network, simulated

    def features_of(self, signals: NDArray[np.float32]) -> F64:
        """Return the features of windows, (n_windows, n_chans, n_times)."""
        return pooled_features(self.network, signals).double().numpy()

    def with_readout(self, readout: Readout) -> NeurIPTNetwork:
        """Return the network with a read-out of its features as its head."""
        return readout_as_head(self.network, readout, 1.0)

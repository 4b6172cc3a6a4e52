"""What a live session has found, said before it decodes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.chain.chunk import SignalInfo

logger = logging.getLogger(__name__)


def announce(info: SignalInfo, manifest: Manifest) -> None:
    """Say which stream is decoded, and by which model."""
    simulated = " (SIMULATED)" if info.simulated else ""
    logger.info(
        "stream '%s'%s: %d channels at %g Hz from %s",
        info.name,
        simulated,
        len(info.ch_names),
        info.sfreq,
        info.hostname or "a file",
    )
    logger.info(
        "model: %s, classes %s, window %g s%s",
        manifest.task,
        ", ".join(manifest.classes),
        manifest.window_s,
        " (trained on simulated data)" if manifest.simulated else "",
    )
    if not manifest.calibrated:
        logger.info(
            "not calibrated on this person: decoding by what %d earlier people say, after half a minute of signal",
            len(manifest.provenance.get("people", ())),
        )

"""The bounds that several rooms keep: what neuript decodes, and what it believes of a file or a stream."""

from __future__ import annotations

SFREQ_MIN, SFREQ_MAX = 100.0, 20_000.0
"""Rates of signals that are decoded, in Hz."""
SFREQ_TOLERANCE = 0.01
"""So far off these a rate may be: some devices state what they measured (99.8 Hz), not what they were set to."""
MAX_CHANNELS = 4096
"""Channels that a stream or a model may have; a file that says more is damaged, or an attack on the memory."""


def can_decode(sfreq: float) -> bool:
    """Say whether signals of this rate (Hz) are decoded; not those without one (0, NaN)."""
    return SFREQ_MIN * (1 - SFREQ_TOLERANCE) <= sfreq <= SFREQ_MAX * (1 + SFREQ_TOLERANCE)

"""The EEG inlet: one LSL stream as a `Source`, with its own staleness timer and recovery.

liblsl's own recovery is silent (`pull` just returns nothing, then samples of whatever came back), so
it is switched off here: a broken connection is LOST at once, the stream is looked up again in the
background, and who may go on in its place is decided in `candidates`.
"""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from neuript.errors import StreamLostError, StreamNotFoundError
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.lsl.candidates import Candidates, Follow
from neuript.realtime.lsl.library import LostError, lsl_clock, pylsl
from neuript.realtime.recordings.declared_rate import with_rate
from neuript.realtime.recordings.given_channels import with_channels
from neuript.realtime.recordings.header import signal_info

logger = logging.getLogger(__name__)

_OPEN_TIMEOUT_S = 5.0
_BUFFER_S = 30
_STALE_PERIODS = 4.0
_STALE_MIN_S, _STALE_MAX_S, _STALE_FIRST_S = 0.25, 3.0, 2.0
_PERIOD_DECAY = 0.98
_CORRECTION_EVERY_S = 1.0


class LslSource:
    """One EEG stream.

    Parameters
    ----------
    resolved : pylsl.StreamInfo
        The stream, as `discovery.find_stream` returns it.
    lost_after_s : float
        Seconds of silence after which a stream that is still connected counts as lost.
    give_up_s : float
        Seconds for which a lost stream is waited for; then `pull` raises StreamLostError.
    channels : sequence of str, optional
        Names of the channels in order, `-` for one to leave out; None takes what the stream says.
    sfreq : float, optional
        Rate in Hz, where the stream declares a wrong one; None takes what it says.
    follow : str
        Who is taken in place of a stream that was lost; see `candidates.Follow`.
    clock : callable
        The LSL clock, in seconds.
    """

    def __init__(
        self,
        resolved: pylsl.StreamInfo,
        *,
        lost_after_s: float = 5.0,
        give_up_s: float = 30.0,
        channels: Sequence[str] | None = None,
        sfreq: float | None = None,
        follow: Follow = "restarts",
        clock: Callable[[], float] = lsl_clock,
    ) -> None:
        self._inlet: pylsl.StreamInlet | None = _inlet(resolved)
        self._channels, self._sfreq = channels, sfreq
        self._sent = _read_info(self._inlet)
        self._info = self._named(self._sent)
        self._clock = clock
        self._lost_after_s = min(lost_after_s, give_up_s)
        self._give_up_s = give_up_s
        self._candidates: Candidates | None = None
        self._follow: Follow = follow
        self._status = SourceStatus.OK
        self._last_arrival = math.nan
        self._period_s = math.nan
        self._correction_s = 0.0
        self._corrected_at = -math.inf
        self._opened_at = math.nan
        self._drop_old = True
        self.n_recoveries = 0

    @property
    def info(self) -> SignalInfo:
        """What the stream says about itself, with the names that were given."""
        return self._info

    def start(self) -> None:
        """Subscribe; samples from now on are delivered.

        Raises
        ------
        StreamNotFoundError
            If the data connection does not open within 5 s.
        """
        inlet = self._connected()
        try:
            inlet.open_stream(timeout=_OPEN_TIMEOUT_S)
        except RuntimeError as error:
            raise StreamNotFoundError(
                f"the stream '{self._info.name}' is announced but its data connection does not "
                f"open within {_OPEN_TIMEOUT_S:g} s; a firewall or VPN may block it"
            ) from error
        self._opened_at = self._last_arrival = self._clock()
        self._update_correction(timeout_s=_OPEN_TIMEOUT_S)

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return all samples that wait, blocking until `n_min` are there or `timeout_s` is over."""
        if self._inlet is None:
            return self._look_again(timeout_s)
        if self._drop_old:
            self._drop_what_waited()
        try:
            data, stamps, pulled_at = self._drain(self._inlet, n_min, timeout_s)
        except LostError:
            logger.warning("the stream '%s' is gone; looking for it", self._info.name)
            self._inlet = None
            self._status = SourceStatus.LOST
            self._search(lost=True)
            return self._empty(SourceStatus.LOST)
        if len(stamps) == 0:
            return self._quiet()
        return self._arrived(data, stamps, pulled_at)

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        inlet, self._inlet, self._candidates = self._inlet, None, None
        if inlet is not None:
            inlet.close_stream()

    # -- arrival ---------------------------------------------------------------------------------

    def _drain(
        self, inlet: pylsl.StreamInlet, n_min: int, timeout_s: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
        """Wait for the first samples, note the time, take the rest without waiting."""
        capacity = max(n_min, math.ceil(self._info.sfreq * 0.5))
        data, stamps = inlet.pull_chunk(timeout=timeout_s, max_samples=n_min, as_numpy=True)
        pulled_at = self._clock()
        parts = [(data, stamps)]
        while len(parts[-1][1]) and len(parts) < 2 + 2 * _BUFFER_S:
            more = inlet.pull_chunk(timeout=0.0, max_samples=capacity, as_numpy=True)
            parts.append(more)
            if len(more[1]) < capacity:
                break
        values = np.concatenate([np.asarray(d, dtype=np.float32) for d, _ in parts])
        return values, np.concatenate([s for _, s in parts]), pulled_at

    def _arrived(self, data: NDArray[np.float32], stamps: NDArray[np.float64], pulled_at: float) -> Chunk:
        interval = pulled_at - self._last_arrival
        recovered = self._status is not SourceStatus.OK
        if recovered:
            self.n_recoveries += 1
            logger.info("the stream '%s' is back after %.1f s", self._info.name, interval)
            self._candidates = None
        elif not interval <= self._period_s:
            self._period_s = interval
        self._period_s = max(interval, self._period_s * _PERIOD_DECAY) if not recovered else math.nan
        self._last_arrival = pulled_at
        self._status = SourceStatus.OK
        self._update_correction(timeout_s=0.01)
        status = SourceStatus.RECOVERED if recovered else SourceStatus.OK
        return Chunk(data, stamps + self._correction_s, status, pulled_at)

    def _drop_what_waited(self) -> None:
        """Forget what queued up if much time passed between `start` and the first pull."""
        self._drop_old = False
        if self._clock() - self._opened_at > 0.5:
            dropped = self._connected().flush()
            logger.debug("dropped %d samples that waited since the connection", dropped)

    def _update_correction(self, timeout_s: float) -> None:
        if self._info.hostname == socket.gethostname():
            return
        now = self._clock()
        if now - self._corrected_at < _CORRECTION_EVERY_S:
            return
        self._corrected_at = now
        try:
            self._correction_s = self._connected().time_correction(timeout=timeout_s)
        except RuntimeError:
            if self._correction_s == 0.0:
                logger.warning(
                    "the clock offset to %s could not be measured; its stamps are taken as they are",
                    self._info.hostname,
                )

    # -- silence, loss, recovery -----------------------------------------------------------------

    @property
    def stale_after_s(self) -> float:
        """Silence after which the stream counts as stale: a few of its chunk periods."""
        if math.isnan(self._period_s):
            return _STALE_FIRST_S
        return min(max(_STALE_PERIODS * self._period_s, _STALE_MIN_S), _STALE_MAX_S)

    def _quiet(self) -> Chunk:
        silence = self._clock() - self._last_arrival
        if silence <= self.stale_after_s and self._status is SourceStatus.OK:
            return self._empty(SourceStatus.OK)
        status = SourceStatus.LOST if silence > self._lost_after_s else SourceStatus.STALE
        if status is not self._status:
            logger.warning("nothing from '%s' for %.2f s: %s", self._info.name, silence, status.lower())
            self._status = status
        self._give_up(silence)
        self._search(lost=False)  # its sender may have restarted without closing the old connection
        self._take_over()
        return self._empty(status)

    def _look_again(self, timeout_s: float) -> Chunk:
        """Wait `timeout_s` for the lost stream, without an inlet."""
        self._status = SourceStatus.LOST
        self._give_up(self._clock() - self._last_arrival)
        if not self._take_over():
            _wait(timeout_s)
        return self._empty(SourceStatus.LOST)

    def _search(self, *, lost: bool) -> None:
        if self._candidates is None:
            self._candidates = Candidates(self._sent, _opened, self._follow, lost=lost)
        self._candidates.lost = lost

    def _give_up(self, silence: float) -> None:
        if silence > self._give_up_s:
            why_not = self._candidates.why_not if self._candidates is not None else ""
            other = f"; what came back was different ({why_not}), and decoding it with the old settings would be wrong"
            raise StreamLostError(
                f"the stream '{self._info.name}' was lost and did not come back within "
                f"{self._give_up_s:g} s{other if why_not else ''}; check the amplifier and start again"
            )

    def _take_over(self) -> bool:
        """Go on with the stream itself or with who may be it, once it has answered; True when connected."""
        taken = self._candidates.taken() if self._candidates is not None else None
        if taken is None:
            return False
        before, (self._inlet, self._sent) = self._inlet, taken
        self._info = self._named(self._sent)
        if before is not None:
            before.close_stream()
        return True

    def _named(self, info: SignalInfo) -> SignalInfo:
        """What the stream says, with what a person knows better."""
        return with_rate(with_channels(info, self._channels), self._sfreq)

    def _connected(self) -> pylsl.StreamInlet:
        if self._inlet is None:
            raise StreamLostError(f"the stream '{self._info.name}' is closed")
        return self._inlet

    def _empty(self, status: SourceStatus) -> Chunk:
        n_chans = len(self._info.ch_names)
        nothing = np.empty((0, n_chans), np.float32)
        return Chunk(nothing, np.empty(0, np.float64), status, self._clock())


def _inlet(resolved: pylsl.StreamInfo) -> pylsl.StreamInlet:
    return pylsl.StreamInlet(resolved, max_buflen=_BUFFER_S, max_chunklen=0, recover=False)


def _read_info(inlet: pylsl.StreamInlet) -> SignalInfo:
    try:
        xml = inlet.info(timeout=_OPEN_TIMEOUT_S).as_xml()
    except RuntimeError as error:
        raise StreamNotFoundError(
            "a matching stream is announced but does not answer within "
            f"{_OPEN_TIMEOUT_S:g} s; its sender may have just ended, or a firewall blocks it"
        ) from error
    return signal_info(xml)


def _opened(resolved: pylsl.StreamInfo) -> tuple[pylsl.StreamInlet, SignalInfo]:
    """Connect to an announced stream; may take seconds."""
    inlet = _inlet(resolved)
    info = _read_info(inlet)
    inlet.open_stream(timeout=_OPEN_TIMEOUT_S)
    return inlet, info


def _wait(seconds: float) -> None:
    """Idle while there is no connection to wait on."""
    time.sleep(min(seconds, 0.1))

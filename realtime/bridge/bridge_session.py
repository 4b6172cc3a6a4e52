"""`neuript bridge`: from a decoder's streams to OSC, WebSocket and keys, until somebody interrupts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.realtime.bridge.endpoint import Endpoint, read_endpoint
from neuript.realtime.bridge.key_map import MOST_HOLD_S, check_classes, read_keys
from neuript.realtime.bridge.keys_output import KeysOutput
from neuript.realtime.bridge.osc_output import OscOutput
from neuript.realtime.bridge.relay import Output, Relay
from neuript.realtime.bridge.web_socket_output import WebSocketOutput
from neuript.realtime.decoding.dead_man import MAX_AGE_S, DeadMan
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.lsl.decision_follower import DecisionFollower, find_decoder
from neuript.realtime.lsl.library import lsl_clock

logger = logging.getLogger(__name__)

PERIOD_S = 0.01


class _TimeOverError(Exception):
    """The time is over, and no decoder has come."""


@dataclass(frozen=True, kw_only=True)
class BridgeOptions:
    """What is passed on, and where to."""

    osc: str | None = None
    """PORT or HOST:PORT that OSC is sent to."""
    websocket: str | None = None
    """PORT or HOST:PORT where web pages connect."""
    origins: tuple[str, ...] = ()
    """Web sites whose pages may connect."""
    keys: str | None = None
    """CLASS=KEY,..."""
    hold_s: float = 0.0
    """Seconds for which a key is held at most while its command lasts; 0 taps it."""
    max_per_minute: int = 60
    """Commands passed on in any minute."""
    max_age_s: float = MAX_AGE_S
    """Age of a row, and length of a silence, after which everything stops."""
    source_id: str | None = None
    """Source id of the decoder's stream of rows; None takes the only one."""
    duration_s: float | None = None
    """Seconds until the end; None ends with Ctrl-C."""

    def __post_init__(self) -> None:
        """Check that there is something to do, and the numbers."""
        if not (self.osc or self.websocket or self.keys):
            raise NeuriptError(
                "nothing is passed on: choose where to, with --osc HOST:PORT, --websocket, or --keys CLASS=KEY,..."
            )
        if self.hold_s and not self.keys:
            raise NeuriptError("--hold is for --keys; leave it out or say which keys")
        if self.origins and not self.websocket:
            raise NeuriptError("--origin is for --websocket; leave it out or give both")
        if not 0 <= self.hold_s <= MOST_HOLD_S:
            raise NeuriptError(f"--hold {self.hold_s:g} must be from 0 (tap) to {MOST_HOLD_S:g} seconds")
        if not 1 <= self.max_per_minute <= 600:
            raise NeuriptError(f"--max-per-minute {self.max_per_minute} must be from 1 to 600")
        if not 0.2 <= self.max_age_s <= 10:
            raise NeuriptError(f"--max-age {self.max_age_s:g} must be from 0.2 to 10 seconds")
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise NeuriptError(f"--duration {self.duration_s:g} must be a positive number of seconds")


def run_bridge(options: BridgeOptions, show: Callable[[str], None]) -> bool:
    """Pass commands on; whatever ends it, every output is told to stop last.

    Parameters
    ----------
    options : BridgeOptions
        What is passed on, and where to.
    show : callable
        Takes the address for web pages, which holds the token.

    Returns
    -------
    bool
        Whether it was interrupted; False where the time was over.

    Raises
    ------
    NeuriptError
        If an output cannot be opened, there are several decoders, or this one does not command a class of the keys.
    """
    keys = read_keys(options.keys) if options.keys else {}
    dead_man = DeadMan(options.max_age_s)
    with Interrupt() as stop, ExitStack() as stack:
        outputs = _open_outputs(options, keys, show, stack)
        relay = Relay(outputs, dead_man, max_per_minute=options.max_per_minute)
        stack.callback(lambda: relay.close(lsl_clock()))
        logger.info("waiting for a decoder (Ctrl-C ends)")

        def take_header(header: DecoderHeader) -> None:
            check_classes(keys, header.classes, header.idle_class)
            relay.connect(header)
            logger.info("follows %s: %s", header.task, ", ".join(header.classes))

        end = math.inf if options.duration_s is None else time.monotonic() + options.duration_s

        def wait() -> None:
            stop.check()
            if time.monotonic() >= end:
                raise _TimeOverError
            relay.tick(lsl_clock())

        try:
            source_id = find_decoder(options.source_id, wait)
        except _TimeOverError:
            logger.info("no decoder came in %g s", options.duration_s or 0.0)
            return False
        follower = DecisionFollower(
            source_id,
            dead_man,
            on_decision=lambda decision: relay.publish(decision, lsl_clock()),
            on_header=take_header,
        )
        stack.callback(follower.close)
        _follow(follower, relay, stop, end)
    logger.info("%d commands passed on, %d withheld; everything was told to stop", relay.n_commands, relay.n_withheld)
    return stop.requested


def _follow(follower: DecisionFollower, relay: Relay, stop: Interrupt, end: float) -> None:
    while not stop.requested and time.monotonic() < end:
        now = lsl_clock()
        follower.step(now)
        relay.tick(lsl_clock())
        time.sleep(PERIOD_S)


def _open_outputs(
    options: BridgeOptions, keys: dict[str, str], show: Callable[[str], None], stack: ExitStack
) -> list[Output]:
    """Open what is asked for; each is closed with the stack, also if a later one cannot be opened."""
    outputs: list[Output] = []
    if options.osc:
        endpoint = read_endpoint(options.osc, "--osc")
        osc = OscOutput(endpoint)
        stack.callback(osc.close)
        logger.info("OSC to %s%s", endpoint, _exposure(endpoint, "is not encrypted"))
        outputs.append(osc)
    if options.websocket:
        endpoint = read_endpoint(options.websocket, "--websocket")
        web = WebSocketOutput(endpoint, options.origins)
        stack.callback(web.close)
        web.open()
        who = _exposure(endpoint, "is not encrypted, nor is the token")
        logger.info("web pages connect to the address below%s", who)
        show(web.url)
        outputs.append(web)
    if keys:
        pressed = KeysOutput(keys, options.hold_s)
        stack.callback(pressed.close)
        pressed.open()
        how = f"held for at most {options.hold_s:g} s" if options.hold_s else "tapped"
        listed = ", ".join(f"{key} for {name}" for name, key in keys.items())
        logger.info("keys go to the window that has the focus, %s: %s", how, listed)
        outputs.append(pressed)
    return outputs


def _exposure(endpoint: Endpoint, how: str) -> str:
    """What follows the address in a sentence: who can be reached there."""
    return " (this computer alone)" if endpoint.is_local else f" (the network; what goes there {how})"

"""Commands as OSC over UDP, for music and media programs, Unity, TouchDesigner and the like.

Addresses and their arguments are listed in docs/applications.md.
"""

from __future__ import annotations

import logging
import re

from neuript.realtime.bridge.endpoint import Endpoint
from neuript.realtime.bridge.extra import of_the_extra
from neuript.realtime.bridge.relay import BridgeStatus
from neuript.realtime.decoding.decision import Decision

logger = logging.getLogger(__name__)

NO_COMMAND = "none"
"""Argument of /neuript/decision where nothing is commanded."""
_NOT_IN_ADDRESSES = re.compile(r"[\s#*,/?\[\]{}]|[^\x20-\x7e]")


def address_of(kind: str, name: str) -> str:
    """Return the OSC address of a number of a class; what OSC does not allow becomes an underscore."""
    return f"/neuript/{kind}/{_NOT_IN_ADDRESSES.sub('_', name)}"


class OscOutput:
    """Sends to one address.

    Parameters
    ----------
    endpoint : Endpoint
        Where to.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._bundles = of_the_extra("pythonosc.osc_bundle_builder", "--osc")
        self._messages = of_the_extra("pythonosc.osc_message_builder", "--osc")
        self._client = of_the_extra("pythonosc.udp_client", "--osc").UDPClient(endpoint.host, endpoint.port)
        self._endpoint = endpoint
        self._said: str | None = None
        self._failing = False

    def publish(self, decision: Decision) -> None:
        """Send a row as one bundle."""
        messages: list[tuple[str, tuple[str | float, ...]]] = []
        for kind, numbers in (("proba", decision.proba), ("evidence", decision.evidence)):
            messages += [(address_of(kind, name), (value,)) for name, value in (numbers or {}).items()]
        held = decision.decision or NO_COMMAND
        messages.append(("/neuript/held", (held,)))
        if held != self._said or decision.committed:
            messages.append(("/neuript/decision", (held, decision.confidence)))
            self._said = held
        self._send(messages)

    def tell(self, status: BridgeStatus) -> None:
        """Send the state; where it says stop, that, and that nothing is commanded."""
        messages: list[tuple[str, tuple[str | float, ...]]] = [("/neuript/state", (status.state,))]
        if status.stop:
            messages += [("/neuript/held", (NO_COMMAND,)), ("/neuript/stop", (status.state,))]
            if self._said != NO_COMMAND:
                messages.append(("/neuript/decision", (NO_COMMAND, 0.0)))
                self._said = NO_COMMAND
        self._send(messages)

    def close(self) -> None:
        """Close the socket."""
        self._client.close()

    def _send(self, messages: list[tuple[str, tuple[str | float, ...]]]) -> None:
        bundle = self._bundles.OscBundleBuilder(self._bundles.IMMEDIATELY)
        for address, arguments in messages:
            message = self._messages.OscMessageBuilder(address=address)
            for argument in arguments:
                message.add_arg(argument)
            bundle.add_content(message.build())
        try:
            self._client.send(bundle.build())
        except OSError as error:  # UDP promises nothing; the next row may get through
            if not self._failing:
                logger.warning("nothing can be sent to %s: %s", self._endpoint, error.strerror or error)
            self._failing = True
        else:
            self._failing = False

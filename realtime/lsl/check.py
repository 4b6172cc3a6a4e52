"""Can LSL work on this computer: the library, the loopback, and a stream sent to ourselves."""

from __future__ import annotations

import socket
import struct
import time
import uuid
from dataclasses import dataclass

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.header import parse_xml

_OFF = ("", "0", "false", "no", "disabled")
MULTICAST_GROUP = "239.255.172.215"
"""Where liblsl asks for streams by default (site scope), UDP port 16571."""


@dataclass(frozen=True)
class Loopback:
    """A stream of our own, made, found and read on this computer."""

    found: bool
    received: bool
    found_after_s: float


def library() -> tuple[str, str]:
    """Return liblsl's version, such as 1.16, and what it says of its build."""
    version = pylsl.library_version()
    return f"{version // 100}.{version % 100:02d}", str(pylsl.library_info())


def loopback(timeout_s: float = 5.0) -> Loopback:
    """Publish a small stream, find it by its id as any program would, and read one sample."""
    source_id = f"neuript-doctor-{uuid.uuid4()}"
    info = pylsl.StreamInfo("neuript-doctor", "Test", 1, 0, pylsl.cf_float32, source_id)
    outlet = pylsl.StreamOutlet(info)
    start = time.monotonic()
    found = pylsl.resolve_byprop("source_id", source_id, 1, timeout_s)
    found_after_s = time.monotonic() - start
    if not found:
        return Loopback(found=False, received=False, found_after_s=found_after_s)
    inlet = pylsl.StreamInlet(found[0], recover=False)
    try:
        inlet.open_stream(timeout_s)
        outlet.wait_for_consumers(timeout_s)
        outlet.push_sample(np.array([42.0], np.float32))
        sample, _ = inlet.pull_sample(timeout_s)
    except (TimeoutError, RuntimeError):
        sample = None
    finally:
        inlet.close_stream()
    return Loopback(found=True, received=sample == [42.0], found_after_s=found_after_s)


def multicast_works(timeout_s: float = 2.0) -> str | None:
    """Send a datagram to LSL's group and read it back; return why that fails, or None."""
    token = uuid.uuid4().bytes
    membership = struct.pack("4sl", socket.inet_aton(MULTICAST_GROUP), socket.INADDR_ANY)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("", 0))
            receiver.settimeout(timeout_s)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
                sender.sendto(token, (MULTICAST_GROUP, receiver.getsockname()[1]))
            while receiver.recv(64) != token:
                pass
    except TimeoutError:
        return "a multicast datagram to this computer does not come back"
    except OSError as error:
        return f"multicast is not available ({error.strerror or error})"
    return None


def loopback_works(timeout_s: float = 1.0) -> str | None:
    """Send a datagram to this computer's own address 127.0.0.1; return why that fails, or None."""
    token = uuid.uuid4().bytes
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(timeout_s)
            receiver.sendto(token, receiver.getsockname())
            while receiver.recv(64) != token:
                pass
    except TimeoutError:
        return "a datagram to 127.0.0.1 does not come back"
    except OSError as error:
        return f"127.0.0.1 cannot be reached ({error.strerror or error})"
    return None


def is_secure_library() -> bool:
    """Say whether the LSL library is secureLSL, which encrypts where it has a key."""
    asked = getattr(pylsl.lib.lib, "lsl_is_secure_build", None)
    try:
        return bool(asked()) if asked is not None else "secure" in str(pylsl.library_info()).lower()
    except OSError:
        return False


def secure_streams(wait_s: float) -> list[str]:
    """Return the names of visible streams that announce themselves with secureLSL's key or switch."""
    return [info.name() for info in pylsl.resolve_streams(wait_s) if _announces_security(info.as_xml())]


def _announces_security(xml: str) -> bool:
    """Look for an element of secureLSL in a short header; a switch that is off does not count."""
    try:
        root = parse_xml(xml)
    except NeuriptError:
        return False
    told = [element for element in root if element.tag.lower().startswith("security")]
    return any(len(element) or (element.text or "").strip().lower() not in _OFF for element in told)

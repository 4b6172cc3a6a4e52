"""Can LSL work on this computer: the library, its settings, and a stream sent to ourselves."""

from __future__ import annotations

import configparser
import re
import socket
import struct
import time
import uuid
from dataclasses import dataclass

import numpy as np

from neuript.realtime.lsl.library import pylsl, user_config

MULTICAST_GROUP = "239.255.172.215"
"""Where liblsl asks for streams by default (site scope), UDP port 16571."""


@dataclass(frozen=True)
class Loopback:
    """A stream of our own, made, found and read on this computer."""

    found: bool
    received: bool
    found_after_s: float


@dataclass(frozen=True)
class Settings:
    """What the user's `lsl_api.cfg` says that decides which streams can be seen."""

    session_id: str = "default"
    resolve_scope: str = "site"
    known_peers: str = ""


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


def settings(text: str | None = None) -> Settings:
    """Read the user's liblsl settings; what cannot be read is left at its default."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(user_config() if text is None else text)
    except configparser.Error:
        return Settings()

    def get(section: str, option: str, default: str) -> str:
        value = parser.get(section, option, fallback=default) or default
        return value.strip().strip('"')

    return Settings(
        session_id=get("lab", "SessionID", "default"),
        resolve_scope=get("multicast", "ResolveScope", "site"),
        known_peers=re.sub(r"[{}\s]", "", get("lab", "KnownPeers", "")),
    )

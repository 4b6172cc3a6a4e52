"""Where something is sent to or listened at: HOST:PORT, on this computer alone unless a host is named."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from neuript.errors import NeuriptError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of the network."""

    host: str
    """As a number, so that no name is looked up while commands wait."""
    port: int

    @property
    def is_local(self) -> bool:
        """Whether it is on this computer alone."""
        return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_endpoint(text: str, option: str) -> Endpoint:
    """Read PORT or HOST:PORT ([HOST]:PORT where the host has colons).

    Raises
    ------
    NeuriptError
        If the port is none, or nobody knows the host.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) or (colon and not host):
        raise NeuriptError(
            f"{option} {text!r} must be PORT or HOST:PORT with a port from 1 to 65535, such as 9000 (this computer) or "
            "192.168.1.20:9000"
        )
    if not host:
        return Endpoint(LOOPBACK, int(port))
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise NeuriptError(f"{option} {text!r}: nobody knows the host {host!r} ({error}); give its number") from error
    best = min(found, key=lambda info: info[0] != socket.AF_INET)  # `localhost` is 127.0.0.1 first
    return Endpoint(str(best[4][0]), int(port))

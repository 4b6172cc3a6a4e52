"""The `lsl_api.cfg` that liblsl would take, read as liblsl reads it, and what is wrong with it.

liblsl says nothing of a file that it cannot parse: it goes on with its defaults, and streams are missing without a
reason. What it takes: `[section]`, `key = value`, empty lines, and comments that begin with `;`.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass, field
from pathlib import Path

from neuript.foreign import one_line

MAX_CONFIG_BYTES = 1 << 20
KNOWN_KEYS = {
    "ports": ("MulticastPort", "BasePort", "PortRange", "AllowRandomPorts", "IPv6"),
    "multicast": (
        *("ResolveScope", "ListenAddress", "AddressesOverride", "TTLOverride", "MachineAddresses", "LinkAddresses"),
        *("SiteAddresses", "OrganizationAddresses", "GlobalAddresses", "Interfaces"),
    ),
    "lab": ("KnownPeers", "SessionID"),
    "log": ("level", "file"),
}
"""Settings of liblsl, which minds upper and lower case."""
_MOST_PEERS = 32
_RESOLVE_S = 3.0


@dataclass(frozen=True)
class LslConfig:
    """What one settings file says."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    """Section to key to value; nothing of a file that liblsl cannot parse."""
    fault: str = ""
    """Why liblsl takes nothing of the file; empty where it does."""

    def get(self, section: str, key: str, default: str) -> str:
        """Return a value, or what liblsl takes without it."""
        return self.values.get(section, {}).get(key, "").strip().strip('"') or default


def config_places() -> tuple[str, ...]:
    """Return where liblsl looks, the first that is there being taken."""
    places = (
        os.environ.get("LSLAPICFG", ""),
        "lsl_api.cfg",
        str(Path("~/lsl_api/lsl_api.cfg").expanduser()),
        "/etc/lsl_api/lsl_api.cfg",
    )
    return tuple(filter(None, places))


def config_file() -> tuple[Path | None, str]:
    """Return the file that liblsl takes, and what is wrong with finding one.

    Returns
    -------
    path : Path or None
        The first file that can be read; None where liblsl goes on with its defaults.
    fault : str
        A sentence where a file was meant and is not taken; else empty.
    """
    meant = os.environ.get("LSLAPICFG", "")
    fault = ""
    for name in config_places():
        try:
            with Path(name).open("rb") as file:
                file.read(1)
        except OSError as error:
            if name == meant or not isinstance(error, FileNotFoundError | NotADirectoryError):
                said = "LSLAPICFG names " if name == meant else ""
                fault = fault or f"{said}{one_line(name)}, which cannot be read ({error.strerror or error})"
            continue
        return Path(name), fault
    return None, fault


def config_text() -> str:
    """Return the text of the file that liblsl takes, or an empty text."""
    path, _ = config_file()
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(MAX_CONFIG_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def parse_config(text: str) -> LslConfig:
    """Read a settings file as liblsl does: all of it, or nothing."""
    values: dict[str, dict[str, str]] = {}
    section = ""
    for n, raw in enumerate(text.splitlines(), 1):
        line = raw.strip(" \t\r\n")
        if not line or line.startswith(";"):
            continue
        if line.startswith("["):
            if "]" not in line:
                return LslConfig(fault=f"line {n} opens a section without a closing ]")
            section = line[1 : line.index("]")]
            continue
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            hint = "; comments begin with ;" if line.startswith(("#", "//")) else ""
            return LslConfig(fault=f"line {n} ({one_line(line, 40)!r}) is no KEY = VALUE{hint}")
        if key.strip() in values.setdefault(section, {}):
            return LslConfig(fault=f"line {n} gives {one_line(key.strip(), 40)} a second time")
        values[section][key.strip()] = value.strip()
    return LslConfig(values)


def misspelt(config: LslConfig) -> Iterator[str]:
    """Yield a sentence for each section or key that differs from liblsl's in upper and lower case alone."""
    sections = {name.casefold(): name for name in KNOWN_KEYS}
    for section, keys in config.values.items():
        meant = sections.get(section.strip().casefold())
        if meant is None:
            continue
        if meant != section:
            yield f"[{one_line(section, 40)}] is not read: liblsl calls it [{meant}]"
        known = {key.casefold(): key for key in KNOWN_KEYS[meant]}
        for key in keys:
            right = known.get(key.casefold())
            if right is not None and right != key:
                yield f"{one_line(key, 40)} is not read: liblsl calls it {right}"


def wrong_ports(config: LslConfig) -> Iterator[str]:
    """Yield a sentence for each port that no network has."""
    found = {}
    for key, default, low in (("MulticastPort", 16571, 1), ("BasePort", 16572, 1), ("PortRange", 32, 2)):
        text = config.get("ports", key, str(default))
        found[key] = int(text) if re.fullmatch(r"-?\d{1,9}", text) else -1
        if not low <= found[key] <= 65535:
            yield f"{key} = {one_line(text, 20)} must be a whole number of {low} to 65535"
    last = found["BasePort"] + found["PortRange"] - 1
    if min(found.values()) > 0 and last > 65535:
        yield f"BasePort {found['BasePort']} and PortRange {found['PortRange']} end at {last}, beyond 65535"


def known_peers(config: LslConfig) -> tuple[str, ...]:
    """Return the computers that are asked one by one."""
    text = re.sub(r"[{}\s]", "", config.get("lab", "KnownPeers", ""))
    return tuple(filter(None, text.split(",")))


def unknown_peers(peers: tuple[str, ...]) -> list[str]:
    """Return those of the peers whose names no address is known for; asks for at most a few seconds."""
    pool = ThreadPoolExecutor(8)
    asked = {peer: pool.submit(_has_address, peer) for peer in peers[:_MOST_PEERS]}
    missing = []
    for peer, answer in asked.items():
        try:
            known = answer.result(_RESOLVE_S)
        except NotYetError:
            known = False
        missing += [] if known else [peer]
    pool.shutdown(wait=False, cancel_futures=True)
    return missing


def _has_address(peer: str) -> bool:
    try:
        return bool(socket.getaddrinfo(peer, 16571, type=socket.SOCK_DGRAM))
    except (OSError, UnicodeError):
        return False


def with_setting(text: str, section: str, key: str, value: str) -> str:
    """Return settings in which one key has one value, whatever stood there; case counts, as for liblsl."""
    lines, out, inside, done = text.splitlines(), list[str](), False, False
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped[1:].partition("]")[0] == section  # liblsl minds case and blanks
            out.append(line)
            if inside and not done:
                out.append(f"{key} = {value}")
                done = True
        elif not (inside and stripped.partition("=")[0].strip() == key):
            out.append(line)
    if not done:
        out += [f"[{section}]", f"{key} = {value}"]
    return "\n".join([*out, ""])


def with_default(text: str, section: str, key: str, value: str) -> str:
    """Return settings in which one key has one value, unless the user has set it; case counts, as for liblsl."""
    return text if key in parse_config(text).values.get(section, {}) else with_setting(text, section, key, value)

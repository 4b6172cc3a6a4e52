"""Is this computer ready, and why can a stream not be seen: one check after the other (`neuript doctor`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

OK, WARN, FAIL = "ok", "warn", "fail"
_VPN = ("tun", "tap", "wg", "utun", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "proton")
_PORTS = "UDP 16571-16604 and TCP 16572-16604"


@dataclass(frozen=True)
class Finding:
    """What was checked, how it is, and what to do if it is not well."""

    check: str
    status: str
    """"ok", "warn" or "fail"."""
    detail: str
    fix: str = ""


def examine() -> Iterator[Finding]:
    """Run all checks, each when its finding is asked for; one that breaks has failed and stops no other."""
    for name, check in CHECKS.items():
        yield _finding(name, check)


def _finding(name: str, check: Callable[[], tuple[str, str, str]]) -> Finding:
    try:
        return Finding(name, *check())
    except Exception as error:  # noqa: BLE001  a check that breaks is a finding, and the others go on
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        return Finding(name, FAIL, f"{type(error).__name__}: {reason}", "reinstall neuript")


def check_python() -> tuple[str, str, str]:
    """Python 3.11 or newer."""
    version = sys.version_info
    detail = f"{version.major}.{version.minor}.{version.micro} ({sys.executable})"
    return OK if version[:2] >= (3, 11) else FAIL, detail, "use Python 3.11 or newer"


def check_torch() -> tuple[str, str, str]:
    """Whether PyTorch is there and recent enough."""
    import torch

    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    detail = f"{torch.__version__}, {torch.get_num_threads()} CPU threads"
    return OK if (major, minor) >= (2, 6) else FAIL, detail, "pip install 'torch>=2.6'"


def check_liblsl() -> tuple[str, str, str]:
    """Whether the LSL library can be loaded, and which."""
    try:
        from neuript.realtime.lsl.check import library
    except Exception as error:  # noqa: BLE001  pylsl raises whatever its loader meets
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return FAIL, reason, "pip install --force-reinstall pylsl, where there is a wheel for this system"
    version, about = library()
    if tuple(map(int, version.split("."))) < (1, 16):
        return WARN, f"liblsl {version} is old", "pip install --upgrade pylsl"
    return OK, f"liblsl {version} ({about[:60]})", ""


def check_lsl_settings() -> tuple[str, str, str]:
    """Settings that hide streams of others."""
    from neuript.realtime.lsl.check import settings

    s = settings()
    if s.session_id != "default":
        return (
            WARN,
            f"SessionID is '{s.session_id}': only its streams are visible",
            ("use the same SessionID in lsl_api.cfg on all computers"),
        )
    if s.resolve_scope.lower() in ("machine", "link"):
        return (
            WARN,
            f"ResolveScope is {s.resolve_scope}: streams beyond it are not visible",
            ("set ResolveScope = site in lsl_api.cfg to see the whole network"),
        )
    peers = f", known peers {s.known_peers}" if s.known_peers else ""
    return OK, f"scope {s.resolve_scope}, session '{s.session_id}'{peers}", ""


def check_own_stream() -> tuple[str, str, str]:
    """Whether a stream that we publish can be found and read here."""
    from neuript.realtime.lsl.check import loopback

    result = loopback()
    fix = f"allow Python {_PORTS} in the firewall; leave the VPN; see KnownPeers in lsl_api.cfg"
    if not result.found:
        return FAIL, f"not found within {result.found_after_s:.0f} s", fix
    if not result.received:
        return FAIL, "found, but no data came over TCP", fix
    return OK, f"found after {1000 * result.found_after_s:.0f} ms, data received", ""


def check_multicast() -> tuple[str, str, str]:
    """Whether multicast works, by which streams of other computers are found."""
    from neuript.realtime.lsl.check import multicast_works

    if reason := multicast_works():
        return (
            WARN,
            reason,
            ("streams of other computers need multicast, or their addresses as KnownPeers in lsl_api.cfg"),
        )
    return OK, "works on this computer (switches and Wi-Fi may still block it)", ""


def check_network() -> tuple[str, str, str]:
    """Which interfaces are up, and whether a VPN may take the multicast."""
    up = _interfaces()
    if not up:
        return WARN, "no network: only streams of this computer are visible", "connect the network"
    vpn = [name for name in up if name.lower().startswith(_VPN)]
    listed = ", ".join(f"{name} {address}" for name, address in up.items())
    if vpn:
        return (
            WARN,
            f"{listed}: {', '.join(vpn)} looks like a VPN",
            ("streams may be searched for on the VPN only; disconnect it if one is missing"),
        )
    return OK, listed, ""


def check_firewall() -> tuple[str, str, str]:
    """Whether a firewall is switched on, where that can be seen without being administrator."""
    active = _active_firewall()
    if active is None:
        return OK, "none seen that is active", ""
    return WARN, f"{active} is active", f"if a stream is missing, allow {_PORTS} for Python"


def check_streams() -> tuple[str, str, str]:
    """List what is visible right now."""
    from neuript.montages.stream_labels import is_eeg_stream
    from neuript.realtime.lsl.discovery import visible_streams

    streams = visible_streams(1.5)
    eeg = [s for s in streams if is_eeg_stream(s.stype)]
    if not eeg:
        return OK, f"{len(streams)} visible, none of them EEG (start the amplifier)", ""
    return OK, f"{len(streams)} visible; EEG: " + ", ".join(f"'{s.name}'" for s in eeg), ""


def check_display() -> tuple[str, str, str]:
    """Whether the dashboard can open a window."""
    from neuript.realtime.dashboard.launch import why_no_window

    if reason := why_no_window():
        return WARN, reason, "the console view is shown instead; nothing else is missing"
    return OK, "a window can be opened", ""


def check_gpu() -> tuple[str, str, str]:
    """Which GPU there is, if any, and whether TensorRT can use it."""
    import torch

    if not torch.cuda.is_available():
        return OK, "no NVIDIA GPU: models run on the CPU", ""
    from importlib.util import find_spec

    from neuript.engines.rtx_build import BINDINGS

    name = torch.cuda.get_device_name()
    packages = {"TensorRT-RTX": BINDINGS, "Torch-TensorRT": "torch_tensorrt"}
    there = [what for what, module in packages.items() if find_spec(module) is not None]
    if not there:
        return WARN, f"{name}, without TensorRT", "pip install 'neuript[tensorrt]'"
    return OK, f"{name}, {' and '.join(there)} (`neuript certify --device cuda` tests them)", ""


def check_model() -> tuple[str, str, str]:
    """Whether the shipped model is intact and computes what it should."""
    import neuript.weights
    from neuript.errors import ModelRefusedError
    from neuript.modelfile.deployable import open_model

    files = sorted(Path(neuript.weights.__path__[0]).glob("*.ts"))
    if not files:
        return FAIL, "no model came with the package: --demo cannot run", "reinstall neuript"
    names = []
    for file in files:
        try:
            engine = open_model(file)
        except ModelRefusedError as error:
            return FAIL, str(error), "reinstall neuript"
        names.append(f"{file.name} ({', '.join(engine.manifest.classes)}; {engine.name})")
    return OK, "golden outputs verified: " + "; ".join(names), ""


def check_settings_folder() -> tuple[str, str, str]:
    """Whether the folder of this user's settings can be written."""
    import tempfile

    from neuript.user_folders import config_dir, private_dir

    folder = config_dir()
    try:
        with tempfile.NamedTemporaryFile(dir=private_dir(folder)):
            pass
    except OSError as error:
        return (
            WARN,
            f"{folder} cannot be written ({error.strerror or error})",
            ("settings are not remembered; set NEURIPT_CONFIG_DIR to another folder"),
        )
    return OK, str(folder), ""


CHECKS: dict[str, Callable[[], tuple[str, str, str]]] = {
    "Python": check_python,
    "PyTorch": check_torch,
    "LSL library": check_liblsl,
    "LSL settings": check_lsl_settings,
    "LSL own stream": check_own_stream,
    "LSL streams": check_streams,
    "multicast": check_multicast,
    "network": check_network,
    "firewall": check_firewall,
    "display": check_display,
    "GPU": check_gpu,
    "shipped model": check_model,
    "settings folder": check_settings_folder,
}


def _interfaces() -> dict[str, str]:
    """Return the IPv4 address of every interface that is up, without the loopback."""
    import socket

    import psutil

    status = psutil.net_if_stats()
    return {
        name: address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET
        and not address.address.startswith("127.")
        and name in status
        and status[name].isup
    }


def _active_firewall() -> str | None:
    """Return the name of an active firewall, as far as anybody may see."""
    if sys.platform == "win32":
        return "Windows Defender Firewall (as a rule)"
    ufw = Path("/etc/ufw/ufw.conf")
    try:
        if "ENABLED=yes" in ufw.read_text("utf-8"):
            return "ufw"
    except (OSError, UnicodeDecodeError):
        pass
    if Path("/run/firewalld").exists() or Path("/var/run/firewalld.pid").exists():
        return "firewalld"
    return None

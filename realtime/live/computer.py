"""Is this computer ready, and why can a stream not be seen: one check after the other (`neuript doctor`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from neuript.realtime.live.lsl_checks import FAIL, LSL_CHECKS, OK, PORTS, WARN

_VPN = ("tun", "tap", "wg", "utun", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "proton")


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
    return WARN, f"{active} is active", f"if a stream is missing, allow {PORTS} for Python"


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


def check_formats() -> tuple[str, str, str]:
    """Whether recordings can be read whose reader is another package."""
    from neuript.realtime.recordings.mne_reader import missing_readers

    missing = missing_readers()
    if not missing:
        return OK, "all formats can be read", ""
    return OK, f"all but {' and '.join(missing)}: pip install 'neuript[formats]' where they are needed", ""


CHECKS: dict[str, Callable[[], tuple[str, str, str]]] = {
    "Python": check_python,
    "PyTorch": check_torch,
    **LSL_CHECKS,
    "network": check_network,
    "firewall": check_firewall,
    "display": check_display,
    "GPU": check_gpu,
    "shipped model": check_model,
    "settings folder": check_settings_folder,
    "recordings": check_formats,
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

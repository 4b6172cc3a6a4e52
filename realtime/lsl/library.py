"""The one place that imports pylsl: quiet liblsl, user's network settings kept.

liblsl writes its own log to stderr, which belongs to the user. Its level can only be set in its
configuration, before its first call, so the modules of this folder import pylsl from here:

>>> from neuript.realtime.lsl.library import pylsl
"""

from __future__ import annotations

import logging
import os

from neuript.errors import NeuriptError
from neuript.realtime.lsl.lsl_config import config_text, parse_config, with_default, with_setting

try:
    import pylsl
    from pylsl.util import LostError
except (RuntimeError, OSError) as missing:  # pylsl's loader found no library, or none that this system can load
    raise NeuriptError(
        "the LSL library (liblsl) cannot be loaded: pylsl brings none for this system (as on Linux on ARM, or with a "
        "glibc older than 2.35). Install it with `conda install -c conda-forge liblsl`, or build it: "
        "`git clone https://github.com/sccn/liblsl && cmake -S liblsl -B liblsl/build && cmake --build liblsl/build`, "
        "and set PYLSL_LIB to the file liblsl.so (the file, not its folder). neuript-live --replay needs none"
    ) from missing

logger = logging.getLogger(__name__)

SCOPE, MACHINE = "NEURIPT_LSL_SCOPE", "machine"
"""Variable of the environment that keeps streams on this computer, and its value; children inherit it."""
_MACHINE_ONLY = (
    ("multicast", "ResolveScope", "machine"),
    ("multicast", "AddressesOverride", "{}"),
    ("lab", "KnownPeers", "{}"),
)
_MACHINE_PORTS = 128
"""Within one computer liblsl asks these ports, each outlet takes two, and of its own 32 it finds 16 outlets."""
_LEVEL = -3  # only what ends the process; we report lost streams ourselves, with a state
_LOOK_EVERY_S = 0.2
"""Seconds between two looks of a program that must miss nothing that opens; liblsl itself takes 0.5."""


def lsl_clock() -> float:
    """Return the LSL clock of this computer, in seconds."""
    return float(pylsl.local_clock())


def quiet_config(user_config: str) -> str:
    """Return liblsl settings with a low log level; a level that the user has set stays."""
    return with_default(user_config, "log", "level", str(_LEVEL))


def machine_only(config: str) -> str:
    """Return liblsl settings with which no other computer is asked, and none is told of streams of this one."""
    for section, key, value in _MACHINE_ONLY:
        config = with_setting(config, section, key, value)
    return with_default(config, "ports", "PortRange", str(_MACHINE_PORTS))


def stay_on_this_computer() -> None:
    """Keep the streams of this process and of those that it starts among the programs of this computer.

    To be called before the first stream is looked for or published; liblsl reads its settings once.
    """
    os.environ[SCOPE] = MACHINE
    _configure()


def is_machine_only() -> bool:
    """Say whether this process was told to stay on this computer."""
    return os.environ.get(SCOPE, "").casefold() == MACHINE


def _configure(*defaults: tuple[str, str, str]) -> None:
    text = config_text()
    if parse_config(text).fault:
        text = ""  # as liblsl does; neuript doctor says so
    text = quiet_config(text)
    for section, key, value in defaults:
        text = with_default(text, section, key, value)
    try:
        pylsl.set_config_content(machine_only(text) if is_machine_only() else text)
    except NotImplementedError:  # an older liblsl of the system; its log stays on stderr
        logger.debug("liblsl %s cannot be told its settings", pylsl.library_version())


_configure()


def look_often() -> None:
    """Let this process see a stream that opens as early as it can; before its first look at the network."""
    _configure(("tuning", "ContinuousResolveInterval", str(_LOOK_EVERY_S)))


__all__ = [
    "LostError",
    "is_machine_only",
    "look_often",
    "lsl_clock",
    "machine_only",
    "pylsl",
    "quiet_config",
    "stay_on_this_computer",
]

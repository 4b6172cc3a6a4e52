"""The one place that imports pylsl: quiet liblsl, user's network settings kept.

liblsl writes its own log to stderr, which belongs to the user. Its level can only be set in its
configuration, before its first call, so the modules of this folder import pylsl from here:

>>> from neuript.realtime.lsl.library import pylsl
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from pathlib import Path

from neuript.errors import NeuriptError

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

_LEVEL = -3  # only what ends the process; we report lost streams ourselves, with a state
_LOOK_EVERY_S = 0.2
"""Seconds between two looks of a program that must miss nothing that opens; liblsl itself takes 0.5."""


def lsl_clock() -> float:
    """Return the LSL clock of this computer, in seconds."""
    return float(pylsl.local_clock())


def with_setting(config: str, section: str, key: str, value: object) -> str:
    """Return liblsl settings with one more; where the user has set that key, theirs stays."""
    flags = re.MULTILINE | re.IGNORECASE
    head = rf"^\s*\[{section}\]"
    if re.search(rf"{head}[^\[]*^\s*{key}\s*=", config, flags):
        return config
    if re.search(rf"{head}\s*$", config, flags):
        return re.sub(rf"{head}\s*$", f"[{section}]\n{key} = {value}", config, count=1, flags=flags)
    return f"{config}\n[{section}]\n{key} = {value}\n"


def quiet_config(user_config: str) -> str:
    """Return liblsl settings with a low log level; a level that the user has set stays."""
    return with_setting(user_config, "log", "level", _LEVEL)


def user_config() -> str:
    """Return the text of the settings file that liblsl itself would take, or an empty string."""
    candidates = [
        os.environ.get("LSLAPICFG", ""),
        "lsl_api.cfg",
        str(Path("~/lsl_api/lsl_api.cfg").expanduser()),
        "/etc/lsl_api/lsl_api.cfg",
    ]
    for name in filter(None, candidates):
        try:
            return Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def _silence() -> None:
    try:
        pylsl.set_config_content(quiet_config(user_config()))
    except NotImplementedError:  # an older liblsl of the system; its log stays on stderr
        logger.debug("liblsl %s cannot be silenced", pylsl.library_version())


_silence()


def look_often() -> None:
    """Let this process see a stream that opens as early as it can; before its first look at the network."""
    with contextlib.suppress(NotImplementedError):
        config = quiet_config(user_config())
        pylsl.set_config_content(with_setting(config, "tuning", "ContinuousResolveInterval", _LOOK_EVERY_S))


__all__ = ["LostError", "look_often", "lsl_clock", "pylsl", "quiet_config", "user_config", "with_setting"]

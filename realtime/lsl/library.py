"""The one place that imports pylsl: quiet liblsl, user's network settings kept.

liblsl writes its own log to stderr, which belongs to the user. Its level can only be set in its
configuration, before its first call, so the modules of this folder import pylsl from here:

>>> from neuript.realtime.lsl.library import pylsl
"""

from __future__ import annotations

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
_LOG_SECTION = re.compile(r"^\s*\[log\]\s*$", re.MULTILINE | re.IGNORECASE)
_LOG_LEVEL = re.compile(r"^\s*\[log\][^\[]*^\s*level\s*=", re.MULTILINE | re.IGNORECASE)


def lsl_clock() -> float:
    """Return the LSL clock of this computer, in seconds."""
    return float(pylsl.local_clock())


def quiet_config(user_config: str) -> str:
    """Return liblsl settings with a low log level; a level that the user has set stays."""
    if _LOG_LEVEL.search(user_config):
        return user_config
    if _LOG_SECTION.search(user_config):
        return _LOG_SECTION.sub(f"[log]\nlevel = {_LEVEL}", user_config, count=1)
    return f"{user_config}\n[log]\nlevel = {_LEVEL}\n"


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

__all__ = ["LostError", "lsl_clock", "pylsl", "quiet_config", "user_config"]

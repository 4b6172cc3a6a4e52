"""`python -m neuript.realtime.paradigm`: the cue window as a program of its own, told by JSON lines on stdin."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.realtime.paradigm.cue_settings import CueSettings


def parser() -> argparse.ArgumentParser:
    """Return the parser of this program's options."""
    options = argparse.ArgumentParser(
        prog="python -m neuript.realtime.paradigm",
        description="Show cues as JSON lines on stdin say, stamp them on LSL, and say on stdout what was shown "
        "(docs/cues.md).",
    )
    options.add_argument("--settings", default="{}", metavar="JSON", help="fields of CueSettings as one JSON object")
    options.add_argument("--parent", type=int, help="end when this process has ended")
    return options


def main(argv: list[str] | None = None) -> int:
    """Show cues until stdin closes; return the exit code."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="cues: %(message)s", stream=sys.stderr)
    try:
        settings = _settings(options.settings)
    except NeuriptError as error:
        print(json.dumps({"said": "error", "text": str(error)}), flush=True)  # noqa: T201 - lines are its results
        return error.exit_code
    from neuript.realtime.paradigm.qt.cue_window import run

    return run(settings, options.parent)


def _settings(text: str) -> CueSettings:
    from neuript import specs
    from neuript.realtime.paradigm.cue_settings import CueSettings

    try:
        values = json.loads(text)
    except ValueError:
        raise NeuriptError(f"--settings {specs.short(text)} is no JSON object") from None
    return specs.from_dict(CueSettings, values, "--settings")


if __name__ == "__main__":
    sys.exit(main())

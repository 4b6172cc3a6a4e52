"""`python -m neuript.training.guided.decode_in_background SETTINGS`: one decoder, its rows as JSON on stdout."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from collections.abc import Callable

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.live.sinks import StdoutLines

PROBLEM = "problem"
"""Key of the one line that says why there are no more rows."""


class WholeRows:
    """Every field of each row as one line: what is published elsewhere must lack nothing.

    Parameters
    ----------
    say : callable
        Takes a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def publish(self, decision: Decision) -> None:
        """Write one row."""
        said = {**dataclasses.asdict(decision), "state": str(decision.state)}
        self._say(json.dumps(said))


def main() -> int:
    """Decode until we are ended, or our reader goes away."""
    logging.disable(logging.WARNING)
    options = LiveOptions.from_mapping({**json.loads(sys.argv[1]), "headless": True})

    from neuript.realtime.live.session import run_live

    lines = StdoutLines(sys.stdout)
    try:
        try:
            code = run_live(options, publish=WholeRows(lines.say))
        except NeuriptError as error:
            lines.say(json.dumps({PROBLEM: str(error)}))
            code = error.exit_code
        lines.finish()
    except (BrokenPipeError, NeuriptError):
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())

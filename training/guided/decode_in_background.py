"""`python -m neuript.training.guided.decode_in_background SETTINGS`: one decoder, its rows as JSON on stdout."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from typing import TextIO

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.live.options import LiveOptions

PROBLEM = "problem"
"""Key of the one line that says why there are no more rows."""


class WholeRows:
    """Every field of each row as one line: what is published elsewhere must lack nothing.

    Parameters
    ----------
    out : TextIO
        Where they go.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def publish(self, decision: Decision) -> None:
        """Write one row."""
        said = {**dataclasses.asdict(decision), "state": str(decision.state)}
        self._out.write(json.dumps(said) + "\n")
        self._out.flush()


def main() -> int:
    """Decode until we are ended, or our reader goes away."""
    logging.disable(logging.WARNING)
    options = LiveOptions.from_mapping({**json.loads(sys.argv[1]), "headless": True})

    from neuript.realtime.live.session import run_live

    try:
        return run_live(options, publish=WholeRows(sys.stdout))
    except BrokenPipeError:
        return 1
    except NeuriptError as error:
        sys.stdout.write(json.dumps({PROBLEM: str(error)}) + "\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

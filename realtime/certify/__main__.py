"""The decoder that is certified, in a process of its own: `python -P -m neuript.realtime.certify OPTIONS_JSON`.

It is what `neuript-live --headless` runs, but for a delay that can be injected.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from neuript.errors import NeuriptError
from neuript.realtime.certify.injected import inject
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.live.session import run_live


def main(text: str) -> int:
    """Decode as the options say and return the exit code."""
    said: dict[str, Any] = json.loads(text)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if said["inject"] is not None:
            inject(*said["inject"])
        return run_live(LiveOptions.from_mapping(said["options"]))
    except NeuriptError as error:
        print(error, file=sys.stderr)  # noqa: T201  the last line is what the certificate quotes
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

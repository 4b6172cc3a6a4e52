"""`python -m neuript.realtime.dashboard`: the dashboard as a program of its own."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the parser of this program's options."""
    options = argparse.ArgumentParser(
        prog="python -m neuript.realtime.dashboard",
        description="Show a neuript decoder that publishes on LSL: traces, probabilities, "
        "decisions, states, latency. Closing it disturbs nobody.",
    )
    options.add_argument("--proba-source-id", default="", help="the decoder's stream (default: any that is found)")
    options.add_argument("--eeg-source-id", default="", help="the EEG stream (default: as the decoder says)")
    view = options.add_mutually_exclusive_group()
    view.add_argument("--console", action="store_true", help="draw on the terminal")
    view.add_argument("--window", action="store_true", help="open a window without asking first")
    options.add_argument("--theme", choices=("dark", "light", "system"), help="default: as the last time")
    options.add_argument(
        "--screenshot",
        type=Path,
        metavar="FILE",
        help="write a picture (.png of the window; .svg or .txt of the console view) and end",
    )
    options.add_argument("--after", type=float, default=10.0, metavar="S", help="seconds until the screenshot")
    options.add_argument("--size", metavar="WxH", help="of the window (default: as the last time)")
    options.add_argument(
        "--steer", action="store_true", help="steer the decoder that has started this process, by stdin and stdout"
    )
    options.add_argument("--parent", type=int, help="end when this process has ended")
    options.add_argument("--stats", action="store_true", help="log frame times when ending")
    return options


def main(argv: list[str] | None = None) -> int:
    """Show the dashboard until it is closed; return the exit code."""
    given = parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if given.stats else logging.WARNING, format="dashboard: %(message)s", stream=sys.stderr
    )
    from neuript.errors import NeuriptError
    from neuript.foreign import guard_output
    from neuript.realtime.dashboard.show import DashboardOptions, show

    try:
        with guard_output():
            return show(DashboardOptions(**vars(given)))
    except NeuriptError as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

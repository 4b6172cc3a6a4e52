"""How a window or a console view is shown: options that `neuript view` and `neuript dashboard` share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from neuript.cli.arguments import refuse


def add_window(parser: argparse.ArgumentParser) -> None:
    """Add how a window or a console view is shown: `--console`, `--theme`, `--screenshot`, `--after`, `--size`."""
    group = parser.add_argument_group("window")
    group.add_argument("--console", action="store_true", help="draw on the terminal (also where there is no display)")
    group.add_argument("--theme", choices=("dark", "light", "system"), help="colours (default: as the last time)")
    group.add_argument("--size", metavar="WxH", help="of the window, such as 1360x840 (default: as the last time)")
    group.add_argument(
        "--screenshot",
        metavar="FILE",
        help="write a picture and end: .png of the window, .svg or .txt of the console view",
    )
    group.add_argument("--after", type=float, default=10.0, metavar="S", help="seconds until the picture (default 10)")


def check_window(given: Mapping[str, str]) -> None:
    """Refuse options of `add_window` that do nothing together; `given` is what stands on the command line."""
    if "screenshot" not in given:
        refuse(given, {"after"}, "it says when the picture of --screenshot is taken")
    if "console" in given:
        refuse(given, {"theme", "size"}, "a terminal has its own, and --console draws on it")

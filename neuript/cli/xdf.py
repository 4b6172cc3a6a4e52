"""`neuript xdf check FILE` and `neuript xdf repair FILE OUT`: is an XDF file whole, and what can be saved of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.foreign import one_line

if TYPE_CHECKING:
    from neuript.realtime.recordings.xdf_walk import XdfScan


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript xdf",
        description="Check every chunk of an XDF file, or write a copy that holds only the whole ones.",
        epilog="exit code of check: 0 the file is whole, 2 it is damaged",
    )
    verbs = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="check or repair")
    check = verbs.add_parser("check", help="say whether the file is whole, and what is lost")
    check.add_argument("file", type=Path)
    repair = verbs.add_parser("repair", help="write the whole chunks to a new file")
    repair.add_argument("file", type=Path)
    repair.add_argument("out", type=Path, help="a new file; an existing one is never replaced")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, check or repair, return the exit code."""
    args = build_parser().parse_args(argv)
    from neuript.realtime.recordings import xdf_walk
    from neuript.realtime.recordings.xdf_bytes import load_bytes

    blob = load_bytes(args.file)
    found = xdf_walk.scan(blob)
    _report(found)
    if not found.streams:
        raise NeuriptError(f"{args.file} has no whole stream header, so nothing can be read or saved of it")
    if args.action == "check":
        return 0 if found.intact else 2
    write_atomically(args.out, xdf_walk.clean_bytes(blob, found), overwrite=False)
    print(f"wrote {one_line(args.out)} ({args.out.stat().st_size} bytes)")
    return 0


def _report(found: XdfScan) -> None:
    for problem in found.told():
        print(f"! {one_line(problem)}")
    for stream in found.streams.values():
        name = one_line(stream.header.findtext("name", ""))
        footer = "" if stream.footer is not None else ", no footer"
        print(
            f"stream {stream.stream_id} '{name}': {stream.n_samples} samples, {stream.n_offsets} clock offsets{footer}"
        )
    state = "whole" if found.intact else "DAMAGED"
    share = 100 * found.n_kept / found.n_bytes
    print(f"{state}: {found.n_kept} of {found.n_bytes} bytes in {found.n_chunks} whole chunks ({share:.1f} %)")

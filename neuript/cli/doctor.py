"""`neuript doctor`: is this computer ready, why can a stream not be seen, and what to do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_json

if TYPE_CHECKING:
    from neuript.realtime.live.computer import Finding


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript doctor",
        description="Check this computer: versions, LSL and the network, display, GPU, the "
        "shipped model, settings. Exit code 0 if nothing fails, else 2.",
        allow_abbrev=False,
    )
    add_json(parser)
    return parser


def run(argv: list[str]) -> int:
    """Print one line per check; 0 if nothing fails, else 2."""
    args = build_parser().parse_args(argv)

    from neuript.realtime.live.computer import examine
    from neuript.realtime.live.lsl_checks import FAIL, WARN

    findings = []
    for finding in examine():
        findings.append(finding)
        if not args.json:
            _show(finding)
    n_failed, n_warned = (sum(f.status == status for f in findings) for status in (FAIL, WARN))
    if args.json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        print(f"\n{len(findings)} checks: {n_failed} failed, {n_warned} warning{'' if n_warned == 1 else 's'}")
    return 2 if n_failed else 0


def _show(finding: Finding) -> None:
    mark = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}[finding.status]
    print(f"{mark}  {finding.check:<16} {finding.detail}", flush=True)
    if finding.fix and finding.status != "ok":
        print(f"      {'':<16} -> {finding.fix}", flush=True)

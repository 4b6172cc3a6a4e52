"""How a live session ended, and what it was, in words."""

from __future__ import annotations

from typing import Any

from neuript.errors import StreamLostError


def reason_of(error: BaseException) -> str:
    """Return why a session ended, as its report has it."""
    if isinstance(error, BrokenPipeError):
        return "the reader of our output went away"
    return f"{type(error).__name__}: {error}"


def _short(ended: str) -> str:
    """The reason for the summary; what went wrong is said after it, once."""
    kind, colon, _ = ended.partition(": ")
    if not colon:
        return ended
    return "the stream was lost" if kind == StreamLostError.__name__ else "ended by an error"


def summary_of(report: dict[str, Any]) -> str:
    """Return the lines that are said at the end, out of a session's report."""
    total, age = report["latency_ms"]["total"], report["sample_age_ms"]
    states = ", ".join(f"{name} {n}" for name, n in report["states"].items()) or "no rows"
    commands = ", ".join(f"{n} {name}" for name, n in report["commands"].items()) or "none"
    lines = [
        f"{_short(report['ended'])}: {report['samples']} samples, {report['windows_decoded']} windows decoded, "
        f"{report['skipped_hops']} hops skipped, {report['gaps']} gap{'' if report['gaps'] == 1 else 's'}",
        f"states: {states}; commands: {commands}",
    ]
    if total["n"]:
        lines.append(
            f"latency pull to published: p50 {total['p50']:.1f} ms, p99 {total['p99']:.1f} ms, "
            f"max {total['max']:.1f} ms"
            + (f"; sample age p50 {age['p50']:.1f} ms, p99 {age['p99']:.1f} ms" if age["n"] else "")
        )
    return "\n".join(lines)

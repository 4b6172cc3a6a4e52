"""How punctual the cues of a session were: what their markers say, and what the cue window measured of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuript.realtime.recordings.cue_markers import read_cue_marker, whole_trials
from neuript.realtime.recordings.recording import Recording


def cue_timing(recordings: Sequence[Recording], windows: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
    """Return the cues that count, the late ones among them, and the frames of each cue window.

    Parameters
    ----------
    recordings : sequence of Recording
        Sessions with cues of neuript, and others, which say nothing of it.
    windows : sequence of mapping of str to Any
        For each cue window that was opened: `refresh_hz`, `stamps`, and the fields of `FrameLog.figures`.

    Returns
    -------
    dict of str to Any, or None
        `shown`, `late` and `windows`; None without such a session.
    """
    late = [_was_late(stream.labels[end]) for stream in _cues(recordings) for _, end in _ends(stream.labels)]
    if not late and not windows:
        return None
    return {"shown": len(late), "late": sum(late), "windows": [dict(one) for one in windows]}


def frame_sentence(window: Mapping[str, Any]) -> str:
    """Say how late the cues of one window came after the time that was meant for them."""
    if window.get("p50_ms") is None:
        return "no cue was shown"
    how = "stamped at the frame that shows it" if window.get("stamps") == "frame swapped" else "stamped when drawn"
    said = (
        f"{window['p50_ms']:.1f} ms after the time that was meant (median; {window['p99_ms']:.1f} ms at most in 99 of "
        f"100) at {window.get('refresh_hz') or 0:g} Hz, {how}"
    )
    if window.get("frame_p50_ms") is not None:
        said += f"; {window['frame_p50_ms']:.1f} ms from frame to frame, {window['frame_p99_ms']:.1f} ms in 99 of 100"
    return said


def _cues(recordings: Sequence[Recording]) -> list[Any]:
    return [stream for recording in recordings for stream in recording.marker_streams if stream.cue_classes]


def _ends(labels: Sequence[str]) -> list[tuple[int, int]]:
    return list(whole_trials(labels).values())


def _was_late(text: str) -> bool:
    said = read_cue_marker(text)
    return said is not None and bool(said.get("late"))

"""`python -m neuript.realtime.lsl.record_in_background SETTINGS`: streams into an XDF file until stdin says or ends.

A line of JSON on stdout says twice a second how things stand; nobody need read it.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from neuript import specs
from neuript.errors import NeuriptError
from neuript.outflow import Outflow
from neuript.realtime.lsl.library import look_often
from neuript.realtime.lsl.recording_loop import OFFSETS_EVERY_S, WRITE_EVERY_S, RecordingLoop
from neuript.realtime.lsl.recording_rule import RecordingRule

SAY_EVERY_S = 0.5
_NEW_S = 0.5


@dataclass(frozen=True, kw_only=True)
class RecordingTask:
    """What a recorder is told."""

    path: str
    """The XDF file."""
    rule: RecordingRule = field(default_factory=RecordingRule)
    """What is recorded."""
    go_on: bool = False
    """Add to the file if a recorder has left one."""


def main() -> int:
    """Record until we are told to end, or whoever started us is gone."""
    logging.disable(logging.CRITICAL)
    look_often()
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _n, _frame: end.set())
    said = Outflow(sys.stdout, most=8)
    threading.Thread(target=_listen, args=(end,), daemon=True, name="stdin").start()
    task = specs.from_dict(RecordingTask, json.loads(sys.argv[1]), "the task")
    try:
        loop = RecordingLoop(Path(task.path), task.rule, go_on=task.go_on)
    except (NeuriptError, OSError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        said.put(json.dumps({"failed": why.replace(task.path, "the recording")}) + "\n")
        said.close()
        return 1
    threading.Thread(target=_offsets, args=(loop,), daemon=True, name="clock offsets").start()
    say_at = 0.0
    while not end.wait(WRITE_EVERY_S):
        loop.turn()
        if (now := time.monotonic()) >= say_at:
            say_at = now + SAY_EVERY_S
            said.put(json.dumps(loop.status()) + "\n")
    loop.finish()
    said.put(json.dumps({**loop.status(), "finished": True}) + "\n")
    said.close()
    return 0


def _listen(end: threading.Event) -> None:
    """Any line, and the end of stdin, ends the recording."""
    sys.stdin.readline()
    end.set()


def _offsets(loop: RecordingLoop) -> None:
    at = 0.0
    while True:
        all_of_them = (now := time.monotonic()) >= at
        at = now + OFFSETS_EVERY_S if all_of_them else at
        loop.measure_offsets(all_of_them=all_of_them)  # a new stream at once
        time.sleep(_NEW_S)


if __name__ == "__main__":
    sys.exit(main())

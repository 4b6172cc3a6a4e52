"""The process that presses keys: `python -m neuript.realtime.bridge.presser`, started by `KeysOutput`.

It is a process of its own so that no key stays down, whatever happens to the bridge: where its stdin ends, since the
bridge was closed or killed, every key is let go, and no key is down for longer than it was pressed for, also while the
bridge hangs. A line is `down KEY SECONDS` or `up`.
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from typing import TextIO

from neuript.errors import NeuriptError
from neuript.realtime.bridge.key_map import KEYS, DownKeys
from neuript.realtime.bridge.keyboard import open_keyboard

READY = "ready"
"""What it says on stdout when keys can be pressed; anything else is why not."""


def main() -> int:
    """Press what stdin says until it ends; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the bridge, which ends this by closing its stdin
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # by way of `finally`
    try:
        keyboard = open_keyboard()
    except NeuriptError as error:
        _say(str(error))
        return error.exit_code
    _say(READY)
    keys = DownKeys(keyboard.press, keyboard.release)
    try:
        obey_lines(keys, _lines_of(sys.stdin))
    except NeuriptError as error:
        _say(str(error))
        return error.exit_code
    finally:
        keys.up_all()
    return 0


def obey_lines(keys: DownKeys, lines: queue.Queue[str | None]) -> None:
    """Do what lines say, and let keys go in time, until None comes instead of a line."""
    wait_s: float | None = None
    while True:
        try:
            line = lines.get(timeout=wait_s)
        except queue.Empty:
            line = ""
        if line is None:
            return
        if line.startswith("up"):
            keys.up_all()
        elif line:
            _, key, seconds = line.split()
            if key in KEYS:
                keys.down(key, float(seconds), time.monotonic())
        wait_s = keys.tick(time.monotonic())


def _lines_of(stream: TextIO) -> queue.Queue[str | None]:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line.strip())
        lines.put(None)

    threading.Thread(target=read, name="lines", daemon=True).start()
    return lines


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

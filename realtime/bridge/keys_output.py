"""Commands as key presses, for programs that know nothing of brains."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping

from neuript.errors import NeuriptError
from neuript.realtime.bridge.key_map import TAP_S
from neuript.realtime.bridge.presser import READY
from neuript.realtime.bridge.relay import BridgeStatus
from neuript.realtime.decoding.decision import Decision

_END_S = 5.0


class KeysOutput:
    """Presses a key for each command, in a process of its own; a `with` block or `open` and `close` bound it.

    Parameters
    ----------
    keys : mapping of str to str
        A key for each class; other classes press nothing.
    hold_s : float
        0 taps. Else the key is down as long as the command lasts, and at most so many seconds.
    """

    def __init__(self, keys: Mapping[str, str], hold_s: float = 0.0) -> None:
        self._keys, self._hold_s = dict(keys), hold_s
        self._process: subprocess.Popen[str] | None = None
        self._held: str | None = None
        self._pressed = False

    def open(self) -> None:
        """Start the process that presses.

        Raises
        ------
        NeuriptError
            If keys cannot be pressed here.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "neuript.realtime.bridge.presser"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=sys.platform != "win32",  # Ctrl-C in the terminal is for the bridge
        )
        said = self._answer()
        if said != READY:
            self.close()
            raise NeuriptError(said or "keys cannot be pressed: the process that should press them ended")

    def publish(self, decision: Decision) -> None:
        """Press the key of a command that begins; let go what was held for one that is over."""
        if self._held is not None and (decision.committed or decision.decision != self._held):
            self._let_go()
        command = decision.decision
        if decision.committed and command in self._keys:
            self._write(f"down {self._keys[command]} {self._hold_s or TAP_S:g}")
            self._held = command if self._hold_s else None
            self._pressed = True

    def tell(self, status: BridgeStatus) -> None:
        """Let every key go where the state says stop."""
        if status.stop:
            self._let_go()

    def close(self) -> None:
        """Let every key go and end the process; harmless when called twice."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_S)
        process.stdout.close()

    def _let_go(self) -> None:
        if self._pressed:
            self._write("up")
        self._held, self._pressed = None, False

    def _write(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError:
            said = self._answer()
            raise NeuriptError(said or "the process that presses keys is gone") from None

    def _answer(self) -> str:
        if self._process is None or self._process.stdout is None:
            return ""
        return self._process.stdout.readline().strip()

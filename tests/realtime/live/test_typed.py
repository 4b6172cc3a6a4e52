"""What is typed at the terminal while a session runs."""

from __future__ import annotations

import io
import os
import sys
import threading

import pytest

from neuript.realtime.live.typed import TypedLines, obey

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")


def test_lines_come_whole_and_in_order_and_the_end_of_the_terminal_ends_it() -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        typed = TypedLines(stdin)
        assert typed.listening
        (reader,) = [thread for thread in threading.enumerate() if thread.name == "typed lines"]
        os.write(keyboard, b"r\n u \nhalf a li")
        os.write(keyboard, b"ne\n\x04")  # Ctrl-D
        reader.join(20)
        assert not reader.is_alive()
        assert typed.newest() == ["r", "u", "half a line"]
        assert typed.newest() == []
        typed.close()
    os.close(keyboard)


def test_a_pipe_a_file_and_nothing_are_left_to_whom_they_belong() -> None:
    read, write = os.pipe()
    os.write(write, b"r\n")
    with os.fdopen(read) as pipe:
        for stream in (None, io.StringIO("r\n"), pipe):
            assert not TypedLines(stream).listening
        os.close(write)
        assert pipe.read() == "r\n"


def test_each_line_gets_a_sentence() -> None:
    done: list[str] = []

    def act(text: str) -> str:
        done.append(text)
        return "did it"

    said = obey(["", "R", "quit", "r  some  words "], {"r": act})
    assert said == ["did it", "'quit' is no command; type r and Enter", "did it"]
    assert done == ["", "some  words"]

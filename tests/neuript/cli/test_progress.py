"""The line of progress: rewritten on a terminal, rare or absent elsewhere, always left clean."""

from __future__ import annotations

import sys

import pytest

from neuript.cli.progress import ProgressLine


def test_on_a_terminal_it_is_rewritten_and_left(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    line = ProgressLine(0.0)
    line.show("1 of 2")
    line.show("2 of 2", last=True)
    line.end()
    assert capsys.readouterr().err == "\r1 of 2\x1b[K\r2 of 2\x1b[K\n"


@pytest.mark.parametrize(("elsewhere_s", "said"), [(float("inf"), ""), (1000.0, "1 of 3\n3 of 3\n")])
def test_in_a_file_it_is_rare_or_absent(capsys, elsewhere_s, said):
    line = ProgressLine(0.0, elsewhere_s)
    for i in (1, 2, 3):
        line.show(f"{i} of 3", last=i == 3)
    line.end()
    assert capsys.readouterr().err == said


def test_it_is_silent_when_told(capsys):
    line = ProgressLine(0.0, 0.0, enabled=False)
    line.show("1 of 1", last=True)
    line.say("done")
    assert capsys.readouterr().err == ""

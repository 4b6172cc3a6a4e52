"""The line of progress: rewritten on a terminal, rare or absent elsewhere, always left clean."""

from __future__ import annotations

import re
import sys

import pytest

from neuript.cli.progress import ProgressLine


def make_stderr_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def screen(written):
    """What a terminal shows after `written`: the lines, with those rewritten in place once."""
    lines, row, column = [""], 0, 0
    for code, number, end, char in re.findall(r"(\x1b\[\??(\d*)[\d;]*([A-Za-z]))|([^\x1b])", written):
        if code:
            if end == "A":
                row -= int(number or 1)
            elif end == "K":
                lines[row] = "" if number == "2" else lines[row][:column]
        elif char == "\r":
            column = 0
        elif char == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        else:
            lines[row] = lines[row].ljust(column)[:column] + char + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_on_a_terminal_it_is_rewritten_and_left(monkeypatch, capsys):
    make_stderr_a_terminal(monkeypatch)
    with ProgressLine(0.0) as line:
        line.show("1 of [bold]2", 1, 2)
        line.show("2 of [bold]2", 2, 2, last=True)
    written = capsys.readouterr()
    assert "1 of [bold]2" in written.err
    assert screen(written.err) == ["2 of [bold]2", ""]
    assert written.out == ""


def interrupted(line):
    with line:
        line.show("working", 1, 2)
        sys.stdout.write("a result\n")
        sys.stderr.write("a remark\n")
        raise KeyboardInterrupt


@pytest.mark.parametrize("vanishes", [False, True])
def test_a_bar_leaves_stdout_alone_and_one_line_or_nothing(monkeypatch, capsys, vanishes):
    make_stderr_a_terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        interrupted(ProgressLine(0.0, bar=True, vanishes=vanishes))
    sys.stderr.write("an error\n")
    written = capsys.readouterr()
    assert written.out == "a result\n"
    first, *between, last, end = screen(written.err)
    assert (first, last, end) == ("a remark", "an error", "")
    assert ["working" in text and "━" in text for text in between] == [True] * (not vanishes)
    assert written.err.rfind("\x1b[?25h") > written.err.rfind("\x1b[?25l") >= 0


@pytest.mark.parametrize(("elsewhere_s", "said"), [(float("inf"), ""), (1000.0, "1 of 3\n3 of 3\n")])
def test_in_a_file_it_is_rare_or_absent(capsys, elsewhere_s, said):
    line = ProgressLine(0.0, elsewhere_s)
    for i in (1, 2, 3):
        line.show(f"{i} of 3", i, 3, last=i == 3)
    line.end()
    assert capsys.readouterr().err == said


def test_it_is_silent_when_told(capsys):
    line = ProgressLine(0.0, 0.0, enabled=False)
    line.show("1 of 1", 1, 1, last=True)
    line.say("done")
    assert capsys.readouterr().err == ""

"""Options that would do nothing are refused, with the reason."""

from __future__ import annotations

import pytest

from neuript.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("view --after 3", "--after: leave out; it says when the picture"),
        ("dashboard --after 10", "--after: leave out; it says when the picture"),
        ("view --console --size 100x100", "--size: leave out; a terminal has its own"),
        ("dashboard --console --theme light", "--theme: leave out; a terminal has its own"),
        ("feedback --speed 0.5", "--speed: leave out; it is the cursor's"),
        ("feedback --task cursor --after 3", "--after: leave out; it says when the picture"),
        ("score a.xdf --recording a.xdf", "leave out --recording"),
    ],
)
def test_what_would_do_nothing_is_refused(words, message, capsys):
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err

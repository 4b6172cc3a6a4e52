"""`neuript simulate`: what it refuses, with which words and exit code, before anything is published."""

from __future__ import annotations

import pytest

from neuript.cli import main


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--montage", "no-such-cap"], "no-such-cap"),
        (["--skill", "1.2"], "skill"),
        (["--classes", "left_hand,third_hand"], "third_hand"),
        (["--sfreq", "20"], "100 to 20000"),
        (["--faults", "hole@3"], "unknown fault"),
        (["--faults", "flat:XX@3"], "XX"),
        (["--faults", "missing.yaml"], "missing.yaml"),
        (["--cap-shift", "5"], "three numbers"),
        (["--mains", "55"], "50 or 60"),
        (["--duration", "0"], "above zero"),
        (["--chunk", "0"], "chunk"),
        (["--seed", "-3"], "seed"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(options, words, capsys):
    assert main(["simulate", *options]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def test_help_lists_every_fault():
    from neuript.cli.simulate import build_parser
    from neuript.realtime.twin.faults import KINDS

    text = build_parser().format_help()
    for kind in KINDS.values():
        assert f"  {kind.name}" in text
        assert kind.does in text

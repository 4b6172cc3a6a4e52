"""Predicates for what the user asked; what liblsl makes of them is in the integration tests."""

from __future__ import annotations

import pytest
from processes import finished, python

from neuript.realtime.lsl.discovery import ANY_EEG, in_words, predicate_for, quoted


@pytest.mark.parametrize("text", ["", "plain", "it's", 'say "x"', "both ' and \"", "''\"'"])
def test_an_xpath_literal_says_the_text(text):
    literal = quoted(text)
    pieces = eval(f"[{literal.removeprefix('concat(').removesuffix(')')}]")  # such literals are Python's too
    assert "".join(pieces) == text


def test_the_predicate_holds_all_that_was_asked():
    assert predicate_for() == ANY_EEG
    assert predicate_for("type='EEG'", "x", 'a"b') == "(type='EEG') and name='x' and source_id='a\"b'"
    assert predicate_for(name="a'b\"c") == """name=concat('a', "'", 'b"c')"""


def test_every_process_asks_for_eeg_in_the_same_words():
    code = "from neuript.realtime.lsl.discovery import ANY_EEG; print(ANY_EEG)"
    said = {finished(python(code), env={"PYTHONHASHSEED": seed}, ok=True).stdout for seed in "01"}
    assert len(said) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "of type EEG or EXG"),
        ({"source_id": "amp-1"}, "that matches source_id='amp-1'"),
        ({"predicate": "type='EEG'"}, "that matches (type='EEG')"),
    ],
)
def test_a_person_reads_what_is_looked_for(asked, words):
    assert in_words(predicate_for(**asked)) == words

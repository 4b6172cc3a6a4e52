"""Predicates for what the user asked; what liblsl makes of them is in the integration tests."""

from __future__ import annotations

import pytest
from processes import finished, python

from neuript.errors import NeuriptError
from neuript.realtime.lsl.stream_choice import ANY_EEG, in_words, predicate_for, quoted, stream_predicate


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
    code = "from neuript.realtime.lsl.stream_choice import ANY_EEG; print(ANY_EEG)"
    said = {finished(python(code), env={"PYTHONHASHSEED": seed}, ok=True).stdout for seed in "01"}
    assert len(said) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "of type EEG or EXG"),
        ({"source_id": "amp-1"}, "with the source id 'amp-1'"),
        ({"predicate": "type='EEG'"}, "with the type 'EEG'"),
        ({"predicate": "OpenBCI"}, "with the name, source id or type 'OpenBCI'"),
        ({"predicate": "name=Open BCI"}, "with the name 'Open BCI'"),
        ({"predicate": "channel_count > 8"}, "that matches (channel_count > 8)"),
    ],
)
def test_a_person_reads_what_is_looked_for(asked, words):
    assert in_words(predicate_for(**asked)) == words


@pytest.mark.parametrize(
    ("written", "predicate"),
    [
        ("OpenBCI", "name='OpenBCI' or source_id='OpenBCI' or type='OpenBCI'"),
        ("Amp (left) it's", 'name="Amp (left) it\'s" or source_id="Amp (left) it\'s" or type="Amp (left) it\'s"'),
        ("name=My Amp", "name='My Amp'"),
        (" type = EEG ", "type='EEG'"),
        ("name='A=b' and type=\"EEG\"", "name='A=b' and type=\"EEG\""),
        ("contains(name,'Amp')", "contains(name,'Amp')"),
        ("channel_count > 8", "channel_count > 8"),
        ("'x' = name", "'x' = name"),
        ("name=concat('a', \"'\")", "name=concat('a', \"'\")"),
        ("not(starts-with(source_id, 'x'))", "not(starts-with(source_id, 'x'))"),
    ],
)
def test_a_plain_name_is_taken_beside_predicates(written, predicate):
    assert stream_predicate(written) == predicate


@pytest.mark.parametrize("text", ["name=", "name='My", "contains(name,'a'", "name=X and type='EEG'", ""])
def test_what_can_match_nothing_is_refused_at_once(text):
    with pytest.raises(NeuriptError, match=r"is not complete|is empty") as refusal:
        stream_predicate(text)
    assert "XPath" not in str(refusal.value)

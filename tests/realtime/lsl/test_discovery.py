"""Predicates for what the user asked; what liblsl makes of them is in the integration tests."""

from __future__ import annotations

import pytest

from neuript.realtime.lsl.discovery import ANY_EEG, predicate_for, quoted


@pytest.mark.parametrize("text", ["", "plain", "it's", 'say "x"', "both ' and \"", "''\"'"])
def test_an_xpath_literal_says_the_text(text):
    literal = quoted(text)
    pieces = eval(f"[{literal.removeprefix('concat(').removesuffix(')')}]")  # such literals are Python's too
    assert "".join(pieces) == text


def test_the_predicate_holds_all_that_was_asked():
    assert predicate_for() == ANY_EEG
    assert predicate_for("type='EEG'", "x", 'a"b') == "(type='EEG') and name='x' and source_id='a\"b'"
    assert predicate_for(name="a'b\"c") == """name=concat('a', "'", 'b"c')"""

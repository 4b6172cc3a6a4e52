"""Dataclasses from plain values and back: exact, strict, and refused by field, what arrived and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuript import specs
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.network.config import NetworkConfig
from neuript.network.pretext.pretrainer import PretrainSpec
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec
from neuript.specs import MaybeInfinite, changed, check_types, from_dict, require, to_dict
from neuript.training.corpus.recipe import RECIPES
from neuript.training.evaluate.svm_probe import ProbeSpec
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.supervised import SupervisedSpec
from neuript.training.pretrain.run_settings import PretrainRun


@dataclass(frozen=True, kw_only=True)
class Inner:
    share: float = 0.5

    def __post_init__(self) -> None:
        check_types(self, ValueError)
        require(0 <= self.share <= 1, self, "share", "in [0, 1]", ValueError)


@dataclass(frozen=True, kw_only=True)
class Outer:
    flag: bool
    count: int
    size: float = 1.0
    name: str | None = None
    kind: Literal["a", "b"] = "a"
    level: Literal[1, 2] = 1
    names: tuple[str, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    matrix: tuple[tuple[float, ...], ...] | None = None
    mixed: tuple[float | str, ...] = ()
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)
    anything: Mapping[str, Any] = field(default_factory=dict)
    inner: Inner | None = None
    speed: MaybeInfinite = math.inf

    def __post_init__(self) -> None:
        check_types(self)


GOOD: dict[str, Any] = {"flag": True, "count": 3}
numbers = st.floats(allow_nan=False, allow_infinity=False)
outers = st.builds(
    Outer,
    flag=st.booleans(),
    count=st.integers(),
    size=numbers,
    name=st.none() | st.text(),
    kind=st.sampled_from(["a", "b"]),
    level=st.sampled_from([1, 2]),
    names=st.lists(st.text()).map(tuple),
    pair=st.tuples(numbers, numbers),
    matrix=st.none() | st.lists(st.lists(numbers).map(tuple)).map(tuple),
    mixed=st.lists(numbers | st.text()).map(tuple),
    groups=st.dictionaries(st.text(), st.lists(st.integers()).map(tuple)),
    anything=st.dictionaries(st.text(), st.integers() | st.lists(st.text())),
    inner=st.none() | st.builds(Inner, share=st.floats(0, 1)),
    speed=numbers,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(outers)
def test_what_goes_through_json_comes_back_the_same(outer):
    text = json.dumps(to_dict(outer), allow_nan=False)
    again = from_dict(Outer, json.loads(text), "it", complete=True)
    assert again == outer
    assert [type(getattr(again, f.name)) for f in fields(Outer)] == [
        type(getattr(outer, f.name)) for f in fields(Outer)
    ]


def test_an_unknown_field_of_any_name_keeps_the_message_on_one_line():
    with pytest.raises(NeuriptError, match=r"unknown field '\\n'; known are") as refusal:
        from_dict(Outer, GOOD | {"\n": None}, "the table")
    assert "\n" not in str(refusal.value)


@given(st.sampled_from([f.name for f in fields(Outer)]), json_values)
def test_any_value_in_any_field_is_taken_or_refused_by_its_name(name, value):
    try:
        outer = from_dict(Outer, GOOD | {name: value}, "the table")
    except NeuriptError as refusal:
        assert str(refusal).startswith(f"the table: {name}")  # noqa: PT017
        assert "\n" not in str(refusal)  # noqa: PT017
        return
    assert from_dict(Outer, to_dict(outer), "it") == outer


@pytest.mark.parametrize(
    "spec",
    [
        NetworkConfig(n_outputs=3, merges=(4, 1), experts=(0, 2), class_layers=1),
        PretrainSpec(ratios=(0.5,), decoder_scales=(0, 2)),
        PreprocessSpec(mains_hz=60.0, alignment=AlignmentSpec(signal_band_hz=(1, 30))),
        PolicySpec(idle_class="rest"),
        PretrainRun(epochs=2, overrides={"merges": [4, 1]}, spec={"span": 4}),
        SupervisedSpec(augment=AugmentSpec(polarity=0.1)),
        ProbeSpec(),
        *RECIPES.values(),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_every_specification_of_the_house_comes_back_the_same(spec):
    again = from_dict(type(spec), json.loads(json.dumps(to_dict(spec), allow_nan=False)), "it", complete=True)
    assert again == spec
    with pytest.raises(NeuriptError, match="it: unknown field surprise; known are "):
        from_dict(type(spec), to_dict(spec) | {"surprise": 1}, "it")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"flag": 1}, "it: flag=1 must be true or false"),
        ({"flag": None}, "it: flag=None must be true or false"),
        ({"count": True}, "it: count=True must be a whole number"),
        ({"count": 3.0}, "it: count=3.0 must be a whole number"),
        ({"count": "3"}, "it: count='3' must be a whole number"),
        ({"size": False}, "it: size=False must be a finite number"),
        ({"size": math.nan}, "it: size=nan must be a finite number"),
        ({"size": math.inf}, "it: size=inf must be a finite number"),
        ({"size": "1"}, "it: size='1' must be a finite number"),
        ({"speed": math.nan}, "it: speed=nan must be a number"),
        ({"speed": -math.inf}, "it: speed=-inf must be a number"),
        ({"name": 7}, "it: name=7 must be text or None"),
        ({"kind": "c"}, "it: kind='c' must be a or b"),
        ({"kind": ["a"]}, "it: kind=['a'] must be a or b"),
        ({"names": "abc"}, "it: names='abc' must be a list of texts"),
        ({"names": ["a", 1]}, "it: names=['a', 1] must be a list of texts"),
        ({"pair": [1.0]}, "it: pair=[1.0] must be a list of two finite numbers"),
        ({"matrix": [1.0]}, "it: matrix=[1.0] must be a list of lists of finite numbers or None"),
        ({"mixed": [None]}, "it: mixed=[None] must be a list of finite numbers or texts"),
        ({"groups": {"a": [0.5]}}, "it: groups={'a': [0.5]} must be a table of lists of whole numbers"),
        ({"groups": {1: []}}, "it: groups={1: []} must be a table of lists of whole numbers"),
        ({"anything": []}, "it: anything=[] must be a table"),
        ({"inner": 1}, "it: inner=1 must be a table or None"),
        ({"inner": {"share": 2}}, "it: inner: Inner: share=2.0 must be in [0, 1]"),
        ({"inner": {"chair": 2}}, "it: inner: Inner: unknown field chair; known are share"),
        ({"inner": {"share": "x"}}, "it: inner: Inner: share='x' must be a finite number"),
        ({"colour": 1, "shape": 2}, None),
    ],
)
def test_a_refusal_names_the_field_what_arrived_and_what_is_allowed(given, sentence):
    with pytest.raises(NeuriptError) as refusal:
        from_dict(Outer, GOOD | given, "it")
    known = ", ".join(f.name for f in fields(Outer))
    assert str(refusal.value) == (sentence or f"it: unknown fields colour, shape; known are {known}")


def test_what_is_missing_is_named():
    with pytest.raises(NeuriptError, match=r"^it lacks the fields flag, count$"):
        from_dict(Outer, {}, "it")
    with pytest.raises(NeuriptError, match=r"^it lacks the fields size, name, "):
        from_dict(Outer, GOOD, "it", complete=True)
    with pytest.raises(NeuriptError, match=r"^it must be a table, not \[1\]$"):
        from_dict(Outer, [1], "it")


def test_the_error_is_the_one_that_the_caller_wants():
    for error in (ModelRefusedError, ValueError):
        for values in ({"share": 2}, {"share": "x"}, {"chair": 1}):
            with pytest.raises(error, match=r"^the file: "):
                from_dict(Inner, values, "the file", error=error)


def test_the_constructor_is_as_strict_and_takes_lists_and_numpy():
    outer = Outer(flag=True, count=np.int64(3), size=np.float32(0.5), names=["a"], inner={"share": 1})
    assert (outer.count, outer.size, outer.names, outer.inner) == (3, 0.5, ("a",), Inner(share=1.0))
    assert [type(v) for v in (outer.count, outer.size)] == [int, float]
    with pytest.raises(NeuriptError, match=r"^count='3' must be a whole number$"):
        Outer(flag=True, count="3")


def test_a_copy_with_changes_is_checked_and_leaves_the_first_alone():
    first = Outer(flag=True, count=1)
    second = changed(first, {"count": 2, "names": ["a"]}, "--set", fixed=("flag",))
    assert (first.count, second.count, second.flag, second.names) == (1, 2, True, ("a",))
    with pytest.raises(NeuriptError, match=r"^--set: unknown field flag; known are count, "):
        changed(first, {"flag": False}, "--set", fixed=("flag",))
    with pytest.raises(NeuriptError, match=r"^--set: count=None must be a whole number$"):
        changed(first, {"count": None}, "--set")


def test_tables_are_not_shared_with_who_gave_them():
    table = {"a": 1}
    outer = Outer(flag=True, count=1, anything=table)
    table["a"] = 2
    assert outer.anything == {"a": 1}


def test_a_long_value_is_cut():
    assert specs.short("x" * 500) == f"'{'x' * 76}..."
    assert specs.short(1.5) == "1.5"

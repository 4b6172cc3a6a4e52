"""YAML of strangers: what is read as always, and what is refused before anything is built of it."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
import yaml

from neuript.errors import NeuriptError
from neuript.strict_yaml import MAX_YAML_BYTES, parse_yaml, read_yaml

RIGHT = """\
a: 1
b: [x, 2.5, true, null, ~, 1e3, 0x1f, "7 70", 2026-12-01]
c: &base {d: é, e: -.inf}
f: *base
g: {<<: *base, d: 2}
"""


def test_what_is_right_is_what_yaml_says() -> None:
    values = parse_yaml(RIGHT, "x")
    assert values == yaml.safe_load(RIGHT)
    assert values["b"][-1] == datetime.date(2026, 12, 1)
    assert parse_yaml("", "x") is None


NINE = "\n".join(["- &a0 [x,x,x,x,x,x,x,x,x]", *(f"- &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NINE, "with its aliases it holds more than 50000 values"),
        ("a: &a [*a]", "line 1: an alias stands inside what it names"),
        ("a: &a {b: *a}", "an alias stands inside what it names"),
        ("[" * 100_000, "nest"),
        ("[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("- x\n" * 200_000, "holds more than 50000 values"),
        ("x" * (MAX_YAML_BYTES + 1), "larger than 1000000 bytes"),
        ("a: " + "9" * 5000, "line 1: the number 99999999999999999999... has 5000 characters"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' is given twice"),
        ("!!python/object/apply:os.system [true]", "not valid YAML"),
        ("a: 2024-13-45", "not valid YAML"),
        ("!!timestamp x", "not valid YAML"),
        ("? [1]\n: 2", "not valid YAML"),
        ("a: \x1b[2J", "not valid YAML"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    began = time.process_time()
    with pytest.raises(NeuriptError) as caught:
        parse_yaml(text, "my.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("my.yaml")
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 5


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(tmp_path / "bom.yaml", "x") == {"a": 1}
    for name, words in {"latin.yaml": "UTF-8", "none.yaml": "check the path", ".": "cannot be read"}.items():
        with pytest.raises(NeuriptError, match=words):
            read_yaml(tmp_path / name, "x")

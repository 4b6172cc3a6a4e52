"""YAML that a stranger may have written: bounded before anything is built of it, one sentence when it is refused.

A few hundred bytes of YAML can ask for any amount of memory, since an alias stands for all that it names, and may
even name what it stands in. So the text is first parsed into nodes, which costs what its bytes cost, and the nodes are
counted as they would be built.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.foreign import one_line

MAX_YAML_BYTES = 1_000_000
MAX_YAML_NODES = 50_000
"""Values, keys, lists and tables, each counted as often as its aliases repeat it."""
MAX_YAML_DEPTH = 32
MAX_NUMBER_LENGTH = 100
"""Characters of a number; Python needs a second for one of a million digits."""

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read_yaml(path: str | Path, what: str) -> Any:
    """Read a YAML file; the arguments and errors are those of `parse_yaml`, and those of a file that cannot be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_YAML_BYTES + 1)
        if len(data) > MAX_YAML_BYTES:
            raise NeuriptError(f"{what} is larger than {MAX_YAML_BYTES} bytes, the most that is read")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise NeuriptError(f"{what} cannot be read: {error.strerror or error}; check the path") from error
    except UnicodeDecodeError as error:
        raise NeuriptError(f"{what} cannot be read as UTF-8 text ({error}); save it as such") from error
    return parse_yaml(text, what)


def parse_yaml(text: str, what: str) -> Any:
    """Return the plain values of a YAML text: tables, lists, texts, numbers, dates, true, false and null.

    Parameters
    ----------
    text : str
        The YAML.
    what : str
        What to call it in messages, as in `--config my.yaml`.

    Raises
    ------
    NeuriptError
        If it is no YAML, gives a key twice, or is larger than `MAX_YAML_BYTES`, `MAX_YAML_NODES` or `MAX_YAML_DEPTH`.
    """
    import yaml

    if len(text) > MAX_YAML_BYTES:
        raise NeuriptError(f"{what} is larger than {MAX_YAML_BYTES} bytes, the most that is read")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast
    try:
        _check_size(yaml.parse(text, Loader=loader), what)
        _Nodes(what).count(yaml.compose(text, Loader=loader))
        return yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise NeuriptError(f"{what}{line}: not valid YAML: {one_line(error.problem)}") from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, OverflowError, AttributeError, LookupError) as error:
        raise NeuriptError(f"{what}: not valid YAML: {one_line(error)}") from error


def _check_size(events: Iterable[Any], what: str) -> None:
    """Refuse what is nested too deeply or holds too much, before anything is built of it."""
    depth = 0
    for n, event in enumerate(events):
        name = type(event).__name__
        depth += name.endswith(("SequenceStartEvent", "MappingStartEvent")) - name.endswith(
            ("SequenceEndEvent", "MappingEndEvent")
        )
        if depth > MAX_YAML_DEPTH:
            line = event.start_mark.line + 1
            raise NeuriptError(f"{what} line {line}: nested deeper than {MAX_YAML_DEPTH} levels")
        if n > 2 * MAX_YAML_NODES:
            raise NeuriptError(f"{what} holds more than {MAX_YAML_NODES} values, the most that is read")


class _Nodes:
    """Counts nodes as they would be built, each alias as all that it names."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._sizes: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def count(self, node: Any) -> tuple[int, int]:
        """Return the number of values under a node, itself with them, and the levels."""
        if node is None:
            return 0, 0
        if isinstance(node.value, str):
            self._check_number(node)
            return 1, 1
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise self._wrong(node, "an alias stands inside what it names")
        self._open.add(id(node))
        n_values, depth, keys = 1, 0, set()
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                n_part, deep = self.count(part)
                n_values, depth = n_values + n_part, max(depth, deep)
            if isinstance(item, tuple) and isinstance(item[0].value, str):
                if item[0].value in keys:
                    raise self._wrong(item[0], f"{one_line(repr(item[0].value))} is given twice")
                keys.add(item[0].value)
        self._open.remove(id(node))
        if n_values > MAX_YAML_NODES or depth >= MAX_YAML_DEPTH:
            raise self._wrong(
                node, f"with its aliases it holds more than {MAX_YAML_NODES} values or {MAX_YAML_DEPTH} levels"
            )
        self._sizes[id(node)] = n_values, depth + 1
        return n_values, depth + 1

    def _check_number(self, node: Any) -> None:
        if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER_LENGTH:
            raise self._wrong(node, f"the number {node.value[:20]}... has {len(node.value)} characters")

    def _wrong(self, node: Any, why: str) -> NeuriptError:
        return NeuriptError(f"{self._what} line {node.start_mark.line + 1}: {why}")

"""Settings and records as dataclasses: one strict way in from plain values, one way out, one sentence of refusal.

Plain values are what JSON and YAML give. The annotations of a dataclass say what each field takes: `bool`, `int`,
`float`, `str`, `Literal`, lists as `tuple[...]`, tables as `dict[...]`, dataclasses in dataclasses, `X | None`, `Any`.
Nothing is guessed: true is no number, 1.0 is no whole number, "1" is no number, NaN is none either. A whole number is
taken where any number is, and becomes a float.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Spec = TypeVar("Spec", bound=DataclassInstance)

MaybeInfinite = Annotated[float, "may be infinite"]
"""A number for which infinity has a meaning."""
_LONGEST = 80
_SINGULAR = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text", NoneType: "None"}
_PLURAL = {bool: "true or false", int: "whole numbers", float: "finite numbers", str: "texts", dict: "tables"}
_NUMBER_WORDS = {2: "two", 3: "three", 4: "four"}


def require(ok: bool, spec: DataclassInstance, name: str, allowed: str, error: type[Exception] = NeuriptError) -> None:
    """Raise `error` with the field's name, what it holds and what is `allowed`, unless `ok`."""
    if not ok:
        raise error(f"{name}={short(getattr(spec, name))} must be {allowed}")


def check_types(spec: DataclassInstance, error: type[Exception] = NeuriptError) -> None:
    """Give every field the type that its annotation says, or raise `error`; the first line of a `__post_init__`.

    Lists become tuples, whole numbers floats, tables in the place of a dataclass that dataclass.
    """
    for name, hint in _hints(type(spec)).items():
        object.__setattr__(spec, name, _field(hint, getattr(spec, name), name, error))


def from_dict(
    cls: type[Spec],
    values: Mapping[str, Any],
    what: str,
    *,
    error: type[Exception] = NeuriptError,
    complete: bool = False,
) -> Spec:
    """Build a dataclass from plain values.

    Parameters
    ----------
    cls : type
        The dataclass to build.
    values : mapping of str to Any
        Field names and their plain values, as JSON and YAML give them.
    what : str
        What the values are, for the sentence of a refusal: "the manifest".
    error : type of exception
        Class of the exception that is raised, `NeuriptError` by default; the dataclass's own ValueError and TypeError
        are turned into it.
    complete : bool
        True asks for the fields with defaults as well: a file that says less was not written by us.

    Raises
    ------
    NeuriptError, or the class given as `error`
        If `values` is no table, has keys that are no fields, lacks fields, or holds a value that its field does not
        take.
    """
    check_keys(cls, values, what, error=error, complete=complete)
    hints = _hints(cls)
    typed = {name: _field(hints[name], value, f"{what}: {name}", error) for name, value in values.items()}
    try:
        return cls(**typed)
    except (TypeError, ValueError) as refusal:
        raise error(f"{what}: {refusal}") from refusal


def changed(spec: Spec, values: Mapping[str, Any], what: str, *, fixed: Collection[str] = ()) -> Spec:
    """Return a copy with some fields replaced by plain values; `fixed` names fields that may not be.

    Raises
    ------
    NeuriptError
        If `values` names a field that is unknown or fixed, or holds a value that its field does not take.
    """
    check_keys(type(spec), values, what, fixed=fixed, partial=True)
    return from_dict(type(spec), {f.name: getattr(spec, f.name) for f in fields(spec)} | dict(values), what)


def check_keys(
    cls: type[DataclassInstance],
    values: Mapping[str, Any],
    what: str,
    *,
    error: type[Exception] = NeuriptError,
    complete: bool = False,
    partial: bool = False,
    fixed: Collection[str] = (),
) -> None:
    """Raise `error` where `values` is no table, or has keys that are no fields, or lacks fields.

    Fields without a default must be there; `complete` asks for all, `partial` for none.
    """
    if not isinstance(values, Mapping):
        raise error(f"{what} must be a table, not {short(values)}")
    known = [f for f in fields(cls) if f.init and f.name not in fixed]
    if unknown := sorted(map(_named, set(values) - {f.name for f in known})):
        names = ", ".join(f.name for f in known)
        raise error(f"{what}: unknown {_fields(unknown)}; known are {names}")
    if missing := [f.name for f in known if not partial and f.name not in values and (complete or _is_required(f))]:
        raise error(f"{what} lacks the {_fields(missing)}")


def to_dict(spec: DataclassInstance) -> dict[str, Any]:
    """Return the fields as plain values: tuples as lists, dataclasses as tables; `from_dict` is the inverse."""
    return {f.name: _plain(getattr(spec, f.name)) for f in fields(spec)}


def short(value: object) -> str:
    """Return a value as the text of a message, cut to one line."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


class _UnfitError(Exception):
    """A value is not of the type of its annotation."""


class _NestedError(Exception):
    """A dataclass in a dataclass is refused; it holds the sentence."""


@cache
def _hints(cls: type[DataclassInstance]) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls)}


def _field(hint: Any, value: Any, name: str, error: type[Exception]) -> Any:
    try:
        return _read(hint, value)
    except _UnfitError:
        raise error(f"{name}={short(value)} must be {_words(hint)}") from None
    except _NestedError as inside:
        raise error(f"{name}: {inside}") from inside


def _read(hint: Any, value: Any) -> Any:
    """Return `value` as the type `hint`."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if hint is MaybeInfinite:
        return value if value == math.inf else _number(value)
    if origin in (Union, UnionType):
        return _first_fit(args, value)
    if origin is Literal:
        return _fit(value, isinstance(value, str | int) and value in args)
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, Mapping):
        return from_dict(hint, value, hint.__name__, error=_NestedError)
    kind = origin or hint
    if kind in _READERS:
        return _READERS[kind](value, args)
    return _fit(value, isinstance(value, kind))


def _first_fit(hints: Iterable[Any], value: Any) -> Any:
    for hint in hints:
        try:
            return _read(hint, value)
        except _UnfitError:
            continue
    raise _UnfitError


def _fit(value: Any, ok: bool) -> Any:
    if not ok:
        raise _UnfitError
    return value


def _number(value: Any) -> float:
    _fit(value, isinstance(value, Real) and not isinstance(value, bool))
    try:
        return float(_fit(value, math.isfinite(value)))
    except OverflowError:
        raise _UnfitError from None


def _whole(value: Any) -> int:
    return int(_fit(value, isinstance(value, Integral) and not isinstance(value, bool)))


def _tuple(value: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    items = tuple(_fit(value, isinstance(value, list | tuple)))
    if args[-1:] == (...,):
        return tuple(_read(args[0], item) for item in items)
    _fit(items, len(items) == len(args))
    return tuple(_read(hint, item) for hint, item in zip(args, items, strict=True))


def _table(value: Any, args: tuple[Any, ...]) -> dict[Any, Any]:
    of_key, of_item = args or (str, Any)
    items = _fit(value, isinstance(value, Mapping)).items()
    return {_read(of_key, key): _read(of_item, item) for key, item in items}


_READERS: dict[Any, Any] = {
    bool: lambda value, _: _fit(value, isinstance(value, bool)),
    int: lambda value, _: _whole(value),
    float: lambda value, _: _number(value),
    str: lambda value, _: _fit(value, isinstance(value, str)),
    NoneType: lambda value, _: _fit(value, value is None),
    tuple: _tuple,
    dict: _table,
    Mapping: _table,
}


def _words(hint: Any) -> str:
    """Say what a type allows."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_words(arg) for arg in args)
    if origin is Literal:
        return " or ".join(filter(None, [", ".join(map(str, args[:-1])), str(args[-1])]))
    if origin is Annotated:
        return "a number"
    if origin in (tuple, dict, Mapping) or hint is dict:
        return f"a {_collection(hint)}"
    return _SINGULAR.get(hint, "a table" if is_dataclass(hint) else f"of the type {getattr(hint, '__name__', hint)}")


def _collection(hint: Any, plural: str = "") -> str:
    """Say what a list or table holds: "list of whole numbers", "table of texts"."""
    origin, args = get_origin(hint), get_args(hint)
    noun = "list" if origin is tuple else "table"
    if not args or args[-1] is Any:
        return f"{noun}{plural}"
    if noun == "table" or args[-1] is ...:
        return f"{noun}{plural} of {_several(args[-1 if noun == 'table' else 0])}"
    return f"{noun}{plural} of {_NUMBER_WORDS.get(len(args), len(args))} {_several(args[0])}"


def _several(hint: Any) -> str:
    if get_origin(hint) in (tuple, dict, Mapping):
        return _collection(hint, "s")
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_several(arg) for arg in get_args(hint))
    return _PLURAL.get(hint) or _words(hint)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _named(key: object) -> str:
    """Return a key as it is written, or quoted where it would break the line of a message."""
    return key if isinstance(key, str) and key.isidentifier() else short(key)


def _fields(names: Collection[str]) -> str:
    return f"field{'s' if len(names) > 1 else ''} {', '.join(names)[:200]}"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

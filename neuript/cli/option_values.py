"""What stands behind an option, read: lists, numbers, names with values. Each is refused with the option's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuript.errors import NeuriptError


def words(text: str | None) -> tuple[str, ...]:
    """Split a comma-separated list."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Split a comma-separated list of numbers."""
    try:
        return tuple(float(word) for word in words(text))
    except ValueError:
        raise NeuriptError(f"{option} {text!r} must be numbers joined by commas") from None


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Split a comma-separated list of whole numbers."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise NeuriptError(f"{option} {text!r} must be whole numbers joined by commas, such as 0,1,2") from None


def some_of(option: str, text: str | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """Choose by a comma-separated list of names, all without one; in the order of `allowed`."""
    if text is None:
        return tuple(allowed)
    names = words(text)
    if not names or not set(names) <= set(allowed):
        raise NeuriptError(f"{option} {text!r} must be some of {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def named_values(texts: Sequence[str], option: str) -> dict[str, str]:
    """Read NAME=VALUE, each name once."""
    values: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value:
            raise NeuriptError(f'{option} {text!r} must be NAME=VALUE, such as words="think of words"')
        if name in values:
            raise NeuriptError(f"{option} names {name} twice; give each once")
        values[name] = value
    return values


def named_folders(texts: Sequence[str], option: str = "--data") -> dict[str, Path]:
    """Read NAME=DIR, each name once."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, sign, folder = text.partition("=")
        if not sign or not name or not folder:
            raise NeuriptError(f"{option} {text!r} must be NAME=DIR, such as mental-arithmetic=eegmat")
        if name in folders:
            raise NeuriptError(f"{option} names {name} twice; give each data set once")
        folders[name] = Path(folder)
    return folders

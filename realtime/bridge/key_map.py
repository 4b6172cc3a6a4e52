"""Which key stands for which class, and how long it is down. Pure: times are arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from string import ascii_lowercase, digits
from types import MappingProxyType

from neuript.errors import NeuriptError

KEYS = MappingProxyType(
    {
        **{name: (name.capitalize(), name) for name in ("left", "right", "up", "down", "home", "end", "tab")},
        "space": ("space", "space"),
        "enter": ("Return", "enter"),
        "esc": ("Escape", "esc"),
        "backspace": ("BackSpace", "backspace"),
        "page_up": ("Prior", "page_up"),
        "page_down": ("Next", "page_down"),
        **{f"f{n}": (f"F{n}", f"f{n}") for n in range(1, 13)},
        **{character: (character, character) for character in ascii_lowercase + digits},
    }
)
"""Name of each key that can be pressed, to its name in X11 and in pynput."""
TAP_S = 0.08
"""Seconds for which a tapped key is down: games look 30 to 60 times per second."""
MOST_HOLD_S = 10.0
"""Longest that any key may be held, in seconds."""


def read_keys(text: str) -> dict[str, str]:
    """Read CLASS=KEY,... into a key for each class.

    Raises
    ------
    NeuriptError
        If a part is no CLASS=KEY, a class comes twice, or there is no such key.
    """
    keys: dict[str, str] = {}
    for part in text.split(","):
        name, sign, key = (word.strip() for word in part.partition("="))
        if not (name and sign and key):
            raise NeuriptError(f"--keys {text!r} must be CLASS=KEY,..., such as left_hand=left,right_hand=right")
        if name in keys:
            raise NeuriptError(f"--keys names the class {name} twice; give each class one key")
        if key not in KEYS:
            words = ", ".join(k for k in KEYS if len(k) > 1)
            raise NeuriptError(f"--keys: there is no key {key!r}; there are {words}, a to z and 0 to 9")
        keys[name] = key
    return keys


def check_classes(keys: Iterable[str], classes: Iterable[str], idle_class: str | None) -> None:
    """Refuse keys for classes that a decoder never commands.

    Raises
    ------
    NeuriptError
        If there is one.
    """
    commanded = [name for name in classes if name != idle_class]
    for name in keys:
        if name not in commanded:
            why = "is its class for no command" if name == idle_class else "is none of its classes"
            raise NeuriptError(f"--keys: {name} {why}; this decoder commands {', '.join(commanded)}")


class DownKeys:
    """Keys that are down, each until a moment of its own.

    Parameters
    ----------
    press, release : callable
        Functions that move a key by its name.
    """

    def __init__(self, press: Callable[[str], None], release: Callable[[str], None]) -> None:
        self._press, self._release = press, release
        self._until: dict[str, float] = {}

    def down(self, key: str, for_s: float, now: float) -> None:
        """Press a key for at most so many seconds; one that is down is let go first."""
        self.up(key)
        self._until[key] = now + min(for_s, MOST_HOLD_S)
        self._press(key)

    def up(self, key: str) -> None:
        """Let a key go, if it is down."""
        if key in self._until:
            self._release(key)
            del self._until[key]

    def up_all(self) -> None:
        """Let every key go, also where another one cannot be."""
        failed: Exception | None = None
        for key in list(self._until):
            try:
                self.up(key)
            except Exception as error:  # noqa: BLE001 - the other keys must come up
                failed = error
        if failed is not None:
            raise failed

    def tick(self, now: float) -> float | None:
        """Let go what has been down for long enough; return the seconds until the next one, None where none is down."""
        for key in [key for key, until in self._until.items() if until <= now]:
            self.up(key)
        return min((until - now for until in self._until.values()), default=None)

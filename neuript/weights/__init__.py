"""Weights of our own runs, shipped with the package; each has a model card beside it."""

from __future__ import annotations

from pathlib import Path

from neuript.errors import NeuriptError

SHIPPED_POPULATION = Path(__file__).parent / "imagery-rest.safetensors"
"""Six people who imagined a movement of the dominant hand or rested (`MODEL_CARD.md`)."""
SHIPPED = "shipped"
"""Name of it on the command line."""
_WHERE_FROM = (
    f"`neuript-train population` makes one, and `--population {SHIPPED}` is the one that comes with neuript (imagery "
    "of a hand movement against rest)"
)


def population_file(name: str) -> Path:
    """Return the file of a population: one of `neuript-train population`, or the shipped one for "shipped".

    Raises
    ------
    NeuriptError
        If there is no such file, or its ending says that it is something else.
    """
    path = SHIPPED_POPULATION if name == SHIPPED else Path(name)
    if not path.is_file():
        raise NeuriptError(f"--population {name} is no file; {_WHERE_FROM}")
    if path.suffix != SHIPPED_POPULATION.suffix:
        raise NeuriptError(
            f"--population {name} does not end in {SHIPPED_POPULATION.suffix}, so it is no population of earlier "
            f"people; {_WHERE_FROM}"
        )
    return path

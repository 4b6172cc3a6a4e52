"""The packages of the extra `bids`, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from neuript.errors import NeuriptError


def of_bids(module: str) -> ModuleType:
    """Import a module of the extra.

    Raises
    ------
    NeuriptError
        If it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise NeuriptError(f'a BIDS data set needs the package {package}: pip install "neuript[bids]"') from error

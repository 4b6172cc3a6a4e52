"""Packages of an extra, imported where they are used; a missing one is named with what installs it."""

from __future__ import annotations

import importlib
from types import ModuleType

from neuript.errors import NeuriptError


def of_extra(extra: str, module: str, what: str) -> ModuleType:
    """Import a module of an extra.

    Parameters
    ----------
    extra : str
        Name of the extra in the package's metadata, such as `bridge`.
    module : str
        Full name of the module.
    what : str
        What needs it, at the beginning of the sentence: an option, or a thing.

    Raises
    ------
    NeuriptError
        If it is not installed; the message names the package and the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise NeuriptError(f'{what} needs the package {package}: pip install "neuript[{extra}]"') from error

"""Which recordings are whose: folders and files on the command line to people by alias."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.training.corpus.scan import ScanOptions, require_people, scan

_ALIAS = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]*")


def people_of(sources: Sequence[str], options: ScanOptions | None = None) -> dict[str, list[Path]]:
    """Return the recordings of each person in order of their names, keyed by alias.

    Parameters
    ----------
    sources : sequence of str
        Folders of several people, who are told apart by their paths (BIDS `sub-...`, else the first folder below), or
        `ALIAS=PATH` for the recordings of one: a file, a folder, or several joined by commas.
    options : ScanOptions, optional
        Which files and people of the folders to take.

    Raises
    ------
    NeuriptError
        If a path is not there or holds no recordings, an alias comes twice or cannot be one, a pattern of people to
        leave out fits nobody, or there is nobody.
    """
    options = options or ScanOptions()
    people: dict[str, list[Path]] = {}
    without: set[str] = set()
    for source in sources:
        alias, sign, paths = source.partition("=")
        if sign and not Path(source).exists():
            if not _ALIAS.fullmatch(alias) or not paths:
                raise NeuriptError(f"{source}: write ALIAS=PATH, with letters, digits, '-', '_' and '.' in the alias")
            scanned = [scan(path, options) for path in paths.split(",")]
            files = [file.path for mine, _ in scanned for file in mine]
            left_out = not files or any(fnmatchcase(alias, pattern) for pattern in options.exclude_subjects)
            found = {} if left_out else {alias: files}
            without.update({alias, *(subject for _, excluded in scanned for subject in excluded)} if left_out else ())
        else:
            found = {}
            files_of_all, excluded = scan(source, options)
            without.update(excluded)
            for file in files_of_all:
                found.setdefault(file.subject.rpartition("/")[2], []).append(file.path)
        for name, mine in found.items():
            if name in people:
                raise NeuriptError(
                    f"two people are called {name} (the second one in {source}); give each an alias of their own, as "
                    "ALIAS=PATH, and all recordings of one person together, joined by commas"
                )
            people[name] = mine
    require_people(options.exclude_subjects, {*people, *without}, "--exclude-people")
    if not people:
        raise NeuriptError("the folders hold recordings of nobody; give folders of recordings, or ALIAS=PATH")
    return people

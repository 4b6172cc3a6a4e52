"""What a report may be called; cheap, so that a wrong name is refused before anything is calibrated."""

from __future__ import annotations

from pathlib import Path

from neuript.errors import NeuriptError


def report_suffix(path: str | Path) -> str:
    """Return `.html` or `.json`, by the name of a report.

    Raises
    ------
    NeuriptError
        For any other name.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".json"):
        raise NeuriptError(
            f"the report {path} ends in neither .html (a page with pictures) nor .json (the figures); name it for "
            "example report.html"
        )
    return suffix

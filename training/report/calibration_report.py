"""`neuript.report`: what is to be known of a calibration, as a page for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.files import PRIVATE_FILE, write_atomically
from neuript.training.report.report_paths import report_suffix

if TYPE_CHECKING:
    from neuript.training.calibration.to_model import CalibrationResult


def report(
    result: CalibrationResult, *paths: str | Path, n_earlier: int = 0, cue_windows: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Write what a calibration measured on trials that it had not learnt from.

    The page is one file with its pictures inside: it needs no network and no folder beside it.

    Parameters
    ----------
    result : CalibrationResult
        As `neuript.calibrate` returned it.
    *paths : str or Path
        Files to write, `NAME.html` for the page and `NAME.json` for the figures; none only returns the figures.
    n_earlier : int
        Number of recordings, the first ones, that are of earlier days: what is said of today leaves them out.
    cue_windows : sequence of mapping of str to Any
        What the cue windows of a guided session measured of their frames, as its journal has it.

    Returns
    -------
    dict of str to Any
        The figures, as they stand in the JSON (`docs/report.md`).

    Raises
    ------
    NeuriptError
        If a name ends in something else, or a file cannot be written.

    Examples
    --------
    >>> result = neuript.calibrate(["run2.xdf", "run3.xdf"], spec)  # doctest: +SKIP
    >>> neuript.report(result, "report.html", "report.json")  # doctest: +SKIP
    """
    from neuript.training.report.report_figures import report_figures

    suffixes = [report_suffix(path) for path in paths]
    figures = report_figures(result, n_earlier=n_earlier, cue_windows=cue_windows)
    page = _page(result, figures) if ".html" in suffixes else ""
    for path, suffix in zip(paths, suffixes, strict=True):
        text = page if suffix == ".html" else json.dumps(figures, indent=1, allow_nan=False) + "\n"
        write_atomically(path, text.encode(), mode=PRIVATE_FILE)
    return figures


def _page(result: CalibrationResult, figures: dict[str, Any]) -> str:
    from neuript.training.report.report_page import report_page
    from neuript.training.report.report_pictures import report_pictures

    assert result.grounds is not None
    return report_page(figures, report_pictures(figures, result.grounds.data.montage))

"""The report: one self-contained page, the figures beside it, and the numbers as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript import __version__
from neuript.errors import NeuriptError
from neuript.files import json_safe, write_atomically, write_json

if TYPE_CHECKING:
    from neuript.training.pictures.make import Section

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .3rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; font-weight: normal; }
th { opacity: .65; } figure { margin: 1rem 0 2rem; }
img { width: 100%; height: auto; background: white; border-radius: 4px; }
figcaption { font-size: .9rem; opacity: .85; margin-top: .4rem; } .note { opacity: .8; }
"""


def write_report(
    out: str | Path,
    sections: Sequence[Section],
    *,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write report.html, the figures and numbers.json into a folder.

    Parameters
    ----------
    out : str or Path
        Folder of the report; made if it is not there. Files of these names are replaced.
    sections : sequence of Section
        What `make_pictures` returned.
    title : str
        Heading of the page.
    facts : mapping of str to str
        Table of what was looked at.
    notes : sequence of str
        What the reader should know, a sentence each.
    about : mapping of str to Any, optional
        Facts of model and data for `numbers.json`, as JSON values; None writes an empty entry.

    Returns
    -------
    Path
        Path of the page, `report.html`.

    Raises
    ------
    NeuriptError
        If the folder cannot be made or written.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"the folder {folder} cannot be made: {error.strerror}") from error
    for section in sections:
        for picture in section.pictures:
            write_atomically(folder / f"{picture.name}.png", picture.png)
            if picture.pdf is not None:
                write_atomically(folder / f"{picture.name}.pdf", picture.pdf)
    numbers = {
        "neuript": __version__,
        "about": about or {},
        "notes": list(notes),
        **{s.name: {"skipped": s.skipped} if s.skipped else s.numbers for s in sections},
    }
    write_json(folder / "numbers.json", json_safe(numbers, n_digits=6))
    page = folder / "report.html"
    write_atomically(page, _page(title, facts, notes, sections).encode())
    return page


def _page(title: str, facts: Mapping[str, str], notes: Sequence[str], sections: Sequence[Section]) -> str:
    rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts.items())
    said = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    body = "".join(_section(section) for section in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1><table>{rows}</table>{said}\n{body}"
        '<p class="note">The numbers behind the figures are in numbers.json beside this page.</p>'
        "</body></html>\n"
    )


def _section(section: Section) -> str:
    if section.skipped:
        name = section.name.capitalize()
        return f'<h2>{escape(name)}</h2><p class="note">Left out: {escape(section.skipped)}.</p>\n'
    return "".join(
        f"<h2>{escape(p.title)}</h2><figure>"
        f'<img alt="{escape(p.title)}" src="data:image/png;base64,'
        f'{base64.b64encode(p.png).decode("ascii")}">'
        f"<figcaption>{escape(p.caption)}</figcaption></figure>\n"
        for p in section.pictures
    )

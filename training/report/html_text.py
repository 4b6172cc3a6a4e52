"""HTML of which nothing that comes from elsewhere can be markup: every text is escaped unless it was built here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

_VOID = {"img", "meta", "br"}


class Html(str):
    """Markup that was built by `element`; any other text is escaped where it is put in."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """Return an element.

    Parameters
    ----------
    name : str
        Of the tag.
    *children : str
        `Html` goes in as it is, any other text escaped.
    **attributes : str
        Values, which are escaped; a trailing underscore of a name (`class_`) is left out.
    """
    said = "".join(f' {key.rstrip("_")}="{escape(value, quote=True)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{joined_html(children)}</{name}>")


def joined_html(parts: Iterable[str]) -> Html:
    """Return parts one after the other, escaped where they are plain text."""
    return Html("".join(part if isinstance(part, Html) else escape(part, quote=True) for part in parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, bold: int | None = None) -> Html:
    """Return a table; the row with number `bold` stands out."""
    top = element("thead", element("tr", *(element("th", cell) for cell in head)))
    body = []
    for i, row in enumerate(rows):
        cells = (element("td", cell) for cell in row)
        body.append(element("tr", *cells, class_="published") if i == bold else element("tr", *cells))
    return element("div", element("table", top, element("tbody", *body)), class_="wide")


def picture(png: bytes, title: str) -> Html:
    """Return a picture that is inside the page, with a text for those who cannot see it."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return element("figure", element("img", alt=title, src=source))


def paragraphs(*texts: str) -> Html:
    """Return each text as a paragraph; an empty one is left out."""
    return joined_html(element("p", text) for text in texts if text)


def bullets(texts: Iterable[str]) -> Html:
    """Return a list."""
    return element("ul", *(element("li", text) for text in texts))

"""A hook of mkdocs: what the documents link to outside `docs/` is part of the site.

README is the first page; every other file keeps its path in the repository, and those in `docs/` lose that folder.
Links are written for a reader of the repository, and led to the site here.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
MAPPED = ("realtime", "training", "montages")
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_ELSEWHERE = re.compile(r"[a-z]+:|#")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def on_startup(*, command: str, dirty: bool) -> None:
    """Lay out the folders as the package that they install as, for what reads docstrings."""
    package = ROOT / "build" / "api" / "neuript"
    package.mkdir(parents=True, exist_ok=True)
    for path in [*(ROOT / "neuript").iterdir(), *(ROOT / name for name in MAPPED)]:
        (package / path.name).unlink(missing_ok=True)
        (package / path.name).symlink_to(path)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, and from there on whatever a page links to."""
    todo = ["README.md", *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    seen = set(todo)
    for path in todo:
        if not path.startswith("docs/"):
            files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))
        new = [link for link in linked_from(path) if link not in seen and not link.startswith("docs/")]
        seen.update(new)
        todo += new
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to where their targets are on the site."""
    here = page.file.src_uri
    source = "README.md" if here == "index.md" else f"docs/{here}" if (ROOT / "docs" / here).is_file() else here

    def led(link: re.Match[str]) -> str:
        before, target, after = link.groups()
        if _ELSEWHERE.match(target):
            return link[0]
        _, mark, anchor = target.partition("#")
        there = posixpath.relpath(site_path(repository_path(source, target)), posixpath.dirname(here) or ".")
        return f"{before}{there}{mark}{anchor}{after}"

    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(led, words) for words in parts[::2]]
    return "".join(parts)


def linked_from(path: str) -> list[str]:
    """Return the files of the repository that a page links to, each once; none for what is no page."""
    if not path.endswith(".md"):
        return []
    links = _LINK.findall(_FENCE.sub("", (ROOT / path).read_text(encoding="utf-8")))
    targets = dict.fromkeys(repository_path(path, target) for _, target, _ in links if not _ELSEWHERE.match(target))
    return [target for target in targets if (ROOT / target).is_file()]


def repository_path(page: str, target: str) -> str:
    """Return the path, from the root of the repository, of what a link on a page means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(target.partition("#")[0])))


def site_path(path: str) -> str:
    """Return where a file of the repository is on the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")

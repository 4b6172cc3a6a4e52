"""Downloads of public data sets, checked file by file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

from neuript.errors import NeuriptError

PHYSIONET = "https://physionet.org/files"


def physionet(name: str, version: str, folder: Path, pattern: str) -> None:
    """Download the files of a PhysioNet project that match a pattern, each checked by its SHA-256.

    Files that are there already and have the right hash are left alone, so an interrupted download goes on.

    Parameters
    ----------
    name, version : str
        Name and version of the project as in its address, ``eegmat`` and ``1.0.0``.
    folder : Path
        Folder to download to; the project's own sub-folders are made.
    pattern : str
        Regular expression searched for in the path inside the project.

    Raises
    ------
    NeuriptError
        When the server cannot be reached, or a file arrives with another hash.
    """
    base = f"{PHYSIONET}/{name}/{version}/"
    listing = download(base + "SHA256SUMS.txt", folder / "SHA256SUMS.txt", None)
    wanted = [
        (path, digest)
        for digest, path in (line.split(maxsplit=1) for line in listing.read_text().splitlines() if line.strip())
        if re.search(pattern, path)
    ]
    if not wanted:
        raise NeuriptError(f"{base} lists no file that matches {pattern!r}")
    for path, digest in wanted:
        relative = Path(path.strip())
        if relative.is_absolute() or ".." in relative.parts:
            raise NeuriptError(f"{base} lists the path {path!r}, which leaves the folder")
        download(base + quote(path.strip()), folder / relative, f"sha256:{digest}")


def download(url: str, target: Path, known_hash: str | None) -> Path:
    """Download one file, unless it is there with the hash asked for.

    Raises
    ------
    NeuriptError
        If the download fails, or the file arrives with another hash.
    """
    import pooch  # comes with MNE

    try:
        return Path(pooch.retrieve(url, known_hash, fname=target.name, path=target.parent, progressbar=False))
    except Exception as error:  # requests, urllib3 and pooch have each their own kinds
        raise NeuriptError(
            f"{url} could not be downloaded ({str(error).splitlines()[0]}); check the connection, or put the "
            f"file into {target.parent} by hand"
        ) from error


def figshare(article: int, folder: Path, pattern: str) -> None:
    """Download the files of a figshare article that match a pattern, each checked by its MD5.

    Raises
    ------
    NeuriptError
        If the list of files cannot be read, no file matches, or one cannot be downloaded.
    """
    listing = download(
        f"https://api.figshare.com/v2/articles/{article}/files?page_size=1000",
        folder / f"figshare-{article}.json",
        None,
    )
    try:
        files = [(f["name"], f["download_url"], f["computed_md5"]) for f in json.loads(listing.read_text())]
    except (ValueError, KeyError, TypeError) as error:
        raise NeuriptError(f"figshare's list of article {article} cannot be read ({error})") from error
    wanted = [row for row in files if re.search(pattern, row[0])]
    if not wanted:
        raise NeuriptError(f"figshare's article {article} lists no file that matches {pattern!r}")
    for name, url, md5 in wanted:
        download(url, folder / Path(name).name, f"md5:{md5}")


def moabb_files(name: str, folder: Path) -> None:
    """Let MOABB download all people of one of its data sets into a folder.

    Raises
    ------
    NeuriptError
        If MOABB is not installed.
    """
    try:
        import moabb.datasets
    except ImportError as error:
        raise NeuriptError(
            f'{name} is downloaded through MOABB; install it with pip install "neuript[fetch]"'
        ) from error
    dataset = getattr(moabb.datasets, name)()
    for subject in dataset.subject_list:
        dataset.data_path(subject, path=str(folder))

"""What neuript is built on, why, and under which licence: docs/dependencies.md, from the packages' own metadata.

    python tools/list_dependencies.py docs/dependencies.md

The reasons are here; names and extras come from the metadata of neuript, versions and licences from that of each
installed package. The words above the mark in the page stay as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

MARK = "<!-- written by tools/list_dependencies.py -->"
NOT_SHIPPED = ("test", "docs", "dev")
"""Extras that only those need who work on neuript."""
WHY = {
    "torch": "the network: training, and the reference of every engine",
    "numpy": "all arrays",
    "scipy": "filter design, linear algebra",
    "mne": "reading EDF, BDF, GDF, BrainVision, FIF, SET; positions of electrodes",
    "pylsl": "Lab Streaming Layer, in and out",
    "pyxdf": "reading XDF",
    "pyyaml": "montages, settings, fault scripts",
    "safetensors": "weights in a format that holds no program",
    "scikit-learn": "linear models of the calibration, cross-validation, the classifier's interface",
    "matplotlib": "pictures of reports",
    "threadpoolctl": "one thread for small matrix products",
    "pyriemann": "means and tangent space of covariances",
    "rich": "the console dashboard",
    "psutil": "memory, processors and child processes",
    "filelock": "one writer at a time",
    "platformdirs": "where a user's settings lie on each system",
    "shtab": "the tab key",
    "pyqt6": "windows: dashboard, cues, view, feedback",
    "qtpy": "one name for the parts of PyQt6 and PySide6",
    "pyqtgraph": "traces that are drawn fast",
    "onnx": "the network for other engines",
    "onnxscript": "the network for other engines",
    "onnxruntime": "an engine",
    "openvino": "an engine",
    "tensorrt-rtx-cu13-libs": "an engine on NVIDIA cards",
    "tensorrt-rtx-cu13-bindings": "an engine on NVIDIA cards",
    "torch-tensorrt": "an engine on NVIDIA cards",
    "antio": "reading CNT of ANT eego",
    "pymatreader": "reading SET saved with -v7.3",
    "python-osc": "OSC out",
    "websockets": "WebSocket out",
    "python-xlib": "keys, on Linux",
    "pynput": "keys, on Windows and macOS",
    "pyarrow": "shards of a corpus",
    "dask": "preparing a corpus in parallel",
    "tensorboard": "curves of a training",
    "braindecode": "networks to compare with, and its names",
    "moabb": "public data sets, fetched when asked for",
    "mne-bids": "a session as a BIDS data set",
    "pybv": "BrainVision files in it",
    "hedtools": "HED tags in it",
}
"""Package (in lower case): what it is for."""


def direct() -> dict[str, list[str]]:
    """Return each package that neuript names, and with which extras (empty: always)."""
    found: dict[str, list[str]] = {}
    always = set()
    for requirement in requires("neuript") or []:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra == \"([^\"]+)\"", requirement)
        if name is None or (extra is not None and extra[1] in NOT_SHIPPED):
            continue
        extras = found.setdefault(name[0].lower(), [])
        if extra is None:
            always.add(name[0].lower())
        else:
            extras.append(extra[1])
    return {name: [] if name in always else sorted(set(extras)) for name, extras in found.items()}


def licence(name: str) -> str:
    """Return what a package says of its licence, in few words; says so where it is not installed or says nothing."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed where this was written"
    classes = [c.split(" :: ")[-1] for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    text = (said.get("License") or "").strip()
    if said.get("License-Expression"):
        return str(said["License-Expression"])
    if text and "\n" not in text and len(text) < 60:
        return text
    named = [c for c in classes if c != "OSI Approved"]
    return ", ".join(named) or (text.splitlines()[0][:60] if text else "says nothing")


def brought_along(names: Iterator[str] | list[str]) -> list[str]:
    """Return the installed packages that others need in turn, without those named."""
    todo, seen = [*names], {*names}
    while todo:
        try:
            needed = requires(todo.pop()) or []
        except PackageNotFoundError:
            continue
        for requirement in needed:
            name = re.match(r"[A-Za-z0-9._-]+", requirement)
            if name is None or "extra ==" in requirement or name[0].lower() in seen:
                continue
            seen.add(name[0].lower())
            todo.append(name[0].lower())
    return sorted(name for name in seen - {*names} if _installed(name))


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def tables() -> str:
    """Return what follows the mark."""
    named = direct()
    out = "| package | needed | why | licence |\n|---|---|---|---|\n"
    for name, extras in named.items():
        needed = "always" if not extras else "extra " + ", ".join(f"`{extra}`" for extra in extras)
        out += f"| {name} | {needed} | {WHY.get(name, '')} | {licence(name)} |\n"
    always = [name for name, extras in named.items() if not extras]
    out += (
        "\nWhat those that are always needed bring along, where this was written:\n\n| package | licence |\n|---|---|\n"
    )
    return out + "".join(f"| {name} | {licence(name)} |\n" for name in brought_along(always) if name not in named)


def main() -> None:
    """Renew the page."""
    page = Path(sys.argv[1])
    head = page.read_text("utf-8").partition(MARK)[0]
    page.write_text(f"{head}{MARK}\n\n{tables()}", "utf-8")


if __name__ == "__main__":
    main()

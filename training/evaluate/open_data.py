"""A protocol's labelled windows from a folder of its recordings, downloaded first where that is wished and free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.training.evaluate import protocols
from neuript.training.evaluate.protocols.eval_data import EvalData


def open_data(
    protocol: str,
    folder: str | Path | None,
    *,
    cache: Path,
    fetch: bool = False,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> EvalData:
    """Load the windows of all splits of a protocol.

    Parameters
    ----------
    protocol : str
        Name of the protocol.
    folder : str, Path or None
        Folder of the recordings in the published layout; None is refused with how to get them.
    cache : Path
        Folder that keeps the cut windows; made if it is missing.
    fetch : bool
        Download the recordings into `folder` first.
    subjects : sequence of str, optional
        People to read; None reads all.
    limit : int, optional
        Largest number of recordings of each split; None reads all.
    say : callable
        Takes a line per recording, while they are read.

    Returns
    -------
    EvalData
        Windows in volts with their people and split.

    Raises
    ------
    NeuriptError
        For an unknown protocol, a folder that is missing or cannot be made, or recordings that are not free.
    """
    chosen = protocols.get_protocol(protocol)
    if folder is None:
        raise NeuriptError(f"--data DIR is missing: the folder with {chosen.layout}. {chosen.how_to_get}")
    if fetch:
        if chosen.fetch is None:
            raise NeuriptError(f"{chosen.name} cannot be downloaded freely. {chosen.how_to_get}")
        chosen.fetch(Path(folder))
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"cannot make the folder {cache}: {error.strerror or error}") from error
    return chosen.load(
        folder,
        subjects=subjects,
        limit=limit,
        cache=cache,
        progress=lambda done, n, name: say(f"read {done} of {n}: {name}"),
    )

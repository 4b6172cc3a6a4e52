"""One recording's windows as an Arrow IPC file: read by mapping it, with nothing to decode.

A shard has two columns: `x`, the canonical Arrow extension type `fixed_shape_tensor` of float32 volts with shape
(n_chans, n_times), and `start_s`, where a window begins in its recording. Everything else (montage, recipe, subject,
hash of the source) is JSON under the key `neuript` of the schema. Any Arrow library reads it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.files import replacing

if TYPE_CHECKING:
    from types import ModuleType

SHARD_VERSION = 1
BATCH = 512
"""Windows per record batch; a run of windows inside one batch is read without a copy."""
_KEY = b"neuript"


def arrow() -> ModuleType:
    """Return pyarrow, or say how to get it.

    Raises
    ------
    NeuriptError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as missing:
        raise NeuriptError(
            'a corpus is stored through pyarrow, which is not installed; pip install "neuript[train]"'
        ) from missing
    module: ModuleType = pyarrow
    return module


def write_shard(path: Path, x: NDArray[np.float32], start_s: NDArray[np.float64], meta: dict[str, Any]) -> None:
    """Write windows to a shard in one step.

    Parameters
    ----------
    path : Path
        File of the shard; its folder must exist.
    x : ndarray, shape (n, n_chans, n_times)
        Windows in volts, float32; at least one.
    start_s : ndarray, shape (n,)
        Start of each window, in seconds from the first sample of the recording.
    meta : dict
        What else is known of the windows, as JSON values; `version` is added.

    Raises
    ------
    ValueError
        If `x` is not float32 with three axes, is empty, or `start_s` does not fit it.
    """
    pa = arrow()
    if x.dtype != np.float32 or x.ndim != 3 or not len(x) or len(x) != len(start_s):
        raise ValueError(f"x {x.dtype} {x.shape} and start_s {start_s.shape} do not fit")
    kind = pa.fixed_shape_tensor(pa.float32(), x.shape[1:])
    text = json.dumps({"version": SHARD_VERSION, **meta})
    schema = pa.schema([pa.field("x", kind), pa.field("start_s", pa.float64())], metadata={_KEY: text.encode()})
    with replacing(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for i in range(0, len(x), BATCH):
            flat = pa.array(np.ascontiguousarray(x[i : i + BATCH]).reshape(-1))
            rows = pa.FixedSizeListArray.from_arrays(flat, x.shape[1] * x.shape[2])
            tensors = pa.ExtensionArray.from_storage(kind, rows)
            starts = pa.array(start_s[i : i + BATCH])
            writer.write_batch(pa.record_batch([tensors, starts], schema=schema))


class Shard:
    """An open shard: its arrays are views of the mapped file.

    Parameters
    ----------
    path : Path
        File of the shard.

    Raises
    ------
    NeuriptError
        It is not there, cut off, or not a shard.
    """

    def __init__(self, path: Path) -> None:
        pa = arrow()
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
            self.meta = _meta(reader.schema, path)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except (OSError, pa.ArrowException) as error:
            raise NeuriptError(
                f"the shard {path} cannot be read ({error}); run `neuript-train prepare` again with --redo"
            ) from error
        self.blocks: list[NDArray[np.float32]] = [batch.column("x").to_numpy_ndarray() for batch in batches]
        self.start_s: NDArray[np.float64] = np.concatenate([batch.column("start_s").to_numpy() for batch in batches])

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.start_s)


def _meta(schema: Any, path: Path) -> dict[str, Any]:
    text = (schema.metadata or {}).get(_KEY)
    if text is None:
        raise NeuriptError(f"{path} is an Arrow file, but not a shard of a neuript corpus")
    meta: dict[str, Any] = json.loads(text)
    if meta.get("version") != SHARD_VERSION:
        raise NeuriptError(
            f"the shard {path} has version {meta.get('version')}, this neuript reads version {SHARD_VERSION}"
        )
    return meta

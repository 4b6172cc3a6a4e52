"""Output that is closed, full, or knows ASCII alone; small files that ask for gigabytes, under a limit of memory."""

from __future__ import annotations

import gzip
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toy_model
import xdf_writer
from processes import finished, neuript

from neuript.modelfile.checkpoint import save_checkpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="address-space limits and /dev/full")
LIMIT_BYTES = 6 << 30
"""Address space: PyTorch's libraries alone take more than half of it."""
MOST_MB, MOST_S = 500, 20.0
_RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))
from neuript.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # of this program alone
print(int(peak.split()[1]) // 1000, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strange") / "µ é.xdf"
    data, stamps = np.random.default_rng(1).normal(0, 20, (1000, 3)), 5 + np.arange(1000) / 250
    xdf_writer.session(data, stamps, [(5.5, "é")], labels=["C3", "Cz", "C4"], name="Amp µ").save(path)
    return path


def test_a_terminal_that_knows_ascii_alone(recording: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = finished(neuript("inspect", recording), env={**os.environ, **plain})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "Amp \\xb5" in done.stdout


@pytest.mark.parametrize(("redirection", "code"), [(">&- 2>&-", 0), (">/dev/full", 2)])
def test_output_that_is_closed_or_full(recording: Path, redirection: str, code: int) -> None:
    words = [f'"{word}"' for word in neuript("inspect", recording)]
    done = finished(["sh", "-c", f"{' '.join(words)} {redirection}"])
    assert done.returncode == code
    assert "internal error" not in done.stderr


# -- bombs ---------------------------------------------------------------------------------------------------------


def empty_chunks(folder: Path) -> list[str]:
    """20,000 chunks of no samples of 4,096 channels: 200 kB that stood for 2 GB."""
    bomb = xdf_writer.XdfWriter().stream(1, "a", n_chans=4096, sfreq=250.0, fmt="double64")
    bomb.raw(xdf_writer.chunk(3, struct.pack("<I", 1) + b"\x01\x00") * 20_000).save(folder / "bomb.xdf")
    return ["inspect", str(folder / "bomb.xdf")]


def one_sample_chunks(path: Path) -> Path:
    """A chunk for each sample: little is in the file, and little may be made of it."""
    out = xdf_writer.XdfWriter().stream(1, "a", n_chans=1, sfreq=250.0, fmt="int8")
    out.raw(xdf_writer.chunk(3, struct.pack("<I", 1) + b"\x01\x01\x00\x07") * 100_000)
    return out.save(path)


def zeros(folder: Path) -> list[str]:
    """4 GiB of zeros in 4 MB."""
    packed = gzip.compress(bytes(1 << 24), 9)
    (folder / "bomb.xdfz").write_bytes(gzip.compress(b"XDF:") + packed * 256)
    return ["xdf", "check", str(folder / "bomb.xdfz")]


def packed_fif(folder: Path) -> list[str]:
    packed = gzip.compress(bytes(1 << 24), 9)
    (folder / "bomb_raw.fif.gz").write_bytes(packed * 256)
    return ["inspect", str(folder / "bomb_raw.fif.gz")]


def long_edf(folder: Path) -> list[str]:
    """A header of 999,999 seconds of 200 channels, and nothing behind it."""
    n = 200
    head = b"0".ljust(8) + b" " * 160 + b"01.01.2601.00.00" + str(256 * (n + 1)).encode().ljust(8) + b" " * 44
    head += b"999999".ljust(8) + b"1".ljust(8) + str(n).encode().ljust(4)
    head += b"".join(f"C{i}".encode().ljust(16) for i in range(n)) + b" " * 80 * n + b"uV".ljust(8) * n
    for value in (b"-100", b"100", b"-100", b"100"):
        head += value.ljust(8) * n
    head += b" " * 80 * n + b"500".ljust(8) * n + b" " * 32 * n
    (folder / "bomb.edf").write_bytes(head)
    return ["inspect", str(folder / "bomb.edf")]


def wide_checkpoint(folder: Path) -> list[str]:
    """A manifest that asks for a network of gigabytes beside the weights of a small one."""
    path = folder / "bomb.safetensors"
    model = {**toy_model.CONFIG.to_dict(), "d_model": 24_000, "d_ff": 24_000}
    save_checkpoint(path, toy_model.toy_network(), toy_model.make_manifest(model=model))
    return ["live", "--model", str(path), "--headless", "--wait", "1"]


def aliases(folder: Path) -> list[str]:
    """9 to the 9th texts."""
    rows = [f"- &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    (folder / "bomb.yaml").write_text("\n".join(["model:", "- &a0 [x,x,x,x,x,x,x,x,x]", *rows, ""]))
    return ["live", "--config", str(folder / "bomb.yaml"), "--headless"]


def big_montage(folder: Path) -> list[str]:
    """More electrodes than a matrix of all with all has room for."""
    names = ", ".join(f"E{i}: [0, {i % 90 + 1}, 90]" for i in range(20_000))
    (folder / "bomb.yaml").write_text(f"electrodes: {{{names}}}\n")
    return ["montages", str(folder / "bomb.yaml")]


def deep_rows(folder: Path) -> list[str]:
    (folder / "rows.jsonl").write_text('{"t": 1, "proba": ' + "[" * 200_000)
    return ["score", str(folder / "rows.jsonl"), "--recording", str(folder / "none.xdf")]


BOMBS = (empty_chunks, zeros, packed_fif, long_edf, wide_checkpoint, aliases, big_montage, deep_rows)


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_small_file_asks_for_little(bomb: Callable[[Path], list[str]], tmp_path: Path) -> None:
    command = bomb(tmp_path)
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = finished([sys.executable, "-P", "-c", _RUN.format(LIMIT_BYTES), *command])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    *said, peak_mb = done.stderr.strip().splitlines()
    assert done.returncode in (2, 5), done.stderr
    assert len(said) == 1
    assert "internal error" not in said[0]
    assert int(peak_mb) < MOST_MB
    assert ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime < MOST_S


def test_many_small_chunks_cost_what_their_bytes_say(tmp_path: Path) -> None:
    from neuript.realtime.recordings.read import read_recording

    path = one_sample_chunks(tmp_path / "many.xdf")
    began = time.process_time()
    (stream,) = read_recording(path, require_eeg=False).streams
    assert stream.data.shape == (100_000, 1)
    assert (stream.data == 7).all()
    assert np.allclose(np.diff(stream.timestamps), 1 / 250)
    assert time.process_time() - began < 10

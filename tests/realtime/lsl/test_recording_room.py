from __future__ import annotations

from types import SimpleNamespace

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl import recording_room
from neuript.realtime.lsl.recording_room import bytes_per_s, check_room, room_bytes, room_in_words

INFO = SignalInfo(name="amp", sfreq=1000.0, ch_names=("",) * 64)


@pytest.fixture
def disk(monkeypatch):
    def give(total_mb: float, free_mb: float) -> None:
        size = SimpleNamespace(total=total_mb * 1e6, free=free_mb * 1e6)
        monkeypatch.setattr(recording_room.shutil, "disk_usage", lambda _: size)

    return give


def test_a_disk_that_will_be_full_is_refused_before_the_recording(disk, tmp_path):
    assert bytes_per_s(INFO) == 265_000  # 64 numbers of 4 bytes, a stamp of 8, and one byte
    disk(1e6, 50 + 160)  # 10 minutes: 159 MB
    check_room(tmp_path, 600, INFO)
    disk(1e6, 50 + 158)
    with pytest.raises(NeuriptError, match="has 208 MB left, and 209 MB are needed"):
        check_room(tmp_path, 600, INFO)


def test_a_small_disk_keeps_a_share(disk, tmp_path):
    disk(0.15, 0.15)
    assert room_bytes(tmp_path) == pytest.approx(142_500)
    disk(1e6, 40)
    assert room_bytes(tmp_path) == -10e6


def test_for_how_long_it_will_do_is_said_where_that_is_too_short(disk, tmp_path):
    disk(1e6, 50 + 26.5)
    assert "about 100 s of the 120 s asked for of this EEG fit on it" in room_in_words(tmp_path, INFO, 120.0)
    assert room_in_words(tmp_path, INFO, 99.0) == ""
    assert "about 100 s of this EEG fit on it" in room_in_words(tmp_path, INFO, None)
    disk(1e6, 50 + 1000)
    assert room_in_words(tmp_path, INFO, None) == ""

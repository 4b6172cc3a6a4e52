from __future__ import annotations

import hashlib
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from neuript import user_folders
from neuript.modelfile import trust

A, B = "a" * 64, "b" * 64


def test_remembered_by_content_with_how_and_name(own_config: Path) -> None:
    assert not trust.is_trusted(A)
    assert trust.remember(A, how="--trust", name="mi\nb.ts")
    assert trust.remember(A, how="written")  # once is enough
    assert trust.is_trusted(A)
    assert not trust.is_trusted(B)
    (line,) = trust.trust_file().read_text("utf-8").splitlines()
    assert line.startswith(f"{A}  --trust  2")
    assert line.endswith("mib.ts")


def test_broken_lines_do_not_hide_the_others() -> None:
    trust.trust_file().parent.mkdir()
    trust.trust_file().write_bytes(b"\xff\n" + b"c" * 63 + f"\n{A}  x\n{B}".encode())
    trust.trust_file().chmod(0o600)
    assert trust.is_trusted(A)
    assert trust.is_trusted(B)
    assert not trust.is_trusted("c" * 63)
    assert not trust.is_trusted("")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_list_that_others_can_write_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    trust.remember(A, how="written")
    assert trust.trust_file().stat().st_mode & 0o777 == 0o600
    trust.trust_file().chmod(0o666)
    with caplog.at_level(logging.WARNING):
        assert not trust.is_trusted(A)
    assert "written by others" in caplog.text


def test_many_at_once_lose_nothing() -> None:
    hashes = [hashlib.sha256(bytes([i])).hexdigest() for i in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda h: trust.remember(h, how="written"), hashes))
    assert all(trust.is_trusted(h) for h in hashes)


def test_a_folder_of_ones_own_is_taken_for_settings_and_cache(own_config: Path) -> None:
    assert user_folders.config_dir() == own_config
    assert user_folders.cache_dir() == own_config / "cache"


@pytest.mark.skipif(sys.platform == "win32", reason="the environment of POSIX")
@pytest.mark.parametrize(
    ("folders", "settings", "cache"),
    [
        (Unix, "home/.config/neuript", "home/.cache/neuript"),
        (MacOS, "home/Library/Application Support/neuript", "home/Library/Caches/neuript"),
        (Windows, "roaming/neuript", "local/neuript/Cache"),
    ],
)
def test_places_are_those_that_the_documentation_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: type, settings: str, cache: str
) -> None:
    for name in ("NEURIPT_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    of_windows = {"CSIDL_APPDATA": "roaming", "CSIDL_LOCAL_APPDATA": "local"}
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda name: str(tmp_path / of_windows[name]))
    monkeypatch.setattr(user_folders, "PlatformDirs", folders)
    assert user_folders.config_dir() == tmp_path / settings
    assert user_folders.cache_dir() == tmp_path / cache


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders")
def test_the_folders_that_a_linux_user_has_set_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEURIPT_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("XDG_CACHE_HOME", "/y")
    assert (user_folders.config_dir(), user_folders.cache_dir()) == (Path("/x/neuript"), Path("/y/neuript"))


@pytest.mark.parametrize("n", [1, 63, 64, 65, 70, 90])
def test_a_line_that_was_cut_off_trusts_nothing_new(n: int) -> None:
    trust.remember(A, how="written", name="a.ts")
    trust.trust_file().write_bytes(trust.trust_file().read_bytes()[:n])
    trust.remember(B, how="written")
    known = [h for h in (A, B, "ab" * 32, "a" * 63 + "b") if trust.is_trusted(h)]
    assert set(known) <= {A, B}
    assert trust.remember(B, how="written")
    assert trust.is_trusted(B)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_others_can_write_is_no_place_for_trust(
    own_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trust.remember(A, how="written")
    own_config.chmod(0o777)
    try:
        with caplog.at_level(logging.WARNING):
            assert not trust.is_trusted(A)
            assert not trust.remember(B, how="written")
    finally:
        own_config.chmod(0o700)
    assert "chmod 700" in caplog.text
    assert trust.is_trusted(A)
    assert not trust.is_trusted(B)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_list_that_is_a_link_is_ignored_and_not_written_through(own_config: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text(f"{A}  x\n")
    own_config.mkdir()
    trust.trust_file().symlink_to(elsewhere)
    assert not trust.is_trusted(A)
    assert not trust.remember(B, how="written")
    assert elsewhere.read_text() == f"{A}  x\n"


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_a_folder_of_another_user_is_no_place_for_trust(own_config: Path) -> None:
    trust.remember(A, how="written")
    os.chown(own_config, 12345, -1)
    assert not trust.is_trusted(A)
    os.chown(own_config, 0, -1)
    assert trust.is_trusted(A)

"""Engines for GPUs hold code: only what was built here, and is whole, is given back."""

from __future__ import annotations

import sys

import pytest

from neuript.engines.plan_store import has_plan, is_own, keep_plan, kept_plan, note_own, plan_key


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config" / "cache" / "engines"


def test_what_was_kept_comes_back_and_is_the_owners_only(folder):
    assert kept_plan("a") is None
    keep_plan("a", b"engine")
    assert has_plan("a")
    assert kept_plan("a") == b"engine"
    assert is_own(b"engine")
    assert not is_own(b"engine of somebody")
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_another_content_is_not_given_back(folder, caplog):
    keep_plan("a", b"engine")
    (folder / "a.plan").write_bytes(b"changed")
    assert kept_plan("a") is None
    assert "damaged" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are access lists there")
def test_a_folder_that_others_can_write_to_is_not_believed(folder, caplog):
    keep_plan("a", b"engine")
    folder.chmod(0o777)
    assert kept_plan("a") is None
    assert not is_own(b"engine")
    assert "can be written by others" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_and_survived(folder, caplog):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in the way")
    keep_plan("a", b"engine")
    note_own(b"engine")
    assert kept_plan("a") is None
    assert "is not kept" in caplog.text


def test_a_key_is_of_all_that_is_said():
    assert plan_key(a=1, b=2) == plan_key(b=2, a=1) != plan_key(a=1, b=3)

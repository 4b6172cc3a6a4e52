"""What is checked on a computer: versions, interfaces, firewall, the shipped model, LSL."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuript.realtime.live import computer
from neuript.realtime.live.demo import DEMO_MODEL


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def test_python_and_torch_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert computer.check_python()[0] == "ok"
    assert computer.check_torch()[0] == "ok"
    monkeypatch.setattr("torch.__version__", "2.5.1+cpu")
    assert computer.check_torch()[0] == "fail"

    class OldVersion(tuple[int, ...]):
        major, minor, micro = 3, 10, 2

    monkeypatch.setattr(sys, "version_info", OldVersion((3, 10, 2)))
    assert computer.check_python()[0] == "fail"


@pytest.mark.parametrize(
    ("interfaces", "status", "words"),
    [
        ({}, "warn", "no network"),
        ({"eth0": "10.0.0.2"}, "ok", "eth0 10.0.0.2"),
        ({"eth0": "10.0.0.2", "wg0": "10.8.0.1"}, "warn", "wg0 looks like a VPN"),
    ],
)
def test_network(monkeypatch: pytest.MonkeyPatch, interfaces: dict[str, str], status: str, words: str) -> None:
    monkeypatch.setattr(computer, "_interfaces", lambda: interfaces)
    result = computer.check_network()
    assert result[0] == status
    assert words in result[1]


def test_interfaces_leave_out_loopback_and_what_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def address(text: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(family=socket.AF_INET, address=text)]

    addresses = {"lo": address("127.0.0.1"), "eth0": address("10.0.0.2"), "x": address("1.1.1.1")}
    up = {name: SimpleNamespace(isup=name != "x") for name in addresses}
    monkeypatch.setattr("psutil.net_if_addrs", lambda: addresses)
    monkeypatch.setattr("psutil.net_if_stats", lambda: up)
    assert computer._interfaces() == {"eth0": "10.0.0.2"}


def test_settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert computer.check_settings_folder()[0] == "ok"
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "file"))
    status, detail, fix = computer.check_settings_folder()
    assert (status, "cannot be written" in detail) == ("warn", True)
    assert "NEURIPT_CONFIG_DIR" in fix


def test_shipped_model_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DEMO_MODEL.read_bytes()
    monkeypatch.setattr("neuript.weights.__path__", [str(tmp_path)])
    assert "no model" in computer.check_model()[1]
    (tmp_path / "demo.ts").write_bytes(whole[:-1])
    status, detail, _ = computer.check_model()
    assert (status, "demo.ts is cut short or damaged" in detail) == ("fail", True)


@pytest.mark.lsl
class TestLsl:
    def test_library_is_found(self) -> None:
        status, detail, _ = computer.check_liblsl()
        assert status == "ok"
        assert detail.startswith("liblsl 1.")

    def test_own_stream_is_found_and_read(self) -> None:
        assert computer.check_own_stream()[0] == "ok"

    @pytest.mark.parametrize(
        ("found", "received", "words"), [(False, False, "not found within 5 s"), (True, False, "no data came over TCP")]
    )
    def test_own_stream_that_is_blocked(
        self, monkeypatch: pytest.MonkeyPatch, found: bool, received: bool, words: str
    ) -> None:
        from neuript.realtime.lsl import check as lsl_check

        result = lsl_check.Loopback(found=found, received=received, found_after_s=5.0)
        monkeypatch.setattr(lsl_check, "loopback", lambda: result)
        status, detail, fix = computer.check_own_stream()
        assert status == "fail"
        assert words in detail
        assert "16572" in fix

    def test_multicast_says_why_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from neuript.realtime.lsl import check as lsl_check

        monkeypatch.setattr(lsl_check, "MULTICAST_GROUP", "10.1.2.3")  # not a multicast address
        assert computer.check_multicast()[0] == "warn"

    @pytest.mark.parametrize(
        ("text", "status", "words"),
        [
            ("", "ok", "scope site, session 'default'"),
            ("[lab]\nSessionID = lab7\n", "warn", "'lab7'"),
            ("[multicast]\nResolveScope = machine\n", "warn", "machine"),
            ("[lab]\nKnownPeers = {10.0.0.7, 10.0.0.8}", "ok", "10.0.0.7,10.0.0.8"),
            ("not a settings file", "ok", "scope site"),
        ],
    )
    def test_settings_that_hide_streams(
        self, monkeypatch: pytest.MonkeyPatch, text: str, status: str, words: str
    ) -> None:
        from neuript.realtime.lsl import check as lsl_check

        monkeypatch.setattr(lsl_check, "user_config", lambda: text)
        result = computer.check_lsl_settings()
        assert result[0] == status
        assert words in result[1]

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuript.cli import doctor


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def set_checks(monkeypatch: pytest.MonkeyPatch, *statuses: str) -> None:
    checks = {f"c{i}": (lambda s=s: (s, "detail", "do this")) for i, s in enumerate(statuses)}
    monkeypatch.setattr(doctor, "CHECKS", checks)


@pytest.mark.parametrize(("statuses", "code"), [(("ok", "ok"), 0), (("ok", "warn"), 0), (("fail", "warn", "ok"), 2)])
def test_exit_code_and_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], statuses: tuple[str, ...], code: int
) -> None:
    set_checks(monkeypatch, *statuses)
    assert doctor.run([]) == code
    out = capsys.readouterr().out
    assert out.count("-> do this") == sum(s != "ok" for s in statuses)
    assert doctor.run(["--json"]) == code
    assert [f["status"] for f in json.loads(capsys.readouterr().out)] == list(statuses)


def test_a_check_that_breaks_has_failed_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> tuple[str, str, str]:
        raise OSError("libtorch.so is missing\nlong story")

    monkeypatch.setattr(doctor, "CHECKS", {"a": broken, "b": lambda: ("ok", "fine", "")})
    assert doctor.run([]) == 2
    out = capsys.readouterr().out
    assert "FAIL  a" in out
    assert "OSError: libtorch.so is missing" in out
    assert "long story" not in out
    assert "ok    b" in out


def test_python_and_torch_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_python()[0] == "ok"
    assert doctor.check_torch()[0] == "ok"
    monkeypatch.setattr("torch.__version__", "2.5.1+cpu")
    assert doctor.check_torch()[0] == "fail"

    class OldVersion(tuple[int, ...]):
        major, minor, micro = 3, 10, 2

    monkeypatch.setattr(sys, "version_info", OldVersion((3, 10, 2)))
    assert doctor.check_python()[0] == "fail"


@pytest.mark.parametrize(
    ("interfaces", "status", "words"),
    [
        ({}, "warn", "no network"),
        ({"eth0": "10.0.0.2"}, "ok", "eth0 10.0.0.2"),
        ({"eth0": "10.0.0.2", "wg0": "10.8.0.1"}, "warn", "wg0 looks like a VPN"),
    ],
)
def test_network(monkeypatch: pytest.MonkeyPatch, interfaces: dict[str, str], status: str, words: str) -> None:
    monkeypatch.setattr(doctor, "_interfaces", lambda: interfaces)
    result = doctor.check_network()
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
    assert doctor._interfaces() == {"eth0": "10.0.0.2"}


def test_settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_settings_folder()[0] == "ok"
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "file"))
    status, detail, fix = doctor.check_settings_folder()
    assert (status, "cannot be written" in detail) == ("warn", True)
    assert "NEURIPT_CONFIG_DIR" in fix


def test_shipped_model_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuript.weights.__path__", [str(tmp_path)])
    assert "no model" in doctor.check_model()[1]
    (tmp_path / "demo.ts").write_bytes(b"PK\x03\x04")
    status, detail, _ = doctor.check_model()
    assert (status, "demo.ts is cut short or damaged" in detail) == ("fail", True)


@pytest.mark.lsl
class TestLsl:
    def test_library_is_found(self) -> None:
        status, detail, _ = doctor.check_liblsl()
        assert status == "ok"
        assert detail.startswith("liblsl 1.")

    def test_own_stream_is_found_and_read(self) -> None:
        assert doctor.check_own_stream()[0] == "ok"

    @pytest.mark.parametrize(
        ("found", "received", "words"), [(False, False, "not found within 5 s"), (True, False, "no data came over TCP")]
    )
    def test_own_stream_that_is_blocked(
        self, monkeypatch: pytest.MonkeyPatch, found: bool, received: bool, words: str
    ) -> None:
        from neuript.realtime.lsl import check as lsl_check

        result = lsl_check.Loopback(found=found, received=received, found_after_s=5.0)
        monkeypatch.setattr(lsl_check, "loopback", lambda: result)
        status, detail, fix = doctor.check_own_stream()
        assert status == "fail"
        assert words in detail
        assert "16572" in fix

    def test_multicast_says_why_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from neuript.realtime.lsl import check as lsl_check

        monkeypatch.setattr(lsl_check, "MULTICAST_GROUP", "10.1.2.3")  # not a multicast address
        assert doctor.check_multicast()[0] == "warn"

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
        result = doctor.check_lsl_settings()
        assert result[0] == status
        assert words in result[1]

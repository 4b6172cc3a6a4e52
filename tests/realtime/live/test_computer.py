"""What is checked on a computer: versions, interfaces, firewall, the shipped model, LSL."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuript.realtime.live import computer, lsl_checks
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
        status, detail, _ = lsl_checks.check_liblsl()
        assert status == "ok"
        assert detail.startswith("liblsl 1.")

    def test_own_stream_is_found_and_read(self) -> None:
        assert lsl_checks.check_own_stream()[0] == "ok"

    @pytest.mark.parametrize(
        ("found", "received", "words"), [(False, False, "not found within 5 s"), (True, False, "no data came over TCP")]
    )
    def test_own_stream_that_is_blocked(
        self, monkeypatch: pytest.MonkeyPatch, found: bool, received: bool, words: str
    ) -> None:
        from neuript.realtime.lsl import check as lsl_check

        result = lsl_check.Loopback(found=found, received=received, found_after_s=5.0)
        monkeypatch.setattr(lsl_check, "loopback", lambda: result)
        status, detail, fix = lsl_checks.check_own_stream()
        assert status == "fail"
        assert words in detail
        assert "16572" in fix

    def test_multicast_says_why_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from neuript.realtime.lsl import check as lsl_check

        monkeypatch.setattr(lsl_check, "MULTICAST_GROUP", "10.1.2.3")  # not a multicast address
        assert lsl_checks.check_multicast()[0] == "warn"

    @pytest.mark.parametrize(
        ("text", "status", "words"),
        [
            ("", "ok", "scope site, session 'default'"),
            ("[lab]\nSessionID = lab7\n", "warn", "'lab7'"),
            ("[multicast]\nResolveScope = machine\n", "warn", "machine"),
            ("[lab]\nKnownPeers = {10.0.0.7, 10.0.0.8}", "ok", "10.0.0.7,10.0.0.8"),
            ("not a settings file", "fail", "is no KEY = VALUE, so liblsl takes nothing"),
            ("[lab]\n# mine\nSessionID = x", "fail", "line 2 ('# mine') is no KEY = VALUE; comments begin with ;"),
            ("[lab\nSessionID = x", "fail", "without a closing ]"),
            ("[lab]\nSessionID = x\nSessionID = y", "fail", "line 3 gives SessionID a second time"),
            ("[lab]\nsessionid = x", "fail", "sessionid is not read: liblsl calls it SessionID"),
            ("[Multicast]\nResolveScope = machine", "fail", "[Multicast] is not read"),
            ("[ports]\nBasePort = 70000", "fail", "BasePort = 70000 must be a whole number of 1 to 65535"),
            ("[ports]\nBasePort = 65530", "fail", "end at 65561, beyond 65535"),
            ("[ports]\nPortRange = many", "fail", "PortRange = many must be"),
            ("[ports]\nBasePort = 30000\nPortRange = 100", "ok", "scope site"),
            ("[lab]\nKnownPeers = {no-such-host.invalid}", "fail", "no address for no-such-host.invalid"),
        ],
    )
    def test_settings_that_hide_streams(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, status: str, words: str
    ) -> None:
        (tmp_path / "lsl_api.cfg").write_text(text)
        monkeypatch.setenv("LSLAPICFG", str(tmp_path / "lsl_api.cfg"))
        monkeypatch.delenv("NEURIPT_LSL_SCOPE")
        result = lsl_checks.check_lsl_settings()
        assert result[0] == status
        assert words in result[1]

    def test_settings_that_are_not_there_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LSLAPICFG", str(tmp_path / "none.cfg"))
        status, detail, _ = lsl_checks.check_lsl_settings()
        assert status == "fail"
        assert "LSLAPICFG names" in detail
        assert "No such file" in detail

    def test_staying_on_this_computer_is_told(self) -> None:
        status, _, fix = lsl_checks.check_lsl_settings()
        assert (status, fix) == ("warn", "unset NEURIPT_LSL_SCOPE")

    def test_two_programs_with_one_identity_are_told(self) -> None:
        import pylsl

        from neuript.realtime.lsl.namesakes import Namesakes

        info = pylsl.StreamInfo("twin\x1b[31m", "EEG", 1, 0, "float32", "one-and-the-same")
        outlets = [pylsl.StreamOutlet(info) for _ in range(2)]
        status, detail, _ = lsl_checks.check_identities()
        assert status == "fail"
        assert "2 streams say that they are 'one-and-the-same'" in detail
        assert len(Namesakes().of(["one-and-the-same", ""])) == 2
        outlets.clear()

    def test_loopback_that_is_down_is_the_cause_that_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from neuript.realtime.lsl import check as lsl_check

        assert lsl_checks.check_loopback()[0] == "ok"
        monkeypatch.setattr(lsl_check.socket.socket, "sendto", _unreachable)
        assert "Network is unreachable" in lsl_checks.check_loopback()[1]
        assert "lo up" in lsl_checks.check_own_stream()[2]


def _unreachable(*_arguments: object) -> int:
    raise OSError(101, "Network is unreachable")


@pytest.mark.parametrize(
    ("more", "secure"),
    [
        ("", False),
        ("<security_enabled>false</security_enabled>", False),
        ("<security_enabled>true</security_enabled>", True),
        ("<security><public_key>k</public_key></security>", True),
    ],
)
def test_streams_of_securelsl_are_known_by_their_header(more: str, secure: bool) -> None:
    from neuript.realtime.lsl.check import _announces_security

    assert _announces_security(f"<info><name>a</name>{more}</info>") is secure


def test_machine_only_settings_keep_the_rest() -> None:
    from neuript.realtime.lsl.library import machine_only
    from neuript.realtime.lsl.lsl_config import parse_config

    mine = "[multicast]\nResolveScope = site\nTTLOverride = 3\n[lab]\nSessionID = x\nKnownPeers = {10.0.0.7}\n"
    config = parse_config(machine_only(mine))
    assert config.values["multicast"] == {"ResolveScope": "machine", "TTLOverride": "3", "AddressesOverride": "{}"}
    assert config.values["lab"] == {"SessionID": "x", "KnownPeers": "{}"}
    assert parse_config(machine_only("")).get("multicast", "ResolveScope", "") == "machine"

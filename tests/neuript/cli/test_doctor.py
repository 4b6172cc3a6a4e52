"""`neuript doctor`: a line a check, its fix, and the exit code."""

from __future__ import annotations

import json

import pytest

from neuript.cli import doctor
from neuript.realtime.live import computer


def set_checks(monkeypatch: pytest.MonkeyPatch, *statuses: str) -> None:
    checks = {f"c{i}": (lambda s=s: (s, "detail", "do this")) for i, s in enumerate(statuses)}
    monkeypatch.setattr(computer, "CHECKS", checks)


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

    monkeypatch.setattr(computer, "CHECKS", {"a": broken, "b": lambda: ("ok", "fine", "")})
    assert doctor.run([]) == 2
    out = capsys.readouterr().out
    assert "FAIL  a" in out
    assert "OSError: libtorch.so is missing" in out
    assert "long story" not in out
    assert "ok    b" in out

"""The order of things in a session, with parts that do what a test says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from guided_specs import guided_spec

from neuript.errors import NeuriptError
from neuript.training.guided.guided_session import GuidedSession
from neuript.training.guided.guided_view import GuidedView
from neuript.training.guided.session_folder import SessionFolder


class Parts(SimpleNamespace):
    """A session whose signal is as `checks` say, one after the other, and whose blocks end as `stops` says."""

    def tend(self) -> None:
        if self.checks:
            self.signal.watch.latest = self.checks.pop(0)
        self.block_over = True
        self.stopped = self.stopped or (self.stops and any(said["do"] == "run" for said in self.shown))


def parts(folder: SessionFolder, *, checks: list[object], stops: bool) -> Parts:
    shown: list[dict[str, object]] = []
    told: list[str] = []
    nothing = lambda *_: None  # noqa: E731
    return Parts(
        folder=folder, spec=folder.spec, view=GuidedView(go_on_after_s=0.0), tell=told.append, told=told, shown=shown,
        cues=SimpleNamespace(send=lambda **said: shown.append(said)), stopped=False, block_over=False, so_far=None,
        signal=SimpleNamespace(watch=SimpleNamespace(latest=None), away=False, begin_block=nothing), screen=None,
        open=nothing, start_decoder=nothing, start_recording=nothing, take_key=lambda: "", checks=checks, stops=stops,
        end_recording=nothing, await_decoder=lambda: None,
    )  # fmt: skip


def check(fix: str) -> SimpleNamespace:
    return SimpleNamespace(
        electrodes=(), sentences=(), fix=fix, go=not fix, verdict="GO", with_level=lambda *_levels: []
    )


def test_practice_that_was_broken_off_is_no_practice_and_no_session(tmp_path):
    folder = SessionFolder.begin(tmp_path, guided_spec(practice_per_class=2), "2026-11-30")
    mine = parts(folder, checks=[check("")], stops=True)
    with pytest.raises(NeuriptError, match="ended before a trial was over, so there is nothing to learn from"):
        GuidedSession(mine, SimpleNamespace(requested=False)).run(lambda: pytest.fail("nothing to learn from"))
    (run,) = (said for said in mine.shown if said["do"] == "run")
    assert run["practice"]
    assert [line["event"] for line in folder.journal()] == ["check"]


def test_what_is_wrong_is_said_where_the_session_is_led_and_once(tmp_path):
    folder = SessionFolder.begin(tmp_path, guided_spec(practice_per_class=2), "2026-11-30")
    mine = parts(folder, checks=[check("press C3 down"), check("press C3 down"), check("")], stops=True)
    with pytest.raises(NeuriptError):
        GuidedSession(mine, SimpleNamespace(requested=False)).run(lambda: pytest.fail("nothing to learn from"))
    assert mine.told.count("not yet: press C3 down") == 1

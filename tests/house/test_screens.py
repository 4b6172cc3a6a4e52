"""The one command for pictures knows every screen: every state, phase and step that the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("qtpy")
pytest.importorskip("PIL")
pytestmark = pytest.mark.qt

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("cue", "guided", "feedback", "view", "dashboard")
"""Those that are listed without drawing or calibrating anything."""


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))


def shown(group: str) -> set[str]:
    import screenshots

    return {screen.shows for screen in screenshots.every_screen((group,))}


def test_every_state_of_the_decoder_and_of_a_reader_has_a_picture():
    from neuript.realtime.dashboard import words
    from neuript.realtime.decoding.states import STATE_ORDER

    states = shown("dashboard")
    assert states >= {str(state) for state in STATE_ORDER}
    assert states | shown("feedback") >= set(words._WORDS)


def test_every_moment_of_a_trial_and_of_a_target_has_a_picture():
    import screenshots

    from neuript.realtime.feedback.feedback_results import TargetEnd
    from neuript.realtime.paradigm.task_cues import BUILT_IN
    from neuript.realtime.paradigm.trial_run import Phase

    assert shown("cue") == {str(phase) for phase in Phase}
    names = {screen.name for screen in screenshots.every_screen(("cue",))}
    assert names >= {f"{kind}-{name}" for kind in ("cue", "cue-feedback") for name in BUILT_IN}
    assert shown("feedback") >= {f"result-{end}" for end in TargetEnd}


def test_every_screen_of_words_of_a_guided_session_has_a_picture():
    from neuript.training.guided import guided_words

    text = Path(guided_words.__file__).read_text("utf-8")
    screens = re.findall(r"^def (\w+)\([^)]*\) -> dict\[str, (?:str|Any)\]:", text, re.MULTILINE)
    used = (ROOT / "tools/screens/guided_screens.py").read_text("utf-8")
    assert len(screens) >= 6
    for name in screens:
        assert f"guided_words.{name}" in used, name


def test_names_are_names_of_files_and_each_comes_once():
    import screenshots

    names = [screen.name for screen in screenshots.every_screen(GROUPS)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names)
    assert {name.partition("-")[0] for name in names} == set(GROUPS)


def test_a_screen_is_drawn_as_large_as_it_is_asked_for_and_kept_small(tmp_path, monkeypatch):
    import screenshots
    from qtpy.QtCore import QSize
    from qtpy.QtGui import QImage
    from qtpy.QtWidgets import QApplication
    from screens.shots import DoesNotFitError, as_pillow, checked, keep

    app = QApplication.instance() or QApplication([])
    assert app is not None
    monkeypatch.delenv("QT_SCALE_FACTOR", raising=False)
    (screen,) = [s for s in screenshots.every_screen(("cue",)) if s.name == "cue-left_hand"]
    size = QSize(320, 200)
    image = as_pillow(checked(screen.draw(size, "dark"), size, 1))
    keep(image, tmp_path / "left.png")
    kept = QImage(str(tmp_path / "left.png"))
    assert (kept.width(), kept.height()) == (320, 200)
    assert len(image.getcolors()) > 10  # an arrow and a word on the background
    with pytest.raises(DoesNotFitError, match="is 320x200 on a screen of 300x200"):
        checked(screen.draw(size, "dark"), QSize(300, 200), 1)

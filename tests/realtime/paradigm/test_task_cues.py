"""What is shown for a class."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.lsl.gdf import CLASS_CODES, PHASE_CODES
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.task_cues import BUILT_IN, MAX_PICTURE_BYTES, OwnCue, cues_of
from neuript.realtime.twin.cues import CLASSES


def test_what_the_twin_can_imagine_is_built_in():
    assert set(CLASSES) == set(BUILT_IN)
    assert set(BUILT_IN) <= set(CLASS_CODES)


def test_own_classes_have_their_text_and_picture(tmp_path):
    picture = tmp_path / "words.png"
    picture.write_bytes(b"x")
    cues = cues_of(
        ("words", "rest", "my_task"),
        [OwnCue(name="words", text="words with A", picture=str(picture)), OwnCue(name="my_task")],
    )
    assert list(cues) == ["words", "rest", "my_task"]
    assert (cues["words"].text, cues["words"].picture) == ("words with A", str(picture))
    assert (cues["my_task"].text, cues["my_task"].picture, cues["my_task"].sign) == ("my task", None, None)
    assert cues["rest"].sign == "ring"


def test_a_built_in_class_may_look_otherwise():
    assert cues_of(("rest", "feet"), [OwnCue(name="rest", text="Ruhe")])["rest"].text == "Ruhe"


@pytest.mark.parametrize(
    ("classes", "own", "words"),
    [
        (("left_hand", "left_hnd"), (), "no cue for class 'left_hnd'; built in are left_hand"),
        (("left_hand",), (), "at least two"),
        (("rest", "rest"), (), "each once"),
        (("left_hand", "rest"), ("words",), "the cue of words belongs to no class"),
    ],
)
def test_classes_that_cannot_be_shown_are_named(classes, own, words):
    with pytest.raises(NeuriptError, match=words):
        cues_of(classes, [OwnCue(name=name) for name in own])


@pytest.mark.parametrize("name", [*PHASE_CODES, "practice_a", "", "a b", "../x", "a" * 41])
def test_a_name_that_markers_need_or_cannot_carry_is_refused(name):
    with pytest.raises(NeuriptError, match="class name"):
        OwnCue(name=name)


def test_a_picture_that_is_not_there_or_too_large_is_said_before_the_session(tmp_path):
    with pytest.raises(NeuriptError, match=r"the picture .* of class words is not there"):
        OwnCue(name="words", picture=str(tmp_path / "none.png"))
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(MAX_PICTURE_BYTES + 1)
    with pytest.raises(NeuriptError, match="at most 32 are read"):
        OwnCue(name="words", picture=str(huge))


def test_settings_go_through_json_and_are_checked():
    settings = CueSettings(
        classes=("words", "rest"), own=(OwnCue(name="words"),), subject="S01", seed=4, size=(1024, 640)
    )
    again = specs.from_dict(CueSettings, specs.to_dict(settings), "settings")
    assert again == settings
    assert settings.header.classes == {"words": 775, "rest": 779}
    assert settings.header.timing["pause_s"] == "1.5 2.5"
    for wrong in ({"screen": -1}, {"seed": -1}, {"size": (10, 10)}, {"time_scale": 2.0}, {"classes": ("a", "b")}):
        with pytest.raises(NeuriptError):
            CueSettings(**wrong)


def test_pictures_are_named_relative_to_where_the_session_starts(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert Path(OwnCue(name="words", picture="a.png").picture) == Path("a.png")

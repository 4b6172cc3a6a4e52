"""Montages: what one is, how it is found, read and refused, and the commands that show it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import Montage, available_montages, load_montage, parse_montage, plan_channels
from neuript.montages.loader import template_positions

TEN_TWENTY = load_montage("10-20")


# ---------------------------------------------------------------------------- Montage


def test_dict_round_trip_through_json_is_exact() -> None:
    for name in ("double-banana", "10-20", "unicorn-8"):
        montage = load_montage(name)
        again = Montage.from_dict(json.loads(json.dumps(montage.to_dict())))
        assert again == montage
        assert again.pos_m.tobytes() == montage.pos_m.tobytes()
    assert load_montage("10-20") != load_montage("double-banana")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ch_names": None}, "ch_names=None must be a list of texts"),
        ({"ch_names": ["C3", 4]}, r"ch_names=\['C3', 4\] must be a list of texts"),
        ({"ch_names": ["C3", "c3"]}, "names 'c3' twice"),
        ({"pos_m": [[0.0, 0.0]]}, "pos_m has shape"),
        ({"pos_m": [[0.0, 0.0], [1.0]]}, "pos_m=.* must be a table of numbers"),
        ({"pos_m": "far"}, "pos_m=.* must be a table of numbers"),
        ({"pos_m": [[0, 0, float("nan")], [0, 0, 0]]}, "NaN"),
        ({"derivation": [[1.0, 0.0]]}, "derivation has shape"),
        ({"lobes": {}}, "no lobes"),
        ({"lobes": {"all": []}}, "'all' is empty"),
        ({"lobes": {"all": [0, 2]}}, "outside 0..1"),
        ({"lobes": {"all": [0, 0]}}, "twice"),
        ({"lobes": {"all": [True]}}, r"lobes={'all': \[True\]} must be a table of lists of whole numbers"),
        ({"lobes": [[0]]}, r"lobes=\[\[0\]\] must be a table of lists of whole numbers"),
        ({"reference": "ears"}, "reference is 'ears'"),
        ({"name": 3}, "name=3 must be text"),
        ({"aliases": {"a": 1}}, "aliases={'a': 1} must be a table of texts"),
        ({"colour": "blue"}, "unknown field colour"),
    ],
)
def test_from_dict_refuses(change: dict[str, object], message: str) -> None:
    values = parse_montage("electrodes: [C3, C4]").to_dict() | change
    with pytest.raises(NeuriptError, match=message):
        Montage.from_dict(values)


def test_from_dict_refuses_a_missing_field() -> None:
    values = TEN_TWENTY.to_dict()
    del values["lobes"]
    with pytest.raises(NeuriptError, match="the montage lacks the field lobes"):
        Montage.from_dict(values)


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TEN_TWENTY.pos_m[0, 0] = 1.0


def test_pick_keeps_lobes_with_what_remains() -> None:
    picked = load_montage("double-banana").pick(["C3-Cz", "T7-C3", "Fp1-F7", "Cz-C4"])
    assert picked.ch_names == ("C3-Cz", "T7-C3", "Fp1-F7", "Cz-C4")
    assert picked.lobes == {"frontal": (2,), "central-parietal": (1, 0, 3), "temporal-left": (1,)}
    assert set(picked.electrodes) == {"Fp1", "F7", "T7", "C3", "Cz", "C4"}
    potentials = np.arange(6.0) ** 2
    at = dict(zip(picked.electrodes, potentials, strict=True))
    expected = [at["C3"] - at["Cz"], at["T7"] - at["C3"], at["Fp1"] - at["F7"], at["Cz"] - at["C4"]]
    np.testing.assert_array_equal(picked.derivation @ potentials, expected)


def test_pick_matches_names_as_people_write_them() -> None:
    assert load_montage("double-banana").pick(["f7-t3"]).ch_names == ("F7-T7",)
    assert TEN_TWENTY.pick(["EEG T3-REF", "CZ"]).ch_names == ("T7", "Cz")


def test_pick_refuses() -> None:
    with pytest.raises(NeuriptError, match="no channel 'FC1'"):
        TEN_TWENTY.pick(["C3", "FC1"])
    with pytest.raises(NeuriptError, match="'T3' was picked twice"):
        TEN_TWENTY.pick(["T7", "T3"])
    with pytest.raises(NeuriptError, match="no channels"):
        TEN_TWENTY.pick([])


def test_average_reference_is_over_the_montage_and_follows_pick() -> None:
    average = TEN_TWENTY.with_reference("average")
    x = np.random.default_rng(1).normal(size=19)
    np.testing.assert_allclose(average.derivation @ x, x - x.mean(), atol=1e-12)
    picked = average.pick(["C3", "Cz", "C4"])
    np.testing.assert_allclose(picked.derivation @ [1.0, 2.0, 6.0], [-2.0, -1.0, 3.0], atol=1e-12)
    assert average.with_reference("as recorded") == TEN_TWENTY
    with pytest.raises(NeuriptError, match="'average' is not possible"):
        load_montage("double-banana").with_reference("average")
    with pytest.raises(NeuriptError, match="'Cz' is not possible"):
        TEN_TWENTY.with_reference("Cz")


# ---------------------------------------------------------------------------- finding and reading


def test_names_of_montages_are_forgiving() -> None:
    assert load_montage("Double Banana").name == "double-banana"
    assert load_montage(" OPENBCI_8 ").name == "openbci-8"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("openbci", "openbci-8"),
        ("1020", "10-20"),
        ("dubble-banana", "double-banana"),
        ("biosemi", "biosemi-16"),
        ("zzz", "there are 10-05"),
        ("../loader", "unknown montage"),
        ("", "unknown montage"),
    ],
)
def test_unknown_montage_says_what_is_close(asked: str, hint: str) -> None:
    with pytest.raises(NeuriptError, match=r"unknown montage") as caught:
        load_montage(asked)
    assert hint in str(caught.value)
    assert str(caught.value).count("?") == ("did you mean" in str(caught.value)), "a question mark for each question"
    assert caught.value.exit_code == 2


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "my cap.yaml"
    path.write_text(
        "description: two places\n"
        "electrodes:\n  C3: [-60, -10, 65]\n  t4:\n  X9: [10.5, 20, 90]\n"
        "reference: average\nlobes: {left: [C3], other: [T8, X9]}\naliases: {Ch 1: C3, 2: X9}\n",
        encoding="utf-8",
    )
    montage = load_montage(path)
    assert montage.name == "my cap"
    assert montage.ch_names == ("C3", "T8", "X9")
    np.testing.assert_allclose(montage.pos_m[0], [-0.06, -0.01, 0.065])
    np.testing.assert_allclose(montage.pos_m[1], template_positions()["T8"])
    assert montage.lobes == {"left": (0,), "other": (1, 2)}
    assert montage.reference == "average"
    plan = plan_channels(["ch 1", "2", "T4"], montage, montage)
    np.testing.assert_allclose(plan.matrix * 3, [[2, -1, -1], [-1, -1, 2], [-1, 2, -1]], atol=1e-12)


def test_own_file_with_pairs() -> None:
    montage = parse_montage("electrodes: [FC3, CP3, FC4, CP4]\nchannels: [FC3-CP3, FC4-CP4]")
    assert montage.reference == "bipolar"
    assert montage.lobes == {"central-parietal": (0, 1)}
    np.testing.assert_array_equal(montage.derivation, [[1, -1, 0, 0], [0, 0, 1, -1]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must hold fields such as 'electrodes"),
        ("[C3, C4]", "not a list"),
        ("just text", "not a text"),
        ("name: x\nelectrodes: [C3, C4", "line 3: not valid YAML"),
        ("electrodes: [C3]\nelectrodes: [C4]", "line 2: 'electrodes' is given twice"),
        ("electrodes:\n  C3: [-60, 0, 60]\n  C3: [60, 0, 60]", "line 3: 'C3' is given twice"),
        ("electrodes: !!python/object/apply:os.system ['true']", "not valid YAML"),
        ("name: x", "'electrodes' is missing"),
        ("electrodes: []", "'electrodes' is empty"),
        ("electrodes: C3", "must be a list of names or name: [x, y, z], not a text"),
        ("electrodes: [C3, 4]", "holds 4, which is a number; names are texts"),
        ("electrodes: [C3, c3]", "names C3 twice"),
        ("electrodes: [T3, T7]", "names T7 twice"),
        ("electrodes: [C3, Q7]", "names Q7, which is not in the 10-5 system"),
        ("electrodes: {C3: [1, 2]}", "gives C3 the position [1, 2]; it must be [x, y, z] in mm"),
        ("electrodes: {C3: [1, 2, z]}", "it must be [x, y, z] in mm"),
        ("electrodes: {C3: [1, 2, .nan]}", "it must be [x, y, z] in mm"),
        ("electrodes: {C3: [-0.065, -0.011, 0.064]}", "positions are in millimetres"),
        ("electrodes: {C3: [-65, 0, 6400]}", "positions are in millimetres"),
        ("electrodes: {C3: [1, 2, 90], C4: [1, 2, 90]}", "C3 and C4 in the same place"),
        ("electrodes: [C3]\nelectrode: [C4]", "'electrode' is not known"),
        ("electrodes: [C3]\nlobe: {a: [C3]}", "did you mean 'lobes'"),
        ("electrodes: [C3, C4]\nchannels: []", "must be a list such as [C3, C4]"),
        ("electrodes: [C3, C4]\nchannels: [C3-Cz]", "uses Cz in 'C3-Cz'"),
        ("electrodes: [C3, C4]\nchannels: [C3, C3]", "'channels' names C3 twice"),
        ("electrodes: [C3, C4]\nchannels: [C3, C3-C4]", "mixes pairs and single electrodes"),
        ("electrodes: [C3, C4, Cz]\nchannels: [C3-C4]", "lists Cz, which no pair uses"),
        ("electrodes: [C3]\nreference: ears", "'ears'; for single electrodes it must be"),
        ("electrodes: [C3]\nreference: bipolar", "for single electrodes it must be as recorded"),
        ("electrodes: [C3, C4]\nchannels: [C3-C4]\nreference: average", "for pairs it must be bipolar"),
        ("electrodes: [C3]\nname: 10", "must be a text, not a number (put it in quotes)"),
        ("electrodes: [C3]\nname: ''", "'name' must be a text"),
        ("electrodes: [C3]\nlobes: [C3]", "must map names to lists of channels, not a list"),
        ("electrodes: [C3]\nlobes: {a: []}", "gives 'a' no list of channels"),
        ("electrodes: [C3]\nlobes: {a: [C4]}", "puts 'C4' into 'a', which is not one of"),
        ("electrodes: [C3]\nlobes: {a: [C3, C3]}", "puts 'C3' into 'a' twice"),
        ("electrodes: [C3]\nlobes: {1: [C3]}", "holds the name 1"),
        ("electrodes: {E1: [0, 0, 90]}", "'lobes' is missing, and no lobe follows"),
        ("electrodes: [C3]\naliases: [x]", "must map labels to electrodes"),
        ("electrodes: [C3]\naliases: {x: C4}", "'x' means 'C4', which is not in this montage"),
        ("electrodes: &a [*a]", "stands inside what it names"),
    ],
)
def test_each_mistake_is_one_clear_sentence(text: str, sentence: str) -> None:
    with pytest.raises(NeuriptError) as caught:
        parse_montage(text, file="cap.yaml")
    message = str(caught.value)
    assert message.startswith("cap.yaml")
    assert sentence in message
    assert "\n" not in message


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(NeuriptError, match=r"there is no montage file .*nowhere\.yaml"):
        load_montage(tmp_path / "nowhere.yaml")
    with pytest.raises(NeuriptError, match="the montage of that name is called 10-20"):
        load_montage("10-20.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(NeuriptError, match="cannot be read as UTF-8"):
        load_montage(binary)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * 1_000_001)
    with pytest.raises(NeuriptError, match="smaller than"):
        load_montage(huge)
    deep = tmp_path / "deep.yaml"
    deep.write_text("[" * 5000, encoding="utf-8")
    with pytest.raises(NeuriptError, match="not valid YAML"):
        load_montage(deep)


# ---------------------------------------------------------------------------- command line


def test_command_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    from neuript.cli.montages import run

    assert run([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in available_montages())
    assert run(["double-banana"]) == 0
    shown = capsys.readouterr().out
    assert "T7-C3" in shown
    assert "central-parietal, temporal-left" in shown
    assert "-74.8" in shown
    assert run(["10-20", "--json"]) == 0
    assert Montage.from_dict(json.loads(capsys.readouterr().out)) == TEN_TWENTY
    assert run(["--json"]) == 0
    assert {m["name"] for m in json.loads(capsys.readouterr().out)} == set(available_montages())


def test_command_matches_labels(capsys: pytest.CaptureFixture[str]) -> None:
    from neuript.cli.montages import run

    assert run(["openbci-8", "--match", "FP1,Fp2,C3,C4,T5,T6,O1,O2,ECG"]) == 0
    assert "renamed" in capsys.readouterr().out
    with pytest.raises(NeuriptError, match="3 of the 8"):
        run(["openbci-8", "--match", "Fp1,Fp2,C3"])
    with pytest.raises(NeuriptError, match="unknown montage"):
        run(["nothing"])
    with pytest.raises(SystemExit) as caught:
        run(["--match", "C3"])
    assert caught.value.code == 2

"""Names, labels, markers, files and manifests that give orders to a terminal: no command passes one on."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import toy_model
import xdf_writer
from rich.table import Table

from neuript import cli
from neuript.foreign import MAX_SHOWN, guard_output, one_line, printable
from neuript.modelfile.deployable import save_model
from neuript.realtime.chain.chunk import SignalInfo
from neuript.safe_console import Report

IN_XML = "evil\x9b2J\u202egpj.\u2066\ufeff\u2028\r\nforged  line <b>bold</b> [red]red[/red]"
"""What XML can hold; a name over LSL and a marker can hold the rest."""
EVIL = f"\x1b]0;owned\x07\x1b[31m\x08\x00{IN_XML}"
FILE = "evil\x1b]0;owned\x07\u202e\nforged  line"
LONG = "A" * 5_000_000
ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
MOST = 200_000
LABELS = [IN_XML, "C3", IN_XML + LONG[:100_000]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, a model, decisions, a montage and a config of somebody who means no good."""
    path = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(3)
    stamps = 10 + np.arange(2000) / 250
    markers = [(11.0, EVIL), (12.0, "769"), (13.0, EVIL + LONG), (14.0, "770")]
    desc = f"<manufacturer>{IN_XML}</manufacturer><reference><label>{IN_XML}</label></reference>".replace("<b>", "")
    desc = desc.replace("</b>", "")
    evil = xdf_writer.session(
        rng.normal(0, 20, (2000, 3)), stamps, markers, labels=LABELS, name=IN_XML, desc=desc
    )  # fmt: skip
    evil.save(path / f"{FILE}.xdf")
    evil.save(path / "plain.xdf")
    (path / f"{FILE}.edf").write_bytes(b"not an EDF")
    told = {
        "simulated": False,
        "data": [EVIL, LONG[:1_000_000]],
        "notes": EVIL,
        "date": EVIL,
        EVIL: EVIL,
        "counts": {EVIL: 3},
    }
    metrics = {EVIL: {EVIL: 0.5}, "long": LONG[:1_000_000]}
    manifest = toy_model.make_manifest(provenance=told, metrics=metrics)
    save_model(path / f"{FILE}.ts", toy_model.toy_network(), manifest)
    row = {"t": 1.0, "proba": {EVIL: 0.5, "b": 0.5}, "decision": EVIL, "state": EVIL}
    (path / "rows.jsonl").write_text(json.dumps({**row, "rec_t": 1.0}))
    (path / f"{FILE}.yaml").write_text(
        f"name: {json.dumps(EVIL)}\nelectrodes: [{json.dumps(EVIL)}]\n{json.dumps(EVIL)}: 1\n"
    )
    return path


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "inspect a recording": lambda f: ["inspect", str(f / f"{FILE}.xdf")],
    "inspect it for programs": lambda f: ["inspect", str(f / f"{FILE}.xdf"), "--json"],
    "inspect with its log": lambda f: ["inspect", str(f / f"{FILE}.xdf"), "--verbose"],
    "inspect what is none": lambda f: ["inspect", str(f / f"{FILE}.edf")],
    "inspect a model": lambda f: ["inspect", str(f / f"{FILE}.ts")],
    "inspect it for programs, too": lambda f: ["inspect", str(f / f"{FILE}.ts"), "--json"],
    "inspect what is not there": lambda f: ["inspect", str(f / f"{FILE}none")],
    "check": lambda f: ["xdf", "check", str(f / f"{FILE}.xdf")],
    "score": lambda f: ["score", str(f / "rows.jsonl"), "--recording", str(f / "plain.xdf"), "--event", "left=769"],
    "score without classes": lambda f: ["score", str(f / "rows.jsonl"), "--recording", str(f / f"{FILE}.xdf")],
    "calibrate": lambda f: ["calibrate", "--from", str(f / f"{FILE}.xdf"), "--out", str(f / "x.ts"), "--event", "a=1"],
    "replay without LSL": lambda f: ["live", "--replay", str(f / f"{FILE}.xdf"), "--demo"],
    "decode": lambda f: ["live", "--model", str(f / f"{FILE}.ts"), "--replay", str(f / f"{FILE}.xdf")],
    "a montage": lambda f: ["montages", str(f / f"{FILE}.yaml")],
    "a config": lambda f: ["live", "--config", str(f / f"{FILE}.yaml")],
    "prepare": lambda f: ["train", "prepare", str(f), "--out", str(f / "corpus"), "--montage", "10-20"],
    "purge": lambda f: ["purge", "S01", "--in", str(f), "--sessions", str(f)],
    "a verb": lambda f: [EVIL],
    "an option": lambda f: ["inspect", f"--{EVIL}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_passes_on_orders(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(COMMANDS[name](folder)) in (0, 2, 5)
    said = capsys.readouterr()
    text = said.out + said.err
    assert text
    assert not ORDERS.findall(text)
    assert not [line for line in text.splitlines() if line.startswith("forged")]
    assert len(text) < MOST or "--json" in COMMANDS[name](folder)


@pytest.mark.lsl
@pytest.mark.parametrize("escape", ["\x1b[2J", "\x9b2J"], ids=["that is no XML", "that is"])
def test_no_command_passes_on_orders_of_a_stream(
    escape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LSL carries what XML would not: escapes in names, ids and labels."""
    from neuript.realtime.lsl.library import pylsl

    info = pylsl.StreamInfo(f"{escape}{IN_XML}", "EEG", 2, 250, "float32", f"id{escape}\nforged")
    channels = info.desc().append_child("channels")
    for label in (f"C3{escape}\nforged", "C4"):
        channels.append_child("channel").append_child_value("label", label)
    outlet = pylsl.StreamOutlet(info)
    for words in (
        ["streams", "--wait", "1"],
        ["streams", "--wait", "1", "--montage", "10-20"],
        ["streams", "--wait", "1", "--json"],
        ["init", str(tmp_path / "config.yaml")],
        ["live", "--demo", "--stream", "none", "--wait", "0.1", "--headless"],
        ["record", str(tmp_path / "a.xdf"), "--stream", "none", "--wait", "0.1"],
    ):
        assert cli.main(words) in (0, 2, 3), words
        said = capsys.readouterr()
        assert not ORDERS.findall(said.out + said.err), words
        assert not [line for line in (said.out + said.err).splitlines() if line.startswith("forged")], words
    config = tmp_path / "config.yaml"
    assert config.is_file() is escape.startswith("\x9b")  # a header that is no XML is refused
    assert not config.is_file() or not ORDERS.findall(config.read_text("utf-8"))
    del outlet


def test_for_programs_the_text_means_what_it_meant(capsys: pytest.CaptureFixture[str]) -> None:
    """What a guard spells out in JSON is read back as it was."""
    with guard_output():
        sys.stdout.write(json.dumps({"a": EVIL}, ensure_ascii=False))
    assert json.loads(capsys.readouterr().out) == {"a": EVIL}


def test_what_is_shown() -> None:
    assert one_line("a\nb\tc\x1b[2J") == "a\\u000ab\\u0009c\\u001b[2J"
    assert one_line(LONG) == f"{'A' * (MAX_SHOWN - 3)}..."
    assert len(one_line("\x1b" * 200)) <= 3 * MAX_SHOWN
    for fine in ("Fp1", "µV", "naïve 日本語 👩‍🔬", "a\tb\nc"):
        assert printable(fine) == fine
    assert printable("\U000e0041") == "\\udb40\\udc41"
    assert ORDERS.sub("", printable(EVIL)) == printable(EVIL)


def test_a_streams_words_are_clean_from_the_start() -> None:
    info = SignalInfo(
        name=EVIL,
        sfreq=250.0,
        ch_names=(EVIL, LONG),
        source_id=EVIL,
        hostname=EVIL,
        positions_m={EVIL: (0.0, 0.0, 0.1)},
    )
    for text in (info.name, *info.ch_names, info.source_id, info.hostname, *info.positions_m):
        assert one_line(text, len(text)) == text
        assert len(text) <= 1000
    assert list(info.positions_m) == [info.ch_names[0]]


def test_tables_and_live_pictures_are_clean_too(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    console = Report(force_terminal=True, markup=False)
    console.print(table, f"[red]{EVIL}")
    from rich.live import Live

    with Live(table, console=console, auto_refresh=False):
        pass
    out = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", capsys.readouterr().out)  # rich's own
    assert "evil" in out
    assert not ORDERS.findall(out)


def _calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_no_other_console_is_made() -> None:
    """A rich console of one's own would draw what strangers say as it is."""
    root = Path(__file__).resolve().parents[2]
    files = [p for top in ("neuript", "realtime", "training", "montages") for p in (root / top).rglob("*.py")]
    assert [p.name for p in files if "Console" in p.read_text("utf-8") and "Console" in _calls(p)] == []

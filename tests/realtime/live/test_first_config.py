"""`neuript init`: what it writes is what `--config` takes."""

from __future__ import annotations

import pytest
import yaml

from neuript import cli
from neuript.cli.config_file import parse_with_config
from neuript.cli.live import build_parser as live_parser
from neuript.cli.record import build_parser as record_parser
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.live.first_config import Known, config_text

BARE = SignalInfo(name="Open: BCI", sfreq=250.0, ch_names=("",) * 8, units=("",) * 8, ch_types=("",) * 8)
NAMED = SignalInfo(name="amp", sfreq=250.0, ch_names=("C3", "Cz"), units=("uV",) * 2, ch_types=("EEG",) * 2)


def uncommented(text: str) -> dict[str, object]:
    """The file as it is when a person takes the examples."""
    lines = [
        line.replace("# ", "", 1) if line.strip().startswith("# ") and ": " in line else line for line in lines_of(text)
    ]
    return yaml.safe_load("\n".join(lines))


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("# ") or line[2:].split(":")[0].isidentifier()]


@pytest.mark.parametrize("info", [None, BARE, NAMED])
def test_the_file_and_its_examples_are_options(tmp_path, info):
    text = config_text(Known(), info)
    path = tmp_path / "config.yaml"
    for content in (text, yaml.safe_dump(uncommented(text))):
        path.write_text(content)
        parse_with_config("live", live_parser(), ["--config", str(path)])
        parsed = parse_with_config("record", record_parser(), ["a.xdf", "--config", str(path)])
    assert parsed.unit == "microvolts"
    assert parsed.stream == (info.name if info else "OpenBCI")


def test_what_the_network_shows_is_said():
    text = config_text(Known(), BARE)
    assert yaml.safe_load(text)["stream"] == "Open: BCI"
    assert "the 8 channels have no names, so say it: a montage with as many (openbci-8, crown-8, unicorn-8)" in text
    assert "the stream says uV" in config_text(Known(), NAMED)
    assert "the stream names its electrodes" in config_text(Known(), NAMED)


def test_options_are_written_and_nothing_is_overwritten(tmp_path, capsys):
    path = tmp_path / "lab.yaml"
    given = ["init", str(path), "--wait", "0", "--channels", "C3,Cz,-", "--unit", "uV", "--stream", "X"]
    assert cli.main(given) == 0
    assert yaml.safe_load(path.read_text()) == {
        "stream": "X", "channels": ["C3", "Cz", "-"], "unit": "uV", "live": None, "record": None, "calibrate": None,
    }  # fmt: skip
    before = path.read_bytes()
    assert cli.main(given) == 2
    assert "exists already and is not replaced" in capsys.readouterr().err
    assert path.read_bytes() == before

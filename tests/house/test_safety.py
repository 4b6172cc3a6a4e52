"""What SECURITY.md, docs/safety.md and docs/dependencies.md promise: tests that exist, packages as they are."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from processes import finished, python

ROOT = Path(__file__).resolve().parents[2]
SAFETY = ROOT / "docs" / "safety.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def tool(name: str) -> ModuleType:
    """Import a file of `tools/`, which are not installed."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hazards() -> list[list[str]]:
    """The rows of the table of hazards, without its head."""
    rows = [line.strip("| \n").split(" | ") for line in SAFETY.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "hazard"]


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "test"), sorted(set(_TEST.findall(SAFETY.read_text("utf-8")))))
def test_a_test_that_is_said_to_show_a_control_is_there(path, test):
    assert test in functions_of(ROOT / path)


def test_every_hazard_has_its_control_and_its_test():
    text = SAFETY.read_text("utf-8")
    for hazard in ("wrong command", "stale command", "stuck command", "missed command", "seizure"):
        assert f"| **{hazard}" in text or f"{hazard} by" in text
    for line in text.splitlines():
        if line.startswith("| ") and "how it comes about" not in line:
            assert _TEST.search(line) or "SECURITY.md" in line, line


# --- packages ---


def test_every_package_has_a_reason_and_stands_in_the_list():
    dependencies = tool("list_dependencies")
    rows = re.findall(r"^\| (\S+) \| (always|extra [^|]*) \| ([^|]+) \| ([^|]+) \|$", DEPENDENCIES.read_text(), re.M)
    listed = {name: (needed.strip(), why.strip()) for name, needed, why, _ in rows}
    asked_for = dependencies.direct()
    assert listed.keys() == asked_for.keys(), "python tools/list_dependencies.py docs/dependencies.md"
    for name, extras in asked_for.items():
        assert listed[name][1] == dependencies.WHY[name]
        assert (listed[name][0] == "always") == (not extras)


def test_licences_are_those_that_the_packages_state():
    dependencies = tool("list_dependencies")
    rows = re.findall(r"^\| (\S+) \| (?:always|extra [^|]*) \| [^|]+ \| ([^|]+) \|$", DEPENDENCIES.read_text(), re.M)
    unknown = "not installed where this was written"
    for name, stated in rows:
        now = dependencies.licence(name)
        if name != "torch" and unknown not in (now, stated.strip()):  # torch says something else for each of its builds
            assert now == stated.strip(), f"{name}: python tools/list_dependencies.py docs/dependencies.md"


def test_pyqt_alone_asks_for_the_source_of_the_whole():
    dependencies = tool("list_dependencies")
    named = dependencies.direct()
    always = [name for name, extras in named.items() if not extras]
    strict = re.compile(r"(?<!L)A?GPL|General Public", re.I)
    found = {
        name for name in [*named, *dependencies.brought_along(always)] if strict.search(dependencies.licence(name))
    }
    assert found <= {"pyqt6"}
    assert "GPL-3" in DEPENDENCIES.read_text()


WITHOUT_QT = """
import sys
from pathlib import Path

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("PyQt6", "PySide6", "PyQt5", "PySide2", "pyqtgraph", "qtpy"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, NoQt())
import numpy as np
import xdf_writer
from neuript import cli
from neuript.realtime.live.demo import DEMO_MODEL
from neuript.realtime.twin.signal import TwinSignal
import neuript.realtime.lsl.outlet, neuript.realtime.bridge.bridge_session
import neuript.training.calibration.calibration

twin = TwinSignal("unicorn-8", 250.0)
path = sys.argv[1]
stamps = 100 + np.arange(2500) / 250.0
xdf_writer.session(twin.read(2500), stamps, [], sfreq=250.0, labels=list(twin.ch_names)).save(Path(path))
code = cli.main(["live", "--model", str(DEMO_MODEL), "--replay", path, "--json"])
qt = sorted(name for name in sys.modules if name.split(".")[0] in ("PyQt6", "PySide6", "pyqtgraph"))
assert not qt, qt
sys.exit(code)
"""


def test_the_decoder_and_the_calibration_need_no_qt(tmp_path):
    helpers = str(ROOT / "tests" / "helpers")
    done = finished(python(WITHOUT_QT, tmp_path / "r.xdf"), env={"PYTHONPATH": helpers}, ok=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(row["state"] == "OK" for row in rows)


# --- known vulnerabilities ---


def test_nobody_to_ask_is_said_and_no_failure(monkeypatch, capsys, tmp_path):
    check = tool("known_vulnerabilities")
    for program, words in (
        ("#!/bin/sh\nsleep 30\n", "no answer within 0.5 s"),
        ("#!/bin/sh\necho 'could not connect' >&2; exit 1\n", "could not connect"),
        ('#!/bin/sh\necho \'{"dependencies": [{"name": "a", "skip_reason": "b"}]}\'\n', "knows none"),
    ):
        fake = tmp_path / "python"
        fake.write_text(program)
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "argv", ["x", "--limit", "0.5", "--with", str(fake)])
        assert check.main() == 0
        assert words in (said := capsys.readouterr().out)
        assert "NOT CHECKED" in said
    monkeypatch.setattr(sys, "argv", ["x", "--with", str(tmp_path / "none")])
    assert check.main() == 0


def test_a_vulnerability_with_a_remedy_fails_and_one_without_is_listed(monkeypatch, capsys):
    check = tool("known_vulnerabilities")
    one = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    for vulns, code in (([one], 1), ([one | {"fix_versions": []}], 0), ([], 0)):
        answer = json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": vulns}]})
        done = subprocess.CompletedProcess([], 1, answer, "")
        monkeypatch.setattr(check.subprocess, "run", lambda *a, done=done, **k: done)
        monkeypatch.setattr(sys, "argv", ["x"])
        assert check.main() == code
        said = capsys.readouterr().out
        assert ("PYSEC-1" in said) == bool(vulns)
        assert "1 packages were looked up" in said

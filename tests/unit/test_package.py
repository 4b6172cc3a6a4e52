"""The wheel holds everything, and layers import only downwards."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "neuript": "neuript",
    "neuript.realtime": "realtime",
    "neuript.training": "training",
    "neuript.montages": "montages",
}
PURE_REALTIME = {
    "chunk",
    "decision",
    "decoder",
    "filters",
    "metadata",
    "policy",
    "preprocess",
    "quality",
    "read_mne",
    "read_xdf",
    "recordings",
    "replay",
    "ring",
    "scoring",
    "states",
    "timestamps",
    "units",
    "windowing",
}
PYLSL_MODULES = {
    "discovery",
    "inlet",
    "outlet",
    "lsl_config",
    "lsl_replay",
    "amplifier",
    "client",
    "doctor",
}


def modules() -> dict[str, Path]:
    """Full module name to file, for every Python file of the package."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions, but not for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{a.name}" for a in node.names)
    return names


def layer(module: str) -> str:
    if module == "neuript.__main__":
        return "cli"
    if module == "neuript.module":  # from channel names to the model's tensors
        return "face"
    for name in ("realtime", "training", "montages", "cli"):
        if module == f"neuript.{name}" or module.startswith(f"neuript.{name}."):
            return name
    return "model" if module == "neuript" or module.startswith("neuript.") else "outside"


ALLOWED = {
    "model": {"model"},
    "montages": {"montages"},
    "face": {"model", "montages"},
    "realtime": {"realtime", "model", "montages"},
    "training": {"training", "realtime", "model", "montages", "face"},
    "cli": {"cli", "face", "training", "realtime", "model", "montages"},
}


@pytest.mark.parametrize(("module", "path"), modules().items(), ids=modules().keys())
def test_layers_import_only_downwards(module: str, path: Path):
    for name in imports(path):
        if layer(name) == "outside" or name in ("neuript", "neuript.errors", "neuript.__version__"):
            continue
        if name.startswith("neuript.errors."):
            continue
        assert layer(name) in ALLOWED[layer(module)], f"{module} imports {name}"
        if layer(module) == "training" and layer(name) == "realtime" and name != "neuript.realtime":
            part = name.split(".")[2]
            assert part in PURE_REALTIME or part == "twin", (
                f"{module} imports {name}, which is not pure"
            )


@pytest.mark.parametrize(("module", "path"), modules().items(), ids=modules().keys())
def test_lsl_and_qt_stay_at_the_edge(module: str, path: Path):
    names = {name.split(".")[0] for name in imports(path)}
    last = module.rsplit(".", 1)[-1]
    if "pylsl" in names:
        assert last in PYLSL_MODULES, f"{module} imports pylsl"
    if names & {"PyQt6", "pyqtgraph"}:
        assert last.startswith("qt") or last == "doctor", f"{module} imports Qt"


def test_every_folder_with_code_is_a_declared_package():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for module, path in modules().items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        assert package in declared["packages"], f"add {package} to [tool.setuptools] packages"
        assert (ROOT / declared["package-dir"][package]).is_dir()


def test_wheel_holds_every_module_and_data_file(tmp_path: Path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if not any(tracked):
        pytest.skip("not a git checkout")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            tmp_path,
            source,
        ],
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = tmp_path.glob("neuript-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in FOLDERS.items():
        for name in filter(None, tracked):
            if name.startswith(folder + "/") and (ROOT / name).is_file():
                expected = f"{package.replace('.', '/')}/{name.removeprefix(folder + '/')}"
                assert expected in inside, f"{expected} is missing from the wheel"


@pytest.mark.parametrize("module", ["neuript", "neuript.cli"])
def test_import_is_cheap(module: str):
    code = (
        f"import sys, {module}; heavy = {{'torch','mne','scipy','numpy','PyQt6','pylsl','sklearn'}} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_programs_are_started_so_that_a_checkout_does_not_hide_the_package():
    """Without -P, Python puts the working folder first, and `neuript` of a checkout has no `realtime`."""
    for folder in ("neuript", "realtime", "training", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for node in calls:
                if not isinstance(node, ast.List | ast.Tuple):
                    continue
                words = [e.value for e in node.elts if isinstance(e, ast.Constant)]
                runs_code = any("executable" in ast.dump(e) for e in node.elts) and {
                    "-m",
                    "-c",
                } & set(words)
                assert not runs_code or "-P" in words or "pip" in words, f"{path}:{node.lineno}"

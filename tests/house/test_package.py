"""The wheel holds everything, and layers import only downwards."""

from __future__ import annotations

import ast
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from processes import finished, python

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "neuript": "neuript",
    "neuript.realtime": "realtime",
    "neuript.training": "training",
    "neuript.montages": "montages",
}
BASE = {"errors", "files", "interrupt", "limits", "locks", "specs"}
"""Modules beside the folders of `neuript/` that any folder may use."""
MAY_IMPORT = {
    "montages": "",
    "neuript.network": "",
    "neuript.modelfile": "neuript.network neuript.weights",
    "neuript.braindecode": "neuript.network neuript.modelfile montages",
    "realtime.chain": "",
    "realtime.recordings": "realtime.chain montages",
    "realtime.decoding": "realtime.chain neuript.modelfile",
    "realtime.lsl": "realtime.chain realtime.recordings realtime.decoding montages",
    "realtime.twin": "realtime.chain realtime.lsl montages",
    "realtime.dashboard": "realtime.chain realtime.recordings realtime.decoding realtime.lsl",
    "realtime.live": "realtime montages neuript.network neuript.modelfile neuript.weights",
    "training.windows": "realtime.chain realtime.recordings realtime.decoding montages neuript.modelfile",
    "training.fitting": "training.windows realtime.decoding neuript.network neuript.modelfile montages",
    "training.calibration": "training.windows training.fitting realtime.chain realtime.recordings realtime.decoding "
    "montages neuript.network neuript.modelfile neuript.weights",
    "training.corpus": "training.windows realtime.chain realtime.recordings montages",
    "training.evaluate": "training.windows training.fitting realtime.chain realtime.recordings montages "
    "neuript.network neuript.modelfile",
    "training.pretrain": "training.corpus training.fitting realtime.chain montages neuript.network neuript.modelfile",
    "training.pictures": "training.windows training.fitting training.corpus training.evaluate training.pretrain "
    "montages neuript.network neuript.modelfile",
    "training.sweep": "training.fitting training.corpus training.evaluate training.pretrain montages "
    "neuript.network neuript.modelfile",
    "training.estimator": "training.windows training.fitting realtime.chain montages neuript.network "
    "neuript.braindecode",
    "neuript.inspection": "realtime.recordings neuript.modelfile",
    "neuript.cli": "neuript realtime training montages",
}
"""Folder (or lone module) to the folders that it may import from, its own and `BASE` aside; the layers of
docs/architecture.md."""


def modules() -> dict[str, Path]:
    """Full module name to file, for every Python file of the package."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
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


def room(module: str) -> str:
    """The folder of a module as `MAY_IMPORT` names it; `base` for what anybody may use."""
    parts = module.split(".")
    if parts[0] != "neuript":
        return "outside"
    if parts[1:2] == ["__main__"]:
        return "neuript.cli"
    if len(parts) == 1 or parts[1] in BASE or parts[1].startswith("__"):
        return "base"
    if parts[1] in ("realtime", "training"):
        return ".".join(parts[1:3])
    return parts[1] if parts[1] == "montages" else ".".join(parts[:2])


def upward(module: str, names: set[str]) -> list[str]:
    """Those of `names` that a module must not import."""
    own = room(module)
    allowed = {"base", own, *MAY_IMPORT.get(own, "").split()}
    return sorted(
        name
        for name in names
        if name in MODULES and room(name) not in allowed and room(name).partition(".")[0] not in allowed
    )


MODULES = modules()
PROJECT = sorted(
    p for folder in (*FOLDERS.values(), "tests", "tools", "benchmarks") for p in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES.keys())
def test_layers_import_only_downwards(module: str, path: Path):
    assert not upward(module, imports(path))


def test_the_layers_name_every_folder():
    rooms = {room(module) for module in MODULES} - {"base", "realtime", "training", "neuript.weights"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("neuript.realtime.chain.filters", "neuript.realtime.decoding.decoder"),
        ("neuript.realtime.decoding.decoder", "neuript.realtime.lsl.inlet"),
        ("neuript.realtime.live.session", "neuript.training.calibration.calibration"),
        ("neuript.training.windows.epochs", "neuript.realtime.lsl.inlet"),
        ("neuript.training.fitting.supervised", "neuript.training.evaluate.methods"),
        ("neuript.montages.loader", "neuript.network.network"),
        ("neuript.network.layers", "neuript.modelfile.manifest"),
        ("neuript.files", "neuript.network.layers"),
    ],
)
def test_an_import_upwards_is_noticed(module: str, imported: str):
    assert module in MODULES
    assert upward(module, {imported, "numpy", "neuript.errors"}) == [imported]


@pytest.mark.parametrize("path", PROJECT, ids=[str(p.relative_to(ROOT)) for p in PROJECT])
def test_the_house_is_imported_by_its_full_name(path: Path):
    bare = {n for n in imports(path) if n.partition(".")[0] in ("realtime", "training", "montages")}
    assert not bare, f"import neuript.{min(bare)}; a bare name is somebody else's, or a second copy"


def test_a_public_class_name_means_one_thing():
    classes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes.setdefault(node.name.casefold(), []).append(f"{module}.{node.name}")
    assert not {name: found for name, found in classes.items() if len(found) > 1}


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES.keys())
def test_lsl_and_qt_stay_in_their_folders(module: str, path: Path):
    names = imports(path)
    tops = {name.split(".")[0] for name in names}
    if any("pylsl" in name.split(".") for name in names):
        assert room(module) == "realtime.lsl", f"{module} uses pylsl"
    if tops & {"PyQt6", "pyqtgraph"}:
        assert module.startswith("neuript.realtime.dashboard.qt"), f"{module} uses Qt"


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "neuript", "montages"],
        ["-m", "pytest", "--collect-only", "-q", "tests/realtime/chain/test_ring.py"],
        ["-c", "import neuript; neuript.NeurIPTClassifier, neuript.NeurIPT"],
        ["-c", "import neuript.realtime.chain.ring, neuript.training.windows, neuript.montages"],
    ],
    ids=["verb", "pytest", "notebook", "modules"],
)
def test_the_root_of_a_clone_works_as_a_working_folder(words: list[str]):
    """Python puts the working folder first, where `neuript/` lies without its siblings inside."""
    finished([sys.executable, *words], cwd=ROOT, within_s=100, ok=True)


def test_a_file_name_means_one_thing():
    files: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        if not path.name.startswith("__"):
            files.setdefault(path.name, []).append(module)
    assert not {name: found for name, found in files.items() if len(found) > 1}


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "neuript.cli"])
def test_the_command_line_parses_and_prints(module: str):
    """What a verb does is a public function elsewhere, which a notebook can call; a long file holds more than words."""
    n_lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert n_lines <= 150, f"{module} has {n_lines} lines"


def test_every_folder_with_code_is_a_declared_package():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for module, path in modules().items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        assert package in declared["packages"], f"add {package} to [tool.setuptools] packages"
        assert (ROOT / declared["package-dir"][package]).is_dir()


def test_wheel_holds_every_module_and_data_file(tmp_path: Path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    tracked = finished(["git", "ls-files", "-z"], cwd=ROOT).stdout.split("\0")
    if not any(tracked):
        pytest.skip("not a git checkout")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    finished([*pip, "-w", tmp_path, source], within_s=100, ok=True)
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
    finished(python(code), ok=True)


def test_programs_are_started_so_that_a_checkout_does_not_hide_the_package():
    """Without -P, Python puts the working folder first, and `neuript` of a checkout has no `realtime`."""
    for folder in ("neuript", "realtime", "training", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for node in calls:
                if not isinstance(node, ast.List | ast.Tuple):
                    continue
                words = [e.value for e in node.elts if isinstance(e, ast.Constant)]
                runs_code = any("executable" in ast.dump(e) for e in node.elts) and {"-m", "-c"} & set(words)
                assert not runs_code or "-P" in words or "pip" in words, f"{path}:{node.lineno}"

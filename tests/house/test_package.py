"""The wheel holds everything, and layers import only downwards."""

from __future__ import annotations

import ast
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest
from processes import finished, python

from neuript.limits import SFREQ_MAX

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "neuript": "neuript",
    "neuript.realtime": "realtime",
    "neuript.training": "training",
    "neuript.montages": "montages",
}
BASE = {
    *("durations", "errors", "extras", "files", "foreign", "interrupt", "limits", "locks"),
    *("modest", "outflow", "pasteable", "qt_choice", "safe_console", "specs", "strict_yaml", "user_folders"),
}
"""Modules beside the folders of `neuript/` that any folder may use."""
MAY_IMPORT = {
    "montages": "",
    "neuript.network": "",
    "neuript.engines": "neuript.network",
    "neuript.modelfile": "neuript.network neuript.engines neuript.weights",
    "neuript.braindecode": "neuript.network neuript.modelfile montages",
    "realtime.chain": "",
    "realtime.recordings": "realtime.chain montages",
    "realtime.decoding": "realtime.chain neuript.modelfile",
    "realtime.lsl": "realtime.chain realtime.recordings realtime.decoding montages",
    "realtime.twin": "realtime.chain realtime.recordings realtime.lsl montages",
    "realtime.dashboard": "realtime.chain realtime.recordings realtime.decoding realtime.lsl montages",
    "realtime.paradigm": "realtime.recordings realtime.lsl realtime.dashboard",
    "realtime.bridge": "realtime.chain realtime.recordings realtime.decoding realtime.lsl",
    "realtime.feedback": "realtime.chain realtime.recordings realtime.decoding realtime.lsl realtime.dashboard",
    "realtime.live": "realtime montages neuript.network neuript.engines neuript.modelfile neuript.weights",
    "realtime.certify": "realtime.chain realtime.decoding realtime.lsl realtime.live neuript.network neuript.engines "
    "neuript.modelfile",
    "realtime.view": "realtime.chain realtime.recordings realtime.lsl realtime.dashboard realtime.live montages",
    "training.windows": "realtime.chain realtime.recordings realtime.decoding montages neuript.modelfile",
    "training.fitting": "training.windows realtime.chain realtime.decoding neuript.network neuript.modelfile montages",
    "training.population": "training.windows training.fitting training.corpus realtime.chain realtime.recordings "
    "realtime.decoding montages neuript.network neuript.modelfile",
    "training.calibration": "training.windows training.fitting training.population realtime.chain realtime.recordings "
    "realtime.decoding montages neuript.network neuript.modelfile neuript.weights",
    "training.guided": "training.windows training.calibration realtime.chain realtime.dashboard realtime.recordings "
    "realtime.decoding realtime.live realtime.lsl realtime.paradigm training.report montages neuript.modelfile",
    "training.corpus": "training.windows realtime.chain realtime.recordings montages",
    "training.evaluate": "training.windows training.fitting training.calibration training.population realtime.chain "
    "realtime.recordings realtime.decoding realtime.live montages neuript.network neuript.modelfile neuript.weights",
    "training.pretrain": "training.corpus training.fitting realtime.chain montages neuript.network neuript.modelfile",
    "training.pictures": "training.windows training.fitting training.corpus training.evaluate training.pretrain "
    "montages neuript.network neuript.modelfile",
    "training.report": "training.windows training.fitting training.population training.calibration training.evaluate "
    "training.pictures realtime.chain realtime.decoding realtime.recordings montages neuript.weights",
    "training.share": "training.calibration training.guided realtime.chain realtime.decoding realtime.lsl "
    "realtime.recordings montages",
    "training.sweep": "training.fitting training.corpus training.evaluate training.pretrain realtime.recordings "
    "montages neuript.network neuript.modelfile",
    "training.classifier": "training.windows training.fitting realtime.chain realtime.decoding montages "
    "neuript.network neuript.modelfile neuript.braindecode",
    "neuript.inspection": "realtime.recordings neuript.modelfile",
    "neuript.cli": "neuript realtime training montages",
}
"""Folder (or lone module) to the folders that it may import from, its own and `BASE` aside; the layers of
docs/architecture.md."""
QT = {"PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy", "pyqtgraph"}
WORLD = {
    *("time", "datetime", "sched"),
    *("threading", "_thread", "multiprocessing", "concurrent", "asyncio", "queue", "torch.multiprocessing"),
    *("socket", "socketserver", "select", "selectors", "ssl", "http", "urllib", "requests", "torch.distributed"),
    *("subprocess", "signal", "logging"),
}
"""Clocks, threads, networks, processes and logs: what a pure function does not touch."""
PURE = {"neuript.network": WORLD, "realtime.chain": WORLD | {"torch"}}
"""Folder to what nothing in it may import: the same input gives the same bits, whenever and wherever it runs."""


def modules() -> dict[str, Path]:
    """Full module name to file, for every Python file of the package."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


@cache
def imports(source: str) -> frozenset[str]:
    """Every module that a source text imports, wherever in it, and also by a name in a string."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__"):
            names.update(_text(word) for word in (*node.args[:1], *(k.value for k in node.keywords)))
    return frozenset(names - {""})


def _last_name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def _text(node: ast.AST) -> str:
    """Return a constant string, or what an f-string begins with."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def comes_from(names: frozenset[str], packages: set[str]) -> set[str]:
    """Those of `names` that are one of `packages`, or inside one."""
    return {name for name in names if any(f"{name}.".startswith(f"{package}.") for package in packages)}


def mentions(source: str, word: str) -> bool:
    """Whether a source text imports something with this name, or has it as a variable or attribute."""
    if word not in source:  # most files: no need to parse them
        return False
    names = {_last_name(node) for node in ast.walk(ast.parse(source))}
    return word in names or any(word in name.split(".") for name in imports(source))


def bare(source: str) -> set[str]:
    """What a source text imports of the house without its first name."""
    return comes_from(imports(source), {"realtime", "training", "montages"})


def leaves_the_path_open(source: str) -> list[int]:
    """Lines of command lines that run a module or code in this Python without `-P`; pip is not ours."""
    lines: list[int] = []
    if "executable" not in source:
        return lines
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.List | ast.Tuple):
            continue
        words = {_text(e) for e in node.elts}
        runs_code = any("executable" in ast.dump(e) for e in node.elts) and {"-m", "-c"} & words
        if runs_code and not {"-P", "pip"} & words:
            lines.append(node.lineno)
    return lines


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


def upward(module: str, names: frozenset[str] | set[str]) -> list[str]:
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
    assert not upward(module, imports(path.read_text(encoding="utf-8")))


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
    found = bare(path.read_text(encoding="utf-8"))
    assert not found, f"import neuript.{min(found)}; a bare name is somebody else's, or a second copy"


@pytest.mark.parametrize(
    "source",
    [
        "import realtime.chain.ring",
        "from training import windows",
        "def f():\n    import montages as m",
        "import importlib\nimportlib.import_module('realtime.chain')",
        "from importlib import import_module\nimport_module(name='montages')",
        "__import__('training.windows')",
        "import importlib\nimportlib.import_module(f'training.{name}')",
    ],
)
def test_a_bare_name_is_noticed(source: str):
    assert bare(source)
    assert not bare(source.replace("realtime", "neuript.realtime").replace("training", "x").replace("montages", "y"))


def test_a_relative_import_is_noticed():
    with pytest.raises(AssertionError, match="relative import"):
        imports("from .ring import Ring")


def compares_with(source: str, number: float) -> bool:
    """Whether a source text compares something with this very number."""
    compared = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Compare)]
    sides = [side for n in compared for side in (n.left, *n.comparators)]
    return any(isinstance(side, ast.Constant) and side.value == number for side in sides)


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES.keys())
def test_the_rates_that_are_decoded_are_limits(module: str, path: Path):
    assert not compares_with(path.read_text(encoding="utf-8"), SFREQ_MAX), f"{module}: take it from neuript.limits"


@pytest.mark.parametrize("source", ["100 <= sfreq <= 20000", "def f(x):\n    return x > 20_000.0"])
def test_a_rate_written_as_a_number_is_noticed(source: str):
    assert compares_with(source, SFREQ_MAX)
    assert not compares_with(f"MAX_ENTRIES = 20000\ntext = {source!r}", SFREQ_MAX)


def test_a_public_class_name_means_one_thing():
    classes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes.setdefault(node.name.casefold(), []).append(f"{module}.{node.name}")
    assert not {name: found for name, found in classes.items() if len(found) > 1}


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES.keys())
def test_lsl_and_qt_stay_in_their_folders(module: str, path: Path):
    source = path.read_text(encoding="utf-8")
    assert room(module) == "realtime.lsl" or not mentions(source, "pylsl"), f"{module} uses pylsl"
    if "qt" not in module.split("."):
        assert not comes_from(imports(source), QT), f"{module} uses Qt"


@pytest.mark.parametrize(
    "source",
    [
        "import pylsl",
        "import pylsl.util as x",
        "from neuript.realtime.lsl.library import pylsl as quiet",
        "from neuript.realtime.lsl import library\nlibrary.pylsl.local_clock()",
        "from neuript.realtime.lsl import discovery\nlsl = discovery.pylsl",
        "import importlib\nimportlib.import_module('pylsl')",
    ],
)
def test_the_use_of_pylsl_is_noticed(source: str):
    assert mentions(source, "pylsl")
    assert not mentions(f"text = {source!r}  # pylsl", "pylsl")


@pytest.mark.parametrize("package", sorted(QT))
def test_the_use_of_qt_is_noticed(package: str):
    for source in (f"import {package}", f"from {package}.QtCore import Qt", f"__import__('{package}.QtGui')"):
        assert comes_from(imports(source), QT)
    assert not comes_from(imports(f"probe = 'import {package}'\nimport {package}_of_mine"), QT)


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in PURE])
def test_the_signal_chain_and_the_network_have_no_clock_no_thread_no_network(module: str):
    names = imports(MODULES[module].read_text(encoding="utf-8"))
    assert not comes_from(names, PURE[room(module)])


def test_the_pure_folders_are_there():
    assert {room(module) for module in MODULES} >= set(PURE)


@pytest.mark.parametrize("name", sorted(WORLD))
def test_a_clock_a_thread_or_a_network_is_noticed(name: str):
    top, _, rest = name.partition(".")
    for source in (f"import {name}", f"from {name} import x", f"from {top} import {rest or 'x'}"):
        assert comes_from(imports(source), WORLD)


def test_numbers_are_no_clock():
    source = "import torch\nfrom scipy import signal\nfrom neuript.network.layers import TimeMerge\nimport time_of"
    assert not comes_from(imports(source), WORLD)
    assert comes_from(imports(source), PURE["realtime.chain"]) == {"torch"}


def choices(source: str) -> list[tuple[str, frozenset[object]]]:
    """Each `Name = Literal[...]` at the top of a source text, with what it allows."""
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) and "Literal" in ast.dump(node.value):
            values = frozenset(n.value for n in ast.walk(node.value.slice) if isinstance(n, ast.Constant))
            found.append((_last_name(node.targets[0]), values))
    return found


def test_a_choice_is_written_once():
    where: dict[frozenset[object], list[str]] = {}
    for module, path in MODULES.items():
        for name, values in choices(path.read_text(encoding="utf-8")):
            where.setdefault(values, []).append(f"{module}.{name}")
    assert where
    assert not [names for names in where.values() if len(names) > 1]


def test_the_same_choice_in_another_order_is_noticed():
    (one, two) = choices("Precision = Literal['bf16', 'fp32']\nX = 3\nBits = typing.Literal['fp32', 'bf16']")
    assert (one[0], two[0]) == ("Precision", "Bits")
    assert one[1] == two[1]


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
        f"import sys, {module}; heavy = {{'torch','mne','scipy','numpy','PyQt6','qtpy','pylsl','sklearn'}};"
        "heavy &= set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    finished(python(code), ok=True)


@pytest.mark.parametrize("path", PROJECT, ids=[str(p.relative_to(ROOT)) for p in PROJECT])
def test_a_child_runs_the_code_of_its_parent(path: Path):
    """Without -P, Python puts the working folder first: a `neuript/` or a `numpy.py` there would be run instead."""
    assert not leaves_the_path_open(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("command", "is_open"),
    [
        ("[sys.executable, '-m', 'neuript']", True),
        ("(sys.executable, '-c', code)", True),
        ("[sys.executable, '-u', '-m', f'neuript.{verb}', *words]", True),
        ("[sys.executable, '-P', '-m', 'neuript']", False),
        ("[sys.executable, '-m', 'pip', 'wheel']", False),
        ("['git', '-c', 'x']", False),
    ],
)
def test_a_child_that_would_run_other_code_is_noticed(command: str, is_open: bool):
    assert leaves_the_path_open(f"import sys\ncommand = {command}") == [2] * is_open

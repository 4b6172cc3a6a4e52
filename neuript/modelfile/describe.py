"""What a model file is: its manifest, and lines for a person; nothing in the file is run, and PyTorch is not loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuript.foreign import one_line
from neuript.modelfile.checkpoint import parse_checkpoint
from neuript.modelfile.container import Container, is_sealed, parse, read_file
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.old_files import how_to_convert, is_old, parse_old
from neuript.modelfile.tensor_file import looks_like_tensors

_MOST_SHOWN, _MOST_LABEL, _MOST_ROWS = 20_000, 60, 500
"""Characters of a line and of its label, and lines, that are shown of what a file says."""


def read_manifest(path: str | Path) -> Manifest:
    """Return the manifest of a model file or a checkpoint; PyTorch is not needed for that.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    return look_at(path)[0]


def describe_model(path: str | Path) -> str:
    """Return what a model file or checkpoint is, in lines for a person.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    return look_at(path)[1]


def look_at(path: str | Path) -> tuple[Manifest, str]:
    """Return the manifest of a model file or a checkpoint, and what it is in lines for a person.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    path = Path(path)
    data = read_file(path)
    rows: list[tuple[str, str]] = []
    if is_old(data):
        manifest = parse_old(data, path.name).manifest
        form = f"a program (TorchScript) of neuript 0.1; make a plain model file of it: {how_to_convert(path)}"
    elif looks_like_tensors(data) and not is_sealed(data):
        manifest = parse_checkpoint(data, path.name)[0]
        form = "checkpoint (safetensors: weights only)"
    else:
        container = parse(data, path.name)
        manifest, form = container.manifest, _form(container)
        rows = [("seal SHA-256", container.sha256)]
    rows = [("file", str(path)), ("form", form), *_describe(manifest), *rows]
    rows = [(one_line(label, _MOST_LABEL), text) for label, text in rows[:_MOST_ROWS]]
    width = max(len(label) for label, _ in rows)
    return manifest, "\n".join(f"{label:<{width}}  {one_line(text, _MOST_SHOWN)}" for label, text in rows if text)


def _form(container: Container) -> str:
    parts = [f"{name} ({len(part.data) / 1e6:.1f} MB)" for name, part in container.parts.items()]
    held = ", ".join([f"{container.n_golden} golden vectors", *parts])
    return f"model for decoding (sealed safetensors, nothing that runs), {container.n_bytes / 1e6:.1f} MB, {held}"


def _describe(m: Manifest) -> list[tuple[str, str]]:
    p, policy = m.provenance, m.policy
    idle = f" (no command: {m.idle_class})" if m.idle_class else ""
    simulated = "SIMULATED data; " if m.simulated else ""
    size = ", ".join(f"{k}={m.model[k]}" for k in ("architecture", "d_model") if k in m.model)
    return [
        ("task", m.task),
        ("classes", ", ".join(m.classes) + idle if m.classes else "none (encoder only)"),
        ("montage", f"{m.montage.get('name', '?')}: {m.n_chans} channels"),
        ("channels", " ".join(m.ch_names)),
        ("reference", str(m.montage.get("reference", ""))),
        ("input", f"volts, {m.sfreq:g} Hz, {m.window_s:g} s ({m.n_times} samples)"),
        ("hop", f"{m.hop_s:g} s"),
        ("filters", _pairs({k: v for k, v in m.preprocess.items() if k != "alignment"})),
        ("alignment", _alignment(m.preprocess.get("alignment"))),
        ("policy", _pairs(policy)),
        ("model", size),
        ("trained on", simulated + _names(p.get("data", []))),
        ("counts", _pairs(p.get("counts", {}))),
        ("notes", str(p.get("notes", ""))),
        ("--config SHA-256", str(p.get("config_file_sha256", ""))),
        ("date", str(p.get("date", ""))),
        ("git revision", str(p.get("git_revision") or "")),
        ("versions", _pairs(p.get("versions", {}))),
        *((f"metric {name}", _value(value)) for name, value in m.metrics.items()),
        ("weights SHA-256", m.weights_sha256),
        ("format", f"{m.format} (neuript {m.neuript_version})"),
    ]


def _alignment(values: Any) -> str:
    """Bands and memory in words; empty for a model that does not recentre."""
    if not isinstance(values, dict):
        return ""
    bands = ", ".join(f"{low:g}-{high:g}" for low, high in values.get("bands_hz", ()))
    return f"recentred on the person's running mean of {values.get('memory_s')} s; bands {bands} Hz"


def _names(values: Any, most: int = 8) -> str:
    if not isinstance(values, list):
        return str(values)
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(str(value) for value in values[:most]) + more


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return _value(values)
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"({_pairs(value)})" if isinstance(value, dict) else str(value)

"""What a model file is, in lines for a person; nothing in the file is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuript.modelfile import trust as trust_store
from neuript.modelfile.container import is_checkpoint, parse, read_file
from neuript.modelfile.deployable import read_manifest
from neuript.modelfile.manifest import Manifest


def describe_model(path: str | Path) -> str:
    """Return what a deployable or checkpoint is, in lines for a person; runs nothing in it.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    path = Path(path)
    data = read_file(path)
    if is_checkpoint(data):
        form, trusted = "checkpoint (safetensors: weights only, nothing that runs)", "not needed"
        manifest, digest = read_manifest(path), ""
    else:
        container = parse(data, path.name)
        manifest, digest = container.manifest, container.sha256
        program = {"ts": "TorchScript", "pt2": "torch.export"}[container.kind]
        form = f"deployable ({program}), {len(container.data) / 1e6:.1f} MB"
        form += f", {len(container.golden)} golden vectors"
        trusted = "yes" if trust_store.is_trusted(digest) else "no (pass --trust to run it)"
    rows = [("file", str(path)), ("form", form), ("trusted", trusted), *_describe(manifest)]
    if digest:
        rows.append(("file SHA-256", digest))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows if text)


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

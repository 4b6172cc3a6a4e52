"""The manifest: what a model file says about itself, so that decoding needs nothing but the file.

It is JSON with a fixed set of fields. Reading is strict: an unknown or missing field, a duplicate
key, a NaN or a number out of range is refused with its name, because a half-understood manifest
would decode the wrong thing without a sign.
"""

from __future__ import annotations

import json
import math
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neuript import __version__, specs
from neuript.errors import ModelRefusedError
from neuript.limits import MAX_CHANNELS
from neuript.modelfile.strict_json import MAX_DIGITS, strict_json
from neuript.specs import require

FORMAT_VERSION = 1
"""Newest manifest format that this version writes and reads."""

POPULATION_KIND = "population"
"""Entry `kind` of the provenance of what was learnt from earlier people."""

MAX_MANIFEST_BYTES = 4 << 20
MAX_CLASSES = 1000
MAX_WINDOW_SAMPLES = 1 << 20

_DICTS = ("model", "montage", "preprocess", "policy", "units", "provenance", "metrics")
_NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that is known of a model beside its weights.

    The dictionaries belong to other modules (`NetworkConfig`, `Montage`, `PreprocessSpec`,
    `PolicySpec`), which check them again when they build their objects; here only what the file
    itself relies on is checked: labels, sampling rate and window length.

    Raises
    ------
    ValueError, TypeError
        If a field is of the wrong type or out of range; the message names it.
    """

    task: str
    """Short name for streams and logs, such as `motor-imagery`."""
    classes: tuple[str, ...]
    """Class names in the order of the logits; empty only for a pretrained encoder."""
    model: dict[str, Any]
    """`NetworkConfig.to_dict()`, with `architecture` naming how to build it (default `neuript`)."""
    montage: dict[str, Any]
    """`Montage.to_dict()`: at least `ch_names`, in the order of the model's channels."""
    preprocess: dict[str, Any]
    """`PreprocessSpec.to_dict()`: at least `sfreq`, the model's sampling rate in Hz."""
    window_s: float
    hop_s: float
    idle_class: str | None = None
    """The class that means "no command", if there is one."""
    policy: dict[str, Any] = field(default_factory=dict)
    """`PolicySpec.to_dict()`: temperature, threshold and what else turns logits into decisions."""
    mains_hz: float | None = None
    """Mains frequency of the training recordings, if it was known."""
    units: dict[str, Any] = field(default_factory=lambda: {"input": "volts"})
    """Unit of the model's input, always volts, and notes on the training data's units."""
    provenance: dict[str, Any] = field(default_factory=lambda: {"simulated": False})
    """See `provenance()`; `simulated` is true when the twin gave any of the training data."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Scores, each with the protocol that gave it."""
    weights_sha256: str = ""
    """Hash over names, types, shapes and bytes of the weights; filled in when saved."""
    neuript_version: str = __version__
    format: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format != FORMAT_VERSION:
            raise ValueError(f"format={self.format!r} is not {FORMAT_VERSION}")
        _check_json(self.to_dict(), "manifest")
        for name in _DICTS:  # a copy in JSON's own types: tuples become lists, nothing is shared
            object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))
        if not isinstance(self.classes, tuple):
            raise ValueError(f"classes={self.classes!r} must be a tuple of names")  # noqa: TRY004
        specs.check_types(self, ValueError)
        self._check_names()
        self._check_signal()
        if self.weights_sha256 and not _SHA256.fullmatch(self.weights_sha256):
            raise ValueError(f"weights_sha256={self.weights_sha256!r} is not a SHA-256 in hex")
        if not isinstance(self.provenance.get("simulated"), bool):
            raise ValueError(  # noqa: TRY004
                "provenance must say simulated: true or false"
            )
        require(self.mains_hz is None or self.mains_hz > 0, self, "mains_hz", "a positive number or null", ValueError)
        if self.units.get("input") != "volts":
            raise ValueError(f"units['input']={self.units.get('input')!r}; models take volts")

    def _check_names(self) -> None:
        ok = _NAME.fullmatch(self.task) is not None
        require(ok, self, "task", "letters and digits joined by '-'", ValueError)
        ok = all(c and c.isprintable() and len(c) <= 100 for c in self.classes) and len(self.classes) <= MAX_CLASSES
        require(ok, self, "classes", "a tuple of non-empty names", ValueError)
        ok = len(self.classes) != 1 and len(set(self.classes)) == len(self.classes)
        require(ok, self, "classes", "at least two different names", ValueError)
        if self.idle_class is not None and self.idle_class not in self.classes:
            raise ValueError(f"idle_class={self.idle_class!r} is not one of {self.classes}")

    def _check_signal(self) -> None:
        names = self.montage.get("ch_names")
        if (
            not isinstance(names, list)
            or not 1 <= len(names) <= MAX_CHANNELS
            or not all(isinstance(n, str) and n for n in names)
        ):
            raise ValueError("montage['ch_names'] must be a list of channel names")
        for name, value in (
            ("preprocess['sfreq']", self.preprocess.get("sfreq")),
            ("window_s", self.window_s),
            ("hop_s", self.hop_s),
        ):
            if not _is_positive(value):
                raise ValueError(f"{name}={value!r} must be a positive number")
        alignment = self.preprocess.get("alignment")
        if alignment is not None and not (isinstance(alignment, dict) and _are_bands(alignment.get("bands_hz"))):
            raise ValueError(
                f"preprocess['alignment']={specs.short(alignment)} must be null or a table with pairs of Hz as bands_hz"
            )
        exact = self.window_s * self.sfreq
        if not 1 <= exact <= MAX_WINDOW_SAMPLES or abs(exact - round(exact)) > 1e-6:
            raise ValueError(
                f"window_s={self.window_s} is {exact:.6g} samples at {self.sfreq:g} Hz; "
                "it must be a whole number of samples"
            )

    @property
    def sfreq(self) -> float:
        """Sampling rate of the model's input in Hz."""
        return float(self.preprocess["sfreq"])

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Channels of the model's input, in order."""
        return tuple(self.montage["ch_names"])

    @property
    def n_chans(self) -> int:
        """Number of channels of the model's input."""
        return len(self.montage["ch_names"])

    @property
    def n_times(self) -> int:
        """Number of samples in a window."""
        return round(self.window_s * self.sfreq)

    @property
    def n_tangent(self) -> int:
        """Length of the tangent vector that the model takes beside a window; 0 without an alignment."""
        bands = (self.preprocess.get("alignment") or {}).get("bands_hz", ())
        return len(bands) * self.n_chans * (self.n_chans + 1) // 2

    @property
    def n_outputs(self) -> int:
        """Number of outputs: a logit per class, and the gate's log-odds where the policy reads them."""
        return len(self.classes) + bool(self.policy.get("gate", False))

    @property
    def simulated(self) -> bool:
        """Whether any training data came from the digital twin."""
        return bool(self.provenance["simulated"])

    @property
    def is_population(self) -> bool:
        """Whether it is what earlier people say, and nobody's own decoder."""
        return self.provenance.get("kind") == POPULATION_KIND

    def require_population(self, name: str) -> None:
        """Refuse a file of another kind in the place of a population.

        Raises
        ------
        ModelRefusedError
            If it was not learnt from earlier people.
        """
        if not self.is_population:
            raise ModelRefusedError(f"{name} is no population of earlier people; `neuript-train population` makes one")

    @property
    def calibrated(self) -> bool:
        """Whether the person gave trials; without, earlier people alone say what is decoded."""
        if self.is_population:
            return False
        return "population" not in self.provenance or any(self.provenance.get("counts", {}).values())

    @property
    def recordings(self) -> frozenset[str]:
        """SHA-256 of the recordings that the model was made from (`recording_sha256`); none where it doesn't say."""
        known = self.provenance.get("recordings")
        return frozenset(map(str, known)) if isinstance(known, list | tuple) else frozenset()

    def with_weights(self, sha256: str) -> Manifest:
        """Return a copy that states the hash of the weights."""
        return replace(self, weights_sha256=sha256)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, `format` first."""
        values = specs.to_dict(self)
        return {"format": values.pop("format"), **values}

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the text that goes into a model file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Manifest:
        """Build from `to_dict()`; refuses what is missing, unknown or out of range.

        Raises
        ------
        ModelRefusedError
            If a field is wrong, which the message names, or the manifest has a newer format, whose version it gives.
        """
        version = values.get("format")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise ModelRefusedError(f"the manifest's format is {version!r}, not a version number")
        if version > FORMAT_VERSION:
            raise ModelRefusedError(
                f"the model was written in format {version} by neuript "
                f"{values.get('neuript_version', '?')!s:.20}; this is neuript {__version__}, which "
                f"reads format {FORMAT_VERSION}: update neuript"
            )
        return specs.from_dict(cls, values, "the manifest", error=ModelRefusedError)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Parse the text of a manifest, strictly.

        Raises
        ------
        ModelRefusedError
            If the text is too long, not JSON, or not a manifest.
        """
        if len(text) > MAX_MANIFEST_BYTES:
            raise ModelRefusedError(f"the manifest is {len(text)} bytes long; at most {MAX_MANIFEST_BYTES} are read")
        return cls.from_dict(strict_json(text, "the manifest"))


def provenance(
    *, data: Iterable[str], simulated: bool, counts: Mapping[str, int] | None = None, notes: str = "", **more: Any
) -> dict[str, Any]:
    """Describe a training: its data, and the versions, git revision and date as of now.

    Parameters
    ----------
    data : iterable of str
        Names of the recordings or data sets, without folders.
    simulated : bool
        Whether the digital twin gave any of them.
    counts : mapping of str to int, optional
        Number of trials or windows per class, of subjects, of sessions; None means that nothing was counted.
    notes : str
        Anything a reader should know.
    **more : Any
        Further JSON-safe entries, such as the training settings.
    """
    import numpy
    import torch

    return {
        "data": [str(name) for name in data],
        "simulated": bool(simulated),
        "counts": dict(counts or {}),
        "notes": notes,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": _git_revision(),
        "versions": {
            "neuript": __version__,
            "torch": str(torch.__version__),
            "numpy": str(numpy.__version__),
            "python": platform.python_version(),
        },
        **more,
    }


def _git_revision() -> str | None:
    """Return the commit of the checkout that neuript runs from, or None when installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _are_bands(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(band, list) and len(band) == 2 and all(map(_is_positive, band)) for band in value
    )


def _check_json(value: object, where: str, depth: int = 0) -> None:
    """Raise unless `value` is made of JSON types with finite numbers."""
    if depth > 32:
        raise ValueError(f"{where} is nested too deeply")
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise ValueError(f"{where} has more than {MAX_DIGITS} digits")
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, which JSON cannot hold")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_json(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has a key that is not text: {key!r}")
            _check_json(item, f"{where}.{key}", depth + 1)
    else:
        raise TypeError(f"{where} is a {type(value).__name__}; use plain JSON types")

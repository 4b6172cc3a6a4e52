"""Settings of an evaluation from KEY=VALUE texts, checked by the objects that they end up in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from neuript.errors import NeuriptError
from neuript.network.config import PresetName
from neuript.training.evaluate.methods import MethodSpec
from neuript.training.evaluate.svm_probe import ProbeSpec
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.supervised import SupervisedSpec

SECTIONS = ("scratch", "finetune", "eegnet", "shallow", "probe", "model")


def method_spec(texts: Sequence[str], *, size: str | None = None, device: str = "cpu") -> MethodSpec:
    """Build settings.

    Parameters
    ----------
    texts
        `SECTION.FIELD=VALUE`, with SECTION one of `SECTIONS`; a plain `FIELD=VALUE` is of the
        training of NeurIPT, from scratch and fine-tuned. Values are JSON (`none`, words and
        comma-separated lists are understood too); `augment=true` takes the default augmentation.
    size
        Width of NeurIPT without a pretrained encoder (None: tiny).
    device
        Where networks are trained.

    Raises
    ------
    NeuriptError
        If a text is not of that form, or its field or value is not known.
    """
    given: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for text in texts:
        key, sign, value = text.partition("=")
        section, dot, name = key.partition(".")
        if not sign or not key or (dot and (section not in SECTIONS or not name)):
            raise NeuriptError(
                f"--set {text!r} must be FIELD=VALUE or SECTION.FIELD=VALUE with a section of {', '.join(SECTIONS)}"
            )
        for part in [section] if dot else ["scratch", "finetune"]:
            given[part][name if dot else key] = _value(value)
    base = MethodSpec()
    return MethodSpec(
        size=cast(PresetName | None, size),
        model=given["model"],
        scratch=_changed(base.scratch, given["scratch"]),
        finetune=_changed(base.finetune, given["finetune"]),
        nets={name: _changed(spec, given[name]) for name, spec in base.nets.items()},
        probe=_changed_probe(base.probe, given["probe"]),
        device=device,
    )


def _changed(spec: SupervisedSpec, values: Mapping[str, Any]) -> SupervisedSpec:
    values = dict(values)
    _check(values, spec)
    if "augment" in values:
        values["augment"] = _augment(values["augment"])
    try:
        return dataclasses.replace(spec, **values)
    except TypeError as error:
        raise NeuriptError(f"a training setting is of the wrong kind: {error}") from error


def _augment(value: Any) -> AugmentSpec | None:
    if value in (None, False):
        return None
    if isinstance(value, dict):
        _check(value, AugmentSpec())
        return AugmentSpec(**value)
    if value is True:
        return AugmentSpec()
    raise NeuriptError(f"augment={value!r} must be true, none or a JSON object of its fields")


def _changed_probe(spec: ProbeSpec, values: Mapping[str, Any]) -> ProbeSpec:
    values = dict(values)
    _check(values, spec)
    for name in ("kernels", "C", "gamma", "tol", "class_weight"):
        if name in values:
            one = values[name]
            values[name] = tuple(one) if isinstance(one, list) else (one,)
    try:
        return dataclasses.replace(spec, **values)
    except TypeError as error:
        raise NeuriptError(f"a setting of the probe is of the wrong kind: {error}") from error


def _check(values: Mapping[str, Any], spec: Any) -> None:
    known = {field.name for field in dataclasses.fields(spec)} - {"seed"}
    if unknown := sorted(set(values) - known):
        raise NeuriptError(
            f"there is no setting {', '.join(unknown)}; known are {', '.join(sorted(known))} "
            "(seeds are given with --seeds)"
        )


def _value(text: str) -> Any:
    if text.lower() in ("none", "null"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        pass
    if "," in text:
        return [_value(part.strip()) for part in text.split(",")]
    return {"true": True, "false": False}.get(text.lower(), text)

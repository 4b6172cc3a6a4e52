"""Settings of an evaluation from KEY=VALUE texts, checked by the objects that they end up in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from neuript.errors import NeuriptError
from neuript.network.config import PresetName
from neuript.specs import changed
from neuript.training.evaluate.methods import MethodSpec
from neuript.training.evaluate.svm_probe import ProbeSpec
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.supervised import SupervisedSpec

_GRID = ("kernels", "C", "gamma", "tol", "class_weight")
_FIXED = ("seed",)
_WHAT = "--set (seeds are given with --seeds)"
SECTIONS = ("scratch", "finetune", "eegnet", "shallow", "probe", "model")


def method_spec(texts: Sequence[str], *, size: str | None = None, device: str = "cpu") -> MethodSpec:
    """Build settings.

    Parameters
    ----------
    texts : sequence of str
        `SECTION.FIELD=VALUE`, with SECTION one of `SECTIONS`; a plain `FIELD=VALUE` is of the
        training of NeurIPT, from scratch and fine-tuned. Values are JSON (`none`, words and
        comma-separated lists are understood too); `augment=true` takes the default augmentation.
    size : str, optional
        Preset of NeurIPT's width without a pretrained encoder; None is "tiny".
    device : str
        PyTorch device on which networks are trained, such as "cpu" or "cuda".

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
    default = {True: AugmentSpec(), False: None}
    if isinstance(values.get("augment"), bool):
        values = {**values, "augment": default[values["augment"]]}
    return changed(spec, values, _WHAT, fixed=_FIXED)


def _changed_probe(spec: ProbeSpec, values: Mapping[str, Any]) -> ProbeSpec:
    grid = {name: [one] for name, one in values.items() if name in _GRID and not isinstance(one, list)}
    return changed(spec, {**values, **grid}, _WHAT, fixed=_FIXED)


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

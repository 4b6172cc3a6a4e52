"""What a model says, made to fit the session that it decodes: montage, preprocessing, reference, policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.montages import Montage
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec

if TYPE_CHECKING:
    from neuript.modelfile.engines import Engine
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.live.options import LiveOptions


def model_montage(manifest: Manifest) -> Montage:
    """Return the electrodes that the model reads."""
    try:
        return Montage.from_dict(manifest.montage)
    except (ValueError, KeyError, TypeError, ArithmeticError, NeuriptError) as error:
        raise ModelRefusedError(f"the model's montage cannot be used: {error}") from error


def preprocess_here(manifest: Manifest, measured_hz: float | None, told_hz: float | None) -> PreprocessSpec:
    """Return the model's preprocessing, with the notch at the mains of this place if one is heard."""
    try:
        spec = PreprocessSpec.from_dict(manifest.preprocess)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise ModelRefusedError(f"the model's preprocessing cannot be used: {error}") from error
    if told_hz is None and measured_hz is None:
        return spec
    return replace(spec, mains_hz=measured_hz)


def reference_here(engine: Engine, spec: PreprocessSpec, options: LiveOptions) -> Reference | None:
    """What windows are first seen from: what the calibration left in the model file, or the stream's own beginning."""
    try:
        reference = None if options.alignment == "new" else Reference.of(engine.reference)
        if reference is not None and spec.alignment is not None:
            reference.check(spec.alignment, engine.manifest.n_chans)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelRefusedError(f"the model's reference cannot be used: {error}") from error
    if options.alignment == "frozen" and reference is None:
        raise NeuriptError(
            "--alignment frozen stays with the reference of the calibration, but the model has none; leave it out"
        )
    return reference


def policy_here(manifest: Manifest, options: LiveOptions) -> PolicySpec:
    """Return the model's policy, with the threshold that was asked for."""
    try:
        spec = PolicySpec.from_dict(manifest.policy)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ModelRefusedError(f"the model's decision policy cannot be used: {error}") from error
    spec = replace(spec, idle_class=spec.idle_class or manifest.idle_class)
    if options.threshold is not None:
        spec = replace(spec, threshold=options.threshold, release=min(spec.release, options.threshold))
    return spec

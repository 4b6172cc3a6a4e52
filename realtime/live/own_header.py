"""What the decoder of a live session says about itself on LSL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.header_electrodes import HeaderElectrode

if TYPE_CHECKING:
    from neuript.modelfile.engines import Engine
    from neuript.montages import ChannelPlan
    from neuript.realtime.chain.conditioner import Conditioner
    from neuript.realtime.decoding.policy import DecisionPolicy
    from neuript.realtime.live.intake import Intake
    from neuript.realtime.live.options import LiveOptions


def own_header(
    engine: Engine, intake: Intake, conditioner: Conditioner, decisions: DecisionPolicy, options: LiveOptions
) -> DecoderHeader:
    """Return what the streams of a live session say about its decoder."""
    manifest, eeg = engine.manifest, intake.source.info
    used = intake.scale[list(intake.plan.used)]
    policy = decisions.spec
    return DecoderHeader(
        task=manifest.task,
        classes=manifest.classes,
        eeg_source_id=eeg.source_id or eeg.name,
        eeg_name=eeg.name,
        eeg_scale_volts=float(np.median(used)),
        simulated=eeg.simulated,
        window_s=manifest.window_s,
        hop_s=decisions.hop_s,
        threshold=policy.threshold,
        release=policy.release,
        smoothing_s=policy.smoothing_s,
        dwell_s=policy.dwell_s,
        refractory_s=policy.refractory_s,
        max_age_s=options.max_age_s,
        gate=policy.gate,
        centre_s=policy.centre_s,
        temperature=policy.temperature,
        idle_class=policy.idle_class,
        group_delay_10hz_ms=conditioner.chain.group_delay_s(10.0) * 1e3,
        group_delay_20hz_ms=conditioner.chain.group_delay_s(20.0) * 1e3,
        model_name=Path(str(options.model or options.population)).name,
        model_sha256=manifest.weights_sha256,
        model_simulated=manifest.simulated,
        uncalibrated=not manifest.calibrated,
        engine=engine.name,
        engine_device=engine.device,
        engine_precision=engine.precision,
        inference_ms=engine.inference_ms if math.isfinite(engine.inference_ms) else None,
        config_sha256=options.sha256,
        recording=Path(options.record).name if options.record else "",
        electrodes=electrodes_of(intake.plan),
        used=intake.plan.used,
    )


def electrodes_of(plan: ChannelPlan) -> tuple[HeaderElectrode, ...]:
    """Return what a plan makes of a stream: each electrode or pair of the model, its one channel and its place."""
    labels = [label or f"channel {i + 1}" for i, label in enumerate(plan.ch_names)]
    places = dict(zip(plan.model.ch_names, plan.model.pos_m.tolist(), strict=True))
    places |= zip(plan.model.electrodes, plan.model.electrode_pos_m.tolist(), strict=True)
    return tuple(
        HeaderElectrode(
            name=entry.name,
            channel=labels.index(entry.label) if entry.label in labels else None,
            pos_m=tuple(places[entry.name]) if entry.name in places else None,
        )
        for entry in plan.entries
        if entry.name
    )

"""Whichever decoder a session has by now, as one published stream that is there, and recorded, from its begin on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id
from neuript.training.guided.background_decoder import BackgroundDecoder
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.session_folder import MODEL
from neuript.training.guided.session_signal import GIVE_UP_S


class SessionDecoder:
    """Publishes what the decoder of the moment says, from before there is one.

    Parameters
    ----------
    spec : GuidedSpec
        What is on the head, and what earlier people and earlier days say.
    eeg : SignalInfo
        The stream that is decoded.
    """

    def __init__(self, spec: GuidedSpec, eeg: SignalInfo) -> None:
        self._spec = spec
        header = _header(spec, eeg)
        self.source_id = decoder_source_id(header, "proba")
        """Source id of the rows."""
        self._outlets = DecisionOutlets(header)
        self._decoder = BackgroundDecoder(_settings(spec, eeg), self._publish)

    def begin(self) -> bool:
        """Decode by what there is before the first trial; return False where there is nothing."""
        population = self._spec.calibration.population
        last = Path(self._spec.earlier[-1]).parent / MODEL if self._spec.earlier else None
        if population is not None:
            self._decoder.use("earlier people", population=population)
        elif last is not None and last.is_file():
            self._decoder.use("the last session", model=str(last))
        else:
            return False
        return True

    def use(self, model: Path, n_trials: int) -> None:
        """Decode by a model of so many trials as soon as it is ready."""
        self._decoder.use(f"{n_trials} trials", model=str(model))

    def newest(self) -> Decision | None:
        """Return the newest row, once; None if none came since."""
        return self._decoder.newest()

    def began(self) -> str | None:
        """Return what the decoder has learnt from that has begun to answer, once; it is published as a marker."""
        name = self._decoder.began()
        if name is not None:
            self._outlets.tell("model", name)
        return name

    def problem(self) -> str:
        """Return why a decoder has ended on its own, once; empty if none has."""
        return self._decoder.problem()

    def close(self) -> None:
        """End the decoder and take its stream off the network; harmless when called twice."""
        self._decoder.close()
        self._outlets.close()

    def _publish(self, row: Decision) -> None:
        if row.proba is None or set(row.proba) == set(self._spec.classes):
            self._outlets.publish(row)


def _header(spec: GuidedSpec, eeg: SignalInfo) -> DecoderHeader:
    """What holds for all decoders of the session."""
    fit = spec.calibration
    return DecoderHeader(
        task=fit.task,
        classes=spec.classes,
        eeg_source_id=eeg.source_id or eeg.name,
        eeg_name=eeg.name,
        simulated=eeg.simulated,
        window_s=fit.window_s,
        hop_s=fit.hop_s,
        idle_class=fit.idle_class or ("rest" if "rest" in spec.classes else None),
    )


def _settings(spec: GuidedSpec, eeg: SignalInfo) -> dict[str, Any]:
    """The stream and what is on the head, as `LiveOptions` has them."""
    fit = spec.calibration
    said: dict[str, Any] = {"montage": spec.montage, "unit": spec.unit, "give_up_s": GIVE_UP_S}
    if fit.mains_hz != "auto":
        said["mains"] = float(fit.mains_hz or 0.0)
    said["channels"] = ",".join(fit.channels) if fit.channels else None
    said |= {"source_id": eeg.source_id} if eeg.source_id else {"stream": spec.stream}
    return {name: value for name, value in said.items() if value is not None}

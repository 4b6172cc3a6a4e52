"""`report.json`: what a session was, what it measured, what it cost."""

from __future__ import annotations

import math
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from neuript import __version__
from neuript.files import PRIVATE_FILE, write_json
from neuript.realtime.chain.alignment import AlignedWindows

if TYPE_CHECKING:
    from neuript.modelfile.engines import Engine
    from neuript.realtime.decoding.decoder import Decoder
    from neuript.realtime.decoding.latency import LatencyLedger
    from neuript.realtime.live.intake import Intake
    from neuript.realtime.live.options import LiveOptions


class ProcessCosts:
    """CPU time and memory of this process, sampled now and then."""

    def __init__(self) -> None:
        self._process = psutil.Process(os.getpid())
        self._began, self._cpu = time.monotonic(), self._cpu_s()
        self._next = 0.0
        self.rss_start = self.rss_max = self._rss()

    def sample(self) -> None:
        """Look at the memory, at most once a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            self.rss_max = max(self.rss_max, self._rss())

    def summary(self) -> dict[str, float]:
        """Return the share of one core and megabytes of memory."""
        wall = time.monotonic() - self._began
        return {
            "wall_s": round(wall, 3),
            "cpu_percent_of_one_core": round(100 * (self._cpu_s() - self._cpu) / max(wall, 1e-9), 2),
            "rss_mb_start": round(self.rss_start / 1e6, 1),
            "rss_mb_end": round(self._rss() / 1e6, 1),
            "rss_mb_max": round(self.rss_max / 1e6, 1),
        }

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _rss(self) -> int:
        return int(self._process.memory_info().rss)


_PLACES = ("model", "population", "replay", "record", "report", "montage")


def _without_places(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without what a person's folders and files are called; hashes in the report name them."""
    kinds = {
        name: f"a {Path(str(settings[name])).suffix} file"
        for name in _PLACES
        if settings.get(name) is not None and Path(str(settings[name])).suffix
    }
    return settings | kinds


def build_report(
    *,
    options: LiveOptions,
    engine: Engine,
    intake: Intake,
    decoder: Decoder,
    ledger: LatencyLedger,
    costs: ProcessCosts,
    ended: str,
    more: dict[str, Any],
) -> dict[str, Any]:
    """Gather the session as plain values for JSON."""
    info, manifest = intake.source.info, engine.manifest
    return {
        "neuript": __version__,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {"system": platform.platform(), "cpus": os.cpu_count()},
        "ended": ended,
        "simulated": info.simulated,
        "settings": _without_places(options.to_dict()) | {"sha256": options.sha256},
        "stream": {
            "name": "a recording" if options.replay and info.name == Path(options.replay).name else info.name,
            "source_id": info.source_id,
            "uid": info.uid,
            "hostname": info.hostname,
            "n_chans": len(info.ch_names),
            "sfreq_nominal": info.sfreq,
            "sfreq_measured": _number(decoder.conditioner.rate.hz),
            "stamp_jitter_ms": round(decoder.conditioner.stamps.jitter_s * 1e3, 4),
            "volts_per_unit": sorted({float(s) for s in intake.scale if s}),
            "bads": list(intake.bads),
            "mains_hz": intake.mains_hz,
            "notes": list(intake.notes),
        },
        "plan": intake.plan.to_dict(),
        "model": {
            "calibrated": manifest.calibrated,
            "task": manifest.task,
            "classes": list(manifest.classes),
            "weights_sha256": manifest.weights_sha256,
            "simulated": manifest.simulated,
            "window_s": manifest.window_s,
        },
        "engine": {
            "name": engine.name,
            "device": engine.device,
            "precision": engine.precision,
            "threads": engine.threads,
            "inference_ms_at_load": _number(engine.inference_ms),
            "steps_down": list(engine.steps_down),
        },
        "chain": decoder.conditioner.spec.to_dict()
        | {
            "group_delay_10hz_ms": round(decoder.conditioner.chain.group_delay_s(10.0) * 1e3, 3),
            "group_delay_20hz_ms": round(decoder.conditioner.chain.group_delay_s(20.0) * 1e3, 3),
            "settle_s": decoder.conditioner.chain.settle_s,
        },
        "alignment": alignment_report(decoder),
        "policy": decoder.policy.spec.to_dict() | {"hop_s": decoder.policy.hop_s},
        "samples": decoder.conditioner.n_in,
        "skipped_hops": decoder.skipper.n_skipped + decoder.freshness.n_passed_over,
        "too_old": {
            "max_age_s": decoder.freshness.max_age_s if decoder.freshness.live else None,
            "rows": decoder.freshness.n_old,
            "passed_over": decoder.freshness.n_passed_over,
        },
        "gaps": decoder.admission.n_gaps,
        "missing_samples": decoder.n_missing,
        "unstamped_samples": decoder.conditioner.n_unstamped,
        "scrambled_samples": decoder.conditioner.order.n_scrambled,
        "repeated_samples": decoder.conditioner.repeats.n_repeated,
        "bridged_samples": decoder.admission.n_bridged,
        "clock_steps": decoder.admission.n_clock_steps,
        **ledger.summary(),
        "cost": costs.summary(),
        **more,
    }


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def alignment_report(decoder: Decoder) -> dict[str, Any] | None:
    """How far the reference of the alignment went; None for a model without one."""
    windows = decoder.windows
    if not isinstance(windows, AlignedWindows):
        return None
    return {
        "moving": windows.moving,
        "settled": windows.settled,
        "seconds": round(windows.seconds, 3),
        "moved_typical_distances": round(windows.moved(), 3),
        "recentred": windows.n_recentred,
    }


def write_report(path: str, report: dict[str, Any]) -> None:
    """Write the report; an old file stays whole if that fails."""
    write_json(path, report, mode=PRIVATE_FILE)

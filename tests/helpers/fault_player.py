"""Plays a session of faults: the twin and a decoder as processes over LSL, or the decoder alone, without a clock."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from fault_cases import SFREQ, FaultCase, FaultSession
from fault_judge import CaseResult, SeenRow, judge
from processes import Child, neuript, running
from waiting import wait_for

from neuript.modelfile.deployable import open_model
from neuript.modelfile.describe import read_manifest
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.live.demo import DEMO_MODEL
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.twin.delivery import PaceScript
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject
from neuript.realtime.twin.twin_source import TwinSource

CHUNK_MS = 20.0
MEMORY_MB = 40.0
"""By how much the memory of a decoder may have grown since its first decision, at most (what liblsl buffers counts)."""
_STARVE_PERIOD_S = 0.1


@dataclass
class Played:
    """What a session left behind."""

    name: str
    results: list[CaseResult]
    report: dict[str, Any]
    wrong: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    seen: list[SeenRow] = field(default_factory=list)
    zero: float = math.nan
    rows: int = 0
    commands_before: int = 0

    @property
    def memory_mb(self) -> tuple[float, float]:
        """Least and most memory of the decoder since its first seconds; 0 where nobody looked."""
        held = [look.rss_mb for look in self.looks[8:] if look.rss_mb > 0]
        return min(held, default=0.0), max(held, default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        least, most = self.memory_mb
        keys = ("missing_samples", "bridged_samples", "scrambled_samples", "repeated_samples", "skipped_hops")
        return {
            "session": self.name,
            "cases": [result.to_dict() for result in self.results],
            "wrong": self.wrong,
            "rss_mb": [round(least, 1), round(most, 1)],
            "rows": self.rows,
            "commands_before": self.commands_before,
            "counted": {key: self.report.get(key) for key in keys},
        }


def twin_signal(seed: int = 3) -> TwinSignal:
    """The person that the demo's model was calibrated on, on another day."""
    manifest = read_manifest(DEMO_MODEL)
    person = manifest.provenance["demo_person"]
    return TwinSignal(manifest.montage["name"], SFREQ, Subject(seed=person["seed"], skill=person["skill"]), seed=seed)


class Receiver:
    """Reads a decoder's rows and notes when each arrived."""

    def __init__(self, child: Child) -> None:
        self.rows: list[SeenRow] = []
        self._stdout = child.process.stdout
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stdout:
            row = json.loads(line)
            t = math.nan if row["t"] is None else row["t"]
            self.rows.append(SeenRow(t, lsl_clock(), row["state"], row["decision"]))

    def close(self) -> None:
        self._thread.join(10)
        self._stdout.close()


def play_on_lsl(session: FaultSession, folder: Path, *, seed: int = 3) -> Played:
    """Play a session over LSL with `neuript simulate` and `neuript live`, at its real pace.

    Parameters
    ----------
    session : FaultSession
        What is played.
    folder : Path
        Where the script, the decoder's report and its words are left.
    seed : int
        Seed of the twin's day.
    """
    script, report = folder / f"{session.name}.yaml", folder / f"{session.name}.json"
    script.write_text(session.yaml())
    with _processes(session, script, report, seed) as (twin, decoder, receiver, said):
        told = json.loads(twin.wait_until_it_says('"started"'))
        zero, watch = told["lsl_start"], Watch(decoder.process)
        pace = PaceScript(session.faults())
        for at, case in session.timetable():
            began = zero + float(pace.sent_s(at))
            _follow(decoder, watch, began)
            _act(case, decoder, began)
            _follow(decoder, watch, began + case.lasts_s)
        _follow(decoder, watch, zero + float(pace.sent_s(session.seconds)))
        code = _ended(decoder, session)
        twin.interrupt()
        wait_for(lambda: not twin.running, 20, "the end of the twin")
        last = [json.loads(line) for line in twin.lines][-1]
    (folder / f"{session.name}.log").write_text(said[0])
    lines = [json.dumps({**asdict(row), "t": round(row.t - zero, 4), "arrived": round(row.arrived - zero, 4)})
             for row in receiver.rows]  # fmt: skip
    (folder / f"{session.name}.rows.jsonl").write_text("\n".join(lines))
    played = _judged(session, receiver.rows, zero, pace)
    if code not in (0, 130):
        said_so = f"exit code {code}" if receiver.rows else f"refused, exit code {code}"
        played.results = [replace(result, states=(*result.states, said_so)) for result in played.results]
    played.looks, played.seen, played.zero = watch.looks, receiver.rows, zero
    played.report = json.loads(report.read_text()) if report.exists() else {}
    played.wrong += _whole_session(session, played, said[0], code, last["uid"])
    return played


@contextmanager
def _processes(
    session: FaultSession, script: Path, report: Path, seed: int
) -> Iterator[tuple[Child, Child, Receiver, list[str]]]:
    manifest, source_id = read_manifest(DEMO_MODEL), f"lab-{uuid.uuid4().hex[:10]}"
    person = manifest.provenance["demo_person"]
    twin = ["simulate", f"--montage={manifest.montage['name']}", f"--person-seed={person['seed']}", f"--seed={seed}",
            f"--skill={person['skill']}", f"--source-id={source_id}", f"--chunk={CHUNK_MS:g}",
            f"--sfreq={session.sfreq:g}", f"--faults={script}", "--wait-for-consumers", "--json",
            *session.twin]  # fmt: skip
    live = ["live", f"--model={DEMO_MODEL}", f"--source-id={source_id}", "--json", "--wait=40", f"--report={report}",
            *session.decoder]  # fmt: skip
    watched = any(case.action == "dashboard" for case in session.cases)
    live.append("--console" if watched else "--headless")
    with (
        running(neuript(*twin), env={"OMP_NUM_THREADS": "1"}) as amplifier,
        running(neuript(*live), env={"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE) as decoder,
    ):
        receiver, said = Receiver(decoder), []
        try:
            yield amplifier, decoder, receiver, said
        finally:
            with suppress(psutil.NoSuchProcess):
                decoder.process.send_signal(signal.SIGCONT)
            said.append(decoder.err)
    receiver.close()


@dataclass(frozen=True)
class Look:
    """What the decoder's process held at a time of the LSL clock."""

    at: float
    rss_mb: float
    n_descriptors: int
    n_threads: int
    cpu_s: float


class Watch:
    """Looks at the decoder's process once a second."""

    def __init__(self, process: psutil.Popen) -> None:
        self._process, self._next = process, 0.0
        self.looks: list[Look] = []

    def sample(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            with suppress(psutil.Error):
                process, times = self._process, self._process.cpu_times()
                rss_mb, n_files = process.memory_info().rss / 1e6, process.num_fds()
                cpu_s = times.user + times.system
                self.looks.append(Look(lsl_clock(), rss_mb, n_files, process.num_threads(), cpu_s))


def _follow(decoder: Child, watch: Watch, until: float) -> None:
    """Wait until a time of the LSL clock, at which something happens by the timetable."""
    while (left := until - lsl_clock()) > 0 and decoder.running:
        watch.sample()
        time.sleep(min(left, 0.1))


def _act(case: FaultCase, decoder: Child, began: float) -> None:
    """Do to the decoder's process what the case says."""
    process = decoder.process
    if case.action == "stop":
        process.send_signal(signal.SIGSTOP)
        time.sleep(max(0.0, began + case.lasts_s - lsl_clock()))
        process.send_signal(signal.SIGCONT)
    elif case.action == "starve":
        while lsl_clock() < began + case.lasts_s:
            process.send_signal(signal.SIGSTOP)
            time.sleep((1 - case.amount) * _STARVE_PERIOD_S)
            process.send_signal(signal.SIGCONT)
            time.sleep(case.amount * _STARVE_PERIOD_S)
    elif case.action == "dashboard":
        view = next(c for c in process.children() if "neuript.realtime.dashboard" in c.cmdline())
        view.send_signal(signal.SIGSTOP)
        time.sleep(max(0.0, began + case.lasts_s / 2 - lsl_clock()))
        view.kill()


def _ended(decoder: Child, session: FaultSession) -> int:
    if session.ends_with is None and decoder.running:
        decoder.interrupt()
    return decoder.wait(40)


def _judged(session: FaultSession, rows: Sequence[SeenRow], zero: float, pace: PaceScript) -> Played:
    table = session.timetable()
    begins = [zero + float(pace.sent_s(at)) for at, _ in table]
    ends = [*begins[1:], math.inf]
    results = [
        judge(case, session.name, rows, at, until) for (_, case), at, until in zip(table, begins, ends, strict=True)
    ]
    before = sum(row.decision is not None for row in rows if row.arrived < begins[0])
    return Played(session.name, results, {}, rows=len(rows), commands_before=before)


def _whole_session(session: FaultSession, played: Played, said: str, code: int, uid: str) -> list[str]:
    """Return in words what is wrong with a session as a whole."""
    wrong = [f"'{case.says}' was not said" for case in session.cases if case.says not in said]
    sound_before = session.begins_at is None and session.ends_with is None
    if sound_before and not played.commands_before:
        wrong.append("there was no command before the first fault, so that none afterwards says nothing")
    if session.ends_with is not None and code != session.ends_with:
        wrong.append(f"exit code {code}, and not {session.ends_with}")
    lost, counted = session.lost, played.report.get("missing_samples")
    unheard = round(sum(case.unheard_s for case in session.cases) * session.sfreq)
    if sound_before and session.counts and counted is not None and not lost <= counted <= lost + unheard:
        wrong.append(
            f"{counted} samples were counted as lost, and {lost} were" + (f" (to {lost + unheard})" if unheard else "")
        )
    if session.ends_with is None and played.report and played.report["stream"]["uid"] != uid:
        wrong.append("it ended on another stream than the first sender's")
    least, most = played.memory_mb
    if (grown := most - least) > MEMORY_MB:
        wrong.append(f"its memory grew by {grown:.0f} MB")
    return wrong


def play_direct(session: FaultSession, *, seed: int = 3, hop_s: float = 0.125) -> Played:
    """Play the cases of a session that need no clock on the wall through the decoder, as fast as it goes."""
    session = replace(session, cases=tuple(case for case in session.cases if case.direct))
    signal_, engine = twin_signal(seed), open_model(DEMO_MODEL)
    source = TwinSource(signal_, session.seconds, chunk_s=CHUNK_MS / 1e3, faults=session.faults())
    matrix = np.eye(signal_.n_chans)
    reference = Reference.of(engine.reference)
    manifest = replace(engine.manifest, hop_s=hop_s)
    decoder = Decoder.from_manifest(source, matrix, 1e-6, manifest, engine, reference=reference)
    rows, lost = [], []
    while not decoder.ended:
        for row in decoder.step():
            rows.append(SeenRow(row.t, row.t, str(row.state), row.decision))
            lost.append(decoder.n_missing)
    played = _judged(session, rows, 0.0, PaceScript(session.faults()))
    for i, ((at, case), result) in enumerate(zip(session.timetable(), played.results, strict=True)):
        until = at + case.slot_s + session.lead_s
        counted = [n for row, n in zip(rows, lost, strict=True) if row.t < until][-1]
        counted -= [n for row, n in zip(rows, lost, strict=True) if row.t < at][-1]
        wrong = (f"{counted} samples were counted as lost, and {case.lost} were",) if counted != case.lost else ()
        played.results[i] = replace(
            result, sent_lost=case.lost, counted_lost=counted, oldest_s=math.nan, wrong=result.wrong + wrong
        )
    return played

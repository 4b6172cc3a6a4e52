"""The cases of the fault laboratory: what breaks, and what a decoder has to do about it.

A case is a script of the twin (`neuript simulate --faults`) whose times count from the beginning of the case, or
something that is done to the decoder's own process. Cases of one session follow each other on one stream.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from neuript.realtime.twin.faults import Fault, parse_faults

SFREQ = 250.0
"""Rate in Hz for which a case counts its lost samples."""
WINDOW_S = 4.0
"""Length of the model's window."""
MAX_AGE_S = 1.0
"""Default of `--max-age`."""
LEAD_S = 2.5
"""Seconds of a sound stream before a case begins."""
SETTLE_S = 6.0
"""Seconds after the start of a stream until the first window is decoded, at most."""


@dataclass(frozen=True, kw_only=True)
class FaultCase:
    """One case.

    Attributes
    ----------
    name, faults : str
        What it is called, and the script.
    lasts_s : float
        How long it lasts; until then samples are touched by it.
    states : tuple of str
        States of which one has to be shown; empty where decoding is to go on.
    notice_s : float
        In which time the state has to be shown.
    touches : bool
        Whether a window that holds a sample of the case may command nothing.
    blind_s : float
        Seconds from the beginning in which it cannot be noticed yet: of windows that end there, commands are counted
        and reported, not forbidden.
    recover_s : float
        Seconds from its end until decoding goes on, at most.
    lost : int
        Samples that do not arrive because of it (at 250 Hz).
    unheard_s : float
        Seconds that it may take to find a stream again that is back: what it sends meanwhile is lost, too.
    silent_s : float
        For a case in which decoding goes on: seconds without decisions that it may cost.
    ahead_s : float
        By how much stamps are ahead of the clock, where they are.
    action, amount : str, float
        What is done to the decoder's process: "stop" for `lasts_s`; "starve" with this share of a core; "dashboard":
        its dashboard is stopped and then killed.
    says : str
        Words on stderr that have to be there in the end.
    direct : bool
        Whether the case is the same without LSL and without a clock on the wall.
    """

    name: str
    faults: str = ""
    lasts_s: float
    states: tuple[str, ...] = ()
    notice_s: float = 1.0
    touches: bool = True
    blind_s: float = 0.0
    recover_s: float = WINDOW_S + 3.5
    lost: int = 0
    unheard_s: float = 0.0
    silent_s: float = 0.0
    ahead_s: float = 0.0
    action: str = ""
    amount: float = 0.0
    says: str = ""
    direct: bool = True

    @property
    def slot_s(self) -> float:
        """Seconds from its beginning until decoding has to be sound again."""
        after_s = self.recover_s if self.states and math.isfinite(self.recover_s) else 2.0
        return self.lasts_s + after_s

    def script(self, at_s: float) -> tuple[Fault, ...]:
        """Return its faults where it begins at `at_s`."""
        return tuple(replace(fault, at_s=fault.at_s + at_s) for fault in parse_faults(self.faults))


@dataclass(frozen=True, kw_only=True)
class FaultSession:
    """Cases on one stream, one after the other.

    Attributes
    ----------
    name : str
        Of the files of the session.
    cases : tuple of FaultCase
        What happens.
    whole : str
        Faults that hold from the start.
    twin, decoder : tuple of str
        Further options of the two programs.
    ends_with : int or None
        Exit code with which the decoder ends by itself; None: it is interrupted at the end.
    begins_at : float or None
        Second of the stream at which the first case begins; None: once the decoder is at work.
    sfreq : float
        Rate in Hz.
    counts : bool
        Whether what is lost can be counted: not where the sender stamps by counting what arrives.
    lead_s : float
        Seconds of a sound stream between a case and the next.
    """

    name: str
    cases: tuple[FaultCase, ...]
    whole: str = ""
    twin: tuple[str, ...] = ()
    decoder: tuple[str, ...] = ()
    ends_with: int | None = None
    begins_at: float | None = None
    sfreq: float = SFREQ
    counts: bool = True
    lead_s: float = LEAD_S

    @property
    def first_s(self) -> float:
        """Second of the stream at which the first case begins."""
        return SETTLE_S + LEAD_S if self.begins_at is None else self.begins_at

    def timetable(self) -> list[tuple[float, FaultCase]]:
        """Return when each case begins, in seconds of the stream's samples."""
        out, at = [], self.first_s
        for case in self.cases:
            out.append((at, case))
            at += case.slot_s + self.lead_s
        return out

    @property
    def lost(self) -> int:
        """Samples that do not arrive in all."""
        return round(sum(case.lost for case in self.cases) * self.sfreq / SFREQ)

    @property
    def seconds(self) -> float:
        """Length of the stream."""
        return self.first_s + sum(case.slot_s + self.lead_s for case in self.cases)

    def faults(self) -> list[Fault]:
        """Return the script of the whole session."""
        script = [*parse_faults(self.whole)]
        for at, case in self.timetable():
            script += case.script(at)
        return sorted(script, key=lambda fault: fault.at_s)

    def yaml(self) -> str:
        """Return the script as a file for `neuript simulate --faults`."""
        return "".join(f"- {_entry(fault)}\n" for fault in self.faults()) or "[]\n"


def _entry(fault: Fault) -> str:
    parts = {"fault": fault.kind, "at": round(fault.at_s, 6), "channel": fault.channel}
    parts |= {"for": fault.duration_s or None, "value": None if math.isnan(fault.value) else fault.value}
    return "{" + ", ".join(f"{key}: {value}" for key, value in parts.items() if value is not None) + "}"


BAD, GAP, CLOCK = ("BAD_SIGNAL",), ("GAP",), ("CLOCK",)
LATE = ("STALE", "OVERLOAD", "RECOVERED")
BLIND_S = WINDOW_S + 0.5  # what is judged by 4 s of signal is known when these are over


def implausible(name: str, script: str, blind_s: float = BLIND_S, recover_s: float = 2 * WINDOW_S + 3) -> FaultCase:
    return FaultCase(
        name=name, faults=script, lasts_s=10.0, states=BAD, notice_s=blind_s, blind_s=blind_s, recover_s=recover_s
    )


NO_BRAIN = FaultSession(
    name="no-brain",
    cases=(
        implausible("test signal: a sine on all channels", "sine@0:10"),
        implausible("all channels identical", "same@0:10", blind_s=WINDOW_S + 1.0),
        implausible("one channel at the rail, with 1 uV of noise", "rail:C4@0:10", recover_s=20.0),
        implausible("cap off: white noise", "white@0:10"),
        implausible("gain x 0.01", "gain@0:10:0.01"),
        implausible("gain x 10", "gain@0:10:10"),
        implausible("gain x 100", "gain@0:10:100", recover_s=16.0),
        # the last pop but half a second before its end, when nothing of it is left
        replace(implausible("an electrode pops 0.5 mV every second", "pop:C4@0:9.5"), lasts_s=9.5),
    ),
)
NO_SAMPLES = FaultSession(
    name="no-samples",
    cases=(
        FaultCase(name="flat for 0.4 s on all channels", faults="flat@0:0.4", lasts_s=0.4, states=GAP),
        FaultCase(
            name="one channel flat for 3 s", faults="flat:C4@0:3", lasts_s=3.0, states=BAD, blind_s=0.1, notice_s=0.5
        ),
        FaultCase(name="all channels NaN for 1 s", faults="nan@0:1", lasts_s=1.0, states=(*GAP, *BAD)),
        FaultCase(name="4 % of samples NaN", faults="holes@0:8:25", lasts_s=8.0, states=GAP, blind_s=0.1),
        FaultCase(name="5 % of samples NaN", faults="holes@0:8:20", lasts_s=8.0, states=GAP, blind_s=0.1),
        FaultCase(name="4 % of samples repeated", faults="held@0:8:25", lasts_s=8.0, states=GAP, blind_s=0.1),
        FaultCase(name="1 % of samples NaN", faults="holes@0:8:100", lasts_s=8.0, touches=False, silent_s=1.0),
    ),
)
ORDER = FaultSession(
    name="order",
    cases=(
        FaultCase(name="a block of 40 ms comes twice", faults="twice@0:0.04", lasts_s=0.08, states=(*GAP, *CLOCK),
                  blind_s=0.04),
        FaultCase(name="a block of 1 s comes twice", faults="twice@0:1", lasts_s=1.05, states=(*GAP, *CLOCK),
                  notice_s=2.0, blind_s=1.0, direct=False),
        FaultCase(name="chunks swapped", faults="swap@0:6", lasts_s=6.0, states=GAP),
        FaultCase(name="chunks reversed", faults="reverse@0:6", lasts_s=6.0, states=GAP),
        FaultCase(name="shuffled within 100 ms", faults="shuffle@0:6:100", lasts_s=6.0, states=GAP),
        FaultCase(name="stamps that are no numbers, for 1 s", faults="nostamp@0:1", lasts_s=1.0, touches=False,
                  silent_s=7.0),
        FaultCase(name="stamps scatter by 8 ms", faults="jitter@0:6:8", lasts_s=6.0, touches=False, silent_s=2.0),
        FaultCase(name="lumps of 0.25 s with equal stamps", faults="burst@0:6:0.25", lasts_s=6.0, touches=False,
                  silent_s=3.0),
        FaultCase(name="one-sample chunks", faults="single@0:6", lasts_s=6.0, touches=False),
    ),
)  # fmt: skip
LOST = FaultSession(
    name="lost",
    cases=(
        FaultCase(name="gap of 3 samples", faults="gap@0:0.012", lasts_s=0.012, states=GAP, lost=3),
        FaultCase(name="gap of 0.1 s", faults="gap@0:0.1", lasts_s=0.1, states=GAP, lost=25),
        FaultCase(name="gap of 1 s", faults="gap@0:1", lasts_s=1.0, states=(*GAP, "STALE"), notice_s=1.4, lost=250),
        FaultCase(name="gap of 10 s", faults="gap@0:10", lasts_s=10.0, states=("LOST", "STALE", *GAP, *CLOCK),
                  lost=2500, direct=False),
        FaultCase(name="one sample in a hundred lost", faults="lose@0:8:100", lasts_s=8.0, lost=20,
                  touches=False, silent_s=13.0),
    ),
)  # fmt: skip
LONG_GAP = FaultSession(
    name="long-gap",
    decoder=("--give-up", "90"),
    cases=(
        FaultCase(
            name="gap of 60 s", faults="gap@0:60", lasts_s=60.0, states=("LOST", "STALE"), lost=15000, direct=False
        ),
    ),
)
LATE_SAMPLES = FaultSession(
    name="late",
    cases=(
        FaultCase(name="sender frozen for 5 s", faults="stall@0:5", lasts_s=5.0, states=LATE, touches=False,
                  direct=False),
        FaultCase(name="chunks of 2 s", faults="lumps@0:6:2", lasts_s=6.0, states=LATE, touches=False, notice_s=2.5,
                  direct=False),
        FaultCase(name="chunks of 10 s", faults="lumps@0:20:10", lasts_s=20.0, states=LATE, touches=False,
                  direct=False),
        FaultCase(name="decoder stopped for 2 s", action="stop", lasts_s=2.0, states=LATE, touches=False, notice_s=4.0,
                  direct=False),
        FaultCase(name="decoder stopped for 20 s", action="stop", lasts_s=20.0, states=LATE, touches=False,
                  notice_s=22.0, direct=False),
        FaultCase(name="decoder with a fifth of a core", action="starve", amount=0.2, lasts_s=8.0, touches=False,
                  silent_s=8.0, direct=False),
    ),
)  # fmt: skip
LAG = FaultSession(
    name="lag",
    counts=False,
    cases=(
        FaultCase(name="stamps fall behind, 0.2 s a second", faults="lag@0:15:5", lasts_s=15.0, states=(*LATE, *CLOCK),
                  touches=False, blind_s=5.0, notice_s=6.0, recover_s=math.inf, direct=False),
    ),
)  # fmt: skip
CLOCKS = FaultSession(
    name="clocks",
    cases=(
        FaultCase(name="clock 0.01 % fast (drift)", faults="pace@0:10:0.01", lasts_s=10.0, touches=False),
        FaultCase(name="true rate 0.1 % off", faults="pace@0:10:0.1", lasts_s=10.0, touches=False),
        FaultCase(
            name="clock steps 2 s ahead", faults="clock@0:2", lasts_s=0.1, states=CLOCK, ahead_s=2.0, direct=False
        ),
        FaultCase(
            name="clock steps 2 s back", faults="clock@0:-2", lasts_s=0.1, states=CLOCK, ahead_s=2.0, direct=False
        ),
    ),
)


BACK = ("LOST", "STALE", "RECOVERED")
RESTARTS = FaultSession(
    name="restarts",
    cases=(
        FaultCase(name="stream vanishes for 3 s and returns the same", faults="unplug@0:3", lasts_s=3.0, states=BACK,
                  notice_s=1.5, recover_s=14.0, lost=750, unheard_s=2.0, direct=False),
        FaultCase(name="a look-alike while the sender is frozen for 4 s", faults="rival@0:14,stall@2:4", lasts_s=14.0,
                  states=BACK, notice_s=5.0, touches=False, direct=False, says="another stream has the name"),
    ),
)  # fmt: skip


def other(kind: str, difference: str) -> FaultSession:
    """A stream that comes back as something else: the session ends, with the difference in words."""
    case = FaultCase(
        name=f"returns with {difference}",
        faults=f"{kind}@0:2" + (":500" if kind == "rate" else ""),
        lasts_s=12.0,
        states=BACK,
        notice_s=1.5,
        recover_s=math.inf,
        direct=False,
        says={"rate": "sampling rate", "reformat": "format"}.get(kind, "labels"),
    )
    return FaultSession(name=kind, cases=(case,), decoder=("--give-up", "8"), ends_with=4)


OTHERS = (
    other("rate", "another rate"),
    other("relabel", "other labels"),
    other("reorder", "its labels in another order"),
    other("reformat", "another format"),
)


def from_start(name: str, script: str, states: tuple[str, ...], says: str = "", **more: object) -> FaultSession:
    """Something that holds from the first sample on: 0 rows in state OK, or 0 commands, or a refusal in words."""
    case = FaultCase(
        name=name, lasts_s=20.0, states=states, notice_s=math.inf, recover_s=math.inf, direct=False, says=says
    )
    short = name.split(",")[0].replace(" ", "-").replace("%", "percent")
    return FaultSession(name=short, whole=script, cases=(case,), begins_at=0.0, **more)


def sound(name: str, script: str, says: str = "", **more: object) -> FaultSession:
    """Something that holds from the first sample on and costs nothing."""
    case = FaultCase(name=name, lasts_s=12.0, touches=False, direct=False, says=says)
    short = name.replace(" ", "-").replace(",", "").replace("%", "percent")
    return FaultSession(name=short, whole=script, cases=(case,), **more)


STARTS = (
    from_start("true rate 4 % off, from the start", "pace@0:600:4", CLOCK, "250 Hz"),
    from_start("true rate 20 % off, from the start", "pace@0:600:-20", CLOCK, "250 Hz"),
    from_start("2 Hz instead of 250, from the start", "thin@0:600:125", ("STALE", "GAP", "CLOCK", "WARMUP"), "250 Hz"),
    from_start("one channel at the rail, from the start", "rail:C4@0:600", BAD),
    sound("true rate 1.2 % off", "pace@0:600:1.2", "250 Hz"),
    from_start("no stamps for the first 3 s, and then stamps", "nostamp@0:3", CLOCK, "have no time stamps"),
    sound("no stamps for the first second", "nostamp@0:1", begins_at=10.0),
    sound("a description of 5 MB", "bloat@0:5"),
    sound("1,000 channels, 8 of them EEG", "more@0:992"),
    sound("1,000 further markers a second", "flood@0:600:1000"),
)
DASHBOARD = FaultSession(
    name="dashboard",
    cases=(
        FaultCase(name="dashboard stopped, then killed", action="dashboard", lasts_s=6.0, touches=False, direct=False,
                  says="the dashboard was closed"),
    ),
)  # fmt: skip
SESSIONS = (
    NO_BRAIN, NO_SAMPLES, ORDER, LOST, LONG_GAP, LATE_SAMPLES, LAG, CLOCKS, RESTARTS, *OTHERS, *STARTS, DASHBOARD,
)  # fmt: skip
"""All of them: some twenty minutes."""

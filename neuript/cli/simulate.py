"""`neuript simulate`: the digital twin, a simulated person with a simulated amplifier, on LSL."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.realtime.twin.amplifier import TwinAmplifier

_EXAMPLES = """\
examples:
  neuript simulate                                       16 channels at 250 Hz, left and right hand
  neuript simulate --skill 0.9 --classes left_hand,right_hand,feet,tongue
  neuript simulate --faults gap@10:0.5,flat:C3@20:5      break the stream on purpose
  neuript simulate --self-paced                          no cues; the truth is in the intent stream

faults (NAME[:CHANNEL]@AT[:FOR[:VALUE]], seconds from the start; or a YAML file with a list of them):
{faults}"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript simulate",
        description="Publish simulated EEG on LSL until Ctrl-C: an EEG stream, a stream of cues (type Markers), "
        "and a stream of what the person truly imagined (type Intent). Everything says 'simulated'.",
        epilog=_EXAMPLES.format(faults=_fault_help()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    person = parser.add_argument_group("person")
    person.add_argument(
        "--skill",
        type=float,
        metavar="X",
        help="0 (imagining changes nothing) to 1 (expert); default 0.6, about 78 %% for CSP+LDA",
    )
    person.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same signal (default 0)")
    person.add_argument(
        "--person-seed", type=int, metavar="N", help="the same person on another day: who it is, apart from --seed"
    )
    person.add_argument("--random-person", action="store_true", help="draw the person from the population, too")
    session = parser.add_argument_group("session")
    session.add_argument(
        "--classes",
        default="left_hand,right_hand",
        metavar="A,B",
        help="of left_hand, right_hand, both_hands, feet, tongue, rest",
    )
    session.add_argument("--trials", type=int, metavar="N", help="trials per class, then the end (default: endless)")
    session.add_argument("--imagery", type=float, default=4.0, metavar="S", help="default 4")
    session.add_argument("--self-paced", action="store_true", help="no cues; the person acts when he likes")
    session.add_argument(
        "--cap-shift", default="0,0,0", metavar="R,F,T", help="the cap sits so many mm too far right, front, and turned"
    )
    session.add_argument("--mains", type=float, default=50.0, metavar="HZ", help="50 or 60")
    amplifier = parser.add_argument_group("amplifier")
    amplifier.add_argument("--montage", default="openbci-16", help="name or file (default openbci-16)")
    amplifier.add_argument("--sfreq", type=float, default=250.0, metavar="HZ", help="default 250")
    amplifier.add_argument("--chunk", type=float, default=20.0, metavar="MS", help="length of a chunk (default 20 ms)")
    amplifier.add_argument("--clock-ppm", type=float, default=0.0, metavar="PPM")
    amplifier.add_argument("--faults", default="", metavar="SCRIPT")
    amplifier.add_argument("--name", metavar="TEXT", help="name of the EEG stream")
    amplifier.add_argument("--source-id", metavar="TEXT")
    amplifier.add_argument(
        "--unit", default="microvolts", metavar="TEXT", help="unit that the stream declares, true or not; '' for none"
    )
    amplifier.add_argument("--no-labels", action="store_true", help="do not name the channels")
    parser.add_argument("--duration", type=float, metavar="S", help="stop after S seconds")
    parser.add_argument("--wait-for-consumers", action="store_true", help="begin when somebody listens")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the program that started it does")
    parser.add_argument("--json", action="store_true", help="one line on stdout at start and end")
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, publish, return the exit code."""
    args = build_parser().parse_args(argv)
    if args.duration is not None and not args.duration > 0:
        raise NeuriptError(f"--duration {args.duration:g} must be above zero")
    amplifier, duration_s = _build(args)
    from threadpoolctl import threadpool_limits

    from neuript.interrupt import Interrupt

    parent = os.getppid()

    def over() -> bool:
        return interrupt.requested or (args.end_with_parent and os.getppid() != parent)

    # small matrix products: more threads would only spin
    with threadpool_limits(1), Interrupt() as interrupt, amplifier:
        _announce(args, amplifier)
        if args.wait_for_consumers:
            _say(args, "waiting for somebody to listen (Ctrl-C ends)")
            while not over() and not amplifier.wait_for_consumers(0.2):
                pass
        amplifier.start()
        _tell_json(args, "started", amplifier)
        amplifier.run(duration_s=duration_s, stop=over, on_status=lambda text: _say(args, text))
        _tell_json(args, "ended", amplifier)
    _say(args, f"{amplifier.n_samples} simulated samples published")
    if interrupt.requested:
        raise KeyboardInterrupt
    return 0


def _build(args: argparse.Namespace) -> tuple[TwinAmplifier, float | None]:
    """Return the amplifier and how long it runs."""
    import numpy as np

    from neuript.montages import load_montage
    from neuript.realtime.twin.amplifier import TwinAmplifier
    from neuript.realtime.twin.cues import CueProtocol
    from neuript.realtime.twin.faults import parse_faults
    from neuript.realtime.twin.signal import TwinSignal
    from neuript.realtime.twin.subject import SessionConditions, Subject
    from neuript.realtime.twin.twin_source import NAME

    if args.seed < 0:
        raise NeuriptError(f"--seed {args.seed} must be 0 or more")
    who = args.seed if args.person_seed is None else args.person_seed
    if args.random_person:
        subject = Subject.sample(np.random.default_rng([who, 41]), skill=args.skill)
    else:
        skill = {} if args.skill is None else {"skill": args.skill}
        subject = Subject(seed=who, **skill)
    right, front, turn = _three(args.cap_shift)
    conditions = SessionConditions(cap_shift_mm=(right, front, turn), mains_hz=args.mains)
    protocol = CueProtocol(
        classes=tuple(c.strip() for c in args.classes.split(",") if c.strip()),
        trials_per_class=args.trials,
        imagery_s=args.imagery,
        cued=not args.self_paced,
        pause_s=(3.0, 9.0) if args.self_paced else (1.5, 2.5),
    )
    signal = TwinSignal(load_montage(args.montage), args.sfreq, subject, conditions, protocol, args.seed)
    amplifier = TwinAmplifier(
        signal,
        name=args.name or NAME,
        source_id=args.source_id,
        chunk_s=args.chunk / 1000.0,
        faults=parse_faults(args.faults),
        clock_ppm=args.clock_ppm,
        unit=args.unit,
        labels=not args.no_labels,
    )
    ends = [s for s in (args.duration, signal.schedule.end_s) if s is not None]
    return amplifier, min(ends) if ends else None


def _announce(args: argparse.Namespace, amplifier: TwinAmplifier) -> None:
    signal = amplifier.signal
    s, p = signal.subject, signal.schedule.protocol
    _say(
        args,
        f"simulated EEG on LSL: '{amplifier.name}', {signal.n_chans} channels of {signal.cap.name} at "
        f"{signal.sfreq:g} Hz, source_id {amplifier.source_id}",
    )
    _say(args, f"cues: '{amplifier.markers_name}'; the truth: '{amplifier.intents_name}'")
    _say(
        args,
        f"person: skill {s.skill:g}, mu {s.mu_hz:.1f} Hz, seed {signal.seed}; {', '.join(p.classes)}, "
        f"{'self-paced' if not p.cued else f'{p.imagery_s:g} s after each cue'}",
    )
    for fault in amplifier.faults:
        _say(args, f"will break at {fault.text()}")
    _say(args, "Ctrl-C ends")


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, file=sys.stderr, flush=True)


def _tell_json(args: argparse.Namespace, event: str, amplifier: TwinAmplifier) -> None:
    if args.json:
        fields = {
            "event": event,
            "simulated": True,
            "name": amplifier.name,
            "source_id": amplifier.source_id,
            "markers": amplifier.markers_name,
            "intents": amplifier.intents_name,
            "lsl_start": amplifier.started_at,
            "n_samples": amplifier.n_samples,
        }
        print(json.dumps(fields), flush=True)


def _three(text: str) -> tuple[float, float, float]:
    try:
        right, front, turn = (float(part) for part in text.split(","))
    except ValueError:
        raise NeuriptError(f"--cap-shift '{text}' must be three numbers in mm, such as 5,-3,0") from None
    return right, front, turn


def _fault_help() -> str:
    lines = {
        "gap@AT:FOR": "samples are lost",
        "jitter@AT:FOR:MS": "stamps of the chunks scatter",
        "burst@AT:FOR:S": "samples arrive in lumps with equal stamps",
        "stall@AT:FOR": "nothing arrives, then everything at once with right stamps",
        "clock@AT:S": "the stamps step and stay so",
        "flat[:CH]@AT:FOR": "a channel (or all) stops moving",
        "nan[:CH]@AT:FOR": "a channel (or all) is NaN",
        "rail[:CH]@AT:FOR:UV": "a channel (or all) sits at the rail",
        "mains[:CH]@AT:FOR:UV": "the hum grows",
        "unplug@AT:FOR": "the stream vanishes and returns with the same source id",
        "rate@AT:FOR:HZ": "the stream vanishes and returns at another rate",
    }
    return "\n".join(f"  {form:<22} {does}" for form, does in lines.items())

"""`neuript simulate`: a simulated person with a simulated amplifier, on LSL."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_json, add_montage, command
from neuript.cli.option_values import words
from neuript.cli.progress import say
from neuript.errors import NeuriptError
from neuript.realtime.twin.faults import KINDS

if TYPE_CHECKING:
    from neuript.realtime.twin.amplifier import TwinAmplifier
    from neuript.realtime.twin.simulation import SimulationSpec

_EXAMPLES = """\
examples:
  neuript simulate                                       16 channels at 250 Hz, left and right hand
  neuript simulate --skill 0.9 --classes left_hand,feet
  neuript simulate --faults gap@10:0.5,flat:C3@20:5      break the stream on purpose

faults (NAME[:CHANNEL]@AT[:FOR[:VALUE]], seconds from the start; or a YAML file with a list of them):
{faults}"""

_PERSON = ("skill", "seed", "person_seed", "random_person", "trials_per_class", "imagery_s", "self_paced", "obey")
_FIELDS = (*_PERSON, "mains_hz", "montage", "sfreq", "clock_ppm", "faults", "name", "source_id", "unit", "duration_s")
"""Options that are fields of `SimulationSpec` by the same name."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    what = "Publish simulated EEG, cues (type Markers) and what the person truly imagined (type Intent) until Ctrl-C."
    faults = "\n".join(f"  {kind.form:26}{kind.does}" for kind in KINDS.values())
    parser = command("neuript simulate", what, _EXAMPLES.format(faults=faults))
    add = parser.add_argument_group("person").add_argument
    add("--skill", type=float, metavar="X", help="0 (imagining changes nothing) to 1 (expert); default 0.8")
    add("--seed", type=int, default=0, metavar="N", help="same seed, same signal (default 0)")
    add("--person-seed", type=int, metavar="N", help="the same person on another day: who it is, apart from --seed")
    add("--random-person", action="store_true", help="draw the person from the population, too")
    add = parser.add_argument_group("session").add_argument
    add("--classes", default="left_hand,right_hand", metavar="A,B", help="tasks (default left_hand,right_hand)")
    add("--trials", dest="trials_per_class", type=int, metavar="N", help="of each class, then the end (endless)")
    add("--imagery", dest="imagery_s", type=float, default=4.0, metavar="S", help="seconds of it (default 4)")
    add("--self-paced", action="store_true", help="no cues; the person acts when he likes")
    add("--obey", metavar="NAME", help="follow the cues of another program: the name of its marker stream")
    add("--cap-shift", default="0,0,0", metavar="R,F,T", help="mm too far right, front, and turned (default 0,0,0)")
    add("--mains", dest="mains_hz", type=float, default=50.0, metavar="HZ", help="50 or 60 (default 50)")
    amplifier = parser.add_argument_group("amplifier")
    add_montage(amplifier, "name or file (default openbci-16)", "openbci-16")
    add = amplifier.add_argument
    add("--sfreq", type=float, default=250.0, metavar="HZ", help="sampling rate (default 250)")
    add("--chunk", type=float, default=20.0, metavar="MS", help="length of a chunk (default 20 ms)")
    add("--clock-ppm", type=float, default=0.0, metavar="PPM", help="error of its clock (default 0)")
    add("--faults", default="", metavar="SCRIPT", help="what breaks, as below (default: nothing)")
    add("--name", metavar="TEXT", help="name of the EEG stream")
    add("--source-id", metavar="TEXT", help="source id of the EEG stream")
    add("--unit", default="microvolts", metavar="TEXT", help="that it declares, true or not (default microvolts)")
    add("--no-labels", action="store_true", help="do not name the channels")
    add = parser.add_argument
    add("--network", action="store_true", help="let other computers see the streams (default: this one alone)")
    add("--duration", dest="duration_s", type=float, metavar="S", help="stop after S seconds")
    add("--wait-for-consumers", action="store_true", help="begin when somebody listens")
    add("--end-with-parent", action="store_true", help="end when the program that started it does")
    add_json(parser, "one line on stdout at start and end")
    add("--quiet", action="store_true", help="nothing on stderr but errors")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, publish, return the exit code."""
    args = build_parser().parse_args(argv)

    from threadpoolctl import threadpool_limits

    from neuript.interrupt import Interrupt
    from neuript.realtime.lsl.library import stay_on_this_computer
    from neuript.realtime.lsl.namesakes import Namesakes
    from neuript.realtime.twin.simulation import build_amplifier, describe, session_end_s

    spec = _spec(args)
    if not args.network:
        stay_on_this_computer()
    namesakes = Namesakes()
    amplifier = build_amplifier(spec)
    namesakes.warn([amplifier.source_id])
    tell = (lambda _text: None) if args.quiet else say
    parent = os.getppid()

    def over() -> bool:
        return interrupt.requested or (args.end_with_parent and os.getppid() != parent)

    # small matrix products: more threads would only spin
    with threadpool_limits(1), Interrupt() as interrupt, amplifier:
        if not args.network:
            tell("for programs of this computer alone (--network lets others in)")
        for sentence in (*describe(amplifier), "Ctrl-C ends"):
            tell(sentence)
        if args.wait_for_consumers:
            tell("waiting for somebody to listen (Ctrl-C ends)")
            while not over() and not amplifier.wait_for_consumers(0.2):
                pass
        amplifier.start()
        _tell_json(args, "started", amplifier)
        amplifier.run(duration_s=session_end_s(spec, amplifier), stop=over, on_status=tell)
        _tell_json(args, "ended", amplifier)
    tell(f"{amplifier.n_samples} simulated samples published")
    interrupt.check()
    return 0


def _spec(args: argparse.Namespace) -> SimulationSpec:
    from neuript.realtime.twin.simulation import SimulationSpec

    given = {name: getattr(args, name) for name in _FIELDS if getattr(args, name) is not None}
    return SimulationSpec(
        classes=words(args.classes),
        cap_shift_mm=_three(args.cap_shift),
        chunk_s=args.chunk / 1000.0,
        labels=not args.no_labels,
        **given,
    )


def _tell_json(args: argparse.Namespace, event: str, amplifier: TwinAmplifier) -> None:
    from neuript.realtime.twin.simulation import status

    if args.json:
        print(json.dumps({"event": event, **status(amplifier)}), flush=True)


def _three(text: str) -> tuple[float, float, float]:
    try:
        right, front, turn = (float(part) for part in text.split(","))
    except ValueError:
        raise NeuriptError(f"--cap-shift '{text}' must be three numbers in mm, such as 5,-3,0") from None
    return right, front, turn

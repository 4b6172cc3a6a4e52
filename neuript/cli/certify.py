"""`neuript certify`: is this computer fast enough, with this cap, rate, model and engine."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import add_engine, add_montage, command
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript certify --out here                                    the shipped demo model
  neuript certify --montage 10-20 --sfreq 500 --model mi.ts --out lab
  neuript certify --model mi.ts --engine cpu --budget-ms 40 --out lab
  neuript certify --model mi.ts --device cuda --out gpu         and all that only a GPU can show

A simulated amplifier sends over LSL on this computer alone, and the decoder that neuript-live runs publishes what it
decides. `certificate.json` and `stages.png` say what each stage took; session.json is its report.
exit codes: 0 PASS · 2 FAIL, bad input or no GPU · 3 no stream · 4 stream lost · 5 model refused"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript certify", "Measure the real path on this computer; PASS or FAIL.", _EXAMPLES)
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="folder for certificate.json and stages.png")
    add("--model", metavar="FILE", help="model file (default: the shipped demo)")
    add_montage(parser, "cap of the simulated amplifier, a name or a YAML file (default: that of the model)")
    add("--sfreq", type=float, default=250.0, metavar="HZ", help="its rate (default 250)")
    add("--hop", dest="hop_s", type=float, metavar="S", help="seconds between decisions (default: as in the model)")
    add_engine(parser)
    add("--device", choices=("cpu", "cuda"), default="cpu", help="cuda tests all that runs on a GPU (default cpu)")
    add("--threads", type=int, metavar="N", help="CPU threads of the network (default: by its size)")
    add("--seconds", type=float, default=60.0, metavar="S", help="of decisions (default 60)")
    add(
        "--budget-ms",
        type=float,
        default=60.0,
        metavar="MS",
        help="that 99 in 100 decisions may take from their newest sample to their publication (default 60)",
    )
    add(
        "--inject",
        metavar="STAGE=MS",
        help="delay pull, filter, window, infer, decide or publish, to see that the certificate shows it",
    )
    return parser


def run(argv: list[str]) -> int:
    """Certify and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.cli.progress import say
    from neuript.interrupt import Interrupt
    from neuript.realtime.certify.certify_spec import CertifySpec
    from neuript.realtime.live.demo import DEMO_MODEL

    spec = CertifySpec(
        model=args.model or str(DEMO_MODEL),
        out=args.out,
        montage=args.montage,
        sfreq=args.sfreq,
        hop_s=args.hop_s,
        engine=args.engine or "auto",
        device=args.device,
        threads=args.threads,
        seconds=args.seconds,
        budget_ms=args.budget_ms,
        inject=_delay(args.inject),
    )
    with Interrupt() as interrupt:  # not in the middle of importing PyTorch
        from neuript.realtime.certify.certification import certify

        certificate = certify(spec, say=say, check=interrupt.check)
    for line in certificate.lines():
        print(line)
    return 0 if certificate.passed else 2


def _delay(text: str | None) -> tuple[str, float] | None:
    if text is None:
        return None
    stage, _, number = text.partition("=")
    try:
        return stage, float(number)
    except ValueError:
        raise NeuriptError(f"--inject {text!r} must be STAGE=MS, for example infer=15") from None

"""The fault laboratory: every fault of the twin and of the computer, played to the real `neuript live` over LSL.

    python benchmarks/fault_matrix.py --out DIR [--only NAME ...] [--docs docs/faults.md]

Some twenty-five minutes, of which most is waiting: faults have a pace. Each session leaves its script, the decoder's
report, its words and `NAME.result.json` in DIR; `--only` plays some of them again and keeps the others' results. The
table of all results in DIR goes to stdout, and with `--docs` between two marks of a page. The exit code is 1 where a
result is not as it has to be.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fault_cases import SESSIONS  # noqa: E402
from fault_player import MEMORY_MB, play_on_lsl  # noqa: E402

BEGIN, END = "<!-- written by benchmarks/fault_matrix.py: begin -->", "<!-- end -->"
_HEAD = (
    "| fault | shown | noticed after, s | commands from touched windows | before it was noticed | oldest command, s "
    "| goes on after, s | as it has to be |\n|---|---|---|---|---|---|---|---|\n"
)


def table(played: list[dict[str, Any]]) -> str:
    """Return the results as a table of Markdown, and a line for each session."""
    out, lines = _HEAD, []
    for session in played:
        for case in session["cases"]:
            cells = (
                case["case"],
                ", ".join(case["states"]) or "OK throughout",
                _number(case["noticed_s"]),
                str(case["commands"]),
                str(case["blind_commands"] or ""),
                _number(case["oldest_s"], 2),
                _number(case["recovered_s"]) if case["states"] else "",
                "yes" if not case["wrong"] else "**no**: " + "; ".join(case["wrong"]),
            )
            out += "| " + " | ".join(cells) + " |\n"
        lines.append(_session_line(session))
    return out + "\n" + "\n".join(lines) + "\n"


def _session_line(session: dict[str, Any]) -> str:
    counted = ", ".join(f"{key.replace('_', ' ')} {n}" for key, n in session["counted"].items() if n)
    memory = session["rss_mb"] or (math.nan, math.nan)
    line = f"- `{session['session']}`: {session['rows']} rows; {counted or 'nothing lost'}; memory "
    line += f"at most {memory[1]:.0f} MB"
    return line + ("" if not session["wrong"] else "; **not as it has to be**: " + "; ".join(session["wrong"]))


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def into_page(page: Path, text: str) -> None:
    """Put a text between the two marks of a page."""
    said = page.read_text("utf-8")
    before, _, rest = said.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", "utf-8")


def main() -> int:
    """Play, tell, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help=", ".join(session.name for session in SESSIONS))
    parser.add_argument("--docs", type=Path, help="a page with the two marks, such as docs/faults.md")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for session in SESSIONS:
        if args.only is not None and session.name not in args.only:
            continue
        print(f"{session.name}: {session.seconds:.0f} s of {len(session.cases)} faults", file=sys.stderr, flush=True)
        try:
            result = play_on_lsl(session, args.out).to_dict()
        except Exception as error:  # noqa: BLE001 - the others are played all the same
            cases = [{"case": case.name, "states": [], "wrong": ["it could not be played"]} for case in session.cases]
            empty = dict.fromkeys(("noticed_s", "oldest_s", "recovered_s", "blind_commands"))
            result = {"session": session.name, "cases": [{**empty, "commands": 0, **case} for case in cases],
                      "wrong": [f"{error}"], "rss_mb": None, "rows": 0, "counted": {}}  # fmt: skip
        (args.out / f"{session.name}.result.json").write_text(json.dumps(result, indent=1))
    found = [args.out / f"{session.name}.result.json" for session in SESSIONS]
    played = [json.loads(path.read_text()) for path in found if path.exists()]
    text = table(played)
    print(text)
    if args.docs is not None:
        into_page(args.docs, text)
    wrong = [case for session in played for case in session["cases"] if case["wrong"]]
    wrong += [session for session in played if session["wrong"]]
    print(f"{len(wrong)} not as they have to be; memory may grow by {MEMORY_MB:.0f} MB", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

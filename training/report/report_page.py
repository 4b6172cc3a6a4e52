"""The page of a calibration: figures and pictures in, one self-contained HTML file out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neuript.training.report.cue_timing import frame_sentence
from neuript.training.report.explained import (
    about_certainty,
    about_choice,
    about_commands,
    about_confusion,
    about_controls,
    about_course,
    about_curve,
    about_quality,
    about_use,
)
from neuript.training.report.html_text import Html, bullets, element, joined_html, paragraphs, picture, table

Figures = Mapping[str, Any]
Pictures = Mapping[str, bytes]

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff; max-width: 52rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p { margin: .4rem 0; } .small { color: #555; font-size: .85rem; }
.headline { border-left: .5rem solid #0072b2; background: #f2f6fa; padding: .8rem 1rem; }
.at_chance, .uncertain, .suspicious { border-color: #d55e00; background: #fdf3ec; } .not_judged { border-color: #777; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; margin: .5rem 0; }
td:first-child { min-width: 9rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; }
th { color: #555; font-weight: 600; } .published td { font-weight: 600; background: #f2f6fa; }
figure { margin: .6rem 0; } img { width: 100%; height: auto; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } section { break-inside: avoid; } }
"""


def report_page(figures: Figures, pictures: Pictures) -> str:
    """Return the page as text.

    Parameters
    ----------
    figures : mapping of str to Any
        As `report_figures` returned them.
    pictures : mapping of str to bytes
        As `report_pictures` returned them.
    """
    title = f"Calibration report: {figures['subject'] or 'no alias given'}, {figures['task']}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(_STYLE)),
    )
    body = element("body", element("p", title, class_="small"), *_sections(figures, pictures))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _sections(figures: Figures, pictures: Pictures) -> Iterator[Html]:
    top = figures["headline"]
    yield element(
        "section", element("h1", top["title"]), paragraphs(*top["sentences"]), class_=f"headline {top['verdict']}"
    )
    yield _section("What to do next", bullets(figures["next"]))
    if figures["decoders"] is not None:
        yield from _of_held_out(figures, pictures)
    if figures["electrodes"]["use"] is not None:
        yield _pictured("What the decoder uses", about_use(figures), pictures, "use")
    yield _pictured("Contact over time", about_quality(figures), pictures, "quality")
    if figures["controls"]["figures"]:
        yield _controls(figures)
    yield _trials(figures)
    yield _timing(figures)
    yield _provenance(figures)


def _of_held_out(figures: Figures, pictures: Pictures) -> Iterator[Html]:
    yield _section(
        "Every decoder on the same trials",
        _decoders(figures),
        picture(pictures["decoders"], "Accuracy of every decoder with its exact interval"),
        paragraphs(*about_choice(figures)),
    )
    yield _pictured("What is taken for what", about_confusion(figures), pictures, "confusion")
    yield _pictured("Probability over time", about_course(figures), pictures, "course")
    yield _pictured("Commands", about_commands(figures), pictures, "commands")
    yield _pictured("Does a probability mean what it says?", about_certainty(figures), pictures, "certainty")
    yield _pictured("Would more trials help?", about_curve(figures), pictures, "learning_curve")


def _section(title: str, *content: Html) -> Html:
    return element("section", element("h2", title), *content)


def _pictured(title: str, texts: list[str], pictures: Pictures, name: str) -> Html:
    shown = picture(pictures[name], title) if name in pictures else Html("")
    return _section(title, paragraphs(texts[0]), shown, paragraphs(*texts[1:]))


def _decoders(figures: Figures) -> Html:
    rows, bold = [], None
    for i, row in enumerate(figures["decoders"]):
        bold = i if row["published"] else bold
        low, high = row["interval_95"]
        rows.append(
            (
                row["name"],
                f"{row['balanced_accuracy']:.1%}",
                f"{row['hits']} of {row['trials']}",
                f"{low:.0%} to {high:.0%}",
                _chance(row["permutation_p"]),
                "yes" if row["above_chance"] else "no",
            )
        )
    head = (
        "decoder",
        "balanced accuracy",
        "trials right",
        "exact 95 % interval",
        "by luck (permutation)",
        "above chance?",
    )
    return table(head, rows, bold=bold)


def _chance(p: float) -> str:
    return "below 1 in 1000" if p < 0.001 else f"{p:.1%} of cases" if p < 0.1 else f"{p:.0%} of cases"


def _controls(figures: Figures) -> Html:
    rows = [
        (
            name,
            ", ".join(one["channels"]) or "all, before the cue",
            f"{one['balanced_accuracy']:.0%}",
            "yes" if one["above_chance"] else "no",
        )
        for name, one in figures["controls"]["figures"].items()
    ]
    warnings = figures["controls"]["warnings"]
    said = element("strong", bullets(warnings)) if warnings else Html("")
    head = ("decoded from", "electrodes", "balanced accuracy", "above chance?")
    return _section("Is it the task at all?", paragraphs(*about_controls(figures)), table(head, rows), said)


def _trials(figures: Figures) -> Html:
    trials = figures["trials"]
    used = ", ".join(f"{n} {name}" for name, n in trials["used"].items())
    if not trials["rejected"]:
        return _section("Trials", paragraphs(f"Learnt from and judged: {used}. No trial was rejected."))
    names = [one["name"] for one in figures["provenance"]["recordings"]]
    rows = [(names[t["recording"]], f"{t['onset_s']:.1f}\u00a0s", t["class"], t["why"]) for t in trials["rejected"]]
    told = f"Learnt from and judged: {used}. Rejected, because live nothing would have been decoded there: {len(rows)}."
    return _section("Trials", paragraphs(told), table(("recording", "cue at", "class", "why"), rows))


def _timing(figures: Figures) -> Html:
    timing = figures["timing"]
    delay = ", ".join(
        f"{ms:.1f} ms at {hz.removesuffix('_hz')} Hz" for hz, ms in timing["filter_delay_ms"].items() if ms is not None
    )
    apart = timing["cue_interval_s"]
    rows = [
        ("a decision rests on", f"the last {timing['window_s']:g} s of signal"),
        ("a new decision", f"every {timing['hop_s']:g} s"),
        ("delay of the filters", delay or "not known"),
        ("mains notch", "none" if timing["mains_hz"] is None else f"{timing['mains_hz']:g} Hz"),
        (
            "sampling rate",
            f"{', '.join(f'{r:g}' for r in timing['sfreq_hz']['recordings'])} Hz, decoded at "
            f"{timing['sfreq_hz']['model']:g} Hz",
        ),
        (
            "from cue to cue",
            "no cue" if apart is None else f"{apart['median']:.1f} s (median), at least {apart['least']:.1f} s",
        ),
    ]
    rows += _cues(timing.get("cues"))
    meaning = (
        "A command comes later than the imagery by the part of the window that must fill with it, which is most of the "
        "delay; the filters add some milliseconds."
    )
    return _section("Timing", paragraphs(meaning), table(("", ""), rows))


def _cues(cues: Figures | None) -> list[tuple[str, str]]:
    """How punctual the cues were, where that is known."""
    if cues is None:
        return []
    rows = [("late cues", f"{cues['late']} of {cues['shown']}, by a frame that was missed or a window that was moved")]
    return rows + [("a cue was shown", frame_sentence(window)) for window in cues["windows"]]


def _provenance(figures: Figures) -> Html:
    told = figures["provenance"]
    recordings = [
        (r["name"], f"{r['channels']} channels, {r['seconds'] / 60:.1f} min", r["sha256"] or "not a file")
        for r in told["recordings"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in told.get("versions", {}).items())
    rows = [
        ("person", figures["subject"] or "no alias given"),
        ("made", f"{told.get('date', '')} with {versions}"),
        ("revision", told.get("git_revision") or "an installed package"),
        ("simulated", "yes: the signal or the weights come from the digital twin" if told.get("simulated") else "no"),
        ("earlier people", ", ".join(told.get("people", ())) or "none"),
        (
            "time taken",
            f"calibration {figures['seconds']['calibration']:g} s, report {figures['seconds']['report']:g} s",
        ),
    ]
    notes = bullets(told["notes_of_calibration"]) if told["notes_of_calibration"] else Html("")
    return _section(
        "Where it comes from",
        table(("", ""), rows),
        table(("recording", "holds", "SHA-256"), recordings),
        joined_html([notes]),
        element("p", "For research. Not a medical device, and no diagnosis.", class_="small"),
    )

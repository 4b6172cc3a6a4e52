"""What each part of the report means, in plain sentences for the experimenter; the first stands above the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuript.training.report.decoder_table import NOTICEABLE
from neuript.training.report.verdict import forecast_sentence

Figures = Mapping[str, Any]


def about_choice(figures: Figures) -> list[str]:
    """How the figures came about, and why the published decoder is published."""
    choice = figures["choice"]
    out = [
        "Blocked: each stretch of the session was decoded by a decoder that had learnt from the other stretches, so a "
        "slow drift cannot help. The permutation column says how often class names that are shuffled within these "
        "stretches would have fitted as well."
    ]
    shuffled = figures["shuffled"]
    if shuffled is not None:
        out.append(
            f"Shuffled: had trials been held out at random, as in many papers, the {shuffled['name']} would stand at "
            f"{shuffled['accuracy']:.0%}; in blocks it stands at {shuffled['blocked_accuracy']:.0%}. The first figure "
            "is not used: neighbouring trials are alike, and live there are no neighbours from the future."
        )
    return [*out, *_why_published(choice)]


def _why_published(choice: Figures) -> list[str]:
    weights = choice["weights"]
    fixed = (
        "The stack is published because that was fixed before anything was measured: it weighs its branches (network "
        f"{weights['network']:.2f}, Riemannian {weights['riemannian']:.2f}) by what they said of trials that they had "
        "not learnt from, and it is the one whose threshold is known."
    )
    if choice["highest"] == choice["published"]:
        return [f"{fixed} No other decoder has a higher figure."]
    mine, other = choice["only_published_right"], choice["only_highest_right"]
    luck = (
        f"{choice['highest']} has a higher figure: it alone got {other} of the trials right, the published one alone "
        f"{mine}. "
        f"Two equally good decoders differ that much in {choice['mcnemar_p']:.0%} of cases (exact McNemar test)"
    )
    if choice["mcnemar_p"] >= NOTICEABLE:
        return [f"{fixed} {luck}, so it is no reason to prefer it; the best of several figures is always partly luck."]
    return [f"{fixed} {luck}, so it may really suit this person better; record another session and compare again."]


def about_confusion(figures: Figures) -> list[str]:
    """What the table of cued and decoded classes means."""
    idle = figures["idle_class"]
    first = "Rows are what was asked for, columns what was decoded; a good decoder is dark along the diagonal."
    if idle is None:
        return [first]
    place = figures["confusion"]["classes"].index(idle)
    table = figures["confusion"]["table"]
    taken = sum(n for k, n in enumerate(table[place][:-1]) if k != place)
    missed = sum(row[place] for k, row in enumerate(table) if k != place)
    return [
        first,
        f"{taken} of {sum(table[place])} trials of {idle} were taken for a task, and {missed} trials of a task for "
        f"{idle}. These are trials with a cue; how often something is commanded in the pauses stands under Commands.",
    ]


def about_course(figures: Figures) -> list[str]:
    """What the course around the cue means."""
    window = figures["timing"]["window_s"]
    return [
        "The probability of the class that was cued must rise after the cue. Before it nothing can be known: if the "
        "pictures differ there, the order of the trials, or the trial before, is being decoded.",
        f"A window lasts {window:g} s, so it is full of the task only {window:g} s after the cue.",
    ]


def about_commands(figures: Figures) -> list[str]:
    """What was commanded, how soon and how often wrongly."""
    commands = figures["commands"]
    first = commands["sentence"] or "Threshold and dwell are those of the settings; nothing was chosen."
    low, high = commands["false_per_minute_interval_95"]
    out = [first]
    if commands["rest_minutes"] > 0 and commands["false_per_minute"] is not None and high is not None:
        out.append(
            f"False activations: {commands['false_per_minute']:.2g} a minute of rest and pauses, exact 95 % interval "
            f"{low:.2g} to {high:.2g} (Poisson)."
        )
    information = commands["information"]
    if information:
        out.append(
            f"As a channel: {information['itr_bits_per_minute']:.1f} bits a minute (Wolpaw, pauses included), or "
            f"{information['mutual_information_bits_per_minute']:.1f} by mutual information, which also holds where "
            "errors are uneven."
        )
    median, late = commands["time_to_detect_median_s"], commands["time_to_detect_p90_s"]
    if median is not None:
        out.append(
            f"A task that is commanded rightly is so after {median:.1f} s (median); nine of ten within {late:.1f} s."
        )
    return out


def about_certainty(figures: Figures) -> list[str]:
    """What calibration curve and risk mean."""
    curve, risk = figures["calibration_curve"], figures["risk_coverage"]
    half = next((r for c, r in zip(risk["coverage"], risk["risk"], strict=True) if c >= 0.5), None)
    out = [
        "Left: where it says 80 %, it should be right in 80 of 100 trials (on the dashed line). Right: errors that are "
        "left if only the most certain trials count.",
        f"The calibration error (ECE) is {curve['ece']:.1%}; a decoder whose probabilities are true would show "
        f"{curve['ece_of_luck']:.1%} with so few trials.",
    ]
    if half is not None:
        out.append(f"Among the more certain half of the trials {half:.0%} are wrong.")
    return out


def about_curve(figures: Figures) -> list[str]:
    """What the learning curve and its forecast mean."""
    curve = figures["learning_curve"]
    if curve is None or not curve["points"]:
        return ["There are too few trials for a learning curve."]
    first = (
        "All points are judged on the same held-out trials; only the number of trials that were learnt from differs."
    )
    if curve["forecast"] is None:
        return [first, "There are too few points to say what more trials would bring."]
    return [first, forecast_sentence(curve["forecast"])]


def about_use(figures: Figures) -> list[str]:
    """What the map of the electrodes means."""
    use = figures["electrodes"]["use"]
    if figures["headline"]["verdict"] == "at_chance":
        return ["As this decoder tells nothing apart, the map shows luck, not a place."]
    return [
        "How much worse held-out trials are decoded when what one electrode tells by itself comes from another trial. "
        "Imagery of a hand should show over the motor areas (C3, C4); a map that is red at the rim or at the "
        "forehead shows muscles or eyes.",
        f"Neighbours that say the same share their worth, so a pale electrode is not useless. {use['n_trials']} trials "
        "were asked.",
    ]


def about_quality(figures: Figures) -> list[str]:
    """What the picture of the contact means."""
    spells = figures["electrodes"]["quality"]["spells"]
    if not spells:
        return ["No electrode of the model was flat, stuck or far too large at any time."]
    n, n_all = len({spell["electrode"] for spell in spells}), len(figures["electrodes"]["quality"]["electrodes"])
    longest = max(spell["end_s"] - spell["begin_s"] for spell in spells)
    often = "once" if len(spells) == 1 else f"{len(spells)} times, the longest"
    return [
        "When an electrode carried no usable signal, by the verdicts that also stop the decoder live: "
        f"{n} of {n_all} electrodes, {often} for {longest:.1f} s."
    ]


def about_controls(figures: Figures) -> list[str]:
    """What the controls mean."""
    return [
        "What could be decoded without the task, on the same trials. The time before the cue must be at chance. Front "
        "and rim of the head also hear the brain, but where they do as well as the motor areas it may be eyes or jaw.",
        "" if figures["controls"]["warnings"] else "None of the controls gives a reason to doubt.",
    ]

"""What the figures mean for the experimenter: a headline, and what to do next. Pure functions of the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]

ENOUGH_TRIALS = 20
"""Trials of each class that a calibration should have."""
MANY_REJECTED = 0.1
MUCH_BAD = 0.02
"""Share of the time in which an electrode was condemned that is worth a sentence."""
BY_LUCK = 0.05
"""Largest share of shufflings that may do as well for a figure to be more than luck."""
FEW_HITS = 0.25
"""Share of the tasks that is commanded below which somebody would give up."""
NAMED = 4


def headline(figures: Figures) -> dict[str, Any]:
    """Return `verdict` (not_judged, at_chance, uncertain, suspicious or above_chance), `title` and `sentences`."""
    who = f" for {figures['subject']}" if figures["subject"] else ""
    published = published_row(figures)
    if published is None:
        return {"verdict": "not_judged", "title": f"Not judged{who} yet", "sentences": _not_judged(figures)}
    names = in_words(figures["classes"], "from")
    above, by_permutation = published["above_chance"], published["permutation_p"] < BY_LUCK
    more = [*about_today(figures), *about_live(figures), _commands(figures)]
    if above != by_permutation:
        title = f"It is not certain that this decoder tells {names}{who}"
        return {"verdict": "uncertain", "title": title, "sentences": [*_uncertain(figures), *more]}
    if not above:
        title = f"This decoder cannot tell {names}{who} today"
        return {"verdict": "at_chance", "title": title, "sentences": [*_at_chance(figures), *more]}
    verdict = "suspicious" if figures["controls"]["warnings"] else "above_chance"
    sentences = [_right(figures), *more]
    if verdict == "suspicious":
        sentences.append(
            "Read the controls below first: something other than the task may be what is decoded, and then it will not "
            "last."
        )
    return {"verdict": verdict, "title": f"This decoder tells {names}{who}", "sentences": sentences}


def published_row(figures: Figures) -> dict[str, Any] | None:
    """Return the row of the published decoder in the table; None where nothing was held out."""
    return next((row for row in figures["decoders"] or () if row["published"]), None)


def in_words(classes: list[str], word: str) -> str:
    """Names of the classes in a sentence: a from b; a, b and c apart."""
    if len(classes) == 2:
        return f"{classes[0]} {word} {classes[1]}"
    return f"{', '.join(classes[:-1])} and {classes[-1]} apart"


def _not_judged(figures: Figures) -> list[str]:
    n_trials = sum(figures["trials"]["used"].values())
    people = len(figures["provenance"].get("people", ()))
    said = f"{n_trials} trials are too few to hold some out" if n_trials else "No trial was recorded"
    out = [f"{said}, so no accuracy can be said."]
    if people:
        out.append(f"It decodes by what {people} earlier people say, and that fits most people, but not everybody.")
    return out


def _right(figures: Figures) -> str:
    row = published_row(figures)
    assert row is not None
    bound = figures["calibration"]["decoders"][row["name"]]["chance_bound_5"]
    low, high = row["interval_95"]
    return (
        f"It was right in {row['hits']} of {row['trials']} trials that it had not learnt from ({row['accuracy']:.0%}; "
        f"with 95 % confidence between {low:.0%} and {high:.0%}). Guessing stays below {bound:.0%}."
    )


def about_today(figures: Figures) -> list[str]:
    """Say how good it was on the trials of today alone, where earlier days were learnt from as well."""
    return [f"Of today's trials alone {_counted(figures['today'])}"] if figures.get("today") else []


def about_live(figures: Figures) -> list[str]:
    """Say how good the decoders of the moment were while the trials were recorded."""
    live = figures.get("live")
    if not live:
        return []
    without = live["not_decoded"]
    rest = f" During {without} trial{'s' if without > 1 else ''} no decoder ran yet." if without else ""
    return [f"Decided live, by the decoder of that moment, before it could learn them: {_counted(live)}{rest}"]


def _counted(card: Figures) -> str:
    """So many of so many, with interval and what guessing reaches."""
    low, high = card["interval_95"]
    said = f"{card['n_hits']} of {card['n_trials']} right ({card['accuracy']:.0%}; {low:.0%} to {high:.0%})"
    if card["chance_bound_5"] > 1:
        return f"{said}, too few to be above what guessing may reach."
    verdict = "" if card["above_chance"] else "not "
    return f"{said}, {verdict}above guessing, which stays below {card['chance_bound_5']:.0%}."


def _uncertain(figures: Figures) -> list[str]:
    row = published_row(figures)
    assert row is not None
    counts = figures["trials"]["used"].values()
    uneven = " (guessing the more frequent class goes far here)" if max(counts) > 1.2 * min(counts) else ""
    above = "above" if row["above_chance"] else "not above"
    return [
        f"{_right(figures)} So by the trials that are right it is {above} guessing{uneven}; but shuffled class names "
        f"reach its balanced accuracy ({row['balanced_accuracy']:.0%}) in {row['permutation_p']:.1%} of cases.",
        "The two checks disagree, which happens when the effect is small or the trials are few: record more, as many "
        "of each class, before it commands anything that matters.",
    ]


def _at_chance(figures: Figures) -> list[str]:
    return [
        _right(figures),
        "That is no judgement of the person: with motor imagery it happens to about one in five, often on one day and "
        "not on another, and often it is the cap, the markers or the instruction.",
        "Do not let it command anything yet; what to try stands below.",
    ]


def _commands(figures: Figures) -> str:
    commands = figures["commands"]
    acting = [name for name in figures["classes"] if name != figures["idle_class"]]
    idle = f"; {figures['idle_class']} means no command" if figures["idle_class"] else ""
    n_answered = commands["hits"] + commands["wrong"]
    wrong = f" {commands['wrong']} of {n_answered} were the wrong one." if len(acting) > 1 and n_answered else ""
    return f"It can command {' and '.join(acting)}{idle}. {commands['sentence']}{wrong}".strip()


def next_steps(figures: Figures) -> list[str]:
    """Return what to do next, a sentence each, the most important first."""
    verdict = figures["headline"]["verdict"]
    steps = [*_about_signal(figures), *_about_controls(figures)]
    if verdict == "not_judged":
        return [
            *steps,
            f"Record at least 5, better {ENOUGH_TRIALS}, trials of each class and calibrate again: then the decoder "
            "becomes this person's own, and this page can say how good it is.",
        ]
    if verdict == "at_chance":
        return [*_when_at_chance(figures), *steps, *_about_trials(figures)]
    steps += [*_about_rest(figures), *_about_commands(figures), *_about_trials(figures), *_about_certainty(figures)]
    use = "Use it: neuript-live --model FILE.ts. On another day a few new trials bring it up to date."
    again = "Then calibrate again, and believe that figure."
    return [*steps, use if verdict == "above_chance" else again]


def _when_at_chance(figures: Figures) -> Iterator[str]:
    yield (
        "Check the set-up with a movement that is executed: if real movements cannot be told apart either, it is the "
        "cap or the markers. neuript inspect FILE lists the markers."
    )
    yield (
        "For imagery: feel the movement in the hand instead of picturing it, from the inside, at the pace of a real "
        "one; keep eyes and jaw still. Try another pair, such as one hand against both feet."
    )
    if not figures["provenance"].get("people"):
        yield "Begin with earlier people: --population shipped (a hand against rest), or a file of your own laboratory."
    yield "Take a break, or come back on another day."


def _about_signal(figures: Figures) -> Iterator[str]:
    quality = figures["electrodes"]["quality"]
    shares = zip(quality["electrodes"], quality["bad_share"], strict=True)
    bad = sorted((one for one in shares if one[1] > MUCH_BAD), key=lambda one: -one[1])
    if bad:
        named = ", ".join(f"{name} ({share:.0%} of the time)" for name, share in bad[:NAMED])
        yield f"Improve the contact of {named}{' and others' if len(bad) > NAMED else ''}."
    rejected, used = len(figures["trials"]["rejected"]), sum(figures["trials"]["used"].values())
    if rejected > MANY_REJECTED * (rejected + used):
        yield f"{rejected} of {rejected + used} trials were lost; the table below says why."


def _about_controls(figures: Figures) -> Iterator[str]:
    yield from figures["controls"]["warnings"]


def _about_rest(figures: Figures) -> Iterator[str]:
    commands = figures["commands"]
    if commands["max_false_per_minute"] is not None and not commands["bound_kept"]:
        yield (
            f"Record more rest: with what there is, no more than {commands['max_false_per_minute']:g} false a "
            "minute cannot be promised."
        )


def _about_commands(figures: Figures) -> Iterator[str]:
    commands = figures["commands"]
    if commands["hits"] < FEW_HITS * commands["events"]:
        yield (
            f"Only {commands['hits']} of {commands['events']} tasks were commanded: the threshold that keeps false "
            "commands rare is too high for this decoder. More rest and more trials lower it, or allow more false "
            "commands with --max-false-per-minute."
        )


def _about_trials(figures: Figures) -> Iterator[str]:
    curve = figures["learning_curve"]
    fewest = min(figures["trials"]["used"].values())
    if curve is not None and curve["forecast"] is not None:
        yield forecast_sentence(curve["forecast"])
    elif fewest < ENOUGH_TRIALS:
        yield f"Record more trials: {fewest} of a class are few, {ENOUGH_TRIALS} or more are better."


def forecast_sentence(forecast: Figures) -> str:
    """Say what more trials would bring, as `GainForecast.describe` does."""
    from neuript.training.calibration.learning_curve import GainForecast

    return GainForecast(**forecast).describe()


def _about_certainty(figures: Figures) -> Iterator[str]:
    curve = figures["calibration_curve"]
    if curve["ece"] > 2 * curve["ece_of_luck"]:
        yield (
            f"Its probabilities are off by {curve['ece']:.0%} on average, more than luck would make them; rely on its "
            "commands, whose threshold was measured, not on a probability as such."
        )

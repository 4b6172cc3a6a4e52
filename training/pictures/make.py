"""All pictures of one model on some windows: what is computed, drawn and said about each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.training.fitting.forward import predict_logits
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.pictures import attention, draw, draw_attention, style
from neuript.training.pictures.expert_use import participation
from neuript.training.pictures.latent import neighbour_map, principal_components, separation, standardised
from neuript.training.pictures.observe import Observation, observe
from neuript.training.pictures.perturbation import Kind, channel_effects, log_odds, topographies
from neuript.training.pictures.samples import PictureWindows, draw_fairly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuript.training.pictures.load import Learned

SECTIONS = ("experts", "attention", "perturbation", "reconstruction", "latent")
"""Names of the pictures, in the order of the report."""

Progress = Callable[[str, int, int], None]
"""Called with what is being computed, steps done, and steps in all."""


@dataclass(frozen=True, kw_only=True)
class PicturesSpec:
    """How much is computed."""

    only: tuple[str, ...] = SECTIONS
    n_windows: int = 160
    """Number of windows for experts, attention and the latent map."""
    n_perturbed: int = 64
    """Number of those windows that are perturbed: each is classified again for every channel."""
    kinds: tuple[Kind, ...] = ("swap", "zero")
    n_examples: int = 2
    """Number of windows whose reconstruction is drawn."""
    batch_size: int = 16
    seed: int = 520
    pdf: bool = False
    """Whether every figure is also written as PDF."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("n_windows", "n_perturbed", "batch_size"):
            if getattr(self, name) < 1:
                option = name.removeprefix("n_").replace("_", "-")
                raise NeuriptError(f"--{option} must be at least 1 (in Python: {name})")
        if self.n_examples < 0:
            raise NeuriptError("--examples must be 0 or more (in Python: n_examples)")


@dataclass(frozen=True, eq=False)
class Picture:
    """One figure, as the bytes of its files."""

    name: str
    title: str
    caption: str
    png: bytes
    pdf: bytes | None = None


@dataclass(eq=False)
class Section:
    """Pictures of one kind with their numbers, or the reason why there are none."""

    name: str
    pictures: list[Picture] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""


def make_pictures(
    learned: Learned, windows: PictureWindows, spec: PicturesSpec, progress: Progress | None = None
) -> list[Section]:
    """Look into a model and draw what is found.

    Parameters
    ----------
    learned : Learned
        The model, with what is known of its training.
    windows : PictureWindows
        Windows to choose from; drawn evenly over people and classes.
    spec : PicturesSpec
        Which pictures, and how many windows for them.
    progress : callable, optional
        Called with (what, done, all); see `Progress`.

    Returns
    -------
    list of Section
        A section for each picture asked for, in the order of `SECTIONS`.
    """
    tell = progress or (lambda what, done, n: None)
    shown = draw_fairly(windows, spec.n_windows, spec.seed)
    observation: Observation | None = None
    if set(spec.only) & {"experts", "attention", "latent"}:
        observation = observe(learned.model, shown, batch_size=spec.batch_size, progress=partial(tell, "looking"))
    sections = []
    for name in SECTIONS:
        if name not in spec.only:
            continue
        with style.looks():
            if name == "reconstruction":
                section = _reconstruction(learned, shown, spec, tell)
            elif name == "perturbation":
                section = _perturbation(learned, shown, spec, tell)
            elif observation is not None:
                maker = {"experts": _experts, "attention": _attention, "latent": _latent}[name]
                section = maker(observation, shown, spec)
        sections.append(section)
    return sections


def _picture(spec: PicturesSpec, name: str, title: str, caption: str, figure: Figure) -> Picture:
    pdf = style.rendered(figure, "pdf") if spec.pdf else None
    return Picture(name, title, caption, style.rendered(figure), pdf)


def _who(windows: PictureWindows) -> str:
    n_people = len(set(windows.subject.tolist()))
    people = "1 person" if n_people == 1 else f"{n_people} people"
    return f"{len(windows)} windows of {people}, {windows.name}"


# --- experts ------------------------------------------------------------------------------------


def _experts(seen: Observation, windows: PictureWindows, spec: PicturesSpec) -> Section:
    if not seen.gates:
        return Section("experts", skipped="this model has no experts")
    n_classes = max(len(windows.classes), 1)
    layers = [participation(name, gates, windows.y, windows.subject, n_classes) for name, gates in seen.gates.items()]
    caption = (
        "(a) Share of each routed expert in the gates of its layer, averaged over tokens, windows "
        "and people; lines: standard error over people; dashed: even use. (b) How far such "
        "profiles lie apart (total variation distance, 0 equal, 1 disjoint) between two classes of "
        "one person and between two people in one class, beside two halves of the same person and "
        "class (half the windows, so rather too high). "
        f"Experts divide classes only as far as the first exceeds the last. {_who(windows)}."
    )
    picture = _picture(spec, "experts", "Expert participation", caption, draw.experts_figure(layers, windows.classes))
    numbers = {"classes": list(windows.classes), "layers": [layer.to_dict() for layer in layers]}
    return Section("experts", [picture], numbers)


# --- attention ----------------------------------------------------------------------------------


def _attention(seen: Observation, windows: PictureWindows, spec: PicturesSpec) -> Section:
    montage = windows.montage
    if montage.n_chans < 2:
        return Section("attention", skipped="there is one channel only")
    weights = np.nanmean(seen.attention, axis=0)
    lobes = montage.lobe_groups()
    on_head = (
        "Spatial attention, averaged over heads, time and windows, classes with equal weight. (a) "
        "Discs: how much a channel is looked at by the others; arcs: the pairs that attend to "
        "each other most (8 %, at most 24), both directions averaged, the strongest in numbers; all relative "
        "to uniform attention. (b) From channels of one lobe (rows) to those of another (columns), "
        f"a channel's attention to itself left out. {_lobe_names(list(montage.lobes))}{_who(windows)}."
    )
    by_head = (
        "Attention of every head between channels, in order of lobes (grey lines), averaged over "
        "time and windows. Vertical stripes: channels that all others look at; a diagonal: channels "
        "that look at themselves. Tables: number of channels attended to (exponential of the "
        "entropy of the averaged weights; an upper bound for one instant), and rank correlation of "
        f"weight and distance of electrodes (negative: near ones preferred). {_who(windows)}."
    )
    pictures = [
        _picture(
            spec,
            "attention",
            "Spatial attention on the head and between lobes",
            on_head,
            draw_attention.attention_figure(weights, montage),
        ),
        _picture(
            spec,
            "attention-heads",
            "Spatial attention of every head",
            by_head,
            draw_attention.heads_figure(weights, montage),
        ),
    ]
    blocks = weights.mean(axis=1)
    numbers = {
        "channels": list(montage.ch_names),
        "lobes": list(montage.lobes),
        "weights": blocks,
        "between_lobes": attention.between_lobes(blocks, lobes),
        "between_lobes_by_class": {
            name: attention.between_lobes(seen.attention[c].mean(axis=1), lobes)
            for c, name in enumerate(windows.classes)
        },
        "received": attention.received(blocks),
        "channels_attended": attention.spread(weights),
        "correlation_with_distance": attention.distance_correlation(weights, montage.pos_m),
    }
    return Section("attention", pictures, numbers)


def _lobe_names(lobes: Sequence[str]) -> str:
    short = [f"{draw_attention.SHORT[name]} {name}" for name in lobes if name in draw_attention.SHORT]
    return f"{', '.join(short)}. " if short else ""


# --- perturbation -------------------------------------------------------------------------------


def _perturbation(learned: Learned, windows: PictureWindows, spec: PicturesSpec, tell: Progress) -> Section:
    if not windows.classes:
        return Section("perturbation", skipped="the windows have no labels")
    if learned.head == "none":
        return Section("perturbation", skipped="the model has no head, and no training windows to fit one on")
    from scipy.stats import t

    some = draw_fairly(windows, spec.n_perturbed, spec.seed)
    maps: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}
    numbers: dict[str, Any] = {}
    for kind in spec.kinds:
        effects = channel_effects(
            lambda x: predict_logits(learned.model, x, batch_size=spec.batch_size),
            some.x,
            kind,
            spec.seed,
            partial(tell, f"perturbing ({kind})"),
        )
        mean, error = topographies(effects, some.y, some.subject)
        people = [len(set(some.subject[some.y == c].tolist())) for c in range(len(some.classes))]
        quantile = np.array([t.ppf(0.975, n - 1) if n > 1 else np.inf for n in people])
        marked = np.abs(mean) > quantile[:, None] * np.nan_to_num(error, nan=np.inf)
        maps[kind] = (mean, marked)
        numbers[kind] = {"effect": mean, "standard_error": error, "people": people}
    head = "its own head" if learned.head == "own" else "a linear read-out of frozen features"
    odds = log_odds(predict_logits(learned.model, some.x, batch_size=spec.batch_size))
    score = balanced_accuracy(confusion(some.y, odds.argmax(axis=1), odds.shape[1]))
    caption = (
        "Fall of the log-odds of a window's true class when one channel alone is disturbed: "
        "replaced by that channel of another window, or set to zero, which the model never met in "
        "training. Red: the channel spoke for the class. Mean over people of their means; rings: "
        "the 95 % interval over people leaves out 0 (not corrected for the number of channels). "
        "Between channels the map is kriged on a sphere; farther than 5 cm from all of them it is empty. "
        f"Model with {head}, balanced accuracy "
        f"{score:.2f} on these windows: a map of a model that is wrong shows its errors. {_who(some)}."
    )
    figure = draw.perturbation_figure(some.montage, some.classes, maps)
    title = "What each channel contributes"
    picture = _picture(spec, "perturbation", title, caption, figure)
    numbers = {
        "classes": list(some.classes),
        "channels": list(some.montage.ch_names),
        "balanced_accuracy": score,
        **numbers,
    }
    return Section("perturbation", [picture], numbers)


# --- reconstruction -----------------------------------------------------------------------------


def _reconstruction(learned: Learned, windows: PictureWindows, spec: PicturesSpec, tell: Progress) -> Section:
    if learned.pretrainer is None:
        return Section(
            "reconstruction", skipped="this needs the decoder; give the folder of the pretraining as --checkpoint"
        )
    from neuript.training.pictures import draw_reconstruction as drawing
    from neuript.training.pictures.reconstruction import errors, reconstruct

    some = draw_fairly(windows, spec.n_perturbed, spec.seed)
    trained = learned.pretrainer.spec
    parts = []
    for name, changes in MASKINGS.items():
        learned.pretrainer.spec = replace(trained, shares=(1.0, 0.0, 0.0), **changes)
        try:
            parts.append(
                reconstruct(
                    learned.pretrainer,
                    some,
                    seed=spec.seed,
                    batch_size=spec.batch_size,
                    name=name,
                    progress=partial(tell, f"reconstructing ({name})"),
                )
            )
        finally:
            learned.pretrainer.spec = trained
    reports = [errors(part) for part in parts]
    per_window = ((parts[1].prediction - parts[1].target) ** 2 * parts[1].masked).mean(axis=(1, 2))
    middle = np.argsort(np.abs(per_window - np.median(per_window)), kind="stable")
    channels = _one_per_lobe(some)
    pictures = [
        _picture(
            spec,
            f"reconstruction-{k + 1}",
            f"Masked reconstruction, example {k + 1}",
            _TRACES.format(masking=learned.about.get("masking", trained.masking), rank=_ordinal(k + 1)),
            drawing.traces_figure(parts, int(window), some.montage, channels, some.times_s),
        )
        for k, window in enumerate(middle[: spec.n_examples])
    ]
    figure = drawing.errors_figure([(p.name, r, p) for p, r in zip(parts, reports, strict=True)])
    caption = f"{_ERRORS} {_who(some)}."
    title = "Errors of the reconstruction"
    pictures.append(_picture(spec, "reconstruction-errors", title, caption, figure))
    numbers = {part.name: r.to_dict() for part, r in zip(parts, reports, strict=True)}
    return Section("reconstruction", pictures, numbers)


MASKINGS: dict[str, dict[str, Any]] = {
    "amplitudes, 20 %": {"masking": "amplitude", "ratios": (0.2,)},
    "amplitudes, 50 %": {"masking": "amplitude", "ratios": (0.5,)},
    "spans of 250 ms, 50 %": {"masking": "spans", "span": 16, "ratios": (0.5,)},
}
_TRACES = (
    "One window (its error is {rank} nearest to the median), one channel per lobe. Shaded samples "
    "are hidden: a band of amplitudes, or random spans. All of them are replaced by the mask token "
    "here (in training 80 %). Trained with masking by {masking}. The straight line joins the "
    "visible neighbours."
)
_ERRORS = (
    "Above: the model's values at hidden samples against the recorded ones (darker: more; companded "
    "units; line: equal), with their correlation over all samples, and within channels, when each "
    "channel of each window has lost its mean over the hidden samples. Below: mean squared error in "
    "bins of the recorded value with equal counts, beside a straight line between visible "
    "neighbours, the mean of what is visible in the channel, and the best constant: the mean of "
    "what is hidden in the channel, which nobody knows. Hiding a band of amplitudes leaves a gap "
    "among the visible values that betrays the band, so the first correlation can be high, and the "
    "error near that of the best constant, in a model that knows nothing about time."
)


def _ordinal(k: int) -> str:
    return {1: "the", 2: "the second", 3: "the third"}.get(k, f"the {k}th")


def _one_per_lobe(windows: PictureWindows) -> list[int]:
    chosen: list[int] = []
    for channels in windows.montage.lobes.values():
        fresh = [c for c in channels if c not in chosen]
        chosen += fresh[:1]
    return sorted(chosen[:6])


# --- latent map ---------------------------------------------------------------------------------


def _latent(seen: Observation, windows: PictureWindows, spec: PicturesSpec) -> Section:
    if len(windows) < 10:
        return Section("latent", skipped=f"{len(windows)} windows are too few for a map")
    z = standardised(seen.features)
    numbers = separation(z, windows.y, windows.subject, windows.recording, labelled=bool(windows.classes))
    scores, share = principal_components(z, 2)
    maps = {f"PCA ({100 * share.sum():.0f} % of variance)": scores, "t-SNE": neighbour_map(z, spec.seed)}
    caption = (
        "Pooled features (all lobes and scales, standardised), one dot per window. Variance "
        "explained: share of the features' variance that lies between classes, and between people, "
        "corrected for their number. Nearest neighbour: share of windows whose nearest neighbour "
        "among other people has the same class, and whose nearest neighbour in other recordings is "
        f"of the same person. Distances between clusters of t-SNE mean nothing. {_who(windows)}."
    )
    figure = draw.latent_figure(maps, windows.y, windows.classes, windows.subject, numbers)
    picture = _picture(spec, "latent", "Latent map", caption, figure)
    return Section("latent", [picture], {**numbers.to_dict(), "pca_share": share})

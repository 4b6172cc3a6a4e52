"""Windows for training are the windows of the live decoder, bit for bit, and lie where they should."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_manifest

from neuript.montages import load_montage
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.windows.epochs import collect_windows, ends_within, first_reference

NAMES = ("C3", "Cz", "C4")
SFREQ, ZERO, WINDOW_S = 250.0, 700.0, 2.0
ENDS = (2.0, 2.5)
SCALE = 1e-6


class Played:
    """A source that plays a signal in chunks of one size."""

    def __init__(self, x, stamps, chunk=512):
        self.info = SignalInfo(name="fake", sfreq=SFREQ, ch_names=NAMES)
        edges = range(0, len(x), chunk)
        self._chunks = [Chunk(x[i : i + chunk], stamps[i : i + chunk]) for i in edges]

    def pull(self, timeout_s, n_min=1):
        if self._chunks:
            return self._chunks.pop(0)
        return Chunk(np.empty((0, len(NAMES)), np.float32), np.empty(0), SourceStatus.ENDED)

    def close(self):
        pass


class Keeper:
    """An engine that keeps what the live decoder hands it."""

    def __init__(self):
        self.windows = []

    def infer(self, window, tangent):
        self.windows.append(np.array(window))
        return np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def manifest():
    montage = load_montage("10-20").pick(NAMES)
    return make_manifest(
        classes=("left", "right"), montage=montage, preprocess=PreprocessSpec(mains_hz=50.0), window_s=WINDOW_S
    )


@pytest.fixture
def signal(rng):
    """Forty seconds of microvolts and their stamps."""
    n = round(40 * SFREQ)
    t = np.arange(n) / SFREQ
    rhythm = 10 * np.sin(2 * np.pi * (10 * t[:, None] + np.arange(3) / 7))
    hum = 30 * np.sin(2 * np.pi * 50 * t)[:, None]
    x = rhythm + hum + rng.normal(scale=8, size=(n, 3)) + 1000
    return x.astype(np.float32), ZERO + t


def trials(*onsets_s):
    return [Trial("left" if i % 2 else "right", ZERO + s, 0, (ZERO + s,)) for i, s in enumerate(onsets_s)]


ONSETS = (8.03, 14.11, 20.0, 26.49, 33.3)


def collect(x, stamps, manifest, found=None, *, chunk=512, ends=ENDS, step_s=0.25):
    return collect_windows(
        Played(x, stamps, chunk), np.eye(3), SCALE, manifest, found or trials(*ONSETS), ends, step_s=step_s
    )


@pytest.mark.parametrize("chunk", [1, 7, 125])
def test_windows_are_those_that_the_live_decoder_hands_its_engine(signal, manifest, chunk):
    keeper = Keeper()
    live = Decoder.from_manifest(Played(*signal, chunk), np.eye(3), SCALE, manifest, keeper, clock=lambda: 0.0)
    rows = []
    while not live.ended:
        rows += live.step(0.0)
    decoded = [row for row in rows if row.proba is not None]
    by_stamp = {row.t: w for row, w in zip(decoded, keeper.windows, strict=True)}
    windows = collect(*signal, manifest)
    assert windows.x.shape == (len(windows), 3, 128)
    assert windows.x.dtype == np.float32
    assert set(windows.trial) == {0, 1, 2, 3, 4}
    for x, stamp in zip(windows.x, windows.stamp, strict=True):
        np.testing.assert_array_equal(x, by_stamp[stamp].T)


def test_windows_end_in_the_interval_after_their_event_and_keep_their_distance(signal, manifest):
    windows = collect(*signal, manifest)
    onset = np.array([ZERO + ONSETS[i] for i in windows.trial])
    np.testing.assert_allclose(windows.stamp - onset, windows.end_s, atol=1e-9)
    assert windows.end_s.min() >= ENDS[0] - 1e-6
    assert windows.end_s.max() <= ENDS[1] + 1e-6
    for i in range(len(ONSETS)):
        ends = windows.end_s[windows.trial == i]
        assert len(ends) in (2, 3)
        assert np.diff(ends).min() >= 0.25 - 0.02
        assert ends[0] < ENDS[0] + 0.125  # the first hop that may be taken is taken


def test_the_stamp_is_that_of_the_newest_sample_and_nothing_later_matters(signal, manifest):
    x, stamps = signal
    plain = collect(x, stamps, manifest)
    for k in (0, len(plain) // 2, len(plain) - 1):
        newest = round((plain.stamp[k] - ZERO) * SFREQ)
        assert stamps[newest] == pytest.approx(plain.stamp[k], abs=1e-6)
        later = x.copy()
        later[newest + 1 :] += 300
        np.testing.assert_array_equal(collect(later, stamps, manifest).x[: k + 1], plain.x[: k + 1])
        now = x.copy()
        now[newest:] += 300
        changed = collect(now, stamps, manifest).x[k] != plain.x[k]
        assert changed[:, -1].all()  # the newest output holds the newest sample,
        assert not changed[:, :-1].any()  # the one before does not


def test_windows_begin_no_earlier_than_the_event_when_the_epoch_is_long_enough(signal, manifest):
    """Seen from outside: what happened before the event, but for the filters' memory, is not in them."""
    x, stamps = signal
    windows = collect(x, stamps, manifest, ends=ends_within((0.0, 2.5), WINDOW_S))
    oldest = windows.stamp - (round(WINDOW_S * 64) - 1) / 64
    onset = np.array([ZERO + ONSETS[i] for i in windows.trial])
    assert (oldest >= onset - 1e-6).all()
    assert (windows.stamp <= onset + 2.5 + 1e-6).all()


def test_ends_within():
    assert ends_within((0.0, 4.5), 4.0) == (4.0, 4.5)
    assert ends_within((0.5, 4.5), 2.0) == (2.5, 4.5)
    assert ends_within((0.0, 2.0), 4.0) == (2.0, 2.0)  # too short: the end of the epoch itself


@pytest.mark.parametrize("chunk", [1, 33, 10_000])
def test_chunks_do_not_matter(signal, manifest, chunk):
    whole, cut = collect(*signal, manifest), collect(*signal, manifest, chunk=chunk)
    for name in ("x", "trial", "end_s", "stamp"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))


def test_no_window_reaches_over_a_gap(signal, manifest):
    x, stamps = signal
    gap_s, lost = 21.0, 200  # within the third trial
    at = round(gap_s * SFREQ)
    keep = np.r_[0:at, at + lost : len(x)]
    windows = collect(x[keep], stamps[keep], manifest)
    assert set(windows.trial) == {0, 1, 3, 4}
    again = stamps[at + lost]
    assert not ((windows.stamp >= stamps[at]) & (windows.stamp < again + WINDOW_S)).any()


def test_windows_of_a_flat_channel_are_left_out(signal, manifest):
    x, stamps = signal
    x = x.copy()
    bad = slice(round(20 * SFREQ), round(23 * SFREQ))
    x[bad, 1] = x[bad.start, 1]
    windows = collect(x, stamps, manifest)
    assert set(windows.trial) == {0, 1, 3, 4}
    # noticed after a second of flatness, and until no window touches it any more
    assert not ((windows.stamp > ZERO + 21.3) & (windows.stamp < ZERO + 23 + WINDOW_S)).any()


def test_a_bad_channel_that_the_model_does_not_use_costs_nothing(signal, manifest):
    x, stamps = signal
    plain = collect(x, stamps, manifest)
    wider = np.concatenate([x, np.full((len(x), 1), np.nan, np.float32)], axis=1)
    source = Played(wider, stamps)
    source.info = SignalInfo(name="fake", sfreq=SFREQ, ch_names=(*NAMES, "loose"))
    windows = collect_windows(source, np.eye(3, 4), SCALE, manifest, trials(*ONSETS), ENDS)
    np.testing.assert_array_equal(windows.x, plain.x)


def test_a_trial_during_the_warm_up_or_past_the_end_has_no_window(signal, manifest):
    windows = collect(*signal, manifest, trials(0.2, 12.0, 38.5, 100.0))
    assert set(windows.trial) == {1}


def test_a_window_has_the_class_of_its_trial(signal, manifest):
    windows = collect(*signal, manifest)
    assert windows.y.tolist() == [manifest.classes.index("left" if i % 2 else "right") for i in windows.trial]
    with pytest.raises(ValueError, match="not in"):
        collect(*signal, manifest, [Trial("both", ZERO + 10, 0, (ZERO + 10.0,))])


def test_no_trial_at_all_gives_an_empty_set(signal, manifest):
    windows = collect(*signal, manifest, trials(100.0))
    assert windows.x.shape == (0, 3, 128)
    assert len(windows) == 0


def test_every_event_of_a_trial_gives_windows(signal, manifest):
    several = Trial("left", ZERO + 10, 0, (ZERO + 10.0, ZERO + 12.0, ZERO + 14.0))
    windows = collect(*signal, manifest, [several], ends=(2.0, 2.0))
    assert windows.trial.tolist() == [0, 0, 0]
    assert (windows.end_s < 2.0 + 0.125 + 1 / SFREQ).all()
    np.testing.assert_allclose(windows.stamp, ZERO + np.array([12.0, 14.0, 16.0]), atol=0.13)


def test_two_trials_may_share_a_window(signal, manifest):
    windows = collect(*signal, manifest, trials(10.0, 10.3))
    shared = set(windows.stamp[windows.trial == 0]) & set(windows.stamp[windows.trial == 1])
    assert shared


@pytest.mark.parametrize("ppm", [-800, 0, 800])
def test_one_end_is_enough_for_every_trial_whatever_the_crystal(signal, manifest, ppm):
    x, stamps = signal
    stamps = ZERO + (stamps - ZERO) * (1 + ppm * 1e-6)
    found = trials(*np.arange(5.0, 35.0, 0.3701))
    windows = collect(x, stamps, manifest, found, ends=(2.0, 2.0))
    assert sorted(set(windows.trial)) == list(range(len(found)))
    assert np.bincount(windows.trial).max() == 1


def test_only_windows_in_state_ok_are_kept(signal, manifest):
    """The states are the decoder's; a stamp that is collected is one where it says OK."""
    x, stamps = signal
    at = round(15 * SFREQ)
    stamps = np.r_[stamps[:at], stamps[at:] + 0.4]
    decoder = Decoder.from_manifest(Played(x, stamps), np.eye(3), SCALE, manifest, Keeper())
    states = {}
    while not decoder.ended:
        states |= {row.t: row.state for row in decoder.step(0.0)}
    assert State.GAP in states.values()
    windows = collect(x, stamps, manifest, trials(*np.arange(3.0, 36.0)))
    assert {states[t] for t in windows.stamp} == {State.OK}


# -- recentred -----------------------------------------------------------------------------------

ALIGNMENT = AlignmentSpec(
    bands_hz=((8.0, 12.0), (12.0, 30.0)), signal_band_hz=(4.0, 30.0), memory_s=25.0, settle_s=15.0
)
MOVED = ("x", "y", "signal", "tangent", "trial", "end_s", "stamp")


@pytest.fixture(scope="module")
def aligned():
    preprocess = PreprocessSpec(mains_hz=50.0, alignment=ALIGNMENT)
    montage = load_montage("10-20").pick(NAMES)
    return make_manifest(classes=("left", "right"), montage=montage, preprocess=preprocess, window_s=WINDOW_S)


class PairKeeper:
    """An engine that keeps signal and tangent vector."""

    def __init__(self):
        self.pairs = []

    def infer(self, signal, tangent):
        self.pairs.append((signal.copy(), tangent.copy()))
        return np.zeros(2, np.float32)


def recentred(x, stamps, manifest, reference=None, found=None, *, chunk=512):
    found = trials(*ONSETS) if found is None else found
    return collect_windows(Played(x, stamps, chunk), np.eye(3), SCALE, manifest, found, ENDS, reference=reference)


def reference_after(x, stamps, manifest):
    return first_reference(Played(x, stamps), np.eye(3), SCALE, manifest)


def assert_same(one: Reference, other: Reference):
    for name, values in one.to_arrays().items():
        np.testing.assert_array_equal(values, other.to_arrays()[name], name)


@pytest.mark.parametrize("chunk", [7, 125])
@pytest.mark.parametrize("taught", [False, True])
def test_signal_and_vectors_are_those_that_the_live_decoder_hands_its_engine(signal, aligned, chunk, taught):
    start = reference_after(*signal, aligned) if taught else None
    keeper = PairKeeper()
    live = Decoder.from_manifest(
        Played(*signal, chunk), np.eye(3), SCALE, aligned, keeper, reference=start, clock=lambda: 0.0
    )
    rows = []
    while not live.ended:
        rows += live.step(0.0)
    by_stamp = {row.t: pair for row, pair in zip([r for r in rows if r.proba is not None], keeper.pairs, strict=True)}
    windows = recentred(*signal, aligned, start)
    assert len(windows) > 4
    for seen, tangent, stamp in zip(windows.signal, windows.tangent, windows.stamp, strict=True):
        np.testing.assert_array_equal(seen, by_stamp[stamp][0].T)
        np.testing.assert_array_equal(tangent, by_stamp[stamp][1])
    assert_same(windows.reference, live.windows.reference)


def test_the_volts_of_a_recentred_window_are_those_of_any_other(signal, manifest, aligned):
    plain = collect(*signal, manifest)
    windows = recentred(*signal, aligned, reference_after(*signal, aligned))
    np.testing.assert_array_equal(windows.x, plain.x)
    np.testing.assert_array_equal(windows.stamp, plain.stamp)
    assert windows.signal.shape == windows.x.shape
    assert windows.tangent.shape == (len(windows), 2 * 6)
    assert windows.signal.dtype == windows.tangent.dtype == np.float32
    assert windows.signal.flags.c_contiguous
    assert not np.allclose(windows.signal, windows.x, atol=1e-6)


def test_without_an_alignment_the_signal_is_the_volts_and_there_are_no_vectors(signal, manifest):
    windows = collect(*signal, manifest)
    np.testing.assert_array_equal(windows.signal, windows.x)
    assert windows.tangent.shape == (len(windows), 0)
    assert windows.reference is None
    assert reference_after(*signal, manifest) is None


def test_the_trials_of_the_first_half_minute_are_not_lost(signal, aligned):
    assert set(recentred(*signal, aligned).trial) == {2, 3, 4}  # the windows of the others end before 17 s
    start = reference_after(*signal, aligned)
    assert start.seconds >= ALIGNMENT.settle_s
    windows = recentred(*signal, aligned, start)
    assert set(windows.trial) == set(range(len(ONSETS)))


def test_the_first_reference_is_the_one_with_which_decoding_begins(signal, aligned):
    """No earlier and no later: the samples behind it have no say."""
    x, stamps = signal
    decoder = Decoder.from_manifest(Played(x, stamps, 10), np.eye(3), SCALE, aligned, PairKeeper())
    while not decoder.windows.settled:
        decoder.step(0.0)
    n = decoder.conditioner.n_in
    found = first_reference(Played(x, stamps, 10), np.eye(3), SCALE, aligned)
    assert_same(found, decoder.windows.reference)
    later = x.copy()
    later[n:] *= 20
    assert_same(found, first_reference(Played(later, stamps, 10), np.eye(3), SCALE, aligned))


def test_a_recording_too_short_or_too_bad_has_no_first_reference(signal, aligned):
    x, stamps = signal
    n = round(12 * SFREQ)
    assert reference_after(x[:n], stamps[:n], aligned) is None
    flat = x.copy()
    flat[round(4 * SFREQ) :, 1] = 3.0
    assert reference_after(flat, stamps, aligned) is None
    windows = recentred(x[:n], stamps[:n], aligned)
    assert len(windows) == 0
    assert windows.signal.shape == (0, 3, 128)
    assert windows.tangent.shape == (0, 12)


def test_labels_play_no_part_in_the_alignment(signal, aligned):
    start = reference_after(*signal, aligned)
    plain = recentred(*signal, aligned, start)
    swapped = [Trial({"left": "right", "right": "left"}[t.label], t.onset_s, 0, t.epochs_s) for t in trials(*ONSETS)]
    other = recentred(*signal, aligned, start, swapped)
    assert (other.y != plain.y).all()
    for name in ("x", "signal", "tangent", "trial", "stamp"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name), name)
    assert_same(other.reference, plain.reference)
    fewer = recentred(*signal, aligned, start, trials(*ONSETS)[3:])
    np.testing.assert_array_equal(fewer.tangent, plain.tangent[plain.trial >= 3])
    assert_same(fewer.reference, plain.reference)
    assert_same(recentred(*signal, aligned, start, []).reference, plain.reference)


@pytest.mark.parametrize("chunk", [1, 33, 10_000])
def test_chunks_do_not_matter_to_recentred_windows(signal, aligned, chunk):
    whole, cut_up = recentred(*signal, aligned), recentred(*signal, aligned, chunk=chunk)
    assert len(whole)
    for name in MOVED:
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut_up, name), name)
    assert_same(whole.reference, cut_up.reference)


def test_a_selection_of_windows_keeps_their_signal_and_vectors(signal, aligned):
    windows = recentred(*signal, aligned, reference_after(*signal, aligned))
    some = windows.select(np.array([3, 0]))
    for name in MOVED:
        np.testing.assert_array_equal(getattr(some, name), getattr(windows, name)[[3, 0]], name)
    assert some.reference is windows.reference

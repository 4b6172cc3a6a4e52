"""What the signal does to the decoder's state, from warming up to an engine that gives NaN."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_source import LinearEngine, Script, check_promises, cut, decode, manifest, play, runs_of_states, signal

from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.states import State


def test_warmup_then_ok_and_commands(rng):
    rows, decoder = play(rng)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]
    first = next(r for r in rows if r.state is State.OK)
    assert first.t - 50.0 == pytest.approx(4.0 + decoder.conditioner.chain.settle_s, abs=0.13)
    assert any(r.committed for r in rows)
    assert rows[-1].rec_t == pytest.approx(rows[-1].t - 50.0)


def test_a_gap_is_flagged_and_nothing_of_it_enters_a_window(rng):
    lost = slice(1800, 1875)

    def edit(x, stamps):
        return np.delete(x, np.r_[lost], 0), np.delete(stamps, np.r_[lost])

    rows, decoder = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.GAP, State.OK]
    assert (decoder.admission.n_gaps, decoder.n_missing) == (1, 75)
    ok_again = next(r for r in rows if r.state is State.OK and r.t > 50 + 1875 / 250)
    assert ok_again.t - (50 + 1875 / 250) >= 4.0
    in_hole = [r for r in rows if 0 <= r.t - (50 + 1875 / 250) < 4.0]
    assert in_hole
    assert all(r.state is State.GAP for r in in_hole)


@pytest.mark.parametrize("jump", [-20.0, 3600.0])
def test_a_clock_step_is_flagged(rng, jump):
    def edit(x, stamps):
        stamps = stamps.copy()
        stamps[1800:] += jump
        return x, stamps

    rows, decoder = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.CLOCK, State.OK]
    assert decoder.admission.n_clock_steps == 1
    assert rows[-1].t == pytest.approx(50 + 16.0 + jump, abs=0.2)


def test_bursts_are_no_gaps(rng):
    def edit(x, stamps):
        chunked = stamps.reshape(-1, 25)[:, -1:].repeat(25, 1).ravel()  # all of a chunk alike
        return x, chunked

    rows, decoder = play(rng, 9.0, edit=edit, size=25)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]
    assert decoder.admission.n_gaps == 0


@pytest.mark.parametrize("value", [np.nan, 3.0, 4e9])
def test_a_bad_channel_is_flagged_until_it_has_left_the_window(rng, value):
    def edit(x, stamps):
        x = x.copy()
        x[1750:2250, 2] = value
        return x, stamps

    rows, _ = play(rng, 18.0, edit=edit)
    check_promises(rows)
    at_once = [State.GAP] if not abs(value) <= 1e6 else []  # a number that is none needs no verdict
    assert runs_of_states(rows) == [State.WARMUP, State.OK, *at_once, State.BAD_SIGNAL, State.OK]
    bad = [r.t - 50.0 for r in rows if r.state is State.BAD_SIGNAL]
    assert 7.0 < bad[0] < 8.3  # within the second that the verdict looks at
    assert not at_once or all(r.state is not State.OK for r in rows if 7.03 < r.t - 50.0 < bad[0])
    assert bad[-1] >= 9.0 + 4.0 - 0.13


def test_channels_that_the_model_does_not_use_may_be_bad(rng):
    x = signal(rng, 7.0, 250.0)
    x[:, 3] = np.nan
    decoder = Decoder.from_manifest(
        Script(cut(x, np.arange(len(x)) / 250.0, 50), 250.0),
        np.eye(4)[[0, 1, 2, 2]],
        1e-6,
        manifest(),
        LinearEngine(sure=True),
    )
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    assert runs_of_states(rows) == [State.WARMUP, State.OK]


def lost_contact(rng, n):
    """Slow waves of about 5 mV peak to peak, and 50 mV of offset."""
    t = np.arange(n) / 250.0
    return 5e4 + 2500 * np.sin(2 * np.pi * 1.3 * t) + rng.normal(scale=20, size=n)


def test_absurd_amplitude_in_the_band_is_flagged_from_the_start(rng, caplog):
    """Raw volts are fine for an amplifier (no rail, below 50 mV); behind the filters it is no brain."""

    def edit(x, stamps):
        x[:, 2] = lost_contact(rng, len(x))
        return x, stamps

    rows, decoder = play(rng, 12.0, edit=edit)
    check_promises(rows)
    assert not decoder.conditioner.input_quality.bad.any()
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL]
    said = [r.getMessage() for r in caplog.records if "electrode" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("C4: more than 1.5 mV within the EEG band")


def test_absurd_amplitude_is_flagged_until_it_has_left_the_window(rng):
    def edit(x, stamps):
        x[2000:2500, 1] += 3000 * np.sin(2 * np.pi * 3 * np.arange(500) / 250.0)
        return x, stamps

    rows, _ = play(rng, 22.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.BAD_SIGNAL, State.OK]
    bad = [r.t - 50.0 for r in rows if r.state is State.BAD_SIGNAL]
    assert 8.0 < bad[0] < 8.5
    assert bad[-1] >= 10.0 + 4.0


def test_blinks_muscle_mains_and_offsets_are_no_lost_contact(rng):
    def edit(x, stamps):
        t = np.arange(len(x)) / 250.0
        for at in np.arange(2, 20, 1.7):  # blinks of 250 uV
            x[:, 0] += 250 * np.exp(-0.5 * ((t - at) / 0.08) ** 2)
        burst = rng.normal(scale=150, size=len(x)) * (np.sin(0.8 * t) > 0.3)
        x[:, 1] += burst  # clenched teeth, about 1 mV peak to peak before the filters
        x[:, 2] += 9000 * np.sin(2 * np.pi * 50 * t) + 30_000
        x[:, 3] += -12_000 + 40 * t  # an offset that drifts
        return x, stamps

    x = signal(rng, 20.0, 250.0)
    x, stamps = edit(x, np.arange(len(x)) / 250.0)
    spec = PreprocessSpec(mains_hz=50.0)
    _, rows = decode(cut(x, stamps, 40), 250.0, spec=spec)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]


def test_absurd_amplitude_after_a_gap(rng):
    """The verdict starts anew with the filters, and comes back before a window is full."""

    def edit(x, stamps):
        x[:, 2] = lost_contact(rng, len(x))
        return np.delete(x, np.r_[2000:2100], 0), np.delete(stamps, np.r_[2000:2100])

    rows, _ = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL, State.GAP, State.BAD_SIGNAL]


def test_aligned_windows_are_judged_in_volts_like_all_others(rng):
    x = signal(rng, 12.0, 250.0)
    x[:, 2] = lost_contact(rng, len(x))
    chunks = cut(x, np.arange(len(x)) / 250.0, 40)
    decoder, rows = decode(chunks, 250.0, spec=PreprocessSpec(alignment=AlignmentSpec()))
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL]
    assert decoder.windows.reference is None


@pytest.mark.parametrize("sfreq", [125.0, 250.0, 1000.0])
def test_verdicts_of_the_band_do_not_depend_on_chunks(rng, sfreq):
    x = signal(rng, 20.0, sfreq)
    for start in (3.1, 11.03, 17.21):
        part = slice(round(start * sfreq), round((start + 0.4) * sfreq))
        x[part, 1] += 4000 * rng.normal()
    stamps = 50.0 + np.arange(len(x)) / sfreq
    stamps[round(9 * sfreq) :] += 0.5

    def rows(size):
        return [(r.t, r.state, r.proba) for r in decode(cut(x, stamps, size), sfreq)[1]]

    reference = rows(len(x))
    assert {state for _, state, _ in reference} >= {State.OK, State.BAD_SIGNAL, State.GAP}
    for size in (7, 33, 1001):
        assert rows(size) == reference


def test_an_engine_that_gives_nan_commands_nothing(rng):
    class Broken:
        def infer(self, window, tangent):
            return np.full(2, np.nan, np.float32)

    rows, _ = play(rng, engine=Broken())
    check_promises(rows)
    assert rows[-1].state is State.BAD_SIGNAL


def test_samples_before_the_first_stamp_are_left_out(rng):
    def edit(x, stamps):
        stamps[:600] = np.nan
        return x, stamps

    rows, decoder = play(rng, 12.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]
    assert all(np.isfinite(row.t) and row.to_json_line() for row in rows)
    assert decoder.conditioner.n_unstamped == 600
    assert rows[0].t >= 50.0 + 600 / 250


@pytest.mark.parametrize("how", ["swapped", "shuffled"])
def test_a_window_with_samples_out_of_order_commands_nothing(rng, how):
    index = np.arange(4500)
    if how == "swapped":
        index[2000:2020] = np.r_[2010:2020, 2000:2010]
    else:
        for start in range(2000, 2500, 25):
            index[start : start + 25] = rng.permutation(index[start : start + 25])

    rows, decoder = play(rng, 18.0, edit=lambda x, t: (x[index], t[index]))
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.GAP, State.OK]
    touched = [r for r in rows if 8.1 < r.t - 50 < (2020 if how == "swapped" else 2490) / 250 + 4.0]
    assert {r.state for r in touched} == {State.GAP}
    assert decoder.conditioner.order.n_scrambled >= 10
    assert decoder.n_missing == 0


def test_a_rate_that_is_not_the_declared_one_is_silent_while_it_lasts(rng, caplog):
    def edit(x, stamps):
        step = np.full(len(x), 1 / 250)
        step[3000:6000] = 1 / 225
        return x, 50.0 + np.cumsum(step)

    rows, _ = play(rng, 60.0, edit=edit)
    check_promises(rows)
    wrong = [r for r in rows if 50 + 12 + 4 < r.t < 50 + 12 + 13]
    assert {r.state for r in wrong} <= {State.CLOCK, State.GAP}
    said = [r.getMessage() for r in caplog.records if "declares 250 Hz" in r.getMessage()]
    assert any("--sfreq" in text for text in said)


def test_single_lost_samples_are_counted_to_the_last(rng):
    lost = np.arange(1000, 3000, 100)
    _, decoder = play(rng, 16.0, edit=lambda x, t: (np.delete(x, lost, 0), np.delete(t, lost)))
    assert decoder.n_missing == len(lost)


@pytest.mark.parametrize("stamped_anew", [False, True])
def test_a_packet_that_comes_twice_commands_nothing(rng, stamped_anew):
    def edit(x, stamps):
        x = np.concatenate([x[:1760], x[1750:1760], x[1760:]])  # 40 ms once more
        again = np.concatenate([stamps[:1760], stamps[1750:1760], stamps[1760:]])
        return x, stamps[0] + np.arange(len(x)) / 250.0 if stamped_anew else again

    rows, decoder = play(rng, 18.0, edit=edit)
    check_promises(rows)
    assert decoder.conditioner.repeats.n_repeated == 9
    touched = [row for row in rows if 7.05 < row.t - 50.0 < 11.0]
    assert len(touched) > 25
    assert not any(row.state is State.OK or row.decision for row in touched)
    assert rows[-1].state is State.OK

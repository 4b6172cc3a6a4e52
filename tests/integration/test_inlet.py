"""The inlet and discovery with a real amplifier in another process."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager

import numpy as np
import pytest
from amplifier import plugged_in as amplifier
from amplifier import signal
from processes import finished, python
from waiting import wait_for

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.realtime.chain.chunk import SourceStatus
from neuript.realtime.lsl.discovery import ANY_EEG, find_stream, predicate_for, visible_streams
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.library import pylsl, quiet_config
from neuript.realtime.lsl.lsl_config import with_default

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(60)]


@contextmanager
def listening(source_id, **options):
    source = LslSource(find_stream(predicate_for(source_id=source_id), wait_s=15), **options)
    source.start()
    try:
        yield source
    finally:
        source.close()


def pull_until(source, done, *, timeout_s=20.0, n_min=1):
    """All chunks until `done(chunk)`; fails when that takes too long."""
    chunks = []

    def pulled():
        chunks.append(source.pull(0.1, n_min))
        return done(chunks[-1])

    wait_for(pulled, timeout_s, lambda: f"a chunk; statuses {[c.status for c in chunks[-5:]]}", poll_s=0)
    return chunks


def test_samples_stamps_and_metadata_arrive_whole_and_young(amplifier_signal):
    with amplifier("--sfreq", "500", "--unit", "uV") as (source_id, _), listening(source_id) as source:
        assert source.info.ch_names == ("C3", "Cz", "C4", "Pz")
        assert source.info.units == ("uV",) * 4
        assert source.info.sfreq == 500.0
        assert source.info.source_id == source_id
        counted = {"n": 0}

        def enough(chunk):
            counted["n"] += len(chunk)
            return counted["n"] >= 700

        chunks = [c for c in pull_until(source, enough) if len(c)]
    data = np.concatenate([c.data for c in chunks])
    stamps = np.concatenate([c.timestamps for c in chunks])
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, amplifier_signal(7, 30000, 4, 500.0)[: len(data)])
    np.testing.assert_allclose(np.diff(stamps), 1 / 500, atol=1e-9)
    ages = [c.pulled_at - c.timestamps[-1] for c in chunks]
    assert min(ages) >= 0
    assert np.median(ages) < 0.1


@pytest.fixture
def amplifier_signal():
    return signal


@pytest.mark.parametrize("form", ["double64", "int16", "int32"])
def test_every_number_format_becomes_float32(form):
    with amplifier("--format", form) as (source_id, _), listening(source_id) as source:
        chunks = pull_until(source, len)
        assert chunks[-1].data.dtype == np.float32
        assert source.info.channel_format == form


def test_it_waits_for_as_many_samples_as_are_asked_for():
    with amplifier("--chunk", "5") as (source_id, _), listening(source_id) as source:
        chunks = pull_until(source, lambda c: len(c) >= 20, n_min=20)
        full = [c for c in chunks if len(c)]
        assert all(len(c) % 5 == 0 for c in full)


def test_a_long_pause_before_the_first_pull_does_not_deliver_old_samples():
    with amplifier() as (source_id, _), listening(source_id) as source:
        end = pylsl.local_clock() + 1.2
        wait_for(lambda: pylsl.local_clock() > end, 5)  # a model is being loaded
        first = pull_until(source, len)[-1]
    assert first.pulled_at - first.timestamps[0] < 0.5


def test_silence_is_stale_soon_and_recovers_by_itself():
    with amplifier("--fault", "2:silence:1.2") as (source_id, _), listening(source_id) as source:
        chunks = pull_until(source, lambda c: c.status is SourceStatus.STALE)
        newest = [c for c in chunks if len(c)][-1]
        assert 0.2 < chunks[-1].pulled_at - newest.pulled_at < 1.0
        back = pull_until(source, len)[-1]
        assert back.status is SourceStatus.RECOVERED
        assert pull_until(source, len)[-1].status is SourceStatus.OK
        assert source.n_recoveries == 1


def test_a_killed_sender_is_lost_at_once_and_found_again():
    names = ("Fz", "C3", "Cz", "-")  # given by hand: the stream's own still have to be the same
    with amplifier() as (source_id, child), listening(source_id, channels=names) as source:
        pull_until(source, len)
        child.process.kill()
        child.wait()
        began = time.monotonic()
        pull_until(source, lambda c: c.status is SourceStatus.LOST)
        assert time.monotonic() - began < 1.0
        uid = source.info.uid
        with amplifier(source_id=source_id):
            assert pull_until(source, len)[-1].status is SourceStatus.RECOVERED
            assert source.info.uid != uid
            assert (source.info.ch_names, source.info.ch_types[-1]) == (("Fz", "C3", "Cz", "Pz"), "MISC")


def test_a_predicate_finds_one_and_two_are_refused():
    name = f"pair {uuid.uuid4().hex[:8]}"
    with amplifier(name=name) as (one, _):
        found = find_stream(predicate_for(f"name='{name}' and type='EEG'"), wait_s=15)
        assert found.source_id() == one
        with amplifier(name=name) as (two, _), pytest.raises(NeuriptError) as caught:
            find_stream(predicate_for(f"name='{name}'"), wait_s=15)
        assert one in str(caught.value)
        assert two in str(caught.value)


@pytest.mark.parametrize(
    ("stype", "found"), [("EEG", True), ("eeg", True), ("EXG", True), (" exg", True), ("EMG", False)]
)
def test_what_counts_as_eeg_is_found_without_being_named(stype, found):
    """By the same rule as in a recording: many senders write EXG."""
    with amplifier("--type", stype) as (source_id, _):
        predicate = f"({ANY_EEG}) and source_id='{source_id}'"
        if found:
            assert find_stream(predicate, wait_s=15).source_id() == source_id
        else:
            find_stream(f"source_id='{source_id}'", wait_s=15)  # it is there
            with pytest.raises(StreamNotFoundError):
                find_stream(predicate, wait_s=0.5)


def test_nothing_found_lists_what_is_there():
    with amplifier(name="the other one") as (source_id, _):
        with pytest.raises(StreamNotFoundError) as caught:
            find_stream("name='does not exist'", wait_s=0.5)
        assert source_id in str(caught.value)
        assert source_id in {s.source_id for s in visible_streams(1.0)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ANY_EEG),
        ({"source_id": "a'b"}, 'source_id="a\'b"'),
        ({"predicate": "name='X'", "source_id": "y"}, "(name='X') and source_id='y'"),
    ],
)
def test_predicates(arguments, expected):
    assert predicate_for(**arguments) == expected


@pytest.mark.parametrize("text", ["x' or '1'='1", 'x" or "1"="1', 'x\' or "1"="1', "', '') or \"1\"=\"1"])
def test_a_source_id_cannot_reach_out_of_its_quotes(text):
    """A stream that is there is not found by an identity that pretends to be a predicate."""
    victim = pylsl.StreamOutlet(pylsl.StreamInfo("victim", "Test", 1, 0, "float32", f"victim-{uuid.uuid4().hex}"))
    source_id = victim.get_info().source_id()
    assert len(pylsl.resolve_bypred(predicate_for(source_id=source_id), timeout=20)) == 1
    assert pylsl.resolve_bypred(predicate_for(name="victim", source_id=text), timeout=0.5) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", "[log]\nlevel = -3"),
        ("[lab]\nKnownPeers = {a}\n", "KnownPeers"),
        ("[log]\nfile = x\n", "file = x"),
        ("[log]\nlevel = 5\n", "level = 5"),
    ],
)
def test_the_users_lsl_settings_are_kept(given, kept):
    config = quiet_config(given)
    assert kept in config
    assert config.lower().count("level") == 1


def test_a_setting_is_added_to_the_users_own_and_never_in_its_place():
    added = with_default("[tuning]\nMulticastMinRTT = 1\n[lab]\nSessionID = x", "tuning", "Interval", "0.2")
    assert added == "[tuning]\nInterval = 0.2\nMulticastMinRTT = 1\n[lab]\nSessionID = x\n"
    set_already = "[tuning]\n; not [lab]\nInterval=3"
    assert with_default(set_already, "tuning", "Interval", "0.2") == set_already
    # liblsl does not read what is spelled otherwise
    assert "[tuning]\nInterval = 0.2\n" in with_default("[Tuning]\ninterval=3", "tuning", "Interval", "0.2")
    assert with_default("[lab]\ninterval=3", "tuning", "Interval", "0.2").endswith("[tuning]\nInterval = 0.2\n")


def test_liblsl_is_silent():
    code = (
        "from neuript.realtime.lsl.library import pylsl\n"
        "i = pylsl.StreamInfo('quiet', 'EEG', 1, 100, 'float32', 'quiet-test')\n"
        "o = pylsl.StreamOutlet(i); pylsl.resolve_byprop('source_id', 'quiet-test', 1, 5)\n"
    )
    assert finished(python(code), ok=True).stderr == ""
    assert pylsl.library_version() >= 117

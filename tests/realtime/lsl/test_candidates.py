"""Who may go on where a stream has stopped: announcements are made up, and asking takes as long as a test wants."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from waiting import wait_for

from neuript.errors import StreamNotFoundError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl import candidates
from neuript.realtime.lsl.candidates import Candidates, changes_between

SENT = SignalInfo(
    name="amp",
    sfreq=250.0,
    ch_names=("C3", "C4"),
    units=("uV", "uV"),
    ch_types=("EEG", "EEG"),
    source_id="a1",
    uid="first",
    hostname="lab",
    positions_m={"C3": (0.0, 0.05, 0.05)},
)


class Announced:
    """What a resolver returns; as of a stream that claims to be made in the far future."""

    def __init__(self, info):
        self.info = info

    def uid(self):
        return self.info.uid

    def hostname(self):
        return self.info.hostname

    def created_at(self):
        return 1e12


@pytest.fixture
def visible(monkeypatch):
    """The announced streams, to be changed by a test."""
    streams = []

    class Resolver:
        def __init__(self, pred, forget_after):
            assert "amp" in pred

        def results(self):
            return list(streams)

    monkeypatch.setattr(candidates.pylsl, "ContinuousResolver", Resolver)
    monkeypatch.setattr(candidates, "SETTLE_S", 0.0)
    return streams


def opened(announced):
    return f"inlet of {announced.uid()}", announced.info


def looking(follow="restarts", *, lost=True, how=opened):
    return Candidates(SENT, how, follow, lost=lost)


def settled(search):
    """Ask until every thread has answered; what was taken."""
    taken = []

    def done():
        taken[:] = [search.taken()]
        return taken[0] is not None or all(asked.done for asked in search._asked.values())

    wait_for(done, 10)
    return taken[0] or search.taken()


def test_a_sender_that_was_started_again_is_taken(visible):
    visible.append(Announced(replace(SENT, uid="second", units=("microvolts",) * 2)))
    assert settled(looking())[0] == "inlet of second"


def test_the_first_one_goes_before_all_others_and_these_are_named(visible, caplog):
    visible += [Announced(replace(SENT, uid="second")), Announced(SENT)]
    assert settled(looking())[0] == "inlet of first"
    silent = looking(lost=False)  # still connected: there is nothing to connect to
    assert settled(silent) is None
    assert settled(silent) is None
    said = [r.getMessage() for r in caplog.records if "another stream" in r.getMessage()]
    assert len(said) == 2


def test_another_one_waits_until_the_first_had_time_to_answer(visible, monkeypatch):
    monkeypatch.setattr(candidates, "SETTLE_S", 1e6)
    visible.append(Announced(replace(SENT, uid="second")))
    assert settled(looking()) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sfreq": 500.0}, "sampling rate 250 Hz -> 500 Hz"),
        ({"ch_names": ("C4", "C3")}, "labels C3 C4 -> C4 C3"),
        ({"ch_names": ("C3", "C4", "Cz"), "units": ("uV",) * 3}, "channel count 2 -> 3"),
        ({"units": ("V", "V")}, "units microvolts -> volts"),
        ({"channel_format": "int16"}, "format float32 -> int16"),
        ({"reference": "Cz"}, "reference none -> Cz"),
        ({"simulated": True}, "simulated no -> yes"),
        ({"positions_m": {}}, "positions of the electrodes"),
        ({"hostname": "elsewhere"}, "host lab -> elsewhere"),
    ],
)
def test_a_wrong_candidate_is_named_and_the_right_one_taken_after_it(visible, caplog, change, words):
    search = looking()
    visible.append(Announced(replace(SENT, uid="wrong", **change)))
    assert settled(search) is None
    assert words in search.why_not
    assert any(words in r.getMessage() and r.levelname == "WARNING" for r in caplog.records)
    visible.append(Announced(replace(SENT, uid="right")))
    assert settled(search)[0] == "inlet of right"


@pytest.mark.parametrize(
    ("follow", "host", "taken"), [("any", "elsewhere", True), ("never", "lab", False), ("restarts", "lab", True)]
)
def test_who_is_followed_is_the_users_choice(visible, follow, host, taken):
    visible.append(Announced(replace(SENT, uid="second", hostname=host)))
    search = looking(follow)
    assert (settled(search) is not None) == taken
    assert ("--pin" in search.why_not) == (follow == "never")
    visible.append(Announced(SENT))
    assert settled(search)[1].uid == "first"


def test_two_that_both_say_that_they_are_it_are_not_guessed_between(visible, caplog):
    visible += [Announced(replace(SENT, uid="second")), Announced(replace(SENT, uid="third"))]
    search = looking()
    assert settled(search) is None
    assert any("2 streams say that they are it" in r.getMessage() for r in caplog.records)
    del visible[0]
    assert settled(search)[1].uid == "third"


def test_a_forged_announcement_that_never_answers_blocks_nothing(visible):
    hanging = threading.Event()

    def ask(announced):
        if announced.uid() == "forged":
            hanging.wait(30)
            raise StreamNotFoundError("it never answered")
        return opened(announced)

    visible.append(Announced(replace(SENT, uid="forged")))
    search = looking(how=ask)
    assert search.taken() is None  # at once
    visible.append(Announced(replace(SENT, uid="second")))
    taken = []
    wait_for(lambda: taken.append(search.taken()) or taken[-1], 10)
    assert taken[-1][0] == "inlet of second"
    hanging.set()


def test_the_same_signal_has_no_differences():
    assert changes_between(SENT, replace(SENT, uid="new", hostname="elsewhere", units=("microvolts", "µV"))) == []

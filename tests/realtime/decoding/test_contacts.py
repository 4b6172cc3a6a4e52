"""Each channel is named once, in words that say what to do."""

from __future__ import annotations

import logging

import numpy as np

from neuript.realtime.chain.conditioner import InputChange, Stretch
from neuript.realtime.chain.quality import QualityChange, Verdict
from neuript.realtime.chain.timestamps import StampEvent, StampKind
from neuript.realtime.decoding.contacts import ContactLog

NAMES = ("C3", "", "C4", "Aux")
MATRIX = np.array([[1.0, 0, 0, 0], [0.2, 0.8, 0, 0], [0, 0, 1.0, 0]])


def verdicts(**bad):
    out = np.zeros(len(NAMES), np.int8)
    for name, verdict in bad.items():
        out[NAMES.index(name)] = verdict
    return out


def in_band(*bad):
    change = QualityChange(10, np.array(bad, np.int8))
    return Stretch(np.empty((0, 3), np.float32), np.empty(0, np.int64), np.empty(0), 0, (change,))


def test_a_dead_channel_is_named_once_and_only_if_it_is_used(caplog):
    log = ContactLog(NAMES, MATRIX, live=True)
    with caplog.at_level(logging.WARNING):
        log.note(InputChange(5, verdicts(C4=Verdict.FLAT, Aux=Verdict.FLAT), lost=True))
        log.note(InputChange(9, verdicts(C4=Verdict.RAIL), lost=True))
    assert caplog.messages == ["C4: flat; check the electrodes and the cable"]


def test_of_a_recording_only_lost_contacts_are_told(caplog):
    log = ContactLog(NAMES, MATRIX, live=False)
    with caplog.at_level(logging.WARNING):
        log.note(InputChange(5, verdicts(C4=Verdict.FLAT), lost=True))
        log.note(in_band(Verdict.HUGE, Verdict.HUGE, Verdict.OK))
    assert caplog.messages == [
        "C3, channel 2: more than 1.5 mV within the EEG band, so a contact is lost or the head is moving; "
        "check the electrodes"
    ]


def test_many_channels_are_counted(caplog):
    names = [f"E{i}" for i in range(9)]
    log = ContactLog(names, np.eye(9), live=True)
    with caplog.at_level(logging.WARNING):
        log.note(InputChange(5, np.full(9, Verdict.MISSING, np.int8), lost=True))
    assert caplog.messages == [
        "E0, E1, E2, E3, E4, E5 and 3 more: no numbers (NaN); check the electrodes and the cable"
    ]


def test_what_is_bad_now_is_kept_by_the_streams_channel():
    """Raw verdicts of channels in use, and those behind the filters, which a hole in the stream takes back."""
    log = ContactLog(NAMES, MATRIX, live=False)
    assert log.bad == {}
    log.note(InputChange(5, verdicts(C4=Verdict.FLAT, Aux=Verdict.FLAT), lost=True))
    log.note(in_band(Verdict.HUGE, Verdict.OK, Verdict.OK))
    assert log.bad == {0: Verdict.HUGE, 2: Verdict.FLAT}
    log.note(StampEvent(20, StampKind.GAP, 19, 0.04, 9.0, 250.0))
    assert log.bad == {2: Verdict.FLAT}
    log.note(InputChange(30, verdicts(), lost=False))
    assert log.bad == {}


def test_what_is_no_eeg_is_said_once_for_all_channels_and_again_when_it_comes_again(caplog):
    log = ContactLog(NAMES, MATRIX, live=True)
    with caplog.at_level(logging.WARNING):
        for verdict in (Verdict.SAME, Verdict.SAME, Verdict.OK, Verdict.SAME):
            log.note(in_band(verdict, verdict, verdict))
    said = "this is no EEG: all 3 channels carry the same signal: is the reference connected?"
    assert caplog.messages == [said, said]
    assert set(log.bad.values()) == {Verdict.SAME}


def test_a_loose_contact_is_named(caplog):
    log = ContactLog(NAMES, MATRIX, live=True)
    with caplog.at_level(logging.WARNING):
        log.note(in_band(Verdict.OK, Verdict.OK, Verdict.POPS))
    assert caplog.messages == [
        "C4: jumps of more than 150 µV on this channel alone, so the contact is loose; check the electrodes"
    ]

"""Channels that the decoder finds bad are named on its events stream: each change, and again while it lasts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scripted_source import LinearEngine, Script, cut, manifest, signal

from neuript.realtime.chain.quality import Verdict
from neuript.realtime.decoding.bad_channels import bad_text, read_bad
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.header_electrodes import HeaderElectrode
from neuript.realtime.live.bad_news import AGAIN_S, BadNews

SFREQ = 250.0


class Outlets:
    header = DecoderHeader(classes=("a", "b"), electrodes=(HeaderElectrode(name="FC3", channel=1),))

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, what: str, text: str) -> None:
        self.told.append((what, text))


@given(st.dictionaries(st.text("abC3z=/ .:", min_size=1, max_size=6), st.sampled_from(list(Verdict)[1:]), max_size=5))
def test_what_is_published_is_read(bad):
    assert read_bad(bad_text(bad)) == bad


def test_a_verdict_of_a_later_version_is_one_all_the_same():
    assert read_bad("C3=melted") == {"C3": Verdict.HUGE}
    assert read_bad("none") == {}


def test_each_change_is_told_once_and_again_every_five_seconds_while_it_lasts(rng):
    x = signal(rng, 30.0, SFREQ)
    x[2500:5000, 1] = 7.0
    stamps = 50.0 + np.arange(len(x)) / SFREQ
    source = Script(cut(x, stamps, 32), SFREQ)
    decoder = Decoder.from_manifest(source, np.eye(4), 1e-6, manifest(), LinearEngine(sure=True))
    outlets = Outlets()
    news, silent, at = BadNews(decoder, outlets), BadNews(decoder, None), []
    while not decoder.ended:
        decoder.step()
        n_told, now_s = len(outlets.told), decoder.conditioner.n_in / SFREQ
        news.tell(now_s)
        silent.tell(now_s)
        at += [now_s] * (len(outlets.told) - n_told)
    words = ["FC3=rail", "FC3=flat", "FC3=flat", "FC3=rail", "none"]  # equal numbers, before they fill a second
    assert outlets.told == [("bad", text) for text in words]
    assert 10.5 < at[0] < 11.0
    assert AGAIN_S <= at[2] - at[1] < AGAIN_S + 0.3
    assert 20.5 < at[4] < 21.1

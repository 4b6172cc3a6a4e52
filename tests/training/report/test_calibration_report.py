"""A calibration with hostile names and a lost contact, to its page and its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from twin_people import calibration_spec, session

import neuript
from neuript.errors import NeuriptError
from neuript.training.report.html_text import element
from neuript.training.report.report_page import report_page
from neuript.training.report.report_pictures import report_pictures

LEFT, RIGHT = "<script>alert('x')</script> $x_1$ & more", '_right "hand" 休息'
BAD_S = (30.0, 40.0)


class Page(HTMLParser):
    """Keeps what a browser would see, and fails on what is not closed."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def result():
    recording = session(4, trials=14)
    eeg = recording.streams[0]
    first, last = (int(s * eeg.info.sfreq) for s in BAD_S)
    eeg.values[first:last, 2] = eeg.values[first, 2]  # C3 has no contact
    spec = calibration_spec(event_map={LEFT: "left_hand", RIGHT: "right_hand"}, subject="<S&1>", hop_s=0.25)
    return neuript.calibrate(recording, spec)


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    figures = neuript.report(result, folder / "r.html", folder / "r.json")
    return figures, (folder / "r.html").read_text(), json.loads((folder / "r.json").read_text())


def test_the_figures_are_those_of_the_model_file_and_of_the_score_cards(result, written):
    figures, _, in_file = written
    assert in_file == figures
    assert (in_file["format"], in_file["kind"], in_file["subject"]) == (1, "calibration", "<S&1>")
    assert in_file["calibration"] == json.loads(json.dumps(result.figures))
    for row in in_file["decoders"]:
        assert row["hits"] == result.scores[row["name"]].n_hits
    assert in_file["confusion"]["table"] == result.published.confusion().tolist()
    card = result.operating_point.card
    commands = in_file["commands"]
    assert (commands["hits"], commands["wrong"], commands["false_activations"]) == (
        card.n_hits,
        card.n_wrong,
        card.n_false,
    )
    assert commands["delays_s"] == pytest.approx(card.delays_s, rel=1e-4)
    assert in_file["provenance"]["subject"] == "<S&1>"
    assert 15 < in_file["timing"]["filter_delay_ms"]["10_hz"] < 40


def test_the_trials_are_judged_by_what_the_rows_say_of_their_windows(result, written):
    """The calibration curve rests on the same decisions as the published score."""
    figures = written[0]
    right = sum(point["right"] * point["n"] for point in figures["calibration_curve"]["points"])
    assert round(right) == result.published.n_hits
    assert figures["risk_coverage"]["risk"][-1] == pytest.approx(1 - result.published.accuracy, abs=1e-4)


def test_a_lost_contact_is_named_with_its_time_and_the_trials_that_it_cost(result, written):
    figures = written[0]
    spells = figures["electrodes"]["quality"]["spells"]
    assert {spell["electrode"] for spell in spells} == {"C3"}
    worst = max(spells, key=lambda spell: spell["end_s"] - spell["begin_s"])
    assert worst["begin_s"] == pytest.approx(BAD_S[0], abs=1.3)
    assert worst["end_s"] == pytest.approx(BAD_S[1], abs=1.3)
    n_cued = len(result.grounds.data.played[0].trials)
    rejected = figures["trials"]["rejected"]
    assert len(rejected) == n_cued - result.n_trials > 0
    assert all("(C3)" in trial["why"] for trial in rejected)
    assert all(BAD_S[0] - 5 < trial["onset_s"] < BAD_S[1] + 3 for trial in rejected)


def test_the_page_is_whole_asks_for_nothing_and_escapes_every_name(written):
    _, text, _ = written
    page = Page(text)
    assert "http" not in text
    assert "<script" not in text
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for name in (LEFT, RIGHT, "<S&1>"):
        assert name in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 8
    assert all(one["src"].startswith("data:image/png;base64,") and one["alt"] for one in pictures)
    assert len(text) < 2_000_000


def test_every_picture_has_a_title(result, written, monkeypatch):
    drawn = []
    monkeypatch.setattr("neuript.training.report.report_pictures.rendered", lambda figure: drawn.append(figure) or b"")
    names = report_pictures(written[0], result.grounds.data.montage)
    assert set(names) == {
        *("decoders", "confusion", "course", "commands", "certainty", "learning_curve", "use", "quality")
    }
    for figure in drawn:
        assert any(axes.get_title() for axes in figure.axes)


def test_where_nothing_was_held_out_the_page_says_so(result):
    grounds = replace(result.grounds, rows=())
    decoder = replace(result.decoder, scores={}, blocks=(), without_block=(), people=("P1", "P2"))
    figures = neuript.report(replace(result, decoder=decoder, operating_point=None, controls=(), grounds=grounds))
    assert figures["decoders"] is None
    assert figures["learning_curve"] is None
    assert figures["electrodes"]["use"] is None
    text = Page(report_page(figures, report_pictures(figures, grounds.data.montage))).text
    assert "Not judged for <S&1> yet" in text
    assert "no accuracy can be said" in text
    assert "Every decoder" not in text


def test_a_report_of_another_kind_is_refused_before_anything_is_measured(result, tmp_path):
    with pytest.raises(NeuriptError, match=r"report\.pdf ends in neither \.html"):
        neuript.report(result, tmp_path / "report.pdf")
    with pytest.raises(ValueError, match="what it rests on"):
        neuript.report(replace(result, grounds=None))


def test_only_what_was_built_here_is_markup():
    inner = element("b", "<i>", title='"><script>')
    assert element("p", inner, "&") == '<p><b title="&quot;&gt;&lt;script&gt;">&lt;i&gt;</b>&amp;</p>'


def test_what_is_published_is_measured_on_finite_numbers(written):
    assert np.isfinite(written[0]["calibration_curve"]["ece"])

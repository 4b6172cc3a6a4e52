"""What a decoder says about itself is read as it was written; what others say is read as far as it goes."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decoder_header import DecoderHeader, read_decoder_header
from neuript.realtime.decoding.header_electrodes import HeaderElectrode
from neuript.realtime.decoding.proba_row import row_labels
from neuript.realtime.decoding.states import State

ODD_NAMES = ("decision", "links & rechts", "<b>", '"', "ünïcode 左手", "evidence_a", "it's")
FULL = DecoderHeader(
    task="mi",
    classes=("a", "b"),
    eeg_source_id="amp-1",
    eeg_name="amp",
    eeg_scale_volts=1e-6,
    simulated=True,
    window_s=4.0,
    hop_s=0.125,
    threshold=0.75,
    release=0.6,
    smoothing_s=0.0,
    dwell_s=0.25,
    refractory_s=1.0,
    gate=True,
    centre_s=120.0,
    temperature=1.7320508075688772,
    idle_class="b",
    group_delay_10hz_ms=17.943252435,
    group_delay_20hz_ms=21.4,
    model_name='a<b>&"c".ts',
    model_sha256="ab" * 32,
    model_simulated=True,
    uncalibrated=True,
    engine="eager",
    config_sha256="cd" * 32,
    recording="a session.xdf",
    electrodes=(
        HeaderElectrode(name="C3", channel=2, pos_m=(-0.065, -0.012, 0.068)),
        HeaderElectrode(name="C4-Cz", channel=None, pos_m=None),
    ),
    used=(2, 5, 7),
)


def stream(header: DecoderHeader, labels=None, n_channels=None, name="neuript-mi-proba") -> ET.Element:
    """The whole header of a `proba` stream, through text as on the network."""
    root = ET.Element("info")
    labels = row_labels(header.classes) if labels is None else labels
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "channel_count").text = str(len(labels) if n_channels is None else n_channels)
    desc = ET.SubElement(root, "desc")
    channels = ET.SubElement(desc, "channels")
    for label in labels:
        ET.SubElement(ET.SubElement(channels, "channel"), "label").text = label
    desc.append(header.to_xml())
    return ET.fromstring(ET.tostring(root))


@pytest.mark.parametrize(
    "header", [FULL, DecoderHeader(task="x", classes=("a", "b")), replace(FULL, classes=ODD_NAMES, idle_class="<b>")]
)
def test_a_header_is_read_as_it_was_written(header):
    assert read_decoder_header(stream(header)) == header


number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
word = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@settings(deadline=None)
@given(classes=st.lists(word, min_size=2, max_size=6, unique=True), scale=number, delay=number, name=word)
def test_any_names_and_numbers_survive(classes, scale, delay, name):
    header = DecoderHeader(
        task=name, classes=tuple(classes), idle_class=classes[0], eeg_scale_volts=scale, group_delay_10hz_ms=delay,
        model_name=name,
    )  # fmt: skip
    assert read_decoder_header(stream(header)) == header


def test_the_xml_is_that_of_the_documents():
    said = FULL.to_xml()
    texts = {child.tag: child.text for child in said}
    assert (texts["window_s"], texts["hop_s"], texts["eeg_scale_volts"]) == ("4", "0.125", "1e-06")
    assert (texts["simulated"], texts["task"], texts["smoothing_s"]) == ("true", "mi", "0")
    assert [e.text for e in said.findall("states/state")] == [str(state) for state in State]
    assert [e.text for e in said.findall("classes/class")] == ["a", "b"]


def test_what_is_missing_or_nonsense_is_not_known():
    root = stream(FULL)
    decoder = root.find("desc/decoder")
    for tag in ("task", "threshold", "classes", "model_name", "simulated", "idle_class"):
        decoder.remove(decoder.find(tag))
    decoder.find("release").text = "nonsense"
    decoder.find("hop_s").text = "nan"
    decoder.find("electrodes/electrode/index").text = "-3"
    decoder.find("electrodes/electrode/x").text = "left"
    decoder.find("electrodes/used").text = "2 x 7"
    decoder.find("model_simulated").text = " Yes "
    read = read_decoder_header(root)
    assert (read.threshold, read.release, read.hop_s, read.idle_class) == (None, None, None, None)
    assert (read.model_name, read.simulated, read.model_simulated) == ("", False, True)
    assert read.classes == ("a", "b")  # the channels say so
    assert (read.electrodes[0], read.used) == (HeaderElectrode(name="C3"), (2, 7))
    assert read.task == "neuript-mi-proba"  # the next best name
    root.find("desc").remove(decoder)
    assert read_decoder_header(root) == DecoderHeader(task="neuript-mi-proba", classes=("a", "b"))


@pytest.mark.parametrize(
    ("labels", "n_channels"),
    [
        (["left", "right"], None),
        ([], None),
        ([], 9),
        (row_labels(("a", "b"))[:-2], None),  # no evidence
        (row_labels(("a", "b"))[:-1], None),
        (row_labels(("a", "b")), 8),
        (row_labels(("a", "b"))[::-1], None),
    ],
)
def test_the_header_of_another_program_is_refused_with_a_reason(labels, n_channels):
    root = stream(DecoderHeader(task="x", classes=("a", "b")), labels, n_channels, name="Player")
    with pytest.raises(NeuriptError, match="'Player' is not a predictions stream of neuript: it has"):
        read_decoder_header(root)

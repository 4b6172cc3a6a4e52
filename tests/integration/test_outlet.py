"""What the decoder publishes, read by an independent LSL client in another process."""

from __future__ import annotations

import json
import math
import time
import uuid
from contextlib import closing

import pytest
from processes import python, running

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader, read_decoder_header
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id
from neuript.realtime.recordings.header import parse_xml

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(60)]

CLIENT = """
import json, sys, time, pylsl
from xml.etree import ElementTree
inlets = {}
for source_id in sys.argv[1:]:
    found = pylsl.resolve_byprop("source_id", source_id, 1, 20)
    inlets[source_id] = pylsl.StreamInlet(found[0], recover=False)
    inlets[source_id].open_stream(10)
print("ready", flush=True)
got = {s: [] for s in inlets}
deadline = time.monotonic() + 20
while time.monotonic() < deadline and not all(len(v) >= 3 for v in got.values()):
    for source_id, inlet in inlets.items():
        rows, stamps = inlet.pull_chunk(timeout=0.05)
        got[source_id] += [[t, list(r)] for t, r in zip(stamps, rows)]
heads = {s: i.info(10).as_xml() for s, i in inlets.items()}
print(json.dumps({"rows": got, "heads": heads}), flush=True)
"""


def rows():
    latency = {"pull": 1.0, "filter": 1.5, "infer": 10.0, "publish": 0.0, "total": 12.5}
    common = {"latency_ms": latency, "sample_age_ms": 3.25}
    yes, no = {"left_hand": 0.75, "yes": 0.25}, {"left_hand": 0.125, "yes": 0.875}
    return [
        Decision(t=500.125, window_index=0, state=State.WARMUP, **common),
        Decision(t=500.25, window_index=1, state=State.OK, proba=yes, evidence=no, confidence=0.7, **common),
        Decision(
            t=500.375, window_index=2, state=State.OK, proba=no, confidence=0.8, decision="yes",
            committed=True, **common,
        ),
        Decision(
            t=500.5, window_index=3, state=State.OK, proba=no, confidence=0.9, decision="yes",
            **common,
        ),
        Decision(t=500.625, window_index=4, state=State.GAP, **common),
        Decision(
            t=500.75, window_index=5, state=State.OK, proba=yes, decision="left_hand",
            committed=True, **common,
        ),
        Decision(
            t=500.875, window_index=6, state=State.OK, proba=no, decision="yes", committed=True,
            **common,
        ),
    ]  # fmt: skip


@pytest.fixture
def heard():
    """Publish the rows and return what another process received."""
    header = DecoderHeader(
        task="test-mi",
        classes=("left_hand", "yes"),
        eeg_source_id=f"amp-{uuid.uuid4().hex}",
        window_s=4.0,
        hop_s=0.125,
        threshold=0.75,
        model_sha256="ab" * 32,
        simulated=True,
        model_name='a<b>&"c"',
    )
    outlets = DecisionOutlets(header, stim=True)
    ids = [decoder_source_id(header, s) for s in ("proba", "events", "stim")]
    with closing(outlets), running(python(CLIENT, *ids)) as client:
        client.wait_until_it_says("ready")
        for row in rows():
            outlets.publish(row)
        answer = json.loads(client.wait_until_it_says("heads"))
    return header, [answer["rows"][i] for i in ids], [answer["heads"][i] for i in ids]


def test_another_process_reads_stamps_values_and_metadata(heard):
    header, (proba, events, stim), (head, events_head, stim_head) = heard
    assert [t for t, _ in proba] == [r.t for r in rows()]
    for (_, values), row in zip(proba, rows(), strict=True):
        nothing = {"left_hand": math.nan, "yes": math.nan}
        p, e = row.proba or nothing, row.evidence or nothing
        decision = -1.0 if row.decision is None else float(header.classes.index(row.decision))
        expected = [
            p["left_hand"], p["yes"], decision, row.confidence, row.state.code, 3.25, 12.5, e["left_hand"], e["yes"],
        ]  # fmt: skip
        assert values == pytest.approx(expected, nan_ok=True, rel=1e-6)
    assert events == [
        [500.125, ["neuript/state/WARMUP"]],
        [500.25, ["neuript/state/OK"]],
        [500.375, ["neuript/decision/yes"]],
        [500.625, ["neuript/state/GAP"]],
        [500.75, ["neuript/state/OK"]],
        [500.75, ["neuript/decision/left_hand"]],
        [500.875, ["neuript/decision/yes"]],
    ]
    assert stim == [[500.375, [775]], [500.75, [769]], [500.875, [775]]]
    check_header(head, header)
    assert read_decoder_header(parse_xml(head)) == header
    assert "<type>Markers</type>" in events_head
    assert "<channel_format>int32</channel_format>" in stim_head
    assert "<gdf>769</gdf>" in stim_head


def check_header(xml, header):
    from xml.etree import ElementTree

    root = ElementTree.fromstring(xml)
    assert root.findtext("name") == "neuript-test-mi-proba"
    assert root.findtext("type") == "Predictions"
    assert float(root.findtext("nominal_srate")) == 0
    assert root.findtext("channel_format") == "float32"
    labels = [c.findtext("label") for c in root.findall("desc/channels/channel")]
    assert labels == [
        "left_hand", "yes", "decision", "confidence", "state", "sample_age_ms", "latency_ms",
        "evidence_left_hand", "evidence_yes",
    ]  # fmt: skip
    units = [c.findtext("unit") for c in root.findall("desc/channels/channel")]
    assert units == ["none"] * 5 + ["milliseconds"] * 2 + ["none"] * 2
    decoder = root.find("desc/decoder")
    assert [c.text for c in decoder.findall("classes/class")] == ["left_hand", "yes"]
    assert [c.text for c in decoder.findall("states/state")] == [str(s) for s in State]
    assert float(decoder.findtext("window_s")) == 4.0
    assert decoder.findtext("model_sha256") == "ab" * 32
    assert decoder.findtext("simulated") == "true"
    assert decoder.findtext("model_name") == 'a<b>&"c"'
    assert decoder.findtext("eeg_source_id") == header.eeg_source_id
    assert root.find("desc/synchronization") is not None


def test_source_ids_are_stable_and_tell_streams_apart():
    def source_id(stream="proba", **changes):
        values = {"task": "mi", "classes": ("a", "b"), "eeg_source_id": "x"}
        return decoder_source_id(DecoderHeader(**values | changes), stream)

    assert source_id() == source_id(classes=("c", "d"))
    assert len({source_id(), source_id("events"), source_id(task="p"), source_id(eeg_source_id="y")}) == 4
    assert source_id().startswith("neuript-mi-proba-")


def test_publishing_takes_no_time_without_a_listener():
    outlets = DecisionOutlets(DecoderHeader(task="t", classes=("a", "b"), eeg_source_id=uuid.uuid4().hex))
    row = Decision(t=pylsl.local_clock(), window_index=0, state=State.OK, proba={"a": 0.5, "b": 0.5})
    began = time.thread_time()
    for _ in range(1000):
        outlets.publish(row)
    assert (time.thread_time() - began) / 1000 < 1e-3
    outlets.close()

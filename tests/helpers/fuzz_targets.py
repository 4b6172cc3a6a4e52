"""What reads files and headers of strangers, each as one function that may raise a `NeuriptError` and nothing else."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mutations
import numpy as np
import toy_model
import xdf_writer

from neuript.modelfile import checkpoint, container, describe
from neuript.modelfile.deployable import load_model, save_model
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.rebuild import build_module
from neuript.modelfile.tensor_file import read_tensors, write_tensors
from neuript.modelfile.torch_tensors import to_state
from neuript.montages.loader import FOLDER

if TYPE_CHECKING:
    from neuript.realtime.recordings.recording import Recording

EVERY = tuple(mutations.KINDS)


@dataclass(frozen=True)
class Target:
    """One reader, right inputs to begin with, and the mutations that suit them."""

    read: Callable[[bytes], object]
    right: Callable[[], tuple[bytes, ...]]
    kinds: tuple[str, ...] = EVERY


def _file(data: bytes, suffix: str) -> Path:
    """A file of its own for this process, written anew each time."""
    path = Path(tempfile.gettempdir()) / f"neuript-fuzz-{os.getpid()}{suffix}"
    path.write_bytes(data)
    return path


# -- recordings and headers ------------------------------------------------------------------------


def read_xdf(data: bytes) -> None:
    """It is read or refused; what repair saves of it opens with pyxdf, and is whole."""
    import pyxdf

    from neuript.realtime.recordings import xdf_walk
    from neuript.realtime.recordings.read import read_recording
    from neuript.realtime.recordings.recording_report import report_of
    from neuript.realtime.recordings.xdf_bytes import load_bytes

    path = _file(data, ".xdf")
    found = xdf_walk.scan(load_bytes(path))
    saved = xdf_walk.clean_bytes(data, found)
    assert xdf_walk.scan(saved).intact
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)
    if found.streams and all(s.n_samples for s in found.streams.values()):
        with np.errstate(all="ignore"):
            pyxdf.load_xdf(io.BytesIO(saved), synchronize_clocks=False, dejitter_timestamps=False)
    report_of(read_recording(path, require_eeg=False))


@functools.cache
def xdf_files() -> tuple[bytes, ...]:
    rng = np.random.default_rng(1)
    stamps = 100 + np.arange(200) / 250
    data = rng.normal(0, 20, (200, 3))
    small = xdf_writer.session(data, stamps, [(100.2, "769"), (100.5, "é")], labels=["C3", "Cz", "C4"], n_per_chunk=40)
    bare = xdf_writer.XdfWriter().stream(1, "a", n_chans=2, sfreq=100.0, fmt="int16")
    bare.samples(1, [None] * 20, rng.integers(-9, 9, (20, 2))).offset(1, 1.0, 0.1).footer(1, 20)
    return small.bytes(), bare.bytes()


def read_header(data: bytes) -> None:
    from neuript.realtime.recordings.explanation import explanation_in
    from neuript.realtime.recordings.header import header_xml, parse_xml, signal_info

    info = signal_info(data)
    assert signal_info(header_xml(info)).ch_names == info.ch_names
    explanation_in(parse_xml(data))


@functools.cache
def headers() -> tuple[bytes, ...]:
    desc = xdf_writer.channels_xml(["C3", "Cz", "EOG"], locations_mm={"C3": (-60.0, -10.0, 60.0)})
    desc += "<manufacturer>m</manufacturer><reference><label>A1</label></reference><replay><speed>2</speed></replay>"
    head = "<info><name>Amp</name><type>EEG</type><channel_count>3</channel_count><nominal_srate>250</nominal_srate>"
    head += "<channel_format>float32</channel_format><source_id>s</source_id><uid>u</uid><hostname>h</hostname>"
    plain = f'<?xml version="1.0"?>{head}<desc>{desc}</desc></info>'
    other = plain.replace("<type>EEG</type>", "<type>Description</type>", 1)
    told = (
        f"{head.replace('EEG', 'Description')}<desc><explains>{head}<desc>{desc}</desc></info></explains></desc></info>"
    )
    return plain.encode(), other.encode(), told.encode()


# -- YAML and JSON ---------------------------------------------------------------------------------


def read_montage(data: bytes) -> None:
    from neuript.montages.loader import load_montage

    load_montage(_file(data, ".yaml"))


@functools.cache
def montages() -> tuple[bytes, ...]:
    own = b"name: my-cap\nelectrodes: {E1: [0, 0, 90], C3: [-65.4, -11.6, 64.4], Cz: null}\nchannels: [E1, C3]\n"
    own += b"lobes: {left: [E1], right: [C3]}\naliases: {Ch 1: C3}\nreference: average\n"
    return own, *((FOLDER / f"{name}.yaml").read_bytes() for name in ("muse-4", "double-banana"))


def read_config(data: bytes) -> None:
    from neuript.cli.config_file import parse_with_config
    from neuript.cli.live import build_parser
    from neuript.realtime.live.options import LiveOptions

    args = vars(parse_with_config("live", build_parser(), ["--config", str(_file(data, ".yaml"))]))
    args.pop("config")
    LiveOptions.from_mapping(args).sha256  # noqa: B018


@functools.cache
def configs() -> tuple[bytes, ...]:
    both = b'channels: [Fz, C3, "-"]\nunit: microvolts\nevent: {left: 769, right: [770, "7 70"]}\nsfreq: 250\n'
    live = b"live: {model: a.ts, hop: 0.25, classes: [a, b], headless: true, threads: 2, wait: 5, threshold: 0.7}\n"
    return both + live, b"model: a.ts\nduration: 10\nmains: '50'\nmax-age: 1.5\nfollow: any\ndevice: cpu\njson: true\n"


def read_rows(data: bytes) -> None:
    from neuript.training.calibration.score_recording import score

    events = {"left": "769", "right": "770"}
    score(_file(data, ".jsonl"), _cued(), events, window_end_s=(0.0, 1.0), say=str).to_dict()


@functools.cache
def _cued() -> Recording:
    from neuript.realtime.recordings.read import read_recording

    rng = np.random.default_rng(2)
    session = xdf_writer.session(
        rng.normal(0, 20, (1500, 2)), 50 + np.arange(1500) / 250, [(51.0, "769"), (53.0, "770")], labels=["C3", "C4"]
    )
    return read_recording(_file(session.bytes(), "-cued.xdf"))


@functools.cache
def row_files() -> tuple[bytes, ...]:
    rows = [
        {"t": 0.5 * i, "rec_t": 0.5 * i, "proba": {"left": 0.7, "right": 0.3}, "decision": "left", "state": "OK"}
        for i in range(1, 9)
    ]
    text = "\n".join(map(json.dumps, [{**rows[0], "proba": None, "decision": None, "state": "GAP"}, *rows]))
    return (text.encode(),)


def read_marker(data: bytes) -> None:
    from neuript.realtime.recordings.cue_markers import read_cue_marker
    from neuript.realtime.twin.cues import cued_class

    read_cue_marker(text := data.decode("utf-8", "replace"))
    cued_class(text)


def read_replay_log(data: bytes) -> None:
    from neuript.realtime.recordings.replay_log import read_clock_offset

    read_clock_offset(_file(data, ".json"))


@functools.cache
def replay_logs() -> tuple[bytes, ...]:
    note = {"event": "started", "lsl_start": 1.5, "recorded_start": 0.5, "speed": 1.0, "recorded_stamps": False}
    return (json.dumps(note).encode(),)


def read_manifest(data: bytes) -> None:
    """As `neuript inspect` does, and a live session before it decodes."""
    from neuript.modelfile.describe import _describe
    from neuript.realtime.chain.conditioner import Conditioner
    from neuript.realtime.chain.windowing import hop_samples
    from neuript.realtime.decoding.policy import DecisionPolicy
    from neuript.realtime.live.model_settings import model_montage, policy_here, preprocess_here
    from neuript.realtime.live.options import LiveOptions

    manifest = Manifest.from_json(data)
    _describe(manifest)
    montage = model_montage(manifest)
    spec = preprocess_here(manifest, None, None)
    policy = policy_here(manifest, LiveOptions(model="a.ts"))
    hop_samples(manifest.hop_s, manifest.sfreq)
    Conditioner(spec, np.eye(montage.n_chans), np.ones(montage.n_chans), 250.0)
    DecisionPolicy(policy, manifest.classes, manifest.hop_s)


@functools.cache
def manifests() -> tuple[bytes, ...]:
    import builders
    import eight_electrodes

    second = builders.make_manifest(mains_hz=50.0, idle_class="left_hand")
    full = builders.make_manifest(preprocess=eight_electrodes.ALIGNED, metrics={"accuracy": {"value": 0.8}})
    return full.to_json().encode(), second.to_json(indent=1).encode()


# -- model files -----------------------------------------------------------------------------------


def read_container(data: bytes) -> None:
    """Bytes that change break the seal; a manifest or a header that changes is sealed again, as a forger would."""
    container.parse(data, "mi.ts")


def read_forged_container(data: bytes) -> None:
    """Read a file whose manifest somebody wrote anew, with the right hashes."""
    path = _file(_forged(data), ".ts")
    describe.describe_model(path)
    load_model(path).module  # noqa: B018


def read_forged_checkpoint(data: bytes) -> None:
    forged = _with_manifest(_checkpoint(), data, {"neuript.manifest_sha256": hashlib.sha256(data).hexdigest()})
    manifest, tensors = checkpoint.parse_checkpoint(forged, "a.safetensors")
    build_module(manifest, to_state(tensors))


def read_checkpoint(data: bytes) -> None:
    manifest, tensors = checkpoint.parse_checkpoint(data, "a.safetensors")
    build_module(manifest, to_state(tensors))


def read_tensor_file(data: bytes) -> None:
    for tensor in read_tensors(data, "a").tensors.values():
        assert len(tensor.data) >= 0


@functools.cache
def _model() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save_model(path := Path(folder) / "mi.ts", toy_model.toy_network(), toy_model.make_manifest())
        return path.read_bytes()


@functools.cache
def _checkpoint() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_checkpoint(
            path := Path(folder) / "a.safetensors", toy_model.toy_network(), toy_model.make_manifest()
        )
        return path.read_bytes()


def _with_manifest(data: bytes, manifest: bytes, more: dict[str, str]) -> bytes:
    file = read_tensors(data, "a")
    text = manifest.decode("utf-8", "replace")
    return bytes(write_tensors(file.tensors, {**file.metadata, "neuript.manifest": text, **more}))


def _forged(manifest: bytes) -> bytes:
    return toy_model.resealed(_with_manifest(_model(), manifest, {}))


def _manifest_in(data: bytes) -> bytes:
    return read_tensors(data, "a").metadata["neuript.manifest"].encode()


TARGETS: dict[str, Target] = {
    "xdf": Target(read_xdf, xdf_files),
    "stream header": Target(read_header, headers),
    "montage": Target(read_montage, montages),
    "config": Target(read_config, configs),
    "decisions": Target(read_rows, row_files, mutations.IN_TEXT),
    "cue marker": Target(read_marker, lambda: (b'{"ev": "cue", "cls": "left", "trial": 1, "block": 1}',)),
    "replay log": Target(read_replay_log, replay_logs),
    "manifest": Target(read_manifest, manifests, mutations.IN_TEXT),
    "tensors": Target(read_tensor_file, lambda: (_checkpoint(), _model())),
    "container": Target(read_container, lambda: (_model(),)),
    "forged container": Target(read_forged_container, lambda: (_manifest_in(_model()),), mutations.IN_TEXT),
    "checkpoint": Target(read_checkpoint, lambda: (_checkpoint(),)),
    "forged checkpoint": Target(read_forged_checkpoint, lambda: (_manifest_in(_checkpoint()),), mutations.IN_TEXT),
}

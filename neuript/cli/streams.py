"""`neuript streams`: what is on the network, and how it maps to a montage or a model."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_json
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuript.montages import Montage
    from neuript.realtime.lsl.discovery import StreamSummary


def run(argv: list[str]) -> int:
    """Print the visible streams; with a montage or model, the channel plan of each EEG stream."""
    args = build_parser().parse_args(argv)

    from neuript.errors import NeuriptError, StreamNotFoundError
    from neuript.montages.stream_labels import is_eeg_stream
    from neuript.realtime.lsl.discovery import visible_streams

    if args.channels is not None and args.model is None and args.montage is None:
        raise NeuriptError("--channels says how a stream maps to something; add --montage NAME or --model FILE")
    channels = given_channels(args)
    target = _target(args.model, args.montage)
    streams = visible_streams(args.wait)
    if args.json:
        print(json.dumps([asdict(s) for s in streams], indent=1))
        return 0
    if not streams:
        raise StreamNotFoundError(
            f"no LSL stream is visible after {args.wait:g} s; is the sender on, on this network, "
            "and not blocked by a firewall? neuript doctor says why; neuript simulate is a stream to try"
        )
    for stream in streams:
        print(stream.describe())
        if target is not None and is_eeg_stream(stream.stype):
            print(_plan(stream, target, channels))
    eeg = [stream for stream in streams if is_eeg_stream(stream.stype)]
    if target is None and len(eeg) == 1:
        say(_next(eeg[0]))
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    p = argparse.ArgumentParser(
        prog="neuript streams", description="List the LSL streams on the network, EEG first.", allow_abbrev=False
    )
    p.add_argument("--wait", type=float, default=2.0, metavar="S", help="seconds to listen (default 2)")
    p.add_argument("--montage", metavar="NAME", help="show how EEG streams map to this montage")
    p.add_argument("--model", metavar="FILE", help="show how EEG streams map to this model")
    add_channels(p)
    add_json(p)
    return p


def _target(model: str | None, montage: str | None) -> Montage | None:
    if model is not None:
        from neuript.modelfile.describe import read_manifest
        from neuript.montages import Montage

        return Montage.from_dict(read_manifest(model).montage)
    if montage is not None:
        from neuript.montages import load_montage

        return load_montage(montage)
    return None


def _next(stream: StreamSummary) -> str:
    """Say how the one EEG stream is recorded, and with which montages where its channels have no names."""
    from neuript.errors import NeuriptError
    from neuript.realtime.live.suggestions import montages_with, recording_command
    from neuript.realtime.lsl.discovery import find_stream
    from neuript.realtime.lsl.inlet import LslSource
    from neuript.realtime.lsl.stream_choice import predicate_for

    try:
        source = LslSource(find_stream(predicate_for(f"uid='{stream.uid}'"), wait_s=2.0))
    except NeuriptError as error:
        return f"cannot be read: {error}"
    names = source.info.ch_names
    source.close()
    said = f"next: {recording_command('run1.xdf', names)}"
    if "--montage" in said:
        said = (
            f"its {len(names)} channels have no names: --montage says what is on the head "
            f"({', '.join(montages_with(len(names)))})\n{said}"
        )
    return said


def _plan(stream: StreamSummary, target: Montage, channels: Sequence[str] | None) -> str:
    from neuript.errors import NeuriptError
    from neuript.realtime.lsl.discovery import check_decodable, find_stream
    from neuript.realtime.lsl.inlet import LslSource
    from neuript.realtime.lsl.stream_choice import predicate_for
    from neuript.realtime.recordings.channel_plan import assumed_cap, plan_signal

    try:
        check_decodable(stream)
        source = LslSource(find_stream(predicate_for(f"uid='{stream.uid}'"), wait_s=2.0), channels=channels)
        try:
            text = plan_signal(source.info, target, assumed_cap(source.info, target)).text()
        finally:
            source.close()
    except NeuriptError as error:
        text = f"cannot be decoded: {error}"
    return "\n".join(f"    {line}" for line in text.splitlines())

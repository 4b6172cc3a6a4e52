"""Pictures of the feedback's window on the streams of a decoder that says the same all the time.

    python tools/plot_feedback.py bar docs/feedback-bar.png

The window, the client and the streams are the real ones; only the decoder's words are made up, so they say "simulated".
"""

from __future__ import annotations

import sys
import threading
import uuid
from pathlib import Path

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State
from neuript.realtime.feedback.feedback_session import run_feedback
from neuript.realtime.feedback.feedback_spec import FeedbackSpec
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id

EVIDENCE = {"left_hand": 0.1, "right_hand": 0.62, "rest": 0.28}


def publish(outlets: DecisionOutlets, over: threading.Event) -> None:
    while not over.wait(0.1):
        row = Decision(
            t=lsl_clock(), window_index=0, state=State.OK, proba=EVIDENCE, evidence=EVIDENCE, confidence=0.62
        )
        outlets.publish(row)


def main() -> None:
    kind, picture = sys.argv[1:]
    header = DecoderHeader(
        task=f"picture-{uuid.uuid4().hex[:6]}",
        classes=tuple(EVIDENCE),
        eeg_source_id="nobody",
        idle_class="rest",
        threshold=0.75,
        simulated=True,
    )
    over = threading.Event()
    thread = threading.Thread(target=publish, args=(DecisionOutlets(header), over))
    thread.start()
    try:
        run_feedback(
            FeedbackSpec(kind=kind, target_s=60.0, pause_s=1.0, speed=0.2, seed=5),
            source_id=decoder_source_id(header, "proba"),
            size=(1024, 640),
            screenshot=Path(picture),
            after_s=8.0,
        )
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()

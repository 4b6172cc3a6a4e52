"""What the events of a session with cues mean, in HED's words, checked against the schema that `hedtools` brings."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.realtime.recordings.file_marks import MARKED_BAD, MISSING
from neuript.training.share.bids_extra import of_bids

HED_VERSION = "8.4.0"
"""Schema that the tags are written in; `hedtools` brings the file, so no network is needed."""
_CUE = "Sensory-event, Cue, Experimental-stimulus, Visual-presentation"
_IMAGINED = {
    "left_hand": "(Imagine, (Move, (Left, Hand)))",
    "right_hand": "(Imagine, (Move, (Right, Hand)))",
    "both_hands": "(Imagine, (Move, (Left, Hand), (Right, Hand)))",
    "feet": "(Imagine, (Move, Foot))",
    "foot": "(Imagine, (Move, Foot))",
    "tongue": "(Imagine, (Move, Tongue))",
    "rest": "Rest",
}
_KINDS = {"cue": "", "practice": ", Label/Practice", "rejected": ", Label/Rejected-trial"}
_PHASES = {
    "trial_start": "Experiment-structure, Experimental-trial, Label/Trial-start",
    "trial_end": "Experiment-structure, Experimental-trial, Label/Trial-end",
    "rejected": "Experiment-structure, Experimental-trial, Label/Trial-rejected",
    "cross": "Sensory-event, Visual-presentation, (Fixate, Cross)",
    "beep": "Sensory-event, Auditory-presentation, Beep",
    "feedback": "Sensory-event, Feedback, Visual-presentation",
    MISSING: "Data-feature, Label/Signal-missing",
    MARKED_BAD: "Data-feature, Label/Signal-bad",
}


def hed_of(trial_type: str) -> str:
    """Return the tags of an event by its trial type; of a marker that neuript did not send only that it is one.

    They are one group: HED reads what happens at one moment as one annotation, in which no tag may stand twice.
    """
    kind, slash, cls = trial_type.partition("/")
    if trial_type in _PHASES:
        tags = _PHASES[trial_type]
    elif slash and kind in _KINDS:
        tags = f"{_CUE}, {_IMAGINED.get(cls) or f'(Imagine, {_label(cls)})'}{_KINDS[kind]}"
    else:
        tags = f"Event, {_label(trial_type)}"
    return f"({tags})"


def _label(text: str) -> str:
    return f"Label/{re.sub(r'[^A-Za-z0-9_-]', '-', text)}"


def check_hed(sidecar: Mapping[str, Any]) -> None:
    """Refuse an events sidecar whose tags are not of the schema.

    Parameters
    ----------
    sidecar : mapping of str to Any
        Content of a `*_events.json`.

    Raises
    ------
    NeuriptError
        If `hedtools` finds a fault, or is not there.
    """
    hed = of_bids("hed")
    issues = hed.Sidecar(io.StringIO(json.dumps(sidecar)), name="events.json").validate(_schema())
    if issues:
        raise NeuriptError(f"the events have tags that HED {HED_VERSION} does not know: {issues[0]['message']}")


@cache
def _schema() -> Any:
    folder = Path(str(of_bids("hed").__file__)).parent / "schema" / "schema_data"
    return of_bids("hed.schema").load_schema(str(folder / f"HED{HED_VERSION}.xml"))

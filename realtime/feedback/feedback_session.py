"""`neuript feedback`: the window, and what is left of a session when it is closed."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import PRIVATE_FILE, check_writable, json_safe, write_json
from neuript.realtime.dashboard.launch import why_no_window
from neuript.realtime.feedback.feedback_client import FeedbackClient
from neuript.realtime.feedback.feedback_results import hit_rate, results_to_dict
from neuript.realtime.feedback.feedback_spec import FeedbackSpec

logger = logging.getLogger(__name__)


def run_feedback(
    spec: FeedbackSpec, *, source_id: str | None = None, out: str | Path | None = None, **window: Any
) -> bool:
    """Ask for targets until all are done or the window is closed; what was done is written in either case.

    Parameters
    ----------
    spec : FeedbackSpec
        What is asked for.
    source_id : str, optional
        Source id of the decoder's rows; None takes the only one there is.
    out : str or Path, optional
        JSON file of the results; None writes none.
    **window
        Further arguments of `run_window`.

    Returns
    -------
    bool
        Whether it was interrupted.

    Raises
    ------
    NeuriptError
        If no window can be opened, the file cannot be written, or the decoder does not fit what is asked for.
    """
    path = None if out is None else check_writable(out)
    reason = why_no_window()
    if reason is not None:
        raise NeuriptError(f"the feedback needs a window: {reason}")
    from neuript.realtime.feedback.qt.feedback_window import run_window

    client = FeedbackClient(spec, source_id)
    task, interrupted = run_window(client, spec, **window)
    if client.failure is not None:
        raise client.failure
    header = client.header
    if task is None or header is None:
        logger.info("no decoder was found; is neuript-live running?")
        return interrupted
    logger.info("%s", hit_rate(task.results, task.idle_class).words)
    if path is not None:
        write_json(
            path, json_safe(results_to_dict(task.results, header, asdict(spec), task.classes)), mode=PRIVATE_FILE
        )
        logger.info("results in %s", path)
    return interrupted

"""`python -m neuript.training.guided.fit_in_background ANSWER.json`: one fit, told on stdin as JSON."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from neuript import specs
from neuript.errors import NeuriptError
from neuript.files import json_safe, write_json
from neuript.modest import be_modest


def main() -> int:
    """Fit, save, and write the figures or the reason why there are none."""
    be_modest()
    logging.disable(logging.WARNING)  # that the recording has no end yet is known
    task = json.loads(sys.stdin.buffer.read())

    from neuript.training.calibration.calibration import calibrate
    from neuript.training.calibration.calibration_spec import CalibrationSpec
    from neuript.training.guided.kept_trials import kept_trials, readable, without_replaced
    from neuript.training.report.curve_of_calibration import curve_of_calibration
    from neuript.training.report.decoder_table import today

    answer: dict[str, object] = {}
    try:
        recordings = readable(map(Path, task["recordings"]), lambda _text: None)
        answer["kept"] = sorted(kept_trials(recordings))
        earlier = readable(map(Path, task["earlier"]), lambda _text: None)
        result = calibrate(
            [*earlier, *without_replaced(recordings)], specs.from_dict(CalibrationSpec, task["spec"], "the task")
        )
        result.save(task["model"])
        answer["figures"] = json_safe({**result.figures, "today": today(result.published, len(earlier))})
        curve = curve_of_calibration(result)
        answer["forecast"] = "" if curve is None or curve.forecast is None else curve.forecast.describe()
    except NeuriptError as error:
        answer["problem"] = str(error)
    write_json(sys.argv[1], answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

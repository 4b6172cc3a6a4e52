"""What became of every recording: kept, left out, and by which rule."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from neuript.files import write_atomically, write_json
from neuript.foreign import one_line

Status = Literal["kept", "empty", "refused", "failed", "duplicate"]

_COLUMNS = (
    *("dataset", "subject", "recording", "status", "reason", "montage", "n_chans", "sfreq"),
    *("duration_s", "possible", "kept", "not_clean", "amplitude", "flat", "offset", "notes"),
)


@dataclass(kw_only=True)
class FileReport:
    """One recording.

    Attributes
    ----------
    status : str
        `kept`: it gave windows. `empty`: every window was rejected. `refused`: it does not fit, and
        `reason` says why. `failed`: an unexpected error; it is tried again by the next run.
        `duplicate`: the same bytes as another recording.
    possible, kept : int
        Windows that its trimmed length holds, and that are in the corpus.
    rejected : dict
        `not_clean`: lost while filters settled, to gaps and to bad channels; `amplitude`, `flat`, `offset`: hit by that
        rule (a window may be hit by several).
    """

    dataset: str
    subject: str
    recording: str
    status: Status
    reason: str = ""
    montage: str = ""
    n_chans: int = 0
    sfreq: float = 0.0
    duration_s: float = 0.0
    possible: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    reused: bool = False
    """Whether it was there from an earlier run."""

    def row(self) -> dict[str, Any]:
        """Return the columns of the table."""
        values = asdict(self) | self.rejected | {"notes": "; ".join(self.notes)}
        return {name: values.get(name, 0) for name in _COLUMNS}


@dataclass
class CorpusReport:
    """What `prepare` did.

    Attributes
    ----------
    files : list of FileReport
        Every recording of the corpus and every one left out, in order.
    window_s : float
    """

    files: list[FileReport]
    window_s: float
    n_new: int = 0
    """Number of recordings that were worked on in this run."""
    excluded_subjects: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """Duration of the windows in the corpus, in hours."""
        return sum(f.kept for f in self.files) * self.window_s / 3600

    @property
    def counts(self) -> dict[str, int]:
        """Number of recordings of each status."""
        return dict(Counter(f.status for f in self.files))

    def by_dataset(self) -> list[dict[str, Any]]:
        """Return a line per data set: recordings, people, hours recorded and kept, and what was lost to which rule."""
        groups: dict[str, list[FileReport]] = defaultdict(list)
        for file in self.files:
            groups[file.dataset].append(file)
        return [self._line(name, files) for name, files in sorted(groups.items())]

    def _line(self, name: str, files: Iterable[FileReport]) -> dict[str, Any]:
        files = list(files)
        kept = [f for f in files if f.kept]
        lost: Counter[str] = Counter()
        for file in files:
            lost.update(file.rejected)
        return {
            "dataset": name,
            "recordings": len(files),
            "kept_recordings": len(kept),
            "subjects": len({f.subject for f in kept}),
            "hours_recorded": round(sum(f.duration_s for f in files) / 3600, 3),
            "hours_kept": round(sum(f.kept for f in files) * self.window_s / 3600, 3),
            "windows": sum(f.kept for f in files),
            "possible": sum(f.possible for f in files),
            "rejected": dict(lost),
            "montages": sorted({f.montage for f in kept}),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-safe."""
        return {
            "hours": round(self.hours, 4),
            "counts": self.counts,
            "datasets": self.by_dataset(),
            "excluded_subjects": list(self.excluded_subjects),
            "files": [asdict(f) for f in self.files],
        }

    def write(self, folder: Path) -> None:
        """Write `report.json` and the table `report.csv`."""
        write_json(folder / "report.json", self.to_dict())
        text = io.StringIO()
        table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(f.row() for f in self.files)
        write_atomically(folder / "report.csv", text.getvalue().encode())

    def text(self) -> str:
        """Return the table for the screen."""
        lines = [f"{'data set':<24} {'people':>6} {'files':>11} {'hours':>16}  lost to"]
        for row in self.by_dataset():
            lost = ", ".join(f"{k} {n}" for k, n in row["rejected"].items() if n) or "nothing"
            files = f"{row['kept_recordings']}/{row['recordings']}"
            hours = f"{row['hours_kept']:.2f}/{row['hours_recorded']:.2f}"
            lines.append(f"{one_line(row['dataset'], 60):<24} {row['subjects']:>6} {files:>11} {hours:>16}  {lost}")
        reasons = [f for f in self.files if f.status in ("refused", "failed")]
        lines += [one_line(f"{f.status}: {f.dataset}/{f.recording}: {f.reason}", 1000) for f in reasons[:20]]
        if len(reasons) > 20:
            lines.append(f"and {len(reasons) - 20} more; see report.csv")
        return "\n".join(lines)

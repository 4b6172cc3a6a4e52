"""What is known of each recording that was worked on: one JSON file each, and the index made of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import file_sha256
from neuript.specs import from_dict
from neuript.training.corpus.outcome import FileReport
from neuript.training.corpus.work import RECORDS, RecordingJob

_ENTRY = ("shard", "sha256", "n_bytes")


class Records:
    """The records of a corpus.

    Parameters
    ----------
    out : Path
        Folder of the corpus. A record that cannot be read is as good as none.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._by_key: dict[str, dict[str, Any]] = {}
        for path in sorted((out / RECORDS).glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                from_dict(FileReport, record["report"], "the report")
            except (ValueError, KeyError, TypeError, RecursionError, NeuriptError):
                continue
            self._by_key[path.stem] = record

    def holds(self, job: RecordingJob, *, verify: bool = False) -> bool:
        """Whether a job is done: same settings, same source file, and its shard is whole."""
        record = self._by_key.get(job.key)
        if record is None or record["settings"] != job.settings:
            return False
        if record["report"]["status"] == "failed" or record["stamp"] != job.stamp():
            return False
        if record["shard"] is None:
            return True
        if not job.shard.is_file() or job.shard.stat().st_size != record["n_bytes"]:
            return False
        return not verify or file_sha256(job.shard) == record["sha256"]

    def add(self, key: str, record: dict[str, Any]) -> None:
        """Take a record that a worker has written."""
        self._by_key[key] = record

    def drop_subjects(self, subjects: Collection[str]) -> None:
        """Forget people who are to be left out, and delete their windows."""
        for key, record in list(self._by_key.items()):
            if record["report"]["subject"] in subjects:
                if record["shard"] is not None:
                    (self.out / record["shard"]).unlink(missing_ok=True)
                (self.out / RECORDS / f"{key}.json").unlink(missing_ok=True)
                del self._by_key[key]

    def reports(self) -> Iterator[tuple[str, FileReport]]:
        """Give (key, report) of each recording by data set and name; of equal files the second is `duplicate`."""
        twins = self._duplicates()
        for key in self._ordered():
            report = from_dict(FileReport, self._by_key[key]["report"], "the report")
            if key in twins:
                report.status, report.kept = "duplicate", 0
                report.reason = f"the same file as {twins[key]}"
            yield key, report

    def index(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the entries of the recordings that gave windows, and their montages by key."""
        twins, entries = self._duplicates(), []
        montages: dict[str, Any] = {}
        for key in self._ordered():
            record = self._by_key[key]
            if record["shard"] is None or key in twins:
                continue
            report, montage = record["report"], record["montage_key"]
            montages.setdefault(montage, record["montage"])
            entry = {name: record[name] for name in _ENTRY}
            entry |= {name: report[name] for name in ("dataset", "subject", "recording", "files")}
            entry |= {"n_windows": report["kept"], "montage": montage}
            entries.append(entry | {"simulated": record.get("simulated", False)})
        return entries, montages

    def _ordered(self) -> list[str]:
        def place(key: str) -> tuple[str, str]:
            report = self._by_key[key]["report"]
            return report["dataset"], report["recording"]

        return sorted(self._by_key, key=place)

    def _duplicates(self) -> dict[str, str]:
        """Return key -> name of an earlier recording of the same bytes that gave windows."""
        first: dict[tuple[str, ...], str] = {}
        twins: dict[str, str] = {}
        for key in self._ordered():
            record = self._by_key[key]
            if record["shard"] is None:
                continue
            report = record["report"]
            digest = tuple(sorted(report["files"].values()))
            name = f"{report['dataset']}/{report['recording']}"
            earlier = first.setdefault(digest, name)
            if earlier != name:
                twins[key] = earlier
        return twins

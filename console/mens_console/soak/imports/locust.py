"""locust's `_stats.csv`, `_stats_history.csv` and JSON: requests by the second, and response times of all of them.

Its response times hold those of failures too, rounded to two digits from 100 ms on; percentiles of its history are of
sliding windows, and no minute's can be made of them. A request counts when it ended: locust tells nothing else.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers.load import HISTORY, STATS, columns
from mens_console.gate.readers.numbers import count, number
from mens_console.gate.readers.serving import quantile
from mens_console.soak.imports.errors import UNCLASSED
from mens_console.soak.imports.outcome import Outcome, positive
from mens_console.soak.types import Event

_TOTAL: Final = "Aggregated"
_FIGURES: Final = {
    "mean": "Average Response Time", "min": "Min Response Time", "max": "Max Response Time", "p50": "50%", "p90": "90%",
    "p95": "95%", "p99": "99%",
}  # fmt: skip
_LONGEST: Final = 64
"""Lines of one row: a name may hold line breaks."""


def is_history(head: str) -> bool:
    """Whether the first line is that of a history."""
    return all(name in columns(head) for name in HISTORY)


def is_stats(head: str) -> bool:
    """Whether the first line is that of the statistics of a whole run."""
    return all(name in columns(head) for name in STATS)


def read_stats(text: str) -> Outcome:
    """Read `_stats.csv`; ValueError where it lacks the row of all requests together."""
    row: dict[str, Any] | None = None
    try:
        for one in csv.DictReader(io.StringIO(text.lstrip("\ufeff"))):
            row = one if one.get("Name") == _TOTAL and not one.get("Type") else row
    except csv.Error as error:
        raise ValueError(f"its CSV is damaged: {error}") from None
    if row is None:
        raise ValueError("it has no row of all requests together (Aggregated): the run was cut off before its end")
    found = Outcome("locust")
    asked, failed = count(row.get("Request Count")), count(row.get("Failure Count"))
    _count(found, asked, failed)
    rate = positive(row.get("Requests/s"))
    found.duration_s = asked / rate if asked and rate else None
    if asked:
        found.tell("response", {name: row.get(key) for name, key in _FIGURES.items()}, n=asked)
    found.problem("it tells of the whole run: the history (_stats_history.csv) knows its minutes")
    return found


def read_json(document: list[dict[str, Any]]) -> Outcome:
    """Read what `locust --json` prints: entries by name, with requests by the second."""
    found = Outcome("locust")
    seconds: Counter[int] = Counter()
    failures: Counter[int] = Counter()
    times: Counter[float] = Counter()
    for one in document:
        for name, into in (("num_reqs_per_sec", seconds), ("num_fail_per_sec", failures)):
            into.update(_whole_keys(one.get(name)))
        times.update({float(key): n for key, n in _whole_keys(one.get("response_times")).items()})
    asked = [count(one.get("num_requests")) for one in document]
    failed = [count(one.get("num_failures")) for one in document]
    _count(found, None if None in asked else sum(one or 0 for one in asked),
           None if None in failed else sum(one or 0 for one in failed))  # fmt: skip
    _times(found, document)
    if found.requests is not None and seconds.total() == found.requests:
        for second in sorted(seconds):
            found.tally.many(float(second), seconds[second], failures[second], UNCLASSED)
        found.requests = found.failed = None
    if times:
        levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
        total = sum(_finite(one.get("total_response_time")) for one in document)
        figures: dict[str, Any] = {name: quantile(times, share) for name, share in levels.items()}
        found.tell("response", figures | {"mean": total / times.total()}, n=times.total())
    return found


def _count(found: Outcome, asked: int | None, failed: int | None) -> None:
    found.count(asked - failed if asked is not None and failed is not None and failed <= asked else None, failed)


def _times(found: Outcome, document: list[dict[str, Any]]) -> None:
    begun = [one for one in (number(entry.get("start_time")) for entry in document) if math.isfinite(one)]
    ended = [one for one in (number(entry.get("last_request_timestamp")) for entry in document) if math.isfinite(one)]
    if begun:
        found.started = min(begun)
        found.tally.seen(min(begun))
    if begun and ended:
        found.duration_s = max(ended) - min(begun)


def _finite(value: Any) -> float:
    found = number(value)
    return found if math.isfinite(found) else 0.0


def _whole_keys(block: Any) -> dict[int, int]:
    """Return counts by whole number, of an object whose keys are texts."""
    if not isinstance(block, dict):
        return {}
    pairs = ((count(key), count(value)) for key, value in block.items())
    return {key: value for key, value in pairs if key is not None and value is not None}


@dataclass(slots=True)
class History:
    """Reads `_stats_history.csv` line by line as it grows: totals since the start, of which differences are taken."""

    found: Outcome = field(default_factory=lambda: Outcome("locust"))
    bad: int = 0
    first_bad: str = ""
    _names: list[str] = field(default_factory=list)
    _held: list[str] = field(default_factory=list)
    _asked: int = 0
    _failed: int = 0

    def add(self, line: bytes, number: int) -> None:
        """Take a whole line."""
        text = line.decode("utf-8", "surrogateescape")
        if not self._names:
            self._names = columns(text)
            return
        self._held.append(text)
        whole = "\n".join(self._held)
        if whole.count('"') % 2 and len(self._held) < _LONGEST:
            return  # a name with a line break goes on
        self._held.clear()
        try:
            cells = next(csv.reader([whole]), [])
        except csv.Error:
            cells = []
        row = dict(zip(self._names, cells, strict=False))
        if len(cells) != len(self._names):
            self._miss(number, f"has {len(cells)} cells and not {len(self._names)}")
        elif row.get("Name") == _TOTAL and not row.get("Type"):
            self._take(row, number)

    def outcome(self) -> Outcome:
        """Return what was read so far."""
        begun = self.found.tally.began
        self.found.started = begun if math.isfinite(begun) else None
        return self.found

    def problems(self) -> tuple[str, ...]:
        """Return what could not be read of the lines."""
        told = ["its percentiles are of sliding windows: none of them is a minute's"]
        if self.bad:
            told.append(f"{self.bad} rows cannot be read and are counted nowhere; the first: {self.first_bad}")
        return tuple(told)

    def _take(self, row: dict[str, Any], line: int) -> None:
        at, asked, failed = number(row["Timestamp"]), count(row[HISTORY[2]]), count(row[HISTORY[3]])
        if not math.isfinite(at) or asked is None or failed is None:
            self._miss(line, "does not tell its time, requests and failures")
            return
        self.found.tally.seen(at)
        if asked < self._asked or failed < self._failed:
            began = self.found.tally.began
            self.found.events.append(Event(at - began, "warning", "locust began to count anew (--reset-stats)"))
            self._asked = self._failed = 0
        self.found.tally.many(at, asked - self._asked, failed - self._failed, UNCLASSED)
        self._asked, self._failed = asked, failed
        figures = {name: row.get(f"Total {key}") for name, key in _FIGURES.items()}
        figures["p50"] = row.get("Total Median Response Time")
        if asked:
            self.found.tell("response", figures, n=asked)

    def _miss(self, line: int, why: str) -> None:
        self.bad += 1
        self.first_bad = self.first_bad or f"line {line} {why}"

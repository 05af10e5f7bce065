"""NVIDIA aiperf: `profile_export.jsonl`, one record a request while it runs, and the summary that it writes at its end.

`inter_chunk_latency` are raw gaps; `inter_token_latency` is a mean per request. Its records carry no time at which a
request was due, so how late the load was cannot be told.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers import jsontext
from mens_console.gate.readers.aiperf import claims_record, failures, workload
from mens_console.gate.readers.numbers import at, count, number, when
from mens_console.gate.readers.units import factor
from mens_console.soak.imports.errors import CANCELLED, error_class
from mens_console.soak.imports.outcome import Outcome, positive

_SUMMARY: Final = (
    ("ttft", "time_to_first_token"),
    ("itl", "inter_chunk_latency"),
    ("itl_mean", "inter_token_latency"),
    ("e2e", "request_latency"),
)

_COUNTED: Final = (("aiperf", "output_sequence_length"), ("aiperf", "output_token_count"))


def read(document: dict[str, Any]) -> Outcome:
    """Read the summary: percentiles as told, for it keeps no single request."""
    found = Outcome("aiperf")
    asked = workload(document)
    found.tag("model", asked.model)
    found.tag("streams", asked.concurrency)
    found.offered = asked.rate
    begun, ended = when(document.get("start_time"))[0], when(document.get("end_time"))[0]
    if math.isfinite(begun) and ended > begun:
        found.started, found.duration_s = begun, ended - begun
    told = _told_seconds(document.get("benchmark_duration"))
    found.duration_s = told if told is not None else found.duration_s
    done = count(at(document, "request_count", "avg"))
    found.count(done, failures(document, done))
    _classes(found, document.get("error_summary"))
    if done:
        _tell(found, document)
    if document.get("was_cancelled") is True:
        found.problem("the run was cancelled before its end")
    return found


def _told_seconds(block: Any) -> float | None:
    times = factor(str(at(block, "unit")), "ms")
    value = positive(at(block, "avg"))
    return value * times / 1000 if value is not None and times is not None else None


def _classes(found: Outcome, summary: Any) -> None:
    """Divide the failures by class, where the summary of errors accounts for all of them."""
    if not isinstance(summary, list) or not found.failed:
        return
    classes: dict[str, int] = {}
    for one in summary:
        details = at(one, "error_details")
        name = error_class(at(details, "code"), at(details, "type"), at(details, "message"))
        classes[name] = classes.get(name, 0) + (count(at(one, "count")) or 0)
    if sum(classes.values()) == sum(found.failed.values()):
        found.failed = classes


def _tell(found: Outcome, document: dict[str, Any]) -> None:
    for name, key in _SUMMARY:
        block = document.get(key)
        if not isinstance(block, dict):
            continue
        times = factor(str(block.get("unit")), "ms")
        if times is None:
            found.problem(f"{key}: its unit {str(block.get('unit'))[:40]!r} is no time: it is not shown")
            continue
        found.tell(name, {**block, "mean": block.get("avg")}, n=block.get("count"), times=times)
    found.tokens = count(at(document, "total_usage_completion_tokens", "avg"))
    if (
        found.tokens is not None
    ):  # by the server's own count, which is true; aiperf's is of a tokenizer that it was given
        found.counted_by = {"server": count(at(document, "request_count", "avg")) or 0}
        return
    rate = document.get("output_token_throughput")
    if isinstance(rate, dict) and factor(str(rate.get("unit")), "tokens/s") is not None:
        found.tokens_per_s = positive(rate.get("avg"))


@dataclass(slots=True)
class Records:
    """Reads `profile_export.jsonl` line by line as it grows; memory is that of its minutes."""

    found: Outcome = field(default_factory=lambda: Outcome("aiperf"))
    counted_by: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    first_bad: str = ""

    def add(self, line: bytes, number: int) -> None:
        """Take a whole line."""
        try:
            row = jsontext.row(line)
        except (ValueError, RecursionError):
            row = None
        if claims_record(row):
            self._take(row, number)
            return
        self.bad += 1
        why = "no whole JSON" if row is None else "no record of a request"
        self.first_bad = self.first_bad or f"line {number} is {why}"

    def _take(self, row: dict[str, Any], line: int) -> None:
        meta = row["metadata"]
        if meta.get("benchmark_phase") == "warmup":
            return
        sent, ended = number(meta.get("request_start_ns")) / 1e9, number(meta.get("request_end_ns")) / 1e9
        if row.get("error") is not None or meta.get("was_cancelled") is True:
            self.found.tally.bad(sent, self._class(row))
        else:
            self._good(row["metrics"], sent, ended, line)
        self.found.tally.seen(ended)

    def outcome(self) -> Outcome:
        """Return what was read so far."""
        found = self.found
        begun = found.tally.began
        found.started = begun if math.isfinite(begun) else None
        found.counted_by = dict(self.counted_by)
        return found

    def problems(self) -> tuple[str, ...]:
        """Return what could not be read of the lines."""
        if not self.bad:
            return ()
        return (f"{self.bad} lines are no records and are counted nowhere; the first: {self.first_bad}",)

    def _class(self, row: dict[str, Any]) -> str:
        error = row.get("error")
        if error is None:
            return CANCELLED
        return error_class(at(error, "code"), at(error, "type"), at(error, "message"))

    def _good(self, metrics: Any, sent: float, ended: float, line: int) -> None:
        ttft = self._milliseconds(metrics, "time_to_first_token", line)
        gaps = self._milliseconds(metrics, "inter_chunk_latency", line)
        e2e = self._milliseconds(metrics, "request_latency", line)
        took = (ended - sent) * 1000
        tokens = self._tokens(metrics)
        self.found.tally.good(
            sent,
            ttft=ttft[0] if ttft else None,
            gaps=gaps,
            e2e=e2e[0] if e2e else took if math.isfinite(took) else None,
            tokens=tokens,
        )

    def _tokens(self, metrics: Any) -> int | None:
        """Return the tokens of an answer, and note who counted them: the server, or aiperf with a tokenizer."""
        for by, name in (("server", "usage_completion_tokens"), *_COUNTED):
            tokens = count(at(metrics, name, "value"))
            if tokens is not None:
                self.counted_by[by] += 1
                return tokens
        return None

    def _milliseconds(self, metrics: Any, name: str, line: int) -> list[float]:
        """Return the values of a metric in ms; none where its unit is no time."""
        block = at(metrics, name)
        if block is None:
            return []
        times = factor(str(at(block, "unit")), "ms")
        if times is None:
            self.found.problem(f"line {line}: {name}: its unit {str(at(block, 'unit'))[:40]!r} is no time")
            return []
        values = at(block, "value")
        return [number(one) * times for one in (values if isinstance(values, list) else (values,))]

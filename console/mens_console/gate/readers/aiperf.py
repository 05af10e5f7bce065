"""NVIDIA aiperf: the summary `profile_export_aiperf.json`, and `profile_export.jsonl` with one record a request.

`inter_chunk_latency` are raw gaps and feed the metric of gaps; `inter_token_latency` are means per request and do not.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mens_console.gate.readers.numbers import at, count, number, pointer
from mens_console.gate.readers.serving import gpus, ordered, outcome, partial, quantiles, throughput
from mens_console.gate.readers.sheet import Sheet
from mens_console.gate.readers.units import factor

_LATENCIES: Final = (("ttft", "time_to_first_token"), ("itl", "inter_chunk_latency"))


def claims(document: Any) -> bool:
    """Whether it is aiperf's summary."""
    if not isinstance(document, dict) or not isinstance(at(document, "request_count"), dict):
        return False
    return "input_config" in document or isinstance(at(document, "output_token_throughput"), dict)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read TTFT, raw gaps, throughput and errors of the summary."""
    sheet.taken(document.get("end_time"))
    asked = workload(document)
    sheet.tag("model", asked.model)
    sheet.tags["source"] = "bench"
    batch = asked.concurrency
    sheet.tag("batch", batch)
    done = count(at(document, "request_count", "avg"))
    failed = failures(document, done)
    trouble = outcome(done, failed, sheet, "/request_count")
    if document.get("was_cancelled") is not False and document.get("was_cancelled") is not None:
        trouble = trouble or "the run was cancelled before its end"
    note = partial(done, failed)
    for metric, name in _LATENCIES:
        _latency(document, metric, name, done, sheet, trouble=trouble, note=note)
    rate = document.get("output_token_throughput")
    if isinstance(rate, dict):
        unit = str(rate.get("unit", ""))
        if factor(unit, "tokens/s") is None:
            trouble = trouble or f"its unit {unit!r} is none of throughput"
        throughput(sheet, rate.get("avg"), "/output_token_throughput/avg", batch=batch, used=gpus(document), n=1,
                   trouble=trouble, note=note, samples=(number(rate.get("avg")),))  # fmt: skip


class Workload(NamedTuple):
    """What aiperf was asked to do: `rate` in requests a second; None for what it was not told."""

    model: Any
    concurrency: int | None
    rate: float | None


def workload(document: dict[str, Any]) -> Workload:
    """Return what a summary says of its load, as one phase (0.13) or as settings of the generator (before)."""
    config = document.get("input_config")
    model = at(config, "endpoint", "model_names", 0) or at(config, "models", "items", 0, "name")
    phases = at(config, "phases")
    measured = [one for one in phases if at(one, "kind") != "warmup"] if isinstance(phases, list) else []
    if len(measured) > 1:
        return Workload(model, None, None)  # loads that have no rate in common
    told = measured[0] if measured else at(config, "loadgen")
    rate = number(at(told, "rate") if measured else at(told, "request_rate"))
    return Workload(model, count(at(told, "concurrency")), rate if 0 < rate < math.inf else None)


def failures(document: dict[str, Any], done: int | None) -> int | None:
    """Return how many requests failed: by their count, by the summary of errors, or by the rate."""
    told = count(at(document, "error_request_count", "avg"))
    if told is not None:
        return told
    summary = document.get("error_summary")
    if isinstance(summary, list):
        counts = [count(at(one, "count")) for one in summary]
        return None if None in counts else sum(one for one in counts if one is not None)
    rate, unit = number(at(document, "request_error_rate", "avg")), at(document, "request_error_rate", "unit")
    times = factor(str(unit), "share")
    if done is None or times is None or not 0 <= rate * times < 1:
        return None
    return round(done * rate * times / (1 - rate * times))


def _latency(
    document: dict[str, Any], metric: str, name: str, done: int | None, sheet: Sheet, *, trouble: str, note: str
) -> None:
    block = document.get(name)
    if not isinstance(block, dict):
        if not trouble:
            sheet.note(f"no {name}: aiperf writes it for streaming endpoints (--streaming)")
            return
        block = {"unit": "ms"}
    trouble = trouble or ordered(block.get("p50"), block.get("p99"))
    n = count(block.get("count"))
    if n is None:
        n = done
        note = "; ".join(filter(None, (note, "n counts requests"))) if metric == "itl" else note
    for level in ("p50", "p99"):
        sheet.add(f"{metric}_{level}", block.get(level), str(block.get("unit", "")), pointer(name, level), n=n,
                  trouble=trouble, note=note)  # fmt: skip


def claims_record(row: Any) -> bool:
    """Whether a line is the record of one request."""
    return isinstance(at(row, "metadata"), dict) and "metrics" in row and "request_start_ns" in row["metadata"]


@dataclass(slots=True)
class Records:
    """Reads `profile_export.jsonl` line by line, in bounded memory: gaps are counted to a thousandth of a ms."""

    done: int = 0
    failed: int = 0
    rows: int = 0
    bad: int = 0
    last: float = 0.0
    counts: dict[str, Counter[float]] = field(default_factory=lambda: {name: Counter() for name, _ in _LATENCIES})
    trouble: dict[str, str] = field(default_factory=dict)

    def add(self, row: Any, line: int) -> None:
        """Take one record."""
        if not claims_record(row):
            self.bad += 1
            return
        if at(row, "metadata", "benchmark_phase") == "warmup":
            return
        self.rows += 1
        self.last = max(self.last, _seconds(at(row, "metadata", "request_end_ns")))
        if row.get("error") is not None or at(row, "metadata", "was_cancelled") is True:
            self.failed += 1
            return
        self.done += 1
        for metric, name in _LATENCIES:
            self._take(metric, at(row, "metrics", name), line)

    def _take(self, metric: str, block: Any, line: int) -> None:
        if block is None:
            return
        times = factor(str(at(block, "unit")), "ms")
        values = at(block, "value")
        if times is None:
            self.trouble.setdefault(metric, f"line {line}: its unit {at(block, 'unit')!r} is no time")
            return
        found = values if isinstance(values, list) else [values]
        if not all(type(one) is float for one in found):
            found = [number(one) for one in found]
        # Millions of gaps: what is wrong is looked for over a record, not gap by gap.
        if found and not (min(found) >= 0 and math.isfinite(sum(found))):
            self.trouble.setdefault(metric, f"line {line}: a value is no number, or negative")
            return
        self.counts[metric].update([round(one * times, 3) for one in found])

    def finish(self, sheet: Sheet) -> None:
        """Put what was read on the sheet."""
        if self.last > 0:
            sheet.taken(self.last)
        sheet.tags["source"] = "bench"
        whole = f"{self.bad} lines are no records" if self.bad else ""
        trouble = outcome(self.done, self.failed, sheet, "every line") or whole
        note = partial(self.done, self.failed)
        for metric, name in _LATENCIES:
            if not self.counts[metric] and not trouble and metric not in self.trouble:
                sheet.note(f"no {name} in any record: aiperf writes it for streaming endpoints (--streaming)")
                continue
            quantiles(sheet, metric, self.counts[metric], "ms", f"every line: /metrics/{name}/value", note=note,
                      trouble=trouble or self.trouble.get(metric, ""))  # fmt: skip


def _seconds(nanoseconds: Any) -> float:
    found = number(nanoseconds) / 1e9
    return found if math.isfinite(found) else 0.0

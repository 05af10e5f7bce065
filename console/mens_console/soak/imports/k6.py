"""k6's summary, flat (`--summary-export`) or nested (`handleSummary`): figures of the whole run alone.

A failed request is a pass of `http_req_failed`, so `passes` are failures. k6 knows no tokens: what it times are
responses, and first bytes are not first tokens.
"""

from __future__ import annotations

from typing import Any, Final

from mens_console.gate.readers.load import k6_failed
from mens_console.gate.readers.numbers import at, count
from mens_console.soak.imports.outcome import Outcome, positive

_FIGURES: Final = {
    "mean": "avg", "min": "min", "p50": "med", "p90": "p(90)", "p95": "p(95)", "p99": "p(99)", "max": "max",
}  # fmt: skip
_GOOD: Final = "http_req_duration{expected_response:true}"


def read(document: dict[str, Any]) -> Outcome:
    """Read counts, the rate and the times of responses."""
    found = Outcome("k6")
    metrics = document["metrics"]
    failed, good, trouble = k6_failed(document)
    if trouble:
        found.problem(f"http_req_failed: {trouble}")
    found.count(good, None if trouble else failed)
    told = positive(at(document, "state", "testRunDurationMs"))
    sent = _values(metrics, "http_reqs")
    asked, rate = count(sent.get("count")), positive(sent.get("rate"))
    found.duration_s = told / 1000 if told is not None else asked / rate if asked and rate else None
    found.skipped = count(_values(metrics, "dropped_iterations").get("count")) or 0
    if found.skipped:
        found.problem(f"{found.skipped} iterations were dropped: k6 had too few virtual users to send them when due")
    _times(found, metrics)
    found.problem("k6's summary tells of the whole run: nothing is known of its minutes")
    return found


def _values(metrics: Any, name: str) -> dict[str, Any]:
    """Return the figures of a metric, flat or nested."""
    block = at(metrics, name)
    inner = at(block, "values")
    return inner if isinstance(inner, dict) else block if isinstance(block, dict) else {}


def _times(found: Outcome, metrics: Any) -> None:
    """Keep the response times of what was answered as expected, where they were told apart, else of all."""
    apart = _values(metrics, _GOOD)
    done = found.requests - sum((found.failed or {}).values()) if found.requests is not None else None
    if apart and done:
        found.tell("e2e", _figures(apart), n=done)
    elif not apart and found.requests:
        found.tell("response", _figures(_values(metrics, "http_req_duration")), n=found.requests)
    waiting = _values(metrics, "http_req_waiting")
    if waiting and found.requests:
        found.tell("first_byte", _figures(waiting), n=found.requests)


def _figures(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.get(key) for name, key in _FIGURES.items()}

"""Rows of every kind of KPI record made generations: events, runtime records, rows of scorecards, items of benchmarks.

Pure functions of one row each; what is no such record is told as a ValueError with the reason.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.formats.values import number, wall_of
from mens_console.kpi.fields import Fields, both, passed
from mens_console.kpi.table import Generation
from mens_contracts.diagnostics import category_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENT: Final = "mens_generation_event_v1"
RUNTIME: Final = "vox_runtime_generation_kpi_v1"
SCORECARD: Final = "mens_scorecard_event_v1"
BENCHMARK: Final = "mens_benchmark_summary_v1"
_LEAKS: Final = frozenset({"prose", "narration"})
_TRUE: Final = "model"


def generation_event(row: Mapping[str, Any], spelled: dict[str, str]) -> tuple[str, Generation, float, str]:
    """Return model, generation, time (s) and task set of an event. Raises ValueError without model or attempts."""
    fields = Fields(row, EVENT, spelled)
    attempts = [attempt for attempt in _list(row.get("attempts")) if isinstance(attempt, dict)]
    model = fields.text("model")
    if not model:
        raise ValueError("no model is named")
    if not attempts:
        raise ValueError("no attempts are listed")
    condition = fields.text("condition")
    verdicts = [passed(attempt.get("compile_pass")) for attempt in attempts]
    final = _any(verdicts) if any(map(math.isfinite, verdicts)) else fields.passed("compile_pass")
    histograms = [histogram(attempt.get("diagnostics")) for attempt in attempts]
    one = Generation(
        task=fields.text("task_id") or None,
        lane=fields.text("lane"),
        first=verdicts[0],
        final=final,
        canonical=both(verdicts[0], passed(attempts[0].get("canonical_pass"))),
        task_success=fields.passed("task_success"),
        semantic=fields.passed("semantic_task_success"),
        valid_ms=_first_valid(fields, final),
        repairs=_repairs(verdicts),
        made=float(next((i for i, v in enumerate(verdicts) if v == 1), len(attempts) - 1)),
        stalled=stalled(verdicts, histograms, fields),
        diagnostics=histograms[0],
        size=_size(attempts, verdicts),
    )
    one.strictness, one.leaked = _strictness(attempts)
    one.tokens, one.seconds = _speed(fields, attempts)
    one.counted = math.nan if math.isnan(one.tokens) else float(fields.text("tokenizer") == _TRUE)
    at = wall_of(row.get("ts"))
    name = f"{model} · {condition}" if condition else model
    return name, one, math.nan if at is None else at, fields.text("task_set")


def runtime(row: Mapping[str, Any], spelled: dict[str, str]) -> Generation:
    """Return the generation of a runtime record: it tells neither task, lane, durations nor how tokens were counted."""
    fields = Fields(row, RUNTIME, spelled)
    attempts, final = fields.count("attempts"), fields.passed("compile_pass")
    if math.isnan(attempts) and not fields.has("compile_pass"):
        raise ValueError("neither attempts nor compile_pass is told")
    alone = attempts == 1
    first = math.nan if math.isnan(final) or math.isnan(attempts) else float(final == 1 and alone)
    category = fields.text("failure_category")
    strictness = fields.count("strictness_failures")
    return Generation(
        first=first,
        final=final,
        canonical=both(first, fields.passed("canonical_pass")),
        valid_ms=_first_valid(fields, final),
        repairs=attempts - 1 if final == 1 else math.nan,
        made=attempts - 1,
        stalled=math.nan if math.isnan(final) else both(1 - final, fields.passed("repair_stalled")),
        strictness=math.nan if math.isnan(strictness) else float(strictness > 0),
        tokens=fields.count("output_tokens"),
        counted=0.0,
        diagnostics={category_of(category): 1} if category and final == 0 else ({} if final == 1 else None),
    )


def scorecard(row: Mapping[str, Any], spelled: dict[str, str]) -> tuple[str, Generation]:
    """Return condition and generation of a scorecard's row. Raises ValueError where it names no condition."""
    fields = Fields(row, SCORECARD, spelled)
    condition = fields.text("condition_id")
    if not condition:
        raise ValueError("no condition_id")
    first, final = fields.passed("compile_pass_1"), fields.passed("compile_pass_n")
    strict, depth, attempts = (
        fields.passed("voxelized_strictness"),
        fields.count("repair_depth"),
        fields.count("attempts"),
    )
    latency = fields.count("latency_ms")
    return condition, Generation(
        task=fields.text("task_id") or None,
        first=first,
        final=final,
        canonical=both(first, fields.passed("canonical_pass")),
        task_success=fields.passed("task_success"),
        semantic=fields.passed("semantic_task_success"),
        valid_ms=_first_valid(fields, final),
        repairs=math.nan if final != 1 else depth if not math.isnan(depth) else attempts - 1,
        made=attempts - 1,
        stalled=math.nan if math.isnan(final) else both(1 - final, fields.passed("repair_stalled")),
        strictness=1 - strict,
        tokens=fields.count("tokens_out"),
        seconds=latency / 1000,
        counted=0.0,
    )


def item(row: Mapping[str, Any], spelled: dict[str, str]) -> Generation:
    """Return the generation of one item of a benchmark summary."""
    fields = Fields(row, BENCHMARK, spelled)
    first, final = fields.passed("compile_pass_1"), fields.passed("compile_pass_n")
    diagnostics = row.get("diagnostics")
    return Generation(
        task=fields.text("task_id") or None,
        lane=fields.text("lane"),
        first=first,
        final=final,
        canonical=fields.passed("canonical_pass_1"),
        task_success=fields.passed("task_success"),
        semantic=fields.passed("semantic_task_success"),
        valid_ms=_first_valid(fields, final),
        repairs=fields.count("repair_depth") if final == 1 else math.nan,
        made=fields.count("repair_depth") if final == 1 else fields.count("attempts") - 1,
        stalled=fields.passed("repair_stalled"),
        strictness=fields.passed("strictness_failure"),
        diagnostics=histogram(diagnostics),
    )


def histogram(value: Any) -> dict[str, int] | None:
    """Return counts by class of diagnostics, None where they were not looked at; counts that are none are left out."""
    if not isinstance(value, dict):
        return None
    found: dict[str, int] = {}
    for name, count in value.items():
        known = number(count)
        if known is not None and 0 < known < 2**53:
            category = category_of(str(name))
            found[category] = found.get(category, 0) + int(known)
    return found


def stalled(verdicts: Sequence[float], histograms: Sequence[dict[str, int] | None], fields: Fields) -> float:
    """Return 1 where the task ends invalid and neither of its last two repairs reduced the diagnostics, else 0.

    Fewer than two repairs cannot have stalled. Where the diagnostics were not told the producer's word counts, and
    NaN where there is none.
    """
    if all(map(math.isnan, verdicts)):
        return math.nan
    if any(verdict == 1 for verdict in verdicts) or len(verdicts) < 3:
        return 0.0
    last = [None if counts is None else sum(counts.values()) for counts in histograms[-3:]]
    if None in last:
        return fields.passed("repair_stalled")
    before, between, after = (count or 0 for count in last)
    return float(between >= before and after >= between)


def _any(verdicts: Sequence[float]) -> float:
    return float(any(verdict == 1 for verdict in verdicts))


def _repairs(verdicts: Sequence[float]) -> float:
    """Return the repairs before the first valid output, NaN where none was valid."""
    return next((float(place) for place, verdict in enumerate(verdicts) if verdict == 1), math.nan)


def _first_valid(fields: Fields, final: float) -> float:
    """Return milliseconds to the first valid output, infinity where there was none, NaN where that is not told."""
    told = fields.count("time_to_first_valid_ms")
    if math.isnan(told) and final == 0:
        return math.inf
    return told


def _size(attempts: Sequence[Mapping[str, Any]], verdicts: Sequence[float]) -> float:
    """Return the bytes of code of the first valid output; of all of it where the code was not measured apart."""
    for attempt, verdict in zip(attempts, verdicts, strict=True):
        if verdict == 1:
            for name in ("code_bytes", "output_bytes"):
                found = number(attempt.get(name))
                if found is not None and found > 0:
                    return found
            return math.nan
    return math.nan


def _strictness(attempts: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return whether any output held more than code, and whether the first one held prose or narration."""
    told = [one for attempt in attempts if isinstance(one := attempt.get("strictness"), list)]
    first = attempts[0].get("strictness")
    leaked = float(any(str(flag) in _LEAKS for flag in first)) if isinstance(first, list) else math.nan
    return (float(any(told)) if told else math.nan), leaked


def _speed(fields: Fields, attempts: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return tokens generated and the seconds of generating them, of the attempts that tell both."""
    pairs = [(number(one.get("output_tokens")), number(one.get("generate_ms"))) for one in attempts]
    known = [(tokens, ms) for tokens, ms in pairs if tokens is not None and ms is not None and tokens >= 0 and ms > 0]
    if known:
        return math.fsum(tokens for tokens, _ in known), math.fsum(ms for _, ms in known) / 1000
    spent = [ms for _, ms in pairs if ms is not None and ms > 0]
    seconds = math.fsum(spent) / 1000 if len(spent) == len(attempts) else math.nan
    return fields.count("output_tokens"), seconds


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

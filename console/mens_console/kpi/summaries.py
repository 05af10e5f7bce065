"""Documents of figures that somebody else computed: summaries of scorecards and benchmarks, and bare baselines.

What they tell is kept with the n that they tell; items that they list become generations, which can be paired.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.formats.values import number, visible, wall_of
from mens_console.kpi.fields import Fields
from mens_console.kpi.records import BENCHMARK, histogram, item
from mens_console.kpi.shard import Figure, LaneFigures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.kpi.shard import Shard, Told

SUMMARY: Final = "vox_mens_scorecard_summary_v1"
_CONDITION: Final = (
    ("compile_pass_at_1", "compile_pass_at_1", ""),
    ("compile_pass_at_n", "compile_pass_at_n", ""),
    ("canonical_pass_at_1", "canonical_pass", "of the output that was kept, which need not be the first"),
    ("task_success", "task_success", ""),
    ("semantic_task_success", "semantic_task_success", ""),
    ("repair_stall_rate", "repair_stall_rate", ""),
    ("time_to_first_valid_ms", "time_to_first_valid_p50_ms", "whether tasks that never became valid count is not told"),
    ("repair_depth_mean", "repair_depth_mean", "whether over all tasks or those that pass is not told"),
)
"""By KPI: the field of a condition, and what weakens it."""
_RATES: Final = (
    ("compile_pass_at_1", "compile", "pass_at_1"),
    ("compile_pass_at_n", "compile", "pass_at_n"),
    ("canonical_pass_at_1", "canonical", "pass_at_1"),
    ("task_success", "task", "task_success"),
    ("semantic_task_success", "task", "semantic_task_success"),
    ("repair_stall_rate", "repair", "stall_rate"),
    ("repair_depth_mean", "repair", "depth_mean"),
    ("time_to_first_valid_ms", "speed", "time_to_first_valid_p50_ms"),
    ("serve_tokens_per_sec", "speed", "tokens_per_sec"),
    ("strictness_failure_rate", "strictness", "failure_rate"),
)
"""By KPI: the part of a benchmark summary and the figure in it."""
_BARE: Final = (
    "compile_pass_at_1", "compile_pass_at_n", "canonical_pass_at_1", "task_success", "semantic_task_success",
)  # fmt: skip
BARE_FIELDS: Final = (*_BARE, "time_to_first_valid_p50_ms", "tokens_per_sec")


def scorecard_summary(row: Mapping[str, Any], shard: Shard) -> None:
    """Take the conditions of a scorecard's summary. Raises ValueError where it has none."""
    conditions = objects_in(row.get("conditions"))
    if not conditions:
        raise ValueError("no conditions")
    at = wall_of(row.get("run_started_utc"))
    pack = row.get("prompt_pack_version")
    for condition in conditions:
        fields = Fields(condition, SUMMARY, shard.spelled)
        told = shard.told(fields.text("id") or "(unnamed condition)")
        if told is None:
            continue
        _condition(fields, told, shard.path, math.nan if at is None else at)
        told.also.update(name for name in (fields.text("model_id"),) if name)
        if isinstance(pack, str) and pack:
            told.versions.add(f"prompt pack {visible(pack, 100)}")


def _condition(fields: Fields, told: Told, path: str, at: float) -> None:
    tasks = fields.count("total_tasks")
    n = None if math.isnan(tasks) else int(tasks)
    told.kinds["scorecard summary"] += 1
    told.updated = at
    for kpi, field, reason in _CONDITION:
        _figure(told, kpi, fields.count(field), n, "tasks", path, reason, at)
    strict = fields.count("voxelized_strictness")
    _figure(told, "strictness_failure_rate", 1 - strict, n, "tasks", path, "", at)
    tokens = fields.count("tokens_out_total")
    _figure(told, "whitespace_tokens", tokens, n, "tasks", path, "how they were counted is not told", at, decides=False)


def _figure(
    told: Told,
    kpi: str,
    value: float,
    n: int | None,
    of: str,
    path: str,
    reason: str,
    at: float,
    *,
    decides: bool = True,
) -> None:
    if not math.isnan(value):
        told.figures.append(Figure(kpi, value, n, of, path, reason, decides, at=at))


def benchmark_summary(row: Mapping[str, Any], shard: Shard) -> None:
    """Take a benchmark summary, its items as generations. Raises ValueError where it names no model."""
    subject = row.get("model")
    name = Fields(subject, "", {}).text("id") if isinstance(subject, dict) else ""
    told = shard.told(name) if name else None
    if told is None:
        raise ValueError("no model.id")
    made = wall_of(row.get("created_at"))
    told.updated = at = math.nan if made is None else made
    told.kinds["benchmark summary"] += 1
    told.versions |= _version(row.get("benchmark"))
    run = subject.get("run_id") if isinstance(subject, dict) else None
    told.runs |= {run} if isinstance(run, str) else set()
    for kpi, part, key in _RATES:
        figure = _part(row, part, key)
        if figure is not None:
            _benchmark_figure(told, kpi, figure, shard.path, at, row)
    for one in objects_in(row.get("items")):
        told.rows.add(item(one, shard.spelled))
        told.kinds["item"] += 1
    if not len(told.rows.tasks) and (counts := histogram(row.get("diagnostics"))):
        told.rows.diagnostics.update(counts)
    told.lanes += [lane_figures(lane, shard.path, at) for lane in objects_in(row.get("lanes"))]


def _part(row: Mapping[str, Any], part: str, key: str) -> Mapping[str, Any] | None:
    section = row.get(part)
    figure = section.get(key) if isinstance(section, dict) else None
    return figure if isinstance(figure, dict) else None


def _benchmark_figure(
    told: Told, kpi: str, figure: Mapping[str, Any], path: str, at: float, row: Mapping[str, Any]
) -> None:
    value, n = number(figure.get("value")), number(figure.get("n"))
    if value is None or not math.isfinite(value):
        return
    reason, decides = "", True
    if kpi == "serve_tokens_per_sec":
        speed = row.get("speed")
        tokenizer = str(speed.get("tokenizer", "unknown")) if isinstance(speed, dict) else "unknown"
        decides = tokenizer == "model"
        reason = "" if decides else f"tokens counted by {visible(tokenizer, 40)}, not by the model's own tokenizer"
    told.figures.append(
        Figure(
            kpi,
            value,
            None if n is None or n < 0 else int(n),
            "requests" if kpi == "serve_tokens_per_sec" else "tasks",
            path,
            reason,
            decides,
            interval_of(figure.get("interval")),
            visible(str(figure.get("method") or ""), 100),
            at,
        )
    )


def interval_of(value: Any) -> tuple[float, float] | None:
    """Return the two ends of an interval that a document tells."""
    if isinstance(value, list) and len(value) == 2:
        low, high = number(value[0]), number(value[1])
        if low is not None and high is not None and low <= high:
            return low, high
    return None


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none of anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _version(benchmark: Any) -> set[str]:
    if not isinstance(benchmark, dict):
        return set()
    fields = Fields(benchmark, "", {})
    words = [fields.text("name"), fields.text("version"), fields.text("digest")[:12]]
    return {" ".join(word for word in words if word)} - {""}


def lane_figures(row: Mapping[str, Any], path: str, at: float) -> LaneFigures:
    """Return the figures of one lane that a summary tells."""
    fields = Fields(row, "", {})
    figures = {}
    for name in ("leakage", "compactness_loss", "repair_burden"):
        part = row.get(name)
        value = number(part.get("value")) if isinstance(part, dict) else None
        if isinstance(part, dict) and value is not None and math.isfinite(value):
            n = number(part.get("n"))
            figures[name] = Figure(
                name, value, None if n is None else int(n), "", path, interval=interval_of(part.get("interval")), at=at
            )
    count = fields.count("n")
    return LaneFigures(fields.text("lane"), fields.text("blend"), 0 if math.isnan(count) else int(count), figures)


def baseline(row: Mapping[str, Any], shard: Shard, model: str) -> None:
    """Take a flat document of figures without n, such as a baseline. Raises ValueError where it holds none."""
    fields = Fields(row, BENCHMARK, shard.spelled)
    if not any(fields.has(name) for name in BARE_FIELDS):
        raise ValueError("no figure of a KPI is in it")
    told = shard.told(fields.text("model") or fields.text("correlation_id") or model)
    if told is None:
        return
    made = wall_of(row.get("captured_at_utc", row.get("created_at")))
    told.updated = at = math.nan if made is None else made
    told.kinds["baseline"] += 1
    tasks = next((fields.count(name) for name in ("n", "total_tasks", "tasks") if fields.has(name)), math.nan)
    n = None if math.isnan(tasks) else int(tasks)
    for kpi in _BARE:
        _figure(told, kpi, fields.count(kpi), n, "tasks", shard.path, "", at)
    _figure(told, "time_to_first_valid_ms", fields.count("time_to_first_valid_p50_ms"), n, "tasks", shard.path, "", at)
    speed = fields.count("tokens_per_sec")
    reason = "how tokens were counted is not told"
    _figure(told, "serve_tokens_per_sec", speed, n, "requests", shard.path, reason, at, decides=False)

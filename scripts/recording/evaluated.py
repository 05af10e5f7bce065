"""What an evaluation leaves beside its events: a benchmark summary a model, and the summary of a scorecard.

Computed from the events that the recorder wrote, and from a few marks of the outputs. Neither repeats the tasks one by
one: these are in the events, and would be counted twice.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mens_contracts.benchmark import BenchmarkSummary
from mens_contracts.scorecard import EVENT_SCHEMA_ID, ScorecardEvent, ScorecardSummary

Event = dict[str, Any]


@dataclass(frozen=True)
class Marks:
    """Marks of an output: how often it says that something is left to do, and its distinct tokens per token."""

    placeholders: int
    richness: float

    @classmethod
    def of(cls, tokens: Sequence[str]) -> Marks:
        """Count them in an output's tokens."""
        said = sum(token.lower().strip("# ") in PLACEHOLDERS for token in tokens)
        return cls(said, round(len(set(tokens)) / max(len(tokens), 1), 3))


PLACEHOLDERS = ("todo", "pass", "...", "notimplemented")


def read(path: Path) -> list[Event]:
    """Return the events of a file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(
    folder: Path, events: Sequence[Event], marks: Sequence[Marks], name: str, version: str, items: Sequence[str]
) -> None:
    """Write all documents of one evaluation into its folder; `marks` are those of each event's last output."""
    models = sorted({event["model"] for event in events})
    digest = hashlib.sha256("\n".join(items).encode()).hexdigest()
    rows = [_row(event, marked) for event, marked in zip(events, marks, strict=True)]
    conditions = []
    for model in models:
        own = [event for event in events if event["model"] == model]
        summary = _benchmark(model, own, {"name": name, "version": version, "digest": digest, "tasks": len(items)})
        _save(folder / f"benchmark-{model}.json", BenchmarkSummary.model_validate(summary).model_dump(by_alias=True))
        conditions.append(_condition(model, [row for row in rows if row["condition_id"] == model]))
    card = {
        "schema": "vox_mens_scorecard_summary_v1",
        "schema_version": 1,
        "prompt_pack_version": f"{name}-{version}",
        "git_sha": digest[:12],
        "run_started_utc": events[0]["ts"],
        "spec_path": "scripts/recording/functions.py",
        "kpi_contract_alignment": {
            "runtime_generation_kpi_schema": "vox_runtime_generation_kpi_v1",
            "mens_scorecard_event_schema_id": EVENT_SCHEMA_ID,
        },
        "conditions": conditions,
    }
    ScorecardSummary.model_validate(card)
    _save(folder / "summary.json", card)


def _save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _rate(events: Sequence[Event], passed: Callable[[Event], bool | None]) -> dict[str, Any]:
    known = [found for event in events if (found := passed(event)) is not None]
    return {"value": sum(known) / len(known) if known else None, "n": len(known), "passed": sum(known)}


def _figure(values: Sequence[float], unit: str, share: float | None = None) -> dict[str, Any]:
    """Return a mean, or the smallest value that a share of them does not exceed."""
    if not values:
        return {"value": None, "n": 0, "unit": unit}
    ordered = sorted(values)
    value = (
        statistics.fmean(values) if share is None else ordered[max(-(-round(share * 100) * len(values) // 100), 1) - 1]
    )
    return {"value": round(value, 4), "n": len(values), "unit": unit}


def _benchmark(model: str, events: Sequence[Event], benchmark: dict[str, Any]) -> dict[str, Any]:
    valid = [event["time_to_first_valid_ms"] for event in events if event["compile_pass"]]
    seconds = sum(row["generate_ms"] for event in events for row in event["attempts"]) / 1000
    tokens = sum(event["output_tokens"] for event in events)
    diagnostics: Counter[str] = Counter()
    for event in events:
        diagnostics.update(event["attempts"][0]["diagnostics"] or {})
    samples = len(events) // benchmark["tasks"]
    return {
        "schema": "mens_benchmark_summary_v1",
        "created_at": events[-1]["ts"],
        "benchmark": {**benchmark, "samples": samples, "max_attempts": events[0]["max_attempts"]},
        "model": {"id": model},
        "compile": {
            "pass_at_1": _rate(events, lambda event: event["attempts"][0]["compile_pass"]),
            "pass_at_n": _rate(events, lambda event: event["compile_pass"]),
        },
        "canonical": {"pass_at_1": _rate(events, _canonical_at_1)},
        "task": {
            "task_success": _rate(events, lambda event: event["task_success"]),
            "semantic_task_success": _rate(events, lambda event: event["semantic_task_success"]),
        },
        "repair": {
            "depth_mean": _figure([len(e["attempts"]) - 1.0 for e in events if e["compile_pass"]], "repairs"),
            "stall_rate": _rate(events, lambda event: bool(event["repair_stalled"])),
        },
        "speed": {
            "time_to_first_valid_p50_ms": _figure(valid, "ms", 0.5),
            "time_to_first_valid_p95_ms": _figure(valid, "ms", 0.95),
            "latency_p50_ms": _figure([event["duration_ms"] for event in events], "ms", 0.5),
            "latency_p95_ms": _figure([event["duration_ms"] for event in events], "ms", 0.95),
            "tokens_per_sec": {"value": round(tokens / seconds, 1), "n": tokens, "unit": "tokens/s"},
            "tokenizer": "model",
        },
        "strictness": {
            "failure_rate": _rate(events, lambda event: any(row["strictness"] for row in event["attempts"]))
        },
        "diagnostics": dict(diagnostics),
        "sources": ["generation-events.jsonl"],
    }


def _canonical_at_1(event: Event) -> bool:
    return bool(event["attempts"][0]["compile_pass"] and event["attempts"][0]["canonical_pass"])


def _row(event: Event, marked: Marks) -> dict[str, Any]:
    last = event["attempts"][-1]
    first_valid = event["time_to_first_valid_ms"]
    row = {
        "condition_id": event["model"],
        "backend": "other",
        "task_id": event["task_id"],
        "attempts": len(event["attempts"]),
        "compile_pass_1": event["attempts"][0]["compile_pass"],
        "compile_pass_n": event["compile_pass"],
        "repair_depth": len(event["attempts"]) - 1 if event["compile_pass"] else None,
        "canonical_pass": bool(last["canonical_pass"]),
        "voxelized_strictness": not last["strictness"],
        "task_success": bool(event["task_success"]),
        "semantic_task_success": bool(event["semantic_task_success"]),
        "hir_error_count": sum((last["diagnostics"] or {}).values()),
        "latency_ms": round(event["duration_ms"]),
        "time_to_first_valid_ms": None if first_valid is None else round(first_valid),
        "repair_stalled": bool(event["repair_stalled"]),
        "tokens_in": event["prompt_tokens"],
        "tokens_out": event["output_tokens"],
        "placeholder_marker_hits": marked.placeholders,
        "trivial_placeholder_output": last["output_bytes"] < 20,
        "construct_richness_score": marked.richness,
        "anti_stub_pass": not marked.placeholders,
    }
    ScorecardEvent.model_validate(row)
    return row


def _condition(model: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def share(name: str) -> float:
        return sum(row[name] for row in rows) / len(rows)

    latencies = [float(row["latency_ms"]) for row in rows]
    depths = [float(row["repair_depth"]) for row in rows if row["repair_depth"] is not None]
    valid = [float(row["time_to_first_valid_ms"]) for row in rows if row["time_to_first_valid_ms"] is not None]
    return {
        "id": model,
        "label": f"n-gram of order {model[-1]}",
        "backend": "other",
        "model_id": model,
        "total_tasks": len(rows),
        "compile_pass_at_1": share("compile_pass_1"),
        "compile_pass_at_n": share("compile_pass_n"),
        "canonical_pass": share("canonical_pass"),
        "voxelized_strictness": share("voxelized_strictness"),
        "task_success": share("task_success"),
        "semantic_task_success": share("semantic_task_success"),
        "repair_depth_mean": statistics.fmean(depths),
        "repair_stall_rate": share("repair_stalled"),
        "time_to_first_valid_p50_ms": round(statistics.median(valid)),
        "latency_p50_ms": round(statistics.median(latencies)),
        "latency_p95_ms": round(_figure(latencies, "ms", 0.95)["value"]),
        "tokens_in_total": sum(row["tokens_in"] for row in rows),
        "tokens_out_total": sum(row["tokens_out"] for row in rows),
        "placeholder_hits_total": sum(row["placeholder_marker_hits"] for row in rows),
        "placeholder_event_rate": sum(row["placeholder_marker_hits"] > 0 for row in rows) / len(rows),
        "trivial_placeholder_rate": share("trivial_placeholder_output"),
        "construct_richness_mean": share("construct_richness_score"),
        "anti_stub_pass_rate": share("anti_stub_pass"),
    }

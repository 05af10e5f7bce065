"""Events as the recorder writes them, in a few words, and files of them."""

import json


def attempt(number, start=0.0, *, ok=True, diagnostics=None, ms=100.0, tokens=10, size=100, strictness=(), **more):
    return {
        "attempt": number,
        "start_ms": start,
        "generate_ms": ms,
        "validate_ms": 0.0,
        "duration_ms": ms,
        "output_tokens": tokens,
        "output_bytes": size,
        "code_bytes": size,
        "compile_pass": ok,
        "canonical_pass": ok,
        "diagnostics": diagnostics if diagnostics is not None else ({} if ok else {"type_mismatch": 1}),
        "strictness": list(strictness),
        **more,
    }


def event(task, *attempts, model="m", ts="2026-03-01T12:00:00+00:00", **more):
    rows = list(attempts) or [attempt(1)]
    spent = sum(row["duration_ms"] for row in rows)
    ok = rows[-1]["compile_pass"]
    return {
        "schema": "mens_generation_event_v1",
        "schema_version": 1,
        "ts": ts,
        "id": f"{model}-{task}",
        "surface": "eval",
        "model": model,
        "task_id": task,
        "lane": "code",
        "validate_requested": True,
        "attempts": rows,
        "duration_ms": spent,
        "time_to_first_valid_ms": spent if ok else None,
        "success": bool(ok),
        "compile_pass": ok,
        "repair_stalled": None,
        "tokenizer": "model",
        **more,
    }


def failing(*counts, **more):
    """Return the attempts of a task that never becomes valid, with so many diagnostics each."""
    return [attempt(i + 1, ok=False, diagnostics={"type_mismatch": n}, **more) for i, n in enumerate(counts)]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def runtime(**more):
    return {
        "schema": "vox_runtime_generation_kpi_v1",
        "schema_version": 1,
        "surface": "vox-cli",
        "success": True,
        "validate_requested": True,
        "compile_pass": True,
        "canonical_pass": True,
        "attempts": 1,
        "repair_stalled": False,
        "time_to_first_valid_ms": 40,
        "output_tokens": 20,
        "surface_contract_failures": 0,
        **more,
    }


def scored(task, condition="qlora", **more):
    return {
        "condition_id": condition,
        "backend": "qlora",
        "task_id": task,
        "attempts": 1,
        "compile_pass_1": True,
        "compile_pass_n": True,
        "repair_depth": 0,
        "canonical_pass": True,
        "voxelized_strictness": True,
        "task_success": True,
        "semantic_task_success": True,
        "hir_error_count": 0,
        "latency_ms": 50,
        "time_to_first_valid_ms": 50,
        "repair_stalled": False,
        "tokens_in": 12,
        "tokens_out": 18,
        "placeholder_marker_hits": 0,
        "trivial_placeholder_output": False,
        "construct_richness_score": 0.4,
        "anti_stub_pass": True,
        **more,
    }


def summary(**more):
    condition = {
        "id": "qlora",
        "label": "fixture",
        "backend": "qlora",
        "model_id": "Q/4B",
        "total_tasks": 200,
        "compile_pass_at_1": 0.9,
        "compile_pass_at_n": 0.95,
        "canonical_pass": 0.85,
        "voxelized_strictness": 0.99,
        "task_success": 0.8,
        "semantic_task_success": 0.82,
        "repair_depth_mean": 0.1,
        "repair_stall_rate": 0.02,
        "time_to_first_valid_p50_ms": 60,
        "tokens_out_total": 60,
        **more,
    }
    return {
        "schema": "vox_mens_scorecard_summary_v1",
        "schema_version": 1,
        "prompt_pack_version": "pack-1",
        "git_sha": "abc",
        "run_started_utc": "2026-03-27T12:00:00Z",
        "spec_path": "spec.json",
        "conditions": [condition],
    }

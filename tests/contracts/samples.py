"""One right object of each contract of rows."""

KPI = {
    "schema": "vox_runtime_generation_kpi_v1", "schema_version": 1, "surface": "mcp", "success": True,
    "validate_requested": True, "compile_pass": True, "canonical_pass": None, "attempts": 2, "repair_stalled": False,
    "time_to_first_valid_ms": 812, "output_tokens": 40, "surface_contract_failures": 0,
}  # fmt: skip
SCORECARD_ROW = {
    "condition_id": "a", "backend": "qlora", "task_id": "t", "attempts": 1, "compile_pass_1": True,
    "compile_pass_n": True, "canonical_pass": True, "voxelized_strictness": True, "task_success": True,
    "semantic_task_success": False, "hir_error_count": 0, "latency_ms": 5, "repair_stalled": False, "tokens_in": 1,
    "tokens_out": 2, "placeholder_marker_hits": 0, "trivial_placeholder_output": False,
    "construct_richness_score": 0.4, "anti_stub_pass": True,
}  # fmt: skip
ATTEMPT = {
    "ts": "2026-01-31T14:32:01.234Z", "run_id": "25K_20260131_143200", "persona_id": "7", "stage": "B", "attempt": 1,
    "status": "repair", "latency_ms": 1250, "prompt_tokens": 450, "completion_tokens": 320,
    "repairs": ["trait_leak"], "validator_scores": {"pollyanna": 0.7, "trait_leak": 0},
    "opening_move": "situational_hook", "constraint_categories": [], "anchors_used": ["piața din Cahul"],
    "error": None,
}  # fmt: skip
EVENT = {
    "schema": "mens_generation_event_v1", "schema_version": 1, "ts": "2026-01-31T14:32:01.234+00:00", "id": "e1",
    "surface": "mcp", "model": "m", "task_id": "t1", "lane": "code", "validate_requested": True, "max_attempts": 3,
    "attempts": [
        {
            "attempt": 1, "start_ms": 0.0, "generate_ms": 700.5, "validate_ms": 20.0, "duration_ms": 720.5,
            "output_tokens": 40, "compile_pass": False, "diagnostics_before": None,
            "diagnostics": {"type_mismatch": 2}, "strictness": ["markdown_fence"],
        },
        {
            "attempt": 2, "start_ms": 721.0, "generate_ms": 600.0, "validate_ms": 20.0, "duration_ms": 620.0,
            "output_tokens": 38, "compile_pass": True, "diagnostics_before": {"type_mismatch": 2},
            "diagnostics": {}, "strictness": [],
        },
    ],
    "duration_ms": 1341.0, "time_to_first_valid_ms": 1341.0, "success": True, "compile_pass": True,
    "canonical_pass": None, "task_success": True, "semantic_task_success": None, "repair_stalled": None,
    "tokenizer": "model", "output_tokens": 78,
}  # fmt: skip

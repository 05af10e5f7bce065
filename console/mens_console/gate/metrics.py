"""Every metric that a criterion may name: unit, direction, kind and tier. Readers deliver evidence by these ids."""

from __future__ import annotations

from typing import Final

from mens_console.gate.types import Metric

PERFORMANCE, QUALITY, RELIABILITY, ENGINEERING = "performance", "quality", "reliability", "engineering"
EVALUATION, PRODUCT, GENERATION, PIPELINE = "evaluation", "product", "generation", "pipeline"

_PERFORMANCE: Final = (
    Metric("throughput_single", "Throughput on one GPU, batch 1", PERFORMANCE, "tokens/s", "higher", "mean",
           definition="generated tokens a second over five runs of 1000 tokens, batch 1"),
    Metric("throughput_gpus_2", "Throughput on 2 GPUs", PERFORMANCE, "tokens/s", "higher", "mean"),
    Metric("throughput_gpus_4", "Throughput on 4 GPUs", PERFORMANCE, "tokens/s", "higher", "mean"),
    Metric("throughput_batch_4", "Throughput, batch 4", PERFORMANCE, "tokens/s", "higher", "mean"),
    Metric("throughput_batch_8", "Throughput, batch 8", PERFORMANCE, "tokens/s", "higher", "mean"),
    Metric("throughput_batch_16", "Throughput, batch 16", PERFORMANCE, "tokens/s", "higher", "mean"),
    Metric("ttft_p50", "Time to first token, P50", PERFORMANCE, "ms", "lower", "quantile", 0.5),
    Metric("ttft_p99", "Time to first token, P99", PERFORMANCE, "ms", "lower", "quantile", 0.99),
    Metric("itl_p50", "Gap between tokens, P50", PERFORMANCE, "ms", "lower", "quantile", 0.5,
           definition="raw gaps between streamed tokens, never means per request"),
    Metric("itl_p99", "Gap between tokens, P99", PERFORMANCE, "ms", "lower", "quantile", 0.99),
    Metric("gpu_memory_peak", "Peak GPU memory", PERFORMANCE, "GB", "lower", "value", definition="10⁹ bytes"),
    Metric("context_tokens", "Context length that holds", PERFORMANCE, "tokens", "higher", "value",
           definition="longest rung with at most 5 % loss on its retrieval task and its limit on ms a token"),
)  # fmt: skip
_QUALITY: Final = (
    Metric("mmlu", "MMLU, 5-shot", QUALITY, "%", "higher", "share"),
    Metric("hellaswag", "HellaSwag, 0-shot", QUALITY, "%", "higher", "share"),
    Metric("arc_easy", "ARC Easy, 0-shot", QUALITY, "%", "higher", "share"),
    Metric("mmlu_loss", "MMLU lost to quantization", QUALITY, "points", "lower", "value"),
    Metric("hellaswag_loss", "HellaSwag lost to quantization", QUALITY, "points", "lower", "value"),
    Metric("arc_easy_loss", "ARC Easy lost to quantization", QUALITY, "points", "lower", "value"),
    Metric("quantization_loss", "Mean relative quantization loss", QUALITY, "%", "lower", "mean",
           definition="mean over three benchmarks or more of (baseline − quantized) / baseline"),
    Metric("qlora_degradation", "Degradation by QLoRA", QUALITY, "points", "lower", "value"),
)  # fmt: skip
_RELIABILITY: Final = (
    Metric(
        "uptime",
        "Uptime over the soak",
        RELIABILITY,
        "%",
        "higher",
        "share",
        definition="the worse of probe and request availability",
    ),
    Metric("error_rate", "Error rate", RELIABILITY, "%", "lower", "share", definition="errors and timeouts over 60 s"),
    Metric("failures_72h", "Failures in the stress test", RELIABILITY, "failures", "lower", "count"),
    Metric("soak_hours", "Length of the stress test", RELIABILITY, "h", "higher", "value"),
    Metric("mtbf_lower_bound", "MTBF, 95 % lower bound", RELIABILITY, "h", "higher", "bound"),
)
_ENGINEERING: Final = (
    Metric("coverage", "Code coverage", ENGINEERING, "%", "higher", "share"),
    Metric("documented", "Documented public APIs", ENGINEERING, "%", "higher", "share"),
    Metric("complexity", "Mean cyclomatic complexity", ENGINEERING, "per function", "lower", "mean"),
    Metric("tests_failed", "Failed tests", ENGINEERING, "tests", "lower", "count"),
    Metric("tests_run", "Tests run", ENGINEERING, "tests", "higher", "count"),
)
_SHARES: Final = (
    ("json_validity", "JSON validity"), ("schema_match", "Schema match"), ("tool_selection", "Tool selection"),
    ("argument_correctness", "Argument correctness"), ("chaining_consistency", "Chaining consistency"),
    ("sim_pass", "End-to-end simulation"), ("lint", "Lint"), ("ast_structure", "AST structure"), ("naming", "Naming"),
    ("template_conformance", "Template conformance"), ("type_check", "Compile or type check"),
    ("refusal_accuracy", "Refusal accuracy"), ("benign_compliance", "Benign compliance"),
    ("stability", "Valid responses"),
)  # fmt: skip
_EVALUATION: Final = (
    *(Metric(name, title, EVALUATION, "%", "higher", "share") for name, title in _SHARES),
    Metric("false_acceptance", "False acceptance", EVALUATION, "%", "lower", "share"),
    Metric("plan_minimality", "Steps over gold", EVALUATION, "steps", "lower", "mean"),
    Metric("forbidden_patterns", "Forbidden patterns", EVALUATION, "findings", "lower", "count"),
    Metric("weighted_score", "Weighted score", EVALUATION, "%", "higher", "value"),
    Metric("quantization_drop", "Drop after quantization", EVALUATION, "points", "lower", "value"),
    Metric("regression", "Lost against the last shipped adapter", EVALUATION, "points", "lower", "value"),
)
_PRODUCT: Final = (
    Metric("compile_pass_at_1", "CompilePass@1", PRODUCT, "%", "higher", "share", tier=1),
    Metric("compile_pass_at_n", "CompilePass@N", PRODUCT, "%", "higher", "share", tier=1),
    Metric("canonical_pass_at_1", "CanonicalPass@1", PRODUCT, "%", "higher", "share", tier=1),
    Metric("task_success", "TaskSuccess", PRODUCT, "%", "higher", "share", tier=1),
    Metric("time_to_first_valid", "TimeToFirstValid, median", PRODUCT, "ms", "lower", "quantile", 0.5, tier=1),
    Metric("serve_tokens_per_sec", "ServeTokensPerSec", PRODUCT, "tokens/s", "higher", "mean", tier=1),
    Metric("repair_stall_rate", "RepairStallRate", PRODUCT, "%", "lower", "share", tier=1),
    Metric("repair_depth_mean", "RepairDepthMean", PRODUCT, "repairs", "lower", "mean", tier=2),
    Metric("strictness_failure_rate", "StrictnessFailureRate", PRODUCT, "%", "lower", "share", tier=2, demoted=True),
    Metric("val_loss_last_epoch", "ValLossLastEpoch", PRODUCT, "nats", "lower", "value", tier=2),
    Metric("no_supervised_skip_rate", "NoSupervisedSkipRate", PRODUCT, "%", "lower", "share", tier=2),
    Metric("truncation_fraction", "TruncationFraction", PRODUCT, "%", "lower", "share", tier=2),
    Metric("train_loss", "Train loss", PRODUCT, "nats", "lower", "value", tier=3, demoted=True),
    Metric("validation_loss", "Validation loss", PRODUCT, "nats", "lower", "value", tier=3, demoted=True),
    Metric("corpus_parse_rate", "Corpus parse rate", PRODUCT, "%", "higher", "share", tier=3),
    Metric("construct_coverage", "Construct coverage", PRODUCT, "%", "higher", "share", tier=3, demoted=True),
    Metric("whitespace_tokens", "Whitespace tokens", PRODUCT, "tokens", "higher", "value", tier=3),
    Metric("quality_proxy", "quality_proxy", PRODUCT, "share", "higher", "value", tier=3, demoted=True),
)
_GENERATION: Final = (
    Metric("health_repair_rate", "Repair rate", GENERATION, "%", "lower", "share"),
    Metric("health_repair_trend", "Repair-rate trend", GENERATION, "points/batch", "lower", "slope"),
    Metric("health_opening_entropy", "Opening entropy", GENERATION, "nats", "higher", "value"),
    Metric("health_pollyanna", "Pollyanna score", GENERATION, "score", "lower", "mean"),
    Metric("health_anchor_diversity", "Anchor diversity", GENERATION, "anchors/attempt", "higher", "value"),
    Metric("health_latency_change", "Mean latency against the baseline", GENERATION, "%", "lower", "value"),
    Metric("health_drift", "Drift reasons", GENERATION, "reasons", "lower", "count"),
)
_PIPELINE: Final = (
    Metric("stages_open", "Stages that are not done", PIPELINE, "stages", "lower", "count",
           definition="of those that were begun; done is measured, exit code 0 alone is not"),
    Metric("stages_done", "Stages that are done", PIPELINE, "stages", "higher", "count"),
)  # fmt: skip

METRICS: Final = {
    one.id: one
    for one in (
        *_PERFORMANCE, *_QUALITY, *_RELIABILITY, *_ENGINEERING, *_EVALUATION, *_PRODUCT, *_GENERATION, *_PIPELINE,
    )
}  # fmt: skip
"""By id. A criterion that names any other does not pass the linter."""

_TESTS: Final = frozenset({"tests_failed", "tests_run"})
_STAGES: Final = frozenset({"stages_open", "stages_done"})
GIVEN_BY: Final = {
    "junit": _TESTS, "mens-stage": _STAGES, "coverage.py": frozenset({"coverage"}), "radon": frozenset({"complexity"}),
    **dict.fromkeys(("interrogate", "sphinx"), frozenset({"documented"})),
    **dict.fromkeys(("locust", "k6"), frozenset({"error_rate"})),
    **dict.fromkeys(("gpu-memory", "nvidia-smi", "torch-memory", "mens-nvml-trace"), frozenset({"gpu_memory_peak"})),
}  # fmt: skip
"""All that files of a kind can give, for the kinds that give little: what one of them hides concerns nothing else."""

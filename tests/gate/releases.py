"""A whole release's evidence as its tools write it, all of it good."""

import copy
import json
import time

from contracts.load_samples import BENCH, SOAK

RUNS = {(1, 1): 122.0, (4, 1): 182.0, (8, 1): 222.0, (16, 1): 252.0, (1, 2): 203.0, (1, 4): 322.0}
"""Tokens/s by batch and GPUs."""


def bench(now):
    document = copy.deepcopy(BENCH) | {"started": now - 7200, "ended": now - 3600}
    template = document["throughput"][0]
    document["throughput"] = [
        template
        | {
            "batch": batch,
            "gpus": gpus,
            "runs": [mean - 1, mean - 0.5, mean, mean + 0.5, mean + 1],
            "mean": mean,
            "sd": 0.79,
        }
        for (batch, gpus), mean in RUNS.items()
    ]
    counts = [[70.0, 500], [95.0, 499], [110.0, 1]]
    document["latency"][0]["requests"] = 1000
    document["latency"][0]["ttft_ms"] = {"n": 1000, "p50": 70.0, "p95": 95.0, "p99": 95.0, "counts": counts}
    return document


def soak(now):
    document = copy.deepcopy(SOAK) | {"started": now - 263_000, "ended": now - 3800}
    document["minutes"] = []
    return document


def lmeval(mmlu, hellaswag, arc, *, quantized=False):
    def task(name, value, shots, size):
        return {name: {"alias": name, "acc,none": value, "acc_stderr,none": 0.004, "acc_norm,none": value}}, shots, size

    tasks = [task("mmlu", mmlu, 5, 14_042), task("hellaswag", hellaswag, 0, 10_042), task("arc_easy", arc, 0, 2376)]
    arguments = "pretrained=meta-llama/llama-7b" + (",load_in_4bit=True" if quantized else "")
    return {
        "results": {name: scores for told, _, _ in tasks for name, scores in told.items()},
        "versions": {"mmlu": 2, "hellaswag": 1, "arc_easy": 1},
        "n-shot": {name: shots for told, shots, _ in tasks for name in told},
        "n-samples": {name: {"original": size, "effective": size} for told, _, size in tasks for name in told},
        "config": {"model": "hf", "model_args": arguments},
        "date": time.time() - 3600,
    }


COVERAGE = {
    "meta": {"format": 3, "version": "7.6.1"},
    "files": {"a.py": {"summary": {"num_statements": 1000, "covered_lines": 930, "percent_covered": 93.0}}},
    "totals": {"num_statements": 1000, "covered_lines": 930, "missing_lines": 70, "percent_covered": 93.0},
}
RADON = {"a.py": [{"type": "function", "name": f"f{i}", "complexity": 3, "lineno": i} for i in range(10)]}
JUNIT = (
    '<?xml version="1.0"?><testsuites><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="2">'
    '<testcase classname="t" name="a" time="0.1"/><testcase classname="t" name="b" time="0.1"/>'
    "</testsuite></testsuites>"
)


def write(folder):
    """Write a release's evidence into `folder`; return the names of its files."""
    now = time.time()
    documents = {
        "bench.json": bench(now),
        "soak.json": soak(now),
        "fp32/results.json": lmeval(0.725, 0.785, 0.953),
        "int4/results.json": lmeval(0.718, 0.780, 0.948, quantized=True),
        "qlora/results.json": lmeval(0.716, 0.779, 0.947, quantized=True),
        "coverage.json": COVERAGE,
        "radon_cc.json": RADON,
    }
    texts = {name: json.dumps(document) for name, document in documents.items()}
    texts |= {"junit.xml": JUNIT, "interrogate.txt": "RESULT: PASSED (minimum: 80.0%, actual: 100.0%)\n"}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return sorted(texts)

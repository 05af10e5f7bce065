"""Minimal documents in the shapes of tools that are too heavy to run in a test, and a folder to gather them from."""

import json

from mens_console.gate.evidence import gather

NOW = 1_900_000_000.0


def vllm(**more):
    """A result of `vllm bench serve` on one stream; its time is what its tokens took at its rate."""
    took = {"duration": 12_000 / more.get("output_throughput", 121.5) if more.get("output_throughput", 1) else 60.0}
    return {
        "date": "20261121-055530", "endpoint_type": "openai", "model_id": "llama", "num_prompts": 100,
        "request_rate": "inf", "max_concurrency": 1, "completed": 100, "failed": 0,
        "total_output_tokens": 12_000, "output_throughput": 121.5, "mean_ttft_ms": 80.0, "median_ttft_ms": 78.0,
        "std_ttft_ms": 9.0, "p99_ttft_ms": 121.0, "mean_tpot_ms": 24.0, "median_tpot_ms": 24.0, "p99_tpot_ms": 25.0,
        "mean_itl_ms": 24.0, "median_itl_ms": 23.0, "std_itl_ms": 4.0, "p99_itl_ms": 46.0,
    } | took | more  # fmt: skip


def spread(p50, p99, count, **more):
    return {"mean": p50, "count": count, "percentiles": {"p50": p50, "p99": p99, "p999": p99}} | more


def guidellm(done=100, errored=0, streams=1, **metrics):
    """A file of guidellm 0.8 with one benchmark; errored latencies are 0.0 in it."""
    zero = spread(0.0, 0.0, errored)
    measured = {
        "request_totals": {"successful": done, "errored": errored, "incomplete": 0, "total": done + errored},
        "time_to_first_token_ms": {
            "successful": spread(81.0, 122.0, done),
            "errored": zero,
            "total": spread(0, 122, 1),
        },
        "inter_token_latency_ms": {"successful": spread(23.0, 24.0, done), "errored": zero},
        "output_tokens_per_second": {"successful": {"mean": 119.0, "count": done}, "errored": zero},
    } | metrics
    benchmark = {
        "config": {"strategy": {"type_": "concurrent", "streams": streams}}, "metrics": measured, "end_time": 1.8e9,
        "requests": {"successful": None},
    }  # fmt: skip
    return {"metadata": {"guidellm_version": "0.8.1"}, "benchmarks": [benchmark]}


def aiperf(done=200, errors=0, **more):
    """The summary that aiperf writes."""
    return {
        "request_count": {"unit": "requests", "avg": float(done)},
        "time_to_first_token": {"unit": "ms", "avg": 80.0, "p50": 79.0, "p99": 140.0, "count": done},
        "inter_chunk_latency": {"unit": "ms", "avg": 21.0, "p50": 20.0, "p99": 48.0, "count": done * 99},
        "inter_token_latency": {"unit": "ms", "avg": 21.0, "p50": 21.0, "p99": 22.0, "count": done},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 118.0},
        "error_summary": [{"error_details": {"code": 500}, "count": errors}] if errors else [],
        "input_config": {"endpoint": {"model_names": ["llama"]}, "loadgen": {"concurrency": 1}},
        "end_time": "2026-10-17T20:22:24+00:00",
    } | more  # fmt: skip


def record(gaps, ttft=50.0, unit="ms", **more):
    """A line of aiperf's `profile_export.jsonl`."""
    return {
        "metadata": {"request_start_ns": 1_759_813_207_532_900_363, "request_end_ns": 1_759_813_207_838_764_604,
                     "benchmark_phase": "profiling", "was_cancelled": False},
        "metrics": {"time_to_first_token": {"value": ttft, "unit": unit},
                    "inter_chunk_latency": {"value": gaps, "unit": unit}},
        "error": None,
    } | more  # fmt: skip


FAILED = {"error": {"code": 500, "type": "x", "message": "y"}, "metrics": {"error_isl": {"value": 1, "unit": "tokens"}}}


def k6(passes, fails, nested=False):
    """The summary of k6: a failed request is a pass of `http_req_failed`."""
    rate = passes / (passes + fails) if passes + fails else 0
    block = {"passes": passes, "fails": fails}
    block = {"type": "rate", "values": block | {"rate": rate}} if nested else block | {"value": rate}
    return {"metrics": {"http_req_failed": block, "http_reqs": {"count": passes + fails}}}


def write(folder, name, document):
    """Write a document, a text or bytes, and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(document, bytes):
        path.write_bytes(document)
    else:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def read(folder, **documents):
    """Write documents (`name__json=` is name.json) and gather the folder."""
    for name, document in documents.items():
        write(folder, name.replace("__", "."), document)
    return gather([str(folder)], now=NOW)


def values(manifest, metric=None):
    """Return {metric: value} of a manifest, or the list of one metric's values."""
    if metric is not None:
        return [one.value for one in manifest.items if one.metric == metric]
    return {one.metric: one.value for one in manifest.items}


def only(manifest, metric):
    """Return the one item of a metric."""
    (item,) = [one for one in manifest.items if one.metric == metric]
    return item

"""Files in the shapes of load tools, small enough to count by hand; times begin at `BEGUN`."""

import json

BEGUN = 1_760_000_000


def record(at, *, ttft=50.0, gaps=(20.0, 30.0), e2e=None, error=None, unit="ms", tokens=None, **meta):
    """Return a record of aiperf: sent `at` seconds after the beginning."""
    took = ttft + sum(gaps) if e2e is None else e2e
    sent = int((BEGUN + at) * 1e9)
    metadata = {
        "request_start_ns": sent, "request_end_ns": sent + int(took * 1e6), "benchmark_phase": "profiling",
        "was_cancelled": False,
    }  # fmt: skip
    if error is not None:
        return {"metadata": metadata | meta, "metrics": {"error_isl": {"value": 1, "unit": "tokens"}}, "error": error}
    metrics = {
        "time_to_first_token": {"value": ttft, "unit": unit},
        "inter_chunk_latency": {"value": list(gaps), "unit": unit},
        "inter_token_latency": {"value": sum(gaps) / max(len(gaps), 1), "unit": unit},
        "request_latency": {"value": took, "unit": unit},
        "output_sequence_length": {"value": len(gaps) + 1 if tokens is None else tokens, "unit": "tokens"},
    }
    return {"metadata": metadata | meta, "metrics": metrics, "error": None}


def lines(*rows):
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def guidellm_request(at, ttft=80.0, took=1.0, *, due=None, tokens=16, error=None):
    """Return a request of guidellm: `ttft` in ms, `took` in seconds; `due` is what its schedule asked for."""
    sent = BEGUN + at
    timings = {
        "targeted_start": BEGUN + (at if due is None else due), "request_start": sent,
        "first_token_iteration": sent + ttft / 1000, "request_end": sent + took,
    }  # fmt: skip
    info = {"timings": timings, "error": error}
    return {"info": info, "output_metrics": {"total_tokens": tokens}, "time_to_first_token_ms": 0.0 if error else ttft}


def guidellm(good, errored=(), incomplete=(), *, strategy=None, start=0.0, end=120.0, kept=True):
    """Return one benchmark of guidellm."""
    zero = {"mean": 0.0, "count": len(errored), "percentiles": {"p50": 0.0, "p99": 0.0}}

    def spread(p50, p99):
        told = {"mean": p50, "count": len(good), "percentiles": {"p50": p50, "p95": p99, "p99": p99}}
        return {"successful": told, "errored": zero}

    metrics = {
        "request_totals": {"successful": len(good), "errored": len(errored), "incomplete": len(incomplete)},
        "time_to_first_token_ms": spread(81.0, 122.0),
        "inter_token_latency_ms": spread(23.0, 24.0),
        "request_latency": spread(1.1, 1.9),
        "output_tokens_per_second": {"successful": {"mean": 119.0}},
    }
    requests = {"successful": list(good), "errored": list(errored), "incomplete": list(incomplete)}
    return {
        "config": {"strategy": strategy or {"type_": "concurrent", "streams": 2}}, "metrics": metrics,
        "start_time": BEGUN + start, "end_time": BEGUN + end, "requests": requests if kept else {"successful": None},
    }  # fmt: skip


def guidellm_file(*benchmarks):
    """Return a file of guidellm."""
    backend = {"model": "llama", "target": "http://127.0.0.1:8000"}
    return {
        "metadata": {"guidellm_version": "0.8.1"},
        "config": {"spec": {"backend": backend}},
        "benchmarks": list(benchmarks),
    }


def vllm(**more):
    """Return a result of vLLM's `bench serve`."""
    return {
        "date": "20261121-055530", "model_id": "llama", "num_prompts": 100, "request_rate": "inf", "duration": 60.0,
        "completed": 98, "failed": 2, "total_output_tokens": 12_000, "output_throughput": 200.0, "mean_ttft_ms": 80.0,
        "median_ttft_ms": 78.0, "p99_ttft_ms": 121.0, "median_tpot_ms": 24.0, "p99_tpot_ms": 25.0,
        "median_itl_ms": 23.0, "p99_itl_ms": 46.0,
    } | more  # fmt: skip


def k6(failed, good, *, nested=False, **more):
    """Return a summary of k6: a failed request is a pass of `http_req_failed`."""
    asked = failed + good
    rate = failed / asked if asked else 0
    times = {"avg": 40.0, "min": 3.0, "med": 30.0, "p(90)": 80.0, "p(95)": 90.0, "max": 200.0}
    flat = {
        "http_req_failed": {"passes": failed, "fails": good, "value": rate},
        "http_reqs": {"count": asked, "rate": asked / 60},
        "http_req_duration": times,
    }
    if not nested:
        return {"metrics": flat | more}
    flat["http_req_failed"] = {"passes": failed, "fails": good, "rate": rate}
    shaped = {name: {"type": "x", "values": values} for name, values in (flat | more).items()}
    return {"metrics": shaped, "state": {"testRunDurationMs": 30_000.0}}


HISTORY = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,95%,99%,Total Request Count,Total Failure Count,"
    "Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time"
)


def history_row(at, asked, failed, *, kind="", name="Aggregated"):
    """Return a row of locust's history."""
    return f"{BEGUN + at},5,{kind},{name},1.0,0.0,N/A,N/A,N/A,{asked},{failed},22,30.5,1,190"


STATS = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,100%"
)

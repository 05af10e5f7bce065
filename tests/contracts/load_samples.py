"""A soak and a benchmark as a driver would write them."""

import copy


def latency(n, p50, p95, p99, **more):
    return {"n": n, "p50": p50, "p95": p95, "p99": p99} | more


SOAK = {
    "schema": "mens-soak/1",
    "started": 1_763_000_000.0,
    "ended": 1_763_259_200.0,
    "elapsed_s": 259_200.0,
    "target_s": 259_200.0,
    "finished": True,
    "driver": {"name": "mens-console", "version": "0.1.0"},
    "target": {"url": "http://127.0.0.1:8000/v1", "model": "llama-7b", "quantization": "fp8", "gpus": 1},
    "offered_rate": 10.0,
    "achieved_rate": 9.998,
    "requests": 2_591_400,
    "errors": {"http": 320, "timeout": 11, "cut": 4},
    "error_rate": 335 / 2_591_400,
    "degraded": 812,
    "availability": {
        "probe": 25_908 / 25_920,
        "request": 1 - 335 / 2_591_400,
        "unobserved_s": 0.0,
        "probes": 25_920,
        "probes_failed": 12,
        "requests": 2_591_400,
        "requests_failed": 335,
        "probe_interval_s": 10.0,
    },
    "incidents": [
        {
            "opened": 1_763_100_000.0,
            "closed": 1_763_100_120.0,
            "duration_s": 120.0,
            "cause": "3 probes failed",
            "probes_failed": 12,
            "requests_failed": 335,
        }
    ],
    "mttr_s": 120.0,
    "mtbf_s": 259_200.0,
    "mtbf_lower_bound_s": 54_638.6,
    "ttft_ms": latency(
        2_591_065,
        70.0,
        98.0,
        131.0,
        counts=[[70.0, 1_400_000], [98.0, 1_100_000], [131.0, 91_065]],
        relative_error=0.01,
    ),
    "itl_ms": latency(
        331_656_320, 21.0, 28.5, 44.0, counts=[[21.0, 200_000_000], [28.5, 125_000_000], [44.0, 6_656_320]]
    ),
    "e2e_ms": latency(2_591_065, 2_760.0, 3_400.0, 4_100.0),
    "output_tokens_per_s": 1_279.0,
    "memory": {"gpus": 1, "peak_bytes": 8_410_000_000, "kv_cache_bytes": 1_300_000_000},
    "leaks": {
        "rss": {"unit": "bytes", "slope_per_h": 1_200.0, "interval": [-3_000.0, 5_400.0], "n": 4_320, "last": 9.1e9}
    },
    "minutes": [
        {"at": 1_763_000_000.0, "requests": 600, "failed": 0, "probes": 6, "ttft_ms": latency(600, 70.0, 97.0, 120.0)}
    ],
    "tags": {"quantization": "fp8"},
}

BENCH = {
    "schema": "mens-bench/1",
    "started": 1_763_000_000.0,
    "ended": 1_763_003_600.0,
    "driver": {"name": "mens-console"},
    "target": {"model": "llama-7b", "quantization": "fp8", "parameters": 7_000_000_000, "gpus": 1},
    "warmup": 10,
    "throughput": [
        {
            "batch": 1,
            "gpus": 1,
            "runs": [121.0, 122.0, 120.5, 123.0, 121.5],
            "mean": 121.6,
            "sd": 0.96,
            "n": 5,
            "tokens_per_run": 1000,
            "tokenizer": "server",
        }
    ],
    "latency": [
        {
            "requests": 300,
            "failed": 0,
            "ttft_ms": latency(300, 75.0, 118.0, 118.0, counts=[[75.0, 200], [118.0, 100]]),
            "itl_ms": latency(29_700, 24.0, 31.0, 45.0, counts=[[24.0, 20_000], [31.0, 9_000], [45.0, 700]]),
        }
    ],
    "memory": [{"gpus": 1, "peak_bytes": 8_500_000_000, "runs": [8_500_000_000, 8_490_000_000]}],
    "context": [
        {
            "tokens": 4096,
            "tokenizer": "server",
            "quality": 0.98,
            "quality_n": 100,
            "quality_loss": 0.0,
            "ms_per_token": 25.0,
            "ms_per_token_n": 9_900,
        },
        {
            "tokens": 16_384,
            "tokenizer": "server",
            "quality": 0.95,
            "quality_n": 100,
            "quality_loss": 0.0306,
            "ms_per_token": 61.0,
            "ms_per_token_n": 9_900,
        },
    ],
    "tags": {"quantization": "fp8"},
}


def changed(document, path, value):
    """Return a copy with the value at `path` (keys and indices) replaced; taken out where it is `...`."""
    made = copy.deepcopy(document)
    *way, last = path
    place = made
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made

"""What a server tells of the memory that it holds; nothing where it is not told, never zero."""

import json

import pytest

from mens_console.benchmark.parts import parts_of

GIB = 1 << 30


def told(*usages, tp=1):
    """An answer in SGLang's shape: its arguments beside one state for each data-parallel worker."""
    states = [{"last_gen_throughput": 1.0, "memory_usage": usage} for usage in usages]
    return json.dumps({"model_path": "m", "tp_size": tp, "internal_states": states}).encode()


def test_weights_and_cache_are_summed_over_the_gpus():
    usage = {"weight": 12.5, "kvcache": 40.25, "token_capacity": 300_000, "graph": 0.5}
    assert parts_of(told(usage), 1) == {"weights": round(12.5 * GIB), "kv_cache": round(40.25 * GIB)}
    assert parts_of(told(usage, tp=2), 2)["weights"] == 25 * GIB
    assert parts_of(told(usage, usage), 2)["kv_cache"] == round(80.5 * GIB)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[1]", b"{}", b"not json", b"[" * 5000, told(), told(None), told({}), told({"weight": 0, "kvcache": "4"}),
        told({"weight": True, "kvcache": -1.0}), told({"weight": 1e300}), told({"weight": 12.5}, tp=4),
        json.dumps({"internal_states": [{"memory_usage": {"weight": 2.0}}]}).encode(),
        json.dumps({"tp_size": 1, "internal_states": [7]}).encode(),
    ],
)  # fmt: skip
def test_what_is_not_told_is_absent(body):
    assert parts_of(body, 1) == {}


def test_one_part_alone_is_told_alone():
    assert parts_of(told({"kvcache": 2.0}), 1) == {"kv_cache": 2 * GIB}

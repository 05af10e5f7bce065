"""What servers tell under /metrics, in the oddities of Prometheus text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.load.metrics import levels_of

VLLM = r"""# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="a \"b\" \\ {c} \n, d"} 0.125
vllm:kv_cache_usage_perc{engine="1", model_name="x",} 0.5 1700000000000
vllm:num_requests_running{engine="0"} 3.0
vllm:num_requests_running{engine="1"} 4.0
vllm:num_requests_waiting 2
vllm:num_requests_waiting_by_reason{reason="capacity"} 9
vllm:time_to_first_token_seconds_bucket{le="+Inf"} 7
"""


def test_vllm_of_several_engines():
    assert levels_of(VLLM) == {"kv_cache": 0.5, "running": 7.0, "waiting": 2.0}


def test_vllm_before_its_gauge_was_renamed_and_while_both_are_there():
    old = 'vllm:gpu_cache_usage_perc{model_name="m"} 0.75\n'
    assert levels_of(old) == {"kv_cache": 0.75}
    assert levels_of(old + "vllm:kv_cache_usage_perc 0.5\n") == {"kv_cache": 0.5}


def test_sglang_counts_a_request_once_though_all_its_workers_tell_it():
    text = "".join(
        f'sglang:num_running_reqs{{dp_rank="{dp}",tp_rank="{tp}"}} {5 + dp}\n' for dp in (0, 1) for tp in (0, 1, 2)
    )
    assert levels_of(text + "sglang:num_queue_reqs 1\nsglang:token_usage 0.3") == {
        "running": 11.0, "waiting": 1.0, "kv_cache": 0.3
    }  # fmt: skip


def test_llama_cpp():
    text = "llamacpp:kv_cache_usage_ratio 0.01\nllamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n"
    assert levels_of(text) == {"kv_cache": 0.01, "running": 1.0, "waiting": 0.0}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "", "x", "9223372036854775794"])
def test_what_is_no_share_is_missing_and_never_zero(value):
    assert levels_of(f"vllm:kv_cache_usage_perc {value}\n") == {}


@pytest.mark.parametrize(
    "line",
    [
        'vllm:kv_cache_usage_perc{a="b 0.5',
        'vllm:kv_cache_usage_perc{a="b"',
        "vllm:kv_cache_usage_perc{a=b} 0.5",
        "vllm:",
    ],
)
def test_lines_that_are_broken_are_passed_over(line):
    assert levels_of(line + "\nvllm:num_requests_waiting 1\r\n") == {"waiting": 1.0}


@given(st.text(max_size=200))
def test_nothing_raises(text):
    for before in ("", "vllm:kv_cache_usage_perc", "vllm:num_requests_running{"):
        assert all(value >= 0 for value in levels_of(before + text).values())


def test_labels_without_end_take_no_time_without_end():
    assert levels_of("vllm:num_requests_running{" + 'a="\\\\' * 20_000) == {}

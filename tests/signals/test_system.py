"""Samples of the machine: what is taken from an event, whatever it holds, and what they bear out in words."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals.test_diagnosis import NOW, error, run

from mens_console.signals.diagnosis import diagnose
from mens_console.signals.evidence import RateFact
from mens_console.signals.system import (
    Lately,
    SystemSample,
    gpu_words,
    gpus_of,
    is_tight,
    memory_lines,
    read_sample,
    slow_lines,
    unit_of,
)

GB = 1e9
TOLD = {
    "step": 9,
    "process": {"cpu_percent": 120, "rss_bytes": 30.9 * GB},
    "workers": {"count": 4, "rss_bytes": 12 * GB},
    "host": {"memory_total_bytes": 64 * GB, "memory_available_bytes": 1.2 * GB, "load1": 3.5},
    "gpus": [
        {"index": 0, "util_percent": 0, "memory_used_bytes": 78.2 * GB, "memory_total_bytes": 80 * GB,
         "reserved_peak_bytes": 76 * GB, "throttle": ["sw_power_cap"]},
        {"index": 1, "memory_used_bytes": 10 * GB, "memory_total_bytes": 80 * GB, "throttle": ["hw_thermal", "x"]},
    ],
}  # fmt: skip


def sample(wall=NOW, **more):
    return read_sample({**TOLD, **more}, 9, wall)


def test_what_an_event_tells_becomes_series_in_their_units():
    found = sample()
    assert found.values["system/gpu0/util"] == 0.0  # measured, and nothing
    assert found.values["system/gpu0/memory_gb"] == pytest.approx(78.2)
    assert found.values["system/process/rss_gb"] == pytest.approx(30.9)
    assert found.values["system/host/load"] == 3.5
    assert (found.values["system/gpu0/throttled"], found.values["system/gpu1/throttled"]) == (0.0, 1.0)
    assert found.slowed == {"gpu0": (), "gpu1": ("hw_thermal",)}
    assert "system/gpu1/util" not in found.values
    assert [unit_of(f"system/gpu0/{name}") for name in ("util", "temp_c", "power_w", "memory_gb", "load")] == [
        "%", "°C", "W", "GB", "",
    ]  # fmt: skip
    assert unit_of("util") == ""


@pytest.mark.parametrize("value", [None, "NaN", "12", True, -1, math.nan, math.inf, [1], {"a": 1}])
def test_what_is_no_amount_is_not_measured(value):
    found = sample(host={"cpu_percent": value, "load1": 1}, gpus=[{"index": 0, "util_percent": value}])
    assert "system/host/cpu" not in found.values
    assert "system/gpu0/util" not in found.values
    assert found.values["system/host/load"] == 1.0


@pytest.mark.parametrize(
    "gpus",
    [None, {}, "x", [None], [{}], [{"index": -1, "util_percent": 1}], [{"index": 1e9, "util_percent": 1}],
     [{"index": True, "util_percent": 1}], [{"index": "0; rm", "util_percent": 1}]],
)  # fmt: skip
def test_what_names_no_gpu_is_none(gpus):
    assert gpus_of(sample(gpus=gpus).values) == []


def test_slices_are_gpus_of_their_own_and_all_stand_in_order():
    told = [{"index": i, "util_percent": 1} for i in (10, 2)]
    told += [
        {"index": 2, "mig_instance": 3, "memory_used_bytes": 1},
        {"index": 2, "mig_instance": -3, "power_watts": 1},
    ]
    assert gpus_of(sample(gpus=told).values) == ["gpu2", "gpu2.mig3", "gpu10"]
    assert gpu_words("gpu2.mig3") == "GPU 2, MIG slice 3"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["process", "workers", "host", "gpus", "step"]), json_values))
def test_any_payload_is_read_or_left(payload):
    found = read_sample(payload, 0, NOW)
    for value in found.values.values() if found else ():
        assert 0.0 <= value < math.inf


def test_an_event_without_a_known_figure_is_no_sample():
    assert read_sample({"host": {"message": "hello"}, "gpus": []}, 0, NOW) is None


def test_a_hundred_gpus_do_not_flood_the_run():
    told = [{"index": i, "util_percent": 1} for i in range(500)]
    assert len(gpus_of(read_sample({"gpus": json.loads(json.dumps(told))}, 0, NOW).values)) == 64


# ------------------------------------------------------------------ as evidence


def test_out_of_memory_says_how_full_it_was_and_when():
    found = diagnose(run(errors=(error("oom"),), sample=sample(NOW - 15)))
    assert found.state == "out_of_memory"
    assert found.evidence[1:3] == (
        "memory of GPU 0, the fullest of 2, was at 78.2 GB of 80.0 GB, PyTorch's own peak 76.0 GB, sampled 12 s before "
        "its last row",
        "memory of the host was at 62.8 GB of 64.0 GB; the process held 30.9 GB, its workers 12.0 GB, sampled 12 s "
        "before its last row",
    )
    assert not any("memory of" in line for line in diagnose(run(errors=(error("oom"),))).evidence)


def test_a_sample_of_another_time_says_nothing():
    assert memory_lines(sample(NOW - 3600), NOW) == ()
    assert memory_lines(None, NOW) == ()
    assert memory_lines(sample(math.nan), NOW)[0].endswith("when last sampled")


def test_who_was_killed_without_a_word_had_perhaps_no_memory_left():
    tight, roomy = (
        sample(NOW - 5),
        sample(NOW - 5, host={"memory_total_bytes": 64 * GB, "memory_available_bytes": 50 * GB}),
    )
    assert is_tight(tight) and not is_tight(roomy) and not is_tight(None)
    gone = {"processes": (), "process_scan_complete": True, "silence": 120, "pid_seen_alive_earlier": True}
    near = SystemSample(9, NOW - 118, tight.values)
    found = diagnose(run(**gone, sample=near))
    assert found.state == "killed"
    assert any(line.startswith("memory of the host was at 62.8 GB of 64.0 GB") for line in found.evidence)
    assert not any("memory of GPU" in line for line in found.evidence)  # that kills nobody without a word
    calm = diagnose(run(**gone, sample=SystemSample(9, NOW - 118, roomy.values)))
    assert not any("memory of" in line for line in calm.evidence)


def test_the_limit_of_a_container_counts_before_the_host():
    host = {
        **TOLD["host"],
        "memory_limit_bytes": 16 * GB,
        "limit_used_bytes": 15.9 * GB,
        "memory_available_bytes": 40 * GB,
    }
    assert memory_lines(sample(host=host), NOW)[-1].startswith("memory of the container was at 15.9 GB of 16.0 GB")
    assert is_tight(sample(host=host))


def test_a_slow_run_says_what_may_slow_it():
    means = {"system/host/io_stall": (41.2, 40), "system/host/cpu": (97.0, 40), "system/process/cpu": (150.0, 40),
             "system/workers/cpu": (250.0, 40)}  # fmt: skip
    lately = Lately(means, {"gpu0": (30, 40, ("hw_thermal",)), "gpu1": (0, 40, ())})
    found = diagnose(run(rate=RateFact(1.0, 4.0, 50), lately=lately))
    assert found.state == "slow"
    assert found.evidence[1:4] == (
        "GPU 0: hardware thermal slowdown; clocks were lowered in 30 of 40 samples of the last 10 min",
        "for 41 % of the time some process of the host waited for a disk, mean of 40 samples of the last 10 min",
        "the host's processors were 97 % busy, with 4.0 cores by this training, mean of 40 samples of the last 10 min",
    )
    assert slow_lines(Lately({"system/host/io_stall": (3.0, 40), "system/host/cpu": (30.0, 40)}, {})) == ()

"""What of a machine deserves an alert, what it says about a run, and how fast a volume fills."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mens_console.signals.alerts import AlertReducer, AlertState, Signal
from mens_console.signals.fill import Fill, checkpoint_fit, fill_rate, time_to_full
from mens_console.signals.gpu import EccCounts, GpuProcess, GpuSample, History, XidEvent
from mens_console.signals.machine import MachineView, gpu_evidence, machine_observations
from mens_console.signals.rules import RULES

GPU = GpuSample(
    0, "GPU-1", "H100", 100.0, utilisation=90.0, temperature=60.0, slowdown_at=87.0, power=500.0, power_limit=700.0,
    sm_clock=1980.0, sm_clock_max=1980.0, throttle=(), ecc=EccCounts(0, 0, 0, 0), xids=(),
)  # fmt: skip


def view(gpu, at=100.0, **changes):
    return MachineView(1, at, 1.0, (replace(gpu, at=at),), **{"gpus_at": at, **changes})


def seen(before, now, rules=RULES):
    return {found.rule: found for found in machine_observations(before, now, rules)}


def test_a_gpu_that_is_well_clears_everything():
    found = seen(None, view(GPU))
    assert {rule: one.signal for rule, one in found.items()} == dict.fromkeys(
        ("gpu_thermal", "gpu_power", "gpu_ecc", "gpu_xid"), Signal.CLEAR
    )
    assert {one.entity for one in found.values()} == {"gpu:GPU-1"}


def test_only_rules_that_exist_are_spoken_of():
    assert set(seen(None, view(GPU), {"gpu_ecc": RULES["gpu_ecc"]})) == {"gpu_ecc"}
    assert seen(None, view(GPU), {}) == {}


@pytest.mark.parametrize(
    ("throttle", "thermal", "power"),
    [
        (("hw_slowdown", "hw_thermal"), Signal.BREACH, Signal.CLEAR),
        (("sw_thermal",), Signal.BREACH, Signal.CLEAR),
        (("hw_slowdown", "hw_power_brake"), Signal.CLEAR, Signal.BREACH),
        (("hw_slowdown",), Signal.CLEAR, Signal.BREACH),
        (("hw_slowdown", "hw_thermal", "hw_power_brake"), Signal.BREACH, Signal.BREACH),
        (("sw_power_cap",), Signal.CLEAR, Signal.CLEAR),
        (("gpu_idle", "sync_boost", "app_clocks"), Signal.CLEAR, Signal.CLEAR),
        (None, Signal.NODATA, Signal.NODATA),
    ],
)
def test_throttling(throttle, thermal, power):
    found = seen(None, view(replace(GPU, throttle=throttle)))
    assert (found["gpu_thermal"].signal, found["gpu_power"].signal) == (thermal, power)


def test_a_hot_gpu_tells_how_hot_and_how_slow():
    hot = replace(GPU, throttle=("hw_thermal",), temperature=88.0, sm_clock=1095.0)
    found = seen(None, view(hot))["gpu_thermal"]
    assert (found.value, found.threshold) == (88.0, 87.0)
    assert found.message == "GPU 0 slows down: hardware thermal slowdown"
    assert found.evidence == (
        "GPU 0: hardware thermal slowdown, 88 °C (slows down at 87 °C), 500 W of 700 W, SM clock 1095 of 1980 MHz",
    )


def test_lost_and_silent_gpus_say_nothing():
    for blind in (view(replace(GPU, lost="gone")), view(GPU, at=200.0, gpus_at=100.0)):
        found = seen(None, blind)
        assert {found[rule].signal for rule in ("gpu_thermal", "gpu_power", "gpu_ecc")} == {Signal.NODATA}


def ecc(count):
    return replace(GPU, ecc=EccCounts(0, count, 0, count))


def test_ecc_counts_each_rise_once_and_rings_again_after_it_was_acknowledged():
    reducer = AlertReducer(RULES)
    states, past = [], None
    for at, count in enumerate((0, 1, 1, 1, 3, 3)):
        now = view(ecc(count), at=100.0 + at)
        for one in machine_observations(past, now, RULES):
            reducer.apply(one)
        past, alert = now, reducer.get("gpu_ecc", "gpu:GPU-1")
        states.append(alert and (str(alert.state), alert.count, alert.value))
    assert states[0] is None
    assert states[1] == states[2] == states[3] == ("firing", 1, 1)
    assert states[4] == states[5] == ("firing", 2, 3)
    reducer.acknowledge(reducer.get("gpu_ecc", "gpu:GPU-1").fingerprint)
    now = view(ecc(3), at=110.0)
    for one in machine_observations(past, now, RULES):
        reducer.apply(one)
    assert reducer.get("gpu_ecc", "gpu:GPU-1").state is AlertState.RESOLVED
    for one in machine_observations(now, view(ecc(4), at=111.0), RULES):
        reducer.apply(one)
    assert reducer.get("gpu_ecc", "gpu:GPU-1").state is AlertState.FIRING


def test_ecc_that_is_off_is_no_data_and_a_driver_loaded_anew_clears():
    assert seen(None, view(replace(GPU, ecc=None)))["gpu_ecc"].signal is Signal.NODATA
    assert seen(view(ecc(5)), view(ecc(0), at=200.0))["gpu_ecc"].signal is Signal.CLEAR


def test_an_error_from_before_the_console_began_is_told():
    assert seen(None, view(ecc(2)))["gpu_ecc"].signal is Signal.BREACH


def test_each_xid_is_one_breach_even_of_a_gpu_that_is_lost():
    first = view(replace(GPU, xids=(XidEvent(99.0, 31),)))
    lost = view(replace(GPU, lost="gone", xids=(XidEvent(99.0, 31), XidEvent(101.0, 79))), at=102.0)
    found = [one for one in machine_observations(first, lost, RULES) if one.rule == "gpu_xid"]
    assert [(one.signal, one.value, one.wall) for one in found] == [(Signal.BREACH, 79, 101.0)]
    assert found[0].message == "GPU 0: XID 79 (GPU has fallen off the bus)"
    again = [one for one in machine_observations(lost, replace(lost, at=103.0), RULES) if one.rule == "gpu_xid"]
    assert [one.signal for one in again] == [Signal.CLEAR]
    assert seen(None, view(replace(GPU, xids=None)))["gpu_xid"].signal is Signal.NODATA


def test_an_unknown_xid_is_told_by_its_number():
    assert seen(None, view(replace(GPU, xids=(XidEvent(99.0, 9999),))))["gpu_xid"].message == "GPU 0: XID 9999"


# ---------------------------------------------------------------------- evidence about a run

HELD = replace(GPU, processes=(GpuProcess(4121, "compute", 41_000_000_000),))


def idle_since(start, at):
    history = History((start - 15.0, start, (start + at) / 2, at), (80.0, 0.0, 1.0, 0.0))
    return replace(HELD, utilisation=0.0, utilisation_history=history)


def test_an_idle_gpu_with_memory_held_says_for_how_long():
    now = 1000.0
    assert gpu_evidence(view(idle_since(now - 720.0, now), at=now), {4121}) == ("GPU 0 at 0 % for 12 m, 41.0 GB held",)


def test_a_busy_or_slowed_gpu_says_so():
    slowed = replace(HELD, throttle=("hw_thermal",), temperature=88.0)
    lines = gpu_evidence(view(slowed), {4121})
    assert lines[0] == "GPU 0 at 90 %, 41.0 GB held"
    assert lines[1].startswith("slowed down: GPU 0: hardware thermal slowdown, 88 °C")


def test_evidence_is_only_about_the_gpus_of_these_processes():
    assert gpu_evidence(view(HELD), {1}) == ()
    assert gpu_evidence(None, {4121}) == ()


def test_what_is_not_known_is_said_to_be_unknown():
    blind = replace(
        HELD, utilisation=None, processes=(GpuProcess(4121, "compute", None),),
        missing=(("utilisation", "not measured while MIG is on"),),
    )  # fmt: skip
    assert gpu_evidence(view(blind), {4121}) == (
        "GPU 0 utilisation N/A (not measured while MIG is on), memory held is not known",
    )
    silent = MachineView(1, 200.0, 1.0, (HELD,), gpus_at=100.0)
    assert gpu_evidence(silent, {4121}) == ("GPU 0 does not answer: what was read of it is 1 m 40 s old",)


# ---------------------------------------------------------------------- fill rate


def test_the_rate_of_a_straight_line_is_exact():
    fill, reason = fill_rate([(15.0 * i, 1e9 + 2e6 * 15.0 * i) for i in range(40)])
    assert reason == ""
    assert fill.rate == pytest.approx(2e6)
    assert fill.high - fill.low == pytest.approx(0.0, abs=1.0)
    assert (fill.n, fill.window_s) == (40, 585.0)
    assert fill.filling


def test_the_interval_of_independent_noise_is_that_of_ordinary_least_squares():
    import numpy as np

    rng = np.random.default_rng(3)
    xs = np.arange(200) * 15.0
    ys = 5e9 + 1e5 * xs + rng.normal(0, 1e7, 200)
    fill, _ = fill_rate(list(zip(xs.tolist(), ys.tolist(), strict=True)))
    oracle = stats.linregress(xs, ys)
    assert fill.rate == pytest.approx(oracle.slope, rel=1e-9)
    half = stats.t.ppf(0.975, 198) * oracle.stderr
    assert half * 0.99 <= (fill.high - fill.low) / 2 <= half * 1.35  # wider by what autocorrelation is seen by chance


def test_a_staircase_of_checkpoints_is_covered_by_its_interval():
    """A checkpoint of 1.2 GB every ten minutes; whatever the phase, the true rate lies within."""
    true = 1.2e9 / 600.0
    for phase in range(0, 600, 60):
        points = [(t, 1.2e9 * ((t + phase) // 600)) for t in range(0, 3600, 15)]
        fill, _ = fill_rate(points)
        assert fill.low <= true <= fill.high
        assert fill.rate == pytest.approx(true, rel=0.15)


def test_too_little_says_what_is_missing():
    assert fill_rate([]) == (None, "seen for 0 s with n=0; it takes 2 min")
    fill, reason = fill_rate([(float(i), 1.0) for i in range(50)])
    assert fill is None
    assert reason == "seen for 49 s with n=50; it takes 2 min"


@given(st.lists(st.integers(0, 10**15), min_size=8, max_size=60))
def test_the_interval_always_holds_the_rate(used):
    fill, _ = fill_rate([(60.0 * i, float(one)) for i, one in enumerate(used)])
    assert fill.low <= fill.rate <= fill.high
    assert math.isfinite(fill.rate)


def fill(rate, low, high):
    return Fill(rate, low, high, 100, 3600.0)


def test_time_to_full_has_both_ends_and_may_be_never():
    full = time_to_full(100e9, fill(1e9, 0.5e9, 2e9))
    assert (full.seconds, full.low, full.high) == (100.0, 50.0, 200.0)
    assert time_to_full(100e9, fill(1e9, -1e9, 3e9)).high == math.inf
    assert time_to_full(100e9, fill(-1e9, -2e9, -0.5e9)).seconds == math.inf
    assert time_to_full(0.0, fill(1e9, 1e9, 1e9)).seconds == 0.0


@pytest.mark.parametrize(
    ("free", "rate", "size", "due", "fits"),
    [
        (100e9, fill(1e6, 0.9e6, 1.1e6), 10e9, 600.0, "fits"),
        (9e9, fill(1e6, 0.9e6, 1.1e6), 10e9, 600.0, "does not fit"),
        (10.1e9, None, 10e9, None, "does not fit"),  # the reserve beside it
        (20e9, fill(1e8, 0.9e8, 1.1e8), 10e9, 600.0, "does not fit"),
        (20e9, fill(2e7, -1e7, 5e7), 10e9, 600.0, "unknown"),
        (20e9, None, 10e9, 600.0, "unknown"),
        (20e9, None, 10e9, None, "fits"),
        (20e9, fill(-1e8, -2e8, -1e7), 10e9, 600.0, "fits"),
        (None, None, 10e9, None, "unknown"),
        (20e9, None, None, None, "unknown"),
    ],
)
def test_whether_a_checkpoint_fits(free, rate, size, due, fits):
    found = checkpoint_fit(free, rate, size, due)
    assert found.fits == fits
    assert bool(found.reason) == (fits != "fits")

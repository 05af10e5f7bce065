"""Samples of the machine in the store: series of their own, which say nothing of progress."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.test_engine import Bench, FakeProbe, write

from mens_console.signals.system import SystemSample
from mens_console.store.probe import ProcessFact
from mens_console.store.samples import MAX_SERIES, Samples

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_800_000_000.0
UTIL, RSS = "system/gpu0/util", "system/process/rss_gb"


def sample(step: int, at: float = 0.0, slowed: tuple[str, ...] = (), **values: float) -> SystemSample:
    named = {f"system/{name.replace('__', '/')}": value for name, value in values.items()}
    return SystemSample(step, T0 + at, named, {"gpu0": slowed})


def event(name: str, at: float, **payload: object) -> str:
    return json.dumps({"ts_ms": int(at * 1000), "event": name, "payload": payload}) + "\n"


def machine(at: float, step: int | None = None, util: float = 90.0, throttle: tuple[str, ...] = ()) -> str:
    named = {} if step is None else {"step": step}
    gpus = [{"index": 0, "util_percent": util, "throttle": list(throttle)}]
    return event("system", at, **named, process={"rss_bytes": 2e9}, gpus=gpus)


# ------------------------------------------------------------------ series


def test_several_samples_within_a_step_and_none_in_many() -> None:
    samples = Samples()
    samples.take([sample(s, at, gpu0__util=float(at)) for s, at in ((3, 0), (3, 15), (3, 30), (90, 45))])
    view = samples.views(T0 - 5)[UTIL]
    assert view.steps.tolist() == [3, 3, 3, 90]
    assert view.values.tolist() == [0, 15, 30, 45]
    assert view.bounds("step") == (3, 90)
    assert view.bounds("relative") == (5.0, 50.0)  # as the charts of the training, which began earlier
    bins = view.bins(np.linspace(0, 100, 11), "step")
    assert bins.n.tolist() == [3, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (bins.lo[0], bins.hi[0]) == (0, 30)
    assert view.at(50.0, "relative").value == 45


def test_a_sensor_that_falls_silent_leaves_a_gap_and_no_zero() -> None:
    samples = Samples()
    samples.take([sample(1, 0, gpu0__util=1.0, gpu0__temp_c=50.0), sample(2, 15, gpu0__util=2.0)])
    samples.take([sample(3, 30, gpu0__util=3.0, gpu0__temp_c=60.0, process__rss_gb=1.0)])
    views = samples.views(T0)
    assert views["system/gpu0/temp_c"].steps.tolist() == [1, 3]
    assert views["system/gpu0/temp_c"].values.tolist() == [50, 60]
    assert views[UTIL].values.tolist() == [1, 2, 3]
    assert list(views)[-1] == RSS  # GPUs come first


def test_a_resume_puts_what_was_sampled_beyond_it_aside() -> None:
    samples = Samples()
    samples.take([sample(s, s, gpu0__util=float(s)) for s in (10, 20, 30)])
    before = samples.views(T0)[UTIL]
    samples.take([sample(15, 100, gpu0__util=15.5), sample(25, 110, gpu0__util=25.5)])
    view = samples.views(T0)[UTIL]
    assert view.steps.tolist() == [10, 15, 25]
    (piece,) = view.rewound
    assert (piece.steps.tolist(), piece.values.tolist()) == ([20, 30], [20, 30])
    assert before.values.tolist() == [10, 20, 30]  # what was published stays what it was
    samples.take([sample(26, 120, gpu0__temp_c=50.0, gpu0__util=26.0)])
    assert len(samples.views(T0)[UTIL].rewound) == 1


def test_thinning_keeps_extremes_and_counts_what_was_there() -> None:
    samples = Samples()
    values = np.zeros(5000)
    values[1234] = 99.0
    samples.take([sample(i, 15.0 * i, gpu0__util=float(v)) for i, v in enumerate(values)])
    samples.thin(100)
    view = samples.views(T0)[UTIL]
    assert len(view.values) <= 110
    assert view.values.max() == 99.0
    assert view.points == 5000


FIGURES = ("gpu0__util", "gpu0__temp_c", "process__rss_gb")
told_at = st.lists(st.tuples(st.integers(0, 20), st.sets(st.sampled_from(FIGURES), min_size=1)), max_size=40)


@given(told_at, st.lists(st.integers(0, 40), max_size=4))
def test_cutting_the_stream_elsewhere_changes_nothing(told: list[tuple[int, set[str]]], cuts: list[int]) -> None:
    stream = [sample(step, 15.0 * i, **{n: float(i) for n in sorted(names)}) for i, (step, names) in enumerate(told)]
    whole, pieces, single = Samples(), Samples(), Samples()
    whole.take(stream)
    for first, stop in pairwise([0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]):
        pieces.take(stream[first:stop])
    for one in stream:
        single.take([one])
    shown = [
        {
            name: (v.steps.tolist(), v.values.tolist(), v.walls.tolist(), [p.values.tolist() for p in v.rewound])
            for name, v in each.views(T0).items()
        }
        for each in (whole, pieces, single)
    ]
    assert shown[0] == shown[1] == shown[2]
    for steps, *_ in shown[0].values():
        assert steps == sorted(steps)


def test_names_without_end_stop_somewhere() -> None:
    samples = Samples()
    samples.take([SystemSample(i, T0 + i, {f"system/gpu0/{i}": 1.0}) for i in range(MAX_SERIES + 50)])
    assert len(samples.views(T0)) == MAX_SERIES


def test_moments_of_slowing_down_are_told_once_each() -> None:
    samples = Samples()
    hot = ("hw_thermal",)
    told = [(), hot, hot, (*hot, "hw_slowdown"), hot, (), hot]
    samples.take([sample(i, i * 15.0, reasons, gpu0__throttled=float(bool(reasons))) for i, reasons in enumerate(told)])
    assert [one.step for one in samples.slowed] == [1, 3]  # what comes and goes is one episode
    assert samples.slowed[0].text == "GPU 0: hardware thermal slowdown"
    lately = samples.lately()
    assert lately.slowed["gpu0"] == (5, 7, hot)
    assert samples.lately(40.0).slowed["gpu0"][:2] == (2, 3)
    samples.take([sample(100, 3600.0, hot), sample(101, 3615.0, ()), sample(102, 3630.0, hot)])
    assert [one.step for one in samples.slowed] == [1, 3, 100]


def test_the_newest_moments_are_kept() -> None:
    samples = Samples()
    samples.take([sample(i, i * 1000.0, ("hw_thermal",), gpu0__throttled=1.0) for i in range(200)])
    assert len(samples.slowed) == 64
    assert samples.slowed[-1].step == 199


# ------------------------------------------------------------------ no sign of progress


def living() -> FakeProbe:
    probe = FakeProbe()
    probe.alive_now = {"a": (ProcessFact(77, "python", True, "sleeping", 0.0, "writes a file of the run", 0.0),)}
    return probe


def trained(tmp_path: Path, skew: float = 0.0) -> tuple[Bench, Path, float]:
    """A run of 40 steps, two seconds apart by a clock `skew` s ahead, with samples beside them; its process lives."""
    bench = Bench(tmp_path, living())
    log, begin = tmp_path / "a" / "telemetry.jsonl", bench.clock.now
    write(log, event("train_start", begin + skew, pid=77, total_steps=400))
    for i in range(40):
        at = begin + 2.0 * i
        write(log, event("step", at + skew, step=i, loss=10.0 / (i + 1)), "a")
        if i % 5 == 0:
            write(log, machine(at + skew, i), "a")
        step(bench, log, at)
    return bench, log, at


def step(bench: Bench, log: Path, at: float) -> None:
    bench.clock.now = at
    os.utime(log, (at, at))
    bench.settle(0.0)


@pytest.mark.parametrize("skew", [0.0, -600.0, 60.0])
def test_a_training_that_hangs_is_hung_although_samples_go_on(tmp_path: Path, skew: float) -> None:
    bench, log, at = trained(tmp_path, skew)
    assert bench.engine.snapshot.runs[0].diagnosis.state == "running"
    states = []
    for _ in range(80):
        at += 15.0
        write(log, machine(at + skew, 39, util=0.0), "a")
        step(bench, log, at)
        states.append(bench.engine.snapshot.runs[0].diagnosis.state)
    assert "running" not in states[20:]
    assert states[-1] == "hung"
    assert "stalled" in states
    run = bench.engine.snapshot.runs[0]
    assert run.step == 39
    assert run.series[UTIL].points == 88
    assert run.updated_at == pytest.approx(at - 80 * 15.0, abs=2.0)
    assert any(a.rule == "stall" and a.active for a in run.alerts)
    write(log, event("step", at + 1 + skew, step=40, loss=0.2), "a")
    step(bench, log, at + 1)
    assert bench.engine.snapshot.runs[0].diagnosis.state == "running"


def test_whoever_comes_later_finds_it_hung_at_once(tmp_path: Path) -> None:
    _, log, at = trained(tmp_path)
    for i in range(1, 81):
        write(log, machine(at + 15.0 * i, 39), "a")
    late = Bench(tmp_path, living())
    late.clock.now = at + 80 * 15.0
    os.utime(log, (late.clock.now, late.clock.now))
    assert late.settle(0.0).runs[0].diagnosis.state == "hung"


@pytest.mark.parametrize("ahead", [-900.0, 900.0])
def test_another_clock_in_the_training_makes_no_silence(tmp_path: Path, ahead: float) -> None:
    bench = Bench(tmp_path)
    log, begin = tmp_path / "a" / "telemetry.jsonl", bench.clock.now
    write(log, event("train_start", begin + ahead, pid=77, total_steps=400))
    for i in range(40):
        at = begin + 2.0 * i
        write(log, event("step", at + ahead, step=i, loss=1.0) + machine(at + ahead, i), "a")
        step(bench, log, at)
    assert bench.engine.snapshot.runs[0].diagnosis.state == "running"


def test_samples_before_the_first_step_are_no_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    log, now = tmp_path / "a" / "telemetry.jsonl", bench.clock.now
    write(log, event("train_start", now, pid=77) + machine(now + 15) + machine(now + 30))
    run = bench.run()
    assert run.diagnosis.state == "waiting"
    assert run.step is None
    assert run.series[UTIL].points == 2
    assert run.sources[0].rows == 0
    write(log, event("step", now + 40, step=1, loss=2.0), "a")
    assert bench.run().step == 1


def test_a_run_that_ended_stays_ended_when_a_sample_follows(tmp_path: Path) -> None:
    bench, log, at = trained(tmp_path)
    write(log, event("train_end", at, status="completed", step=39) + machine(at + 1, 39), "a")
    step(bench, log, at + 2)
    assert bench.engine.snapshot.runs[0].diagnosis.state == "finished"


def test_moments_of_slowing_down_are_marks_of_the_run(tmp_path: Path) -> None:
    bench, log, at = trained(tmp_path)
    write(log, machine(at + 1, 39, throttle=("hw_thermal", "sw_power_cap")), "a")
    step(bench, log, at + 2)
    marks = [mark for mark in bench.engine.snapshot.runs[0].marks if mark.kind == "throttle"]
    assert [(mark.step, mark.text) for mark in marks] == [(39, "GPU 0: hardware thermal slowdown")]


def test_other_events_of_that_name_are_read_as_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    log, now = tmp_path / "a" / "telemetry.jsonl", bench.clock.now
    write(log, event("step", now, step=1, loss=2.0) + event("system", now, disk_gb=5.0))
    run = bench.run()
    assert run.series["system/disk_gb"].points == 1
    assert run.sources[0].bad_rows == 0

"""The diagnosis: each state from the evidence that means it, and the words that say why."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertReducer, AlertState, Signal
from mens_console.signals.cadence import Cadence
from mens_console.signals.diagnosis import LIVENESS_RULES, diagnose, liveness_observations
from mens_console.signals.evidence import (
    EndMarker,
    ErrorFact,
    Evidence,
    LossFact,
    NanFact,
    ProcessFact,
    RateFact,
)  # fmt: skip
from mens_console.signals.rules import Severity

NOW = 1_700_000_000.0
USUAL = Cadence(p50=4.0, p99=9.0, n=480, stall_after_s=60.0, critical_after_s=480.0)
SLEEPING = ProcessFact(4121, alive=True, status="sleeping", cpu_percent=0.0, name="python", reason="has its log open")
GONE = ProcessFact(4121, alive=False, name="python")


def run(silence=2.0, **more):
    base = Evidence(
        NOW, rows=500, last_append=NOW - silence, last_row_wall=NOW - silence - 1, step=2310, total_steps=3000,
        cadence=USUAL,
    )  # fmt: skip
    return dataclasses.replace(base, **more)


def error(kind, **more):
    return ErrorFact(kind, "it said so", after_last_row=more.pop("after_last_row", True), **more)


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (run(), "running"),
        (run(rows=0, step=None), "waiting"),
        (run(rows=0, step=None, silence=400, processes=(), process_scan_complete=True), "waiting"),
        (run(rows=0, step=None, silence=500, processes=(), process_scan_complete=True), "unknown"),
        (run(rows=0, step=None, silence=500, processes=(), last_write_after_boot=False), "unknown"),
        (run(rows=0, step=None, silence=500, processes=()), "waiting"),
        (run(rows=0, step=None, silence=500, processes=(SLEEPING,)), "waiting"),
        (run(processes=(SLEEPING,)), "running"),
        (run(silence=660, processes=(SLEEPING,)), "hung"),
        (run(silence=120, processes=(SLEEPING,)), "stalled"),
        (run(silence=120, processes=()), "unknown"),
        (run(silence=120, processes=(), process_scan_complete=True), "killed"),
        (run(silence=120, processes=(), process_scan_complete=True, total_steps=None), "unknown"),
        (run(silence=120, processes=(), process_scan_complete=True, host_matches=False), "unknown"),
        (run(silence=120, processes=(), last_write_after_boot=False), "killed"),
        (run(silence=120, processes=None), "unknown"),
        (run(silence=120, processes=(GONE,)), "killed"),
        (run(silence=20, processes=(GONE,), pid_seen_alive_earlier=True), "killed"),
        (run(silence=5, processes=(GONE,), pid_seen_alive_earlier=True), "running"),
        (run(silence=120, processes=(dataclasses.replace(SLEEPING, status="zombie"),)), "killed"),
        (run(last_append=math.nan, last_row_wall=math.nan), "unknown"),
        (run(last_append=math.nan, last_row_wall=math.nan, processes=(SLEEPING,)), "running"),
        (run(end=EndMarker("train_runtime")), "finished"),
        (run(rows=0, end=EndMarker("status completed")), "finished"),
        (run(end=EndMarker("train_runtime", stale=True)), "running"),
        (run(silence=120, step=3000), "finished"),
        (run(silence=2, step=3000), "running"),
        (run(silence=2, step=3000, processes=(GONE,)), "finished"),
        (run(phase="evaluating", phase_since=NOW - 100, silence=100), "evaluating"),
        (run(phase="saving", phase_since=NOW - 3), "saving"),
        (run(phase="saving", phase_since=NOW - 900, silence=900), "unknown"),
        (run(phase="saving", phase_since=NOW - 900, silence=900, processes=(SLEEPING,)), "saving"),
        (run(phase="saving", phase_since=NOW - 9000, silence=9000, processes=(SLEEPING,)), "hung"),
        (run(phase="saving", phase_since=NOW - 3, silence=120, processes=(GONE,)), "killed"),
        (run(errors=(error("oom"),)), "out_of_memory"),
        (run(errors=(error("disk"), error("traceback"))), "disk_full"),
        (run(errors=(error("traceback"),), silence=100), "crashed"),
        (run(errors=(error("traceback"), error("device")), silence=100), "crashed"),
        (run(errors=(error("killed"),)), "killed"),
        (run(errors=(error("what else"),), silence=100), "crashed"),
        (run(errors=(error("traceback"),), processes=(SLEEPING,)), "running"),
        (run(errors=(error("oom", after_last_row=False),)), "running"),
        (run(errors=(error("oom"),), end=EndMarker("x"), nan=NanFact(3, 9)), "out_of_memory"),
        (run(nan=NanFact(340, 40)), "diverged"),
        (run(nan=NanFact(340, 40), end=EndMarker("train_runtime")), "diverged"),
        (run(nan=NanFact(340, 40, hidden=True)), "diverged"),
        (run(loss=LossFact(9.0, 1.2, 25, 300)), "diverged"),
        (run(loss=LossFact(9.0, 1.2, 19, 300)), "running"),
        (run(rate=RateFact(0.4, 1.0, 50)), "slow"),
        (run(rate=RateFact(0.6, 1.0, 50)), "running"),
        (run(rate=RateFact(0.1, 1.0, 5)), "running"),
        (run(rows=0, step=None, silence=100, processes=(GONE,), pid_seen_alive_earlier=True), "killed"),
    ],
)
def test_state(evidence, state):
    found = diagnose(evidence)
    assert found.state == state
    assert found.evidence


def test_a_stall_explains_itself_as_the_operator_would():
    found = diagnose(run(silence=660, processes=(SLEEPING,)))
    assert found.evidence == (
        "no new row for 11 m; usual gap 4 s (p99 9 s, n=480)",
        "pid 4121 python alive, sleeping, CPU 0 % (has its log open)",
        "idle: it waits for something that does not come",
        "step 2 310 of 3 000",
    )
    assert (found.since, found.severity) == (NOW - 660, Severity.CRITICAL)


def test_a_hung_run_spins_or_waits_or_nobody_knows():
    for cpu, word in ((100.0, "spins"), (20.0, "hardly"), (None, "without progress")):
        process = dataclasses.replace(SLEEPING, cpu_percent=cpu)
        assert word in " ".join(diagnose(run(silence=660, processes=(process,))).evidence)


def test_evidence_names_what_is_missing():
    assert "processes were not looked at" in diagnose(run(silence=120)).evidence
    assert any("another host" in line for line in diagnose(run(silence=120, host_matches=False)).evidence)
    assert any("not every process" in line for line in diagnose(run(silence=120, processes=())).evidence)
    killed = diagnose(run(silence=120, processes=(), process_scan_complete=True)).evidence
    assert "no process on this box has its files open or names its folder" in killed
    assert "it ended without an end marker" in killed
    booted = diagnose(run(silence=120, processes=(), last_write_after_boot=False)).evidence
    assert "the box was booted after its last write" in booted


def test_evidence_of_the_loss():
    both = diagnose(run(nan=NanFact(340, 40), end=EndMarker("train_runtime")))
    assert both.evidence[:2] == (
        "loss is not finite since step 340, 40 points in a row",
        "it finished too: train_runtime",
    )
    assert "hidden NaN" in diagnose(run(nan=NanFact(1, 1, hidden=True))).evidence[0]
    assert "7.5 ×" in diagnose(run(loss=LossFact(9.0, 1.2, 25, 300))).evidence[0]


def test_foreign_words_cannot_reach_the_terminal():
    nasty = "CUDA out of memory\x1b]0;owned\x07\nnext"
    found = diagnose(run(errors=(ErrorFact("oom", nasty, NOW - 1, 7, after_last_row=True),), more=("GPU 0 \x1b[2J",)))
    assert found.evidence[0].startswith("out of memory after step 7: CUDA out of memory␛]0;owned␇ next")
    assert found.evidence[-1] == "GPU 0 ␛[2J"
    assert found.since == NOW - 1


def test_little_disk_is_told_in_every_state():
    assert any("left on the run's volume" in line for line in diagnose(run(disk_free_bytes=2e8)).evidence)


def test_liveness_is_reversible():
    assert diagnose(run(silence=660, processes=(SLEEPING,))).state == "hung"
    assert diagnose(run(silence=1, processes=(SLEEPING,))).state == "running"


@given(
    silence=st.floats(0, 1e5) | st.just(math.nan),
    rows=st.sampled_from([0, 9]),
    end=st.sampled_from([None, EndMarker("x"), EndMarker("x", stale=True)]),
    errors=st.lists(
        st.sampled_from([error(k, after_last_row=a) for k in ("oom", "disk", "killed", "traceback", "device")
                         for a in (True, False)]), max_size=3),
    processes=st.sampled_from([None, (), (SLEEPING,), (GONE,)]),
    complete=st.booleans(),
    seen_alive=st.booleans(),
    host=st.sampled_from([None, True, False]),
    booted=st.booleans(),
    phase=st.sampled_from(["", "saving", "evaluating"]),
    nan=st.sampled_from([None, NanFact(3, 4)]),
)  # fmt: skip
def test_every_evidence_has_a_state_and_says_why(
    silence, rows, end, errors, processes, complete, seen_alive, host, booted, phase, nan
):
    evidence = run(
        silence, rows=rows, end=end, errors=tuple(errors), processes=processes, process_scan_complete=complete,
        pid_seen_alive_earlier=seen_alive, host_matches=host, last_write_after_boot=not booted, phase=phase, nan=nan,
    )  # fmt: skip
    found = diagnose(evidence)
    assert found.evidence
    assert all(line.isprintable() for line in found.evidence)
    assert found == diagnose(evidence) or math.isnan(found.since)
    if found.state in ("stalled", "hung"):
        assert SLEEPING in evidence.processes
    if found.state == "running":
        assert not any(e.after_last_row and e.kind in ("oom", "disk", "killed") for e in errors)
    reducer = AlertReducer()
    for observation in liveness_observations("run", evidence, found):
        reducer.apply(observation)
    assert {v.rule for v in reducer.views} <= set(LIVENESS_RULES)
    assert ("device_error" in {v.rule for v in reducer.views}) == any(e.kind == "device" for e in errors)


def test_a_stall_becomes_critical_and_ends_when_the_run_speaks():
    reducer, history = AlertReducer(), []
    for silence in (1.0, 100.0, 500.0, 600.0, 1.0):
        evidence = run(silence, now=NOW + silence, last_append=NOW, last_row_wall=NOW, processes=(SLEEPING,))
        if silence == 1.0 and history:
            evidence = dataclasses.replace(evidence, now=NOW + 700, last_append=NOW + 699)
        for observation in liveness_observations("run", evidence, diagnose(evidence)):
            reducer.apply(observation)
        view = reducer.get("stall", "run")
        history.append(view and (view.state, view.severity, view.count))
    assert history == [
        None,
        (AlertState.FIRING, Severity.WARNING, 1),
        (AlertState.FIRING, Severity.CRITICAL, 1),
        (AlertState.FIRING, Severity.CRITICAL, 1),
        (AlertState.RESOLVED, Severity.CRITICAL, 1),
    ]


def test_disk_alert_has_hysteresis():
    signals = []
    for free in (0.5e9, 1.5e9, 3e9, None):
        evidence = run(disk_free_bytes=free)
        found = liveness_observations("run", evidence, diagnose(evidence))
        signals += [o.signal for o in found if o.rule == "disk_full"]
    assert signals == [Signal.BREACH, Signal.NODATA, Signal.CLEAR, Signal.CLEAR]


def test_every_way_to_end_has_its_alert():
    for kind, rule in (("oom", "oom"), ("traceback", "crash"), ("killed", "crash"), ("disk", "disk_full")):
        evidence = run(silence=90, errors=(error(kind),))
        breaches = [o for o in liveness_observations("r", evidence, diagnose(evidence)) if o.signal is Signal.BREACH]
        assert [o.rule for o in breaches] == [rule]
        assert breaches[0].evidence
    silent = run(silence=120)
    stall = next(itertools.islice(liveness_observations("r", silent, diagnose(silent)), 1))
    assert stall.signal is Signal.NODATA

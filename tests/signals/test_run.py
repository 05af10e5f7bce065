"""All signals of one run together: chunks do not matter, a resume rewinds, and a healthy run is left in peace."""

import ast
import math
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mens_console.signals
from mens_console.signals.checkpoints import CheckpointFact
from mens_console.signals.diagnosis import diagnose
from mens_console.signals.evidence import Evidence
from mens_console.signals.metricrules import MetricRule
from mens_console.signals.run import RunSignals

NAN = math.nan
START = 1_700_000_000.0


def healthy(n, seed=0):
    rng = random.Random(seed)
    wall, walls = START, []
    for _ in range(n):
        wall += rng.uniform(1.8, 2.2)
        walls.append(wall)
    loss = [1.0 + 2.0 * math.exp(-i / 300) + rng.gauss(0, 0.05) for i in range(n)]
    grad = [abs(rng.gauss(1.0, 0.2)) + 0.01 for _ in range(n)]
    return list(range(1, n + 1)), walls, loss, grad


def test_a_healthy_run_is_summed_up_and_rings_nothing():
    steps, walls, loss, grad = healthy(600)
    signals = RunSignals("run")
    emas = signals.observe("loss", steps, walls, loss)
    assert len(emas) == 600
    assert signals.observe("grad_norm", steps, walls, grad) is None
    signals.observe("eval_loss", [200, 400, 600], [NAN] * 3, [1.5, 1.2, 1.3])
    signals.observe("entropy", steps, walls, [2.0] * 600)
    signals.observe("learning_rate", steps, walls, [1e-4] * 600)
    signals.observe("num_tokens", steps, walls, [512.0 * s for s in steps])
    signals.observe("accuracy", steps, walls, loss)
    s = signals.summary(walls[-1], 1000)
    assert s.streaming_ce == emas[-1]
    assert s.loss_variance.var == pytest.approx(np.var(loss[-100:], ddof=1))
    assert s.loss_level == pytest.approx(np.median(loss[-50:]), rel=0.05)
    assert s.trend.direction == "improving"
    assert s.steps_per_sec == pytest.approx(0.5, rel=0.1)
    assert s.tokens_per_sec == pytest.approx(256, rel=0.1)
    assert s.eta.low <= 800 <= s.eta.high
    assert s.best_eval == (400, 1.2)
    assert s.entropy == pytest.approx(2.0)
    assert s.cadence.p50 == pytest.approx(2.0, rel=0.05)
    assert not [a for a in s.alerts if a.severity != "info" and a.rule != "plateau"]
    assert signals.nan is None
    assert signals.rate.now == pytest.approx(0.5, rel=0.1)
    assert signals.loss.points_above == 0


def test_nothing_known_is_said_as_such():
    s = RunSignals().summary(0.0, None)
    assert math.isnan(s.streaming_ce)
    assert (s.eta, s.best_eval, s.tokens_per_sec, s.steps_per_sec) == (None, None, None, None)
    assert s.eta_reason
    assert s.trend.direction == "unknown"
    signals = RunSignals()
    assert (signals.nan, signals.loss, signals.rate) == (None, None, None)
    assert signals.observe("loss", [], [], []) is None


def test_nan_at_the_end_is_evidence_of_divergence():
    signals = RunSignals("run")
    signals.observe("loss", [1, 2, 3], [NAN] * 3, [2.0, NAN, math.inf])
    assert (signals.nan.since_step, signals.nan.count, signals.nan.hidden) == (2, 2, False)
    s = signals.summary(0.0, None)
    assert math.isnan(s.streaming_ce)
    assert s.nonfinite_losses == 2
    assert [a.rule for a in s.alerts] == ["nan_loss"]


def test_a_hidden_nan_is_one_too():
    signals = RunSignals("run")
    signals.observe("loss", [1, 2, 3], [NAN] * 3, [2.0, 0.0, 0.0])
    signals.observe("grad_norm", [1, 2, 3], [NAN] * 3, [1.0, NAN, NAN])
    assert (signals.nan.since_step, signals.nan.count, signals.nan.hidden) == (2, 2, True)
    assert {a.rule for a in signals.alerts.views} == {"nan_grad", "hidden_nan"}
    signals.observe("loss", [4], [NAN], [2.0])
    assert signals.nan is None


def test_reported_rates_come_before_counted_ones():
    steps, walls, loss, _ = healthy(300)
    signals = RunSignals("run")
    signals.observe("loss", steps, walls, loss)
    signals.observe("steps_per_sec", steps, walls, [4.0] * 300)
    assert signals.rate.unit == "steps"
    signals.observe("tokens_per_sec", steps, walls, [1000.0] * 300)
    signals.observe("steps_per_sec", [301], [walls[-1] + 2], [1.0])
    s = signals.summary(walls[-1], 400)
    assert (s.steps_per_sec, s.tokens_per_sec) == (1.0, 1000.0)
    assert (signals.rate.unit, signals.rate.now) == ("tokens", 1000.0)


def test_without_times_the_reported_rate_gives_the_eta():
    signals = RunSignals("run")
    steps = list(range(10, 410, 10))
    signals.observe("loss", steps, [NAN] * 40, [1.0] * 40)
    assert signals.summary(0.0, 1000).eta is None
    signals.observe("steps_per_sec", steps, [NAN] * 40, [2.0] * 40)
    assert signals.summary(0.0, 1000).eta.seconds == pytest.approx(300.0, rel=0.01)


def test_a_resume_rewinds_the_loss_and_not_the_pace():
    steps, walls, loss, _ = healthy(400)
    loss[300:] = [30.0] * 100
    signals = RunSignals("run")
    emas = signals.observe("loss", steps, walls, loss)
    signals.observe("eval_loss", [100, 350], [NAN, NAN], [2.0, 1.0])
    assert signals.loss.points_above == 100
    signals.rewind(301)
    s = signals.summary(walls[-1] + 4000, 1000)
    assert s.streaming_ce == pytest.approx(emas[295], rel=0.02)
    assert s.loss_variance.n == 0  # all of its window was abandoned
    assert s.best_eval == (100, 2.0)
    assert s.eta is None
    later = [w + 5000 for w in walls[:100]]
    signals.observe("loss", list(range(301, 401)), later, [2.0] * 100)
    signals.advance(later[-1])
    s = signals.summary(later[-1], 1000)
    assert s.eta.seconds == pytest.approx(1200, rel=0.1)
    assert s.cadence.p99 < 5
    assert not [a for a in s.alerts if a.active and a.rule == "loss_explosion"]


def test_an_evaluation_explains_the_gap_before_its_row():
    signals = RunSignals("run")
    wall = START
    for i in range(1, 80):
        if i % 8 == 0:
            wall += 300.0
            signals.observe("eval_loss", [i], [NAN], [1.0])
        else:
            wall += 2.0
            signals.observe("loss", [i], [NAN], [1.0])
        signals.arrival(wall)
    assert signals.cadence.p99 == pytest.approx(2.0)


def test_a_diagnosis_opens_its_alert():
    signals = RunSignals("run")
    signals.total(100)
    evidence = Evidence(
        START, rows=5, last_append=START - 4000, total_steps=100, processes=(), process_scan_complete=True
    )
    signals.liveness(evidence, diagnose(evidence))
    assert [(a.rule, a.active) for a in signals.alerts.views] == [("crash", True)]


def test_accuracy_and_the_fixed_evaluation_are_summed_up_with_their_n():
    signals = RunSignals("run")
    steps = list(range(1, 101))
    signals.observe("accuracy", steps, [NAN] * 100, [i / 100 for i in steps])
    for step, ce in ((10, 2.0), (20, 1.8), (30, 1.7), (40, 1.55), (50, 1.4)):
        signals.observe("fixed_eval_ce", [step], [NAN], [ce])
    signals.observe("fixed_eval_em", [50], [NAN], [0.25])
    signals.observe("fixed_eval_n", [50], [NAN], [64.0])
    signals.observe("fixed_eval_ece", [40], [NAN], [0.2])
    s = signals.summary(0.0, None)
    assert s.accuracy.last20 == pytest.approx(np.mean([i / 100 for i in steps[-20:]]))
    assert s.accuracy.last50 == pytest.approx(np.mean([i / 100 for i in steps[-50:]]))
    assert (s.accuracy.trend, s.accuracy.n) == ("improving", 50)
    fixed = s.fixed_eval
    assert (fixed.em, fixed.ce, fixed.n, fixed.trend, fixed.step) == (0.25, 1.4, 64, "improving", 50)
    assert math.isnan(fixed.ece)  # of step 40, and no longer true
    signals.rewind(45)
    s = signals.summary(0.0, None)
    assert (s.fixed_eval.step, s.fixed_eval.ece, s.fixed_eval.n) == (40, 0.2, None)
    assert s.accuracy is None  # its window reaches back to step 51


def test_without_them_there_is_no_fact():
    s = RunSignals("run").summary(0.0, None)
    assert (s.accuracy, s.fixed_eval, s.advice) == (None, None, None)
    few = RunSignals("run")
    few.observe("accuracy", [1, 2], [NAN] * 2, [1.0, 0.0])
    fact = few.summary(0.0, None).accuracy
    assert (fact.last20, fact.n, fact.trend) == (0.5, 2, "unknown")


def test_the_operators_own_rules_fire_beside_the_others():
    own = MetricRule("vram_high", "vram", above=70.0, exit=60.0, recommendation="Free some.")
    signals = RunSignals("run", custom=[own])
    assert signals.wants("vram")
    assert not RunSignals.watches("vram")
    signals.observe("vram", [1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0], [65.0, 71.0, 65.0, 59.0])
    view = signals.alerts.get("vram_high", "run")
    assert (view.message, view.since_step, view.resolved_at) == ("vram is 71, above 70", 2, 4.0)
    assert view.recommendation == "Free some."


values = st.one_of(st.floats(-10, 100), st.sampled_from([NAN, math.inf, 0.0, 1.0, 1e-9]))


@given(
    st.lists(st.tuples(values, values, st.floats(0, 100)), min_size=1, max_size=150),
    st.lists(st.integers(1, 50), max_size=8),
)
@settings(deadline=None, max_examples=60)
def test_chunks_do_not_change_the_summary(rows, sizes):
    loss, grad = [r[0] for r in rows], [r[1] for r in rows]
    walls = np.cumsum([r[2] for r in rows]) + START
    walls = walls.tolist()
    steps = list(range(1, len(rows) + 1))
    own = MetricRule("vram_high", "vram", above=50.0, exit=40.0, for_points=2, for_s=20.0)

    def run(sizes):
        signals, at, emas = RunSignals("run", custom=[own]), 0, []
        for size in [*sizes, len(rows)]:
            part = slice(at, at + size)
            if steps[part]:
                emas += signals.observe("loss", steps[part], walls[part], loss[part])
                signals.observe("grad_norm", steps[part], walls[part], grad[part])
                signals.observe("learning_rate", steps[part], walls[part], grad[part])
                for name, column in (("entropy", loss), ("accuracy", grad), ("fixed_eval_ece", grad), ("vram", loss)):
                    signals.observe(name, steps[part], walls[part], column[part])
            at += size
        signals.advance(walls[-1])
        kept = [CheckpointFact(step) for step in steps[::7]]
        return repr((emas, signals.summary(walls[-1], 300, kept), signals.nan, signals.loss, signals.rate))

    assert run([]) == run(sizes)


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer counts lines, not time")
def test_a_hundred_thousand_points_are_fast():
    n = 100_000
    steps, walls, loss, grad = healthy(n)

    def once():
        signals = RunSignals("run")
        began = time.process_time()
        for i in range(0, n, 4096):
            part = slice(i, i + 4096)
            signals.observe("loss", steps[part], walls[part], loss[part])
            signals.observe("grad_norm", steps[part], walls[part], grad[part])
        return time.process_time() - began

    assert min(once() for _ in range(2)) < 1.0  # 0.25 s on a quiet core; the bench holds the exact target


def test_the_package_loads_nothing_but_the_standard_library_and_reads_no_clock():
    folder = Path(mens_console.signals.__file__).parent
    allowed = {"mens_console", *sys.stdlib_module_names}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed
                assert not name.startswith("mens_console.") or name.startswith("mens_console.signals")
                assert name not in ("time", "datetime", "os", "pathlib", "random", "socket", "subprocess")
    code = (
        "import sys, mens_console.signals.run; "
        "assert not {'numpy', 'textual', 'rich', 'plotext', 'orjson', 'psutil'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

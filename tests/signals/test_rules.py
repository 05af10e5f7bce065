"""Every rule of the table provoked and resolved once, with the signals of one run and of one GPU."""

from __future__ import annotations

import dataclasses
import math
from array import array

import pytest
from screens import soakbox

from mens_console.signals.alerts import AlertState, Observation, Signal, fingerprint
from mens_console.signals.checkpoints import CheckpointFact, checkpoint_observations, forecast
from mens_console.signals.diagnosis import diagnose
from mens_console.signals.evidence import ErrorFact, Evidence, ProcessFact
from mens_console.signals.generation import Band, BatchFigures, Judged, TierFigures
from mens_console.signals.gpu import EccCounts, GpuSample, XidEvent
from mens_console.signals.healthalerts import RULE_OF, batch_observations, drift_observation
from mens_console.signals.layers import LayerSignals
from mens_console.signals.machine import MachineView, machine_observations
from mens_console.signals.pairs import LayerRow, PairTable
from mens_console.signals.rules import RULES
from mens_console.signals.run import RunSignals
from mens_console.soak.alerts import soak_observations

NAN = math.nan
GENERATION = {*RULE_OF.values(), "generation_drift"}
RUN, GPU, LOG, SOAK = "run", "gpu:GPU-1", "generation:logs/r", "soak:soak-r16"


def _entity(rule):
    if rule == "soak_died":
        return SOAK
    return GPU if rule.startswith("gpu_") else LOG if rule in GENERATION else RUN


class Lab:
    """A run that logs a row every two seconds, and whose alerts are looked at after each thing that happens."""

    def __init__(self, rule):
        self.rule, self.entity = rule, _entity(rule)
        self.signals, self.layers = RunSignals(RUN), LayerSignals(RUN)
        self.layers.table(PairTable(("p0", "p1", "p2", "p3")))
        self.step, self.wall, self.machine = 0, 1000.0, None
        self.states = []

    def note(self):
        view = self.signals.alerts.get(self.rule, self.entity)
        state = view.state if view is not None else None
        if not self.states or self.states[-1] is not state:
            self.states.append(state)

    def rows(self, count=1, **values):
        for _ in range(count):
            self.step, self.wall = self.step + 1, self.wall + 2.0
            for name, value in values.items():
                self.signals.observe(name, [self.step], [self.wall], [value])
            self.note()
        return self

    def series(self, name, values):
        for value in values:
            self.rows(**{name: value})
        return self

    def look(self, count=1, grad=0.1, update=1e-3):
        for _ in range(count):
            self.step, self.wall = self.step + 5, self.wall + 10.0
            grads, updates = array("d", [0.1, 0.1, 0.1, grad]), array("d", [1e-3, 1e-3, 1e-3, update])
            row = LayerRow(self.step, self.wall, {"grad": grads, "update": updates}, 1e-4)
            self.signals.take(self.layers.observe(row))
            self.note()
        return self

    def judge(self, silence=0.0, **facts):
        self.wall += max(silence, 1.0)
        last = self.wall - silence
        known = {"processes": (ProcessFact(7, alive=True, status="sleeping"),), **facts}
        evidence = Evidence(
            self.wall, rows=100, last_append=last, last_row_wall=last, step=self.step, total_steps=10_000,
            cadence=self.signals.cadence, process_scan_complete=True, **known,
        )  # fmt: skip
        self.signals.liveness(evidence, diagnose(evidence))
        self.note()
        return self

    def error(self, kind):
        return self.judge(100.0, errors=(ErrorFact(kind, "it said so", after_last_row=True),))

    def save(self, written, step, free=1e12, after=0.0):
        self.wall += after
        facts = [CheckpointFact(s, 1e9, 1000.0 + 2.0 * s) for s in written]
        self.wall = max(self.wall, 1000.0 + 2.0 * step)
        found = forecast(facts, now=self.wall, step=step, steps_per_s=0.5, free=free)
        self.signals.take(checkpoint_observations(RUN, found, now=self.wall, step=step, moving=True))
        self.note()
        return self

    def gpu(self, count=1, **fields):
        for _ in range(count):
            self.wall += 5.0
            sample = GpuSample(index=0, uuid="GPU-1", name="Test", at=self.wall, **fields)
            view = MachineView(1, self.wall, 5.0, gpus=(sample,), gpus_at=self.wall)
            self.signals.take(machine_observations(self.machine, view, RULES))
            self.machine = view
            self.note()
        return self

    def batch(self, band, indicator="repair_rate", drift=None):
        """A whole batch of attempts, one indicator of which is in `band`."""
        self.step, self.wall = self.step + 1, self.wall + 100.0
        figures = BatchFigures(
            "r", self.step, 1000, 1000, True, 900, 990, 50, {}, {}, 1000, 10.0, 20.0, 1.0, {}, {}, 2.2, 2.2,
            900, 900, 0.9, 0.9, 500, 1, 1, 0.1, self.wall - 100.0, self.wall, ("a", 0),
        )  # fmt: skip
        judged = Judged(figures, {indicator: Band(band, 0.5, 1000, (0.4, 0.6), "so it is", unit="share")})
        self.signals.take(batch_observations(LOG, judged, RULES))
        reasons = ("repair rate rose",) if drift else ()
        tier = TierFigures("r", ("r",), 1, 1000, 1000, 0.9, 0.9, 0.1, 1, 0.1, drift=drift, drift_reasons=reasons)
        self.signals.take([drift_observation(LOG, tier, self.wall)])
        self.note()
        return self

    def soak(self, report):
        self.signals.take(soak_observations(SOAK, report, RULES))
        self.wall = report.started + report.now_s
        self.note()
        return self

    def later(self, seconds=600.0):
        self.wall += seconds
        self.signals.advance(self.wall)
        self.note()
        return self


def healthy(lab):
    lab.rows(60, loss=1.0)


def nothing(lab):
    pass


def band(indicator, worst):
    """Return what makes the rule of an indicator fire, and what ends it."""
    return (
        lambda x: x.batch("healthy", indicator),
        lambda x: x.batch(worst, indicator).batch("undecided", indicator),
        lambda x: x.batch("nodata", indicator).batch("below_range", indicator),
    )


SOUND, SLOW = EccCounts(volatile_uncorrected=0), ("hw_thermal",)
PROVOKED = {
    "nan_loss": (healthy, lambda x: x.rows(3, loss=NAN), None),
    "nan_grad": (nothing, lambda x: x.rows(3, grad_norm=math.inf), None),
    "hidden_nan": (healthy, lambda x: x.rows(3, loss=0.0, grad_norm=NAN), None),
    "loss_spike": (healthy, lambda x: x.rows(loss=2.0), lambda x: x.rows(loss=1.0)),
    "loss_spike_sustained": (healthy, lambda x: x.rows(3, loss=1.3), lambda x: x.rows(loss=1.0)),
    "loss_explosion": (healthy, lambda x: x.rows(2, loss=10.0), lambda x: x.rows(loss=1.0)),
    "plateau": (
        lambda x: x.rows(68, loss=2.0), lambda x: x.rows(3, loss=2.0),
        lambda x: x.series("loss", [2.0 * 0.97**i for i in range(20)]),
    ),
    "loss_stuck": (
        lambda x: x.rows(69, loss=2.0), lambda x: x.rows(3, loss=2.0),
        lambda x: x.series("loss", [2.0 * 0.97**i for i in range(20)]),
    ),
    "grad_exploding": (nothing, lambda x: x.rows(2, grad_norm=101.0), lambda x: x.rows(grad_norm=49.0)),
    "grad_vanishing": (nothing, lambda x: x.rows(4, grad_norm=9e-6), lambda x: x.rows(grad_norm=3e-5)),
    "lr_zero": (
        lambda x: x.rows(5, learning_rate=1e-4), lambda x: x.rows(4, learning_rate=0.0),
        lambda x: x.rows(learning_rate=1e-4),
    ),
    "lr_jump": (
        lambda x: x.series("learning_rate", [1e-4, 9e-5, 8e-5]), lambda x: x.rows(learning_rate=9e-5),
        lambda x: x.rows(learning_rate=8e-5),
    ),
    "throughput_degrading": (
        lambda x: x.rows(150, tokens_per_sec=1000.0), lambda x: x.rows(60, tokens_per_sec=600.0),
        lambda x: x.rows(100, tokens_per_sec=1000.0),
    ),
    "entropy_collapse": (
        lambda x: x.rows(20, entropy=2.0), lambda x: x.rows(40, entropy=0.1), lambda x: x.rows(10, entropy=2.0),
    ),
    "lora_dead": (lambda x: x.look(4), lambda x: x.look(4, update=0.0), lambda x: x.look()),
    "lora_vanishing": (lambda x: x.look(4), lambda x: x.look(4, grad=9e-6), lambda x: x.look()),
    "lora_exploding": (lambda x: x.look(4), lambda x: x.look(2, grad=101.0), lambda x: x.look()),
    "lora_imbalance": (lambda x: x.look(4), lambda x: x.look(4, grad=9e-5), lambda x: x.look()),
    "ece": (nothing, lambda x: x.rows(2, fixed_eval_ece=0.31), lambda x: x.rows(fixed_eval_ece=0.2)),
    "eval_json_errors": (nothing, lambda x: x.rows(eval_json_validity=0.99), lambda x: x.rows(eval_json_validity=1.0)),
    "soak_uptime": (nothing, lambda x: x.series("soak/uptime", [0.9949]), lambda x: x.series("soak/uptime", [0.999])),
    "soak_errors": (
        nothing, lambda x: x.series("soak/error_rate", [0.0051]), lambda x: x.series("soak/error_rate", [0.001]),
    ),
    "soak_died": (
        lambda x: x.soak(soakbox.young()), lambda x: x.soak(soakbox.died()), lambda x: x.soak(soakbox.young(12)),
    ),
    "stall": (healthy, lambda x: x.judge(100.0).judge(500.0), lambda x: x.judge(1.0)),
    "crash": (healthy, lambda x: x.judge(100.0, processes=()), lambda x: x.judge(1.0)),
    "oom": (healthy, lambda x: x.error("oom"), None),
    "device_error": (healthy, lambda x: x.error("device"), None),
    "disk_full": (healthy, lambda x: x.judge(disk_free_bytes=5e8), lambda x: x.judge(disk_free_bytes=3e9)),
    "disk_before_checkpoint": (
        nothing, lambda x: x.save([100, 200, 300], 310, free=5e8), lambda x: x.save([100, 200, 300], 310, free=5e9),
    ),
    "checkpoint_overdue": (
        nothing, lambda x: x.save([100, 200, 300], 510), lambda x: x.save([100, 200, 300, 510], 520),
    ),
    **{rule: band(name, "critical" if name == "pollyanna" else "warning") for name, rule in RULE_OF.items()},
    "generation_drift": (
        lambda x: x.batch("healthy", drift=False), lambda x: x.batch("healthy", drift=True),
        lambda x: x.batch("healthy").batch("healthy", drift=False),
    ),
    "gpu_thermal": (lambda x: x.gpu(throttle=()), lambda x: x.gpu(4, throttle=SLOW), lambda x: x.gpu(throttle=())),
    "gpu_power": (
        lambda x: x.gpu(throttle=()), lambda x: x.gpu(4, throttle=("hw_power_brake",)), lambda x: x.gpu(throttle=()),
    ),
    "gpu_ecc": (lambda x: x.gpu(ecc=SOUND), lambda x: x.gpu(2, ecc=EccCounts(volatile_uncorrected=1)), None),
    "gpu_xid": (lambda x: x.gpu(xids=()), lambda x: x.gpu(2, xids=(XidEvent(1.0, 79),)), None),
}  # fmt: skip
"""Rule: what leads up to it, what provokes it, what resolves it (None: nothing before it is acknowledged)."""


def test_no_rule_is_left_out():
    assert PROVOKED.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_fires_once_and_is_resolved_once(rule):
    before, provoke, resolve = PROVOKED[rule]
    lab = Lab(rule)
    before(lab)
    assert set(lab.states) <= {None}
    provoke(lab)
    view = lab.signals.alerts.get(rule, lab.entity)
    assert view.state is AlertState.FIRING
    assert view.latched is (resolve is None)
    assert math.isfinite(view.since)
    assert view.message
    assert view.count >= 1
    if resolve is None:
        lab.later()
        assert lab.signals.alerts.get(rule, lab.entity).state is AlertState.FIRING
        lab.signals.alerts.acknowledge(fingerprint(rule, lab.entity), by="ann")
        lab.note()
        provoke(lab)  # it goes on, and nobody is rung again
        lab.signals.take([Observation(rule, lab.entity, Signal.OVER, lab.wall)])
    else:
        resolve(lab)
    lab.later()
    ended = lab.signals.alerts.get(rule, lab.entity)
    assert ended.state is AlertState.RESOLVED
    assert math.isfinite(ended.resolved_at)
    assert lab.states.count(AlertState.FIRING) == 1
    assert ended.flaps == 0


def test_a_new_run_ends_what_is_latched_too():
    lab = Lab("nan_loss")
    lab.rows(3, loss=NAN)
    lab.signals.alerts.new_run(RUN)
    assert lab.signals.alerts.get("nan_loss", RUN).state is AlertState.RESOLVED


@pytest.mark.parametrize("rule", RULES)
def test_a_disabled_rule_never_fires(rule):
    lab = Lab(rule)
    off = {**RULES, rule: dataclasses.replace(RULES[rule], enabled=False)}
    lab.signals, lab.layers = RunSignals(RUN, rules=off), LayerSignals(RUN, off)
    lab.layers.table(PairTable(("p0", "p1", "p2", "p3")))
    before, provoke, _ = PROVOKED[rule]
    before(lab)
    provoke(lab)
    assert lab.signals.alerts.get(rule, lab.entity) is None

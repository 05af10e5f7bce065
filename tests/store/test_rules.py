"""Every rule of the table, provoked and resolved through real files under the whole engine, and counted once."""

from __future__ import annotations

import fcntl
import json
import math
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.soaks import Scene, write_driver, write_soak

from mens_console.config import Settings
from mens_console.screens.facts import alert_lines
from mens_console.signals.diagnosis import LIVENESS_RULES
from mens_console.signals.gpu import EccCounts, GpuSample, XidEvent
from mens_console.signals.machine import MachineView, VolumeSample
from mens_console.signals.rules import RULES
from mens_console.store.engine import Engine
from mens_console.store.probe import Look, ProcessFact

PID = 4242
PAIRS = [f"model.layers.{i}.self_attn.q_proj" for i in range(6)]


class Probe:
    """One process per run, as the test says."""

    def __init__(self) -> None:
        self.up = True

    def boot_time(self) -> float:
        return 0.0

    def alive(self, process) -> bool:
        return self.up

    def look(self, runs) -> Look:
        fact = ProcessFact(PID, "python", True, "sleeping", 0.0, "is named by the run", 0.0)
        return Look(dict.fromkeys(runs, (fact,) if self.up else ()), complete=True, at=0.0)


class Machine:
    """A sampler whose samples the test writes."""

    def __init__(self) -> None:
        self.latest: MachineView | None = None

    def start(self, on_sample) -> None: ...

    def stop(self) -> None: ...

    def once(self) -> None: ...

    def hurry(self, on: bool) -> None: ...

    def watch(self, volumes, pids) -> None: ...


class Lab:
    """A run whose rows the test writes, one every `gap` seconds, judged by an engine after each."""

    def __init__(self, root: Path) -> None:
        self.run = root / "run"
        self.run.mkdir()
        self.now = 1_800_000_000.0
        self.step = 0
        self.probe, self.machine = Probe(), Machine()
        self.engine = Engine(
            [root], Settings(), clock=lambda: self.now, probe=self.probe, watch=False, machine=self.machine
        )
        self.seen: dict[str, list[str]] = {}
        self.event("train_start", total_steps=100_000, pid=PID)
        self.rows(3, loss=1.0)
        self.engine.step(self.now)

    def attempts(self, batches: int, **odd) -> None:
        """Append whole batches of generation attempts, healthy but for what is said; the engine sees each."""
        folder = self.run.parent / "generation"
        folder.mkdir(exist_ok=True)
        for i in range(batches):
            with (folder / "attempts.jsonl").open("a") as file:
                file.writelines(json.dumps(self.attempt(k, i, **odd)) + "\n" for k in range(1000))
            self.settle(1.0)

    def attempt(self, k, i, *, repaired=50, rising=0, moves=14, pollyanna=0.6, anchors=900, latency=1000.0) -> dict:
        self.now += 0.001
        return {
            "ts": self.now, "run_id": "25K_a", "persona_id": str(k), "stage": "B", "attempt": 1, "status": "success",
            "latency_ms": latency + 10 * (k % 7), "prompt_tokens": 400, "completion_tokens": 300,
            "repairs": ["trait_leak"] if k < repaired + rising * i else [], "opening_move": f"m{k % moves}",
            "validator_scores": {"pollyanna": pollyanna + 0.01 * (k % 3 - 1)}, "anchors_used": [f"a{k % anchors}"],
            "constraint_categories": [], "error": None,
        }  # fmt: skip

    def soak(self, *, dies: bool = False) -> None:
        """Let somebody hold the lock of a soak, or let the driver of it be gone; wait until the engine saw it."""
        folder = self.run.parent / "soak"
        if not folder.exists():
            write_soak(folder, Scene(hours=1.0, rate=0.5, finished=False, until=600.0))
            write_driver(folder, Scene(hours=1.0, rate=0.5, finished=False), 600.0, host=socket.gethostname())
        if dies:
            self.lock.close()
        else:
            self.lock = (folder / "driver.lock").open()
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        for _ in range(2000):
            self.settle(6.0)
            seen = self.engine.snapshot.soaks
            if seen and seen[0].report is not None and seen[0].report.state == ("died" if dies else "running"):
                return
            time.sleep(0.002)  # it is read on a thread of its own
        raise AssertionError("the engine never saw it")

    def event(self, event: str, **payload) -> None:
        line = json.dumps({"ts_ms": int(self.now * 1000), "event": event, "payload": payload})
        with (self.run / "telemetry.jsonl").open("a") as file:
            file.write(line + "\n")

    def rows(self, count: int, *, gap: float = 2.0, **values) -> None:
        for _ in range(count):
            self.step += 1
            self.now += gap
            self.event("step", step=self.step, **values)
            self.settle()

    def settle(self, seconds: float = 0.0) -> None:
        self.now += seconds
        for _ in range(3):
            self.now += 0.3
            while self.engine.step(self.now):
                pass
            self._note()

    def wait(self, seconds: float, every: float = 5.0) -> None:
        end = self.now + seconds
        while self.now < end:
            self.settle(every)

    def _note(self) -> None:
        for alert in self.alerts():
            states = self.seen.setdefault(alert.rule, [])
            if not states or states[-1] != str(alert.state):
                states.append(str(alert.state))

    def alerts(self):
        snapshot = self.engine.snapshot
        return [alert for run in snapshot.runs for alert in run.alerts] + list(snapshot.box_alerts)

    def alert(self, rule: str):
        return next((alert for alert in self.alerts() if alert.rule == rule), None)

    def log(self, text: str) -> None:
        with (self.run / "train.log").open("a") as file:
            file.write(text + "\n")
        self.settle(1.0)

    def lora(self, count: int, *, grads=None, updates=None, **more) -> None:
        table = [{"name": name, "r": 8, "trainable_a": True, "trainable_b": True} for name in PAIRS]
        self.event("lora_pairs", id="00000001", pairs=table)
        grads, updates = grads or [0.1] * 6, updates or [1e-3] * 6
        for _ in range(count):
            self.rows(5, loss=1.0 + 0.001 * (self.step % 7), learning_rate=1e-4)
            self.event(
                "lora", step=self.step, pairs="00000001", grad_a=grads, grad_b=grads, update=updates,
                ratio=[u / 10 for u in updates], update_steps=1, learning_rate=1e-4, **more,
            )  # fmt: skip
            self.settle()

    def checkpoint(self, size: int = 1000) -> None:
        folder = self.run / f"checkpoint-{self.step}"
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"x" * size)
        os.utime(folder, (self.now, self.now))

    def gpu(self, **fields) -> None:
        rev = self.machine.latest.rev + 1 if self.machine.latest else 1
        sample = GpuSample(index=0, uuid="GPU-1", name="Test", at=self.now, **fields)
        self.machine.latest = MachineView(rev, self.now, 15.0, gpus=(sample,), gpus_at=self.now)
        self.settle(1.0)

    def volume(self, **fields) -> None:
        rev = self.machine.latest.rev + 1 if self.machine.latest else 1
        volume = VolumeSample("v", "/", "disk", "ext4", self.now, runs=("run",), **fields)
        self.machine.latest = MachineView(rev, self.now, 15.0, volumes=(volume,))
        self.settle(1.0)


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab(tmp_path)


def falling(lab, count, start=2.0, rate=0.99, **more):
    for _ in range(count):
        start *= rate
        lab.rows(1, loss=start, **more)


def loss(value):
    return lambda lab: lab.rows(1, loss=value)


def steady(count, **values):
    return lambda lab: lab.rows(count, **values)


def healthy(lab):
    lab.rows(60, loss=1.0)


def then(*acts):
    def act(lab):
        for one in acts:
            one(lab)

    return act


def with_fast_tokens(lab):
    lab.rows(150, loss=1.0, tokens_per_sec=1000.0)


def with_checkpoints(lab):
    for _ in range(4):
        falling(lab, 10)
        lab.checkpoint()
        lab.settle(30.0)


def generation(healthy_batches: int, odd_batches: int, **odd):
    """Return how batches of attempts turn odd and well again."""
    return (
        lambda lab: lab.attempts(healthy_batches),
        lambda lab: lab.attempts(odd_batches, **odd),
        lambda lab: lab.attempts(30),
    )


PROVOKED = {
    "nan_loss": (healthy, loss("NaN"), None),
    "nan_grad": (healthy, steady(1, loss=1.0, grad_norm="NaN"), None),
    "hidden_nan": (healthy, steady(1, loss=0.0, grad_norm="NaN"), None),
    "loss_spike": (healthy, loss(2.5), steady(3, loss=1.0)),
    "loss_spike_sustained": (healthy, steady(4, loss=1.8), steady(3, loss=1.0)),
    "loss_explosion": (healthy, loss(20.0), steady(3, loss=1.0)),
    "plateau": (lambda lab: falling(lab, 60, 1.0), steady(130, loss=0.5), lambda lab: falling(lab, 80, 0.5, 0.97)),
    "loss_stuck": (lambda lab: lab.rows(5, loss=2.0), steady(130, loss=2.0), lambda lab: falling(lab, 120, 2.0, 0.98)),
    "grad_exploding": (healthy, steady(1, loss=1.0, grad_norm=150.0), steady(2, loss=1.0, grad_norm=1.0)),
    "grad_vanishing": (healthy, steady(4, loss=1.0, grad_norm=1e-6), steady(2, loss=1.0, grad_norm=1.0)),
    "lr_zero": (
        steady(5, loss=1.0, learning_rate=1e-4),
        steady(4, loss=1.0, learning_rate=0.0),
        steady(2, loss=1.0, learning_rate=1e-4),
    ),
    "lr_jump": (
        then(steady(5, loss=1.0, learning_rate=1e-4), steady(5, loss=1.0, learning_rate=5e-5)),
        steady(1, loss=1.0, learning_rate=1e-3),
        steady(3, loss=1.0, learning_rate=1e-4),
    ),
    "throughput_degrading": (
        with_fast_tokens,
        steady(80, loss=1.0, tokens_per_sec=400.0),
        steady(120, loss=1.0, tokens_per_sec=1000.0),
    ),
    "stall": (healthy, lambda lab: lab.wait(120.0), steady(5, loss=1.0)),
    "crash": (
        healthy,
        lambda lab: (setattr(lab.probe, "up", False), lab.wait(120.0)),
        lambda lab: (setattr(lab.probe, "up", True), lab.rows(20, loss=1.0)),
    ),
    "oom": (
        healthy,
        lambda lab: lab.log("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        None,
    ),
    "disk_full": (healthy, lambda lab: lab.log("OSError: [Errno 28] No space left on device"), steady(10, loss=1.0)),
    "device_error": (
        healthy,
        lambda lab: lab.log("RuntimeError: CUDA error: an illegal memory access was encountered"),
        None,
    ),
    "lora_dead": (
        lambda lab: lab.lora(4),
        lambda lab: lab.lora(6, updates=[1e-3] * 5 + [0.0]),
        lambda lab: lab.lora(6),
    ),
    "lora_vanishing": (
        lambda lab: lab.lora(4),
        lambda lab: lab.lora(6, grads=[0.1] * 5 + [1e-6]),
        lambda lab: lab.lora(6),
    ),
    "lora_exploding": (
        lambda lab: lab.lora(4),
        lambda lab: lab.lora(6, grads=[0.1] * 5 + [900.0]),
        lambda lab: lab.lora(6),
    ),
    "lora_imbalance": (
        lambda lab: lab.lora(4),
        lambda lab: lab.lora(6, grads=[0.1] * 5 + [2e-5]),
        lambda lab: lab.lora(6),
    ),
    "entropy_collapse": (
        steady(30, loss=1.0, token_entropy=2.0),
        steady(60, loss=1.0, token_entropy=0.1),
        steady(60, loss=1.0, token_entropy=2.0),
    ),
    "ece": (
        healthy,
        lambda lab: (lab.event("fixed_eval", step=lab.step, em=0.5, ece=0.5, n=100), lab.settle()),
        lambda lab: (lab.event("fixed_eval", step=lab.step + 1, em=0.5, ece=0.1, n=100), lab.settle()),
    ),
    "eval_json_errors": (
        healthy,
        lambda lab: (lab.event("eval", step=lab.step, eval_json_validity=0.9), lab.settle()),
        lambda lab: (lab.event("eval", step=lab.step + 1, eval_json_validity=1.0), lab.settle()),
    ),
    "checkpoint_overdue": (
        with_checkpoints,
        lambda lab: falling(lab, 60),
        lambda lab: (lab.checkpoint(), lab.rows(15, loss=1.0)),
    ),
    "disk_before_checkpoint": (
        with_checkpoints,
        lambda lab: (lab.volume(total=10_000, used=9_500, free=500), lab.rows(12, loss=1.0)),
        lambda lab: (lab.volume(total=10**12, used=10**9, free=10**11), lab.rows(12, loss=1.0)),
    ),
    "soak_uptime": (
        healthy,
        lambda lab: lab.rows(3, **{"soak/uptime": 0.98}),
        lambda lab: lab.rows(3, **{"soak/uptime": 0.9999}),
    ),
    "soak_errors": (
        healthy,
        lambda lab: lab.rows(3, **{"soak/error_rate": 0.02}),
        lambda lab: lab.rows(3, **{"soak/error_rate": 0.0}),
    ),
    "soak_died": (lambda lab: lab.soak(), lambda lab: lab.soak(dies=True), lambda lab: lab.soak()),
    "repairs_high": generation(6, 1, repaired=150),
    "repairs_rising": generation(3, 9, rising=70),
    "openings_collapse": generation(6, 1, moves=3),
    "pollyanna_high": generation(6, 1, pollyanna=0.78),
    "anchors_repeat": generation(6, 1, anchors=500),
    "generation_slow": generation(6, 1, latency=1300.0),
    "generation_drift": generation(12, 8, moves=8),
    "gpu_thermal": (
        lambda lab: lab.gpu(throttle=()),
        lambda lab: [lab.gpu(throttle=("hw_thermal",), temperature=92.0) for _ in range(10)],
        lambda lab: [lab.gpu(throttle=(), temperature=60.0) for _ in range(10)],
    ),
    "gpu_power": (
        lambda lab: lab.gpu(throttle=()),
        lambda lab: [lab.gpu(throttle=("hw_power_brake",)) for _ in range(10)],
        lambda lab: [lab.gpu(throttle=()) for _ in range(10)],
    ),
    "gpu_ecc": (
        lambda lab: lab.gpu(ecc=EccCounts(volatile_uncorrected=0)),
        lambda lab: lab.gpu(ecc=EccCounts(volatile_uncorrected=2)),
        None,
    ),
    "gpu_xid": (lambda lab: lab.gpu(xids=()), lambda lab: lab.gpu(xids=(XidEvent(79, lab.now),)), None),
}
"""Rule: what leads up to it, what provokes it, what resolves it (None: only the operator's acknowledgement)."""


def test_no_rule_is_left_out():
    assert PROVOKED.keys() == RULES.keys()


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_fires_once_and_is_resolved_once(lab, rule):
    before, provoke, resolve = PROVOKED[rule]
    before(lab)
    assert rule not in lab.seen
    provoke(lab)
    alert = lab.alert(rule)
    assert alert is not None, f"{rule} never began; on are {[a.rule for a in lab.alerts() if a.active]}"
    assert str(alert.state) == "firing"
    assert alert.recommendation
    assert alert.latched is (resolve is None)
    assert math.isfinite(alert.since)
    if resolve is None:
        lab.wait(700.0, 60.0)
        assert str(lab.alert(rule).state) == "firing", "a latched alert does not end before it is acknowledged"
        entity = next((run.id for run in lab.engine.snapshot.runs if alert in run.alerts), "")
        run_id = "" if alert.entity.startswith(("gpu:", "generation:")) else entity or "run"
        lab.engine.acknowledge(run_id, alert.fingerprint)
        lab.settle(1.0)
        known = lab.alert(rule)
        assert (str(known.state), known.acknowledged) == ("firing", True), "its condition goes on"
        if run_id:
            lab.rows(3, loss=1.0, grad_norm=1.0)
        else:
            lab.gpu(ecc=EccCounts(volatile_uncorrected=2), xids=())
    else:
        resolve(lab)
        if rule in {"stall", "crash"}:
            lab.rows(60, loss=1.0)
        else:
            lab.wait(900.0, 20.0)
    ended = lab.alert(rule)
    assert str(ended.state) == "resolved", f"{rule} is {ended.state}: {lab.seen[rule]}"
    firings = [state for state in lab.seen[rule] if state == "firing"]
    assert len(firings) == 1, lab.seen[rule]
    if rule in {*LIVENESS_RULES, "checkpoint_overdue", "disk_before_checkpoint", "gpu_thermal", "gpu_power"}:
        assert ended.count == 1, "how often it is looked at tells nothing"
    assert ended.flaps == 0


def test_what_held_when_its_run_finished_stays_readable(lab):
    lab.lora(8, updates=[0.0, *[1e-3] * 5])
    assert str(lab.alert("lora_dead").state) == "firing"
    lab.event("train_end", step=lab.step)
    lab.settle(5.0)
    ended = lab.alert("lora_dead")
    (run,) = lab.engine.snapshot.runs
    assert run.diagnosis.state == "finished"
    assert (str(ended.state), ended.held, ended.acknowledged) == ("resolved", True, False)
    assert ended.resolved_at <= lab.now
    text = "".join(piece for row in alert_lines(run, lab.now, 80) for piece, _ in row)
    assert ended.message in text and "held to end" in text
    assert any(mark.kind == "alert" and mark.text == ended.message for mark in run.marks)


def test_history_is_judged_as_it_was_lived(tmp_path):
    """A console that comes later says of each alert what one that was there says."""
    lab = Lab(tmp_path)
    lab.rows(60, loss=1.0, grad_norm=1.0)
    lab.rows(1, loss=3.0, grad_norm=1.0)
    lab.rows(40, loss=1.0, grad_norm=1.0)
    lab.rows(2, loss=1.0, grad_norm=500.0)
    lab.rows(300, loss=1.0, grad_norm=1.0)
    late = Engine([tmp_path], Settings(), clock=lambda: lab.now, probe=lab.probe, watch=False).load()

    def told(snapshot):
        (run,) = snapshot.runs
        return {
            a.rule: SimpleNamespace(state=str(a.state), step=a.since_step, since=a.since, count=a.count)
            for a in run.alerts
            if a.rule not in {"stall"}
        }

    assert told(late) == told(lab.engine.snapshot)

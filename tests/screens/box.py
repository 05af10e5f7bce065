"""A made-up box: runs built through the real signals, and an engine that publishes what a test says."""

import math
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mens_console.config.settings import NotifySettings
from mens_console.ingest.records import BadLine
from mens_console.signals.diagnosis import Diagnosis
from mens_console.signals.rules import Severity
from mens_console.signals.run import RunSignals
from mens_console.store.series import SeriesView
from mens_console.store.snapshot import (
    EMPTY,
    FACETS,
    Mark,
    Progress,
    RunView,
    SegmentView,
    Snapshot,
    SourceView,
)

NOW = 1_760_000_400.0
"""2025-10-09 09:00:00 UTC."""
CHECKPOINT = SimpleNamespace  # the same fields as `ingest.found.Checkpoint`


def settings(**changes):
    base = {"theme": "mens-dark", "keymap": {}, "slow_link": False, "problems": (), "bell": True}
    base |= {"thresholds": {}, "rules": (), "notify": NotifySettings()}
    return SimpleNamespace(**{**base, **changes})


def series(name, steps, values, walls=None, rewound=()):
    steps = np.asarray(steps, np.int64)
    walls = np.full(len(steps), math.nan) if walls is None else np.asarray(walls, np.float64)
    return SeriesView(name, steps, np.asarray(values, np.float64), walls, len(steps), "jsonl", rewound)


def run(
    name, state="running", *, steps=200, total=400, evidence=(), age=2.0, start=2.5, floor=1.0, nan_from=None, **changes
):
    """Build a run whose loss falls from `start` to `floor`, one step a second, newest row `age` seconds old."""
    at = np.arange(1, steps + 1)
    rng = np.random.default_rng(len(name))
    loss = floor + (start - floor) * np.exp(-at / 60) + rng.normal(0, 0.03, steps)
    if nan_from is not None:
        loss[nan_from:] = math.nan
    walls = NOW - age - (steps - at)
    columns = {
        "loss": loss,
        "learning_rate": 2e-4 * np.minimum(1, at / 20) * (1 - at / (total or 10**6)),
        "grad_norm": np.abs(rng.normal(1, 0.2, steps)),
        "tokens_per_sec": rng.normal(2300, 60, steps),
    }
    signals = RunSignals(name)
    signals.total(total)
    for metric, values in columns.items():
        signals.observe(metric, at.tolist(), walls.tolist(), values.tolist())
    path = Path("/box/runs") / "somewhere"
    view = RunView(
        id=name,
        name=name,
        path=path,
        rev=1,
        revs=dict.fromkeys(FACETS, 1),
        diagnosis=Diagnosis(state, NOW - 300.0, tuple(evidence), Severity.INFO),
        signals=(summary := signals.summary(NOW, total)),
        step=steps or None,
        total_steps=total,
        epoch=0.5,
        total_epochs=1.0,
        series={metric: series(metric, at, values, walls) for metric, values in columns.items()} if steps else {},
        segments=(SegmentView(1, steps, NOW - steps),),
        marks=(),
        alerts=summary.alerts,
        sources=(SourceView(path / "metrics.jsonl", "jsonl", steps, 0, 9000, 9000, NOW - age),),
        logs=(),
        checkpoints=(),
        config={"model": "tiny-llama", "lora_r": "16"},
        status={},
        updated_at=NOW - age,
    )
    return replace(view, **changes)


def box(folder: Path | None = None):
    """Return the runs of a lively box: one of each kind an operator meets."""
    path = folder or Path("/box/runs/somewhere")
    healthy = run("qwen-lora-r16", total=12_000, marks=(Mark("checkpoint", 100, NOW - 102),))
    at = np.arange(20, 201, 20)
    healthy = replace(
        healthy,
        series={**healthy.series, "eval_loss": series("eval_loss", at, 1.2 + 1 / at, NOW - 2.0 - (200 - at))},
        checkpoints=(CHECKPOINT(path=path / "checkpoint-100", step=100, bytes=48_000_000, mtime=NOW - 102),),
    )
    stalled = run(
        "mini-ft-07",
        "stalled",
        age=660,
        evidence=("no new row for 11 m; usual gap 1 s (p99 1 s, n=199)", "pid 4121 alive, sleeping, CPU 0 %"),
    )
    diverged = run(
        "lr-3e-2", "diverged", steps=90, total=3000, nan_from=60, evidence=("loss NaN since step 61",), age=40
    )
    resumed = run("resumed", "finished", steps=400, total=400, age=7200)
    resumed = replace(
        resumed,
        segments=(SegmentView(1, 250, NOW - 7600), SegmentView(201, 400, NOW - 7400)),
        marks=(Mark("resume", 201, NOW - 7400),),
        sources=(
            *resumed.sources,
            replace(
                resumed.sources[0],
                path=path / "trainer_log.jsonl",
                bad_rows=1,
                bad=(BadLine(17, 900, "not JSON", "{\x1b[31mtorn"),),
                problem="permission denied: make it readable",
            ),
        ),
    )
    fresh = run("just-started", "waiting", steps=0, total=None, evidence=("no row yet",), epoch=None)
    reading = run("long-history", steps=50, backlog=Progress(30, 100), preview={"loss": 1.25}, total=None)
    return [healthy, stalled, diverged, resumed, fresh, reading]


def snapshot(runs, rev=1, **changes):
    base = Snapshot(
        rev, NOW, tuple(runs), (), (Path("/box/runs"),), scanning=False, by_id={one.id: one for one in runs}
    )
    return replace(base, **changes)


class FakeEngine:
    """Publishes snapshots on a thread that is not the app's, as the engine does."""

    def __init__(self, first=EMPTY):
        self.snapshot = first
        self.wanted = []
        self.orders = []
        self.started = self.stopped = False
        self._on_publish = None

    def start(self, on_publish):
        self.started = True
        self._on_publish = on_publish
        self.publish(self.snapshot)

    def stop(self):
        self.stopped = True

    def want(self, run_id, in_sight=()):
        self.wanted.append((run_id, tuple(in_sight)))

    def acknowledge(self, run_id, fingerprint, note=""):
        self.orders.append(("acknowledge", run_id, fingerprint, note))

    def silence(self, silence):
        self.orders.append(("silence", silence))

    def unsilence(self, silence_id):
        self.orders.append(("unsilence", silence_id))

    def touch(self, at):
        self.touched_at = at

    def look_at_machine(self, on):
        self.orders.append(("look_at_machine", on))

    def pace(self, not_before):
        self.not_before = not_before

    def publish(self, fresh, times=1):
        self.snapshot = fresh
        thread = threading.Thread(target=lambda: [self._on_publish(fresh) for _ in range(times)])
        thread.start()
        thread.join()

"""One attempt at a run, from its start to its end: the collectors and writers, and which figure goes where.

Only `Session` calls it, in one process and thread; values are numbers already, and names of collectors guard each part.
"""

# Names may hold any bytes.
# ruff: noqa: PTH100, PTH118

from __future__ import annotations

import math
import os
import socket
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.alerts import AlertsManager
from mens_console.collectors.evaluation import FixedTrend
from mens_console.collectors.layers import LayerRows, lora_stats, lora_summary
from mens_console.collectors.patterns import PatternTracker
from mens_console.collectors.status import StatusWriter
from mens_console.collectors.streaming import create_streaming_tracker
from mens_console.collectors.summary import RunSummary, settings
from mens_console.collectors.system import NAME as SYSTEM
from mens_console.collectors.system import PARTING_S, SystemSampler
from mens_console.collectors.telemetry import TelemetryWriter
from mens_console.collectors.throughput import create_throughput_monitor
from mens_console.signals.alerts import AlertState
from mens_console.signals.trend import TrendEstimator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.collectors.files import Told
    from mens_console.collectors.guard import Guard
    from mens_console.signals.alerts import AlertView
    from mens_console.signals.pairs import LayerRow, PairTable

_MEASURED: Final = ("loss", "grad_norm", "token_entropy", "accuracy")
"""A step of which none of these is known leaves no row."""
_PATTERNS_S: Final = 10.0
_WINDOWS: Final = (20, 50)
_STREAMED: Final = ("streaming_ce", "loss_variance")
_RATES: Final = ("tokens_per_sec", "tokens_per_sec_avg")
_EVAL_LOSSES: Final = ("eval_loss", "eval/loss", "val_loss", "val/loss", "valid_loss", "validation_loss")
_NO_EXTRA: Final = frozenset({"step", "ts_ms"})
"""What a further series may not be called: readers would take it for the row's own step or time."""
_HEAD: Final = frozenset({"step", "total_steps", "epoch", "loss", "lr", "learning_rate", "self"})
"""What the head of a status document says already."""
_Numbers = dict[str, float | None]


class Attempt:
    """What `Session` does, once it knows that this process is to do it. May raise: the session guards it."""

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        guard: Guard,
        clock: Callable[[], float],
        total_steps: int | None,
        total_epochs: float | None,
        config: Mapping[str, object] | None,
        base_model: str,
        dataset_version: str,
        world_size: int,
        ema_alpha: float,
        status_every_s: float,
        system_every_s: float = 0.0,
    ) -> None:
        folder = os.path.abspath(os.fsdecode(run_dir))
        self._guard = guard
        self._clock = clock
        self._every_s = status_every_s
        told: Told = {}
        self.telemetry = TelemetryWriter(os.path.join(folder, "telemetry.jsonl"), clock=clock, told=told)
        self.status = StatusWriter(os.path.join(folder, "training_status.json"), status_every_s, clock=clock, told=told)
        self.summary = RunSummary(
            folder, config=config, base_model=base_model, dataset_version=dataset_version, clock=clock, told=told
        )
        self.system: SystemSampler | None = None
        if system_every_s > 0.0:
            self.system = SystemSampler(
                partial(self.telemetry.write, SYSTEM), every_s=system_every_s, step=lambda: self._step, guard=guard
            )
        self.streaming = create_streaming_tracker(ema_alpha)
        self.throughput = create_throughput_monitor()
        self.alerts = AlertsManager(ema_alpha=ema_alpha, total_steps=total_steps, clock=clock)
        self.patterns = PatternTracker()
        self._rows = LayerRows()
        self._fixed_trend = FixedTrend()
        self._fixed: dict[str, Any] = {}
        self._accuracy: deque[tuple[int, float]] = deque(maxlen=max(_WINDOWS))
        self._accuracy_trend = TrendEstimator(falling_is_better=False)
        self._last: dict[str, float] = {}
        """The newest of each metric, for the status and the end."""
        self._best_eval: tuple[int, float] | None = None
        self._step: int | None = None
        self._beat_at = self._patterns_at = -math.inf
        self._patterns_told = 0
        self._total_steps, self._total_epochs = total_steps, total_epochs
        self._intro = settings(config) | {
            name: value
            for name, value in {
                "base_model": base_model,
                "dataset_version": dataset_version,
                "total_steps": total_steps,
                "total_epochs": total_epochs,
                "world_size": world_size,
                "run_id": self.summary.run_id,
                "pid": os.getpid(),
                "host": socket.gethostname(),
            }.items()
            if value not in (None, "")
        }

    @property
    def complete(self) -> bool:
        """Return whether all steps that were meant to be made were."""
        return bool(self._total_steps) and self._step is not None and self._step >= (self._total_steps or 0)

    # ------------------------------------------------------------------ begin and end

    def begin(self) -> None:
        """Write the start."""
        self.telemetry.write("train_start", self._intro)
        world_size = self._intro["world_size"]
        planned = {"total_steps": self._total_steps, "total_epochs": self._total_epochs, "world_size": world_size}
        self._guard.run("summary", self.summary.start, **planned)
        if self.system is not None:
            self._guard.run(SYSTEM, self.system.start)

    def end(self, status: str, error: str | None, deadline: float) -> None:
        """Write the end, and wait for the files until the monotonic time `deadline`."""
        self._beat(self._clock())
        self._guard.run("patterns", self._tell_patterns)
        if self.system is not None:
            self.system.stop(min(PARTING_S, _left(deadline)))
        said = {"status": status, "step": self._step, "error": error}
        self.telemetry.write("train_end", {name: value for name, value in said.items() if value is not None})
        self.telemetry.close(_left(deadline))
        self._guard.run("status", self.status.finish, status, error, _left(deadline))
        self._guard.run("summary", self._sum_up, status, error, deadline)

    def _sum_up(self, status: str, error: str | None, deadline: float) -> None:
        best = None if self._best_eval is None else {"step": self._best_eval[0], "eval_loss": self._best_eval[1]}
        alerts = self._guard.run("alerts", self.alerts.summary) or {}
        self.summary.finish(
            status, error=error, timeout=_left(deadline), last_step=self._step, best_eval=best,
            final_metrics=dict(self._last), alerts=alerts,
        )  # fmt: skip

    # ------------------------------------------------------------------ steps

    def step(self, step: int, known: _Numbers, extra: _Numbers, tokens: float | None) -> None:
        """Take one step in and write its row."""
        now = self._clock()
        if self._step is not None and step < self._step:
            self._rewind(step)
        self._step = step
        self.status.phase("training")
        row: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        if tokens is not None:
            self._guard.run("throughput", self.throughput.update, tokens)
        if any(name in row for name in _MEASURED) or any(value is not None for value in extra.values()):
            self._derive(step, row)
            row |= {k: v for k, v in extra.items() if v is not None and k not in row and k not in _NO_EXTRA}
            self._guard.run("alerts", self.alerts.feed, step, row, now)
            self.telemetry.write("step", {"step": step, **row}, now)
        self._last |= row

    def _derive(self, step: int, row: dict[str, Any]) -> None:
        """Put what follows from a step's own figures into its row."""
        loss, entropy, accuracy = row.get("loss"), row.get("token_entropy"), row.get("accuracy")
        if entropy is not None:
            self._guard.run("streaming", self.streaming.update_entropy, entropy, step)
        if loss is not None:
            found = self._guard.run("streaming", self.streaming.update_loss, loss, step) or {}
            row |= {name: value for name in _STREAMED if (value := found.get(name)) is not None}
            self.status.note_loss(step, loss, row.get("learning_rate"))
        if self.throughput.num_tokens:
            row |= self._guard.run("throughput", lambda: self.throughput.rates) or {}
            row["num_tokens"] = round(self.throughput.num_tokens)
        if accuracy is not None and math.isfinite(accuracy):
            self._accuracy.append((step, accuracy))
            self._accuracy_trend.update(step, accuracy)
            values = [value for _, value in self._accuracy]
            row |= {f"accuracy_last_{n}": math.fsum(values[-n:]) / n for n in _WINDOWS if len(values) >= n}

    def _rewind(self, step: int) -> None:
        self._guard.run("streaming", self.streaming.rewind, step)
        self._guard.run("alerts", self.alerts.rewind, step)
        self._away()
        self._fixed_trend.rewind(step)
        self._accuracy_trend.rewind(step)
        while self._accuracy and self._accuracy[-1][0] >= step:
            self._accuracy.pop()
        if self._best_eval is not None and self._best_eval[0] >= step:
            self._best_eval = None

    def know_pairs(self, table: PairTable, pairs: list[dict[str, Any]] | None) -> None:
        """Learn which adapter pairs looks count in."""
        self._rows.know(table, pairs)

    def look(self, row: LayerRow, learning_rate: float | None, update_steps: int) -> None:
        """Write a look at the adapters, and have it judged with the next beat."""
        for event, payload in self._rows.payloads(row, learning_rate, update_steps):
            self.telemetry.write(event, payload, row.wall if math.isfinite(row.wall) else None)
        if self._rows.table is not None:
            self._guard.run("alerts", self.alerts.look, row, self._rows.table)

    # ------------------------------------------------------------------ what else happens

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write an evaluation; its time is no training time."""
        self._away()
        loss = next((metrics[name] for name in _EVAL_LOSSES if name in metrics), None)
        if loss is not None and math.isfinite(loss) and (self._best_eval is None or loss < self._best_eval[1]):
            self._best_eval = (step, loss)
        self._last |= metrics
        self._guard.run("alerts", self.alerts.feed, step, metrics if loss is None else {**metrics, "eval_loss": loss})
        self.telemetry.write("eval", {**metrics, "step": step})

    def fixed_eval(self, step: int, figures: _Numbers, n: int) -> None:
        """Write an evaluation on the fixed set."""
        self._away()
        trend = self._fixed_trend.update(step, figures["em"], figures["ce"])
        known = {f"fixed_eval_{name}": value for name, value in figures.items() if value is not None}
        self._fixed = {"fixed_eval_n": n, "fixed_eval_trend": trend}
        self._last |= known
        self._guard.run("alerts", self.alerts.feed, step, known)
        self.telemetry.write("fixed_eval", {"step": step, **figures, "n": n, "trend": trend})

    def checkpoint(self, step: int, path: str) -> None:
        """Write that a checkpoint was written; its time is no training time."""
        self._away()
        self._guard.run("summary", self.summary.checkpoint, path)
        self.telemetry.write("checkpoint", {"step": step, "path": path})

    def phase(self, name: str) -> None:
        """Tell the phase, and count only training as throughput."""
        self._guard.run("throughput", self.throughput.resume if name == "training" else self.throughput.pause)
        self._guard.run("status", self.status.phase, name)

    def _away(self) -> None:
        """Leave out the time since the last step: it did not go into training."""
        self._guard.run("throughput", self.throughput.exclude_since_update)

    # ------------------------------------------------------------------ every few seconds

    def beat(self) -> None:
        """Judge alerts and update the status, if it is time."""
        now = self._clock()
        if not 0.0 <= now - self._beat_at < self._every_s:  # a clock that went back is no reason to wait
            self._beat(now)

    def _beat(self, now: float) -> None:
        self._beat_at = now
        for view in self._guard.run("alerts", self.alerts.check) or ():
            self._tell_alert(view)
        if not 0.0 <= now - self._patterns_at < _PATTERNS_S:
            self._patterns_at = now
            self._guard.run("patterns", self._tell_patterns)
        if self._step is not None:
            self._guard.run("status", self._update_status, self._step)

    def _tell_alert(self, view: AlertView) -> None:
        over = view.state is AlertState.RESOLVED
        said = {
            "rule": view.rule,
            "severity": str(view.severity),
            "state": str(view.state),
            "message": view.message,
            "step": self._step if over or view.last_step is None else view.last_step,
        }
        self.telemetry.write("alert", said)

    def _tell_patterns(self) -> None:
        heatmap = self.patterns.heatmap()
        if heatmap is not None and self.patterns.n != self._patterns_told:
            self._patterns_told = self.patterns.n
            self.telemetry.write("pattern_heatmap", {"step": self._step or 0, **heatmap})

    def _update_status(self, step: int) -> None:
        run, last = self._guard.run, self._last
        found = {
            **(run("streaming", self.streaming.get_statistics) or {}),
            **(run("throughput", self.throughput.get_statistics) or {}),
        }
        metrics: dict[str, Any] = {
            **{name: value for name, value in last.items() if name not in _HEAD},
            **self._fixed,
            **{
                name: found.get(name)
                for name in (*_STREAMED, "token_entropy", "loss_trend", *_RATES, "throughput_trend")
            },
            "total_epochs": self._total_epochs,
            "accuracy_trend": self._accuracy_trend.trend.direction if self._accuracy else None,
            "active_alerts": run("alerts", self.alerts.active),
            "alert_summary": run("alerts", self.alerts.summary),
            "pattern_heatmap": run("patterns", self.patterns.heatmap),
            **(run("lora", self._layer_metrics) or {}),
        }
        self.status.update_advanced_metrics(
            step, self._total_steps, last.get("epoch"), last.get("loss"), last.get("learning_rate"), **metrics
        )

    def _layer_metrics(self) -> dict[str, Any]:
        row, table, layers = self._rows.newest, self._rows.table, self.alerts.layers
        if row is None or table is None or self._guard.off("alerts"):
            return {}
        return {"lora_summary": lora_summary(layers, table), "lora_stats": lora_stats(row, table, layers.states)}


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)

"""The console's own alert rules, run inside the training: points of metrics and looks at adapters in, alerts out.

No rule lives here: what fires, and when it lets go, is decided in `mens_console.signals`.
"""

from __future__ import annotations

import math
import time
from array import array
from typing import TYPE_CHECKING, Any, Final

from mens_console.signals.alerts import AlertReducer, AlertState
from mens_console.signals.ema import ALPHA
from mens_console.signals.layers import LayerSignals
from mens_console.signals.pairs import LayerRow, PairTable
from mens_console.signals.rules import RULES, Severity
from mens_console.signals.run import RunSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mens_console.signals.alerts import AlertView, Observation
    from mens_console.signals.rules import Rule

_SEED: Final = 1000
_NAMES: Final = {"token_entropy": "entropy", "lr": "learning_rate", "ece": "fixed_eval_ece"}
"""What callers call a metric that the signals know under another name."""
_TOLD: Final = frozenset({AlertState.FIRING, AlertState.RECOVERING, AlertState.RESOLVED})
_Point = tuple[int, float, float]


class _Noting(AlertReducer):
    """A reducer that notes every change of state or severity, also those that undo each other between two checks."""

    __slots__ = ("noted",)

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        super().__init__(rules)
        self.noted: list[AlertView] = []

    def apply(self, seen: Observation) -> AlertView | None:
        before = self.get(seen.rule, seen.entity)
        after = super().apply(seen)
        if after is not None and (before is None or (before.state, before.severity) != (after.state, after.severity)):
            self.noted.append(after)
        return after


def create_alerts_manager(**options: Any) -> AlertsManager:
    """Return a manager with the options of `AlertsManager`."""
    return AlertsManager(**options)


class AlertsManager:
    """Alerts of one training. `check_all` feeds and judges at once; `feed` and `check` do it apart.

    An alert is there once however often its condition is seen; it resolves by itself, except a latched one (a NaN),
    which stays until somebody looks after the run. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        entity: str = "run",
        rules: Mapping[str, Rule] = RULES,
        ema_alpha: float = ALPHA,
        total_steps: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.signals = RunSignals(entity, ema_alpha=ema_alpha, rules=rules)
        self.signals.alerts = self._reducer = _Noting(rules)
        self.signals.total(total_steps)
        self.layers = LayerSignals(entity, rules)
        self._clock = clock
        self._points: dict[str, list[_Point]] = {}
        self._looks: list[tuple[LayerRow, PairTable]] = []
        self._known: dict[str, tuple[AlertState, Severity]] = {}
        self._last_step: int | None = None

    # ------------------------------------------------------------------ taking in

    def feed(self, step: int, values: Mapping[str, float], wall: float | None = None) -> None:
        """Keep the metrics of a step for the next check; metrics that no rule watches are passed over."""
        at = self._clock() if wall is None else wall
        self._last_step = step
        for name, value in values.items():
            metric = _NAMES.get(name, name)
            if self.signals.wants(metric):
                self._points.setdefault(metric, []).append((step, at, value))

    def rewind(self, step: int) -> None:
        """Begin another attempt at `step` (a resume); what is kept is judged first."""
        self._take_in()
        self.signals.rewind(step)
        for observation in self.layers.rewind(step, self._clock()):
            self._reducer.apply(observation)

    def look(self, row: LayerRow, table: PairTable) -> None:
        """Keep a look at the adapter pairs for the next check."""
        self._looks.append((row, table))

    def _take_in(self) -> None:
        points, self._points = self._points, {}
        looks, self._looks = self._looks, []
        for metric, rows in points.items():
            steps, walls, values = zip(*rows, strict=True)
            self.signals.observe(metric, steps, walls, values)
        for row, table in looks:
            self.layers.table(table)
            for observation in self.layers.observe(row):
                self._reducer.apply(observation)

    # ------------------------------------------------------------------ judging

    def check(self) -> list[AlertView]:
        """Judge what was fed since the last check; return every change, in order of steps: fired, worse, resolved.

        An alert that follows from another one that is on is not told while that lasts.
        """
        self._take_in()
        self.signals.advance(self._clock())
        noted, self._reducer.noted = self._reducer.noted, []
        last = {view.fingerprint: (view.state, view.severity) for view in noted}
        quiet = set()
        for view in self._reducer.views:
            now = (view.state, view.severity)
            if view.quiet and view.active:
                quiet.add(view.fingerprint)
            elif last.get(view.fingerprint, self._known.get(view.fingerprint)) != now:
                noted.append(view)  # changed by the passing of time alone, or told at last
        changes = []
        for view in sorted(noted, key=lambda view: -1 if view.last_step is None else view.last_step):
            known = self._known.get(view.fingerprint)
            fresh = known != (view.state, view.severity) and (known or view.active)
            if view.state in _TOLD and view.fingerprint not in quiet and fresh:
                self._known[view.fingerprint] = (view.state, view.severity)
                changes.append(view)
        return changes

    def check_all(
        self,
        step: int,
        loss: float | None = None,
        streaming_ce: float | None = None,
        gradient_norms: Mapping[str, float] | float | None = None,
        learning_rate: float | None = None,
        recent_losses: Sequence[float] | None = None,
        **more: float | None,
    ) -> list[dict[str, Any]]:
        """Take one step in and return the alerts that are on, worst first (see `active`).

        `gradient_norms` is the norm of the whole gradient, or that of each layer by name. The rules smooth the loss
        themselves; `streaming_ce` stands in for a loss that is not given. `recent_losses`, oldest first, teach a fresh
        manager what is usual; later ones are not looked at. A step before the last one begins another attempt. `more`
        are further metrics, such as `token_entropy`, `ece` or `tokens_per_sec`.
        """
        if recent_losses and self._last_step is None:
            self._seed(step, loss, recent_losses)
        if self._last_step is not None and step < self._last_step:
            self.rewind(step)
        values = {"loss": streaming_ce if loss is None else loss, "learning_rate": learning_rate, **more}
        if isinstance(gradient_norms, int | float):
            values["grad_norm"] = gradient_norms
        known = {name: float(value) for name, value in values.items() if value is not None}
        wall = self._clock()
        if gradient_norms is not None and not isinstance(gradient_norms, int | float):
            norms = array("d", gradient_norms.values())
            known.setdefault("grad_norm", math.sqrt(math.fsum(x * x for x in norms)) if _finite(norms) else math.nan)
            told = array("d", [x if x - x == 0.0 else math.inf for x in norms])
            rate = math.nan if learning_rate is None else learning_rate
            self.look(LayerRow(step, wall, {"grad": told}, rate), PairTable(tuple(gradient_norms)))
        self.feed(step, known, wall)
        self.check()
        return self.active()

    def _seed(self, step: int, loss: float | None, recent: Sequence[float]) -> None:
        past = [float(x) for x in recent[-_SEED:]]
        if loss is not None and past and (past[-1] == loss or (past[-1] != past[-1] and loss != loss)):
            past.pop()
        past = past[-step:] if step > 0 else []
        for i, value in enumerate(past):
            self.feed(step - len(past) + i, {"loss": value}, math.nan)

    # ------------------------------------------------------------------ telling

    def active(self) -> list[dict[str, Any]]:
        """Return the alerts that are on, worst first, without those that follow from another one of them.

        Each has `severity`, `rule`, `message`, `recommendation`, `state` (firing or recovering), `since_step` and
        `count`, the points that breached.
        """
        return [as_dict(view) for view in self._on()]

    def summary(self) -> dict[str, int]:
        """Return how many alerts are on by severity, `active` in all, and how many were `resolved`."""
        on = self._on()
        counts = {str(severity): sum(view.severity is severity for view in on) for severity in reversed(Severity)}
        resolved = sum(view.state is AlertState.RESOLVED for view in self._reducer.views)
        return {**counts, "active": len(on), "resolved": resolved}

    def _on(self) -> list[AlertView]:
        return [v for v in self._reducer.views if v.state in _TOLD and v.active and not v.quiet]


def as_dict(view: AlertView) -> dict[str, Any]:
    """Return an alert as the plain values that status files and callers get."""
    return {
        "severity": str(view.severity),
        "rule": view.rule,
        "message": view.message,
        "recommendation": view.recommendation,
        "state": str(view.state),
        "since_step": view.since_step,
        "count": view.count,
    }


def _finite(values: Sequence[float]) -> bool:
    return all(x - x == 0.0 for x in values)

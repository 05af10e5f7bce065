"""Detectors over the columns of one run: points in, observations for the alert reducer out.

They decide on steps and values only and carry wall times along; no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.human import number
from mens_console.signals.human import step as step_text
from mens_console.signals.rules import RULES, Severity
from mens_console.signals.series import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.rules import Rule

_WINDOW: Final = 50
_MIN_LEVEL: Final = 10
_REFRESH: Final = 10
_MAD_TO_SIGMA: Final = 1.4826
_LEAST_SPREAD: Final = 0.01
_NOISE: Final = 3.0
_LEAST_LEVEL: Final = 0.01
_DIVERGED: Final = 3.0
_FAR: Final = 0.1
_HIDDEN_KEPT: Final = 1 << 16
_INF: Final = math.inf


class Detector:
    """What the detectors share: the entity they speak of and the rules they speak by."""

    __slots__ = ("_active", "_rules", "entity")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        self.entity = entity
        self._rules = rules
        self._active: set[str] = set()

    def _breach(
        self,
        rule: str,
        point: tuple[int, float, float],
        message: str,
        *evidence: str,
        severity: Severity | None = None,
        threshold: float | None = None,
    ) -> Observation:
        step, wall, value = point
        self._active.add(rule)
        return Observation(
            rule, self.entity, Signal.BREACH, wall, step, value, threshold, severity, message, evidence
        )  # fmt: skip

    def _clear(self, rule: str, step: int, wall: float) -> list[Observation]:
        """Say once that the condition ended; nothing if it did not hold."""
        if rule not in self._active:
            return []
        self._active.discard(rule)
        return [Observation(rule, self.entity, Signal.CLEAR, wall, step)]


class NonFinite(Detector):
    """NaN or infinity in one metric: the rules ``nan_loss`` and ``nan_grad``."""

    __slots__ = ("count", "first_step", "label", "rule", "run")

    def __init__(self, entity: str, rule: str, label: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self.rule = rule
        self.label = label
        self.count = 0
        self.run = 0
        """Non-finite points in a row at the end."""
        self.first_step: int | None = None
        """Where that row began."""

    def update_many(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take points in order and return what there is to say about them."""
        found: list[Observation] = []
        run = self.run
        for i, x in enumerate(values):
            if x - x == 0.0:
                if run:
                    run = 0
                    self.first_step = None
                    found += self._clear(self.rule, steps[i], walls[i])
                continue
            run += 1
            self.count += 1
            if self.first_step is None:
                self.first_step = steps[i]
            since = f"{self.label} not finite since step {step_text(self.first_step)}"
            found.append(self._breach(self.rule, (steps[i], walls[i], x), f"{self.label} is {number(x)}", since))
        self.run = run
        return found

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`."""
        self.run, self.first_step = 0, None
        return self._clear(self.rule, step, wall)


class HiddenNan(Detector):
    """Loss exactly 0.0 and a gradient norm that is not finite at the same step, whichever column comes first.

    Unmatched steps of either side are kept, the newest 65 536.
    """

    __slots__ = ("_bad", "_zero", "first_step", "last_step", "run")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._zero: dict[int, None] = {}
        self._bad: dict[int, None] = {}
        self.run = 0
        """Steps that matched since `first_step`, the last of them `last_step`."""
        self.first_step: int | None = None
        self.last_step = -1

    def losses(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take losses in."""
        if 0.0 not in values:
            return []
        odd = [i for i, x in enumerate(values) if x == 0.0]
        return self._match(odd, steps, walls, self._zero, self._bad)

    def grads(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take gradient norms in; a finite one ends the condition."""
        found: list[Observation] = []
        for i, x in enumerate(values):
            if x - x != 0.0:
                found += self._match([i], steps, walls, self._bad, self._zero)
            elif self.first_step is not None and steps[i] > self.last_step:
                self.first_step = None
                found += self._clear("hidden_nan", steps[i], walls[i])
        return found

    def _match(
        self,
        rows: list[int],
        steps: Sequence[int],
        walls: Sequence[float],
        mine: dict[int, None],
        other: dict[int, None],
    ) -> list[Observation]:
        found: list[Observation] = []
        for i in rows:
            step = steps[i]
            if step in other:
                del other[step]
                self.run = self.run + 1 if self.first_step is not None else 1
                first = self.first_step = step if self.first_step is None else min(self.first_step, step)
                self.last_step = step if self.run == 1 else max(self.last_step, step)
                why = f"loss exactly 0.0 with a gradient norm that is not finite since step {step_text(first)}"
                found.append(
                    self._breach("hidden_nan", (step, walls[i], 0.0), "the trainer logs loss 0.0 for NaN", why)
                )
            else:
                mine[step] = None
                if len(mine) > _HIDDEN_KEPT:
                    del mine[next(iter(mine))]
        return found

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`."""
        self._zero.clear()
        self._bad.clear()
        self.first_step = None
        return self._clear("hidden_nan", step, wall)


class Spikes(Detector):
    """Loss against its recent level, the median of the last 50 finite losses, computed anew every ten.

    One point ≥ 2 × is a spike, ≥ 10 × an explosion (levels above 0 only), three in a row beyond 6 robust σ a
    sustained rise. While the loss is exploded it does not feed the level: ruin must not become the new normal.

    A loss that hovers about 0, as those of policies do, is many times its median all the time. So no level counts as
    less than 3 robust σ of the noise from point to point (a fall is no noise), nor as less than 0.01, where trainers
    log four digits behind the point.
    """

    __slots__ = ("_fed", "_high", "_limit", "_points", "level", "scale", "sigma")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._points: deque[tuple[int, float]] = deque(maxlen=_WINDOW)
        self._fed = 0
        self._high = 0
        self._limit = _INF
        self.level = math.nan
        self.sigma = math.nan
        self.scale = math.nan
        """What a loss is compared with: the level, or where that is lost in the spread, the spread."""

    def update_many(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take losses in order and return what there is to say about them."""
        found: list[Observation] = []
        points, limit, fed = self._points, self._limit, self._fed
        for step, wall, x in zip(steps, walls, values, strict=True):
            if x >= limit or self._active or self._high:
                if x - x == 0.0:
                    found += self._judge(step, wall, x)
                    limit = self._limit
                if "loss_explosion" in self._active:
                    continue
            if x - x == 0.0:
                points.append((step, x))
                fed += 1
                if not fed % _REFRESH:
                    self._refresh()
                    limit = self._limit
        self._fed = fed
        return found

    def _refresh(self) -> None:
        values = sorted([x for _, x in self._points])
        if len(values) < _MIN_LEVEL:
            return
        level = self.level = median(values)
        spread = _MAD_TO_SIGMA * median(sorted([abs(x - level) for x in values]))
        self.sigma = max(spread, _LEAST_SPREAD * abs(level), 1e-12)
        self._limit = level + self._rules["loss_spike_sustained"].entry * self.sigma
        steps = sorted([abs(b[1] - a[1]) for a, b in pairwise(self._points)])
        self.scale = max(level, _NOISE * _MAD_TO_SIGMA * median(steps) / math.sqrt(2.0), _LEAST_LEVEL)
        if level > 0.0:
            self._limit = min(self._limit, self._rules["loss_spike"].entry * self.scale)

    def _judge(self, step: int, wall: float, x: float) -> list[Observation]:
        found: list[Observation] = []
        level = self.level
        recent = f"recent level {number(level)} (median of the last {len(self._points)} losses)"
        ratio = x / self.scale if level > 0.0 else 0.0
        if self.scale > level:
            recent += f", counted as {number(self.scale)} (3 σ of their noise, at least {_LEAST_LEVEL})"
        for name in ("loss_spike", "loss_explosion"):
            rule = self._rules[name]
            if ratio >= rule.entry:
                text = f"loss {number(x)} is {ratio:.3g} × its recent level"
                found.append(self._breach(name, (step, wall, ratio), text, recent))
            elif ratio < rule.exit:
                found += self._clear(name, step, wall)
        rule = self._rules["loss_spike_sustained"]
        z = (x - level) / self.sigma
        self._high = self._high + 1 if z > rule.entry else 0
        if self._high >= rule.for_points:
            text = f"{self._high} losses in a row above the recent level, the last by {z:.3g} σ"
            found.append(self._breach(rule.id, (step, wall, z), text, recent))
        elif z < rule.exit:
            found += self._clear(rule.id, step, wall)
        return found

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`, with the level from before it."""
        self._points = deque((p for p in self._points if p[0] < step), maxlen=_WINDOW)
        self._high = 0
        self._limit, self.level, self.sigma, self.scale = _INF, math.nan, math.nan, math.nan
        self._refresh()
        return [o for rule in sorted(self._active) for o in self._clear(rule, step, wall)]


class Divergence:
    """For how long the loss has been far above its best: no alert of its own, but evidence for the diagnosis.

    Far is 3 × the best EMA, and by a tenth of where the run began, so that a loss near 0 does not count its noise.
    """

    __slots__ = ("_limit", "_start", "best", "run", "since_step")

    def __init__(self) -> None:
        self.best = _INF
        self.run = 0
        """Points in a row above the limit, since `since_step`."""
        self.since_step: int | None = None
        self._start = math.nan
        self._limit = _INF

    def update_many(self, steps: Sequence[int], losses: Sequence[float], emas: Sequence[float]) -> None:
        """Take losses and their EMA in order; NaN is skipped."""
        limit, best, run = self._limit, self.best, self.run
        for i, x in enumerate(losses):
            if x > limit:
                run += 1
                if run == 1:
                    self.since_step = steps[i]
            elif x == x:
                run = 0
            ema = emas[i]
            if ema < best:
                if self._start != self._start:
                    self._start = abs(ema)
                if ema > 0.0:
                    best = ema
                    limit = max(_DIVERGED * best, best + _FAR * self._start)
        self._limit, self.best, self.run = limit, best, run

    def rewind(self) -> None:
        """Begin again after a resume; the best stays."""
        self.run = 0

"""A loss that has stopped improving, and one that is stuck high: patience on its EMA.

Points in, observations for the alert reducer out; it decides on steps and values only, as `detectors` do.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

from mens_console.signals.detectors import Detector
from mens_console.signals.human import number
from mens_console.signals.human import step as step_text
from mens_console.signals.rules import RULES, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.alerts import Observation
    from mens_console.signals.rules import Rule

_INF: Final = math.inf
_NOISE: Final = 1e-9
"""Percent under which a gain is what rounding leaves of 0."""
_WARM: Final = 20
"""Points after which the EMA is one: before that, its lowest may be the luck of a few losses."""
_STRETCHES: Final = 8
_STRETCH: Final = 25
_FALLS: Final = -16
"""Mann and Kendall's S of eight values from which on a fall is no chance (one-sided p = 0.031)."""
_LOOKED_BACK: Final = 4
"""Stretches of a plateau's patience over which its level is taken."""


class Plateau(Detector):
    """Patience on the EMA of the loss: its best must improve by 1 % within 50 steps and 50 points.

    Fifty steps alone would be five points of a run that logs every ten, too few for an EMA over twenty; both count from
    the twentieth point on. The best so far is compared, so noise neither starts nor ends a plateau. None begins while
    the EMA stands above its mean since the best by what would be an improvement: that run is getting worse, which is
    for other rules to say; nor while the EMA hovers about 0, as that of a policy's loss: a share of that tells nothing.
    It ends with an improvement of 2 % over the same stretch, so that slow progress stays one
    alert and does not come and go.

    One percent in fifty steps is what many a healthy run gains late in its course, and noise hides less. While the
    longer course still falls, the alert is for information; it becomes a warning once that has come to rest.
    """

    __slots__ = ("_best", "_course", "_low", "_mild", "_n", "_points", "_since", "_step")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._restart()

    def _restart(self) -> None:
        self._best, self._low, self._step, self._n, self._points = _INF, _INF, 0, 0, 0
        self._since: deque[float] = deque(maxlen=_LOOKED_BACK * self._rules["plateau"].for_points)
        self._course, self._mild = Course(), False

    @property
    def on(self) -> bool:
        """Say whether the loss is on a plateau."""
        return "plateau" in self._active

    def update_many(self, steps: Sequence[int], walls: Sequence[float], emas: Sequence[float]) -> list[Observation]:
        """Take points of the EMA in order (NaN is skipped) and return what there is to say about them."""
        rule = self._rules["plateau"]
        enter, leave, patience = rule.entry / 100.0, rule.exit / 100.0, rule.for_points
        on, since, course = self.on, self._since, self._course
        best, n = self._best, self._n
        goal = _goal(best, leave if on else enter)
        found: list[Observation] = []
        for i, x in enumerate(emas):
            if x == x:
                course.total += x
                course.n += 1
                if course.n == _STRETCH and course.complete() and on and self._mild and not course.falls:
                    found.append(self._comes_to_rest((steps[i], walls[i], x)))
            if x < goal:
                if on:
                    on = False
                    found += self._clear("plateau", steps[i], walls[i])
                    found += self._clear("loss_stuck", steps[i], walls[i])
                best = self._best = x
                self._begin(steps[i], n)
                goal = _goal(best, enter)
            elif x != x:
                continue
            elif n < _WARM:
                best = self._best = x
                self._begin(steps[i], n)
                goal = _goal(best, enter)
            elif on:
                found += self._stuck(steps[i], walls[i], x)
                self._low = min(self._low, x)
                if n - self._points >= patience and steps[i] - self._step >= patience:
                    best = self._best = min(best, self._low)
                    self._step, self._points = steps[i], n
                    goal = _goal(best, leave)
            elif n - self._points < patience or steps[i] - self._step < patience or self._is_none(x, enter):
                since.append(x)
            else:
                on = True
                found.append(self._enter((steps[i], walls[i], x), n - self._points))
                self._low, self._step, self._points = best, steps[i], n
                goal = _goal(best, leave)
            n += 1
        self._n = n
        return found

    def _begin(self, step: int, n: int) -> None:
        """Begin the patience anew at a point."""
        self._step, self._points = step, n
        self._since.clear()

    def _is_none(self, x: float, share: float) -> bool:
        """Say whether a point that is no better than the best is of no plateau: the run worsens, or hovers about 0."""
        hovers = min(self._since, default=x) < 0.0 < max(self._since, default=x)
        return hovers or self._worsens(x, share)

    def _worsens(self, x: float, share: float) -> bool:
        """Say whether a point stands above the mean since the best by `share` of that."""
        mean = math.fsum(self._since) / max(len(self._since), 1)
        return x > mean + share * abs(mean)

    def _enter(self, point: tuple[int, float, float], points: int) -> Observation:
        step, wall, x = point
        gain = 100.0 * (self._best - x) / abs(self._best) if self._best else 0.0
        gain = gain if abs(gain) > _NOISE else 0.0
        least = number(self._rules["plateau"].entry)
        text = f"EMA of the loss has not improved by {least} % since step {step_text(self._step)}"
        why = f"EMA {number(x)}, best {number(self._best)} at step {step_text(self._step)}, {points} points ago"
        self._mild = self._course.falls
        if not self._mild:
            return self._breach("plateau", (step, wall, gain), text, why)
        text += ", but falls in the long run"
        return self._breach("plateau", (step, wall, gain), text, why, self._course.told, severity=Severity.INFO)

    def _comes_to_rest(self, point: tuple[int, float, float]) -> Observation:
        """Say that a plateau is one by the longer course, too; it counts as the same point of the same condition."""
        step, wall, x = point
        self._mild = False
        gain = 100.0 * (self._best - x) / abs(self._best) if self._best else 0.0
        text = f"EMA of the loss improves by less than {number(self._rules['plateau'].entry)} %, and falls no more"
        found = self._breach("plateau", (step, wall, gain), text, self._course.told)
        return replace(found, standing=True)

    def _stuck(self, step: int, wall: float, x: float) -> list[Observation]:
        rule = self._rules["loss_stuck"]
        if rule.id in self._active:
            return self._clear(rule.id, step, wall) if x < rule.exit else []
        if x > rule.entry:
            return [self._breach(rule.id, (step, wall, x), f"EMA of the loss is stuck at {number(x)}")]
        return []

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin the patience anew after a resume at `step`."""
        self._restart()
        return [o for rule in sorted(self._active) for o in self._clear(rule, step, wall)]


class Course:
    """Whether a series falls in the long run: means of 8 stretches of 25 points, by Mann and Kendall's S.

    S counts pairs of stretches of which the later one is higher, less those where it is lower: -28 to 28. At -16 and
    below a series without a trend is one time in thirty.
    """

    __slots__ = ("_means", "n", "total")

    def __init__(self) -> None:
        self._means: deque[float] = deque(maxlen=_STRETCHES)
        self.total, self.n = 0.0, 0
        """Sum and number of the points since the last whole stretch; added to from outside, because this is hot."""

    def complete(self) -> bool:
        """End a stretch; True where there are enough of them."""
        self._means.append(self.total / self.n)
        self.total, self.n = 0.0, 0
        return len(self._means) == _STRETCHES

    @property
    def score(self) -> int:
        """Return S, 0 before there are enough stretches."""
        if len(self._means) < _STRETCHES:
            return 0
        return sum((b > a) - (b < a) for a, b in combinations(self._means, 2))

    @property
    def falls(self) -> bool:
        """Say whether the series falls, by more than chance."""
        return self.score <= _FALLS

    @property
    def told(self) -> str:
        """Return what was found, as a line of evidence."""
        if len(self._means) < _STRETCHES:
            return f"fewer than {_STRETCHES * _STRETCH} points: nothing is known of the longer course"
        means = f"{number(self._means[0])} to {number(self._means[-1])}"
        return f"means of {_STRETCHES} × {_STRETCH} points: {means}, Mann-Kendall S {self.score} (falls at {_FALLS})"


def _goal(best: float, share: float) -> float:
    """Return the value below which `best` is improved by `share` of its size."""
    return best - share * abs(best) if best < _INF else _INF

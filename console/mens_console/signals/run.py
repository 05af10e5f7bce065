"""All signals of one run together: metrics in by column, one summary and the run's alerts out.

History and live go the same way, and the caller decides what rings. No clock: `now` is an argument; no I/O.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mens_console.signals import evaluations
from mens_console.signals.advice import EVALUATIONS, Advice, Episode, Record, Sampled, advise
from mens_console.signals.alerts import AlertReducer, Observation
from mens_console.signals.cadence import Cadence, CadenceEstimator, Phase
from mens_console.signals.detectors import Divergence, HiddenNan, NonFinite, Spikes
from mens_console.signals.diagnosis import Diagnosis, liveness_observations
from mens_console.signals.ema import ALPHA, Ema
from mens_console.signals.entropy import EntropyCollapse
from mens_console.signals.eta import EtaEstimator
from mens_console.signals.evaluations import Evaluations
from mens_console.signals.evidence import Evidence, LossFact, NanFact, RateFact
from mens_console.signals.gauges import Gradients, LearningRate, Slowing
from mens_console.signals.plateau import Plateau
from mens_console.signals.rules import RULES, Rule
from mens_console.signals.summary import SignalSummary
from mens_console.signals.throughput import CountedRate, ReportedRate
from mens_console.signals.trend import Trend, TrendEstimator
from mens_console.signals.variance import WindowVariance

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Mapping, Sequence

    from mens_console.signals.checkpoints import CheckpointFact
    from mens_console.signals.metricrules import MetricRule

__all__ = ["METRICS", "RunSignals", "SignalSummary"]

_PACED: Final = frozenset(
    {
        "loss", "grad_norm", "learning_rate", "tokens_per_sec", "steps_per_sec", "num_tokens", "entropy", "eval_loss",
    }
)  # fmt: skip
"""Metrics whose rows may tell the pace of the run."""
METRICS: Final = _PACED | evaluations.METRICS
_RATE_SOURCES: Final = ("wall", "steps_per_sec", "tokens_per_sec")
"""What the throughput rule watches, the last one that the run has."""


class RunSignals:
    """The estimators, detectors and alerts of one run, `entity`. Its alerts are known by `place`, its real path.

    Each metric's points come in order; how they are cut into chunks changes nothing. Metrics are independent of each
    other except that wall times are taken from the loss, or from whichever metric came first until there is a loss.
    """

    def __init__(
        self,
        entity: str = "",
        *,
        place: str = "",
        ema_alpha: float = ALPHA,
        rules: Mapping[str, Rule] = RULES,
        custom: Sequence[MetricRule] = (),
    ) -> None:
        self.entity = entity
        if custom:
            rules = MappingProxyType({**rules, **{own.id: own.rule for own in custom}})
        self.alerts = AlertReducer(rules, place=(lambda _: place) if place else str)
        self.rules = rules
        self._ema = Ema(ema_alpha)
        self._entropy = Ema(ema_alpha)
        self._variance = WindowVariance()
        self._trend = TrendEstimator()
        self._eta = EtaEstimator()
        self._eta_reported = EtaEstimator()
        self._reported_clock = (-1, 0.0)
        self._cadence = CadenceEstimator(rules["stall"])
        self._step_rate, self._token_rate = CountedRate(), CountedRate()
        self._steps_reported, self._tokens_reported = ReportedRate(), ReportedRate()
        self._nan_loss = NonFinite(entity, "nan_loss", "loss", rules)
        self._nan_grad = NonFinite(entity, "nan_grad", "gradient norm", rules)
        self._hidden = HiddenNan(entity, rules)
        self._spikes = Spikes(entity, rules)
        self._plateau = Plateau(entity, rules)
        self._divergence = Divergence()
        self._gradients = Gradients(entity, rules)
        self._rates = LearningRate(entity, rules)
        self._slowing = Slowing(entity, rules)
        self._slowing_source = "wall"
        self._collapse = EntropyCollapse(entity, rules)
        self._evaluations = Evaluations(entity, rules, custom)
        self._emas = Sampled()
        self._clock: str | None = None
        self._last_wall = math.nan
        self._last_loss_step = -1
        self._evaluated = False

    @staticmethod
    def watches(metric: str) -> bool:
        """Say whether `observe` looks at a metric, whatever the operator's own rules are."""
        return metric in METRICS or evaluations.looks_at(metric)

    def wants(self, metric: str) -> bool:
        """Say whether `observe` looks at a metric, the operator's own rules included."""
        return metric in METRICS or self._evaluations.wants(metric)

    # ------------------------------------------------------------------ taking in

    def observe(
        self, metric: str, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]
    ) -> array[float] | None:
        """Take the next points of a metric in: equally long columns of steps, walls (s, NaN unknown) and values.

        For the loss the series of its EMA is returned, as long as `values`, NaN where the loss was not finite.
        """
        if not steps or not self.wants(metric):
            return None
        result: array[float] | None = None
        if metric in _PACED:
            if metric == "loss" or self._clock is None:
                self._clock = metric
            if metric == self._clock:
                self._tick(steps, walls)
            result = getattr(self, f"_on_{metric}")(steps, walls, values)
        self.take(self._evaluations.observe(metric, steps, walls, values))
        return result

    def take(self, found: Iterable[Observation]) -> None:
        """Let observations that were made elsewhere open and close the run's alerts."""
        for observation in found:
            self.alerts.apply(observation)

    def _tick(self, steps: Sequence[int], walls: Sequence[float]) -> None:
        """Learn pace and cadence from the rows' own times."""
        for wall in reversed(walls):
            if wall == wall:
                break
        else:
            return
        self._eta.update_many(steps, walls)
        self._cadence.history(walls)
        if self._slowing_source == "wall":
            self.take(self._slowing.update_many(*self._paces(steps, walls)))
        self._step_rate.update_many(walls, steps)
        self._last_wall = wall

    def _paces(self, steps: Sequence[int], walls: Sequence[float]) -> tuple[list[int], list[float], list[float]]:
        """Return (steps, walls, steps per second) of the rows that moved on from the one before in step and time."""
        last_wall, last_step = self._step_rate.last
        at: list[int] = []
        when: list[float] = []
        paces: list[float] = []
        for step, wall in zip(steps, walls, strict=True):
            if wall > last_wall and step > last_step:
                if last_wall > -math.inf:
                    at.append(step)
                    when.append(wall)
                    paces.append((step - last_step) / (wall - last_wall))
                last_wall, last_step = wall, step
        return at, when, paces

    def _on_loss(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> array[float]:
        emas = self._ema.update_many(steps, values)
        self._variance.update_many(steps, values)
        self._trend.update_many(steps, values)
        self._divergence.update_many(steps, values, emas)
        self.take(self._nan_loss.update_many(steps, walls, values))
        self.take(self._hidden.losses(steps, walls, values))
        self.take(self._spikes.update_many(steps, walls, values))
        self.take(self._plateau.update_many(steps, walls, emas))
        self._emas.update_many(steps, emas)
        self._last_loss_step = steps[-1]
        return emas

    def _on_grad_norm(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self.take(self._nan_grad.update_many(steps, walls, values))
        self.take(self._hidden.grads(steps, walls, values))
        self.take(self._gradients.update_many(steps, walls, values))

    def _on_learning_rate(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self.take(self._rates.update_many(steps, walls, values))

    def _on_tokens_per_sec(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self._tokens_reported.update_many(steps, values)
        self._slow("tokens_per_sec", steps, walls, values)

    def _on_steps_per_sec(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self._steps_reported.update_many(steps, values)
        self._slow("steps_per_sec", steps, walls, values)
        if self._eta.n:
            return
        last_step, wall = self._reported_clock
        ends: list[int] = []
        times: list[float] = []
        for step, rate in zip(steps, values, strict=True):
            if step > last_step and 0.0 < rate < math.inf:
                wall += (step - last_step) / rate if last_step >= 0 else 0.0
                last_step = step
                ends.append(step)
                times.append(wall)
        self._reported_clock = (last_step, wall)
        self._eta_reported.update_many(ends, times)

    def _slow(self, source: str, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        """Watch one rate only, the best that the run has: what another one taught is forgotten."""
        if _RATE_SOURCES.index(source) > _RATE_SOURCES.index(self._slowing_source):
            self.take(self._slowing.rewind(steps[0], walls[0]))
            self._slowing = Slowing(self.entity, self.rules)
            self._slowing_source = source
        if source == self._slowing_source:
            self.take(self._slowing.update_many(steps, walls, values))

    def _on_num_tokens(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self._token_rate.update_many(walls, values)

    def _on_entropy(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        emas = self._entropy.update_many(steps, values)
        self.take(self._collapse.update_many(steps, walls, values, emas))

    def _on_eval_loss(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> None:
        self._evaluated = True

    def arrival(self, wall: float, phase: Phase = "training") -> None:
        """Note that rows arrived at `wall`, after they were observed; a gap that ends in an eval row is not a gap."""
        if self._evaluated and phase == "training":
            phase = "evaluating"
        self._evaluated = False
        self._cadence.arrival(wall, phase)

    def total(self, steps: int | None) -> None:
        """Learn how many steps the run means to make."""
        self._rates.total_steps = steps

    def rewind(self, step: int) -> None:
        """Go back: what follows is another attempt that begins at `step`.

        The EMA, variance and trend of the loss return to what they were before `step` (the EMA to its newest
        remembered state, see `Ema`); the pace learned stays, the down time does not count; latched alerts stay.
        """
        wall = self._last_wall
        self._ema.rewind(step)
        self._entropy.rewind(step)
        for estimator in (self._variance, self._trend, self._eta, self._steps_reported, self._tokens_reported):
            estimator.rewind(step)
        self._step_rate.rewind()
        self._token_rate.rewind()
        self._eta_reported.rewind(step)
        self._reported_clock = (-1, self._reported_clock[1])
        self._divergence.rewind()
        self._cadence.restart()
        detectors = (
            self._nan_loss, self._nan_grad, self._hidden, self._spikes, self._plateau, self._gradients, self._rates,
            self._slowing, self._collapse, self._evaluations,
        )  # fmt: skip
        for detector in detectors:
            self.take(detector.rewind(step, wall))
        self._emas.rewind(step)

    def advance(self, wall: float) -> bool:
        """Let time pass to `wall` without points, so that what waits for it ends; return whether an alert changed."""
        return self.alerts.advance(wall)

    def liveness(self, evidence: Evidence, diagnosis: Diagnosis) -> None:
        """Let time pass to the diagnosis, and let it open and close the alerts on stall, crash, memory and disk."""
        self.advance(evidence.now)
        self.take(liveness_observations(self.entity, evidence, diagnosis, self.rules))

    # ------------------------------------------------------------------ evidence for the diagnosis

    @property
    def cadence(self) -> Cadence:
        """Return how often the run usually says something."""
        return self._cadence.cadence

    @property
    def nan(self) -> NanFact | None:
        """Return the non-finite or hidden losses that the run ends in, None if its newest loss is sound."""
        if self._nan_loss.run and self._nan_loss.first_step is not None:
            return NanFact(self._nan_loss.first_step, self._nan_loss.run)
        hidden = self._hidden
        if hidden.first_step is not None and hidden.last_step >= self._last_loss_step:
            return NanFact(hidden.first_step, hidden.run, hidden=True)
        return None

    @property
    def loss(self) -> LossFact | None:
        """Return the recent loss against its best, None before there is a best."""
        values = self._variance.values[-20:]
        d = self._divergence
        if not values or not d.best < math.inf:
            return None
        ordered = sorted(values)
        return LossFact(ordered[len(ordered) // 2], d.best, d.run, d.since_step)

    @property
    def rate(self) -> RateFact | None:
        """Return the pace now against the usual one, None while either is unknown."""
        s = self._slowing
        if not (s.now == s.now and s.usual == s.usual):
            return None
        return RateFact(s.now, s.usual, 50, "tokens" if self._slowing_source == "tokens_per_sec" else "steps")

    # ------------------------------------------------------------------ summary

    def summary(self, now: float, total_steps: int | None, checkpoints: Sequence[CheckpointFact] = ()) -> SignalSummary:
        """Return what the signals say at wall time `now` of a run that means to make `total_steps` (None unknown).

        `checkpoints` are what the advice chooses from.
        """
        eta = self._eta.eta(total_steps, now)
        if math.isnan(eta.seconds) and self._eta_reported.n:
            reported = self._eta_reported.eta(total_steps, math.nan)
            eta = eta if math.isnan(reported.seconds) else reported
        tokens = self._tokens_reported.throughput
        steps = self._steps_reported.throughput
        best = self._evaluations.bests["eval_loss"].points
        return SignalSummary(
            streaming_ce=self._ema.value if self._ema.last_finite and self.nan is None else math.nan,
            loss_level=self._spikes.level,
            loss_variance=self._variance.moments,
            trend=self._trend.trend if self.nan is None else Trend(),
            tokens=tokens if tokens.n else self._token_rate.throughput,
            steps=steps if steps.n else self._step_rate.throughput,
            eta=None if math.isnan(eta.seconds) else eta,
            eta_reason=eta.reason,
            cadence=self.cadence,
            best_eval=best[-1] if best else None,
            entropy=self._entropy.value,
            nonfinite_losses=self._nan_loss.count,
            nonfinite_grads=self._nan_grad.count,
            alerts=self.alerts.views,
            accuracy=self._evaluations.accuracy.fact,
            fixed_eval=self._evaluations.fixed.fact,
            advice=self._advice(checkpoints) if checkpoints else None,
        )

    @property
    def steps_per_s(self) -> float | None:
        """Return steps per second on average over the last updates, reported or counted, None while unknown."""
        reported = self._steps_reported.throughput
        known = reported if reported.n else self._step_rate.throughput
        return known.average if known.n and known.average > 0.0 else None

    def _advice(self, checkpoints: Sequence[CheckpointFact]) -> Advice | None:
        best = {name: self._evaluations.bests[name].points for name in EVALUATIONS}
        losses = {c.step: self._emas.at(c.step) for c in checkpoints}
        return advise(Record(checkpoints, best, losses, self._episodes()))

    def _episodes(self) -> list[Episode]:
        """Return when the alerts held; a NaN that the run ends in goes on, whether it is acknowledged or not."""
        found = []
        for view in self.alerts.views:
            if view.since_step is not None:
                goes_on = self.nan is not None if view.latched else view.active or view.held
                found.append(Episode(view.rule, view.since_step, None if goes_on else view.last_step))
        return found

"""An evaluation on a fixed set: exact match, cross-entropy and calibration, comparable from step to step.

The model is the caller's: a function from a prompt to a prediction. Nothing is written here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.guard import Guard, warn
from mens_console.collectors.plain import number, plain
from mens_console.signals.calibration import (
    BINS,
    cross_entropy,
    exact_match,
    expected_calibration_error,
    expected_ece,
    normalised,
)
from mens_console.signals.trend import Direction, TrendEstimator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mens_console.collectors.patterns import PatternTracker

_NAME: Final = "fixed_eval"


@dataclass(frozen=True, slots=True)
class Example:
    """One task of the set: what the model is asked, what it should say, and which pattern of task this is."""

    prompt: Any
    answer: str
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said, how sure it was of it (0 to 1), and the mean log-probability (nats per token, at most 0)
    that it gave to the right answer; None where that is not known.
    """  # noqa: D205 - one sentence

    text: str
    confidence: float | None = None
    log_probability: float | None = None


@dataclass(frozen=True, slots=True)
class FixedResult:
    """One evaluation of `n` examples at `step`; NaN where predictions do not carry what a figure needs.

    `em` is a share, `ce` in nats per token. `ece_expected` is what a perfectly calibrated model of these confidences
    would score at this n. `trend` is over all evaluations of the same set, `digest` names it; `changed` says that it is
    not the set of the evaluation before.
    """

    step: int
    em: float
    ce: float
    ece: float
    ece_expected: float
    n: int
    trend: Direction
    digest: str
    changed: bool = False

    def figures(self) -> dict[str, float]:
        """Return the keyword arguments of `Session.fixed_eval` beside the step."""
        return {"em": self.em, "ce": self.ce, "ece": self.ece, "ece_expected": self.ece_expected, "n": self.n}


class FixedTrend:
    """Trend over evaluations, of the exact match, or of the cross-entropy where that is all there is."""

    def __init__(self) -> None:
        self._em = TrendEstimator(falling_is_better=False)
        self._ce = TrendEstimator()

    def update(self, step: int, em: float | None, ce: float | None) -> Direction:
        """Take one evaluation in and return the direction; ``unknown`` for fewer than eight."""
        for estimator, value in ((self._em, em), (self._ce, ce)):
            if value is not None:
                estimator.update(step, value)
        found = self._em.trend
        return found.direction if found.n else self._ce.trend.direction

    def rewind(self, step: int) -> None:
        """Forget the evaluations from `step` on."""
        self._em.rewind(step)
        self._ce.rewind(step)


def digest_of(examples: Iterable[Example]) -> str:
    """Return the SHA-256 of the set in its order: prompts, answers and patterns."""
    found = sha256()
    for example in examples:
        row = json.dumps([plain(example.prompt), example.answer, example.pattern], sort_keys=True)
        found.update(row.encode() + b"\n")
    return found.hexdigest()


class FixedEvaluator:
    """Asks `predict(prompt)` for each example, in order, every `every` steps.

    `examples` are `Example`s, mappings with `prompt` and `answer` (and `pattern`), or pairs of both; `predict` returns
    a `Prediction`, a mapping of its fields, or the text alone. The set is pinned by its digest: with `digest` it must
    be that one, and one that changes between two evaluations begins a new trend; either is told once. What `predict`
    raises switches the evaluator off with one warning. `patterns` counts the answers too, by the words of the right
    one. Raises ValueError for an empty set or an `every` under 1.
    """

    def __init__(
        self,
        examples: Sequence[Any],
        predict: Callable[[Any], Any],
        *,
        every: int = 500,
        digest: str = "",
        normalise: Callable[[str], str] = normalised,
        bins: int = BINS,
        patterns: PatternTracker | None = None,
        guard: Guard | None = None,
    ) -> None:
        if not examples or every < 1:
            raise ValueError("a fixed evaluation needs examples, and at least one step between two of them")
        self._examples = examples
        self._predict = predict
        self._every = every
        self._normalise = normalise
        self._bins = bins
        self._patterns = patterns
        self._guard = guard or Guard()
        self._trend = FixedTrend()
        self._last: int | None = None
        self.results: list[FixedResult] = []
        self.digest = digest_of(map(_example, examples))
        """SHA-256 of the set that the trend is over."""
        if digest and digest != self.digest:
            warn(f"mens-console: the fixed evaluation set is not the one expected: {self.digest} instead of {digest}")

    @property
    def off(self) -> bool:
        """Return whether it was switched off."""
        return self._guard.off(_NAME)

    def due(self, step: int) -> bool:
        """Say whether an evaluation is due: at a multiple of `every` that was not evaluated, or past one missed."""
        if self.off or step <= 0:
            return False
        return step // self._every > (0 if self._last is None else self._last // self._every) or (
            self._last is not None and step < self._last
        )

    def run(self, step: int) -> FixedResult | None:
        """Evaluate if it is due at `step`; None if not, or if it failed."""
        return self.evaluate(step) if self.due(step) else None

    def evaluate(self, step: int) -> FixedResult | None:
        """Evaluate now; None if it failed, or did before."""
        if self.off:
            return None
        with self._guard(_NAME):
            return self._evaluate(step)
        return None

    def _evaluate(self, step: int) -> FixedResult:
        if self._last is not None and step <= self._last:
            self._trend.rewind(step)
        self._last = step
        examples = [_example(example) for example in self._examples]
        digest = digest_of(examples)
        changed = digest != self.digest
        if changed:
            warn(f"mens-console: the fixed evaluation set changed at step {step}; its trend begins anew")
            self.digest, self._trend = digest, FixedTrend()
        answers = [_prediction(self._predict(example.prompt)) for example in examples]
        hits = [self._normalise(a.text) == self._normalise(e.answer) for a, e in zip(answers, examples, strict=True)]
        em = exact_match((a.text for a in answers), (e.answer for e in examples), self._normalise)
        logs = [a.log_probability for a in answers if a.log_probability is not None]
        ce = cross_entropy(logs) if len(logs) == len(answers) else math.nan
        sure = [a.confidence for a in answers if a.confidence is not None]
        ece = expected = math.nan
        if len(sure) == len(answers):
            ece, expected = expected_calibration_error(sure, hits, self._bins), expected_ece(sure, self._bins)
        if self._patterns is not None:
            for example, hit in zip(examples, hits, strict=True):
                self._patterns.update(example.pattern or "all", len(example.answer.split()), hit)
        trend = self._trend.update(step, em, ce)
        result = FixedResult(step, em, ce, ece, expected, len(answers), trend, digest, changed)
        self.results.append(result)
        return result


def _example(given: Any) -> Example:
    if isinstance(given, Example):
        return given
    if isinstance(given, Mapping):
        return Example(given["prompt"], str(given["answer"]), str(given.get("pattern", "")))
    prompt, answer, *pattern = given
    return Example(prompt, str(answer), str(pattern[0]) if pattern else "")


def _prediction(given: Any) -> Prediction:
    if isinstance(given, Prediction):
        return given
    if isinstance(given, Mapping):
        return Prediction(
            str(given.get("text", "")), number(given.get("confidence")), number(given.get("log_probability"))
        )
    return Prediction(str(given))

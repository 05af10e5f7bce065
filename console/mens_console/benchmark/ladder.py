"""The context ladder: at each length the retrieval task and the gaps between tokens, until a rung does not hold.

A rung is the length of prompt and answer together, so that a server with a window of exactly that length takes it;
prompts miss it by 2 % at most, by the server's own count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from mens_console.benchmark.asking import GaveUpError, Progress, RefusedError, refused, tokenizer, why
from mens_console.benchmark.batches import Latent
from mens_console.benchmark.haystack import question
from mens_console.benchmark.lengths import UnreachableError, fit
from mens_console.benchmark.plan import MOST_LOSS, MOST_MS_PER_TOKEN
from mens_console.benchmark.single import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.benchmark.asking import Asker
    from mens_console.benchmark.plan import Plan
    from mens_console.load.types import Outcome, TokensBy

_ANSWER: Final = 100
"""Tokens that are generated at each item, where they fit."""
_LEAST_ANSWER: Final = 16
_HOPELESS: Final = 3
"""Items in a row that failed: the rung is given up."""


@dataclass(slots=True)
class Step:
    """What became of one length, in tokens."""

    tokens: int
    asked: int = 0
    right: int = 0
    failed: int = 0
    latent: Latent = field(default_factory=Latent)
    by: Counter[TokensBy | None] = field(default_factory=Counter)
    loss: float | None = None
    """Of the shortest rung's quality, as a share of it."""
    problem: str = ""
    """Why it was not measured, or given up."""
    refused: bool = False

    @property
    def quality(self) -> float | None:
        """Share of the items that were answered rightly; a request that failed answered none."""
        return self.right / self.asked if self.asked else None

    @property
    def reference(self) -> float | None:
        """Share of right answers among those that came."""
        return self.right / (self.asked - self.failed) if self.asked > self.failed else None

    @property
    def ms_per_token(self) -> float | None:
        """Median raw gap in ms; None where chunks are no tokens, or none of it was seen."""
        gaps = self.latent.seen
        return 1000.0 * median(gaps) if gaps and not self.latent.split else None

    @property
    def tokenizer(self) -> str:
        """Who counted."""
        return tokenizer(self.by)

    def broken(self) -> str:
        """Say why the ladder ends here, "" where it goes on."""
        if self.problem:
            return self.problem
        if self.loss is None:
            return "no item of the shortest rung was answered rightly, so that nothing can be lost"
        if self.loss > MOST_LOSS:
            failed = f", {self.failed} of {self.asked} requests failed" if self.failed else ""
            return (
                f"it loses {100 * self.loss:.1f} % of the shortest rung's quality, over {100 * MOST_LOSS:.0f} %{failed}"
            )
        pace = self.ms_per_token
        if pace is not None and pace > MOST_MS_PER_TOKEN:
            return f"{pace:.0f} ms a token are over {MOST_MS_PER_TOKEN:.0f}"
        return ""


class Ladder:
    """Climbs; `done` holds the rungs that were finished, also when it is interrupted."""

    def __init__(self, asker: Asker, plan: Plan, told: Callable[[Progress], None]) -> None:
        self._asker, self._plan, self._told = asker, plan, told
        self._rate = 0.0
        self.done: list[Step] = []
        self.ended = ""
        """Why it went no further, "" at its top."""

    async def climb(self) -> None:
        """Take rung by rung, the shortest first, up to the first that does not hold."""
        for tokens in sorted(self._plan.context):
            step = await self._rung(tokens)
            self._compare(step)
            self.done.append(step)
            if why_not := step.broken():
                left = [one for one in self._plan.context if one > tokens]
                self.ended = f"the context ladder ends at {tokens}: {why_not}"
                self.ended += f"; not tried: {', '.join(map(str, sorted(left)))}" if left else ""
                return

    def _compare(self, step: Step) -> None:
        """Compare with the shortest rung; of one whose quality is 0 nothing can be lost, so nothing is known.

        What is compared with is what the shortest rung did answer: its failures must not make others look better.
        """
        first = (self.done[0] if self.done else step).reference
        if step.quality is not None and first:
            step.loss = round((first - step.quality) / first, 9)  # 1 − 19/20 is 5 %, not some dust over it

    async def _rung(self, tokens: int) -> Step:
        step = Step(tokens)
        answer = max(min(_ANSWER, int(0.5 * TOLERANCE * tokens)), _LEAST_ANSWER)
        self._told(Progress(f"context {tokens}", 0, self._plan.items))
        try:
            words = await self._fit(step, tokens - answer)
        except (RefusedError, UnreachableError, GaveUpError) as error:
            step.failed, step.problem, step.refused = 1, str(error), isinstance(error, RefusedError)
            return step
        failing, at_length = 0, self._asker.stops
        for number in range(self._plan.items):
            self._told(Progress(f"context {tokens}", number, self._plan.items))
            item = question(self._plan.seed, str(tokens), number, words, at_length=at_length)
            outcome = await self._asker.ask(item.prompt, answer, keep_text=True, part=f"context{tokens}")
            self._take(step, outcome, right=outcome.error is None and item.answered_by(outcome.text))
            failing = failing + 1 if outcome.error is not None else 0
            if failing >= _HOPELESS:
                return self._given_up(step, outcome)
        self._told(Progress(f"context {tokens}", self._plan.items, self._plan.items))
        self._check_lengths(step)
        return step

    def _take(self, step: Step, outcome: Outcome, *, right: bool) -> None:
        step.asked += 1
        step.right += right
        step.failed += outcome.error is not None
        step.latent.take(outcome)
        if outcome.error is None:
            step.by[outcome.tokens_by] += 1

    def _given_up(self, step: Step, outcome: Outcome) -> Step:
        """End a rung whose requests fail: what little it answered is no measure of it."""
        step.problem = f"{step.failed} of {step.asked} requests failed, the last ones with {why(outcome)}"
        step.refused = refused(outcome)
        step.asked = step.right = 0
        step.latent = Latent()
        return step

    def _check_lengths(self, step: Step) -> None:
        """See that every prompt had its length: a server that cuts what is too long measures something else."""
        missed = [one for one in step.latent.prompts if abs(one - step.tokens) > TOLERANCE * step.tokens]
        if missed:
            step.problem = f"{len(missed)} of {step.asked} prompts missed it by over 2 %, one with {missed[0]} tokens"
            step.asked = step.right = 0

    async def _fit(self, step: Step, most: int) -> int:
        """Return the words that fill the rung: prompt and answer reach it, the prompt alone comes within 2 % of it."""
        low = min(int((1 - TOLERANCE) * step.tokens) + 1, most)
        slack = (most - low) // 4  # items differ by some tokens: aim at the middle

        async def count(words: int) -> int | None:
            item = question(self._plan.seed, f"{step.tokens} fit", 0, words, at_length=self._asker.stops)
            return await self._asker.length(item.prompt, "context")

        fitted = await fit(count, low + slack, most - slack, self._rate)
        if fitted.tokens is None:
            step.by["whitespace"] += 1
            return max(most - len(question(0, "", 0, 0).prompt.split()), 1)
        self._rate = fitted.tokens / fitted.words
        return fitted.words

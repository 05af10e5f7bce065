"""One request at a time: generations that warm the server up, and those whose latencies are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.benchmark.asking import GaveUpError, Progress, RefusedError
from mens_console.benchmark.batches import Latent
from mens_console.benchmark.haystack import request
from mens_console.benchmark.lengths import Fitted, UnreachableError, fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.benchmark.asking import Asker
    from mens_console.benchmark.plan import Plan

_HOPELESS: Final = 10
"""Requests in a row that failed: there is nothing to measure."""
_FEWEST_WORDS: Final = 5
TOLERANCE: Final = 0.02
"""By how much of it a prompt may miss its length."""


async def short_prompts(asker: Asker, plan: Plan) -> tuple[Fitted, str]:
    """Return how many words make a prompt of the plan's length, and what has to be told of it ("": nothing).

    A chat template may be longer than the prompt; then the shortest one is taken. Raises `GaveUpError`.
    """
    await asker.settle(request(plan.seed, 0, _FEWEST_WORDS))

    async def count(words: int) -> int | None:
        """Return the tokens of a prompt of so many words."""
        return await asker.length(request(plan.seed, words, words), "bench")

    slack = max(int(TOLERANCE * plan.prompt_tokens), 1)
    try:
        least = await count(_FEWEST_WORDS)
    except RefusedError as error:
        raise GaveUpError(str(error)) from None
    if least is not None and least > plan.prompt_tokens:
        return Fitted(_FEWEST_WORDS, least), (
            f"prompts have {least} tokens, not {plan.prompt_tokens}: what the server puts around them takes the rest"
        )
    try:
        fitted = await fit(count, plan.prompt_tokens - slack, plan.prompt_tokens + slack)
    except UnreachableError as error:
        nearest = error.nearest
        return nearest, f"prompts have about {nearest.tokens} tokens, not {plan.prompt_tokens}: nothing came nearer"
    except RefusedError as error:
        return Fitted(_FEWEST_WORDS, None), f"{error}; prompts of {_FEWEST_WORDS} words are used"
    if fitted.tokens is None:
        fewer = max(plan.prompt_tokens - len(request(0, 0, 0).split()), _FEWEST_WORDS)
        return Fitted(fewer, None), "the server does not count tokens: lengths and tokens are blanks in the text"
    return fitted, ""


async def warm_up(asker: Asker, plan: Plan, words: int, told: Callable[[Progress], None]) -> int:
    """Generate before anything is measured; return how many generations succeeded."""
    done = 0
    for number in range(plan.warmup):
        told(Progress("warm-up", number, plan.warmup))
        prompt = request(plan.seed, 90_000_000 + number, words)
        done += (await asker.ask(prompt, plan.answer_tokens, part="warmup")).error is None
    told(Progress("warm-up", plan.warmup, plan.warmup))
    return done


async def latencies(asker: Asker, plan: Plan, words: int, told: Callable[[Progress], None]) -> tuple[Latent, int]:
    """Make the plan's requests one after the other; return their latencies, and how many stopped short.

    After ten failures in a row no more are sent: those that were not sent are not counted.
    """
    latent, short, failing = Latent(), 0, 0
    for number in range(plan.requests):
        told(Progress("latency", number, plan.requests))
        prompt = request(plan.seed, 80_000_000 + number, words)
        outcome = await asker.ask(prompt, plan.answer_tokens, part="latency")
        latent.take(outcome)
        failing = failing + 1 if outcome.error is not None else 0
        if failing >= _HOPELESS:
            break
        short += outcome.error is None and outcome.chunks > 0 and (outcome.output_tokens or 0) < 100
    told(Progress("latency", plan.requests, plan.requests))
    return latent, short

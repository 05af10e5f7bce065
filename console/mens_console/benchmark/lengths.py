"""How many words of filler make a prompt of so many tokens: asked of the server, whose count is the one that holds.

The count is a straight line over the words (filler is alike, what stands around it is fixed), so that two points and
a correction find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Count = Callable[[int], Awaitable[int | None]]
    """Asks with so many words, and returns the server's count of the prompt; None where it tells none."""

_TRIES: Final = 7
_FEWEST: Final = 0.05
"""Tokens a word, at least; a server whose count grows more slowly counts something else, or cuts the prompt."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """So many words give so many tokens; None where the server counts nothing."""

    words: int
    tokens: int | None


class UnreachableError(Exception):
    """No number of words gives that length; `nearest` is what came nearest to it."""

    def __init__(self, message: str, nearest: Fitted) -> None:
        super().__init__(message)
        self.nearest = nearest


async def fit(count: Count, low: int, high: int, rate: float = 0.0) -> Fitted:
    """Return the words that give `low` to `high` tokens.

    `rate` is the tokens a word that an earlier fit found, 0 where none did: then the first try is half of the length,
    so that it is not refused for being too long. Raises `UnreachableError`.
    """
    aim = (low + high) / 2
    words = max(int(aim / rate if rate else aim / 2), 1)
    seen: dict[int, int] = {}
    for _ in range(_TRIES):
        tokens = await count(words)
        if tokens is None:
            return Fitted(high, None)
        if low <= tokens <= high:
            return Fitted(words, tokens)
        seen[words] = tokens
        following = _next(seen, aim, words)
        if following in seen:
            break
        words = following
    told = ", ".join(f"{tokens} for {words} words" for words, tokens in sorted(seen.items()))
    nearest = min(seen, key=lambda one: abs(seen[one] - aim))
    raise UnreachableError(
        f"no prompt of {low} to {high} tokens could be made: the server counts {told}", Fitted(nearest, seen[nearest])
    )


def _next(seen: dict[int, int], aim: float, words: int) -> int:
    """Return the next number of words to try: on the line through the two nearest points, or through zero."""
    near = sorted(seen, key=lambda one: abs(seen[one] - aim))[:2]
    if len(near) == 1:
        slope, from_words, from_tokens = seen[words] / words, words, seen[words]
    else:
        first, second = near
        slope, from_words, from_tokens = (seen[first] - seen[second]) / (first - second), first, seen[first]
    if slope < _FEWEST:  # flat: a little further, for counts are whole; but never far with a server that cuts prompts
        step = round((aim - seen[words]) * words / max(seen[words], 1))
        most = max(3, words // 50)
        return max(words + (min(max(step, -most), most) or (1 if aim > seen[words] else -1)), 1)
    return max(round(from_words + (aim - from_tokens) / slope), 1)

"""How a benchmark asks a server: requests with an id each, told to go on to their last token where the server lets it.

It counts what failed and why; what a failure means for a measurement is for the parts to say.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mens_console.load.types import CONNECT, EMPTY, HTTP, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.load.types import TokensBy

BAD_REQUEST: Final = frozenset({400, 413, 422})
"""Statuses by which a server says that it does not take what was asked, such as a field or a length."""
FEW: Final = 4
"""Tokens of an answer that only has to come: the first one may be without text."""
_TRIES: Final = 3
_CHUNKS: Final = re.compile(r", after \d+ chunks?")
"""What makes one failure differ from the next without telling anything of why."""


class Client(Protocol):
    """What `mens_console.load.client.Client` is used for here."""

    usage: bool
    """Whether the server is asked to count tokens."""

    async def ask(
        self, prompt: str, *, max_tokens: int, id: str, keep_text: bool = False, ignore_eos: bool = False
    ) -> Outcome:
        """Make one request."""
        ...


class GaveUpError(Exception):
    """The server does not answer any more, or not at all: nothing further can be measured."""


class RefusedError(Exception):
    """The server does not take what was asked."""


class Progress(NamedTuple):
    """How far a part has come."""

    part: str
    done: int
    of: int


class Asker:
    """Asks through a client, and keeps what all parts tell together."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._number = 0
        self.ignore_eos = True
        """Whether the server takes it; the first request that it refuses settles that."""
        self.asked = 0
        self.failures: Counter[str] = Counter()
        self.stops = False
        """Whether an answer has ended before it had the tokens that were asked for."""

    async def ask(self, prompt: str, tokens: int, *, keep_text: bool = False, part: str = "bench") -> Outcome:
        """Ask for `tokens` tokens."""
        self._number += 1
        outcome = await self._once(prompt, tokens, f"{part}-{self._number}", keep_text=keep_text)
        self.asked += 1
        if outcome.error is not None:
            self.failures[why(outcome)] += 1
        elif stopped_short(outcome, tokens):
            self.stops = True
        return outcome

    async def settle(self, prompt: str) -> None:
        """Find out what the server takes: `ignore_eos`, and to be asked for its count of tokens."""
        for self.ignore_eos, self._client.usage in ((True, True), (False, True), (True, False), (False, False)):
            if not refused(await self._once(prompt, FEW, "bench-first", keep_text=False)):
                return
        self.ignore_eos = self._client.usage = True  # it refuses something else, and will say what

    async def length(self, prompt: str, part: str) -> int | None:
        """Return the server's count of a prompt, None where it tells none.

        Raises `RefusedError` where it does not take the prompt, `GaveUpError` where it fails three times.
        """
        outcome = Outcome("none", CONNECT)
        for _ in range(_TRIES):
            outcome = await self._once(prompt, FEW, f"{part}-length", keep_text=False)
            if outcome.prompt_tokens is not None or outcome.error in (None, EMPTY):
                return outcome.prompt_tokens
            if refused(outcome):
                raise RefusedError(f"the server refuses a prompt of {len(prompt.split())} words: {why(outcome)}")
        raise GaveUpError(f"the server fails at a prompt of {len(prompt.split())} words: {why(outcome)}")

    async def together(self, prompts: Sequence[str], tokens: int, part: str) -> list[Outcome]:
        """Ask for all of them at the same time."""
        return list(await asyncio.gather(*(self.ask(one, tokens, part=part) for one in prompts)))

    async def must_answer(self, prompt: str) -> None:
        """Raise `GaveUpError` unless one of three short requests is answered."""
        outcome = Outcome("none", CONNECT)
        for _ in range(_TRIES):
            outcome = await self._once(prompt, FEW, "bench-there", keep_text=False)
            if outcome.error in (None, EMPTY):
                return
        raise GaveUpError(f"the server does not answer: {why(outcome)}")

    async def _once(self, prompt: str, tokens: int, name: str, *, keep_text: bool) -> Outcome:
        outcome = await self._client.ask(
            prompt, max_tokens=tokens, id=name, keep_text=keep_text, ignore_eos=self.ignore_eos
        )
        return outcome if outcome.error is None or outcome.detail else replace(outcome, detail=outcome.error)


def refused(outcome: Outcome) -> bool:
    """Say whether the server does not take what was asked, as against failing at it."""
    return outcome.error == HTTP and outcome.status in BAD_REQUEST


def why(outcome: Outcome) -> str:
    """Say why a request failed."""
    if not outcome.detail or outcome.detail == outcome.error:
        return f"{outcome.error}{f' {outcome.status}' if outcome.error == HTTP and outcome.status else ''}"
    detail = _CHUNKS.sub("", outcome.detail)
    return (detail if outcome.error == HTTP else f"{outcome.error}: {detail}")[:200]


def counted(outcome: Outcome) -> bool:
    """Say whether the server itself counted its tokens."""
    return outcome.tokens_by == "server" and outcome.output_tokens is not None


def tokenizer(kinds: Counter[TokensBy | None]) -> str:
    """Return who counted, for all of them: the server, or what may decide nothing as soon as one was counted so."""
    for kind in ("whitespace", "chunks"):
        if kinds[kind]:
            return "whitespace"
    return "server" if kinds["server"] else "unknown"


def stopped_short(outcome: Outcome, tokens: int) -> bool:
    """Say whether an answer ended before it had the tokens that were asked for.

    Where the server counts nothing, only its own reason tells: blanks are no count of tokens.
    """
    if counted(outcome):
        return (outcome.output_tokens or 0) < tokens
    return bool(outcome.finish) and outcome.finish != "length"

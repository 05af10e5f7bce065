"""One generation asked for and measured: its bytes are read as they arrive, and whatever goes wrong gets its class.

Needs aiohttp, and so is imported late, as `client` is. Times are of `time.perf_counter`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from mens_console.load.failures import LOCAL, failure_of
from mens_console.load.replies import BLANK, UNASKED, bounded, no_stream, refusal
from mens_console.load.stream import LINE_MOST, Answer, Lines, StreamError, shown
from mens_console.load.types import MALFORMED, TIMEOUT, Outcome, TokensBy

if TYPE_CHECKING:
    from collections.abc import Callable

_AFTER_FINISH_S: Final = 2.0
"""How long a server that gave its reason to finish may take for its usage and the end of its stream."""
_AFTER_DONE_S: Final = 0.2
_LOOK_S: Final = 1.0
"""How often a stream that stands still is looked at for a connection that is gone."""


@dataclass(frozen=True, slots=True)
class Way:
    """How requests reach the server, the same for all of them."""

    session: aiohttp.ClientSession
    url: str
    timeout_s: float
    connect_s: float
    clean: Callable[[str], str]
    """Makes what a server said fit to be recorded."""


class Request:
    """One generation, while it is asked for."""

    def __init__(self, way: Way, name: str, answer: Answer) -> None:
        self._way = way
        self._id = name
        self._answer = answer
        self._status: int | None = None
        self._begun = 0.0

    async def run(self, body: bytes) -> Outcome:
        """Ask, read to the end, and say what it came to."""
        way = self._way
        self._begun = time.perf_counter()
        try:
            async with asyncio.timeout(way.timeout_s):
                await self._read(body)
            return self._ended(*self._answer.verdict())
        except StreamError as error:
            if error.status is not None:
                self._status = error.status
            return self._ended(error.kind, str(error))
        except TimeoutError as error:
            if isinstance(error, aiohttp.ServerTimeoutError):
                return self._ended(*failure_of(error, self._status, way.connect_s))
            return self._ended(*self._too_long())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self._answer.whole:  # all was said; how the connection ended says nothing of the answer
                return self._ended(*self._answer.verdict())
            return self._ended(*failure_of(error, self._status, way.connect_s))

    async def _read(self, body: bytes) -> None:
        way = self._way
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "X-Request-Id": self._id}
        post = way.session.post(way.url, data=body, headers=headers, allow_redirects=False)
        async with post as response:
            self._status = response.status
            if response.status != 200:
                raise await refusal(response)
            coding = response.headers.get("Content-Encoding", "identity").lower()
            if coding not in ("", "identity"):
                raise StreamError(MALFORMED, f"it answers in {shown(coding)}, {UNASKED}")
            await self._events(response)

    async def _events(self, response: aiohttp.ClientResponse) -> None:
        """Take in the events as they come, all of one read at one time."""
        lines, answer, content = Lines(), self._answer, response.content
        sniffed = False
        while not answer.done:
            if answer.finish:
                piece = await _at_most(content, _AFTER_FINISH_S)
            else:
                piece = await _next(response)
            at = time.perf_counter()
            if not piece:
                break
            if not sniffed and (start := piece.lstrip(BLANK)[:1]):
                sniffed = True
                if start in (b"{", b"[", b"<"):
                    raise no_stream(piece + await bounded(response, LINE_MOST))
            for data in lines.feed(piece):
                answer.take(data, at)
        if answer.done:
            await _at_most(content, _AFTER_DONE_S)  # the end of the body, so that the connection can be used again
            return
        at = time.perf_counter()
        for data in lines.end():
            answer.take(data, at)

    def _too_long(self) -> tuple[str | None, str]:
        if self._answer.whole:
            return self._answer.verdict()
        limit = f"{self._way.timeout_s:g} s"
        if self._status is None:
            return TIMEOUT, f"no answer within {limit}"
        if not self._answer.chunks:
            return TIMEOUT, f"no token within {limit}"
        return TIMEOUT, f"not done within {limit}, after {self._answer.chunks} chunks"

    def _ended(self, error: str | None, detail: str) -> Outcome:
        answer, begun = self._answer, self._begun
        last = time.perf_counter() if error is not None or answer.last is None else answer.last
        if error is None and answer.shared:
            detail = f"{answer.shared} of {answer.chunks} chunks came in one read with the one before"
        tokens, by = _counted(answer)
        return Outcome(
            id=self._id,
            error=error,
            status=self._status,
            detail=self._way.clean(detail),
            local=error is not None and detail.startswith(LOCAL),
            ttft_s=None if answer.first is None else answer.first - begun,
            gaps_s=tuple(answer.gaps),
            e2e_s=last - begun,
            prompt_tokens=answer.prompt_tokens,
            output_tokens=tokens,
            tokens_by=by,
            chunks=answer.chunks,
            shared=answer.shared,
            text=answer.text,
            finish=answer.finish,
        )


def _counted(answer: Answer) -> tuple[int | None, TokensBy | None]:
    """Return how many tokens were said, and who says so; a server that counts none in what it said does not count."""
    if answer.output_tokens is not None and (answer.output_tokens or not answer.chunks):
        return answer.output_tokens, "server"
    return (answer.words, "whitespace") if answer.chunks else (None, None)


async def _next(response: aiohttp.ClientResponse) -> bytes:
    """Return the next bytes, none at the end. Raises `aiohttp.ClientError`, or `StreamError`.

    A body that breaks the rules of HTTP closes the connection, and aiohttp tells nobody who waits for the rest.
    """
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                return await response.content.readany()
        except TimeoutError:
            transport = None if response.connection is None else response.connection.transport
            if (transport is None or transport.is_closing()) and not response.content.is_eof():
                raise StreamError(MALFORMED, "the answer is not sent as HTTP has it") from None


async def _at_most(content: aiohttp.StreamReader, seconds: float) -> bytes:
    """Return the next bytes; none where none come in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await content.readany()
    return b""

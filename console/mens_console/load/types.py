"""What a request to a server came to, and a look at its health.

Durations are seconds, and were taken from a clock that nothing sets back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mens_console.signals.byvalue import ByValue

TokensBy: TypeAlias = Literal["server", "whitespace", "chunks"]
"""Who counted the tokens: the server's usage (true), or, where it tells none, blanks in the text."""

CONNECT: Final = "connect"
"""Nobody answered: refused, unreachable, reset before a status, or a name that is unknown."""
TLS: Final = "tls"
HTTP: Final = "http"
"""A status other than 200; a redirect is one too, and is never followed."""
TIMEOUT: Final = "timeout"
CUT: Final = "cut"
"""The stream ended before the server said that it was done."""
EMPTY: Final = "empty"
"""It said that it was done, and no token had come."""
MALFORMED: Final = "malformed"
"""What came is no stream of events, or no JSON in them."""
ERRORS: Final = (CONNECT, TLS, HTTP, TIMEOUT, CUT, EMPTY, MALFORMED)


@dataclass(frozen=True, slots=True)
class Outcome(ByValue):
    """One request, ended. What failed keeps the times that it came to; they belong in no percentile."""

    id: str
    error: str | None = None
    """One of `ERRORS`; None where it succeeded."""
    status: int | None = None
    detail: str = ""
    """What was wrong, in a few words, without control characters."""
    ttft_s: float | None = None
    """From sending to the first chunk with text in it."""
    gaps_s: tuple[float, ...] = ()
    """Between each chunk with text and the next: raw, one fewer than chunks."""
    e2e_s: float | None = None
    """From sending to the last token, or to where it failed."""
    local: bool = False
    """Whether it failed for want of something on this side (files, ports): no fault of the server's."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    tokens_by: TokensBy | None = None
    chunks: int = 0
    """Chunks with text; where the server puts several tokens in one, gaps are gaps between chunks."""
    shared: int = 0
    """Of those, how many came in one read with the one before them, so that their gap reads 0."""
    text: str = ""
    """What was generated, only where it was asked for."""
    finish: str = ""
    """Why the server stopped: stop, length, …"""


@dataclass(frozen=True, slots=True)
class Probe(ByValue):
    """One look at whether the server is there."""

    ok: bool
    took_s: float
    detail: str = ""
    local: bool = False
    """Whether it failed for want of something on this side, which says nothing of the server."""

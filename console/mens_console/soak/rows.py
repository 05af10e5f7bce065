"""The rows of a soak's journal: what they hold, how they are written, and what is refused on reading them.

Times are seconds in the soak, latencies milliseconds. Nothing here knows what becomes of a row.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from mens_console.ingest.text import safe_text
from mens_console.load.types import Outcome, Probe
from mens_console.soak.plan import LONGEST_S

LATEST_S: Final = 10 * LONGEST_S
"""Nobody goes on with a soak after years."""
_LONGEST_MS: Final = LONGEST_S * 1000
_MOST_LEVEL: Final = 1e18
_MOST_COUNT: Final = 1_000_000_000
_TEXT: Final = 500
_WORD: Final = 40


class Request(msgspec.Struct, tag_field="k", tag="r", omit_defaults=True):
    """A request that ended, well or not."""

    id: tuple[int, int]
    """The minute in which it was due, and its number in it."""
    due: float
    sent: float
    e2e: float | None = None
    ttft: float | None = None
    gaps: list[float] = []
    tok: int | None = None
    by: str | None = None
    chunks: int = 0
    err: str | None = None
    st: int | None = None
    why: str = ""

    @property
    def at(self) -> float:
        """When it ended, as far as it tells."""
        return self.sent + (self.e2e or 0.0) / 1000


class Sent(msgspec.Struct, tag_field="k", tag="s"):
    """A request that was sent, where its schedule alone would not say so."""

    id: tuple[int, int]
    due: float
    sent: float

    @property
    def at(self) -> float:
        """When it was sent."""
        return self.sent


GONE: Final = ("local", "held", "fault")
"""Why nothing can be said of a request: no files or ports were left here, the driver was held up, or at fault."""


class Gone(msgspec.Struct, tag_field="k", tag="x"):
    """A request that was sent, and of which nothing can be said, for no reason of the server's: one of `GONE`."""

    id: tuple[int, int]
    due: float
    sent: float
    t: float
    why: str

    @property
    def at(self) -> float:
        """When that was known."""
        return self.t


class Look(msgspec.Struct, tag_field="k", tag="p", omit_defaults=True):
    """A health check."""

    t: float
    ok: bool
    ms: float | None = None
    why: str = ""

    @property
    def at(self) -> float:
        """When it was made."""
        return self.t


class Level(msgspec.Struct, tag_field="k", tag="l", omit_defaults=True):
    """A sample of what should stay level: bytes, bytes, and a share."""

    t: float
    rss: float | None = None
    gpu_memory: float | None = None
    kv_cache: float | None = None

    @property
    def at(self) -> float:
        """When it was taken."""
        return self.t


class Beat(msgspec.Struct, tag_field="k", tag="b"):
    """The driver runs and had nothing else to say."""

    t: float

    @property
    def at(self) -> float:
        """When it was written."""
        return self.t


class Happening(msgspec.Struct, tag_field="k", tag="e", omit_defaults=True, rename={"begin": "from", "end": "to"}):
    """Something that happened to the driver.

    `begin` to `end` (`from` and `to` in the journal) is time in which nothing was observed; `e2e` is the normal latency
    that a row of the kind `normal` pins.
    """

    t: float
    kind: str
    text: str = ""
    begin: float | None = None
    end: float | None = None
    e2e: float | None = None

    @property
    def at(self) -> float:
        """When it happened."""
        return self.t


Row: TypeAlias = Request | Sent | Gone | Look | Level | Beat | Happening
_KINDS: Final = frozenset("rsxplbe")
_DECODER: Final = msgspec.json.Decoder(Row)


class Unknown:
    """A row of a kind that this console does not know, from a newer driver."""


class BadRowError(ValueError):
    """A line that is no row; the message says why, safe to show."""


def encode(row: Row) -> bytes:
    """Return a row as a line of JSON with its newline."""
    return msgspec.json.encode(row) + b"\n"


def decode(line: bytes) -> Row | Unknown:
    """Read a line; raises `BadRowError` for what is no row, and for numbers that no soak can bring about."""
    try:
        row: Row = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors, and so is a byte that is no UTF-8
        if _unknown_kind(line):
            return Unknown()
        raise BadRowError(safe_text(str(error), 160)) from None
    wrong = fault(row)
    if wrong:
        raise BadRowError(wrong)
    return row


def _unknown_kind(line: bytes) -> bool:
    try:
        kind = msgspec.json.decode(line).get("k")
    except (ValueError, AttributeError, RecursionError):
        return False
    return isinstance(kind, str) and kind not in _KINDS


def fault(row: Row) -> str | None:
    """Say what is wrong with the numbers of a row; None where nothing is."""
    if not 0 <= row.at <= LATEST_S:
        return f"{row.at} is no time in a soak"
    if isinstance(row, Request):
        return _request_fault(row)
    if isinstance(row, Level):
        wrong = [
            one for one in (row.rss, row.gpu_memory, row.kv_cache) if one is not None and not 0 <= one <= _MOST_LEVEL
        ]
        return f"{wrong[0]} is no level" if wrong else None
    if isinstance(row, Happening):
        return _span_fault(row)
    if isinstance(row, Look) and not _is_latency(row.ms):
        return f"{row.ms} is no latency"
    return None


def _request_fault(row: Request) -> str | None:
    for name in ("e2e", "ttft"):
        if not _is_latency(value := getattr(row, name)):
            return f"{name} is {value}, which is no latency"
    if not (0 <= row.due <= LATEST_S and row.due - 1 <= row.sent <= LATEST_S):
        return f"it was due at {row.due} and sent at {row.sent}"
    if min(row.id) < 0:
        return f"{row.id} is no request"
    if row.gaps and not (min(row.gaps) >= 0 and max(row.gaps) <= _LONGEST_MS):
        return "a gap between its tokens is no latency"
    if (row.tok is not None and not 0 <= row.tok <= _MOST_COUNT) or not 0 <= row.chunks <= _MOST_COUNT:
        return "its tokens are no count"
    if row.err is None and row.e2e is None:
        return "it succeeded without an end"
    return None


def _span_fault(row: Happening) -> str | None:
    if row.e2e is not None and not 0 < row.e2e <= _LONGEST_MS:
        return f"{row.e2e} is no latency"
    if row.begin is None and row.end is None:
        return None
    if row.begin is None or row.end is None or not 0 <= row.begin <= row.end <= LATEST_S:
        return f"from {row.begin} to {row.end} is no time"
    return None


def _is_latency(milliseconds: float | None) -> bool:
    return milliseconds is None or 0 <= milliseconds <= _LONGEST_MS


def request(outcome: Outcome, number: tuple[int, int], due: float, sent: float) -> Request:
    """Return the row of a request that ended; `due` and `sent` are seconds in the soak."""
    return Request(
        id=number, due=round(due, 6), sent=round(sent, 6), e2e=_ms(outcome.e2e_s), ttft=_ms(outcome.ttft_s),
        gaps=[round(gap * 1000, 2) for gap in outcome.gaps_s], tok=outcome.output_tokens, by=outcome.tokens_by,
        chunks=outcome.chunks, err=outcome.error, st=outcome.status, why=safe_text(outcome.detail, _TEXT),
    )  # fmt: skip


def probe(seen: Probe, at: float) -> Look:
    """Return the row of a health check that was made at `at`."""
    return Look(round(at, 6), seen.ok, _ms(seen.took_s), safe_text(seen.detail, _TEXT))


def happened(
    at: float, kind: str, text: str, *, begin: float | None = None, end: float | None = None, e2e: float | None = None
) -> Happening:
    """Return the row of an event; `begin` to `end` was not observed."""
    begin, end = (None if one is None else round(one, 6) for one in (begin, end))
    return Happening(round(at, 6), safe_text(kind, _WORD), safe_text(text, _TEXT), begin, end, e2e)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(seconds, 0.0) * 1000, 3)

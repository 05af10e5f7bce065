"""The closed minutes of a soak as lines of JSON: written by the driver, each with a checksum, and doubted on reading.

What is not what the driver wrote is refused: a reader then makes the minute anew from the journal.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, Final

import msgspec

from mens_console.ingest.text import safe_text
from mens_console.load.histogram import Histogram
from mens_console.load.packed import unpacked
from mens_console.soak.fold import NORMAL_OF, Closed, Place, Tally
from mens_console.soak.opened import MOST
from mens_console.soak.types import LATENCIES, Event, Minute, ProbeAt

NAME: Final = "minutes.ndjson"
LONGEST: Final = 1 << 20
"""Bytes of a line; a busy minute has some thousands."""
_SEAL: Final = b',"crc":"'
_SEALED: Final = len(_SEAL) + 8 + len(b'"}')
_TEXT: Final = 500
_WORD: Final = 60
_LONG: Final = 120
_LATEST_S: Final = 1e10
_MOST_WORDS: Final = 64


class BadMinuteError(ValueError):
    """A line that is no minute, or not the one that was written; the message is safe to show."""


class _Row(msgspec.Struct, rename={"index": "i"}, omit_defaults=True):
    index: int
    due: int
    sent: int
    ended: int
    failed: dict[str, int]
    lost: int
    skipped: int
    degraded: int | None
    good: int
    unobserved_s: float
    output_tokens: int
    counted_by: dict[str, int]
    probes: list[ProbeAt]
    tens: list[list[int]]
    latencies: dict[str, Any]
    levels: dict[str, float]
    reasons: dict[str, int]
    next: Place
    at: Place
    now: float
    normal: float | None
    firsts: list[float]
    events: list[Event]
    tally: Tally
    seconds: list[int] = []
    fails: dict[str, list[int]] = {}
    lost_by: dict[str, int] = {}
    ranges: dict[str, list[float]] = {}


_DECODER: Final = msgspec.json.Decoder(_Row)


def encode(closed: Closed) -> bytes:
    """Return a closed minute as a line, with its newline."""
    minute = closed.minute
    row = _Row(
        minute.index, minute.due, minute.sent, minute.ended, minute.failed, minute.lost, minute.skipped,
        minute.degraded, minute.good, minute.unobserved_s, minute.output_tokens, minute.counted_by, minute.probes,
        minute.tens, {name: histogram.row() for name, histogram in minute.latencies.items()}, minute.levels,
        minute.reasons, closed.next, closed.at, closed.now, closed.normal_ms, closed.firsts, closed.events,
        closed.tally, minute.seconds, minute.fails, minute.lost_by, minute.ranges,
    )  # fmt: skip
    data = msgspec.json.encode(row)
    return b'%b%b%08x"}\n' % (data[:-1], _SEAL, zlib.crc32(data))


def decode(line: bytes) -> Closed:
    """Read a line; raises `BadMinuteError`."""
    body = line.rstrip()
    told, body = body[-_SEALED:], body[:-_SEALED] + b"}"
    if told != b'%b%08x"}' % (_SEAL, zlib.crc32(body)):
        raise BadMinuteError("it is not as it was written (its checksum differs)")
    try:
        row = _DECODER.decode(body)
        latencies = dict(zip(LATENCIES, unpacked([row.latencies[name] for name in LATENCIES]), strict=True))
    except KeyError as error:
        raise BadMinuteError(f"it lacks the latencies {error}") from None
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        raise BadMinuteError(safe_text(str(error), 160)) from None
    if wrong := _fault(row, latencies):
        raise BadMinuteError(wrong)
    return _closed(row, latencies)


def _too_much(row: _Row) -> bool:
    """Whether it holds more than the fold lets into a minute."""
    named = (row.failed, row.counted_by, row.levels, row.reasons, row.fails, row.lost_by, row.ranges)
    words = max(len(dict(one)) for one in named)
    return words > _MOST_WORDS or max(len(row.probes), len(row.events)) > MOST or len(row.firsts) > NORMAL_OF


def _fault(row: _Row, latencies: dict[str, Histogram]) -> str | None:
    """Say what does not add up; None where all does."""
    if _too_much(row):
        return "it holds more than a minute may"
    if min(_counts(row)) < 0:
        return "its counts are none"
    if not all(0 <= one < math.inf for one in _numbers(row)) or max(row.now, row.unobserved_s) > _LATEST_S:
        return "a time or level in it is none"
    return _sums_fault(row, latencies)


def _counts(row: _Row) -> list[int]:
    told = [row.index, row.due, row.ended, row.lost, row.skipped, row.good, row.output_tokens, row.degraded or 0]
    return [*told, *row.failed.values(), *row.counted_by.values(), *row.reasons.values(), *row.next, *row.at,
            *row.seconds, *row.lost_by.values(), *(one for told in row.fails.values() for one in told)]  # fmt: skip


def _numbers(row: _Row) -> list[float]:
    told = [row.unobserved_s, row.now, row.normal or 0.0, *row.levels.values(), *row.firsts]
    told += [one for four in row.ranges.values() for one in four]
    told += [one for probe in row.probes for one in (probe.at, probe.ms or 0.0)]
    return told + [one for event in row.events for one in (event.at, event.begin or 0.0, event.end or 0.0)]


def _sums_fault(row: _Row, latencies: dict[str, Histogram]) -> str | None:
    failed = sum(row.failed.values())
    if max(row.good, row.degraded or 0) > row.ended - failed:
        return "more were good or slow than succeeded"
    if row.due != row.ended + row.lost + row.skipped or row.sent != row.due - row.skipped:
        return f"{row.due} were due, but {row.ended} ended, {row.lost} were lost and {row.skipped} skipped"
    if len(row.tens) != 6 or any(len(ten) != 2 or not 0 <= ten[1] <= ten[0] for ten in row.tens):
        return "its tens of seconds are none"
    if sum(ten[0] for ten in row.tens) != row.ended or sum(ten[1] for ten in row.tens) != failed:
        return "its tens of seconds do not come to its sum"
    if sum(row.lost_by.values()) > row.lost:
        return "more were lost for a reason than were lost"
    if not _seconds_fit(row, failed):
        return "its seconds do not come to its sum"
    if any(len(told) != 4 or not told[0] <= told[2] <= told[1] for told in row.ranges.values()):
        return "a mean of its levels lies beyond them"
    if latencies["lag"].n != row.ended or latencies["e2e"].n != row.ended - failed:
        return "its latencies are not as many as its requests"
    return None


def _seconds_fit(row: _Row, failed: int) -> bool:
    """Whether its seconds, where it tells them, come to what ended and failed in it."""
    if not row.seconds:
        return not row.fails
    told = [pairs for pairs in row.fails.values() if len(pairs) % 2 == 0 and max(pairs[::2], default=0) < 60]
    whole = len(row.seconds) == 60 and len(told) == len(row.fails)
    return whole and sum(row.seconds) == row.ended and sum(sum(pairs[1::2]) for pairs in told) == failed


def _closed(row: _Row, latencies: dict[str, Histogram]) -> Closed:
    minute = Minute(
        row.index, row.due, row.sent, row.ended, _words(row.failed), row.lost, row.skipped, row.degraded, row.good,
        row.unobserved_s, row.output_tokens, _words(row.counted_by),
        [one._replace(why=safe_text(one.why, _TEXT)) if one.why else one for one in row.probes], row.tens, latencies,
        {safe_text(name, _WORD): value for name, value in row.levels.items()}, closed=True, reasons=_words(row.reasons),
        seconds=row.seconds, fails={safe_text(why, _LONG): told for why, told in row.fails.items()},
        lost_by=_words(row.lost_by), ranges={safe_text(name, _WORD): told for name, told in row.ranges.items()},
    )  # fmt: skip
    events = [
        Event(one.at, safe_text(one.kind, _WORD), safe_text(one.text, _TEXT), one.begin, one.end) for one in row.events
    ]
    return Closed(minute, row.next, row.at, row.now, row.normal, row.firsts, events, row.tally)


def _words(counts: dict[str, int]) -> dict[str, int]:
    return {safe_text(name, _WORD): count for name, count in counts.items()}

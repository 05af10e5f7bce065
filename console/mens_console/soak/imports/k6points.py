"""k6's points (`--out json=FILE`): one measurement a line while it runs, of which each request leaves several.

Those of one request stand together: `http_reqs` begins them, the others have its time, which is that of its end, and
`http_req_failed` ends them. k6 knows no tokens: `http_req_waiting` ends with the first byte, which is no first token.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers import jsontext
from mens_console.gate.readers.numbers import at, count, number, when
from mens_console.load.histogram import Histogram
from mens_console.load.types import CONNECT, HTTP, TIMEOUT, TLS
from mens_console.soak.imports.errors import UNCLASSED, error_class
from mens_console.soak.imports.outcome import Outcome

_REQUEST, _DURATION, _WAITING, _FAILED = "http_reqs", "http_req_duration", "http_req_waiting", "http_req_failed"
_DROPPED: Final = "dropped_iterations"
_WANTED: Final = re.compile(
    rb'"metric"\s*:\s*"(?:http_reqs|http_req_duration|http_req_waiting|http_req_failed|dropped_iterations)"'
)
_TIMED_OUT: Final = frozenset({1050, 1211})
_CODES: Final = {11: CONNECT, 12: CONNECT, 13: TLS, 14: HTTP, 15: HTTP}
"""k6's codes of errors by their hundreds: names, TCP, TLS, statuses of the client's and of the server's fault."""


@dataclass(slots=True)
class _Asked:
    """A request of which points have come."""

    time: str
    ended: float
    tags: dict[str, Any]
    took: float = math.nan
    waited: float = math.nan


@dataclass(slots=True)
class Points:
    """Reads such a file line by line as it grows; memory is that of its minutes."""

    found: Outcome = field(default_factory=lambda: Outcome("k6"))
    bad: int = 0
    first_bad: str = ""
    _asked: _Asked | None = None
    _tells_failed: bool = False
    """Whether the file has told of any request whether it failed."""
    _first_bytes: Histogram = field(default_factory=Histogram)

    def add(self, line: bytes, number: int) -> None:
        """Take a whole line."""
        if not _WANTED.search(line) and line.rstrip().endswith(b"}"):
            return
        try:
            row = jsontext.row(line)
        except (ValueError, RecursionError):
            self._miss(number, "no whole JSON")
            return
        if at(row, "type") == "Point":
            self._point(str(row.get("metric")), row.get("data"), number)

    def outcome(self) -> Outcome:
        """Return what was read so far."""
        if not self._tells_failed:
            self._count()  # nothing more will be told of it
        found, begun = self.found, self.found.tally.began
        found.started = begun if math.isfinite(begun) else None
        first = self._first_bytes
        if first.n:
            figures = {f"p{level}": first.quantile(level / 100) for level in (50, 90, 95, 99)}
            found.tell("first_byte", figures | {"mean": first.mean, "max": first.greatest}, n=first.n)
        return found

    def problems(self) -> tuple[str, ...]:
        """Return what could not be read of the lines, and what a reader must know."""
        told = []
        if self.found.skipped:
            told.append(
                f"{self.found.skipped} iterations were dropped: k6 had too few virtual users to send them when due"
            )
        if self.bad:
            told.append(f"{self.bad} lines are no points and are counted nowhere; the first: {self.first_bad}")
        return tuple(told)

    def _point(self, metric: str, data: Any, line: int) -> None:
        value, time = number(at(data, "value")), str(at(data, "time"))
        if metric == _DROPPED:
            self.found.skipped += count(value) or 0
            return
        if metric == _REQUEST:
            self._count()
            ended = when(time)[0]
            if not math.isfinite(ended):
                self._miss(line, "without a time")
                return
            tags = at(data, "tags")
            self._asked = _Asked(time, ended, tags if isinstance(tags, dict) else {})
        elif self._asked is not None and self._asked.time == time:
            self._more(self._asked, metric, value)

    def _more(self, asked: _Asked, metric: str, value: float) -> None:
        if metric == _DURATION:
            asked.took = value
        elif metric == _WAITING:
            asked.waited = value
        elif metric == _FAILED:
            self._tells_failed = True
            self._count(failed=value != 0)

    def _count(self, *, failed: bool | None = None) -> None:
        """Count the request whose points have come, in the second in which it was sent."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        known = 0 <= asked.took < math.inf
        sent = asked.ended - asked.took / 1000 if known else asked.ended
        if 0 <= asked.waited < math.inf:
            self._first_bytes.add(asked.waited)
        if _failed(asked.tags) if failed is None else failed:
            self.found.tally.bad(sent, _class(asked.tags))
        else:
            self.found.tally.good(sent, e2e=asked.took if known else None)
        self.found.tally.seen(asked.ended)

    def _miss(self, line: int, why: str) -> None:
        self.bad += 1
        self.first_bad = self.first_bad or f"line {line} is {why}"


def _failed(tags: dict[str, Any]) -> bool:
    """Whether a request failed, of which nothing but its tags tells."""
    if "expected_response" in tags:
        return str(tags["expected_response"]) != "true"
    status = count(tags.get("status"))
    return status is None or not 200 <= status < 400


def _class(tags: dict[str, Any]) -> str:
    """Return the class of a failure, by its status, its words, or k6's code."""
    name, code = error_class(tags.get("status"), tags.get("error")), count(tags.get("error_code"))
    if name != UNCLASSED or code is None:
        return name
    return TIMEOUT if code in _TIMED_OUT else _CODES.get(code // 100, UNCLASSED)

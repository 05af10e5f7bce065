"""What the fake server itself did and when: a line of JSON for each request, to compare a driver's record with."""

from __future__ import annotations

import json
from typing import Any, TextIO


class Truth:
    """Rows kept in memory (`keep`), and written to a stream line by line.

    Requests: `{"n", "id", "path", "at", "first", "last", "did", "status", "tokens", "chunks", "gaps"}`, with `did` one
    of ok, error, unavailable, cut, empty, malformed, stall, reset, refused (a wrong request), left (the client went) or
    broken (the server went down under it). The server: `{"event", "at"}`. `at`, `first` and `last` are seconds since it
    began; `gaps` are milliseconds between chunks.
    """

    def __init__(self, stream: TextIO | None = None, *, keep: bool = True) -> None:
        self.rows: list[dict[str, Any]] = []
        self._stream = stream
        self._keep = keep

    def add(self, row: dict[str, Any]) -> None:
        """Take a row in."""
        if self._keep:
            self.rows.append(row)
        if self._stream is not None:
            self._stream.write(json.dumps(row) + "\n")
            self._stream.flush()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The rows of generations that were kept, in the order in which they ended."""
        return [row for row in self.rows if str(row.get("path", "")).endswith("completions")]

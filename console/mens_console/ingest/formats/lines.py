"""Growing bytes cut into lines: torn tails wait, oversize lines are skipped piece by piece, bad ones are placed.

Knows positions and nothing of what a line means.
"""

from __future__ import annotations

from typing import Any, Final

from mens_console.ingest.formats.values import visible_bytes
from mens_console.ingest.records import BadLine, Batch

MAX_LINE: Final = 1 << 20
"""Bytes of the longest line that is read; a longer one is no metric."""

MAX_SAMPLES: Final = 20
"""Bad lines kept as samples in one batch; all of them are counted."""

BOM: Final = b"\xef\xbb\xbf"


class Lines:
    """Cuts the bytes of one file, in order, into lines and remembers where they stood."""

    __slots__ = ("_first_line", "_first_offset", "_head", "_lines", "_sizes", "_skipped", "line", "offset")

    def __init__(self) -> None:
        self.line = 1
        """Number of the line at which the next byte stands."""
        self.offset = 0
        """Bytes consumed."""
        self._skipped = 0
        self._head = b""
        self._lines: list[bytes] = []
        self._sizes: dict[int, int] = {}
        """Sizes of the lines of the last `take` that were dropped for it."""
        self._first_line = 1
        self._first_offset = 0

    def state(self) -> dict[str, Any]:
        """Return where it stands, as JSON values."""
        return {"line": self.line, "offset": self.offset, "skipped": self._skipped, "head": self._head.hex()}

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where `state` did."""
        self.line, self.offset = int(state["line"]), int(state["offset"])
        self._skipped, self._head = int(state["skipped"]), bytes.fromhex(state["head"])

    def take(self, data: bytes, batch: Batch, *, final: bool = False) -> tuple[int, list[bytes]]:
        """Return how many bytes of `data` are consumed, and the lines in them, without their newlines.

        A line longer than `MAX_LINE` comes as an empty one and is a bad row; its bytes are consumed as they come.
        """
        start = self._leave_oversize(data, batch, final=final) if self._skipped else self._leave_hole(data)
        end = len(data) if final else data.rfind(b"\n", start) + 1
        end = max(end, start)
        self._first_line, self._first_offset = self.line, self.offset
        lines = data[start:end].split(b"\n")
        self.line += len(lines) - 1
        self.offset += end - start
        if not lines[-1]:
            lines.pop()
        self._lines, self._sizes = lines, {}
        if lines and max(map(len, lines)) > MAX_LINE:
            self._drop_oversize(batch)
        if len(data) - end > MAX_LINE and not self._skipped:
            self._skipped = len(data) - end
            self._head = data[end : end + 800]
            self.offset += self._skipped
            end = len(data)
        return end, lines

    def _leave_hole(self, data: bytes) -> int:
        """Skip the zeros before a line: a file that was emptied under its writer goes on where the writer stood."""
        hole = len(data) - len(data.lstrip(b"\0")) if data[:1] == b"\0" else 0
        self.offset += hole
        return hole

    def extend(self, tail: bytes) -> None:
        """Consume an unterminated last line that is known to be whole; its newline may still follow."""
        self._lines.append(tail)
        self.offset += len(tail)

    def bad(self, batch: Batch, index: int, reason: str) -> None:
        """Count the `index`-th line of the last `take` as bad, with a sample while there is room for one."""
        batch.bad_rows += 1
        if len(batch.bad) < MAX_SAMPLES:
            dropped = sum(size for at, size in self._sizes.items() if at < index)
            offset = self._first_offset + dropped + sum(len(line) + 1 for line in self._lines[:index])
            sample = visible_bytes(self._lines[index])
            batch.bad.append(BadLine(self._first_line + index, offset, reason, sample))

    def _leave_oversize(self, data: bytes, batch: Batch, *, final: bool) -> int:
        """Skip the rest of an oversize line; return where the next line begins."""
        newline = data.find(b"\n")
        begun = self.offset - self._skipped
        rest = len(data) if newline < 0 else newline
        self._skipped += rest
        self.offset += rest
        if newline < 0 and not final:
            return rest
        self._report(batch, self.line, begun, self._skipped, self._head)
        self._skipped, self._head = 0, b""
        if newline < 0:
            return rest
        self.line += 1
        self.offset += 1
        return newline + 1

    def _drop_oversize(self, batch: Batch) -> None:
        offset = self._first_offset
        for index, line in enumerate(self._lines):
            size = len(line)
            if size > MAX_LINE:
                self._report(batch, self._first_line + index, offset, size, line[:800])
                self._lines[index] = b""
                self._sizes[index] = size
            offset += size + 1

    @staticmethod
    def _report(batch: Batch, line: int, offset: int, size: int, head: bytes) -> None:
        batch.bad_rows += 1
        if len(batch.bad) < MAX_SAMPLES:
            reason = f"line of {size} bytes, longer than {MAX_LINE}"
            batch.bad.append(BadLine(line, offset, reason, visible_bytes(head)))

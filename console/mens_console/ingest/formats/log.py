"""Any text log: no series, only what its lines say about the run's life.

The lines themselves are shown by whoever shows files; none leave here.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mens_console.ingest.formats.lines import Lines
from mens_console.ingest.formats.logscan import LogScan, matters
from mens_console.ingest.records import Batch

_NAME: Final = re.compile(
    r"(?i).*\.(log|out|err|stdout|stderr|raw|txt)(\.\d+)?|stdout|stderr|nohup\.out|output|slurm[-_.].*|.*\.o\d+|.*\.e\d+"
)
_CONTROL: Final = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32)) + b"\x7f"


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` is text in a file that is named like a log, or lines of a structured one."""
    if not is_text(head):
        return False
    return bool(_NAME.fullmatch(name)) or is_structured(head)


def is_text(head: bytes) -> bool:
    """Say whether `head` is text: it begins without control characters, or next to none of its bytes is one.

    The beginning decides, because a shell may go on in UTF-16 in a log that began in 8 bits; of binary data every ninth
    byte is a control character.
    """
    begin = head[:1024]
    return bool(head) and len(begin) - len(begin.translate(None, _CONTROL)) <= len(begin) // 100


def is_structured(head: bytes) -> bool:
    """Say whether `head` begins with a JSON line that has a level and a message."""
    first = head.lstrip()[:4096].split(b"\n", 1)[0]
    return (
        first.startswith(b"{")
        and bool(re.search(rb'"(level|levelname|severity)"\s*:', first))
        and bool(re.search(rb'"(msg|message)"\s*:', first))
    )


class LogDecoder:
    """Reads whole lines; a block of them that cannot matter is passed over unseen."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._scan = LogScan()

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values."""
        return {"lines": self._lines.state(), "scan": self._scan.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from."""
        self._lines.restore(state["lines"])
        self._scan.restore(state["scan"])

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Scan the whole lines of `data`; lines too long to read are skipped and are not errors of a log."""
        ignored, batch = Batch(), Batch()
        consumed, lines = self._lines.take(data, ignored, final=final)
        if not self._scan.is_open and not matters(data[:consumed]):
            lines = [next((line for line in reversed(lines) if line.strip()), b"")]
        for line in lines:
            if self._scan.is_open or matters(line):
                last = line.rstrip(b"\r").rpartition(b"\r")[2]
                batch.facts += self._scan.line(last.decode("utf-8", "replace"), at)
            elif line.strip():
                self._scan.remember(line)
        return consumed, batch

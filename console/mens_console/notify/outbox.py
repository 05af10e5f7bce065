"""Messages that are under way, kept in a file until each route took them or gave them up: a daemon may be killed.

What is sent, and by whom, is decided elsewhere. A message may go out twice where the daemon dies in the very moment
after its delivery; none is lost.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, read_private, replace_private
from mens_console.notify.messages import Message
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SCHEMA: Final = "mens-outbox/1"
KEPT_S: Final = 86_400.0
"""What is older is no news to anybody."""
MOST: Final = 100
MAX_BYTES: Final = 4_000_000
AGAIN: Final = "(It was under way when the watch ended, and is sent again.)"


@dataclass(slots=True)
class _Letter:
    """A message, since when it is under way (s), and the names of the routes that have not concluded it."""

    message: Message
    at: float
    waits: set[str]


class Outbox:
    """The messages under way. Any thread; `path` None keeps nothing. What is wrong with the file is in `problem`."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problem = ""
        self._lock = threading.Lock()
        self._letters: list[_Letter] = []

    def put(self, message: Message, routes: Collection[str], now: float) -> None:
        """Keep a message until all these routes have concluded it."""
        with self._lock:
            self._letters.append(_Letter(message, now, set(routes)))
            del self._letters[:-MOST]
            self._write()

    def conclude(self, message: Message, route: str) -> None:
        """Note that a route took a message, or gave it up for good."""
        with self._lock:
            for letter in self._letters:
                if letter.message == message and route in letter.waits:
                    letter.waits.discard(route)
                    break
            else:
                return
            self._letters = [letter for letter in self._letters if letter.waits]
            self._write()

    def take(self, now: float) -> list[tuple[Message, frozenset[str]]]:
        """Return what was under way when the last watch ended, and for which routes; they are to be `put` again."""
        found = [letter for letter in self._read() if 0.0 <= now - letter.at < KEPT_S]
        again = [(letter, letter.message.body.removesuffix(AGAIN).rstrip("\n")) for letter in found]
        return [(replace(letter.message, body=f"{body}\n{AGAIN}"), frozenset(letter.waits)) for letter, body in again]

    def _read(self) -> list[_Letter]:
        if self.path is None:
            return []
        with suppress(OSError, *DAMAGE):
            document = json.loads(read_private(self.path, MAX_BYTES) or b"{}")
            if document.get("schema") == SCHEMA:
                return [_letter(row) for row in document["letters"]]
        return []

    def _write(self) -> None:
        if self.path is None:
            return
        rows = [{**asdict(one.message), "at": one.at, "waits": sorted(one.waits)} for one in self._letters]
        try:
            replace_private(self.path, json.dumps({"schema": SCHEMA, "letters": rows}).encode())
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.problem = f"{self.path}: {why}; a message under way is lost if the watch is killed"
        else:
            self.problem = ""


def _letter(row: dict[str, Any]) -> _Letter:
    """Return a letter. Raises ValueError, KeyError or TypeError where it is none."""
    fingerprints = tuple(str(one) for one in row["fingerprints"])
    message = Message("alerts", str(row["subject"]), str(row["body"]), Severity(row["severity"]), fingerprints)
    return _Letter(message, float(row["at"]), {str(name) for name in row["waits"]})

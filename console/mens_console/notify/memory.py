"""What was told of which alert, kept across restarts, so that no episode is told twice.

One private JSON file that one program writes; what is worth telling is decided elsewhere.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, read_private, replace_private

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.notify.sightings import Key, Sighting
    from mens_console.signals.alerts import AlertView

SCHEMA: Final = "mens-notified/1"
KEPT_S: Final = 30 * 86_400.0
MOST: Final = 5000
MAX_BYTES: Final = 8_000_000
BRIDGE_S: Final = 900.0
"""An episode without a step goes on over a gap of so long in which nobody watched."""
NONE: Final = -1
"""Below every severity."""


@dataclass(slots=True)
class Entry:
    """One alert. Severities are ranks, -1 for none; times are seconds since the epoch, NaN unknown.

    `told` is the worst of this episode that somebody was told of or that needed no telling; `is_sent` whether a
    message about this episode went out; `sent_at` and `sent_rank` are of the last message about the alert, whichever
    the episode; `unheard` counts episodes since then that were not told. `name`, `rank` (the worst) and `message` are
    what was seen of the episode, and `ended_at` when it was seen to be over: what nobody else can know of alerts that
    come and go by the clock.
    """

    place: str
    rule: str
    since: float
    since_step: int | None
    is_open: bool = True
    told: int = NONE
    is_sent: bool = False
    sent_at: float = -math.inf
    sent_rank: int = NONE
    unheard: int = 0
    seen_at: float = -math.inf
    name: str = ""
    rank: int = NONE
    message: str = ""
    ended_at: float = math.nan

    def is_of(self, view: AlertView, now: float) -> bool:
        """Say whether this is the episode that the alert is in."""
        undated = math.isnan(view.since) and math.isnan(self.since)
        together = undated or abs(view.since - self.since) <= 1.0
        if view.since_step is not None or self.since_step is not None:
            return view.since_step == self.since_step and (self.is_open or together)
        return together or (self.is_open and now - self.seen_at <= BRIDGE_S)


class Memory:
    """All entries by key. `path` None keeps them in memory; what is wrong with the file is in `problem`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.problem = ""
        self.entries: dict[Key, Entry] = {}
        self.changed = False
        self.is_new = True
        """Whether nothing was remembered from before."""
        self._load()

    def _load(self) -> None:
        if self.path is None:
            return
        try:
            data = read_private(self.path, MAX_BYTES)
            if data is None:
                return
            document = json.loads(data)
            entries = [_entry(row) for row in document["entries"]] if document["schema"] == SCHEMA else []
        except OSError as error:
            self._fail(error)
        except DAMAGE:
            self.problem = f"{self.path} was damaged: what was told before is forgotten"
        else:
            self.entries = {(entry.place, entry.rule): entry for entry in entries}
            self.is_new = False

    def of(self, seen: Sighting) -> Entry | None:
        """Return what is remembered of an alert; what an earlier version wrote goes under the alert's name of today."""
        entry = self.entries.get(seen.key)
        before = self.entries.get(seen.earlier_key) if entry is None else None
        if before is None:
            return entry
        entry = self.entries[seen.key] = replace(before, place=seen.key[0])
        return entry

    def watched_until(self, at: float) -> None:
        """Learn that whoever watched before did so until `at`: what was open then was seen then."""
        for entry in self.entries.values():
            if entry.is_open:
                entry.seen_at = max(entry.seen_at, at)

    def save(self, now: float) -> None:
        """Write what changed; on failure it is kept in memory, told in `problem`, and written the next time."""
        if not self.changed or self.path is None:
            return
        kept = [e for e in self.entries.values() if now - max(e.seen_at, e.sent_at) < KEPT_S]
        kept = sorted(kept, key=lambda e: e.seen_at)[-MOST:]
        self.entries = {(entry.place, entry.rule): entry for entry in kept}
        rows = [{key: _moment(value) for key, value in asdict(entry).items()} for entry in kept]
        try:
            replace_private(self.path, json.dumps({"schema": SCHEMA, "entries": rows}).encode())
        except OSError as error:
            self._fail(error)
        else:
            self.changed, self.problem = False, ""

    def _fail(self, error: OSError) -> None:
        why = (error.strerror or str(error)).lower()
        self.problem = f"{self.path}: {why}; after a restart alerts may be told twice"


def _entry(row: dict[str, Any]) -> Entry:
    known = {field.name: row[field.name] for field in fields(Entry) if field.name in row}
    entry = Entry(**known)
    entry.since = math.nan if entry.since is None else float(entry.since)
    entry.sent_at = -math.inf if entry.sent_at is None else float(entry.sent_at)
    entry.seen_at = -math.inf if entry.seen_at is None else float(entry.seen_at)
    entry.ended_at = math.nan if entry.ended_at is None else float(entry.ended_at)
    numbers = (entry.told, entry.sent_rank, entry.unheard, entry.rank, entry.since_step or 0)
    if not all(isinstance(value, int) for value in numbers):
        raise TypeError(row)
    if not all(isinstance(text, str) for text in (entry.place, entry.rule, entry.name, entry.message)):
        raise TypeError(row)
    return entry


def _moment(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

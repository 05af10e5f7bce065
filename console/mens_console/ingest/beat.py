"""Which file is looked at when: hinted ones at once, those that grow each beat, all others in their turn.

Knows paths and times only; looks at nothing itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from itertools import islice
from typing import Final

BEAT_S: Final = 0.25
"""Seconds between two looks at a growing file while there are no hints."""
HINTED_BEAT_S: Final = 1.0
"""The same while hints arrive: then this is only the safety net."""
HOT_S: Final = 30.0
"""A file that changed within so many seconds is growing."""
COVER_S: Final = 2.0
"""Every file is looked at within so many seconds…"""
HINTED_COVER_S: Final = 10.0
"""…or within these where hints arrive, so that a missed hint is made good…"""
COLD_PER_S: Final = 2500.0
"""…as long as there are fewer than `COVER_S` times this: a look costs about 6 µs, so this is 1.5 % of a core."""
HOT_PER_S: Final = 150.0
"""Looks a second at growing files: each is likely a read, some 100 µs with all that follows from its rows."""


class Beat:
    """The order of looking. `hint` may come from any thread, everything else from one; `now` is any steady clock."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._turn: OrderedDict[str, None] = OrderedDict()
        self._hot: OrderedDict[str, float] = OrderedDict()
        self._hinted: deque[str] = deque()
        self._at: float | None = None
        self._hot_debt = self._cold_debt = 0.0
        self._changes: deque[float] = deque(maxlen=1024)
        self.hints = False
        """Whether kernel hints arrive; set it from `Watcher.mode`."""

    def __len__(self) -> int:
        """Return the number of known files."""
        return len(self._known)

    def __contains__(self, path: str) -> bool:
        """Whether the file is known."""
        return path in self._known

    def add(self, path: str) -> None:
        """Know a file: it is due at once."""
        if path not in self._known:
            self._known.add(path)
            self._turn[path] = None
            self._hinted.append(path)

    def discard(self, path: str) -> None:
        """Forget a file."""
        self._known.discard(path)
        self._turn.pop(path, None)
        self._hot.pop(path, None)

    def hint(self, path: str) -> bool:
        """Make a file due at the next beat; False when it is not a known one (any thread)."""
        if path in self._known:
            self._hinted.append(path)
            return True
        return False

    def changed(self, path: str, now: float) -> None:
        """Note that a look found the file changed."""
        if path in self._known:
            self._hot[path] = now
            self._changes.append(now)

    def changed_per_s(self, now: float, over_s: float = 5.0) -> float:
        """Return how many changes a second were found lately (at most 1024 are counted)."""
        recent = sum(1 for at in self._changes if now - at <= over_s)
        return recent / over_s

    @property
    def crowded(self) -> bool:
        """Whether so many files grow that each has to wait for its turn."""
        return len(self._hot) > HOT_PER_S

    def interval(self) -> float:
        """Return the seconds from one beat to the next, in steps that keep within the looks a second."""
        base = HINTED_BEAT_S if self.hints else BEAT_S
        return max(base, len(self._hot) / HOT_PER_S)

    def due(self, now: float) -> list[str]:
        """Return the files to look at now, each once: hinted, then growing, then the next of the others."""
        elapsed = COVER_S if self._at is None else max(now - self._at, 0.0)
        self._at = now
        paths: dict[str, None] = {}
        while self._hinted:
            if (path := self._hinted.popleft()) in self._known:
                paths[path] = None
        self._hot_debt += elapsed / self.interval() * len(self._hot)
        count, self._hot_debt = _whole(self._hot_debt, len(self._hot))
        paths.update(dict.fromkeys(self._next_hot(count, now)))
        cover = HINTED_COVER_S if self.hints else COVER_S
        rate = min(len(self._known) / cover, COLD_PER_S)
        self._cold_debt += elapsed * rate
        count, self._cold_debt = _whole(self._cold_debt, len(self._known))
        paths.update(dict.fromkeys(self._next_cold(count)))
        return list(paths)

    def _next_hot(self, count: int, now: float) -> list[str]:
        found = list(islice(self._hot, count))
        for path in found:
            if now - self._hot[path] > HOT_S:
                del self._hot[path]
            else:
                self._hot.move_to_end(path)
        return found

    def _next_cold(self, count: int) -> list[str]:
        found = list(islice(self._turn, count))
        for path in found:
            self._turn.move_to_end(path)
        return [path for path in found if path not in self._hot]


def _whole(debt: float, most: int) -> tuple[int, float]:
    """Split what is owed into whole files now and the rest for later; after a long pause all files once are enough.

    Rounded up, so that a file is never later than promised; what was looked at too early is owed less later.
    """
    count = min(math.ceil(debt), most)
    return count, min(debt - count, 0.0) if count == most else debt - count

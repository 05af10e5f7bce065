"""What befell the disk under a soak, told in the soak itself, so that whoever reads it later knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.soak import rows

if TYPE_CHECKING:
    from mens_console.soak.journal import Journal


class Troubles:
    """Turns what a journal went through into events; each is told once, when the disk takes rows again."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._overflowed = self._replaced = 0
        self._since: float | None = None
        self._why = self._told = ""

    def news(self, now: float, problem: str | None) -> list[rows.Row]:
        """Return the events that are new; `now` is how far the soak has come (s), `problem` what is wrong."""
        discarded = self._discarded(now)
        if self._journal.waiting:
            self._since = now if self._since is None else self._since
            self._why = problem or self._why
            return discarded
        texts = [*self._refused(now), *self._overflow(), *self._replacement(), *self._other(problem or "")]
        return [*discarded, *(rows.happened(now, "warning", text) for text in texts)]

    def _discarded(self, now: float) -> list[rows.Row]:
        gone = self._journal.take_discarded()
        if not gone:
            return []
        which = f"segment {gone[0]}" if len(gone) == 1 else f"segments {gone[0]} to {gone[-1]}"
        return [rows.happened(now, "discard", f"raw rows were discarded to keep within the disk's limit: {which}")]

    def _refused(self, now: float) -> list[str]:
        if self._since is None:
            return []
        took, self._since = max(now - self._since, 0.0), None
        return [f"for {took:.0f} s rows waited in memory ({self._why.partition(';')[0]})"]

    def _overflow(self) -> list[str]:
        number = self._journal.overflowed - self._overflowed
        self._overflowed += number
        return [f"{number} rows are lost: the disk refused them for too long"] if number else []

    def _replacement(self) -> list[str]:
        number = self._journal.replaced - self._replaced
        self._replaced += number
        return ["the journal was deleted or cut by somebody else; a new segment began"] if number else []

    def _other(self, problem: str) -> list[str]:
        before, self._told = self._told, problem
        return [problem] if problem and problem != before else []

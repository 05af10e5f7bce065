"""Fields of untyped records by their own names or those known to mean them, as passes, numbers and texts.

A field of a wrong type is as good as absent; nothing here raises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mens_console.ingest.formats.values import number, visible
from mens_contracts.aliases import BY_CONTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping

_YES = frozenset({"true", "yes", "1", "pass", "passed", "ok"})
_NO = frozenset({"false", "no", "0", "fail", "failed"})
MAX_NAME = 200


@lru_cache(maxsize=256)
def _names(contract: str, field: str) -> tuple[tuple[str, float], ...]:
    """Return the other names of a field, best first, and what a value under each is multiplied by."""
    for alias in BY_CONTRACT.get(contract, ()):
        if alias.field == field:
            return (*((name, 1.0) for name in alias.names), *alias.factored)
    return ()


@dataclass(slots=True)
class Fields:
    """One record read by the names of a contract. `spelled` gathers which other names were taken."""

    row: Mapping[str, Any]
    contract: str
    spelled: dict[str, str]

    def get(self, field: str) -> tuple[Any, float]:
        """Return a field's value (None where absent) and its factor."""
        if field in self.row:
            return self.row[field], 1.0
        for name, factor in _names(self.contract, field):
            if name in self.row:
                self.spelled.setdefault(field, name)
                return self.row[name], factor
        return None, 1.0

    def has(self, field: str) -> bool:
        """Whether the record says anything of a field, be it null."""
        return field in self.row or any(name in self.row for name, _ in _names(self.contract, field))

    def figure(self, field: str) -> float:
        """Return a finite number, NaN for anything else."""
        value, factor = self.get(field)
        found = number(value)
        return math.nan if found is None or not math.isfinite(found) else found * factor

    def count(self, field: str) -> float:
        """Return a number that is not negative, NaN for anything else."""
        found = self.figure(field)
        return found if found >= 0 else math.nan

    def passed(self, field: str) -> float:
        """Return 1 for true, 0 for false, NaN for anything else; the words yes, no, passed and failed count too."""
        value, _ = self.get(field)
        return passed(value)

    def text(self, field: str) -> str:
        """Return a text made printable, "" where there is none; a number counts as its text."""
        value, _ = self.get(field)
        if isinstance(value, str):
            return visible(value.strip(), MAX_NAME)
        return str(value) if type(value) is int else ""


def passed(value: Any) -> float:
    """Return 1 for true, 0 for false, NaN for anything else."""
    if type(value) is bool:
        return float(value)
    if type(value) is int and value in (0, 1):
        return float(value)
    if type(value) is str and (word := value.strip().lower()) in _YES | _NO:
        return float(word in _YES)
    return math.nan


def both(one: float, two: float) -> float:
    """Return whether both passed: 0 as soon as one failed, NaN where that cannot be said."""
    if one == 0 or two == 0:
        return 0.0
    return one * two

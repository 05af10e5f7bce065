"""A few fields of every attempt, several times as fast as all of them: the others are skipped, not built.

For questions that need no batch, such as how many attempts each run of a log holds.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from mens_console.health.attempt import PLACES, WORDS, few_type
from mens_console.health.rows import RowReader, object_ends
from mens_console.health.spelling import OTHER_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence


class FewReader:
    """Reads `names` of the contract's fields; `status` is always among them, for it tells an attempt by itself.

    Raises `ValueError` for a field that the contract does not name, or that is an object.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if odd := [name for name in names if name not in PLACES or name == "validator_scores"]:
            raise ValueError(f"{', '.join(odd)}: no field that can be read by itself")
        self.names = tuple(names)
        self._all = RowReader()
        self._others = [b'"%s"' % name.encode() for field in self.names for name, _ in OTHER_NAMES[field]]
        self._words: dict[str, tuple[str, ...] | None] = {n: () for n in WORDS if n in names or n == "status"}
        self._decoder = self._prepared()

    def _prepared(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(few_type(("status", *self.names), self._words))

    def read(self, data: bytes) -> list[tuple[Any, ...]]:
        """Return the fields' values of each attempt in whole lines; what `RowReader` makes of them.

        A block with a line that is odd in any way is read as it reads it, at its speed.
        """
        if not data:
            return []
        try:
            rows = self._decoder.decode_lines(data)
        except (ValueError, RecursionError):
            return self._read_all(data)
        ends = object_ends(data)
        if ends is None or len(ends) != len(rows) or None in [row.status for row in rows]:
            return self._read_all(data)
        found = list(map(_getter(self.names), rows))
        if None in chain.from_iterable(found) and any(name in data for name in self._others):
            return self._read_all(data)
        return found

    def _read_all(self, data: bytes) -> list[tuple[Any, ...]]:
        block = self._all.decode(data, 0)
        known = self._all.layout.words
        words = {name: known[name] for name in self._words}
        if words != self._words:
            self._words = words
            self._decoder = self._prepared()
        return list(map(_getter([f"f{PLACES[name]}" for name in self.names]), block.rows))


def _getter(names: Sequence[str]) -> Any:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda row: (get(row),)

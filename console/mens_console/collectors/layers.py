"""Looks at adapter pairs on their way into files: the rows of `telemetry.jsonl`, and their digest for the status.

States are judged in `mens_console.signals.layers`; nothing is measured or written here.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from mens_console.signals.pairs import PairState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.layers import LayerSignals
    from mens_console.signals.pairs import LayerRow, PairTable

EVERY_ROWS: Final = 200
"""Rows after which the table is written again, so that a reader of a file's end finds it."""
_LISTED: Final = 512
_COLUMNS: Final = ("grad_a", "grad_b", "update", "ratio", "rank")
_FIGURES: Final = {
    "grad": "grad_norm", "grad_a": "grad_a", "grad_b": "grad_b", "update": "update_magnitude",
    "ratio": "update_ratio", "rank": "effective_rank",
}  # fmt: skip
_WELL: Final = (PairState.ACTIVE, PairState.FROZEN, PairState.WARMING, PairState.UNKNOWN)


class LayerRows:
    """Turns looks into payloads, and remembers which table they count in."""

    def __init__(self) -> None:
        self.table: PairTable | None = None
        self.newest: LayerRow | None = None
        """The newest look in that table."""
        self._pairs: list[dict[str, Any]] = []
        self._id = ""
        self._left = 0

    def know(self, table: PairTable, pairs: Sequence[dict[str, Any]] | None) -> None:
        """Count in `table` from here on; `pairs` says more of each (name, r, scaling, trainable sides, size)."""
        n = len(table)
        frozen, ranks = table.frozen or (False,) * n, table.r or (0,) * n
        if pairs is None:
            pairs = [
                {"name": name, "r": r, "trainable_a": not still, "trainable_b": not still}
                for name, r, still in zip(table.names, ranks, frozen, strict=True)
            ]
        if len(pairs) != n:
            raise ValueError(f"{n} adapter pairs, but {len(pairs)} are described")
        found = sha256(repr((table.names, frozen, ranks)).encode("utf-8", "backslashreplace")).hexdigest()[:8]
        if found != self._id:
            self._left, self.newest = 0, None
        self.table, self._pairs, self._id = table, list(pairs), found

    def payloads(
        self, row: LayerRow, learning_rate: float | None, update_steps: int
    ) -> list[tuple[str, dict[str, Any]]]:
        """Return the events that tell of a look, the table first where it is due.

        Raises ValueError for a look that does not fit the table, or without one.
        """
        if self.table is None:
            raise ValueError("a look at adapter pairs that were never made known")
        names = [name for name in _COLUMNS if name in row.values]
        if "grad" in row.values and not {"grad_a", "grad_b"} & set(names):
            names.insert(0, "grad")
        for name in names:
            if len(row.values[name]) != len(self.table):
                raise ValueError(f"{name} tells of {len(row.values[name])} adapter pairs of {len(self.table)}")
        events: list[tuple[str, dict[str, Any]]] = []
        if self._left <= 0:
            events.append(("lora_pairs", {"id": self._id, "pairs": self._pairs}))
            self._left = EVERY_ROWS
        self._left -= 1
        payload = {"step": row.step, "pairs": self._id, **{name: row.values[name] for name in names}}
        payload["update_steps"] = update_steps
        rate = learning_rate if math.isnan(row.learning_rate) else row.learning_rate
        if rate is not None:
            payload["learning_rate"] = rate
        self.newest = row
        return [*events, ("lora", payload)]


def lora_summary(signals: LayerSignals, table: PairTable) -> dict[str, Any]:
    """Return how many pairs do what and who does most; `active_layers` and its like are S4's names."""
    found = signals.summary()
    counts = {str(state): found.counts.get(state, 0) for state in PairState}
    return {
        "step": found.step,
        "total_layers": found.total,
        "active_layers": counts["active"],
        "dead_layers": counts["dead"],
        **counts,
        "imbalance": None if math.isnan(found.imbalance) else found.imbalance,
        "top_layers": [{"name": table.names[place], "share": share} for place, share in found.top],
        "text": found.text(),
    }


def lora_stats(row: LayerRow, table: PairTable, states: Sequence[PairState]) -> dict[str, dict[str, Any]]:
    """Return the newest figures of each pair, null where unmeasured; of more than 512 pairs the unwell first."""
    places = list(range(len(table)))
    if len(places) > _LISTED:
        odd = [i for i in places if i < len(states) and states[i] not in _WELL]
        rest = [i for i in places if i >= len(states) or states[i] in _WELL]
        places = sorted((odd + rest)[:_LISTED])
    found: dict[str, dict[str, Any]] = {}
    for i in places:
        figures: dict[str, Any] = {
            shown: None if math.isnan(column[i]) else column[i]
            for name, shown in _FIGURES.items()
            if (column := row.values.get(name)) is not None
        }
        figures["state"] = str(states[i]) if i < len(states) else str(PairState.UNKNOWN)
        found[table.names[i]] = figures
    return found

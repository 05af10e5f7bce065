"""Looks at adapter pairs as producers write them: columns beside a table of names, or a mapping of layers to figures.

Knows these two shapes only; which line or document they stood in stays outside.
"""

from __future__ import annotations

import math
from array import array
from typing import Any, Final

from mens_console.ingest.formats.values import number, step_of, visible
from mens_console.signals.pairs import METRICS, LayerRow, PairTable

MAX_PAIRS: Final = 20_000
_NAME: Final = 300
_SPELLINGS: Final = {
    **{name: name for name in METRICS},
    "grad_norm": "grad",
    "gradient_norm": "grad",
    "update_magnitude": "update",
    "update_norm": "update",
    "update_ratio": "ratio",
    "effective_rank": "rank",
}
"""What the figures of a layer are called by status writers."""


class PairRows:
    """The tables of one source by their id, and the rows that count in their order."""

    def __init__(self) -> None:
        self._tables: dict[str, PairTable] = {}

    def state(self) -> dict[str, Any]:
        """Return the tables as JSON values."""
        return {id: [table.names, table.frozen, table.r] for id, table in self._tables.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Know the tables that `state` came from."""
        self._tables = {id: PairTable(*map(tuple, parts)) for id, parts in state.items()}

    def table(self, payload: dict[str, Any]) -> PairTable | None:
        """Return the table that a payload introduces, None where it is known already.

        Raises `ValueError` where it is none.
        """
        id, pairs = payload.get("id"), payload.get("pairs")
        if not isinstance(id, str) or not isinstance(pairs, list) or len(pairs) > MAX_PAIRS:
            raise ValueError(f"adapter pairs without an id or a list of at most {MAX_PAIRS}")
        if not all(isinstance(pair, dict) and isinstance(pair.get("name"), str) for pair in pairs):
            raise ValueError("an adapter pair without a name")
        table = PairTable(
            tuple(visible(pair["name"], _NAME) for pair in pairs),
            tuple(not (pair.get("trainable_a", True) or pair.get("trainable_b", True)) for pair in pairs),
            tuple(step_of(pair.get("r")) or 0 for pair in pairs),
        )
        if self._tables.get(id) == table:
            return None
        self._tables[id] = table
        return table

    def row(self, payload: dict[str, Any], step: int, wall: float) -> tuple[PairTable, LayerRow]:
        """Return a look at the pairs, with the table it counts in; raises `ValueError` where it fits none."""
        table = self._tables.get(str(payload.get("pairs")))
        if table is None:
            raise ValueError(f"a look at adapter pairs {str(payload.get('pairs'))[:20]!r} that nothing introduced")
        values = {}
        for name in METRICS:
            cells = payload.get(name)
            if cells is None:
                continue
            if not isinstance(cells, list) or len(cells) != len(table):
                raise ValueError(f"{name} does not hold one figure for each of {len(table)} adapter pairs")
            values[name] = array("d", map(_figure, cells))
        if not values:
            raise ValueError("a look at adapter pairs without a figure")
        rate = number(payload.get("learning_rate"))
        return table, LayerRow(step, wall, with_norm(values), math.nan if rate is None else rate)


def from_layers(stats: Any, step: int, wall: float) -> tuple[PairTable, LayerRow] | None:
    """Return the look in a mapping of layers to figures (or to one gradient norm), None where there is none."""
    if not isinstance(stats, dict) or not 0 < len(stats) <= MAX_PAIRS:
        return None
    layers = {
        visible(str(name), _NAME): figures if isinstance(figures, dict) else {"grad": figures}
        for name, figures in stats.items()
    }
    values: dict[str, array[float]] = {}
    for place, figures in enumerate(layers.values()):
        for key, cell in figures.items():
            metric = _SPELLINGS.get(key)
            if metric is not None and (number(cell) is not None or cell is None):
                column = values.setdefault(metric, array("d", [math.nan]) * len(layers))
                column[place] = _figure(cell)
    if not values:
        return None
    frozen = tuple(figures.get("state") == "frozen" for figures in layers.values())
    return PairTable(tuple(layers), frozen, (0,) * len(layers)), LayerRow(step, wall, with_norm(values))


def with_norm(values: dict[str, array[float]]) -> dict[str, array[float]]:
    """Add the norm of each pair's gradient where only those of its matrices are known."""
    a, b = values.get("grad_a"), values.get("grad_b")
    if "grad" not in values and a is not None and b is not None:
        values["grad"] = array("d", map(_norm, a, b))
    return values


def _norm(a: float, b: float) -> float:
    if a != a:
        return b
    return a if b != b else math.hypot(a, b)


def _figure(cell: Any) -> float:
    """Return a figure as `LayerRow` tells it: NaN for none, infinity for one that is not finite."""
    if cell is None:
        return math.nan
    value = number(cell)
    if value is None:
        raise ValueError(f"{visible(str(cell), 40)!r} is no figure")
    return value if math.isfinite(value) else math.inf

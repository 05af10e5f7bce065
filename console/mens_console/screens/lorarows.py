"""Adapter pairs as rows of a heatmap: their labels, orders and filters.

Pure functions from views to rows; what a pair's state means is in `loralines`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.screens.loralines import LOOKS, TROUBLED, mark_of
from mens_console.screens.loraplaces import places_of
from mens_console.screens.query import Terms
from mens_widgets.heatmap import HeatRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.screens.loraplaces import Place
    from mens_console.store.snapshot import LayersView

ORDERS: Final = ("by layer", "by module", "worst first", "most active first")
RANKED: Final = (2, 3)
"""Orders in which the first row is the one to look at."""


class PairQuery(Terms):
    """Terms about a pair: ``word`` looks in name, label and state; ``state:``, ``layer:`` and ``module:`` in one."""

    def matches(self, layers: LayersView, pair: int, place: Place) -> bool:
        """Return whether a pair is wanted."""
        return self.hold(lambda field: _values(field, layers, pair, place))


def _values(field: str, layers: LayersView, pair: int, place: Place) -> Iterable[str]:
    state = str(layers.states[pair])
    match field:
        case "state":
            return [state]
        case "layer":
            return [place.layer]
        case "module":
            return [layers.table.places[pair][1]]
        case "":
            return [layers.table.names[pair], place.layer, state]
        case _:
            return []


def rows_of(
    layers: LayersView, places: list[Place], order: int, metric: str, query: PairQuery, *, troubled: bool, plain: bool
) -> list[HeatRow]:
    """Return the wanted pairs as rows, in one of `ORDERS`."""
    wanted = [
        i
        for i in range(len(layers.table))
        if (not troubled or layers.states[i] in TROUBLED) and (not query or query.matches(layers, i, places[i]))
    ]
    wanted.sort(key=_key(layers, places, order, metric))
    return [_row(layers, places[i], i, order, plain=plain) for i in wanted]


def _key(layers: LayersView, places: list[Place], order: int, metric: str) -> Callable[[int], tuple[float, ...]]:
    def by_layer(i: int) -> tuple[float, ...]:
        return places[i].number < 0, places[i].trunk, places[i].number, i

    if order == 1:
        modules = {module: k for k, module in enumerate(dict.fromkeys(place.module for place in places))}
        return lambda i: (modules[places[i].module], *by_layer(i))
    if order == 2:
        return lambda i: (LOOKS[layers.states[i]].rank, *by_layer(i))
    if order == 3:
        column = layers.latest.get(metric)
        size = np.full(len(places), -1.0) if column is None else np.where(np.isnan(column), -1.0, column)
        return lambda i: (-float(size[i]), *by_layer(i))
    return by_layer


def _row(layers: LayersView, place: Place, pair: int, order: int, *, plain: bool) -> HeatRow:
    state = layers.states[pair]
    whole = f"{place.layer} {place.module}".strip()
    group, label = (
        (place.layer, place.module),
        (place.module, place.layer or "—"),
        (str(state), whole),
        ("", whole),
    )[order]
    return HeatRow(layers.table.names[pair], pair, label, group, mark_of(state, plain=plain), LOOKS[state].tone)


class Shelf:
    """The rows of the heatmap as the operator wants them: order, filters, and what was built last.

    `rows` and `places` (of every pair of the table) belong to the layers that were given to `build` last.
    """

    def __init__(self, *, plain: bool) -> None:
        self.plain = plain
        self.order = 0
        self.troubled = False
        self.query = PairQuery("")
        self.rows: list[HeatRow] = []
        self.places: list[Place] = []
        self._named: tuple[object, ...] = ()
        self._built: tuple[object, ...] = ()

    def build(self, layers: LayersView, metric: str, *, short: bool) -> list[HeatRow]:
        """Return the rows; the same list as before where nothing that they depend on changed."""
        named = (layers.table, short)
        if self._named != named:
            self._named, self.places = named, places_of(layers.table, short=short)
        size = (metric, layers.rev) if self.order == len(ORDERS) - 1 else ()
        built = (named, layers.states, self.order, self.troubled, self.query.text, size)
        if self._built != built:
            self._built = built
            self.rows = rows_of(
                layers, self.places, self.order, metric, self.query, troubled=self.troubled, plain=self.plain
            )
        return self.rows

    def pair(self, key: str | None) -> int | None:
        """Return the place in the table of the row of this key."""
        return next((row.source for row in self.rows if row.key == key), None)

    def words(self, layers: LayersView) -> list[str]:
        """Return how many pairs are shown, in which order, and what is filtered."""
        shown = f"{len(self.rows)} of {len(layers.table)} pairs {ORDERS[self.order]}"
        return [shown, "troubled only" if self.troubled else "", f"filter {self.query.text}" if self.query else ""]

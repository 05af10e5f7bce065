"""Adapter pairs as rows of a heatmap: their labels, orders and filters.

Pure functions from views to rows; what a pair's state means is in `loralines`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from mens_console.ingest.text import safe_text
from mens_console.screens.loralines import LOOKS, TROUBLED, mark_of
from mens_console.screens.query import Terms
from mens_widgets.heatmap import HeatRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.signals.pairs import PairTable
    from mens_console.store.snapshot import LayersView

ORDERS: Final = ("by layer", "by module", "worst first", "most active first")
_LABEL: Final = 60
_TAG: Final = 10


class Place(NamedTuple):
    """Where a pair stands and what it is called: `trunk` counts the parts of a model that each number their layers."""

    trunk: int
    number: int
    layer: str
    module: str


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


def places_of(table: PairTable, *, short: bool) -> list[Place]:
    """Return a place a pair; `short` names modules by their last part, as far as that tells them apart in a layer.

    Where two parts of a model (an encoder and a decoder) number their layers, the layer's label begins with the part.
    """
    pairs = list(zip(table.names, table.places, strict=True))
    trunks = [name[: len(name) - len(module)].rpartition(".")[0].rpartition(".")[0] for name, (_, module) in pairs]
    trunks = [trunk if layer >= 0 else "" for trunk, (_, (layer, _)) in zip(trunks, pairs, strict=True)]
    kinds = list(dict.fromkeys(trunks))
    tags = _tags([kind for kind in kinds if kind])
    digits = max((len(str(layer)) for _, (layer, _) in pairs), default=1)
    places = []
    for trunk, (_, (layer, module)) in zip(trunks, pairs, strict=True):
        label = f"{tags.get(trunk, '')}L{layer:0{max(digits, 2)}d}" if layer >= 0 else ""
        places.append(Place(kinds.index(trunk), layer, safe_text(label, _LABEL), module))
    names = _short([(p.trunk, p.number, p.module) for p in places]) if short else [p.module for p in places]
    return [place._replace(module=_tail(name)) for place, name in zip(places, names, strict=True)]


def _tags(trunks: list[str]) -> dict[str, str]:
    """Return what tells the numbered parts of a model apart, "" where there is one only."""
    if len(trunks) < 2:
        return {}
    parts = [trunk.split(".") for trunk in trunks]
    least = min(map(len, parts))
    common = next((k for k in range(least) if len({part[k] for part in parts}) > 1), least)
    return {trunk: "".join(part[common : common + 1])[:_TAG] + " " for trunk, part in zip(trunks, parts, strict=True)}


def _short(modules: list[tuple[int, int, str]]) -> list[str]:
    """Return the last part of each module, or all of it where another in the same layer ends alike."""
    seen: dict[tuple[int, int, str], int] = {}
    keys = [(trunk, layer, module.rpartition(".")[2]) for trunk, layer, module in modules]
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
    return [key[2] if seen[key] == 1 and key[1] >= 0 else m[2] for key, m in zip(keys, modules, strict=True)]


def _tail(module: str) -> str:
    text = safe_text(module)
    return text if len(text) <= _LABEL else "…" + text[1 - _LABEL :]


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

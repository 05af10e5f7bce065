"""Where adapter pairs stand in a model, and the short names that tell them apart.

Names come from files that anybody may have written: what leaves here is safe to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.signals.pairs import PairTable

_LABEL: Final = 60
_TAG: Final = 10


class Place(NamedTuple):
    """Where a pair stands and what it is called: `trunk` counts the parts of a model that each number their layers."""

    trunk: int
    number: int
    layer: str
    module: str

    @property
    def name(self) -> str:
        """Layer and module."""
        return f"{self.layer} {self.module}".strip()


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
    return {
        trunk: safe_text("".join(part[common : common + 1]), _TAG) + " "
        for trunk, part in zip(trunks, parts, strict=True)
    }


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

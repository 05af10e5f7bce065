"""Fields of an attempt that came under another name: which names mean which field, and how values find their place.

A field's own name goes before all others, these in the order of `mens_contracts.aliases`; null is no value. No reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_contracts.aliases import ATTEMPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OTHER_NAMES: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    alias.field: (*((name, 1.0) for name in alias.names), *alias.factored) for alias in ATTEMPT
}
"""The other names of each field, best first, and what a number that came under one is multiplied by."""
FIELD_OF: Final[dict[str, str]] = {name: field for field, names in OTHER_NAMES.items() for name, _ in names}


@dataclass(frozen=True, slots=True)
class Spelled:
    """What a row tells of a field under another name of it, already read."""

    value: Any


@dataclass(frozen=True, slots=True)
class Other:
    """One name by which a row's type knows a field that may lack: the attributes of both, and the factor."""

    field: str
    own: str
    other: str
    factor: float


class UnlearnedError(ValueError):
    """A value holds names that the row's type does not foresee."""


def others(fields: Iterable[str], further: tuple[str, ...], always: frozenset[str]) -> tuple[Other, ...]:
    """Return the other names among a type's `further` ones, those of `always` left out: each row has these fields."""
    names = list(fields)
    places = {name: f"f{place}" for place, name in enumerate((*names, *further))}
    return tuple(
        Other(field, places[field], places[name], factor)
        for field in names
        if field not in always
        for name, factor in OTHER_NAMES[field]
        if name in places
    )


def told(values: dict[str, Any], field: str, nothing: Any) -> Any:
    """Return what a row that was read field by field says of a field, under whatever name; else `nothing`."""
    own = values.get(field, nothing)
    if own is not nothing:
        return own
    for name, factor in OTHER_NAMES[field]:
        spelled = values.get(name)
        if isinstance(spelled, Spelled) and spelled.value is not nothing:
            return scaled(spelled.value, factor)
    return nothing


def settle(
    rows: Iterable[Any], known: Iterable[Other], nothings: dict[str, Any], read: Callable[[str, Any], Any]
) -> None:
    """Give rows the values that came under other names; `read(field, raw)` reads one. Raises `UnlearnedError`."""
    absent = nothings["constraint_categories"]
    for one in known:
        nothing = nothings[one.field]
        for row in rows:
            if getattr(row, one.own) is nothing and (raw := getattr(row, one.other)) is not absent:
                value = read(one.field, raw)
                if value is not nothing:
                    setattr(row, one.own, scaled(value, one.factor))


def scaled(value: Any, factor: float) -> Any:
    """Return a number in the field's unit; anything else as it is."""
    return value if factor == 1.0 else value * factor

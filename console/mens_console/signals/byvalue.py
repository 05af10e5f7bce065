"""Equality of records that may hold NaN, "not measured": such a record equals itself, on every version of Python."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUES: dict[type, Callable[[Any], object]] = {}


class ByValue:
    """A base of dataclasses that compare as tuples of their fields do: what is the same object is equal.

    Since Python 3.13 a dataclass's own comparison asks each field for itself, and NaN is not equal to NaN: a record
    with something that was not measured would be news for ever.
    """

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__eq__" not in cls.__dict__:  # dataclass leaves one alone that is there
            cls.__eq__ = _equal  # type: ignore[method-assign]


def _equal(self: object, other: object) -> bool:
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented  # type: ignore[no-any-return]
    values = _VALUES.get(self.__class__) or _values(self.__class__)
    return bool(values(self) == values(other))


def _values(cls: type[Any]) -> Callable[[Any], object]:
    """Return what gives the fields of a record that count, as a tuple."""
    names = [field.name for field in fields(cls) if field.compare]
    one: Callable[[Any], object] = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)
    _VALUES[cls] = one
    return one

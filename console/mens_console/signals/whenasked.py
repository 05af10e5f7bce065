"""A mapping that is worked out when somebody first looks into it, and kept then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K = TypeVar("K")
V = TypeVar("V")


class WhenAsked(Mapping[K, V]):
    """What `make` returns, which must be a function of what never changes: it is called once, at some later time."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], dict[K, V]]) -> None:
        self._make: Callable[[], dict[K, V]] | None = make
        self._made: dict[K, V] = {}

    def _all(self) -> dict[K, V]:
        make = self._make
        if make is not None:
            self._made = make()  # before it is forgotten how: another thread may be asking, too
            self._make = None
        return self._made

    def __getitem__(self, key: K) -> V:
        return self._all()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

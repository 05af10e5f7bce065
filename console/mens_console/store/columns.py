"""Growable columns of numbers behind a length fence: appending never moves what an older reader holds.

Only the engine's thread writes; a `view()` taken before stays valid whatever happens later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_FIRST = 64
_GROWTH = 1.25


class Column:
    """A one-dimensional array that grows at its end in amortised constant time."""

    __slots__ = ("_buffer", "n")

    def __init__(self, dtype: DTypeLike, data: NDArray[Any] | None = None) -> None:
        self._buffer: NDArray[Any] = np.empty(0, dtype) if data is None else np.array(data, dtype)
        self.n = len(self._buffer)

    def extend(self, data: NDArray[Any]) -> None:
        """Append `data`. Readers of earlier views see nothing of it."""
        end = self.n + len(data)
        if end > len(self._buffer):
            grown = np.empty(max(_FIRST, end, int(self.n * _GROWTH)), self._buffer.dtype)
            grown[: self.n] = self._buffer[: self.n]
            self._buffer = grown
        self._buffer[self.n : end] = data
        self.n = end

    def view(self) -> NDArray[Any]:
        """Return the filled part, read-only and without a copy."""
        out = self._buffer[: self.n]
        out.flags.writeable = False
        return out

    def replace(self, data: NDArray[Any]) -> None:
        """Swap the whole content. Earlier views keep the old one."""
        self._buffer = np.array(data, self._buffer.dtype)
        self.n = len(self._buffer)

    @property
    def nbytes(self) -> int:
        """Resident bytes, spare room included."""
        return int(self._buffer.nbytes)

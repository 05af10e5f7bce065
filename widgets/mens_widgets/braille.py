"""Pixels to braille: a boolean grid, two dots wide and four high a character, rasterised by numpy.

Arrays in, code points out; no data, no widget, no colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_widgets.curve import Floats

Grid: TypeAlias = "NDArray[np.bool_]"
Codes: TypeAlias = "NDArray[np.uint8]"

BASE: Final = 0x2800
_DOTS: Final = ((0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 1, 3), (1, 1, 4), (2, 1, 5), (3, 0, 6), (3, 1, 7))
"""(row, column, bit) of each dot: Unicode numbers them down the left column, down the right, then the lowest row."""


def pack(grid: Grid) -> Codes:
    """Return the dots of each character, shape (rows, columns), of a grid of shape (4 × rows, 2 × columns)."""
    rows, columns = grid.shape[0] // 4, grid.shape[1] // 2
    dots = grid.view(np.uint8).reshape(rows, 4, columns, 2)
    packed = dots[:, 0, :, 0].copy()
    for row, column, bit in _DOTS[1:]:
        packed |= dots[:, row, :, column] << bit
    return packed


def spans(top: Floats, bottom: Floats, height: int) -> Grid:
    """Return a grid of shape (height, len(top)) with each column set from pixel row `top` to `bottom`, inclusive.

    Rows count from 0 at the top; a NaN leaves its column empty, what lies outside is cut off.
    """
    columns = np.arange(len(top))
    drawn = np.isfinite(top) & np.isfinite(bottom) & (bottom >= 0) & (top <= height - 1)
    columns = columns[drawn]
    first = np.clip(top[drawn], 0, height - 1).astype(np.intp)
    last = np.clip(bottom[drawn], 0, height - 1).astype(np.intp)
    edges = np.zeros((height + 1, len(top)), dtype=np.int8)
    edges[first, columns] = 1
    edges[last + 1, columns] -= 1
    return edges.cumsum(axis=0, dtype=np.int8)[:height] > 0


def dots(row: Floats, height: int) -> Grid:
    """Return a grid of shape (height, len(row)) with one pixel set in each column whose row is inside."""
    grid = np.zeros((height, len(row)), dtype=np.bool_)
    inside = np.isfinite(row) & (row >= 0) & (row <= height - 1)
    grid[row[inside].astype(np.intp), np.flatnonzero(inside)] = True
    return grid


def polyline(row: Floats, joined: NDArray[np.bool_], height: int) -> Grid:
    """Return a grid of shape (height, len(row)) with a line through one pixel row per column.

    `row` holds whole pixel rows, NaN where there is no point. `joined[i]` says whether the point of column i is
    joined to the last point before it; empty columns between joined points are crossed by a straight line.
    """
    columns = np.flatnonzero(np.isfinite(row))
    if len(columns) == 0:
        return np.zeros((height, len(row)), dtype=np.bool_)
    every = np.arange(len(row))
    path = np.rint(np.interp(every, columns, row[columns]))
    # An empty column belongs to the stroke that ends at the next point, and is drawn only if that one is joined.
    following = np.searchsorted(columns, every)
    after = columns[np.minimum(following, len(columns) - 1)]
    inside = (every >= columns[0]) & (following < len(columns))
    drawn = inside & ((after == every) | joined[after])
    path[~drawn] = np.nan
    linked = np.zeros(len(row), dtype=np.bool_)
    linked[1:] = drawn[1:] & drawn[:-1] & joined[after[1:]]
    # Each column covers the way to the middle of its step from the column before, and from the middle to the next.
    middle = np.full(len(row) + 1, np.nan)
    middle[1:-1] = np.where(linked[1:], (path[1:] + path[:-1]) / 2, np.nan)
    left, right = np.floor(middle[:-1]), np.floor(middle[1:])
    return spans(np.fmin(path, np.fmin(left, right)), np.fmax(path, np.fmax(left, right)), height)

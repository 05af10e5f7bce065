"""Sequences of keys become one, in order of the keys: a stable merge of any size, entered and walked from anywhere.

Keys only: no files, no text, no clock. A sequence tells its keys by blocks, so that nothing need be held but the blocks
around the place that is looked at. Keys never fall within a sequence; where two are equal, the earlier sequence comes
first. A cut says for each sequence how far it is taken; everything before it is ordered before everything after.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Place = tuple[int, int]
"""A block, and how many of its members are before the cut."""
Cut = tuple[Place, ...]


class Blocks(Protocol):
    """A sequence of keys in blocks, of which some may be empty."""

    @property
    def blocks(self) -> range:
        """The numbers of its blocks, at least one."""
        ...

    def keys(self, block: int) -> Sequence[float]:
        """Return the keys of a block; they rise, and none is below those of the block before."""
        ...

    def ceiling(self, block: int) -> float:
        """Return what no key up to the end of the block is above, and the next block not below; inf in the last."""
        ...

    def number(self, block: int) -> int:
        """Return how many members there are before the block."""
        ...


class Run(NamedTuple):
    """Members `start` to `stop` of one block of one sequence, which follow one another in the merge, too."""

    sequence: int
    block: int
    start: int
    stop: int


def first(sequences: Sequence[Blocks]) -> Cut:
    """Return the cut before everything."""
    return tuple((one.blocks[0], 0) for one in sequences)


def last(sequences: Sequence[Blocks]) -> Cut:
    """Return the cut after everything."""
    return tuple((one.blocks[-1], len(one.keys(one.blocks[-1]))) for one in sequences)


def before(sequences: Sequence[Blocks], key: float) -> Cut:
    """Return the cut between what is below `key` and what is not."""
    return tuple(_place(one, key, bisect_left) for one in sequences)


def rank(sequences: Sequence[Blocks], cut: Cut) -> int:
    """Return how many members are before a cut."""
    return sum(one.number(block) + i for one, (block, i) in zip(sequences, cut, strict=True))


def boundary(sequences: Sequence[Blocks], cut: Cut) -> float:
    """Return the largest key before a cut; -inf where there is none."""
    tails = (behind(one, place) for one, place in zip(sequences, cut, strict=True))
    return max((one.keys(tail[0])[tail[1] - 1] for one, tail in zip(sequences, tails, strict=True) if tail[1]),
               default=-math.inf)  # fmt: skip


def select(sequences: Sequence[Blocks], wanted: int) -> Cut:
    """Return the cut that `wanted` members are before (all of them where there are fewer).

    The key there is found by halving the range of keys; members of that very key are then taken sequence by sequence.
    """
    if wanted <= 0:
        return first(sequences)
    end = last(sequences)
    if wanted >= rank(sequences, end):
        return end
    low, high = _lowest(sequences), boundary(sequences, end)
    while low < high:  # the largest key with at most `wanted` members below it
        middle = low + (high - low) / 2
        if middle <= low:
            middle = high
        if rank(sequences, before(sequences, middle)) <= wanted:
            low = middle
        else:
            high = math.nextafter(middle, -math.inf)
    cut = list(before(sequences, low))
    left = wanted - rank(sequences, tuple(cut))
    for i, one in enumerate(sequences):
        after = _place(one, low, bisect_right)
        there = one.number(after[0]) + after[1] - one.number(cut[i][0]) - cut[i][1]
        if there <= left:
            cut[i], left = after, left - there
        else:
            cut[i] = _numbered(one, one.number(cut[i][0]) + cut[i][1] + left)
            break
    return tuple(cut)


def forward(sequences: Sequence[Blocks], cut: Cut, n: int) -> tuple[list[Run], Cut]:
    """Return the next `n` members after a cut (fewer at the end) as runs, in order, and the cut after them."""
    heads = [ahead(one, place) for one, place in zip(sequences, cut, strict=True)]
    keys = [one.keys(block) for one, (block, _) in zip(sequences, heads, strict=True)]
    left = {s: keys[s][i] for s, (_, i) in enumerate(heads) if i < len(keys[s])}
    runs: list[Run] = []
    while n > 0 and left:
        best = over = -1
        low = limit = math.inf
        for s, key in left.items():  # in the order of the sequences: equal keys of a later one come after
            if best < 0 or key < low:
                over, limit, best, low = best, low, s, key
            elif over < 0 or key < limit:
                over, limit = s, key
        block, i = heads[best]
        stop = i + n
        if over >= 0:
            stop = min(stop, (bisect_right if best < over else bisect_left)(keys[best], limit, i))
        stop = min(stop, len(keys[best]))
        runs.append(Run(best, block, i, stop))
        n -= stop - i
        if stop < len(keys[best]):
            heads[best], left[best] = (block, stop), keys[best][stop]
            continue
        block, i = heads[best] = ahead(sequences[best], (block, stop))
        keys[best] = sequences[best].keys(block)
        if i < len(keys[best]):
            left[best] = keys[best][i]
        else:
            del left[best]
    return runs, tuple(heads)


def backward(sequences: Sequence[Blocks], cut: Cut, n: int) -> tuple[list[Run], Cut]:
    """Return the `n` members before a cut (fewer at the beginning) as runs, in order, and the cut before them."""
    tails = [behind(one, place) for one, place in zip(sequences, cut, strict=True)]
    keys = [one.keys(block) for one, (block, _) in zip(sequences, tails, strict=True)]
    left = {s: keys[s][i - 1] for s, (_, i) in enumerate(tails) if i > 0}
    runs: list[Run] = []
    while n > 0 and left:
        best = under = -1
        high = limit = -math.inf
        for s, key in left.items():
            if best < 0 or key >= high:
                under, limit, best, high = best, high, s, key
            elif under < 0 or key >= limit:
                under, limit = s, key
        block, i = tails[best]
        start = max(0, i - n)
        if under >= 0:
            start = max(start, (bisect_right if best < under else bisect_left)(keys[best], limit, 0, i))
        runs.append(Run(best, block, start, i))
        n -= i - start
        if start > 0:
            tails[best], left[best] = (block, start), keys[best][start - 1]
            continue
        block, i = tails[best] = behind(sequences[best], (block, 0))
        keys[best] = sequences[best].keys(block)
        if i > 0:
            left[best] = keys[best][i - 1]
        else:
            del left[best]
    runs.reverse()
    return runs, tuple(tails)


def _place(one: Blocks, key: float, bisect: Callable[..., int]) -> Place:
    """Return the place before (`bisect_left`) or after (`bisect_right`) the members of a key."""
    blocks = one.blocks
    at = bisect(blocks, key, key=one.ceiling, hi=len(blocks) - 1)
    block = blocks[at]
    i = bisect(one.keys(block), key)
    return behind(one, (block, i)) if i == 0 else (block, i)


def _numbered(one: Blocks, number: int) -> Place:
    """Return the place that `number` members of a sequence are before."""
    blocks = one.blocks
    block = blocks[max(0, bisect_right(blocks, number, key=one.number) - 1)]
    return block, number - one.number(block)


def ahead(one: Blocks, place: Place) -> Place:
    """Return the same place, in the block of the member after it, if there is one."""
    block, i = place
    end = one.blocks[-1]
    while block < end and i >= len(one.keys(block)):
        block, i = block + 1, 0
    return block, i


def behind(one: Blocks, place: Place) -> Place:
    """Return the same place, in the block of the member before it, if there is one."""
    block, i = place
    begin = one.blocks[0]
    while block > begin and i <= 0:
        block -= 1
        i = len(one.keys(block))
    return block, i


def _lowest(sequences: Sequence[Blocks]) -> float:
    """Return the smallest key of all; the sequences are not all empty."""
    heads = [(one, ahead(one, (one.blocks[0], 0))) for one in sequences]
    return min(one.keys(block)[i] for one, (block, i) in heads if i < len(one.keys(block)))

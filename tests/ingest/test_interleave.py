"""The merge against `sorted`, which is stable: whatever is asked, in whatever order, from wherever it is entered."""

import heapq
from itertools import cycle, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.ingest import interleave


class Listed:
    """A sequence in memory, cut into blocks at the given lengths; the first block has number `base`."""

    def __init__(self, keys, lengths, base=0):
        self.all, self.base = sorted(keys), base
        self.parts, at = [], 0
        for length in lengths:
            self.parts.append(self.all[at : at + length])
            at += length
        self.parts.append(self.all[at:])
        self.loads = 0

    @property
    def blocks(self):
        return range(self.base, self.base + len(self.parts))

    def keys(self, block):
        self.loads += 1
        return self.parts[block - self.base]

    def ceiling(self, block):
        if block == self.blocks[-1]:
            return float("inf")
        known = [key for part in self.parts[: block - self.base + 1] for key in part]
        following = [key for part in self.parts[block - self.base + 1 :] for key in part]
        return known[-1] if known else following[0] if following else float("-inf")

    def number(self, block):
        return sum(map(len, self.parts[: block - self.base]))


KEYS = st.lists(st.integers(0, 6).map(float) | st.floats(-1e9, 1e9), max_size=25)
SEQUENCES = st.lists(
    st.builds(Listed, KEYS, st.lists(st.integers(0, 5), max_size=6), st.integers(0, 3)), min_size=1, max_size=5
)


def oracle(sequences):
    return sorted((key, s, i) for s, one in enumerate(sequences) for i, key in enumerate(one.all))


def members(sequences, runs):
    return [
        (sequences[run.sequence].keys(run.block)[i], run.sequence, sequences[run.sequence].number(run.block) + i)
        for run in runs
        for i in range(run.start, run.stop)
    ]


@settings(max_examples=300, deadline=None)
@given(SEQUENCES, st.integers(0, 140), st.integers(0, 140))
def test_any_stretch_from_any_rank_is_that_of_a_stable_merge(sequences, at, n):
    wanted = oracle(sequences)
    cut = interleave.select(sequences, at)
    assert interleave.rank(sequences, cut) == min(at, len(wanted))
    runs, after = interleave.forward(sequences, cut, n)
    assert members(sequences, runs) == wanted[at : at + n]
    assert interleave.rank(sequences, after) == min(at + n, len(wanted))
    runs, earlier = interleave.backward(sequences, cut, n)
    assert members(sequences, runs) == wanted[max(0, min(at, len(wanted)) - n) : at]
    assert interleave.rank(sequences, earlier) == max(0, min(at, len(wanted)) - n)


@settings(max_examples=200, deadline=None)
@given(SEQUENCES, st.floats(-1e9, 1e9) | st.integers(-1, 7).map(float))
def test_a_cut_at_a_key_parts_what_is_below_it(sequences, key):
    wanted = oracle(sequences)
    cut = interleave.before(sequences, key)
    below = [one for one in wanted if one[0] < key]
    assert interleave.rank(sequences, cut) == len(below)
    assert interleave.boundary(sequences, cut) == (below[-1][0] if below else float("-inf"))
    assert members(sequences, interleave.forward(sequences, cut, 999)[0]) == wanted[len(below) :]


@settings(max_examples=100, deadline=None)
@given(SEQUENCES, st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_walking_by_any_steps_meets_everything_once(sequences, steps):
    wanted = [key for key, _, _ in oracle(sequences)]
    assert wanted == list(heapq.merge(*(one.all for one in sequences)))
    cut, seen = interleave.first(sequences), []
    for step in islice(cycle(steps), len(wanted) + 1):
        runs, cut = interleave.forward(sequences, cut, step)
        seen += [key for key, _, _ in members(sequences, runs)]
    assert seen == wanted
    assert interleave.rank(sequences, cut) == interleave.rank(sequences, interleave.last(sequences))


def test_what_is_far_from_the_place_is_not_looked_at():
    sequences = [Listed([float(i) for i in range(100_000)], [100] * 1000) for _ in range(4)]
    end = interleave.last(sequences)
    runs, _ = interleave.backward(sequences, end, 50)
    assert members(sequences, runs)[-1] == (99_999.0, 3, 99_999)
    assert sum(one.loads for one in sequences) < 1000


@pytest.mark.parametrize("wanted", [0, 1, 999_999, 1_000_000, 1_500_001, 2_000_000, 3_000_000])
def test_a_million_members_of_one_key_are_not_walked_through(wanted):
    sequences = [Listed([5.0] * 1_000_000, [1000] * 999), Listed([5.0] * 1_000_000, [1000] * 999)]
    for one in sequences:
        one.ceiling = lambda block, one=one: 5.0 if block < one.blocks[-1] else float("inf")
        one.number = lambda block: block * 1000
    cut = interleave.select(sequences, wanted)
    assert interleave.rank(sequences, cut) == min(wanted, 2_000_000)
    assert sum(one.loads for one in sequences) < 20_000

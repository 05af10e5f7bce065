"""Resumes against jitter and duplicates, in the orders that trainers really write."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.lineage import RowKind, Segment, SegmentTracker, segments_of

NAN = math.nan


def spans(steps):
    return [(s.start_step, s.end_step) for s in segments_of(steps, [NAN] * len(steps))]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], []),
        ([5], [(5, 5)]),
        ([1, 2, 3, 4], [(1, 4)]),
        ([10, 20, 30, 40, 50, 30, 40, 50, 60], [(10, 50), (30, 60)]),
        ([10, 20, 30, 40, 50, 40, 50, 60], [(10, 50), (40, 60)]),
        (list(range(1, 100)) + list(range(1, 30)), [(1, 99), (1, 29)]),
        ([1, 2, 3, 3, 4, 5, 5, 6], [(1, 6)]),
        ([1, 1, 2, 2, 3, 3], [(1, 3)]),
        ([1, 3, 2, 4, 6, 5, 7, 9, 8, 10], [(1, 10)]),
        ([10, 7, 11, 8, 12, 9, 13], [(10, 13)]),
        ([1, 2, 3, 9, 4, 5, 6], [(1, 9), (4, 6)]),
        ([10, 20, 30, 40, 15], [(10, 40)]),
        ([10, 20, 30, 40, 15, 25], [(10, 40), (15, 25)]),
        ([100, 200, 300, 100, 200, 100, 200, 300, 400], [(100, 300), (100, 400)]),
    ],
)
def test_segments(steps, expected):
    assert spans(steps) == expected


def test_a_resume_is_known_two_rows_after_its_first():
    tracker = SegmentTracker()
    kinds = [tracker.update(s) for s in (1, 2, 3, 4, 5, 6, 3, 4, 5)]
    assert kinds[6:] == [RowKind.BEHIND, RowKind.BEHIND, RowKind.RESUME]
    assert tracker.resumed_at == 3


def test_a_rewind_to_just_after_a_checkpoint_is_a_resume_at_once():
    tracker = SegmentTracker()
    tracker.checkpoint(20)
    tracker.update_many(list(range(5, 60, 5)), [NAN] * 11)
    assert tracker.update(25, 7.0) is RowKind.RESUME
    assert tracker.segments[-1] == Segment(25, 25, 7.0, 7.0)


def test_one_interval_behind_a_checkpoint_row_may_still_be_a_second_rank():
    tracker = SegmentTracker()
    tracker.checkpoint(10)
    assert [tracker.update(s) for s in (10, 15, 20, 15, 25)][-2:] == [RowKind.BEHIND, RowKind.ADVANCE]
    assert tracker.jitter == 1


def test_duplicates_are_counted_and_walls_kept():
    tracker = SegmentTracker()
    assert tracker.update_many([1, 2, 2, 3, 4, 2, 2, 3, 4], [float(i) for i in range(9)]) == [(8, 2)]
    assert tracker.duplicates == 2
    assert tracker.segments == (Segment(1, 4, 0.0, 4.0), Segment(2, 4, 5.0, 8.0))
    assert not tracker.finish()


@given(st.lists(st.integers(0, 30), max_size=80), st.lists(st.integers(1, 9), max_size=20))
def test_chunks_do_not_matter(steps, sizes):
    walls = [float(i) for i in range(len(steps))]
    whole, parts, single = SegmentTracker(), SegmentTracker(), SegmentTracker()
    expected = whole.update_many(steps, walls)
    got, at = [], 0
    for size in [*sizes, len(steps)]:
        got += [(at + i, first) for i, first in parts.update_many(steps[at : at + size], walls[at : at + size])]
        at += size
    kinds = [single.update(s, w) for s, w in zip(steps, walls, strict=True)]
    assert got == expected
    assert [i for i, k in enumerate(kinds) if k is RowKind.RESUME] == [i for i, _ in expected]
    assert whole.segments == parts.segments == single.segments
    assert whole.finish() == parts.finish()


@given(st.integers(3, 200), st.integers(1, 50), st.data())
def test_every_true_resume_is_found(n, interval, data):
    """A run of n rows that goes on from a row at least three rows back, three rows or more."""
    steps = [interval * (i + 1) for i in range(n + 2)]
    start = data.draw(st.integers(0, n - 2))
    again = steps[start:]
    assert spans(steps + again) == [(steps[0], steps[-1]), (again[0], again[-1])]

"""Rows of several sources, in any order and any chunks, become one line per metric."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.ingest.records import Columns
from mens_console.screens.spark import spark_of
from mens_console.store.axis import Writer
from mens_console.store.frame import MAX_METRICS, Frame

NAN = float("nan")


def rows(steps, walls=None, rank=None, **values) -> Columns:
    walls = [NAN] * len(steps) if walls is None else walls
    return Columns(
        tuple(values), array("q", steps), array("d", walls), tuple(array("d", v) for v in values.values()), rank
    )


def put(frame: Frame, columns: Columns, format: str = "jsonl", rank: int = 10, file: str = "", **how):
    return list(frame.append(columns, Writer(format, file or format, rank), **how))


def line(frame: Frame, name: str = "loss") -> dict[int, float]:
    view = frame.view(name)
    return dict(zip(view.steps.tolist(), view.values.tolist(), strict=True))


def test_metrics_logged_together_share_an_axis_until_one_appears_alone() -> None:
    frame = Frame()
    put(frame, rows([1, 2], loss=[3, 2], lr=[0.1, 0.2]))
    assert len(frame.axes) == 1
    put(frame, rows([3], loss=[1]))
    assert len(frame.axes) == 2
    assert line(frame) == {1: 3, 2: 2, 3: 1}
    assert line(frame, "lr") == {1: 0.1, 2: 0.2}
    put(frame, rows([4], loss=[0.5], lr=[0.3], grad_norm=[7]))
    assert line(frame, "lr") == {1: 0.1, 2: 0.2, 4: 0.3}
    assert line(frame, "grad_norm") == {4: 7}


def test_four_sources_give_the_union_of_their_steps_each_once() -> None:
    frame = Frame()
    put(frame, rows([10, 20, 30], loss=[1.01, 2.01, 3.01]), "hf_console", 60)
    put(frame, rows([10, 20, 25], loss=[1.02, 2.02, 2.52]), "tfevents", 40)
    put(frame, rows([20, 40], loss=[2.03, 4.03]), "trainer_state", 20, document=True)
    put(frame, rows([5, 30], loss=[0.54, 3.04]), "jsonl", 10)
    # precedence decides: jsonl 10 before trainer_state 20 before tfevents 40 before the console 60
    assert line(frame) == {5: 0.54, 10: 1.02, 20: 2.03, 25: 2.52, 30: 3.04, 40: 4.03}
    assert frame.view("loss").points == 6


@given(st.permutations(["jsonl", "tfevents", "trainer_state", "hf_console"]))
def test_the_order_in_which_sources_are_read_does_not_matter(order: list[str]) -> None:
    rank = {"jsonl": 10, "trainer_state": 20, "tfevents": 40, "hf_console": 60}
    content = {
        "jsonl": {1: 1.0, 2: 2.0},
        "tfevents": {2: 2.4, 3: 3.4},
        "trainer_state": {1: 1.2, 3: 3.2, 5: 5.2},
        "hf_console": {4: 4.6, 5: 5.6},
    }
    frame = Frame()
    for name in order:
        put(frame, rows(list(content[name]), loss=list(content[name].values())), name, rank[name])
    assert line(frame) == {1: 1.0, 2: 2.0, 3: 3.2, 4: 4.6, 5: 5.2}


def test_a_resume_rewinds_and_the_overlap_is_kept() -> None:
    frame = Frame()
    put(frame, rows(range(0, 250, 10), loss=np.arange(25.0)))
    changes = put(frame, rows(range(210, 300, 10), loss=np.arange(100.0, 109.0)))
    assert [c.rewound_to for c in changes] == [210]
    view = frame.view("loss")
    assert view.steps.tolist() == list(range(0, 300, 10))
    assert view.values[21:].tolist() == list(np.arange(100.0, 109.0))
    (lost,) = view.rewound
    assert lost.steps.tolist() == [210, 220, 230, 240]
    assert lost.values.tolist() == [21, 22, 23, 24]
    assert [(s.step, end) for s, end in frame.segments()] == [(0, 240), (210, 290)]
    lived = [(g.rewound_to, g.steps.tolist()) for g in frame.history("loss")]
    assert lived == [(None, list(range(0, 250, 10))), (210, list(range(210, 300, 10)))]


def test_two_event_files_of_a_resumed_run_and_its_trainer_state() -> None:
    frame = Frame()
    put(frame, rows(range(1, 245), walls=range(1000, 1244), loss=[1.0] * 244), "tfevents", 40)
    put(frame, rows(range(201, 361), walls=range(2000, 2160), loss=[2.0] * 160), "tfevents", 40)
    put(frame, rows(range(1, 361), loss=[3.0] * 360), "trainer_state", 20, document=True)
    view = frame.view("loss")
    assert view.points == 360
    assert set(view.values.tolist()) == {3.0}
    assert [len(piece.steps) for piece in view.rewound] == [44]
    # a late source of the first segment, by its times, does not overwrite the second
    put(frame, rows([240, 241], walls=[1239, 1240], loss=[9.0, 9.0]), "csv", 5)
    assert line(frame)[240] == 3.0
    assert view.walls[0] == 1000


def test_files_of_one_format_written_side_by_side_are_no_resumes() -> None:
    frame = Frame()
    put(frame, rows(range(1, 201), walls=range(1000, 1200), loss=[1.0] * 200), file="a.jsonl", rank=10)
    put(frame, rows(range(5, 201, 5), walls=range(1005, 1201, 5), loss=[2.0] * 40), file="b.jsonl", rank=11)
    assert line(frame) == dict.fromkeys(range(1, 201), 1.0)
    assert [(s.step, end) for s, end in frame.segments()] == [(1, 200)]
    assert frame.view("loss").rewound == ()


@given(st.permutations(["a", "b"]))
def test_which_of_two_equal_files_stands_does_not_depend_on_their_order(order: list[str]) -> None:
    frame = Frame()
    for file in order:
        put(frame, rows([1, 2, 3], loss=[float(ord(file))] * 3), file=file, rank=10 + (file == "b"))
    assert set(line(frame).values()) == {97.0}


def test_files_one_after_the_other_without_times_are_told_by_where_they_begin() -> None:
    beside, after = Frame(), Frame()
    put(beside, rows(range(1, 101), loss=[1.0] * 100), file="a.csv")
    put(beside, rows(range(10, 101, 10), loss=[2.0] * 10), file="b.csv", rank=11)
    put(beside, rows(range(50, 101, 10), loss=[3.0] * 6), file="late.csv", rank=12)
    late = Writer("jsonl", "found-late.csv", 13, arrived=1e9)
    assert not any(change.rewound_to for change in beside.append(rows([60, 80], loss=[3.0, 3.0]), late))
    assert set(line(beside).values()) == {1.0}
    assert len(beside.segments()) == 1
    put(after, rows(range(1, 101), loss=[1.0] * 100), file="a.csv")
    put(after, rows(range(81, 151), loss=[2.0] * 70), file="b.csv", rank=11)
    assert [(s.step, end) for s, end in after.segments()] == [(1, 100), (81, 150)]
    assert [len(piece.steps) for piece in after.view("loss").rewound] == [20]


def test_a_fast_run_that_is_resumed_at_once_into_another_file() -> None:
    frame = Frame()
    walls = 1.7e9 + 0.25 + np.arange(100) * 0.004
    put(frame, rows(range(100), walls=walls, loss=[1.0] * 100), file="a")
    put(frame, rows([99], walls=[walls[-1] + 0.001], loss=[3.0]), file="beside", rank=11)
    assert len(frame.segments()) == 1
    put(frame, rows([80, 81], walls=[walls[-1] + 0.5, walls[-1] + 0.504], loss=[2.0, 2.0]), file="b", rank=12)
    assert [(s.step, end) for s, end in frame.segments()] == [(0, 99), (80, 81)]


def test_a_file_begun_after_another_ended_is_a_resume_even_from_the_first_step() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3], walls=[10, 11, 12], loss=[1, 1, 1]), file="a")
    put(frame, rows([1], walls=[100], loss=[2]), file="b", rank=11)
    assert line(frame) == {1: 2}
    assert [piece.steps.tolist() for piece in frame.view("loss").rewound] == [[1, 2, 3]]


def test_a_resume_that_rewinds_one_row_is_told_from_a_row_written_twice() -> None:
    def made(last: float, wall: float) -> Frame:
        frame = Frame()
        put(frame, rows(range(1, 31), walls=range(100, 130), loss=np.arange(30.0)))
        put(frame, rows([30, 31], walls=[wall, wall + 1], loss=[last, 0.5]))
        return frame

    resumed = made(7.0, 200.0)
    assert [(s.step, end) for s, end in resumed.segments()] == [(1, 30), (30, 31)]
    assert [piece.values.tolist() for piece in resumed.view("loss").rewound] == [[29.0]]
    assert len(made(29.0, 200.0).segments()) == 1
    assert len(made(7.0, 129.5).segments()) == 1
    assert len(made(7.0, NAN).segments()) == 1


def test_a_segment_begins_at_its_first_step_whichever_source_tells_it() -> None:
    frame = Frame()
    put(frame, rows([3, 6], loss=[1, 1]), "csv", 30)
    put(frame, rows([2, 4], loss=[1, 1]), "jsonl", 10)
    assert [(s.step, end) for s, end in frame.segments()] == [(2, 6)]


@pytest.mark.parametrize("timed", [True, False])
def test_rows_of_a_sparse_source_that_never_went_back_stay_in_the_line(timed: bool) -> None:
    frame = Frame()
    put(frame, rows(range(1, 245), walls=range(1001, 1245), loss=[1.0] * 244), "jsonl", 10)
    put(frame, rows(range(201, 361), walls=range(2201, 2361), loss=[2.0] * 160), "jsonl", 10)
    walls = [1100, 1200, 2300, 2400] if timed else None
    put(frame, rows([100, 200, 300, 400], walls=walls, loss=[9, 9, 9, 9]), "csv", 30)
    assert line(frame) == {**dict.fromkeys(range(1, 201), 1.0), **dict.fromkeys(range(201, 361), 2.0), 400: 9.0}
    assert [len(piece.steps) for piece in frame.view("loss").rewound] == [44]


def test_a_repeat_where_others_told_of_a_resume_is_that_resume() -> None:
    frame = Frame()
    put(frame, rows([7, 14, 21], walls=[7, 14, 21], loss=[1, 1, 1]), "tfevents", 40, "a")
    put(frame, rows([21, 28, 35], walls=[121, 128, 135], loss=[2, 2, 2]), "tfevents", 41, "b")
    put(frame, rows([7, 14, 21, 21, 28, 35], loss=[3] * 6, grad_norm=[1, 2, 3, 4, 5, 6]), "hf_console", 60)
    assert line(frame) == {7: 1, 14: 1, 21: 2, 28: 2, 35: 2}
    assert [piece.steps.tolist() for piece in frame.view("loss").rewound] == [[21]]


@st.composite
def lives(draw):
    """What a run lived through: segments of (step, wall), and a few sources with their strides, best first."""
    life, wall, step = [], 1.7e9, 0
    for segment in range(draw(st.integers(1, 4))):
        if segment:
            step = max(0, step - draw(st.sampled_from([1, 2, 3, 5, 20])))
            wall += draw(st.sampled_from([30.0, 60.0, 3000.0]))  # longer than a few steps of any source
        for _ in range(draw(st.integers(5, 40))):
            step, wall = step + 1, wall + 1.0
            life.append((segment, step, wall))
    strides = draw(st.permutations([1, *draw(st.lists(st.integers(1, 7), max_size=2))]))  # one tells of every resume
    return life, strides, draw(st.permutations(range(len(strides)))), draw(st.integers(3, 50))


@given(lives())
@settings(max_examples=200, deadline=None)
def test_whatever_was_lived_and_logged_stands_in_the_line(drawn) -> None:
    """Sources with times, of any strides, read in any order: each step once, from the segment that it survived in."""
    life, strides, order, piece = drawn
    begun: dict[int, int] = {}
    for segment, step, _ in life:
        begun.setdefault(segment, step)
    wanted: dict[int, tuple[int, float]] = {}
    for segment, step, wall in life:
        survives = all(step < first for later, first in begun.items() if later > segment)
        tellers = [i for i, stride in enumerate(strides) if step % stride == 0]
        if survives and tellers:
            wanted[step] = (tellers[0], wall)
    frame = Frame()
    for i in order:
        own = [(step, wall) for _, step, wall in life if step % strides[i] == 0]
        for at in range(0, len(own), piece):
            steps, walls = zip(*own[at : at + piece], strict=True)
            values = [i * 1e10 + wall for wall in walls]
            put(frame, rows(steps, walls=walls, loss=values), f"format{i}", 10 + i)
    got = line(frame) if wanted or frame.names else {}
    assert got == {step: i * 1e10 + wall for step, (i, wall) in wanted.items()}


def test_a_clock_set_back_at_a_resume_keeps_nothing_of_what_was_rewound() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3, 4], walls=[1000, 1001, 1002, 1003], loss=[1, 1, 1, 1]))
    put(frame, rows([2], walls=[500], loss=[2]))
    assert line(frame) == {1: 1, 2: 2}


def test_a_repeated_step_is_replaced_and_not_a_resume() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 2, 3], loss=[1, 2, 2.5, 3]))
    assert line(frame) == {1: 1, 2: 2.5, 3: 3}
    assert len(frame.segments()) == 1


def test_ranks_are_kept_apart() -> None:
    frame = Frame()
    put(frame, rows([0, 1], loss=[1, 2], rank=0))
    put(frame, rows([0, 1], loss=[5, 6], rank=1))
    assert line(frame) == {0: 1, 1: 2}
    assert line(frame, "loss@rank1") == {0: 5, 1: 6}


def test_writers_taking_turns_without_a_rank_are_not_resumes() -> None:
    frame = Frame()
    steps = [0, 0, 1, 1, 2, 3, 2, 3, 4, 4, 5, 6, 5, 6, 7]
    put(frame, rows(steps, loss=[float(s) for s in steps]))
    assert line(frame) == {s: float(s) for s in range(8)}
    assert len(frame.segments()) == 1


def test_counted_steps_only_serve_metrics_that_nobody_else_has() -> None:
    frame = Frame()
    put(frame, rows([1, 2], loss=[1, 2]), "tfevents", 40)
    put(frame, rows([1, 2, 3], loss=[8, 8, 8], entropy=[1, 2, 3]), "hf_console", 60, weak=True)
    assert line(frame) == {1: 1, 2: 2}
    assert line(frame, "entropy") == {1: 1, 2: 2, 3: 3}


def test_a_producer_that_invents_names_is_bounded() -> None:
    frame = Frame()
    for i in range(MAX_METRICS + 5):
        put(frame, rows([i], **{f"m{i}": [1.0]}))
    assert len(frame.names) == MAX_METRICS
    assert len(frame.dropped_metrics) == 5


def test_views_taken_before_do_not_change() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3], loss=[1, 2, 3]))
    before = frame.view("loss")
    put(frame, rows([4], loss=[4]))
    put(frame, rows([2], loss=[9]))
    assert before.steps.tolist() == [1, 2, 3]
    assert before.values.tolist() == [1, 2, 3]


def test_a_cold_run_keeps_its_extremes_and_its_count() -> None:
    frame = Frame()
    data = np.random.default_rng(0).normal(size=50_000)
    data[777] = 40.0
    put(frame, rows(range(50_000), loss=data))
    full = frame.nbytes
    frame.thin(512)
    view = frame.view("loss")
    assert view.points == 50_000
    assert view.values.max() == 40.0
    assert frame.nbytes < full / 50
    assert view.last_step == 49_999
    put(frame, rows([50_000, 50_001], loss=[1, 2]))
    assert frame.view("loss").points == 50_002


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(-5, 5)), min_size=1, max_size=120),
    st.lists(st.integers(1, 17), min_size=1, max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_chunking_never_changes_the_line(pairs: list[tuple[int, float]], sizes: list[int]) -> None:
    once, chunked = Frame(), Frame()
    steps, losses = [p[0] for p in pairs], [p[1] for p in pairs]
    put(once, rows(steps, loss=losses))
    begin = turn = 0
    while begin < len(steps):
        end = begin + sizes[turn % len(sizes)]
        put(chunked, rows(steps[begin:end], loss=losses[begin:end]))
        begin, turn = end, turn + 1
    assert line(once) == line(chunked)
    assert [(s.step, end) for s, end in once.segments()] == [(s.step, end) for s, end in chunked.segments()]
    assert set(line(once)) <= set(steps)


def hides(frame: Frame) -> list[int]:
    """Return the steps whose loss is drawn as NaN though it was logged as 0."""
    view = frame.view("loss")
    return view.steps[np.isnan(view.shown) & (view.values == 0.0)].tolist()


def test_a_zero_that_stands_for_a_nan_is_drawn_as_one_and_kept_as_logged() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3, 4, 5], loss=[2, 0, 0, 1, NAN], grad_norm=[1, NAN, 0.5, float("inf"), NAN]))
    view = frame.view("loss")
    assert view.values.tolist()[:4] == [2, 0, 0, 1] and hides(frame) == [2]
    bins = view.bins(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), "step")
    assert bins.bad.tolist() == [0, 1, 0, 1] and bins.lo.tolist()[2] == 0.0, "a true zero is one"
    assert [char == "✖" for char in spark_of(view, 5)] == [False, True, False, False, True]
    assert np.isnan(view.at(2, "step").value) and view.at(3, "step").value == 0.0


def test_what_is_hidden_is_found_as_it_comes_whichever_column_is_first() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3], loss=[0, 0, 0]))
    assert hides(frame) == []
    before = frame.view("loss").bins(np.array([1.0, 3.0]), "step")
    assert before.bad.tolist() == [0]
    put(frame, rows([1, 2], grad_norm=[NAN, 1]), "tfevents", 40)
    assert hides(frame) == [1]
    assert frame.view("loss").bins(np.array([1.0, 3.0]), "step").bad.tolist() == [1], "no summary of before is used"
    put(frame, rows([4], loss=[0]))
    put(frame, rows([3, 4], grad_norm=[NAN, NAN]), "tfevents", 40)
    assert hides(frame) == [1, 3, 4]
    assert frame.view("loss").shown is frame.view("loss").shown, "nothing is made anew while nothing changes"
    frame.thin(2)
    assert np.isnan(frame.view("loss").shown).any()


def test_what_a_resume_went_back_over_hides_it_too() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3], [1.0, 2.0, 3.0], loss=[1, 0, 0], grad_norm=[1, NAN, NAN]))
    put(frame, rows([2, 3], [10.0, 11.0], loss=[0.9, 0], grad_norm=[1, 0]))
    (piece,) = frame.view("loss").rewound
    assert np.isnan(piece.shown).all() and piece.values.tolist() == [0, 0]
    assert hides(frame) == []

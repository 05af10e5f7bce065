"""A console without progress bars beside a trainer's state: its rows take their places by their epochs."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

import pytest
from store.test_engine import Bench, line, write
from store.test_frame import line as drawn
from store.test_frame import put, rows

from mens_console.ingest.records import Columns
from mens_console.store.axis import Writer
from mens_console.store.counted import MAX_ROWS, Counted
from mens_console.store.frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

WRITER = Writer("hf_console", "train.log", 60)


def told(*steps: int) -> str:
    """Return what a Trainer of 100 steps an epoch prints at these steps."""
    return "".join(f"{{'loss': {1000 - s}, 'learning_rate': 0.1, 'epoch': {s / 100}}}\n" for s in steps)


def state(run: Path, step: int) -> None:
    history = [{"step": s, "loss": 1000.0 - s, "epoch": s / 100} for s in range(10, step + 1, 10)]
    document = {"log_history": history, "global_step": step, "max_steps": 500, "epoch": step / 100}
    write(run / f"checkpoint-{step}" / "trainer_state.json", json.dumps(document))


def test_a_console_goes_on_where_the_checkpoint_ends(tmp_path: Path) -> None:
    run = tmp_path / "run"
    log = write(run / "train.log", told(*range(10, 101, 10)))
    bench = Bench(tmp_path)
    assert line(bench.run()) == {i + 1: 1000 - 10 * (i + 1) for i in range(10)}  # numbered: nothing tells better
    state(run, 50)
    assert line(bench.run()) == {s: 1000 - s for s in range(10, 101, 10)}
    write(log, told(110), "a")
    seen = bench.run()
    assert line(seen) == {s: 1000 - s for s in range(10, 111, 10)} and seen.step == 110
    assert seen.read("loss") == 890
    state(run, 110)
    write(log, told(120), "a")
    assert line(bench.run()) == {s: 1000 - s for s in range(10, 121, 10)}


def test_all_of_it_read_at_once_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "run" / "train.log", told(*range(10, 101, 10)))
    state(tmp_path / "run", 50)
    assert line(Bench(tmp_path).run()) == {s: 1000 - s for s in range(10, 101, 10)}


@pytest.mark.parametrize("sampled", [True, False], ids=["status", "rows"])
def test_what_tells_only_one_row_takes_no_others_away(tmp_path: Path, *, sampled: bool) -> None:
    run = tmp_path / "run"
    write(run / "train.log", told(*range(10, 101, 10)))
    row = {"status": "training", "current_step": 95} if sampled else {"step": 95}
    name = "training_status.json" if sampled else "late.jsonl"
    write(run / name, json.dumps({**row, "epoch": 0.95, "loss": 905.0}) + "\n")
    seen = Bench(tmp_path).run()
    assert {source.format for source in seen.sources} == {"hf_console", "training_status" if sampled else "jsonl"}
    assert {s: v for s, v in line(seen).items() if s != 95} == {s: 1000 - s for s in range(10, 101, 10)}


def test_counted_rows_go_when_another_source_comes() -> None:
    frame = Frame()
    put(frame, rows([1, 2, 3], loss=[8, 7, 6], entropy=[1, 2, 3]), "hf_console", 60, weak=True)
    grown = put(frame, rows([10, 20], loss=[8, 7]), "trainer_state", 20)
    assert drawn(frame) == {10: 8, 20: 7} and drawn(frame, "entropy") == {1: 1, 2: 2, 3: 3}
    assert [growth.inserted for growth in grown] == [True]  # what was judged of them is to be judged again
    assert frame.view("loss").source == "trainer_state"


def columns(steps: list[int], epochs: list[float], **values: list[float]) -> Columns:
    parts = {"epoch": epochs, **values}
    return Columns(
        tuple(parts),
        array("q", steps),
        array("d", [float("nan")] * len(steps)),
        tuple(array("d", part) for part in parts.values()),
    )


def test_rows_without_an_epoch_or_with_a_bad_one_are_not_placed() -> None:
    counted = Counted()
    assert counted.place(rows([1, 2], loss=[1, 2]), WRITER) is None
    assert counted.learn(rows([10], loss=[1])) == []
    assert counted.learn(columns([10], [float("nan")])) == [] and counted.learn(columns([10], [0.0])) == []
    assert counted.place(columns([1], [0.5]), WRITER) is None
    released = counted.learn(columns([10], [0.1]))
    assert [one.columns.steps.tolist() for one in released] == [[50]]
    placed = counted.place(columns([2, 3, 4, 5], [float("inf"), float("nan"), 0.05, 0.6], loss=[1, 2, 3, 4]), WRITER)
    assert placed is not None and placed.steps.tolist() == [5, 60] and placed.values[1].tolist() == [3, 4]


def test_what_waits_is_bounded() -> None:
    counted = Counted()
    part = MAX_ROWS // 2
    for i in range(4):
        counted.place(columns([1] * part, [i + 1.0] * part), WRITER)
    released = counted.learn(columns([10], [0.1]))
    assert [one.columns.steps[0] for one in released] == [300, 400]

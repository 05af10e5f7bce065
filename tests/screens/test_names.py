"""Names that begin alike, as the runs of one sweep do, are told apart in every table, however narrow."""

from dataclasses import replace
from pathlib import Path

import pytest
from screens.alertbox import alert
from screens.box import CHECKPOINT, NOW, run, snapshot
from screens.conftest import settle, text_of

from mens_console.screens.alertrows import columns_for, entries, limit_text
from mens_console.screens.logstreams import streams
from mens_console.screens.panels import checkpoint_lines
from mens_console.screens.rows import measured, step_cell
from mens_widgets.grid import Grid

SWEEP = [f"meta-llama-3-8b-instruct-lora-r8-seed-{i}" for i in range(1, 4)]


def sweep(ages=(2, 2, 2)):
    runs = []
    for name, age in zip(SWEEP, ages, strict=True):
        one = run(name, age=age)
        path = Path("/box/runs") / name / "train.log"
        source = replace(one.sources[0], path=path, updated=NOW - age)
        runs.append(replace(one, logs=(path,), sources=(*one.sources, source), alerts=(alert("plateau", name),)))
    return snapshot(runs)


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("key", ["1", "8", "0"])
async def test_each_row_tells_which_run_it_is(console, key, width):
    async with console(sweep(), size=(width, 24)) as (app, pilot):
        await pilot.press(key)
        await settle(pilot, 6)
        grid = app.room.query_one(Grid)
        rows = [line for line in text_of(app).splitlines() if "meta" in line and ("seed-" in line or "…" in line)]
        assert grid.is_mounted
        for i in range(1, 4):
            assert any(f"-{i} " in line for line in rows), (i, rows)


async def test_what_is_read_is_named_with_its_run(console):
    async with console(sweep((40, 2, 30)), size=(80, 24)) as (app, pilot):
        await pilot.press("0")
        await settle(pilot, 6)
        status = text_of(app).splitlines()[-2]
        assert "seed-2 · train.log" in status  # the one written to last


def test_streams_that_are_written_all_the_time_keep_their_places():
    def order(*ages):
        return [stream.path.parent.name[-1] for stream in streams(sweep(ages))]

    assert order(1, 2, 3) == order(3, 1, 2) == ["1", "2", "3"]
    assert order(4000, 300, 2) == ["3", "2", "1"]  # what is quiet comes after, the newest first


def test_the_limit_of_an_alert_is_told_in_full_where_there_is_room():
    found = entries(snapshot([replace(run("one"), alerts=(alert("plateau", "one"), alert("nan_loss", "one")))]))
    asked = max(len(limit_text(entry.alert)) for entry in found)
    assert asked > 10
    assert next(column.width for column in columns_for(found, 120) if column.key == "limit") >= asked
    narrow = next(column for column in columns_for(found, 80) if column.key == "limit")
    assert narrow.width == 10


def test_numbers_of_a_table_are_rounded_rather_than_cut():
    assert [measured(value, 7) for value in (6.056, 0.006137, 1.234e-5, 12345.6)] == [
        "6.056",
        "0.00614",
        "1.2e-05",
        "12346",
    ]
    assert measured(1.234e-5) == "1.23e-05"
    assert step_cell(run("one", steps=200, total=12_000), 13) == "200/12 000"
    far = replace(run("one", total=2_000_000), step=1_234_567)
    assert step_cell(far, 13) == "1.23M/2.00M" and step_cell(far, 19) == "1 234 567/2 000 000"
    assert step_cell(far, 15) == "1 234 567/2.00M"


def test_what_is_known_of_the_next_checkpoint_is_told_in_full():
    one = run("one", total=600)
    kept = [
        CHECKPOINT(path=Path(f"/box/checkpoint-{at}"), step=at, bytes=870_000, mtime=NOW - 300 + at)
        for at in (100, 200)
    ]
    lines = checkpoint_lines(replace(one, checkpoints=tuple(kept)), None, NOW, 36)
    text = ["".join(text for text, _ in line) for line in lines]
    assert any("870 kB" in line for line in text[text.index(next(t for t in text if t.startswith("next"))) :])
    assert max(map(len, text)) <= 36


async def test_the_fleet_tells_of_alerts_that_are_of_no_run(console):
    machine = replace(alert("plateau", "one"), entity="soak:x")
    async with console(snapshot([run("one")], box_alerts=(machine,))) as (app, pilot):
        await settle(pilot)
        assert "▲1 of no run: 8 shows them" in text_of(app).splitlines()[-2]
    async with console(snapshot([run("one")])) as (app, pilot):
        await settle(pilot)
        assert "of no run" not in text_of(app)


async def test_a_run_is_named_so_that_it_is_told_apart_above_its_charts(console):
    async with console(sweep(), size=(80, 24)) as (app, pilot):
        app.chosen = SWEEP[1]
        await pilot.press("2")
        await settle(pilot, 6)
        strip, status = text_of(app).splitlines()[1], text_of(app).splitlines()[-2]
        assert "seed-2" in strip and "seed-2" in status

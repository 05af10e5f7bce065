"""Several log streams as one on screen 0: what is merged, how lines are told apart, growth, filters, jumps."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from screens.alertbox import alert
from screens.box import NOW, box, run, snapshot
from screens.conftest import settle, text_of, until
from screens.test_snapshots import SIZES, Screen

from mens_console.ingest import logtail
from mens_console.screens.fleet import FleetScreen
from mens_console.screens.logs import LogsScreen
from mens_console.screens.logstreams import Opened, Stream, streams, together
from mens_console.store.snapshot import StrayView
from mens_widgets.grid import Grid
from mens_widgets.logview import LogView


def stamp(second):
    return datetime.fromtimestamp(NOW - 600 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def ranks(tmp_path):
    """A run with three ranks and what it printed, and a server's log of no run."""
    lines = {
        "rank0.log": [f"{stamp(i)} INFO step {i} loss {2 - i / 50:.3f}" for i in range(0, 60, 3)],
        "rank1.log": [f"{stamp(i)} INFO step {i} loss {2 - i / 50:.3f}" for i in range(1, 60, 3)],
        "a-rank-with-a-very-long-name.2.log": [
            *(f"{stamp(i)} INFO step {i}" for i in range(2, 50, 3)), f"{stamp(55)} ERROR failed",
            "Traceback (most recent call last):", "RuntimeError: \x1b[31mboom\x1b[0m",
        ],
        "stdout": ["{'loss': 1.5}", " 10%|#  | 1/10\r 20%|## | 2/10"],
    }  # fmt: skip
    first, *rest = box()
    sources = []
    for i, (name, text) in enumerate(lines.items()):
        path = tmp_path / name
        path.write_text("\n".join(text) + "\n")
        sources.append(replace(first.sources[0], path=path, size=path.stat().st_size, updated=NOW - 2 - i / 10))
    server = tmp_path / "vllm.log"
    server.write_text(f"{stamp(30)} INFO ready\nINFO: GET /health\n")
    stray = StrayView("server", server, server.stat().st_size, NOW - 90)
    logs = tuple(source.path for source in sources)
    first = replace(first, logs=logs, sources=(*first.sources, *sources))
    return replace(snapshot([first, *rest]), strays=(stray,))


async def press(pilot, *keys):
    await pilot.press(*keys)
    await settle(pilot)


def shown(app):
    return [line.rstrip() for line in app.room.query_one(LogView).lines if line.strip()]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_what_it_looks_like(console, ranks, snapshot, size):
    async with console(ranks, size) as (app, pilot):
        await press(pilot, "0", "m")
        await until(pilot, lambda: "4 streams of qwen-lora-r16 by time" in text_of(app))
        assert "\n".join(text_of(app).splitlines()[1:]) == snapshot(extension_class=Screen)


async def test_m_reads_the_run_then_all_then_one_again(console, ranks):
    async with console(ranks, (120, 40)) as (app, pilot):
        await press(pilot, "0")
        await until(pilot, lambda: "rank0.log · 20 lines" in text_of(app))
        await press(pilot, "m")
        await until(pilot, lambda: "4 streams of qwen-lora-r16 by time · 59 lines" in text_of(app))
        assert "no times in stdout" in text_of(app)
        assert shown(app)[-1].startswith("  rank1.log ") and shown(app)[-1].endswith("step 58 loss 0.840")
        assert any("RuntimeError: boom" in line and "a-rank-…e.2.log" in line for line in shown(app))
        await press(pilot, "m")
        await until(pilot, lambda: "all 5 streams by time · 61 lines" in text_of(app))
        at = next(i for i, line in enumerate(shown(app)) if "vllm.log" in line)
        assert shown(app)[at].endswith("INFO ready") and shown(app)[at + 1].endswith("INFO: GET /health")
        await press(pilot, "m")
        await until(pilot, lambda: "rank0.log · 20 lines" in text_of(app))


async def test_who_looks_at_a_line_stays_at_its_time(console, ranks):
    async with console(ranks, (120, 14)) as (app, pilot):
        await press(pilot, "0")
        await until(pilot, lambda: "20 lines" in text_of(app))
        view = app.room.query_one(LogView)
        await press(pilot, "slash", *"step 30", "enter")
        await until(pilot, lambda: view.current is not None)
        for step, words in (("step 30 loss", "4 streams"), ("step 30 loss", "all 5"), ("step 30 loss", "20 lines")):
            await press(pilot, "m")
            await until(pilot, lambda words=words: words in text_of(app) and view.current is not None)
            assert step in next(line for line in shown(app) if line.startswith("›"))


async def test_marked_streams_are_merged(console, ranks):
    async with console(ranks, (120, 40)) as (app, pilot):
        await press(pilot, "0", "tab", "g", "j", "space", "G", "space", "m")
        await until(pilot, lambda: "2 marked streams by time" in text_of(app))
        assert {line.split()[0] for line in shown(app)} == {"rank0.log", "vllm.log"}
        await press(pilot, "escape")
        assert not app.room.query_one(Grid).marked
        await press(pilot, "escape")
        await until(pilot, lambda: "marked" not in text_of(app))
        await press(pilot, "escape")
        assert isinstance(app.screen, FleetScreen)


async def test_new_lines_come_by_time_and_those_without_as_they_come(console, ranks, tmp_path):
    async with console(ranks, (120, 40)) as (app, pilot):
        await press(pilot, "0", "m")
        await until(pilot, lambda: "59 lines" in text_of(app))
        with (tmp_path / "stdout").open("a") as file:
            file.write(" 50%|#####\r100%|##########\n")
        await until(pilot, lambda: "60 lines" in text_of(app))
        assert shown(app)[-1].split(maxsplit=1) == ["stdout", "100%|##########"]
        await press(pilot, "k")
        with (tmp_path / "rank1.log").open("a") as file:
            file.write(f"{stamp(700)} INFO later\n")
        await until(pilot, lambda: "+1 line " in text_of(app))
        (tmp_path / "rank0.log").write_text(f"{stamp(701)} INFO begun again\n")
        await until(pilot, lambda: "42 lines" in text_of(app))
        await press(pilot, "G")
        assert any(line.endswith("begun again") for line in shown(app))


async def test_search_and_filters_work_as_on_one(console, ranks, tmp_path):
    async with console(ranks, (120, 40)) as (app, pilot):
        await press(pilot, "0", "m")
        await until(pilot, lambda: "59 lines" in text_of(app))
        view = app.room.query_one(LogView)
        await press(pilot, "slash", *"step 7", "enter")
        await until(pilot, lambda: view.current is not None)
        assert any(line.startswith("› rank1.log") and "step 7" in line for line in shown(app))
        await press(pilot, "escape", "L", "L")
        await until(pilot, lambda: "3 match errors and worse" in text_of(app) and "looked" not in text_of(app))
        assert [line.split()[0] for line in shown(app)] == ["✖", "✖", "✖"]
        with (tmp_path / "rank0.log").open("a") as file:
            file.write(f"{stamp(900)} ERROR another\n")
        await until(pilot, lambda: "4 match errors and worse" in text_of(app))
        await press(pilot, "ampersand", *"boom", "enter")
        await until(pilot, lambda: "1 match /boom/ and errors" in text_of(app))


async def test_an_alert_leads_to_its_moment(console, ranks):
    first, *rest = ranks.runs
    first = replace(first, logs=first.logs[:1], alerts=(alert("nan_loss", first.id, since=NOW - 600 + 20.5),))
    async with console(replace(ranks, runs=(first, *rest), by_id={}), (120, 20)) as (app, pilot):
        await press(pilot, "8")
        grid = app.room.query_one(Grid)
        grid.cursor_key = next(row.key for row in grid._rows if row.key.startswith(f"{first.id}\0"))
        await press(pilot, "v")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen) and bool(shown(app)))
        view = app.room.query_one(LogView)
        await until(pilot, lambda: view.current is not None)
        assert next(line for line in shown(app) if line.startswith("›")).endswith("step 21 loss 1.580")
        assert not view.following


async def test_streams_that_tell_no_time_say_so(console, ranks, tmp_path):
    async with console(ranks, (120, 20)) as (app, pilot):
        app.open_log(tmp_path / "stdout", NOW)
        await until(pilot, lambda: "These lines tell no time" in text_of(app))
        assert app.room.query_one(LogView).following


async def test_counting_keeps_the_lines_in_view(console, ranks, monkeypatch, tmp_path):
    monkeypatch.setattr(logtail, "AT_ONCE", 0)
    monkeypatch.setattr("mens_console.ingest.mergestream.Stream.count", lambda self: None)
    async with console(ranks, (120, 20)) as (app, pilot):
        await press(pilot, "0", "m")
        await until(pilot, lambda: "counting lines" in text_of(app) and len(shown(app)) > 10)
        await press(pilot, "pageup")
        before = shown(app)
        merged = app.room._opened.log
        for stream in merged._streams:
            stream.tail.file.count(1 << 30)
            stream.timeline.advance(1 << 20)
        merged._count()
        app.room._grown()
        await until(pilot, lambda: "59 lines" in text_of(app))
        assert shown(app) == before
        await press(pilot, "g")
        assert shown(app)[0].endswith("step 0 loss 2.000")


async def test_one_stream_alone_is_not_merged(console, tmp_path):
    path = tmp_path / "train.log"
    path.write_text("INFO one\n")
    one = run("one")
    one = replace(one, logs=(path,), sources=(replace(one.sources[0], path=path),))
    async with console(snapshot([one])) as (app, pilot):
        await press(pilot, "0", "m")
        await until(pilot, lambda: "There is one stream only" in text_of(app))


def test_what_may_be_merged(tmp_path):
    found = [Stream("a", "a", tmp_path / "a/x.log", 1, 1), Stream("a", "a", tmp_path / "a/y.log", 1, 1),
             Stream("b", "b", tmp_path / "b/x.log", 1, 1)]  # fmt: skip
    assert [one.words for one in together(found, found[0], ())] == ["2 streams of a", "all 3 streams"]
    assert [one.words for one in together(found, found[2], ())] == ["all 3 streams"]
    assert [one.words for one in together(found, found[0], [found[0].key, found[2].key])] == [
        "2 marked streams", "all 3 streams",
    ]  # fmt: skip
    assert [len(one.streams) for one in together(found[:2], found[0], ())] == [2]


def test_logs_of_no_run_are_streams(ranks):
    assert [(stream.name, stream.path.name) for stream in streams(ranks)][-1] == ("server", "vllm.log")


async def test_what_is_opened_too_late_is_closed_again(console, ranks, monkeypatch):
    made, go = [], threading.Event()

    class Slow(Opened):
        closed = False

        def __init__(self, choice, grown):
            go.wait(20)
            super().__init__(choice, grown)
            made.append(self)

        def close(self):
            self.closed = True
            super().close()

    monkeypatch.setattr("mens_console.screens.logsreading.Opened", Slow)
    async with console(ranks, (120, 20)) as (app, pilot):
        await press(pilot, "0", "right_square_bracket", "m")
        go.set()
        await until(pilot, lambda: "by time" in text_of(app) and len(made) > 1 and app.room._opened is not None)
        await until(pilot, lambda: [one for one in made if not one.closed] == [app.room._opened])

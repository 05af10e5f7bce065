"""How snapshots reach the screen: paced, from any thread, through deletion, resize and hostile text."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from screens.box import NOW, box, run, series, snapshot
from screens.conftest import settle, text_of, until
from textual.widgets import Input

from mens_console.config.pins import Pins
from mens_console.screens import app as app_module
from mens_console.screens.charts import Charts
from mens_console.screens.fleet import FleetScreen
from mens_console.screens.moment import Moment
from mens_console.screens.room import Room
from mens_console.screens.sheet import Header
from mens_console.screens.themes import theme_name
from mens_console.screens.trouble import told
from mens_widgets.canvas import Canvas
from mens_widgets.chart import Chart
from mens_widgets.grid import Grid

HOSTILE = "[bold red]x[/]\x1b]0;pwned\x07\x1b[31m\u202egnp.exe\nrm -rf"


class Painter:
    """Counts what is painted."""

    def __init__(self, monkeypatch):
        self.frames, self.regions, self.threads = 0, 0, set()
        present, refresh = Room.present, Canvas.refresh

        def counted(screen, *args):
            self.frames += 1
            self.threads.add(threading.get_ident())
            present(screen, *args)

        def noted(widget, *args, **kwargs):
            self.regions += 1
            self.threads.add(threading.get_ident())
            return refresh(widget, *args, **kwargs)

        monkeypatch.setattr(Room, "present", counted)
        monkeypatch.setattr(Canvas, "refresh", noted)


@pytest.fixture
def fake_time(monkeypatch):
    """Own the clock that frames are paced by."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now, time=lambda: NOW)
    monkeypatch.setattr(app_module, "time", clock)
    return clock


async def test_a_first_change_is_painted_at_once_and_a_flood_is_paced(console, monkeypatch, fake_time):
    async with console(snapshot(box())) as (app, pilot):
        painter = Painter(monkeypatch)
        fake_time.now += 10
        app.engine.publish(snapshot([run("one")], 2))
        await until(pilot, lambda: painter.frames == 1)
        assert "1 of 1 run ·" in text_of(app)
        assert app.engine.not_before == fake_time.now + app_module.FRAME_S
        app.engine.publish(snapshot([run("two")], 3), times=500)
        await settle(pilot)
        assert painter.frames == 1  # within a quarter of a second of the last one
        await until(pilot, lambda: painter.frames == 2)
        await settle(pilot)
        assert "two" in text_of(app) and painter.frames == 2
        assert painter.threads == {threading.get_ident()}


@pytest.mark.parametrize(("slow", "eager"), [(False, app_module.EAGER_S), (True, app_module.SLOW_FRAME_S)])
async def test_the_first_frames_of_a_history_that_is_read_follow_each_other_soon(console, fake_time, slow, eager):
    async with console(snapshot(box()), slow_link=slow) as (app, pilot):
        usual = app_module.SLOW_FRAME_S if slow else app_module.FRAME_S
        while app._frames < app_module.EAGER_FRAMES + 2:
            fake_time.now += 10
            frames = app._frames
            app.engine.publish(snapshot([run("one")], app._frames + 2, scanning=True))
            await until(pilot, lambda frames=frames: app._frames > frames)
            first = app._frames < app_module.EAGER_FRAMES
            assert app.engine.not_before == fake_time.now + (eager if first else usual)


async def test_a_row_just_after_a_tick_is_painted_at_once(console, monkeypatch, fake_time):
    async with console(snapshot(box())) as (app, pilot):
        fake_time.now += 10
        app.paint()  # as the clock does
        painter = Painter(monkeypatch)
        app.engine.publish(snapshot([run("one")], 2))
        await until(pilot, lambda: painter.frames == 1)
        assert app._due is None


async def test_an_unchanged_snapshot_repaints_nothing(console, monkeypatch):
    first = snapshot(box())
    for key in "12":
        async with console(first) as (app, pilot):
            app.chosen = "resumed"
            await pilot.press(key)
            await settle(pilot, 5)
            painter = Painter(monkeypatch)
            app.paint()
            await settle(pilot)
            assert painter.frames == 1 and painter.regions == 0


async def test_a_new_row_repaints_a_little(console, monkeypatch):
    runs = box()
    async with console(snapshot(runs)) as (app, pilot):
        painter = Painter(monkeypatch)
        runs[0] = replace(runs[0], rev=2, step=201)
        app.engine.publish(snapshot(runs, 2))
        await until(pilot, lambda: "201/12 000" in text_of(app))
        assert 1 <= painter.regions <= 2


async def test_the_clock_ticks_when_something_reads_differently(console, fake_time):
    now = SimpleNamespace(value=NOW)
    async with console(snapshot([run("one", age=4)]), clock=lambda: now.value) as (app, pilot):
        assert " now" in text_of(app) and "09:00" in text_of(app)
        assert app._tick is not None
        now.value += 65
        app.paint()
        await settle(pilot)
        assert "09:01" in text_of(app) and " 1m" in text_of(app)


async def test_a_replay_brings_its_own_time_and_says_so(console):
    async with console(snapshot([run("one", age=3)], replay=True, at=NOW + 3600), clock=lambda: 0.0) as (app, _):
        assert "REPLAY" in text_of(app) and "10:00" in text_of(app)


async def test_a_run_deleted_while_it_is_shown_makes_way(console):
    runs = box()
    async with console(snapshot(runs)) as (app, pilot):
        app.chosen = "resumed"
        await pilot.press("2")
        await settle(pilot)
        app.engine.publish(snapshot([one for one in runs if one.id != "resumed"], 2))
        await until(pilot, lambda: app.chosen == "lr-3e-2")
        await until(pilot, lambda: "The run is gone" in text_of(app))
        app.engine.publish(snapshot([], 3))
        await until(pilot, lambda: "No training run found" in text_of(app))
        await pilot.press("1")
        await settle(pilot)
        assert "No training run found" in text_of(app)
        app.engine.publish(snapshot([run("back")], 4))
        await until(pilot, lambda: "back" in text_of(app))


@pytest.mark.parametrize("key", ["1", "2", "0"])
async def test_a_terminal_may_change_size(console, key):
    async with console(snapshot(box())) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        await pilot.press(key)
        for size in ((80, 24), (40, 10), (20, 5), (200, 50), (120, 40)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert max(map(len, text_of(app).splitlines())) <= size[0]
        assert app.is_running


async def test_more_room_shows_more_charts(console):
    async with console(snapshot(box()), (80, 24)) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        await pilot.press("2")
        await settle(pilot)
        shown = lambda: sum(chart.display for chart in app.room.query(Chart))  # noqa: E731
        assert shown() == 2
        await pilot.resize_terminal(200, 50)
        await settle(pilot)
        assert shown() == 4
        assert app.room.query_one(Charts).layout_of == (2, 2)  # and not three with one below them


@pytest.mark.parametrize("key", ["1", "2", "0"])
async def test_hostile_text_is_shown_and_obeyed_nowhere(console, tmp_path, key):
    bad = tmp_path / "a\x1b[2J[bold]b.log"
    bad.write_text("\x1b]0;title\x07 [red]text[/] \x1b[2Jx\n")
    one = run("evil", "stalled", evidence=(HOSTILE,))
    source = replace(one.sources[0], path=bad, problem=HOSTILE, format="log")
    one = replace(
        one, name=HOSTILE, logs=(bad,), sources=(source,), config={HOSTILE: HOSTILE}, updated_at=NOW,
        alerts=tuple(replace(alert, message=HOSTILE) for alert in run("lr", nan_from=60).alerts),
        series={**one.series, HOSTILE: series(HOSTILE, [1, 2], [1.0, 2.0])},
    )  # fmt: skip
    async with console(snapshot([one], problems=(HOSTILE,)), (180, 40)) as (app, pilot):
        app.chosen = "evil"
        await pilot.press(key)
        await settle(pilot, 5)
        if key == "0":
            await until(pilot, lambda: "1 line ·" in text_of(app))
        text = text_of(app)
        assert "[bold" in text or "[red]" in text
        assert not any(ord(char) < 32 and char != "\n" for char in text)
        assert "\u202e" not in text and "\x9b" not in text
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Screen: Fleet" in text_of(app))


async def test_worker_errors_become_a_notice(console):
    async with console(snapshot(box())) as (app, pilot):

        async def fail():
            raise RuntimeError("[b]disk on fire[/b]")

        app.run_worker(fail(), exit_on_error=False)
        await until(pilot, lambda: "disk on fire" in text_of(app))
        assert "[b]disk" in text_of(app) and app.is_running


async def test_troubles_are_told_once_each_whatever_room_the_header_has(console):
    def notices(app):
        return [note.message for note in app._notifications]

    full = "alerts.json: no space left on device; it lasts until this console is closed"
    async with console(snapshot(box(), problems=(full, "9 of 30 folders")), (80, 24)) as (app, pilot):
        await until(pilot, lambda: notices(app) == [f"· {full}\n· 9 of 30 folders"])  # one notice: two hide the table
        await until(pilot, lambda: "no space left" in text_of(app))
        app.engine.publish(snapshot(box(), rev=2, problems=("10 of 30 folders", full, HOSTILE)))
        await until(pilot, lambda: len(notices(app)) == 2)
        assert "\x1b" not in notices(app)[1]


def test_many_troubles_are_one_short_notice():
    title, text = told([f"/data/{name * 300}" for name in "abcde"], 240)
    assert title == "5 troubles" and text.count("\n") == 3 and len(text) < 400
    assert text.endswith("2 more, told by: mens-console status")
    assert told(["one"], 240) == ("Trouble", "one")


async def test_ctrl_c_says_how_to_leave_and_leaves_when_it_is_meant(console):
    now = [NOW]
    async with console(snapshot(box()), clock=lambda: now[0]) as (app, pilot):
        await pilot.press("ctrl+c")
        await until(pilot, lambda: " q or Ctrl-C once more ends the console" in text_of(app))
        now[0] += 60
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert app.is_running  # a reflex a minute later is a reflex again
        now[0] += 1
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not app.is_running)


async def test_ctrl_c_is_heard_through_a_window_and_a_filter(console):
    for key in ("question_mark", "slash"):
        async with console(snapshot(box())) as (app, pilot):
            await pilot.press(key, "ctrl+c")
            await until(pilot, lambda app=app: any("Ctrl-C once more" in note.message for note in app._notifications))
            await pilot.press("ctrl+c")
            await until(pilot, lambda app=app: not app.is_running)


async def test_configuration_problems_become_notices(console):
    async with console(snapshot([]), problems=("mens-console.toml:3: theme: [b]no[/b]",)) as (app, pilot):
        await until(pilot, lambda: "[b]no[/b]" in text_of(app))


async def test_unreadable_log_says_why(console, tmp_path):
    one = run("one")
    gone = tmp_path / "gone.log"
    one = replace(one, logs=(gone,), sources=(replace(one.sources[0], path=gone),))
    async with console(snapshot([one])) as (app, pilot):
        await pilot.press("0")
        await until(pilot, lambda: "gone.log: it is gone" in text_of(app))


async def test_a_rotated_log_keeps_its_filter(console, tmp_path):
    path = tmp_path / "train.log"
    path.write_text("ERROR one\nINFO two\n")
    one = run("one")
    one = replace(one, logs=(path,), sources=(replace(one.sources[0], path=path),))
    async with console(snapshot([one])) as (app, pilot):
        await pilot.press("0", "L")
        await until(pilot, lambda: "1 match" in text_of(app))
        path.write_text("WARNING new\nERROR newer\nERROR newest of all of them\n")
        app.room._opened.log.refresh()
        app.room._grown()
        await until(pilot, lambda: "3 match" in text_of(app))
        with path.open("a") as file:
            file.write("ERROR again\n")
        app.room._opened.log.refresh()
        app.room._grown()
        await until(pilot, lambda: "4 match" in text_of(app))
        await pilot.press("1")
        app.room.post_message(app_module.Published())
        await pilot.press("0")
        await until(pilot, lambda: "4 match" in text_of(app))


async def test_no_color_and_ansi_still_tell_states_apart(console, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with console(snapshot(box())) as (app, _):
        text = text_of(app)
        assert all(word in text for word in ("✖ diverged", "◌ stalled", "● running", "✔ finished"))


@pytest.mark.parametrize("theme", ["light", "mens-dark", "textual-ansi", "nonsense", None])
async def test_themes(console, theme):
    async with console(snapshot(box()), theme=theme) as (app, _):
        assert app.theme == theme_name(theme, set(app.available_themes))
        assert "diverged" in text_of(app)


async def test_header_gives_way_from_the_left(console):
    async with console(snapshot(box(), problems=("x" * 300,)), (40, 12)) as (app, _):
        first = text_of(app).splitlines()[0]
        assert first.endswith("09:00")
        assert isinstance(app.room, FleetScreen) and app.room.query_one(Header).lines == [first.ljust(40)]


async def test_a_fleet_of_a_thousand_runs_tells_the_engine_what_is_in_sight(console):
    base = run("base")
    runs = [replace(base, id=f"r{i}", name=f"r{i}", updated_at=NOW - i) for i in range(1000)]
    async with console(snapshot(runs)) as (app, pilot):
        key, near = app.engine.wanted[-1]
        assert key == "r0" and "r10" in near and "r900" not in near
        await pilot.press("G")
        await settle(pilot)
        assert text_of(app).count("running") > 10 and "r999" in text_of(app)
        key, near = app.engine.wanted[-1]
        assert key == "r999" and "r990" in near and "r0" not in near
        assert app.room.query_one(Grid).cursor_key == "r999"


async def test_a_run_that_is_only_text_says_what_would_give_it_curves(console):
    bare = replace(run("one", steps=0), series={})
    text = replace(bare, sources=(replace(bare.sources[0], format="log"),))
    for one, said in ((bare, "No metric row yet."), (text, "A log, and no metrics.")):
        async with console(snapshot([one])) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda app=app, said=said: said in text_of(app))


async def test_tasks_begin_in_their_turn_whatever_the_loop_was_told(console):
    loop, begun = asyncio.get_running_loop(), []

    def eager(loop, coroutine, **options):
        begun.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(eager)
    try:
        async with console(snapshot([run("one")])):
            assert loop.get_task_factory() is None, "a widget would be mounted before its screen is on the stack"
    finally:
        loop.set_task_factory(None)
    assert begun


async def test_a_chart_that_is_kept_on_top_comes_first_in_every_run(console):
    at = np.arange(1, 51)
    plain = run("one")
    one, two = (
        replace(plain, id=i, name=i, series={**plain.series, "zeal": series("zeal", at, at / 50)}) for i in "ab"
    )
    async with console(snapshot([one, two]), (120, 40)) as (app, pilot):
        await pilot.press("2", "shift+tab", "t")  # from the first chart back to the last one
        await until(pilot, lambda: "▴ zeal" in text_of(app))
        charts = app.room.query_one(Charts)
        assert [panel.key for panel in charts._panels][:2] == ["zeal", "loss"]
        assert charts.pages[0] == 0 and charts.current.key == "zeal", "it is where it is put, and has the keys"
        assert "zeal comes first, in every run" in text_of(app)
        await pilot.press("n")
        await until(pilot, lambda: app.chosen != "a")
        await until(pilot, lambda: "▴ zeal" in text_of(app))
        await pilot.press("t")
        await until(pilot, lambda: "▴ zeal" not in text_of(app) and charts._panels[0].key == "loss")
        assert app.pins.names == ()


async def test_a_chart_is_kept_on_top_for_the_session_where_the_disk_refuses(console, tmp_path):
    (tmp_path / "pins.json.lock").mkdir()
    async with console(snapshot([run("one")]), (120, 40)) as (app, pilot):
        app.pins = Pins(tmp_path / "pins.json")
        await pilot.press("2", "tab", "t")
        await until(pilot, lambda: "For this session only" in text_of(app))
        assert app.room.query_one(Charts).current.key == app.pins.names[0]


async def test_one_of_many_charts_is_found_by_name(console):
    at = np.arange(1, 51)
    many = {f"rewards/part_{i}": series(f"rewards/part_{i}", at, at / 50) for i in range(40)}
    one = run("one")
    one = replace(one, series={**one.series, **many})
    async with console(snapshot([one]), (120, 40)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        assert "(/ finds one)" in text_of(app)
        await pilot.press("slash", *"PART_3 rew")
        await until(pilot, lambda: "11 of 44 charts match" in text_of(app))
        await pilot.press("9", "backspace", "backspace", *"9")  # a digit that is typed leads to no other screen
        await pilot.press("escape")
        await until(pilot, lambda: "charts match" not in text_of(app))
        await pilot.press("slash", *"part_39", "enter")
        await until(pilot, lambda: "1 of 44 charts match" in text_of(app) and "rewards/part_39 1" in text_of(app))
        assert isinstance(app.focused, Chart)
        await pilot.press("f", "f", "tab")
        assert "1 of 44 charts match" in text_of(app)
        await pilot.press("slash", *"x")
        await until(pilot, lambda: "0 of 44 charts match" in text_of(app))
        await pilot.press("escape", "i", "slash")
        await settle(pilot)
        assert not app.room.has_class("-facts") and app.room.query_one(Input).has_focus
        await pilot.press(*"loss", "enter")
        app.moment = Moment("one", ("grad_norm",), 10, NOW)
        app.paint()
        await until(pilot, lambda: "charts match" not in text_of(app))  # what an alert leads to is not filtered out
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.room, FleetScreen)

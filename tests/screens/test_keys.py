"""Every key of every screen is pressed, and does what its description says."""

import re
from dataclasses import replace

import pytest
from screens.box import box, run, snapshot
from screens.conftest import settle, text_of, until
from textual.widgets import Input

from mens_console.screens.app import ConsoleApp
from mens_console.screens.charts import Charts
from mens_console.screens.fleet import FleetScreen
from mens_console.screens.help import HelpScreen, described, key_name
from mens_console.screens.logs import LogsScreen
from mens_console.screens.run import RunScreen
from mens_widgets.chart import Chart
from mens_widgets.face import ChartFace
from mens_widgets.grid import Grid
from mens_widgets.logview import LogView


def titles(text):
    return re.findall(r"\b(qwen-lora-r16|mini-ft-07|lr-3e-2|resumed|just-started|long-history)\b", text)


@pytest.fixture
def lively(tmp_path):
    runs = box()
    path = tmp_path / "train.log"
    path.write_text("".join(f"INFO line {i}\n" for i in range(300)) + "ERROR boom\nWARNING careful\n")
    other = tmp_path / "other.err"
    other.write_text("Traceback (most recent call last):\nValueError: no\n")
    sources = [
        replace(runs[0].sources[0], path=p, size=p.stat().st_size, updated=runs[0].updated_at - i)
        for i, p in enumerate((path, other))
    ]
    runs[0] = replace(runs[0], logs=(path, other), sources=(*runs[0].sources, *sources))
    return snapshot(runs)


async def press(pilot, *keys):
    await pilot.press(*keys)
    await settle(pilot)


async def test_fleet_moves_opens_and_comes_back(console, lively):
    async with console(lively) as (app, pilot):
        grid = app.room.query_one(Grid)
        assert grid.cursor_key == "lr-3e-2"
        await press(pilot, "j", "j", "k")
        assert grid.cursor_key == "mini-ft-07"
        assert "pid 4121 alive" in text_of(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        assert app.chosen == "mini-ft-07"
        assert app.engine.wanted[-1][0] == "mini-ft-07"
        await press(pilot, "escape")
        assert isinstance(app.screen, FleetScreen)
        assert app.room.query_one(Grid).cursor_key == "mini-ft-07"


async def test_fleet_sorts_and_reverses(console, lively):
    async with console(lively) as (app, pilot):
        names = []
        for _ in range(6):
            await press(pilot, "s")
            names.append(re.search(r"runs · ([a-z ]+)", text_of(app))[1].strip())
        assert len(set(names)) == 6 and names[-1] == "worst first"
        await press(pilot, "s", "s")
        order = titles("\n".join(text_of(app).splitlines()[2:8]))
        assert order == sorted(order)
        await press(pilot, "S")
        assert titles("\n".join(text_of(app).splitlines()[2:8])) == order[::-1]
        grid = app.room.query_one(Grid)
        grid.post_message(Grid.HeaderClicked(grid, "loss"))
        await settle(pilot)
        assert "runs · loss" in text_of(app)
        grid.post_message(Grid.HeaderClicked(grid, "loss"))
        await settle(pilot)
        assert "loss, reversed" in text_of(app)


async def test_fleet_filters_while_typing_and_escape_clears(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "slash", *"state:stalled")
        assert "1 of 6 runs" in text_of(app)
        await press(pilot, "enter")
        assert app.room.query_one(Grid).has_focus
        assert not app.room.query_one(Input).display
        await press(pilot, "slash", *"zzz")
        assert "no run matches the filter" in text_of(app)
        await press(pilot, "escape")
        assert "6 of 6 runs" in text_of(app)


async def test_fleet_overlays_marked_runs(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "o")
        await press(pilot, "space", "space", "o")
        chart = app.room.query_one(ChartFace)
        assert {curve.name for curve in chart.live} == {"lr-3e-2", "mini-ft-07"}
        assert "loss of marked runs" in text_of(app)
        await press(pilot, "o")
        assert len(chart.live) == 1
        await press(pilot, "escape")
        assert app.room.query_one(Grid).marked == ()


async def test_fleet_overlay_says_what_it_needs(console, lively):
    async with console(lively, (80, 24)) as (app, pilot):
        await press(pilot, "o")
        assert "The overlay needs" in text_of(app)


async def test_fleet_goes_to_the_log_of_a_run(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "v")
        assert isinstance(app.screen, FleetScreen)  # this run has none, and says so
        app.room.query_one(Grid).cursor_key = "qwen-lora-r16"
        await settle(pilot)
        await press(pilot, "v")
        assert isinstance(app.screen, LogsScreen)
        await until(pilot, lambda: "other.err · 2 lines" in text_of(app))


async def test_run_charts_take_turns_and_pages(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        await press(pilot, "2")
        charts = app.room.query_one(Charts)
        assert charts.current.key == "loss"
        assert app.focused is charts.current_chart
        await press(pilot, "tab")
        assert charts.current.key == "learning_rate"
        assert app.focused is charts.current_chart
        await press(pilot, "shift+tab", "shift+tab")
        assert charts.current.key == "tokens_per_sec"
        await press(pilot, "f")
        assert charts.maximised and [c for c in app.room.query(Chart) if c.display] == [charts.current_chart]
        await press(pilot, "escape")
        assert not charts.maximised and isinstance(app.screen, RunScreen)
    async with console(lively, (80, 24)) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        await press(pilot, "2")
        charts = app.room.query_one(Charts)
        assert charts.pages == (0, 2)
        await press(pilot, "j")
        assert charts.pages == (1, 2) and "page 2/2" in text_of(app)
        await press(pilot, "k")
        assert charts.pages == (0, 2)


async def test_run_charts_share_cursor_view_axis_and_smoothing(console, lively):
    async with console(lively, (200, 50)) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        await press(pilot, "2")
        charts = {chart.title: chart for chart in app.room.query(Chart)}
        await press(pilot, "g")
        assert {chart.cursor for chart in charts.values()} == {1.0}
        await press(pilot, "plus")
        windows = {chart.viewport.window for chart in charts.values()}
        assert len(windows) == 1 and None not in windows
        await press(pilot, "s")
        assert charts["gradient norm"].smoothing == charts["loss"].smoothing != 0.6
        assert charts["learning rate"].smoothing == 0.0
        await press(pilot, "r", "x")
        assert {chart.axis for chart in charts.values()} == {"relative"}
        assert all(chart.viewport.window is None for chart in charts.values())
        await press(pilot, "y")
        assert charts["loss"].log_scale and not charts["gradient norm"].log_scale
        await press(pilot, "n")
        assert app.chosen != "qwen-lora-r16"
        await press(pilot, "p")
        assert app.chosen == "qwen-lora-r16"


async def test_run_scrolls_its_facts_and_opens_its_log(console, lively):
    async with console(lively, (120, 30)) as (app, pilot):
        app.chosen = "resumed"
        await press(pilot, "2")
        before = text_of(app)
        await press(pilot, "J")
        assert text_of(app) != before
        await press(pilot, "K")
        assert text_of(app) == before
        await press(pilot, "v")
        assert "This run has no" in text_of(app)
        app.chosen = "qwen-lora-r16"
        await press(pilot, "v")
        app.action_room("run")
        await settle(pilot)
        await press(pilot, "v")
        assert isinstance(app.screen, LogsScreen)


async def test_logs_search_filter_level_follow(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "0")
        await until(pilot, lambda: "302 lines" in text_of(app))
        view = app.room.query_one(LogView)
        await press(pilot, "slash", *"line 7", "enter")
        await until(pilot, lambda: view.current is not None)
        assert not view.following and "INFO line 79" in text_of(app)
        await press(pilot, "F")
        assert view.following
        await press(pilot, "F")
        assert not view.following
        await press(pilot, "escape")
        assert view.wanted == ""
        await press(pilot, "L")
        await until(pilot, lambda: "2 match warnings and worse" in text_of(app))
        await press(pilot, "L")
        await until(pilot, lambda: "1 match errors and worse" in text_of(app))
        await press(pilot, "ampersand", *"boo", "enter")
        await until(pilot, lambda: "1 match /boo/ and errors" in text_of(app))
        await press(pilot, "ampersand", "(", "enter")
        assert "Not a regular expression" in text_of(app)
        await press(pilot, "escape", "escape")
        assert "match" not in text_of(app).splitlines()[-2]
        await press(pilot, "slash", *"nowhere", "enter")
        await until(pilot, lambda: "No further match" in text_of(app))
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, FleetScreen)


async def test_logs_choose_streams(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "0")
        await until(pilot, lambda: "302 lines" in text_of(app))
        await press(pilot, "left_square_bracket")
        await until(pilot, lambda: "other.err · 2 lines" in text_of(app))
        await press(pilot, "right_square_bracket")
        await until(pilot, lambda: "train.log · 302 lines" in text_of(app))
        await press(pilot, "tab")
        assert app.room.query_one(Grid).has_focus
        await press(pilot, "k")
        await until(pilot, lambda: "other.err · 2 lines" in text_of(app))
        await press(pilot, "enter")
        assert app.room.query_one(LogView).has_focus


async def test_digits_help_palette_and_quit(console, lively):
    async with console(lively) as (app, pilot):
        for key, screen in (("2", RunScreen), ("0", LogsScreen), ("1", FleetScreen)):
            await press(pilot, key)
            assert isinstance(app.screen, screen)
            await press(pilot, "question_mark")
            assert isinstance(app.screen, HelpScreen) and "Everywhere" in text_of(app)
            await press(pilot, "j", "k", "escape")
            assert isinstance(app.screen, screen)
        await press(pilot, "colon", *"mini-ft")
        await until(pilot, lambda: "Run: mini-ft-07" in text_of(app))
        await press(pilot, "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.chosen == "mini-ft-07"
        await press(pilot, "q")
    assert app.engine.stopped


async def test_palette_survives_a_bouncing_enter_and_a_tiny_window(console, lively):
    async with console(lively) as (app, pilot):
        await press(pilot, "colon", *"logs")
        await until(pilot, lambda: "Screen: Logs" in text_of(app))
        await press(pilot, "enter", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen))
        await press(pilot, "1", "colon")
        await pilot.resize_terminal(20, 4)
        await press(pilot, "pagedown", "pageup", "escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await press(pilot, "colon")
        assert isinstance(app.screen, FleetScreen) and app.is_running


@pytest.mark.parametrize("mode", ["fleet", "run", "logs"])
async def test_palette_offers_what_works(console, lively, mode):
    async with console(lively) as (app, pilot):
        app.chosen = "qwen-lora-r16"
        app.action_room(mode)
        await settle(pilot)
        commands = app.room.commands()
        assert commands
        for name, (_, action) in commands.items():
            action()
            await settle(pilot)
            assert app.is_running, name
        await press(pilot, "ctrl+p")
        await until(pilot, lambda: "Screen: Fleet" in text_of(app))
        await press(pilot, "escape")


@pytest.mark.parametrize("mode", ["fleet", "run", "logs"])
async def test_no_key_of_any_screen_is_dead_or_deadly(console, lively, mode):
    """Press every active binding once; the app goes on."""
    async with console(lively) as (app, pilot):
        app.action_room(mode)
        await settle(pilot, 5)
        keys = [key for key, entry in app.screen.active_bindings.items() if entry.binding.id]
        assert len(keys) > 10
        for key in keys:
            if app.screen.active_bindings.get(key) is None or key in ("q", "ctrl+q", "ctrl+c"):
                continue
            await pilot.press(key)
            assert app.is_running
            app.action_room(mode)
            await settle(pilot, 1)


def test_every_binding_has_an_id_and_a_description():
    for node in (ConsoleApp, FleetScreen, RunScreen, LogsScreen, HelpScreen):
        for binding in node.__dict__["BINDINGS"]:
            assert binding.id and binding.description, binding


def test_the_key_table_is_generated():
    rows = described([Grid, FleetScreen, Chart, RunScreen, LogView, LogsScreen, ConsoleApp])
    assert ("Fleet", "/", "Filter") in rows
    assert ("Chart", "← h", "Cursor left") in rows
    assert rows[0][0] == "Table" and rows[-1][0] == "Everywhere"
    assert key_name("shift+left,ctrl+b,+") == "Shift-← Ctrl-b +"


async def test_a_keymap_moves_a_key_and_help_follows(console, lively):
    async with console(lively, keymap={"fleet.sort": "o"}) as (app, pilot):
        await press(pilot, "o")
        assert "newest first" in text_of(app)
        await press(pilot, "question_mark")
        assert re.search(r"o  Sort", text_of(app))


async def test_run_without_a_choice_takes_the_worst(console, lively):
    async with console(snapshot([run("fine"), run("bad", "crashed")])) as (app, pilot):
        app.chosen = None
        await press(pilot, "2")
        assert app.chosen in {"bad", "fine"}

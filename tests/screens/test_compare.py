"""Compare: keys, runs that come and go, and what each screen size shows."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from screens.box import box, run, series, snapshot
from screens.conftest import settle, text_of, until
from screens.test_snapshots import SIZES, Picture, Screen

from mens_console.screens.compare import CompareScreen, Overlay, table_lines
from mens_console.screens.compared import figures, mark_best, metrics_of, settings, wanted
from mens_console.screens.fleet import FleetScreen
from mens_console.screens.run import RunScreen
from mens_console.screens.tokens import ByTokens
from mens_widgets.grid import Grid


async def press(pilot, *keys):
    await pilot.press(*keys)
    await settle(pilot)


def trio():
    """Three runs that differ: rank, learning rate, token counts, and one without gradient norms."""
    a, b, c = run("llama-r8", start=2.6), run("llama-r16-longer-name", start=2.4, floor=0.8), run("llama-lr", steps=120)
    at = np.arange(1, 201)
    b = replace(b, series={**b.series, "num_tokens": series("num_tokens", at, at * 2048.0)})
    a = replace(a, series={**a.series, "num_tokens": series("num_tokens", at, at * 1024.0)})
    c = replace(c, series={k: v for k, v in c.series.items() if k != "grad_norm"})
    return [
        replace(a, config={"model": "tiny-llama", "lora_r": "8", "pid": "1"}),
        replace(b, config={"model": "tiny-llama", "lora_r": "16", "warmup": "20", "pid": "2"}),
        replace(c, config={"model": "tiny-llama", "lora_r": "8", "learning_rate": "3e-2", "pid": "3"}),
    ]


async def opened(app, pilot, ids):
    app.open_compare(ids)
    await settle(pilot, 5)
    assert isinstance(app.screen, CompareScreen)
    return app.room.query_one(Overlay)


NAMES = ["llama-r8", "llama-r16-longer-name", "llama-lr"]


async def test_marked_runs_of_the_fleet_are_compared(console):
    async with console(snapshot(trio())) as (app, pilot):
        await press(pilot, "c")
        assert isinstance(app.screen, FleetScreen)
        await press(pilot, "space", "c")
        assert isinstance(app.screen, FleetScreen) and "Mark two runs" in text_of(app)
        await press(pilot, "space", "c")
        assert isinstance(app.screen, CompareScreen)
        assert len(app.compared) == 2
        await press(pilot, "escape", "escape")  # back, and the marks are dropped
        assert app.room.query_one(Grid).marked == ()
        await press(pilot, "c")
        assert isinstance(app.screen, CompareScreen)  # the last comparison again


async def test_the_run_screen_adds_its_run(console):
    async with console(snapshot(trio())) as (app, pilot):
        app.chosen = "llama-r8"
        await press(pilot, "2", "c")
        assert isinstance(app.screen, RunScreen) and app.compared == ("llama-r8",)
        app.open_run("llama-lr")
        await press(pilot, "c")
        assert isinstance(app.screen, CompareScreen) and app.compared == ("llama-r8", "llama-lr")


async def test_the_palette_offers_what_was_chosen(console):
    async with console(snapshot(trio())) as (app, pilot):
        await opened(app, pilot, NAMES)
        await press(pilot, "1", "colon", *"screen: compare")
        await until(pilot, lambda: "Screen: Compare" in text_of(app))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))


async def test_letters_stand_on_the_lines_and_in_the_legend(console):
    async with console(snapshot(trio()), (120, 40)) as (app, pilot):
        chart = await opened(app, pilot, NAMES)
        legend, *plot = chart.lines
        assert re.search(r"A llama-r8.* B llama-r16.* C llama-lr", legend)
        drawn = "".join(line[7:] for line in plot[:-2])
        assert all(drawn.count(letter) > 1 for letter in "ABC")
        assert chart.smoothing == 0.6


async def test_metrics_that_two_share_take_turns(console):
    async with console(snapshot(trio())) as (app, pilot):
        chart = await opened(app, pilot, NAMES)
        seen = []
        for _ in range(4):
            seen.append(chart.title)
            await press(pilot, "m")
        assert seen == ["loss", "learning_rate", "grad_norm", "tokens_per_sec"] and chart.title == "loss"
        await press(pilot, "M", "M")
        assert chart.title == "grad_norm" and "C without grad_norm" in text_of(app)
        assert [curve.name for curve in chart.live] == NAMES[:2]
        await press(pilot, "M")
        assert chart.title == "learning_rate" and chart.smoothing == 0.0
        await press(pilot, "M", "s")
        assert chart.smoothing == 0.8
        await press(pilot, "m", "M")
        assert chart.smoothing == 0.8


async def test_x_is_steps_tokens_time_or_clock(console):
    async with console(snapshot(trio())) as (app, pilot):
        chart = await opened(app, pilot, NAMES)
        names = []
        for _ in range(5):
            names.append((chart.axis, re.search(r"· x ([a-z ]+)", text_of(app))[1].strip()))
            await press(pilot, "x")
        assert [name for _, name in names] == ["step", "tokens", "time since start", "clock", "step"]
        assert [axis for axis, _ in names] == ["step", "step", "relative", "wall", "step"]
        assert "C without loss by tokens" in text_of(app)
        assert chart.viewport.data == (1024.0, 200 * 2048.0)
        await press(pilot, "G")
        assert "tokens 409 600" in chart.lines[0]
        await press(pilot, "r", "y", "o")
        assert chart.log_scale and chart.clip


async def test_the_table_says_what_differs_and_all_on_demand(console):
    async with console(snapshot(trio()), (120, 40)) as (app, pilot):
        await opened(app, pilot, NAMES)
        text = text_of(app)
        assert re.search(r"lora_r +8 +16 +8", text) and re.search(r"warmup +— +20 +—", text)
        assert not re.search(r"model +tiny-llama", text) and "1 the same · 1 only names the runs (d shows them)" in text
        assert re.search(r"best|★", text)
        await press(pilot, "d")
        assert re.search(r"model +tiny-llama +tiny-llama", text_of(app))
        await press(pilot, "d")
        assert not re.search(r"model +tiny-llama", text_of(app))


async def test_the_table_scrolls(console):
    async with console(snapshot(trio()), (80, 24)) as (app, pilot):
        await opened(app, pilot, NAMES)
        before = text_of(app)
        await press(pilot, "J")
        assert text_of(app) != before
        await press(pilot, "K")
        assert text_of(app) == before


async def test_more_than_six_are_six_and_a_notice(console):
    runs = [run(f"run-{i}") for i in range(8)]
    async with console(snapshot(runs), (80, 24)) as (app, pilot):
        chart = await opened(app, pilot, [one.id for one in runs])
        assert len(chart.live) == 6
        assert "8 runs are marked" in text_of(app)
        app.clear_notifications()
        await settle(pilot)
        assert "the first 6 of 8 runs" in text_of(app)


async def test_runs_that_vanish_are_told_and_the_rest_goes_on(console):
    runs = trio()
    async with console(snapshot(runs)) as (app, pilot):
        chart = await opened(app, pilot, NAMES)
        app.engine.publish(snapshot(runs[:2], 2))
        await settle(pilot, 20)
        app.paint()
        await settle(pilot)
        assert len(chart.live) == 2 and "1 gone" in text_of(app)
        app.engine.publish(snapshot([], 3))
        app.paint()
        await settle(pilot)
        assert "Nothing to compare yet" in text_of(app) and "3 of the runs that were chosen are gone" in text_of(app)


async def test_cold_runs_are_asked_for_one_after_the_other(console):
    a, b, c = trio()
    async with console(snapshot([a, replace(b, cold=True), c])) as (app, pilot):
        await opened(app, pilot, NAMES)
        assert app.engine.wanted[-1] == ("llama-r16-longer-name", (*frozenset(NAMES),))
        await press(pilot, "escape")
        assert (None, ()) in app.engine.wanted


async def test_runs_without_a_common_metric(console):
    a, b, _ = trio()
    odd = replace(b, series={"custom": b.series["loss"]})
    async with console(snapshot([a, odd])) as (app, pilot):
        await opened(app, pilot, [a.id, odd.id])
        assert "these runs share no metric" in text_of(app)
        await press(pilot, "m", "M", "x", "d", "J", "K")
        assert app.is_running


async def test_every_key_works_with_a_lively_box(console):
    async with console(snapshot(box()), (80, 24)) as (app, pilot):
        await opened(app, pilot, [one.id for one in box()])
        for key, entry in list(app.screen.active_bindings.items()):
            if entry.binding.id and key not in ("q", "ctrl+q", "ctrl+c"):
                await pilot.press(key)
                assert app.is_running
                app.action_room("compare")
                await settle(pilot, 1)
        for name, (_, action) in app.room.commands().items():
            action()
            await settle(pilot, 1)
            assert app.is_running, name


VIEWS = {"compare": (), "compare_tokens": ("x", "d", "J")}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", VIEWS)
async def test_text(console, snapshot, view, size):
    from screens.box import snapshot as of

    async with console(of([*trio(), *box()[1:3]]), size) as (app, pilot):
        await opened(app, pilot, [*NAMES, "lr-3e-2", "mini-ft-07"])
        await press(pilot, *VIEWS[view])
        assert text_of(app) == snapshot(extension_class=Screen)


async def test_picture(console, snapshot):
    from screens.box import snapshot as of

    async with console(of(trio()), (120, 40)) as (app, pilot):
        await opened(app, pilot, NAMES)
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == snapshot(extension_class=Picture)


# ---------------------------------------------------------------------- what is said


def test_the_best_is_marked_unless_there_is_no_contest():
    def best(values, better="low"):
        from mens_console.screens.compared import Cell

        return [cell.best for cell in mark_best([Cell("", value) for value in values], better)]

    assert best([2.0, 1.0, None]) == [False, True, False]
    assert best([2.0, 1.0], "high") == [True, False]
    assert best([1.0, 1.0]) == [False, False]
    assert best([1.0, None]) == [False, False]
    assert best([1.0, math.nan]) == [True, False]
    assert best([math.nan, math.inf]) == [False, False]
    assert best([2.0, 1.0], "") == [False, False]
    assert best([1.0, 1.0, 2.0]) == [True, True, False]


def test_rates_are_compared_in_one_unit():
    a, b = run("a"), run("b")
    slow = replace(b, signals=replace(b.signals, tokens=replace(b.signals.tokens, n=0)))
    row = {row.id: row for row in figures([a, slow])}
    assert "tokens_per_sec" not in row or row["tokens_per_sec"].unit == "tok/s"
    assert row.get("steps_per_sec", row.get("tokens_per_sec")).unit in ("step/s", "tok/s")


def test_metrics_settings_and_choice():
    a, b, c = trio()
    assert metrics_of([a, b, c]) == ["loss", "learning_rate", "grad_norm", "tokens_per_sec"]
    lora = replace(a, series={**a.series, "lora/grad": a.series["loss"], "soak/ttft": a.series["loss"]})
    assert metrics_of([lora, lora])[-1] == "tokens_per_sec"
    keys = [one.key for one in settings([a, b, c])]
    assert keys == ["lora_r", "warmup", "learning_rate"]
    named = [replace(run, config={"args.output_dir": run.name, "git_sha": run.name}) for run in (a, b)]
    assert [one.key for one in settings(named)] == ["git_sha"], "where a run writes tells nothing of it"
    assert [one.key for one in settings([a, b], every=True)][-1] == "pid"
    assert wanted(["x", "y", "x"], {"y": a}.get) == ([a], 0, 1)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_table_fits(width, n):
    from rich.cells import cell_len

    runs = (box() * 2)[:n]
    for line in table_lines(runs, width, every=True)[1:-8]:
        assert sum(cell_len(text) for text, _ in line) <= max(width, 13 + 9 * n) + 13


def test_names_of_settings_are_told_in_full_where_there_is_room():
    key = "per_device_train_batch_size"
    runs = [replace(run, config={key: str(i)}) for i, run in enumerate(trio())]

    def text(width):
        return ["".join(piece for piece, _ in line) for line in table_lines(runs, width, every=False)]

    assert any(re.match(rf"{key} +0 +1 +2", line) for line in text(120))
    assert not any(key in line for line in text(60))
    assert all(len(line) <= 80 for line in text(80))


def test_a_run_by_tokens_keeps_every_point():
    at = np.arange(1, 101)
    loss = series("loss", at, np.linspace(3, 1, 100))
    # Counted at every tenth row only.
    curve = ByTokens(loss, series("num_tokens", at[::10], at[::10] * 500.0))
    first, last = curve.bounds("step")
    assert (first, last) == (500.0, 91 * 500.0)
    bins = curve.bins(np.linspace(first, last, 41), "step")
    assert bins.n.sum() == 91 and bins.bad.sum() == 0  # beyond the last count nobody knows the tokens
    assert curve.bins(np.linspace(first - 1000, last + 5000, 41), "step").n.sum() == 91
    assert curve.at(25_000.0, "step").x == 25_000.0
    assert curve.at(25_000.0, "step").value == loss.values[49]
    none = ByTokens(loss, series("num_tokens", at, np.full(100, math.nan)))
    assert none.bounds("step") is None

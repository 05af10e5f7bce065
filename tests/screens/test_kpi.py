"""Screen 5: tiers at three sizes, every key, two models compared, who feeds what, and the words for what is missing."""

import re
import threading
from dataclasses import replace

import pytest
from screens import healthbox, kpibox
from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until
from screens.kpibox import model, two, value
from screens.test_snapshots import SIZES, Picture, Screen

from mens_console.screens.kpi import KpiScreen
from mens_console.screens.kpitable import ends_text, kpi_figure, kpi_lines, standing
from mens_console.signals.kpivalues import KpiReport

PAGES = {"compared": ("c",), "explain": ("tab",), "feeds": ("tab", "tab"), "unfolded": ("t", "G")}


def plain(lines):
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def body(app):
    """Return the screen without the header, which tells of every screen that there is."""
    return "\n".join(text_of(app).split("\n")[1:])


def box_with(report, **changes):
    return snapshot(box(), kpi=report, **changes)


async def opened(app, pilot, *keys):
    await pilot.press("5", *keys)
    await settle(pilot, 5)
    return app.room


async def compared(app, pilot):
    await until(pilot, lambda: "Tier 1 against" in text_of(app))


# ---------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("page", ["kpis", "compared"])
async def test_text(console, page, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(two()), size) as (app, pilot):
        await opened(app, pilot, *PAGES.get(page, ()))
        if page == "compared":
            await compared(app, pilot)
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("page", ["explain", "feeds", "unfolded"])
async def test_text_of_the_pages(console, page, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(two()), (80, 24)) as (app, pilot):
        await opened(app, pilot, *PAGES[page])
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("name", ["unknown", "hostile", "infinite", "empty"])
async def test_text_of_what_is_odd(console, name, request):
    saved = request.getfixturevalue("snapshot")
    report = None if name == "empty" else getattr(kpibox, name)()
    async with console(box_with(report), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        shown = body(app)
        assert "\x1b" not in shown and "\u202e" not in shown
        assert shown == saved(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
async def test_picture(console, theme, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(two()), (120, 40), theme=theme) as (app, pilot):
        await opened(app, pilot)
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == saved(extension_class=Picture)


# ---------------------------------------------------------------------- keys


async def test_every_key(console):
    async with console(box_with(two()), (120, 40)) as (app, pilot):
        assert isinstance(await opened(app, pilot), KpiScreen)
        for key, name in (
            ("j", "CompilePass@N"), ("down", "CanonicalPass@1"), ("k", "CompilePass@N"), ("up", "CompilePass@1"),
            ("k", "CompilePass@1"), ("G", "TruncationFraction"), ("j", "TruncationFraction"), ("g", "CompilePass@1"),
        ):  # fmt: skip
            await pilot.press(key)
            await settle(pilot)
            assert re.search(rf"› . {re.escape(name)}", text_of(app)), key
        await pilot.press("t")
        await settle(pilot)
        assert re.search(r"› . train loss", text_of(app))
        await pilot.press("end")
        await settle(pilot)
        assert re.search(r"› . whitespace token counts", text_of(app)) and "t folds" in text_of(app)
        await pilot.press("t", "home")
        await settle(pilot)
        assert "2 folded, t unfolds" in text_of(app) and "train loss" not in text_of(app)
        await pilot.press("tab")
        await settle(pilot, 5)
        assert "syntax punctuation" in text_of(app) and "prose leakage" in text_of(app)
        await pilot.press("tab")
        await settle(pilot, 5)
        assert "UNDERFED tokens_per_sec, nearest steps_per_sec_ema" in text_of(app)
        await pilot.press("shift+tab", "escape")
        await settle(pilot, 5)
        assert "CompilePass@1" in text_of(app) and "syntax punctuation" not in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.room.MODE == "fleet"


async def test_models_are_switched_and_named(console):
    async with console(box_with(two()), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "vox-qlora-r16  [ 1 of 2 ]" in text_of(app)
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert "vox-qlora-r8  [ 2 of 2 ]" in text_of(app) and "63.3 %" in text_of(app)
        await pilot.press("left_square_bracket")
        await settle(pilot)
        assert "71.3 %" in text_of(app)
        app.room.commands()["KPIs: model vox-qlora-r8"][1]()
        await settle(pilot)
        assert "vox-qlora-r8  [ 2 of 2 ]" in text_of(app)
    async with console(box_with(replace(two(), models=(model(),))), (120, 40)) as (app, pilot):
        await opened(app, pilot, "right_square_bracket", "c")
        assert "records of one model" in text_of(app) and "needs records of two models" in text_of(app)


async def test_two_models_are_compared_off_the_screen_s_thread(console):
    threads = []

    def compare(base, other):
        threads.append((threading.current_thread(), base, other))
        return kpibox.compare(base, other)

    async with console(box_with(two(compare=compare)), (120, 40)) as (app, pilot):
        await opened(app, pilot, "c")
        await compared(app, pilot)
        shown = text_of(app)
        assert "vox-qlora-r8 against vox-qlora-r16" in shown
        assert "1 better, 1 worse, 2 undecided" in shown
        assert re.search(r"CompilePass@1 .*\+8\.0 pp \[3\.1, 12\.9\].*▲ better n 240 paired", shown)
        assert re.search(r"TimeToFirstValidMs .*\+150 ms .*▼ worse", shown)
        assert [one[1:] for one in threads] == [("vox-qlora-r16", "vox-qlora-r8")]
        assert threads[0][0] is not threading.main_thread()
        await pilot.press("escape")
        await settle(pilot)
        assert "Tier 1 against" not in text_of(app) and app.room.MODE == "kpi"


async def test_a_comparison_that_is_refused_says_why(console):
    report = replace(kpibox.hostile(), compare=kpibox.compare)
    async with console(box_with(report), (120, 40)) as (app, pilot):
        await opened(app, pilot, "c")
        await until(pilot, lambda: "not compared:" in text_of(app))
        assert "another version of the eval set" in text_of(app)
    async with console(box_with(two(compare=None)), (120, 40)) as (app, pilot):
        await opened(app, pilot, "c")
        await until(pilot, lambda: "cannot be compared" in text_of(app))


async def test_models_of_different_tasks_are_compared_but_decide_nothing(console):
    why = "vox-qlora-r16 was given tasks of suite 3, vox-qlora-r8 of suite 4"
    async with console(box_with(two(conflict=lambda base, other: why)), (120, 40)) as (app, pilot):
        await opened(app, pilot, "c")
        await compared(app, pilot)
        assert "decides nothing: " + why in text_of(app)


async def test_a_new_report_is_compared_anew_and_the_old_one_stands_meanwhile(console):
    asked = []

    def compare(base, other):
        asked.append(base)
        return kpibox.compare(base, other)

    async with console(box_with(two(compare=compare)), (120, 40)) as (app, pilot):
        await opened(app, pilot, "c")
        await compared(app, pilot)
        app.engine.publish(box_with(two(compare=compare, rev=2), rev=2))
        await until(pilot, lambda: len(asked) == 2)
        assert "Tier 1 against" in text_of(app)


async def test_no_key_is_dead_or_deadly(console):
    for report in (two(), kpibox.unknown(), kpibox.hostile(), KpiReport(feeds=kpibox.FEEDS), None):
        async with console(box_with(report), (100, 30)) as (app, pilot):
            await opened(app, pilot)
            keys = [key for key, entry in app.screen.active_bindings.items() if entry.binding.id]
            assert len(keys) > 20
            for key in keys:
                if key not in ("q", "ctrl+q", "ctrl+c", "colon", "ctrl+p"):
                    await pilot.press(key)
                    assert app.is_running
                    app.action_room("kpi")
            for _, action in app.room.commands().values():
                action()
                await settle(pilot)
            assert app.is_running


async def test_feeds_alone_are_shown_without_a_model(console):
    async with console(box_with(KpiReport(feeds=kpibox.FEEDS)), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert "no model in what was read" in text_of(app) and "nothing like it was seen" in text_of(app)


@pytest.mark.parametrize("report", [None, two()], ids=["no records", "records"])
async def test_what_feeds_the_indicators_of_attempt_logs_is_told_too(console, report):
    logs = snapshot(box(), kpi=report, health=(healthbox.view(healthbox.several()),))
    async with console(logs, (120, 50)) as (app, pilot):
        await opened(app, pilot, *["tab"] * (1 if report is None else 2))
        text = text_of(app)
        assert "Health · repair rate" in text and "repairs · " in text
        assert (kpibox.FEEDS[0].reader in text) == (report is not None)
        assert ("no records of KPIs" in text) == (report is None)


async def test_the_chosen_kpi_stays_in_sight(console):
    async with console(box_with(two()), (80, 16)) as (app, pilot):
        await opened(app, pilot, "t")
        for _ in range(20):
            await pilot.press("j")
            await settle(pilot, 2)
            assert "› " in text_of(app)
        await pilot.press("g")
        await settle(pilot, 5)
        assert "Tier 1" in text_of(app)


# ---------------------------------------------------------------------- parts


def test_what_may_not_decide_and_what_nothing_feeds_is_never_plain():
    assert standing(value("a", "a", 1, "share", "higher"))[1] == "UNDERFED"
    assert standing(value("a", "a", 1, "share", "higher", 0.5, 3, decides=False))[1] == "may not decide"
    assert standing(value("a", "a", 1, "share", "higher", 0.5, 3))[1] == "decides"
    assert standing(value("a", "a", 2, "share", "higher", 0.5, 3))[1] == "explains"
    assert standing(value("a", "a", 3, "share", "higher", 0.5, 3))[1] == "context only"
    assert {standing(one)[2] for one in kpibox.values()}.isdisjoint({"good"})


def test_figures():
    assert kpi_figure(0.713, "share") == "71.3 %" and kpi_figure(1840.4, "ms") == "1 840 ms"
    assert kpi_figure(52.1, "tok/s") == "52.1 tok/s" and kpi_figure(float("nan"), "ms") == "—"
    assert ends_text((0.1, 0.25), "share") == "[10.0, 25.0]" and ends_text(None, "ms") == ""


def test_places_are_where_the_kpis_begin():
    for roomy in (True, False):
        shown = kpi_lines(model(), "task_success", 80, unfolded=True, roomy=roomy)
        lines = plain(shown.lines).split("\n")
        assert len(shown.places) == len(kpibox.values())
        assert all(
            name in lines[shown.places[kpi]]
            for kpi, name in (("task_success", "› • TaskSuccess"), ("train_loss", "train loss"))
        )


async def test_freshness_and_bad_rows_are_told(console):
    sources = (replace(kpibox.SOURCES[0], updated=NOW - 7200),)
    async with console(box_with(two(sources=sources)), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "1 file, 240 records, written 2h ago · 1 bad row · 2 readers UNDERFED" in text_of(app)

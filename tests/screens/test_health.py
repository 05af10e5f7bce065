"""Screen 4: what it shows at three sizes, every key, following a log that grows, and the words for what is missing."""

import math
import re
from dataclasses import replace

import pytest
from screens import healthbox
from screens.alertbox import alert
from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until
from screens.healthbox import batch, collapsing, holding, judged, report, several, source, view
from screens.test_snapshots import SIZES, Picture, Screen
from textual.widgets import Input

from mens_console.screens.bands import BANDS, state_text, value_text
from mens_console.screens.health import HealthScreen
from mens_console.screens.healthdesk import BatchGrid
from mens_console.screens.healthfacts import distribution
from mens_console.screens.healthlines import trend_text
from mens_console.screens.healthshelf import BatchRows, key_of, spans
from mens_console.screens.healthverdict import standings, verdict
from mens_console.screens.query import Terms
from mens_console.signals.generation import INDICATORS, Band, Slope

MADE = {"collapsing": collapsing, "holding": holding, "several": several}
PAGES = {"makeup": ("tab",), "detail": ("j", "enter", "l", "l"), "bad": ("b",), "reasons": ("d",)}
ODD = ("hostile", "unknown", "nothing")


def plain(lines):
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def body(app):
    """Return the screen without the header, which tells of every screen that there is."""
    return "\n".join(text_of(app).split("\n")[1:])


def box_with(*views, **changes):
    return snapshot(box(), health=views, **changes)


async def opened(app, pilot, *keys):
    await pilot.press("4", *keys)
    await settle(pilot, 5)
    return app.room


# ---------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", MADE)
async def test_text(console, name, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(view(MADE[name]())), size) as (app, pilot):
        await opened(app, pilot)
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("page", PAGES)
async def test_text_of_the_pages(console, page, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(view(several())), (80, 24)) as (app, pilot):
        await opened(app, pilot, *PAGES[page])
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("name", [*ODD, "empty"])
async def test_text_of_what_is_odd(console, name, request):
    saved = request.getfixturevalue("snapshot")
    views = () if name == "empty" else (view(getattr(healthbox, name)(), name="odd.jsonl"),)
    async with console(box_with(*views), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
async def test_picture(console, theme, request):
    saved = request.getfixturevalue("snapshot")
    async with console(box_with(view(collapsing())), (120, 40), theme=theme) as (app, pilot):
        await opened(app, pilot)
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == saved(extension_class=Picture)


# ---------------------------------------------------------------------- keys


async def test_every_key(console):
    async with console(box_with(view(several())), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        assert isinstance(room, HealthScreen)
        grid = room.query_one(BatchGrid)
        for key, place in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 33), ("j", 33), ("g", 0)):
            await pilot.press(key)
            await settle(pilot)
            assert grid.cursor_key == room._desk.rows[place].key, key
        for key, name in (
            ("l", "repair trend"),
            ("right", "opening entropy"),
            ("h", "repair trend"),
            ("left", "repair"),
        ):
            await pilot.press(key)
            await settle(pilot)
            assert re.search(rf"›[^\n]*{name}", text_of(app).split("Batch 24")[1]), key
        for order in ("oldest first", "worst first", "newest first"):
            await pilot.press("o")
            await settle(pilot)
            assert order in text_of(app)
        await pilot.press("b")
        await settle(pilot, 5)
        assert "not JSON" in text_of(app) and "batches of 1 000" in text_of(app)
        await pilot.press("d")
        await settle(pilot, 5)
        assert "S1's three rules" in text_of(app) and "not JSON" not in text_of(app)
        await pilot.press("escape")
        await settle(pilot, 5)
        assert "S1's three rules" not in text_of(app) and app.focused is grid
        await pilot.press("escape")
        await settle(pilot)
        assert app.room.MODE == "fleet"


async def test_a_detail_moves_between_batches_and_indicators(console):
    async with console(box_with(view(collapsing())), (120, 40)) as (app, pilot):
        await opened(app, pilot, "j", "enter")
        shown = text_of(app)
        assert (
            "Batch 23" in shown and "seed formula" in shown and "healthy < 10 %" in shown and "Theil and Sen" in shown
        )
        await pilot.press("j", "l", "l")
        await settle(pilot, 5)
        shown = text_of(app)
        assert "Batch 22" in shown and "Shannon entropy" in shown and "1.5" in shown
        await pilot.press("k", "g")
        await settle(pilot, 5)
        assert "Batch 24" in text_of(app)
        await pilot.press("G", "enter")
        await settle(pilot, 5)
        assert app.focused is app.room.query_one(BatchGrid)
        assert app.focused.cursor_key.startswith("0 ")


async def test_a_filter_keeps_runs_and_escape_clears_it(console):
    async with console(box_with(view(several())), (120, 40)) as (app, pilot):
        room = await opened(app, pilot, "slash", *"100k", "enter")
        assert "8 of 34 batches" in text_of(app)
        assert {row.key.split()[1] for row in room._desk.rows} == {"100K_b"}
        await pilot.press("slash")
        room.query_one(Input).value = "nowhere"
        await settle(pilot)
        assert "no run id matches" in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "34 batches of 1 000" in text_of(app)
        await pilot.press("slash", *"-25k", "enter", "escape")
        await settle(pilot)
        assert "34 batches of 1 000" in text_of(app) and app.room.MODE == "health"


async def test_logs_are_switched_and_the_worst_comes_first(console):
    views = (view(holding(), "a.jsonl"), view(collapsing(), "b.jsonl"))
    async with console(box_with(*views), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "b.jsonl  [ 2 of 2 ]" in text_of(app) and "COLLAPSING" in text_of(app)
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert "a.jsonl  [ 1 of 2 ]" in text_of(app) and "HOLDING: no drift" in text_of(app)
        await pilot.press("left_square_bracket")
        await settle(pilot)
        assert "b.jsonl" in text_of(app)
    async with console(box_with(view(holding())), (120, 40)) as (app, pilot):
        await opened(app, pilot, "right_square_bracket")
        assert "one attempt log" in text_of(app)


async def test_the_make_up_has_a_page_where_there_is_no_room_beside(console):
    async with console(box_with(view(collapsing())), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert "opening_repetition" not in text_of(app)
        await pilot.press("tab")
        await settle(pilot, 5)
        assert "opening_repetition" in text_of(app)
        await pilot.press("J", "J", "J", "K", "J")
        await settle(pilot)
        assert "Validator scores" in text_of(app)
        await pilot.press("escape")
        await settle(pilot, 5)
        assert "opening entropy" in text_of(app)
    async with console(box_with(view(collapsing())), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "opening_repetition"[:8] in text_of(app)


async def test_no_key_is_dead_or_deadly(console):
    for made in (several(), healthbox.unknown(), healthbox.nothing(), None):
        async with console(box_with(*([view(made)] if made else [])), (100, 30)) as (app, pilot):
            await opened(app, pilot)
            keys = [key for key, entry in app.screen.active_bindings.items() if entry.binding.id]
            assert len(keys) > 20
            for key in keys:
                if key not in ("q", "ctrl+q", "ctrl+c", "colon", "ctrl+p"):
                    await pilot.press(key)
                    assert app.is_running
                    app.action_room("health")
            await settle(pilot)
            for _, action in app.room.commands().values():
                action()
                await settle(pilot)
            assert app.is_running


# ---------------------------------------------------------------------- growth


async def test_an_alert_leads_to_its_log_batch_and_indicator(console):
    entity = "generation:/box/bad/25K_20260131"
    fired = alert("openings_collapse", entity, step=20)
    made = box_with(view(holding(), "good"), view(collapsing(), "bad"), box_alerts=(fired,))
    async with console(made) as (app, pilot):
        await pilot.press("8", "slash", *"openings", "enter")
        await until(pilot, lambda: "ago, batch 20" in body(app))
        await pilot.press("4", "right_square_bracket", "8", "m")
        await until(pilot, lambda: app.room.MODE == "health" and "Batch 20" in text_of(app))
        await settle(pilot, 5)
        assert "bad  [ 2 of 2 ]" in body(app)
        assert re.search(r"›. \w+ +opening entropy", body(app))
        await pilot.press("k")
        await settle(pilot, 5)
        assert "Batch 21" in text_of(app)


async def test_it_follows_a_growing_log_until_the_cursor_leaves_the_newest(console):
    async with console(box_with(view(holding(5))), (120, 40)) as (app, pilot):
        grid = (await opened(app, pilot)).query_one(BatchGrid)

        async def grow(batches, rev):
            app.engine.publish(box_with(view(holding(batches), rev=rev), rev=rev))
            await until(pilot, lambda: app.snapshot.rev == rev)
            await settle(pilot)

        await grow(7, 2)
        assert grid.cursor_key == "6 25K_20260131" and "following" in text_of(app)
        await pilot.press("j")
        await settle(pilot)
        await grow(9, 3)
        assert grid.cursor_key == "5 25K_20260131" and "+2 newer (g)" in text_of(app)
        await pilot.press("g")
        await settle(pilot)
        await grow(10, 4)
        assert grid.cursor_key == "9 25K_20260131" and "following" in text_of(app)


async def test_a_backlog_says_how_much_was_read(console):
    made = report({"r": ([judged(batch(0, "r"))], None, ())}, sources=(source(done=3_250_000),))
    async with console(box_with(view(made), scanning=True), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert re.search(r"reading █+░+ 25 % of 13.0 MB", text_of(app))
        app.engine.publish(box_with(view(replace(made, sources=(source(),)), rev=2), rev=2))
        await until(pilot, lambda: app.snapshot.rev == 2)
        await settle(pilot)
        assert "of 13.0 MB" not in text_of(app)


@pytest.mark.parametrize("sources", [(source(done=12_999_400),), (source(), source("x", done=0, problem="gone"))])
async def test_a_torn_last_line_and_a_file_that_cannot_be_read_are_no_backlog(console, sources):
    made = replace(holding(2), sources=sources)
    async with console(box_with(view(made)), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "reading" not in text_of(app)


async def test_twenty_thousand_batches_build_only_what_is_seen(console):
    rows = [judged(batch(i)) for i in range(200)]
    many = [replace(rows[i % 200], batch=replace(rows[i % 200].batch, index=i)) for i in range(20_000)]
    made = report({"25K_20260131": (many, False, ())})
    async with console(box_with(view(made)), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        assert room.query_one(BatchGrid).cursor_key == "19999 25K_20260131"
        assert len(room._desk.rows) == 20_000 and len(room._desk.rows._built) < 100
        await pilot.press("G")
        await settle(pilot)
        assert room.query_one(BatchGrid).cursor_key == "0 25K_20260131" and len(room._desk.rows._built) < 200


# ---------------------------------------------------------------------- parts


@pytest.mark.parametrize("lengths", [(), (1,), (5,), (1, 1, 1), (3, 64, 2), (7, 8, 9, 1)])
def test_spans_are_the_runs_of_a_report(lengths):
    rows = [judged(batch(i, f"r{n}")) for n, length in enumerate(lengths) for i in range(length)]
    found = spans(rows)
    assert [one.end - one.start for one in found] == list(lengths)
    assert all(rows[i].batch.run_id == one.run for one in found for i in range(one.start, one.end))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("made", [collapsing, several, healthbox.unknown, healthbox.nothing])
def test_every_row_is_found_where_it_is_shown(made, order):
    rows = BatchRows(made(), order, Terms(""), named=True)
    assert len(rows) == len(made().batches)
    assert sorted(row.key for row in rows) == sorted(key_of(one.batch) for one in made().batches)
    assert [rows.place(row.key) for row in rows] == list(range(len(rows)))
    assert rows.place("999 nowhere") is None and rows.place("nonsense") is None and rows.find(None) is None


def test_orders():
    newest = BatchRows(several(), 0, Terms(""), named=True)
    ended = [newest.judged(i).batch.ended for i in range(len(newest))]
    assert ended == sorted(ended, reverse=True)
    worst = BatchRows(several(), 2, Terms(""), named=True)
    critical = [sum(b.band == "critical" for b in worst.judged(i).bands.values()) for i in range(len(worst))]
    assert critical == sorted(critical, reverse=True) and critical[0] > 0


@pytest.mark.parametrize(
    ("made", "glyph", "words"),
    [
        (collapsing, "✖", "COLLAPSING: drift"),
        (holding, "●", "HOLDING: no drift, 6 of 6"),
        (healthbox.unknown, "◐", "UNDECIDED"),
        (healthbox.nothing, "○", "NO DATA"),
    ],
)
def test_verdicts(made, glyph, words):
    answer = verdict(made(), standings(made()))
    assert (answer.glyph, answer.words[: len(words)]) == (glyph, words)


def test_without_a_drift_verdict_nothing_is_green():
    rows = [judged(batch(i)) for i in range(8)]
    answer = verdict(made := report({"r": (rows, None, ())}), standings(made))
    assert answer.ink != "good" and answer.words.endswith("drift not decided yet")
    two = report({"r": (rows, None, ()), "s": ([judged(batch(i, "s")) for i in range(8)], False, ())})
    assert verdict(two, standings(two)).words.endswith("drift not decided yet in 1 of 2 runs")


def test_a_warning_slips_and_a_critical_band_collapses_without_drift():
    for repairs, words in ((0.15, "SLIPPING: 1 warning, no drift"), (0.3, "COLLAPSING: 1 critical")):
        made = report({"r": ([judged(batch(0, "r", repairs=repairs))], False, ())})
        assert verdict(made, standings(made)).words == words


def test_an_unfinished_batch_warns_early_and_never_hides_the_whole_one():
    whole, young = judged(batch(6, repairs=0.3)), judged(batch(7, n=300, repairs=0.05, entropy=1.2))
    made = report({"25K_20260131": ([whole, young], False, ())})
    bands = standings(made)[0].bands
    assert bands["repair_rate"].band == "critical" and bands["opening_entropy"].band == "critical"
    assert standings(made)[0].judged is whole


def test_words_of_bands_and_values():
    assert state_text({}) == "○ no data"
    assert state_text({one: Band("healthy") for one in INDICATORS[:4]}) == "● healthy 4/6"
    assert state_text({"pollyanna": Band("critical"), "repair_rate": Band("warning")}) == "✖ 1 critical"
    assert len({look.glyph for look in BANDS.values()}) == len(BANDS)
    assert value_text("repair_rate", 0.0812) == "8.1 %" and value_text("mean_latency", 0.2) == "+20 %"
    assert {value_text(one, math.nan) for one in INDICATORS} == {"—"}
    assert value_text("pollyanna", math.inf) == "∞"
    assert value_text("repair_rate_trend", -0.01) == "+0.0 pp" and value_text("mean_latency", -0.001) == "+0 %"


def test_a_distribution_sums_up_what_it_does_not_show():
    lines = plain(distribution({f"m{i}": i + 1 for i in range(20)}, 210, 60, most=5))
    assert lines.count("\n") == 5 and "15 more" in lines and " 120" in lines
    assert "m19" in lines.splitlines()[0] and "9.5%" in lines.splitlines()[0]


async def test_a_click_opens_a_batch_and_an_older_time_is_told(console):
    made = replace(holding(3), sources=(source(updated=NOW - 7200),))
    async with console(box_with(view(made)), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "written 2h ago" in text_of(app)
        await pilot.click("#batches", offset=(10, 2))
        await pilot.click("#batches", offset=(10, 2))
        await settle(pilot, 5)
        assert "Batch 1" in text_of(app) and "seed formula" in text_of(app)


@pytest.mark.parametrize(
    ("slope", "interval", "shown"),
    [
        (96.2, (76.4, 110.4), "+96 [+76, +110] ms a batch"),
        (1234.5, (-99.6, 99.4), "+1234 [-100, +99] ms a batch"),
        (0.012, None, "+0.012 ms a batch"),
    ],
)
def test_a_trend_is_told_without_powers_of_ten(slope, interval, shown):
    tier = healthbox.tier("25K", (), latency_trend=Slope(slope, slope, interval, 9))
    assert trend_text(tier, "mean_latency") == shown

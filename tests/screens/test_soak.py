"""Screen 6: three sizes, every key, the cursor through 72 h, incidents, metrics, imports, what is odd or missing."""

import re
from dataclasses import replace

import numpy as np
import pytest
from screens import soakbox
from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until
from screens.test_snapshots import SIZES, Picture, Screen

from mens_console.load.histogram import Histogram
from mens_console.screens.soak import SoakScreen
from mens_console.screens.soakbins import EDGES, Heats, Lens, Stack, grouped, struck
from mens_console.screens.soakface import SoakFace
from mens_console.screens.soakfacts import incident_lines, leak_lines, plan_lines
from mens_console.screens.soakhead import head_lines
from mens_console.screens.soakminute import merged, minute_lines, minutes_of
from mens_console.screens.soakpick import matching
from mens_console.screens.soakwords import down, elapsed, ms, up
from mens_console.signals.alerts import AlertReducer
from mens_console.soak.alerts import soak_observations
from mens_console.soak.types import Incident, Minute
from mens_console.store.snapshot import SoakView

ODD = {
    "empty": lambda: (),
    "reading": lambda: (SoakView("big", soakbox.Path("/box/runs/big"), None, 1, reading=True),),
    "unread": lambda: (
        SoakView("bad", soakbox.Path("/box/runs/bad"), None, 1, problem=f"plan.json: {soakbox.HOSTILE}"),
    ),
    "young": lambda: (soakbox.view(soakbox.young(), "young"),),
    "failing": lambda: (soakbox.view(soakbox.failing(), "failing"),),
    "died": lambda: (soakbox.view(soakbox.died(), "died"),),
    "imported": lambda: (soakbox.view(soakbox.imported(), "guidellm/benchmarks.json"),),
    "hostile": lambda: (hostile(),),
}


def hostile():
    bad = soakbox.HOSTILE
    report = soakbox.failing(
        why=bad, problems=(bad,), tags={bad: bad}, failed={bad: 480}, path=bad, source=bad,
        incidents=(Incident(3360.0, None, bad, 24, 480),),
    )  # fmt: skip
    return replace(soakbox.view(report), id=bad)


def plain(lines):
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def body(app):
    """Return the screen without the header, which tells of every screen that there is."""
    return "\n".join(text_of(app).split("\n")[1:])


def of(*views):
    return snapshot(box(), soaks=views)


def long():
    return of(soakbox.view(soakbox.long()))


async def opened(app, pilot, *keys):
    await pilot.press("6", *keys)
    await settle(pilot, 6)
    return app.room


# ---------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_text(console, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(long(), size) as (app, pilot):
        await opened(app, pilot)
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_text_of_an_incident(console, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(long(), size) as (app, pilot):
        await opened(app, pilot, "i", "i", "plus", "plus", "enter")
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("name", ODD)
async def test_text_of_what_is_odd(console, name, request):
    saved = request.getfixturevalue("snapshot")
    async with console(of(*ODD[name]()), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        shown = text_of(app)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "[/red]" not in shown or name in ("hostile", "unread")
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
async def test_picture(console, theme, monkeypatch, request):
    saved = request.getfixturevalue("snapshot")
    monkeypatch.setenv("COLORTERM", "truecolor")
    async with console(long(), (120, 40), theme=theme) as (app, pilot):
        await opened(app, pilot, "i")
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == saved(extension_class=Picture)


# ---------------------------------------------------------------------- keys


async def test_the_cursor_goes_through_72_hours(console):
    async with console(long(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        assert isinstance(room, SoakScreen)
        lens = room.query_one(SoakFace).lens
        assert lens.cursor is None
        assert "71h12m–72h" in text_of(app)
        per, columns = room._window().per, room._window().columns
        assert per == 48, "as many columns as the width takes"
        places = []
        for key in ("h", "left", "l", "H", "g", "l", "right", "L", "home", "G", "end"):
            await pilot.press(key)
            await settle(pilot)
            places.append(lens.cursor)
        far = 4319 - per - columns // 2 * per
        assert places == [4319 - per, 4319 - 2 * per, 4319 - per, far, 0, per, 2 * per, (2 + columns // 2) * per, 0,
                          None, None]  # fmt: skip
        await pilot.press("shift+left", "shift+right", "g", "l", "l")
        await settle(pilot)
        assert "1h36m–2h24m" in text_of(app)
        await pilot.press("r")
        await settle(pilot)
        assert lens.cursor is None


async def test_zooming_keeps_what_is_read_in_sight(console):
    async with console(long(), (80, 24)) as (app, pilot):
        room = await opened(app, pilot, "i")
        read = room.query_one(SoakFace).lens.cursor
        assert read == 700
        seen = set()
        for _ in range(12):
            window = room._window()
            seen.add(window.per)
            assert window.left <= read < window.right
            await pilot.press("plus")
            await settle(pilot)
        window = room._window()
        assert (window.per, window.wide) == (1, 8)
        assert {72, 60, 30, 15, 10, 5, 2, 1} <= seen
        assert "1 min a column" in text_of(app)
        for _ in range(14):
            await pilot.press("minus")
        await settle(pilot)
        assert room.query_one(SoakFace).lens.zoom is None
        assert room._window().per == 72, "no farther than where all is seen"


async def test_incidents_are_gone_through_and_jumped_to(console):
    async with console(long(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        lens = room.query_one(SoakFace).lens
        places = []
        for _ in range(4):
            await pilot.press("i")
            await settle(pilot)
            places.append(lens.cursor)
        assert places == [700, 2210, 3100, 700]
        await pilot.press("I")
        await settle(pilot)
        assert lens.cursor == 3100, "around the beginning"
        await pilot.press("k")
        await settle(pilot)
        assert lens.cursor == 3100, "choosing in the list moves nothing"
        assert re.search(r"› *✖ +36h50m", text_of(app))
        await pilot.press("enter")
        await settle(pilot)
        assert lens.cursor == 2210
        await pilot.press("j", "enter")
        await settle(pilot)
        assert lens.cursor == 3100
        await pilot.press("enter")
        await settle(pilot, 5)
        assert "48 minutes" in text_of(app)
        assert "connect" in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "48 minutes" not in body(app).split("Incidents")[1].split("\n")[1]


async def test_every_part_is_reached_at_80_columns(console):
    parts = (("Minute", "requests"), ("Latency", "dispatch lag"), ("Leaks", "RSS"), ("Errors", "connect"),
             ("Events", "rebooted"), ("Plan", "llama-7b-r16"), ("Incidents", "lasted"))  # fmt: skip
    async with console(long(), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        for name, word in parts:
            await pilot.press("tab")
            await settle(pilot, 6)
            assert word in text_of(app), name
        await pilot.press("shift+tab", "J", "j", "down", "K", "up", "pagedown", "pageup")
        await settle(pilot, 6)
        assert "server" in text_of(app)
        await pilot.press("escape", "h", "escape")
        await settle(pilot, 6)
        assert app.room.query_one(SoakFace).lens.cursor is None
        await pilot.press("escape")
        await settle(pilot)
        assert app.room.MODE == "fleet"


async def test_each_latency_is_shown_as_heat(console):
    async with console(long(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        for word in ("first token latency", "raw gaps ·", "from due latency", "dispatch lag ·", "end to end latency"):
            await pilot.press("m")
            await until(pilot, lambda word=word: word in text_of(app) and "counting" not in text_of(app))


async def test_soaks_are_switched_and_picked(console):
    async with console(of(*soakbox.several()), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "failing [1 of 5]" in text_of(app)
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert "young [2 of 5]" in text_of(app)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await settle(pilot)
        assert "[5 of 5]" in text_of(app)
        assert "guidellm" in text_of(app)
        await pilot.press("slash", *"state:die", "down", "up")
        await settle(pilot, 5)
        shown = text_of(app)
        assert "died" in shown
        assert "young" not in shown
        await pilot.press("enter")
        await settle(pilot, 5)
        assert "died [4 of 5]" in text_of(app)
        await pilot.press("slash", "x", "escape")
        await settle(pilot, 5)
        assert "died [4 of 5]" in text_of(app), "Esc leaves all as it was"
        app.room.commands()["Soak: young"][1]()
        await settle(pilot)
        assert "young [2 of 5]" in text_of(app)


async def test_keys_without_a_soak_say_so(console):
    async with console(of(), (80, 24)) as (app, pilot):
        await opened(app, pilot, "i", "right_square_bracket", "slash", "h", "l", "g", "plus", "enter", "m", "j", "tab")
        shown = text_of(app)
        assert "mens-console soak run --url" in shown
        assert "There is no soak" in shown


async def test_a_box_with_nothing_but_a_soak_says_where_it_is(console):
    async with console(snapshot([], soaks=(soakbox.view(soakbox.young()),)), (80, 24)) as (app, pilot):
        await settle(pilot)
        assert "1 soak found: 6 shows it" in text_of(app)
        await pilot.press("6", "question_mark")
        await settle(pilot, 4)
        assert "Soak" in body(app)
        assert "incident" in body(app)


async def test_the_mouse_reads_a_minute(console):
    async with console(long(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        face = room.query_one(SoakFace)
        await pilot.click(SoakFace, offset=(10 + 5, 4))
        await settle(pilot)
        assert face.lens.cursor == 5 * room._window().per


async def test_a_soak_that_grows_is_followed_and_the_cursor_stays(console):
    async with console(of(soakbox.view(soakbox.young(30), "live")), (120, 40)) as (app, pilot):
        room = await opened(app, pilot, "h", "h", "h")
        lens = room.query_one(SoakFace).lens
        assert lens.cursor == 27
        app.engine.publish(of(soakbox.view(soakbox.young(33), "live")))
        await until(pilot, lambda: "33m" in text_of(app))
        assert lens.cursor == 27
        await pilot.press("G")
        app.engine.publish(of(soakbox.view(soakbox.young(36), "live")))
        await until(pilot, lambda: "36m" in text_of(app))
        assert room._wanted() == range(36, 37)


async def test_a_soak_that_is_read_stays_when_another_begins(console):
    old, new = soakbox.view(soakbox.long()), soakbox.view(soakbox.young(), "newer")
    async with console(of(old), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        app.engine.publish(of(new, old))
        await until(pilot, lambda: "newer [1 of 2]" in text_of(app))
        await pilot.press("right_square_bracket", "h")
        await settle(pilot)
        app.engine.publish(of(soakbox.view(soakbox.failing(), "failing"), new, old))
        await until(pilot, lambda: "soak-r16 [3 of 3]" in text_of(app))


async def test_an_alert_leads_to_its_soak(console):
    view = soakbox.view(soakbox.failing(), "failing")
    alerts = AlertReducer()
    for seen in soak_observations(view.entity, view.report, alerts._rules):
        alerts.apply(seen)
    shown = snapshot([], soaks=(soakbox.view(soakbox.young(), "young"), view), box_alerts=alerts.views)
    async with console(shown, (120, 40)) as (app, pilot):
        await pilot.press("8")
        await settle(pilot, 5)
        assert "failing" in text_of(app)
        await pilot.press("m")
        await settle(pilot, 6)
        assert app.room.MODE == "soak"
        assert "failing [2 of 2]" in text_of(app)


# ---------------------------------------------------------------------- what is drawn


def test_columns_add_requests_and_keep_the_worst_minute():
    report = soakbox.long()
    stack = Stack(report.columns)
    window = Lens(cursor=700).window(0, 4319, 100)
    bins = stack.bins(window)
    column = window.column(700)
    wanted = window.minutes(column)
    minutes = minutes_of(report, wanted)
    assert len(minutes) == window.per == bins.minutes[column]
    assert np.nansum(bins.heat[:, column]) == sum(one.latencies["e2e"].n for one in minutes if one.latencies)
    p95 = [one.latencies["ttft"].quantile(0.95) for one in minutes if one.latencies]
    assert bins.strips["ttft"][1][column] == pytest.approx(max(p95))
    assert bins.failed[column] == 1.0
    assert bins.up[column] == 0.0
    hit = struck(report.incidents, report.now_s, window)
    assert hit[column]
    down = {minute // window.per for first, n in soakbox.OUTAGES for minute in range(first, first + n)}
    assert set(np.flatnonzero(hit)) == down


def test_a_window_shows_every_minute_once_whatever_the_zoom():
    report = soakbox.long()
    stack = Stack(report.columns)
    total = int(report.columns.heat.sum())
    for zoom in (None, (60, 1), (120, 1), (240, 1)):
        bins = stack.bins(Lens(zoom=zoom).window(0, 4319, 130))
        assert np.nansum(bins.heat) == total
        assert bins.minutes.sum() == 4320
        assert bins.unobserved.sum() == pytest.approx(soakbox.GAP[1] * 60)


@pytest.mark.parametrize("cells", [1, 7, 70, 92, 172, 5000])
@pytest.mark.parametrize("last", [0, 1, 59, 4319, 100_000])
def test_the_lens_always_shows_what_is_read(cells, last):
    lens = Lens()
    for steps in (0, -1, -1, -1, 1, -1, -1, -1, -1, -1, -1, 1, 1):
        if steps:
            lens.zoomed(steps, 0, last, cells)
        for move in (-3, 10, -(10**6), 5, 10**6, -1):
            lens.move(move, 0, last)
            window = lens.window(0, last, cells)
            assert window.column(lens.read(0, last)) is not None
            assert window.columns * window.wide <= max(cells, window.wide)


def test_heat_of_other_latencies_counts_what_the_histograms_hold():
    report, heats = soakbox.young(20), Heats("itl")
    counts = heats.of(report.minutes)
    assert counts.sum(axis=1).tolist() == [one.latencies["itl"].n for one in report.minutes]
    more = soakbox.young(25)
    assert heats.of(more.minutes).sum() == sum(one.latencies["itl"].n for one in more.minutes), "read anew"
    row = int(counts[0].argmax())
    assert EDGES[row] <= report.minutes[0].latencies["itl"].quantile(0.5) * 1.3
    assert EDGES[row] * 1.5 >= report.minutes[0].latencies["itl"].quantile(0.5) * 0.8


def test_rows_are_put_together_without_losing_a_count():
    heat = np.arange(1.0, 13.0).reshape(6, 2)
    for lines in (1, 2, 4, 5):
        rows, source = grouped(heat, lines)
        assert np.nansum(rows) == heat.sum()
        assert len(source) == len(rows) == lines
    rows, source = grouped(heat, 12)
    assert rows.shape == (12, 2), "stretched, each row as often"
    assert source.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_percentiles_of_several_minutes_are_of_their_merged_histogram():
    minutes = soakbox.long().minutes[100:160]
    every = Histogram()
    for one in minutes:
        every.merge(one.latencies["e2e"])
    found = merged(minutes, "e2e")
    assert (found.n, found.quantile(0.99)) == (every.n, every.quantile(0.99))
    mean = np.mean([one.latencies["e2e"].quantile(0.99) for one in minutes])
    assert found.quantile(0.99) != pytest.approx(mean, rel=1e-6), "no mean of percentiles"


# ---------------------------------------------------------------------- words


def test_shares_never_round_up_to_all_nor_down_to_none():
    assert [up(one) for one in (1.0, 0.999999, 0.9995, 0.995, None)] == [
        "100 %", "99.9999 %", "99.95 %", "99.50 %", "—",
    ]  # fmt: skip
    assert up(1 - 1e-9) != "100 %"
    assert [down(one) for one in (0.0, 1e-7, 0.00123, 0.05, None)] == ["0 %", "1e-05 %", "0.123 %", "5 %", "—"]


def test_times_read_as_soaks_do():
    assert [ms(one) for one in (0.000997, 0.42, 84.2, 950, 1430, 61_000, None)] == [
        "<0.01 ms", "0.42 ms", "84.2 ms", "950 ms", "1.43 s", "61 s", "—",
    ]  # fmt: skip
    assert [elapsed(one) for one in (0, 59, 61, 3600, 72 * 3600, 130_320)] == [
        "0s",
        "59s",
        "1m01s",
        "1h",
        "72h",
        "36h12m",
    ]


def test_what_is_not_known_is_never_green():
    head = head_lines(soakbox.view(soakbox.young()), soakbox.young(), 200, (1, 1))
    told = plain(head)
    assert "undecided" in told
    assert "PASS" not in told
    nothing = soakbox.young(requests=0, failed={}, probes=0, probes_failed=0)
    told = plain(head_lines(soakbox.view(nothing), nothing, 200, (1, 1)))
    assert told.count("no data") == 2
    assert "PASS" not in told
    assert not any(ink == "good" for line in head for text, ink in line if "PASS" in text)


def test_an_import_says_what_it_cannot_tell():
    report = soakbox.imported()
    assert "cannot tell availability by probe" in " ".join(plain(plan_lines(report, 60)).split())
    assert "show no incident" in plain(incident_lines(report, -1, 60, None))
    head = plain(head_lines(soakbox.view(report), report, 120, (1, 1)))
    assert "none sent" in head
    assert "from guidellm" in head


def test_a_leak_tells_its_interval_and_its_limit():
    told = plain(leak_lines(soakbox.long(), 60))
    assert re.search(r"RSS +▲ growing", told)
    assert re.search(r"\+54\.0 MB/h \[", told)
    assert "limit 12.0 GB in" in told
    assert "No level was sampled" in plain(leak_lines(soakbox.young(leaks=()), 60))


def test_soaks_are_found_by_what_is_typed():
    views = soakbox.several()
    names = {
        text: [one.id for one in matching(views, text)]
        for text in ("", "state:died", "source:guide", "-failing", "x y")
    }
    assert len(names[""]) == 5
    assert names["state:died"] == ["died"]
    assert names["source:guide"] == ["guidellm/benchmarks.json"]
    assert len(names["-failing"]) == 4
    assert names["x y"] == []
    assert NOW > 0


def test_what_another_tool_does_not_tell_of_a_minute_is_no_zero():
    told = Minute(index=0, sent=5, ended=5, failed={"http": 1})
    report = replace(soakbox.imported(), minutes=(told,))
    text = "\n".join("".join(piece for piece, _ in line) for line in minute_lines(report, range(1), 80, None))
    assert "— due, 5 sent, 5 ended" in text
    assert re.search(r"tokens out +—$", text, re.MULTILINE)
    assert "no latency is told of these answers" in text


def test_a_minute_says_why_requests_were_lost():
    lost = Minute(0, due=10, sent=10, ended=4, lost=6, lost_by={"local": 3, "held": 2}, closed=True)
    other = Minute(0, due=10, sent=10, ended=4, lost=6, closed=True)

    def shown(minute):
        report = replace(soakbox.young(), minutes=(minute,))
        return plain(minute_lines(report, range(1), 80, None))

    told = shown(lost)
    for one in ("3 no files or ports were left here", "2 driver held up", "1 ended with their driver"):
        assert one in told
    assert "driver" not in shown(other)

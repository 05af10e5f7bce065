import math
from datetime import UTC

import numpy as np
import pytest
from textual.app import App

from mens_widgets.chart import ArrayCurve, Chart, Mark, Trace


class Host(App):
    def __init__(self, *widgets):
        super().__init__()
        self.given = widgets
        self.seen = []

    def compose(self):
        yield from self.given

    def on_chart_cursor_moved(self, event):
        assert event.control is event.chart
        self.seen.append(("cursor", event.x, event.values))

    def on_chart_view_changed(self, event):
        assert event.control is event.chart
        self.seen.append(("view", event.window))


def curve(n=1000, name="loss", base=1.0, wall=False):
    step = np.arange(n)
    return ArrayCurve(name, base + 3 * np.exp(-step / 100), step, 1000.0 + step if wall else None)


MARKS = [
    Mark("checkpoint", {"step": 250}),
    Mark("resume", {"step": 500}),
    Mark("eval", {"step": 750}),
    Mark("alert", {"step": 751}),
    Mark("nan", {"wall": 5}),
]


@pytest.mark.parametrize("size", [(20, 5), (12, 3), (30, 3), (40, 4), (80, 24), (200, 60)])
async def test_every_size_is_filled_exactly(size):
    chart = Chart("loss", unit="nats")
    async with Host(chart).run_test(size=size) as pilot:
        chart.show([curve()], MARKS)
        await pilot.pause()
        assert len(chart.lines) == size[1]
        assert {len(line) for line in chart.lines} == {size[0]}
        assert any(0x2800 < ord(c) < 0x2900 for line in chart.lines for c in line)
        assert not any("\x1b" in line for line in chart.lines)


async def test_parts():
    chart = Chart("loss", unit="nats")
    async with Host(chart).run_test(size=(80, 20)) as pilot:
        chart.show([curve()], MARKS)
        await pilot.pause()
        assert chart.lines[0].startswith("loss 1 nats")
        assert chart.lines[0].endswith("smooth 0.6")
        axis, labels = chart.lines[-2:]
        assert [c for c in axis if c in "▾↻◆▲✖"] == ["▾", "↻", "▲"] or "◆▲" in axis
        assert labels.split()[:3] == ["step", "0", "200"]
        assert any("┤" in line for line in chart.lines)


async def test_too_small_or_without_data_says_so():
    chart = Chart("loss", empty="no \x1b[31mrow yet")
    async with Host(chart).run_test(size=(40, 9)) as pilot:
        await pilot.pause()
        assert "no ␛[31mrow yet" in chart.lines[4]
        await pilot.press("tab", "h", "plus", "bracketleft", "x", "g", "y")
        chart.show([ArrayCurve("loss", [], [])])
        await pilot.pause()
        assert "row yet" in chart.lines[4]
        await pilot.resize_terminal(10, 4)
        chart.show([curve()])
        await pilot.pause()
        assert [line.strip() for line in chart.lines] == ["loss", "", "too small", ""]


async def test_all_bad_values_still_show_that_they_are_bad():
    chart = Chart("loss", smoothing=0)
    async with Host(chart).run_test(size=(40, 10)) as pilot:
        chart.show([ArrayCurve("loss", [math.nan] * 5, range(5))])
        await pilot.pause()
        assert "NaN" in chart.lines[0]
        assert chart.lines[1].count("✖") == 5


async def test_overlay_has_a_legend_and_six_curves_at_most():
    chart = Chart("")
    async with Host(chart).run_test(size=(120, 12)) as pilot:
        chart.show([Trace(curve(300, "old"), rewound=True), *(curve(name=f"r{i}", base=i) for i in range(8))])
        await pilot.pause()
        for glyph, i in zip("●◆▲■✚★", range(6), strict=True):
            assert f"{glyph} r{i}" in chart.lines[0]
        assert "r6" not in chart.lines[0] and "old" not in chart.lines[0]
        assert len(chart.live) == 6


async def test_unchanged_data_paints_nothing_and_new_data_only_a_part():
    chart = Chart("loss", smoothing=0)
    async with Host(chart).run_test(size=(80, 20)) as pilot:
        chart.show([curve(900)])
        chart.show([curve(901)])
        await pilot.pause()
        before = [chart.render_line(y) for y in range(20)]
        regions = []
        chart.refresh = lambda *given, **_: regions.extend(given) or chart
        chart.show([curve(901)])
        assert regions == []
        chart.show([curve(925)])
        after = [chart.render_line(y) for y in range(20)]
        assert 0 < len(regions) < 10
        changed = [y for y, (a, b) in enumerate(zip(before, after, strict=True)) if a.text != b.text]
        assert {region.y for region in regions} >= set(changed)


async def test_every_key():
    chart = Chart("loss", zone=UTC)
    app = Host(chart)
    async with app.run_test(size=(87, 20)) as pilot:
        chart.show([curve(801, wall=True)], MARKS)
        chart.focus()
        await pilot.press("h")
        assert chart.cursor == 800
        assert "step 800" in chart.lines[0]
        assert app.seen[-1][:2] == ("cursor", 800) and app.seen[-1][2][0][1].value == pytest.approx(
            1 + 3 * math.exp(-8)
        )
        await pilot.press("left", "h", "H")
        assert chart.cursor == pytest.approx(675)
        assert any("│" in line[8:] for line in chart.lines)
        await pilot.press("right", "l", "shift+left", "shift+right", "L")
        assert chart.cursor == 800
        await pilot.press("g")
        assert chart.cursor == 0
        await pilot.press("h")
        assert chart.cursor == 0
        await pilot.press("plus")
        assert chart.viewport.window == (0, 400)
        assert app.seen[-1] == ("view", (0, 400))
        await pilot.press("]")
        assert chart.viewport.window == (100, 500)
        await pilot.press("[")
        assert chart.viewport.window == (0, 400)
        await pilot.press("G")
        assert chart.viewport.window == (400, 800)
        await pilot.press("home", "end", "minus")
        assert chart.viewport.window is None
        await pilot.press("=", "r")
        assert chart.viewport.window is None and chart.cursor is None
        assert ("cursor", None, ()) in app.seen
        await pilot.press("y")
        assert chart.log_scale and "log" in chart.lines[0]
        await pilot.press("o")
        assert chart.clip and "clip" in chart.lines[0]
        await pilot.press("s")
        assert chart.smoothing == 0.8
        await pilot.press("S", "S", "S", "S")
        assert chart.smoothing == 0
        await pilot.press("x")
        assert chart.axis == "relative" and chart.lines[-1].split()[:2] == ["time", "0s"]
        await pilot.press("h")
        assert "+13m20s" in chart.lines[0]
        await pilot.press("x", "h")
        assert chart.axis == "wall" and chart.lines[-1].split()[0] == "clock" and "00:30:00" in chart.lines[0]
        await pilot.press("x")
        assert chart.axis == "step"
        await pilot.click(chart, offset=(47, 5))
        assert chart.cursor == pytest.approx(405)


async def test_charts_can_be_moved_together_silently():
    chart = Chart("loss")
    app = Host(chart)
    async with app.run_test(size=(80, 12)) as pilot:
        chart.show([curve()])
        chart.set_window((100, 200))
        chart.set_cursor(150)
        await pilot.pause()
        assert "step 150" in chart.lines[0] and app.seen == []


async def test_a_narrow_title_keeps_its_warnings():
    values = np.ones(500)
    values[100] = 1e9
    chart = Chart("a rather long title of a chart", smoothing=0.9)
    async with Host(chart).run_test(size=(40, 10)) as pilot:
        chart.clip = chart.log_scale = True
        chart.show([ArrayCurve("x", np.where(np.arange(500) == 7, -1, values + np.arange(500) % 3), range(500))])
        await pilot.pause()
        assert chart.lines[0].endswith("… log, ≥1 not positive clipped")
        assert "↑" in chart.lines[1]
        chart.clip = chart.log_scale = False
        await pilot.resize_terminal(20, 10)
        await pilot.pause()
        assert chart.lines[0] == "a rather long title…"[:20]


async def test_a_curve_without_steps_is_shown_on_the_axis_it_has():
    class Timed(ArrayCurve):
        def bounds(self, axis):
            return None if axis == "step" else super().bounds(axis)

    chart = Chart("gpu")
    async with Host(chart).run_test(size=(40, 10)):
        chart.show([Timed("gpu", [1, 2], [0, 1], [100, 200])])
        assert chart.axis == "relative"


async def test_a_theme_changes_the_colours_on_screen():
    chart = Chart("loss")
    app = Host(chart)
    async with app.run_test(size=(40, 10)) as pilot:
        chart.show([curve()])
        await pilot.pause()
        before = chart.render_line(5)
        app.theme = "textual-light"
        await pilot.pause()
        after = chart.render_line(5)
        assert before.text == after.text and before != after

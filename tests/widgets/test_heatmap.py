"""The heatmap and the matrix of shares: every key, every size, with and without colours, and what is repainted."""

import math

import numpy as np
import pytest
from textual import events
from textual.app import App

from mens_widgets import heat, oklab
from mens_widgets.heatmap import Heatmap, HeatRow
from mens_widgets.matrix import Matrix, Share
from mens_widgets.xaxis import Mark

NAMES = ("q_proj", "k_proj", "v_proj", "o_proj")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture
def poor(monkeypatch):
    """A terminal of 16 colours."""
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.delenv("COLORTERM")


class Host(App):
    def __init__(self, widget):
        super().__init__()
        self.widget, self.seen = widget, []

    def compose(self):
        yield self.widget

    def on_heatmap_highlighted(self, event):
        assert event.control is event.heatmap
        self.seen.append(("highlighted", event.key))

    def on_heatmap_selected(self, event):
        assert event.control is event.heatmap
        self.seen.append(("selected", event.key))

    def on_matrix_moved(self, event):
        assert event.control is event.matrix
        self.seen.append(("moved", event.place))


def rows(n=40, marks=None):
    return [HeatRow(str(i), i, NAMES[i % 4], f"L{i // 4:02d}", (marks or {}).get(i, "")) for i in range(n)]


def matrix(n=40, columns=100):
    """Return values that grow from left to right and from row to row."""
    return (np.geomspace(1e-4, 1e-1, columns)[None, :] * np.geomspace(1, 10, n)[:, None]).astype(np.float32)


STEPS = np.arange(100) * 10


def given_of(heatmap):
    return heatmap._rows, heatmap._values, heatmap.course.steps


@pytest.fixture
async def host():
    app = Host(Heatmap("|g|"))
    async with app.run_test(size=(80, 20)) as pilot:
        app.widget.show(rows(), matrix(), STEPS)
        await pilot.pause()
        app.pilot = pilot
        yield app


# Drawing


@pytest.mark.parametrize("size", [(200, 60), (80, 24), (40, 10), (24, 6), (16, 3), (12, 3), (11, 3), (5, 3)])
@pytest.mark.parametrize("dense", [False, True])
async def test_every_size_is_filled_exactly(size, dense):
    heatmap = Heatmap("|g|", unit="norm")
    async with Host(heatmap).run_test(size=size) as pilot:
        heatmap.dense = dense
        heatmap.show(rows(501), matrix(501), STEPS, newest=matrix(501)[:, -1])
        await pilot.pause()
        await pilot.press("G", "left", "left")
        assert len(heatmap.lines) == size[1]
        assert {len(line) for line in heatmap.lines} == {size[0]}


async def test_hidden_and_resized_to_nothing():
    heatmap = Heatmap("|g|")
    async with Host(heatmap).run_test(size=(80, 20)) as pilot:
        heatmap.display = False
        await pilot.pause()
        heatmap.show(rows(), matrix(), STEPS)
        heatmap.display = True
        await pilot.pause()
        assert "L00" in heatmap.lines[1]
        for size in ((1, 1), (80, 1), (80, 2), (2, 20), (80, 20)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            heatmap.action_move(1)
            heatmap.action_column(-1)
        assert "L00" in heatmap.lines[1]


async def test_parts(host):
    lines = host.widget.lines
    assert lines[0].startswith("|g| L00 q_proj · step 990: 0.1 ")
    assert "log" in lines[0] and "2e-4" in lines[0] and lines[0].rstrip().endswith("· 0 ! NaN/∞")
    assert lines[1].startswith("›  L00 ┌ q_proj ") and lines[2].startswith("       │ k_proj ")
    assert lines[4].startswith("       └ o_proj ") and lines[5].startswith("   L01 ┌ q_proj ")
    assert lines[-2].lstrip().startswith("└") and "┴" in lines[-2]
    assert lines[-1].split() == ["step", "0", "200", "400", "600", "800"]
    assert lines[1][-1] in "┃│"


async def test_colours_follow_the_values_and_merge(host):
    def shades(y):
        return [s.style.bgcolor.triplet for s in host.widget.render_line(y) if not s.text.strip() and s.style.bgcolor]

    line = shades(1)[1:-1]
    light = [oklab.lightness(tuple(shade)) for shade in line]
    assert light == sorted(light) and len(set(line)) >= 10
    # 60 cells and more in no more segments than there are shades: equal neighbours are one.
    assert len(host.widget.render_line(1)._segments) < 25


async def test_blank_zero_and_not_finite_read_apart(host):
    values = matrix()
    values[0, :30], values[0, 30:60], values[0, 60:] = math.nan, 0.0, math.inf
    host.widget.show(rows(), values, STEPS)
    line = host.widget.lines[1]
    cells = line[line.index("q_proj") + 7 : -1]
    assert set(cells) == {" ", "·", "!"} and cells == "".join(sorted(cells, key=" ·!".index))
    assert "step 990: NaN/∞" in host.widget.lines[0]
    host.widget.action_column(-10)
    host.widget.action_column(-60)
    assert "not measured" in host.widget.lines[0]


async def test_shades_of_glyphs_where_colours_are_few(poor):
    heatmap = Heatmap("|g|")
    async with Host(heatmap).run_test(size=(80, 20)) as pilot:
        heatmap.show(rows(), matrix(), STEPS)
        await pilot.pause()
        assert not heatmap.coloured
        line = heatmap.lines[1]
        cells = line[line.index("q_proj") + 7 : -1]
        assert set(cells) == set("░▒▓█") and cells == "".join(sorted(cells, key="░▒▓█".index))
        assert "░░░▒▒▒▓▓▓███" in heatmap.lines[0]
        await pilot.press("z")
        assert not heatmap.dense


async def test_no_color_needs_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    heatmap = Heatmap("|g|")
    async with Host(heatmap).run_test(size=(80, 20)) as pilot:
        heatmap.show(rows(), matrix(), STEPS)
        await pilot.pause()
        assert "█" in heatmap.lines[1]


async def test_light_and_dark_both_lead_away_from_the_background(host):
    for theme, sign in (("textual-dark", 1), ("textual-light", -1)):
        host.theme = theme
        await host.pilot.pause()
        await host.pilot.pause()
        colours = [oklab.lightness(colour) for colour in host.widget.inks.colours]
        assert np.sign(colours[-1] - colours[0]) == sign
        ground = oklab.lightness(tuple(host.widget.style_for().bgcolor.triplet))
        assert abs(colours[0] - ground) > 0.04 and abs(colours[-1] - ground) > 0.5


async def test_only_what_changed_is_repainted(host):
    heatmap, regions = host.widget, []
    shown, values, steps = given_of(heatmap)
    heatmap.refresh = lambda *given, **_: regions.extend(given) or heatmap
    heatmap.show(shown, values, steps)
    heatmap.show(rows(), values.copy(), steps.copy())
    assert regions == []
    other = values.copy()
    other[2, 50] = 9.0
    heatmap.show(shown, other, steps)
    assert len(regions) == 1 and regions[0].y == 3 and regions[0].width <= 2
    other = other.copy()
    other[35, 50] = 9.0  # out of sight
    heatmap.show(shown, other, steps)
    assert len(regions) == 1


async def test_a_new_column_costs_its_cells_only(host):
    heatmap, regions = host.widget, []
    more = np.append(STEPS, 1000)
    values = np.hstack([matrix(), matrix()[:, -1:]])
    heatmap.show(rows(), values, more)  # the first growth makes room for sixteen more
    heatmap.refresh = lambda *given, **_: regions.extend(given) or heatmap
    heatmap.show(rows(), np.hstack([values, values[:, -1:]]), np.append(more, 1010))
    assert regions and all(region.width <= 4 or region.y == 0 for region in regions)


async def test_a_resume_goes_on_with_a_mark(host):
    steps = np.concatenate([np.arange(60), np.arange(40, 80)]) * 10
    marks = [Mark("checkpoint", {"step": 300}), Mark("alert", {"step": 700}), Mark("nan", {"step": 9000})]
    host.widget.show(rows(), matrix(), steps, marks=marks)
    axis, labels = host.widget.lines[-2:]
    assert axis.count("↻") == 1 and axis.count("▾") == 1 and axis.count("▲") == 1 and "✖" not in axis
    assert axis.index("▾") < axis.index("↻") < axis.index("▲")
    assert labels.split() == ["step", "0", "200", "400", "400", "600"]


async def test_labels_are_never_control_or_markup(host):
    hostile = [HeatRow("a", 0, "\x1b[31mq[red]\n", "L\x07", "\u202e"), HeatRow("b", 1, "日本語", "", "日")]
    host.widget.title = "\x1b]0;x\x07"
    host.widget.show(hostile, matrix(2), STEPS)
    text = "".join(host.widget.lines)
    assert "␛[31mq[red]␊" in text and "L␇" in text
    assert not any(ord(c) < 0x20 or c == "\u202e" for c in text)


async def test_nothing_to_show(host):
    host.widget.empty = "no pair matches"
    host.widget.show([], matrix(), STEPS)
    assert any("no pair matches" in line for line in host.widget.lines)
    await host.pilot.press("j", "G", "enter", "h", "l", "y", "z", "+", "-", "[", "]", "r", "pagedown")
    assert host.widget.cursor_key is None
    host.widget.show(rows(), np.empty((40, 0), np.float32), STEPS[:0])
    assert any("no pair matches" in line for line in host.widget.lines)
    host.widget.show(rows(3), np.full((3, 5), np.nan, np.float32), STEPS[:5])
    assert "linear, nothing to show" in host.widget.lines[0] and "not measured" in host.widget.lines[0]


async def test_fixed_limits(host):
    host.widget.fixed = (1e-8, 1e8)
    host.widget.redraw()
    assert "1e-8" in host.widget.lines[0] and "100M" in host.widget.lines[0]


async def test_newest_values_stand_at_the_right_where_there_is_room():
    heatmap = Heatmap("|g|")
    async with Host(heatmap).run_test(size=(120, 20)) as pilot:
        newest = np.array([0.0, math.nan, math.inf, *np.full(37, 0.012345)])
        heatmap.show(rows(), matrix(), STEPS, newest=newest)
        await pilot.pause()
        ends = [line.rstrip("┃│ ").split()[-1] for line in heatmap.lines[1:5]]
        assert ends == ["0", "—", "NaN/∞", "0.0123"]


async def test_two_rows_a_line(host):
    await host.pilot.press("z")
    lines = host.widget.lines
    assert "▀" in lines[1] and lines[1].startswith("›   L00 ┌ q_proj")
    assert lines[2].startswith("        └ v_proj")
    await host.pilot.press("j")
    assert host.widget.cursor_key == "1" and host.widget.lines[1].startswith("›   L00 ┌ k_proj")
    await host.pilot.press("h", "z")
    assert "▀" not in host.widget.lines[1]
    odd = [*rows(3, {0: "×", 1: "↓"})]
    host.widget.dense = True
    values = matrix(3)
    values[0, 0], values[1, 0], values[2, 0] = 0.0, math.inf, math.nan
    host.widget.show(odd, values, STEPS)
    assert host.widget.lines[1][1:3] == "×↓"


# Keys


async def test_row_keys(host):
    press, heatmap = host.pilot.press, host.widget
    body = 20 - 3
    for keys, place in [
        ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("up", 0), ("pagedown", body - 1), ("ctrl+f", 2 * (body - 1)),
        ("pageup", body - 1), ("ctrl+b", 0), ("G", 39), ("j", 39), ("g", 0), ("end", 39), ("home", 0),
    ]:  # fmt: skip
        await press(keys)
        assert heatmap.cursor_key == str(place), keys
        assert any(line.startswith("›") for line in heatmap.lines)
    assert ("highlighted", "39") in host.seen
    await press("enter")
    assert host.seen[-1] == ("selected", "0")


async def test_column_keys(host):
    press, heatmap = host.pilot.press, host.widget
    await press("h")
    newest = heatmap.column
    assert newest == 990 and "step 990: 0.1" in heatmap.lines[0] and "┼" in heatmap.lines[-2]
    await press("h")
    assert "step 970–980, largest of 2: 0.0933" in heatmap.lines[0]
    seen = [newest, heatmap.column]
    for key in ("left", "h", "H", "shift+left"):
        await press(key)
        seen.append(heatmap.column)
    assert seen == sorted(seen, reverse=True) and len(set(seen)) == 6
    for key in ("right", "l", "L", "shift+right"):
        await press(key)
        assert heatmap.column > seen[-1]
        seen.append(heatmap.column)
    for _ in range(12):
        await press("H")
    assert heatmap.column < 10 and "step 0" in heatmap.lines[0]
    await press("r")
    assert heatmap.column is None and "step 990:" in heatmap.lines[0]


async def test_view_keys(host):
    press, heatmap = host.pilot.press, host.widget
    await press("plus")
    x0, x1 = heatmap.viewport.shown()
    assert x1 - x0 == pytest.approx(500) and x1 == pytest.approx(1000)
    await press("left_square_bracket")
    assert heatmap.viewport.shown()[0] < x0
    await press("right_square_bracket")
    assert heatmap.viewport.shown() == pytest.approx((x0, x1))
    await press("minus")
    assert heatmap.viewport.window is None
    await press("y")
    assert not heatmap.log_scale and "linear  0 " in heatmap.lines[0]
    await press("y")
    assert heatmap.log_scale


async def test_the_cursor_stays_on_its_row_when_the_order_changes(host):
    heatmap = host.widget
    heatmap.place_cursor("7")
    heatmap.place_cursor("nobody")
    heatmap.show(rows()[::-1], matrix(), STEPS)
    assert heatmap.cursor_key == "7" and any(line.startswith("›  L01") or "›" in line for line in heatmap.lines)
    heatmap.show([row for row in rows() if row.key != "7"], matrix(), STEPS)
    assert heatmap.cursor_key is not None


async def test_mouse(host):
    pilot, heatmap = host.pilot, host.widget
    await pilot.click(heatmap, offset=(40, 4))
    assert heatmap.cursor_key == "3" and heatmap.column is not None
    column = heatmap.column
    await pilot.click(heatmap, offset=(8, 4))
    assert host.seen[-1] == ("selected", "3") and heatmap.column == column
    await pilot.click(heatmap, offset=(8, 6))
    assert heatmap.cursor_key == "5"
    await pilot.click(heatmap, offset=(8, 19))
    assert heatmap.cursor_key == "5"
    for event, key in ((events.MouseScrollDown, "8"), (events.MouseScrollUp, "5")):
        heatmap.post_message(event(heatmap, 5, 5, 0, 1, 0, False, False, False))
        await pilot.pause()
        assert heatmap.cursor_key == key


# The matrix


CELLS = [
    [Share("98 %", "n=100", 0.93), Share("0 %", "n=12", 0.0), Share()],
    [Share("50 %", "n=40", 0.35), Share("100 %", "n=4", 0.51), Share("7 %", "n=9", 0.01)],
]


@pytest.fixture
async def cells():
    app = Host(Matrix("accuracy", unit="lower bound"))
    async with app.run_test(size=(80, 12)) as pilot:
        app.widget.show(("add", "\x1b[31mcall"), ("≤8", "9-16", ">16"), CELLS)
        await pilot.pause()
        app.pilot = pilot
        yield app


async def test_matrix_parts(cells):
    text = "\n".join(cells.widget.lines)
    assert "accuracy" in text and "0 % " in text and "100 % lower bound" in text
    assert "98 %" in text and "n=100" in text and "␛[31mcall" in text and "nan" not in text.lower()
    row = next(line for line in cells.widget.lines if "98 %" in line)
    assert row.startswith("› add") and "›" in row[2:] and "‹" in row
    blank = [s for s in cells.widget.render_line(cells.widget.lines.index(row)) if s.style.bgcolor is None]
    assert row.rstrip().endswith("0 %") and blank == []


async def test_matrix_keys(cells):
    press, widget = cells.pilot.press, cells.widget
    for key, place in [
        ("j", (1, 0)), ("l", (1, 1)), ("right", (1, 2)), ("l", (1, 2)), ("h", (1, 1)), ("left", (1, 0)),
        ("k", (0, 0)), ("down", (1, 0)), ("up", (0, 0)), ("G", (1, 0)), ("g", (0, 0)), ("end", (1, 0)),
        ("home", (0, 0)),
    ]:  # fmt: skip
        await press(key)
        assert widget.place == place, key
    assert cells.seen[0] == ("moved", (1, 0)) and cells.seen[-1] == ("moved", (0, 0))
    widget.show((), (), ())
    await press("j", "l", "G")
    assert any("no data yet" in line for line in widget.lines)


@pytest.mark.parametrize("size", [(200, 40), (80, 12), (40, 6), (24, 4), (16, 3), (10, 3), (3, 3)])
async def test_matrix_of_any_size_scrolls_to_its_cursor(size):
    widget = Matrix("accuracy")
    labels, columns = [f"pattern {i}" for i in range(30)], [f"{i}-{i + 1}" for i in range(20)]
    shares = [[Share(f"{(i * j) % 101} %", f"n={i}", (i * j) % 101 / 100) for j in range(20)] for i in range(30)]
    async with Host(widget).run_test(size=size) as pilot:
        widget.show(labels, columns, shares)
        await pilot.pause()
        await pilot.press("G", *["l"] * 19)
        assert widget.place == (29, 19)
        assert {len(line) for line in widget.lines} == {size[0]} and len(widget.lines) == size[1]
        if size[0] >= 24:
            text = "\n".join(widget.lines)
            assert "› patt" in text and f"{29 * 19 % 101} %" in text and ("‹" in widget.lines[1]) == (size[0] < 200)


async def test_matrix_reads_without_colour(poor):
    widget = Matrix("accuracy")
    async with Host(widget).run_test(size=(80, 12)) as pilot:
        widget.show(("add", "call"), ("≤8", "9-16", ">16"), CELLS)
        await pilot.pause()
        text = "\n".join(widget.lines)
        assert "█ 98 %" in text and "░ 0 %" in text and "▓ 100 %" in text


def test_codes_of_the_ramp_have_room():
    assert heat.FIRST + 16 < 256

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip

from mens_widgets.canvas import changed_span, strip_of
from mens_widgets.grid import Cell, Column, Grid, LazyRows, Row

COLUMNS = [
    Column("state", "state", 9, priority=9),
    Column("run", "run", 10, flex=1, priority=9),
    Column("loss", "loss", 8, align="right", priority=5),
    Column("note", "note", 12, flex=2, priority=1),
]


def row(i, rev=0, loss="1.0"):
    return Row(f"r{i}", (Cell("● running", "good"), f"run-{i}", loss, "fine"), rev)


class Host(App):
    def __init__(self, grid):
        super().__init__()
        self.grid, self.seen = grid, []

    def compose(self):
        yield self.grid

    def on_grid_highlighted(self, event):
        self.seen.append(("highlighted", event.control.id, event.key))

    def on_grid_selected(self, event):
        self.seen.append(("selected", event.control.id, event.key))

    def on_grid_marked(self, event):
        self.seen.append(("marked", event.control.id, event.keys))

    def on_grid_header_clicked(self, event):
        self.seen.append(("header", event.control.id, event.column))


@pytest.fixture
async def host():
    app = Host(Grid(COLUMNS, id="g"))
    async with app.run_test(size=(60, 11)) as pilot:
        app.grid.set_rows([row(i) for i in range(50)])
        await pilot.pause()
        app.pilot = pilot
        yield app


async def test_every_key(host):
    press, grid = host.pilot.press, host.grid
    for keys, place in [
        ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("up", 0), ("pagedown", 9), ("ctrl+f", 18), ("pageup", 9),
        ("ctrl+b", 0), ("G", 49), ("j", 49), ("g", 0), ("end", 49), ("home", 0),
    ]:  # fmt: skip
        await press(keys)
        assert grid.cursor_key == f"r{place}"
    assert ("highlighted", "g", "r49") in host.seen
    await press("enter")
    assert host.seen[-1] == ("selected", "g", "r0")
    await press("space", "space")
    assert grid.marked == ("r0", "r1") and ("marked", "g", ("r0", "r1")) in host.seen
    assert grid.lines[1].startswith(" ☑ ●") and grid.lines[3].startswith("›☐ ●")
    await press("k", "space")
    assert grid.marked == ("r0",)


async def test_cursor_stays_on_its_row(host):
    grid = host.grid
    grid.cursor_key = "r7"
    grid.cursor_key = "unknown"
    grid.set_rows([row(i) for i in reversed(range(50))])
    assert grid.cursor_key == "r7"
    assert any(line.startswith("›") and "run-7" in line for line in grid.lines)
    grid.set_marked(["r7", "r8", "nobody"])
    grid.set_rows([row(i) for i in reversed(range(50)) if i != 7])
    assert grid.cursor_key == "r6"
    await host.pilot.pause()
    assert ("marked", "g", ("r8",)) in host.seen
    grid.set_rows([])
    assert grid.cursor_key is None
    assert "nothing here yet" in "".join(grid.lines)
    await host.pilot.press("enter", "space", "j", "G")
    grid.set_rows([row(1)])
    assert grid.cursor_key == "r1"


async def test_only_changed_cells_are_repainted(host):
    grid, regions = host.grid, []
    grid.refresh = lambda *given, **_: regions.extend(given) or grid
    rows = [row(i) for i in range(50)]
    grid.set_rows(list(rows))
    assert regions == []
    rows[3] = row(3, 1, "2.5")
    grid.set_rows(rows)
    assert len(regions) == 1
    assert (regions[0].y, regions[0].height) == (4, 1)
    line = grid.lines[4]
    assert line[regions[0].x : regions[0].right] == "2.5"
    rows[40] = row(40, 1, "9.9")
    grid.set_rows(rows)
    assert len(regions) == 1


async def test_mouse(host):
    pilot, grid = host.pilot, host.grid
    await pilot.click(grid, offset=(20, 4))
    assert grid.cursor_key == "r3"
    await pilot.click(grid, offset=(20, 4))
    assert host.seen[-1] == ("selected", "g", "r3")
    await pilot.click(grid, offset=(15, 0))
    assert host.seen[-1] == ("header", "g", "run")
    from textual.events import MouseScrollDown, MouseScrollUp

    for event, key in ((MouseScrollDown, "r6"), (MouseScrollUp, "r3")):
        grid.post_message(event(grid, 5, 5, 0, 1, 0, False, False, False))
        await pilot.pause()
        assert grid.cursor_key == key
    grid.set_rows([row(1)])
    await pilot.click(grid, offset=(20, 8))
    assert grid.cursor_key == "r1"


async def test_header_shows_the_sort(host):
    host.grid.set_sort("loss", reverse=True)
    assert "loss↓" in host.grid.lines[0]
    host.grid.set_sort("loss")
    assert "loss↑" in host.grid.lines[0]
    host.grid.set_sort(None)
    assert "↑" not in host.grid.lines[0]


def test_narrow_tables_drop_the_least_important_columns():
    grid = Grid(COLUMNS)
    assert [i for i, _ in grid.layout_columns(80)] == [0, 1, 2, 3]
    assert [i for i, _ in grid.layout_columns(40)] == [0, 1, 2]
    assert [i for i, _ in grid.layout_columns(30)] == [0, 1]
    assert grid.layout_columns(10) == [(0, 6)]
    wide = grid.layout_columns(120)
    assert sum(cells + 1 for _, cells in wide) == 117


async def test_text_is_never_markup_or_control(host):
    host.grid.set_rows([Row("x", ("[red]a[/]", "\x1b[31mb\n", Cell("[bold]", "critical")))])
    line = host.grid.lines[1]
    assert "[red]a[/]" in line and "␛[31mb␊" in line and "[bold]" in line
    assert len(line) == 60


def test_strips_merge_and_absorb_blanks():
    red, base, bar = Style(color="red"), Style(color="white"), Style(bgcolor="blue")
    under = Style(underline=True)
    strip = strip_of(
        [Segment(" ", base), Segment("a", red), Segment("", base), Segment(" ", base), Segment("b", red)], 6, base
    )
    assert [(s.text, s.style) for s in strip] == [(" a b", red), ("  ", base)]
    assert len(strip_of([Segment("a", red), Segment(" ", bar)], 2, base)._segments) == 2
    assert len(strip_of([Segment("a", under), Segment(" ", base)], 2, base)._segments) == 2
    assert len(strip_of([Segment("a"), Segment(" ", base)], 2, base)._segments) == 2


def test_changed_span_is_narrow_and_never_cuts_a_wide_character():
    def strip(text, style=None):
        return Strip([Segment(text, style)])

    assert changed_span(strip("abcd"), strip("abcd")) is None
    assert changed_span(strip("abcd"), strip("abXd")) == (2, 3)
    assert changed_span(strip("aaa"), strip("aaaa")) == (3, 4)
    assert changed_span(strip("ab"), strip("ab", Style(bold=True))) == (0, 2)
    first, last = changed_span(strip("ab日本cd"), strip("ab日語cd"))
    assert first <= 4 and last >= 6


class Numbers(LazyRows):
    """A million rows, of which each one that is built is remembered."""

    def __init__(self, count=1_000_000):
        self.count, self.built = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self.count))]
        if not -self.count <= place < self.count:
            raise IndexError(place)
        self.built.append(place)
        return row(place)

    def place(self, key):
        place = int(key.removeprefix("r"))
        return place if place < self.count else None


async def test_lazy_rows_are_built_only_where_they_are_seen(host):
    grid, rows = host.grid, Numbers()
    grid.set_rows(rows)
    await host.pilot.pause()
    await host.pilot.press("G")
    assert grid.cursor_key == "r999999" and "run-999999" in grid.lines[-1]
    assert len(set(rows.built)) <= 2 * grid.size.height
    grid.cursor_key = "r500000"
    grid.set_marked(["r3", "r1000000"])
    assert grid.marked == ("r3",)
    grid.set_rows(Numbers(2_000_000))
    assert grid.cursor_key == "r500000"
    grid.set_rows(Numbers(3))
    assert grid.cursor_key == "r2" and grid.marked == ()

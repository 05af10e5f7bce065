import pytest
from textual.app import App
from textual.binding import Binding
from textual.widgets import Input

from mens_widgets.heading import Keys, StatLine
from mens_widgets.logview import LogLine, LogView


class Source:
    """Lines in memory; `known` False makes it a file whose lines nobody has counted."""

    def __init__(self, n, known=True):
        self.all = [LogLine(f"line {i}", None, i) for i in range(n)]
        self.known = known
        self.asked = 0

    @property
    def line_count(self):
        return len(self.all) if self.known else None

    def add(self, text, level=None):
        self.all.append(LogLine(text, level, len(self.all)))

    def lines(self, start, n):
        assert self.known or start < 0
        start = max(0, start + len(self.all)) if start < 0 else start
        self.asked += n
        return self.all[start : start + n]


class Host(App):
    def __init__(self, source):
        super().__init__()
        self.view, self.seen = LogView(source, id="log"), []

    def compose(self):
        yield self.view

    def on_log_view_follow_changed(self, event):
        assert event.control is self.view
        self.seen.append(event.following)

    def on_log_view_search_done(self, event):
        assert event.control is self.view
        self.seen.append((event.wanted, event.found))


def texts(view):
    return [line.strip() for line in view.lines]


@pytest.mark.parametrize("known", [True, False])
async def test_follows_until_you_scroll_and_counts_what_came(known):
    source = Source(100, known)
    app = Host(source)
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.view
        assert texts(view) == [f"line {i}" for i in range(90, 100)]
        source.add("new")
        view.update_lines()
        assert texts(view)[-1] == "new"
        await pilot.press("k")
        assert not view.following and texts(view)[0] == "line 90"
        source.add("newer")
        source.add("newest")
        view.update_lines()
        assert texts(view)[0] == "line 90" and "+2 lines" in view.lines[-1]
        await pilot.press("G")
        assert view.following and texts(view)[-1] == "newest"
        assert app.seen == [False, True]


async def test_every_key():
    source = Source(100)
    source.add("x" * 30 + "y" * 30 + "z" * 30)
    app = Host(source)
    async with app.run_test(size=(42, 10)) as pilot:
        view = app.view
        view.focus()
        for key, first in [
            ("up", 90), ("k", 89), ("down", 90), ("pageup", 81), ("ctrl+b", 72), ("pagedown", 81), ("ctrl+f", 90),
            ("g", 0), ("j", 1), ("home", 0),
        ]:  # fmt: skip
            await pilot.press(key)
            assert texts(view)[0] == f"line {first}", key
        await pilot.press("end")
        assert view.following
        await pilot.press("j")
        assert view.following
        assert view.lines[-1] == "  " + "x" * 30 + "y" * 9 + "…"
        await pilot.press("l")
        assert view.lines[-1].startswith("  " + "x" * 10 + "y" * 29) and view.lines[-1].endswith("…")
        await pilot.press("right", "h", "left", "left")
        assert view.lines[-1].startswith("  xxx")
        await pilot.press("w")
        assert texts(view)[-3:] == ["x" * 30 + "y" * 10, "y" * 20 + "z" * 20, "z" * 10]
        await pilot.press("k")
        assert texts(view)[0] == "line 92"
        await pilot.press("j", "j", "j", "j", "j", "j", "j", "j", "j", "j", "w")
        assert view.following


async def test_search_goes_newest_first_and_both_ways():
    source = Source(5000)
    for i in (3, 2500, 4990):
        source.all[i] = LogLine("a NaN loss", None, i)
    app = Host(source)
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.view
        await pilot.press("n")
        view.search("nan")

        async def found():
            await app.workers.wait_for_complete()
            await pilot.pause()
            return app.seen[-1]

        assert await found() == ("nan", 4990)
        source.add("more")
        view.update_lines()
        assert any(line.startswith("› a NaN") for line in view.lines)
        await pilot.press("N")
        assert await found() == ("nan", 2500)
        await pilot.press("N")
        assert await found() == ("nan", 3)
        await pilot.press("N")
        assert await found() == ("nan", None)
        await pilot.press("n")
        assert await found() == ("nan", 2500)
        view.search("")
        assert view.current is None


async def test_untrusted_lines():
    source = Source(0)
    app = Host(source)
    async with app.run_test(size=(60, 8)):
        view = app.view
        assert "no log line yet" in "".join(view.lines)
        source.add("\x1b[31mred\x1b[0m [bold]no markup[/] \x1b]0;t\x07\x07", "error")
        source.add(" 10%\r 55%\r100% done", "info")
        source.add("w" * 5000, "warning")
        source.add("quiet", "debug")
        source.add("dead", "critical")
        view.update_lines()
        first = next(i for i, line in enumerate(view.lines) if "red" in line)
        assert view.lines[first].startswith("✖ red [bold]no markup[/] ␇")
        assert any(s.text.strip() == "red" and s.style.color.number == 1 for s in view.render_line(first))
        assert view.lines[first + 1].startswith("  100% done")
        assert view.lines[first + 2].startswith("▲ www") and view.lines[first + 2].endswith("…")
        assert view.lines[first + 3].startswith("· quiet") and view.lines[first + 4].startswith("✖ dead")
        view.action_shift(100)
        assert "…(+3 000 chars)" in view.lines[first + 2]
        view.set_source(Source(1))
        assert texts(view)[0] == "line 0"
        view.set_source(None)
        assert "no log line yet" in "".join(view.lines)


async def test_only_what_is_seen_is_fetched_and_unchanged_lines_paint_nothing():
    source = Source(100_000)
    app = Host(source)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert source.asked < 1000
        regions = []
        app.view.refresh = lambda *given, **_: regions.extend(given) or app.view
        app.view.update_lines()
        assert regions == []
        app.view.goto(500)
        assert texts(app.view)[6] == "› line 500"


async def test_following_moves_on_by_an_eighth_at_once():
    source = Source(24)
    app = Host(source)
    async with app.run_test(size=(40, 24)) as pilot:
        await pilot.pause()
        regions = []
        for expected in (24, 1, 1, 24):
            app.view.refresh = lambda *given, **_: regions.extend(given) or app.view
            source.add("new")
            app.view.update_lines()
            assert (len(regions) == 1) == (expected == 1)
            assert "new" in texts(app.view)[-3:]
            regions.clear()
        del app.view.refresh
        await pilot.press("k")
        source.add("unseen")
        app.view.update_lines()
        assert "+1 line " in app.view.lines[-1]
        await pilot.press("G")
        assert texts(app.view)[-1] == "unseen"
        source.all = source.all[:5]
        app.view.update_lines()
        assert texts(app.view)[:6] == [*(f"line {i}" for i in range(5)), ""]


async def test_tags_are_aligned_coloured_and_cut_in_the_middle():
    source = Source(0)
    source.all = [
        LogLine("one", None, 0, "rank0.log", 0),
        LogLine("two " + "x" * 80, "error", 1, "a-long-name-of.1.log", 7),
    ]
    app = Host(None)
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        view.set_source(source, tags=20)
        assert view.lines[0].rstrip() == "  rank0.log    one"
        assert view.lines[1].startswith("✖ a-lon….1.log two xxx") and view.lines[1].endswith("…")
        first, second = (next(s for s in view.render_line(i) if "log" in s.text).style.color for i in (0, 1))
        assert first != second
        view.focus()
        await pilot.press("l")
        assert view.lines[1].startswith("✖ a-lon….1.log xxx")
        await pilot.press("w")
        assert view.lines[2].startswith(" " * 15 + "x") and view.lines[3].strip() == ""
        view.set_source(source, tags=5)
        assert view.lines[0].rstrip() == "  r….log"[:2] + "ra…og one"


async def test_lines_stay_where_they_are_when_they_are_counted():
    source = Source(500, known=False)
    for i, line in enumerate(source.all):
        source.all[i] = LogLine(line.text, None, i + 10_000)
    app = Host(source)
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.view
        await pilot.press("pageup")
        view.search("line 450")
        await app.workers.wait_for_complete()
        await pilot.pause()
        before = list(view.lines)
        assert view.current == 10_450 and any(line.startswith("› line 450") for line in before)
        source.known = True
        view.update_lines()
        assert view.lines == before and view.current == 450
        source.add("new")
        view.update_lines()
        assert "+1 line " in view.lines[-1]


@pytest.mark.parametrize("counted", [False, True])
async def test_a_search_without_a_match_ends_also_where_lines_are_not_counted(counted, monkeypatch):
    source = Source(5000, known=False)
    source.all = [LogLine(line.text, None, i + (1 << 40)) for i, line in enumerate(source.all)]
    app = Host(source)
    async with app.run_test(size=(40, 10)) as pilot:
        if counted:
            monkeypatch.setattr("mens_widgets.logview.asyncio.sleep", lambda _: nothing(setattr(source, "known", True)))
        app.view.search("nowhere")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.seen[-1] == ("nowhere", None)
        app.view.search("line 7")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.seen[-1][1] % (1 << 40) == 799


async def nothing(_):
    """Do nothing, awaited."""


async def test_wheel():
    from textual.events import MouseScrollDown, MouseScrollUp

    app = Host(Source(50))
    async with app.run_test(size=(60, 20)) as pilot:
        for event, first in ((MouseScrollUp, 27), (MouseScrollUp, 24), (MouseScrollDown, 27)):
            app.view.post_message(event(app.view, 5, 5, 0, 1, 0, False, False, False))
            await pilot.pause()
            assert texts(app.view)[0] == f"line {first}"


class Headings(App):
    BINDINGS = [
        Binding("q", "quit", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
        *(Binding(key, f"do('{key}')", f"Action {key}") for key in "abcdefghijklm"),
        Binding("z", "hidden", "Hidden", show=False),
    ]

    def compose(self):
        yield StatLine("streaming CE", "nats")
        yield LogView(Source(3))
        yield Keys(last=("help",))

    def action_do(self, key):
        pass


async def test_stat_line_repaints_only_its_value_and_keeps_it_when_narrow():
    app = Headings()
    async with app.run_test(size=(40, 10)) as pilot:
        stat = app.query_one(StatLine)
        assert stat.lines == ["streaming CE   — nats".ljust(40)]
        stat.show("1.234")
        regions = []
        stat.refresh = lambda *given, **_: regions.extend(given) or stat
        stat.show("1.234")
        stat.show("1.239", "warning", "bits")
        assert stat.lines[0].startswith("streaming CE   1.239 bits")
        assert len(regions) == 1 and regions[0].x == 15
        del stat.refresh
        await pilot.resize_terminal(10, 10)
        assert stat.lines == ["str… 1.239"]


async def test_keys_fit_and_keep_the_pinned_one():
    app = Headings()
    async with app.run_test(size=(80, 10)) as pilot:
        keys = app.query_one(Keys)
        await pilot.pause()
        line = keys.lines[0]
        assert len(line) == 80
        assert line.rstrip().endswith("? Help")
        assert "G Follow" in line and "Hidden" not in line and "Action m" not in line
        app.set_focus(None)
        await pilot.pause()
        assert "Follow" not in keys.lines[0] and "q Quit" in keys.lines[0]


async def test_keys_that_would_be_typed_are_not_offered():
    class Asking(Headings):
        BINDINGS = [
            Binding("slash", "do('/')", "Filter"),
            Binding("colon,ctrl+p", "do(':')", "Commands", key_display=":"),
            Binding("escape", "do('back')", "Back", show=False),
        ]

        def compose(self):
            yield Input()
            yield Keys(last=("help",))

    app = Asking()
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert app.query_one(Keys).lines[0].split() == ["⏎", "Submit", "Esc", "Back"]

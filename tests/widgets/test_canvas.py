"""A canvas gives the compositor the lines that Textual would make of it, by the shortest way there is."""

import pytest
from rich.segment import Segment
from textual.app import App
from textual.geometry import Region
from textual.widget import Widget

from mens_widgets.canvas import Canvas, strip_of

WIDTH, HEIGHT = 30, 8


class Words(Canvas):
    """Numbered lines in ink, dim ink and a colour of the terminal's own."""

    COMPONENT_CLASSES = {"words--dim"}
    DEFAULT_CSS = """
    Words { height: 1fr; & .words--dim { color: ansi_red; text-style: dim; } }
    """
    turn = 0

    def draw(self, width, height):
        lines = [
            [Segment(f"line {y} ", self.style_for()), Segment(f"{self.turn}字", self.style_for("words--dim"))]
            for y in range(height)
        ]
        return [strip_of(line, width, self.style_for()) for line in lines]


class Screen(App):
    CSS = ""

    def __init__(self, css):
        self.CSS = css
        super().__init__()

    def compose(self):
        yield Words()


@pytest.mark.parametrize(
    ("css", "bare"),
    [
        ("", True),
        ("Words { margin: 1 2; }", True),
        ("Words { padding: 1 2; }", False),
        ("Words { border: round red; }", False),
        ("Words { outline: round red; }", False),
        ("Words { tint: red 30%; }", False),
        ("Words { text-opacity: 50%; }", False),
        ("Words { hatch: cross red; }", False),
        ("Words { opacity: 50%; }", True),
        ("Screen { opacity: 50%; }", True),
    ],
)
@pytest.mark.parametrize("no_color", ["", "1"])
async def test_lines_are_those_of_textual(css, bare, no_color, monkeypatch):
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    app = Screen(css)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        words = app.query_one(Words)
        assert words._is_bare == bare
        whole = words.region.reset_offset
        for theme in ("textual-dark", "textual-light"):
            app.theme = theme
            words.turn += 1
            words.redraw()
            await pilot.pause()
            for crop in (whole, Region(3, 1, 9, 2), Region(0, 2, whole.width, 1)):
                ours = words.render_lines(crop)
                words._styles_cache.clear()
                assert [list(strip) for strip in ours] == [list(strip) for strip in Widget.render_lines(words, crop)]


async def test_a_frame_that_css_adds_later_is_drawn():
    app = Screen("Words.-framed { border: round red; }")
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        words = app.query_one(Words)
        assert words.render_lines(Region(0, 0, WIDTH, HEIGHT))[0].text.startswith("line 0")
        words.add_class("-framed")
        await pilot.pause()
        assert words.render_lines(Region(0, 0, WIDTH, HEIGHT))[0].text.startswith("╭")
        assert words.render_lines(Region(0, 0, WIDTH, HEIGHT))[1].text.startswith("│line 0")

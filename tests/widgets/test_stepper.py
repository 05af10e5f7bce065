"""The stepper: one or two lines at any width, the current step never without its word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App

from mens_widgets.stepper import GAP, Step, Stepper, layout

EIGHT = [
    Step("dataset", "✔", "done", "good"), Step("dryrun", "◐", "underfed", "warning"),
    Step("mini", "✖", "failed", "critical"), Step("train", "●", "running", "good", current=True),
    *(Step(name, "·", "pending", "muted", plain=True) for name in ("evaluation", "export", "deployment", "iteration")),
]  # fmt: skip


def lines(width, steps=EIGHT):
    return [GAP.join(text for _, text in line) for line in layout(steps, width)]


def test_wide_is_one_line_with_every_word():
    (line,) = lines(200)
    assert line.count("pending") == 4 and "✔ dataset done" in line


def test_eighty_columns_are_two_lines():
    first, second = lines(80)
    assert len(first) <= 80 and len(second) <= 80
    assert "● train running" in first and "· evaluation" in second


def test_what_is_told_apart_by_its_glyph_gives_way_first():
    text = " ".join(lines(66))
    assert "pending" not in text and all(word in text for word in ("done", "underfed", "failed", "running"))
    assert "running" in " ".join(lines(52)) and "done" not in " ".join(lines(52))
    assert "…" in " ".join(lines(30))


def test_nothing_takes_no_line():
    assert layout([], 80) == [] and layout(EIGHT, 1) == []


@given(st.integers(2, 220), st.lists(st.sampled_from(EIGHT), min_size=1, max_size=12))
def test_every_step_is_there_on_two_lines_at_most(width, steps):
    found = layout(steps, width)
    assert 1 <= len(found) <= 2
    assert [step for line in found for step, _ in line] == steps
    if width >= 8 * len(steps):
        assert all(len(text) <= width for text in lines(width, steps))


class Host(App):
    def compose(self):
        yield Stepper()


@pytest.mark.parametrize(("width", "height"), [(200, 1), (80, 2), (20, 2)])
async def test_it_is_as_high_as_it_must_be(width, height):
    app = Host()
    async with app.run_test(size=(width, 10)) as pilot:
        stepper = app.query_one(Stepper)
        assert stepper.size.height == 0
        stepper.show(EIGHT)
        await pilot.pause()
        assert stepper.size.height == height
        assert "train" in "".join(stepper.lines) or width == 20
        stepper.show([])
        await pilot.pause()
        assert stepper.size.height == 0


async def test_the_current_step_stands_out_without_colour():
    app = Host()
    async with app.run_test(size=(200, 10)) as pilot:
        stepper = app.query_one(Stepper)
        stepper.show(EIGHT)
        await pilot.pause()
        bold = [segment.text for segment in stepper.render_line(0) if segment.style and segment.style.bold]
        assert "● train running" in bold


async def test_hostile_titles_are_shown_as_text():
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        stepper = app.query_one(Stepper)
        stepper.show([Step("a\x1b[31m[red]", "·", "x")])
        await pilot.pause()
        assert "␛[31m[red]" in stepper.lines[0]

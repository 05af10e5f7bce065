"""The command palette while its list is being made anew: keys that come then do no harm."""

import pytest
from screens.box import box, snapshot
from screens.conftest import text_of, until
from textual.command import CommandList

from mens_console.screens.palette import Palette


@pytest.mark.parametrize("key", ["pagedown", "pageup"])
async def test_a_page_in_a_list_that_is_not_laid_out_yet_does_no_harm(console, key, monkeypatch):
    async with console(snapshot(box())) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Screen: Fleet" in text_of(app))
        pressed = []

        def unready(found):
            """Do as Textual's list does before its next layout: it looks for the line of an option, and has none."""
            pressed.append(found)
            raise KeyError(0)

        with monkeypatch.context() as patched:
            patched.setattr(CommandList, "_move_page", lambda found, direction: unready(found))
            await pilot.press(key)
            await until(pilot, lambda: pressed)
        assert isinstance(app.screen, Palette)
        assert app.is_running


async def test_a_palette_that_is_closed_before_it_is_there_does_no_harm(console):
    async with console(snapshot(box())) as (app, pilot):
        for _ in range(3):
            app.action_command_palette()
            app.screen.dismiss()
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running
        assert "Fleet" in text_of(app)


async def test_a_room_s_key_from_before_the_palette_was_there_does_no_harm(console):
    async with console(snapshot(box())) as (app, pilot):
        app.action_command_palette()
        app.action_room("gate")
        await until(pilot, lambda: "Screen: Fleet" in text_of(app))
        await pilot.press("escape")
        app.action_room("gate")
        await until(pilot, lambda: "Gate" in text_of(app) and len(app.screen_stack) == 1)
        assert app.is_running


async def test_pages_lead_through_the_palette(console):
    async with console(snapshot(box())) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Screen: Fleet" in text_of(app))
        found = app.screen.query_one(CommandList)
        before = found.highlighted
        await pilot.press("pagedown")
        await until(pilot, lambda: found.highlighted != before)
        await pilot.press("pageup")
        await until(pilot, lambda: found.highlighted == before)

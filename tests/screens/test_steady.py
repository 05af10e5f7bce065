"""A terminal that is resized faster than the screens are laid out ends in its last size, and in rest."""

import pytest
from screens.box import box, snapshot
from screens.conftest import settle, until
from textual import events
from textual.geometry import Size

from mens_console.screens.gateasks import AskScreen


def resized(width, height):
    size = Size(width, height)
    return events.Resize(size, size)


@pytest.mark.parametrize("covered", [False, True])
async def test_an_older_size_does_not_come_back(console, covered):
    """What a screen posts itself once it is laid out comes late, where the terminal has another size already."""
    async with console(snapshot(box()), (120, 40)) as (app, pilot):
        room = app.screen
        if covered:
            app.push_screen(AskScreen("Release", "Which release is it?"))
            await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: room.size == app.screen.size == Size(100, 30))
        for screen in (app.screen, room):
            assert not screen.post_message(resized(120, 15))
            assert screen.post_message(resized(100, 30))
        await settle(pilot, 10)
        assert room.size == app.screen.size == app.size == Size(100, 30)

"""A terminal that is resized faster than the screens are laid out ends in its last size, and in rest."""

from screens.box import box, snapshot
from screens.conftest import settle, until
from textual import events
from textual.geometry import Size

from mens_console.screens.gateasks import AskScreen
from mens_console.screens.room import Room


def resized(width, height):
    size = Size(width, height)
    return events.Resize(size, size)


async def test_an_older_size_does_not_come_back(console, monkeypatch):
    handled = []
    async with console(snapshot(box()), (120, 40)) as (app, pilot):
        room = app.screen
        app.push_screen(AskScreen("Release", "Which release is it?"))
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        told = Room._screen_resized

        def noted(screen, size):
            handled.append(size)
            told(screen, size)

        monkeypatch.setattr(Room, "_screen_resized", noted)
        for width, height in ((80, 24), (120, 15), (80, 40), (100, 30)):
            app.post_message(resized(width, height))
            for screen in (app.screen, room):  # what those post themselves that are still laid out in an older size
                screen.post_message(resized(120, 15))
                screen.call_later(lambda: None)
                screen.post_message(resized(80, 40))
                screen.call_later(lambda: None)
            await pilot.pause(0.02)
        await until(pilot, lambda: room.size == app.screen.size == Size(100, 30))
        await settle(pilot, 5)
        seen = len(handled)
        await settle(pilot, 5)
        assert len(handled) == seen
        assert room.size == app.screen.size == app.size == Size(100, 30)

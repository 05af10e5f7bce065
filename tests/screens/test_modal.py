"""Screens on top of another close once, however often the key that closes them bounces."""

import pytest
from screens.box import box, snapshot
from screens.conftest import settle, text_of, until
from textual import events

from mens_console.screens.gateasks import AskScreen, ChooseScreen
from mens_console.screens.help import HelpScreen


@pytest.mark.parametrize("key", ["enter", "escape"])
@pytest.mark.parametrize(
    "made",
    [
        lambda: AskScreen("Release", "Which release is it?", "1.0"),
        lambda: ChooseScreen("Profile", [("a", ""), ("b", "")]),
    ],
)
async def test_a_bouncing_key_answers_once(console, made, key):
    answers = []
    async with console(snapshot(box())) as (app, pilot):
        screen = made()
        app.push_screen(screen, answers.append)
        await until(pilot, lambda: app.screen is screen)
        await settle(pilot, 3)
        for _ in range(4):
            app.post_message(events.Key(key, None))
        await until(pilot, lambda: answers)
        await settle(pilot, 5)
        assert app.is_running
        assert len(app.screen_stack) == 1
        assert len(answers) == 1


async def test_help_closes_once(console):
    async with console(snapshot(box())) as (app, pilot):
        room = app.screen
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        for _ in range(4):
            app.post_message(events.Key("escape", None))
        await until(pilot, lambda: app.screen is room)
        await settle(pilot, 5)
        assert app.is_running
        assert "Fleet" in text_of(app)

"""A console that ran on while nobody sat before it."""

from dataclasses import replace

import pytest
from screens.alertbox import returned
from screens.box import NOW
from screens.conftest import settle, text_of, until

from mens_console.screens.digest import DigestScreen
from mens_console.screens.presence import IDLE_S, summary
from mens_console.store.digest import digest


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.mark.parametrize("away", [7200.0, 4000.0])
async def test_the_first_key_after_long_is_answered_once_and_u_tells_the_rest(console, away):
    clock = Clock(NOW - away)
    async with console(replace(returned(), left_at=NOW - 90_000), clock=clock) as (app, pilot):
        await pilot.press("escape")
        await settle(pilot)
        clock.now = NOW
        await pilot.press("j")
        await until(pilot, lambda: "Untouched for" in text_of(app))
        expected = summary(digest(app.snapshot, NOW - away, NOW))
        assert expected and expected in next(n.message for n in app._notifications if "Untouched" in n.message)
        await pilot.press("8", "u")
        await settle(pilot)
        assert isinstance(app.screen, DigestScreen)
        assert app.left_at == NOW - away
        assert sum("Untouched" in note.message for note in app._notifications) == 1


async def test_who_is_there_all_the_time_is_told_nothing(console):
    clock = Clock(NOW - 7200)
    async with console(replace(returned(), left_at=float("nan")), clock=clock) as (app, pilot):
        while clock.now < NOW:
            clock.now += IDLE_S - 1.0
            await pilot.press("j")
        await settle(pilot)
        assert not [note for note in app._notifications if "Untouched" in note.message]


async def test_nothing_is_said_where_nothing_happened_or_in_a_replay(console):
    for snapshot in (replace(returned(), runs=()), replace(returned(), replay=True)):
        clock = Clock(NOW - 7200)
        async with console(replace(snapshot, left_at=float("nan")), clock=clock) as (app, pilot):
            clock.now = NOW
            await pilot.press("j")
            await settle(pilot)
            assert not [note for note in app._notifications if "Untouched" in note.message]


def test_a_few_words_are_enough():
    assert summary(digest(returned(), NOW - 7200, NOW)) == (
        "1 run failed, 1 run finished, 3 alerts fired, 1 alert resolved"
    )
    assert summary(digest(returned(), NOW, NOW)) == ""


async def test_the_engine_learns_of_touches_now_and_then(console):
    clock = Clock(NOW - 7200)
    async with console(returned(), clock=clock) as (app, pilot):
        assert app.engine.touched_at == NOW - 7200, "who launches it is there"
        told = []
        app.engine.touch = told.append
        for _ in range(30):
            clock.now += 1.0
            await pilot.press("j")
        assert 5 <= len(told) <= 7 and told[-1] >= clock.now - 5.0

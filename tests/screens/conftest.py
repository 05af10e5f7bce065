"""The app over a made-up box, with a fixed clock, host and zone."""

from contextlib import asynccontextmanager
from datetime import UTC

import pytest
from screens.box import NOW, FakeEngine, settings

from mens_console.screens.app import ConsoleApp
from mens_console.screens.room import Room


def text_of(app):
    """Return what is on screen, line by line, without trailing blanks."""
    _, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines[:height])


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture
def console():
    """Return a context manager that runs the app: `async with console(snapshot, size=…) as (app, pilot)`."""

    @asynccontextmanager
    async def start(first, size=(120, 40), **changes):
        clock = changes.pop("clock", lambda: NOW)
        app = ConsoleApp(FakeEngine(first), settings(**changes), clock=clock, host="gpubox", zone=UTC)
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            yield app, pilot

    return start


async def settle(pilot, turns=3):
    """Let messages, layout and repaints run dry."""
    for _ in range(turns):
        await pilot.pause()


async def until(pilot, holds):
    """Wait for a state, however many turns it takes (the test's own time limit ends a wait for never)."""
    for _ in range(2000):
        if holds():
            return
        await pilot.pause(0.002)
    raise AssertionError("the state did not come")


def room(app) -> Room:
    return app.room

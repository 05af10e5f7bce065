"""What the alerts screen and its overlays look like: text at three sizes, a picture at one.

The header is left out: it names every screen, and is tested by itself.
"""

import re

import pytest
from screens.alertbox import returned, troubled
from screens.box import run
from screens.box import snapshot as of
from screens.conftest import settle, text_of
from screens.test_snapshots import SIZES, Picture, Screen

VIEWS = {
    "worst": (troubled, ("8",)),
    "all": (troubled, ("8", "f", "G")),
    "silence": (troubled, ("8", "f", "f", "s", "2")),
    "note": (troubled, ("8", "a", *"bad shard")),
    "empty": (lambda: of([run("fine", alerts=())]), ("8",)),
    "digest": (returned, ("8", "u")),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", VIEWS)
async def test_text(console, snapshot, view, size):
    make, keys = VIEWS[view]
    async with console(make(), size) as (app, pilot):
        await settle(pilot, 5)
        for key in keys:
            await pilot.press(key)
            await settle(pilot, 2)
        await settle(pilot, 5)
        assert text_of(app).partition("\n")[2] == snapshot(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
@pytest.mark.parametrize("view", ["worst", "silence"])
async def test_picture(console, snapshot, view, theme):
    make, keys = VIEWS[view]
    async with console(make(), (120, 40), theme=theme) as (app, pilot):
        for key in keys:
            await pilot.press(key)
            await settle(pilot, 2)
        await settle(pilot, 5)
        svg = app.export_screenshot(title="mens-console")
        assert re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", svg) == snapshot(extension_class=Picture)

"""What each screen looks like: text at three sizes, a picture at one."""

import re

import pytest
from screens.box import box, snapshot
from screens.conftest import settle, text_of
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

SIZES = [(80, 24), (120, 40), (200, 50)]


class Screen(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class Picture(Screen):
    file_extension = "svg"


@pytest.fixture
def logged(tmp_path):
    """A box whose healthy run has a log stream."""
    from dataclasses import replace

    path = tmp_path / "train.log"
    path.write_text("".join(f"INFO step {i} loss {2 - i / 50:.3f}\n" for i in range(60)) + "WARNING low disk\n")
    first, *rest = box()
    source = replace(first.sources[0], path=path, format="hf_console", size=path.stat().st_size)
    return snapshot([replace(first, logs=(path,), sources=(*first.sources, source)), *rest])


async def _go(app, pilot, keys):
    await pilot.press(*keys)
    await settle(pilot, 5)


VIEWS = {
    "fleet": (),
    "fleet_stalled": ("j",),
    "run": ("j", "j", "j", "2"),
    "run_waiting": ("j", "j", "j", "j", "2"),
    "run_resumed": ("G", "enter"),
    "run_alone": ("G", "enter", "f", "g", "l", "l"),
    "run_help": ("2", "question_mark"),
    "help": ("question_mark",),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", VIEWS)
async def test_text(console, logged, snapshot, view, size):
    async with console(logged, size) as (app, pilot):
        await _go(app, pilot, VIEWS[view])
        assert text_of(app) == snapshot(extension_class=Screen)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_logs(console, logged, snapshot, size):
    from screens.conftest import until

    async with console(logged, size) as (app, pilot):
        await _go(app, pilot, ("0",))
        await until(pilot, lambda: "following" in text_of(app))
        assert text_of(app) == snapshot(extension_class=Screen)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("key", ["1", "2", "0"])
async def test_empty(console, snapshot, key, size):
    from screens.box import snapshot as of

    async with console(of([]), size) as (app, pilot):
        await _go(app, pilot, (key,))
        assert text_of(app) == snapshot(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
@pytest.mark.parametrize("view", VIEWS)
async def test_picture(console, logged, snapshot, view, theme):
    async with console(logged, (120, 40), theme=theme) as (app, pilot):
        await _go(app, pilot, VIEWS[view])
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == snapshot(extension_class=Picture)

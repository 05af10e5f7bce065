"""What the first paint of the shell may load."""

import subprocess
import sys

from screens.box import run, snapshot
from screens.conftest import until

from mens_console.screens.fleet import FleetScreen
from mens_widgets.face import ChartFace

PAINT = """
import asyncio, sys
from types import SimpleNamespace
from mens_console.cli.console import LateEngine
from mens_console.screens.app import ConsoleApp

class Waiting(LateEngine):
    def start(self, on_publish):
        heavy = sorted({"numpy", "psutil", "orjson", "pydantic"} & set(sys.modules))
        print(*heavy, "painted", file=sys.__stdout__)

async def main():
    settings = SimpleNamespace(roots=(), theme=None, keymap={}, slow_link=False, problems=(), bell=True)
    async with ConsoleApp(Waiting(settings), settings).run_test() as pilot:
        await pilot.pause()

asyncio.run(main())
"""


def test_the_shell_is_painted_without_numpy_and_what_stands_on_it():
    done = subprocess.run([sys.executable, "-P", "-c", PAINT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["painted"], done.stderr


async def test_the_preview_comes_with_the_first_run(console):
    async with console(snapshot([])) as (app, pilot):
        assert isinstance(app.room, FleetScreen) and not app.room.query(ChartFace)
        app.engine.publish(snapshot([run("one")], 2))
        await until(pilot, lambda: len(app.room.query(ChartFace)) == 1)

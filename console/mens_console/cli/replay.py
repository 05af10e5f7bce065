"""`mens-console replay` and `mens-console demo`: recorded bytes through the real engine, on its own clock.

The console runs as ever and says REPLAY; nothing is written beside the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import one_run, settings_from
from mens_console.cli.console import need_terminal, show
from mens_console.cli.errors import CommandError
from mens_console.demo.recording import SUFFIX, Recording, RecordingError, shipped
from mens_console.demo.replay import Replay

if TYPE_CHECKING:
    import argparse

DEMO_SPEED: Final = 4.0
DEMO_SKIP_S: Final = 150.0
"""The demo opens where there is something to see."""
REPLAY_SPEED: Final = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Show the replay until the operator quits."""
    need_terminal()
    demo = arguments.command == "demo"
    recordings = demo_recordings() if demo else [recording_of(arguments)]
    settings = settings_from(arguments, paths=())
    speed = arguments.speed or (DEMO_SPEED if demo else REPLAY_SPEED)
    replay = Replay(recordings, settings, speed=speed, skip=DEMO_SKIP_S if demo else 0.0)
    try:
        return show(replay, settings)
    finally:
        replay.stop()


def demo_recordings() -> list[Recording]:
    """Return the recordings that come with the package. Raises `CommandError` where there are none."""
    paths = shipped()
    if not paths:
        raise CommandError("the demo's recordings are not installed; reinstall mens-console")
    return [Recording.open(path) for path in paths]


def recording_of(arguments: argparse.Namespace) -> Recording:
    """Return the recording that RUN names, or one made up from the files of the run that it names."""
    if arguments.run.endswith(SUFFIX):
        try:
            return Recording.open(Path(arguments.run))
        except RecordingError as error:
            raise CommandError(str(error)) from None
    from mens_console.cli.reenact import reenact

    return reenact(one_run(arguments))

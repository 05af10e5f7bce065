"""`mens-console stage NAME -- COMMAND…`: runs a command as one stage of the pipeline and records what it took.

The command waits for what is imported here at the top: next to nothing. Recording is `collectors.stage`'s.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mens_console.cli.errors import CommandError
from mens_console.signals.stages import BY_ID, STAGES, split

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Any

    from mens_console.signals.done import Measured


def run(arguments: argparse.Namespace) -> int:
    """Run and record the command, or list the stages; return the command's exit code."""
    folder = str(arguments.run or os.environ.get("MENS_RUN_DIR") or ".")
    if arguments.list or arguments.json:
        from mens_console.cli.stagelist import listing

        return listing(folder, as_json=arguments.json)
    stage, step = _named(arguments.name)
    if not arguments.argv:
        raise CommandError(f"no command: mens-console stage {arguments.name} -- COMMAND …")
    known = _known(stage, folder)
    from mens_console.collectors import wrapped
    from mens_console.collectors.stage import ID_VARIABLE, Order, Recorder, figures

    def measure(started: float, facts: Mapping[str, Any]) -> Measured:
        from mens_console.cli.measure import Looked, measure

        looked = Looked(folder, tuple(arguments.data), arguments.facts, arguments.probe, known)
        return measure(stage, looked, started, facts)

    # A step inside its stage is not asked for the stage's signal: the stage is, once it ends.
    inner = step is not None and bool(os.environ.get(ID_VARIABLE))
    recorder = Recorder(Order(stage, step, tuple(arguments.argv), folder), _warn, None if inner else measure)
    try:
        ended = recorder.run()
    except OSError as error:
        _warn(f"{arguments.argv[0]}: {(error.strerror or str(error)).lower()}")
        return wrapped.NOT_FOUND if isinstance(error, FileNotFoundError) else wrapped.NOT_RUNNABLE
    if arguments.time:
        print(figures(ended)["time"], file=sys.stderr, flush=True)
    return wrapped.end_like(ended)


def _named(name: str | None) -> tuple[str, str | None]:
    """Return stage and step; raise `CommandError` with the stages there are."""
    stages = tuple(f"{stage.id:<11} {stage.title}: done when {stage.signal}" for stage in STAGES)
    if name is None:
        raise CommandError("no stage: mens-console stage NAME -- COMMAND …; the stages are:", stages)
    stage, step = split(name)
    if stage not in BY_ID:
        from difflib import get_close_matches

        near = get_close_matches(stage, BY_ID, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise CommandError(f"{name}: no such stage{hint}; there are:", stages)
    return stage, step


def _known(stage: str, folder: str) -> dict[str, int]:
    """Return what was there before the command, for stages that are told by what they logged."""
    if stage not in ("dryrun", "mini", "train"):
        return {}
    from mens_console.cli.measure import known_files

    return known_files(folder)


def _warn(text: str) -> None:
    from mens_console.ingest.text import safe_text

    print(f"mens-console: {safe_text(text, 2000)}", file=sys.stderr, flush=True)

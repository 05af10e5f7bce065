"""`mens-console plot RUN METRIC…`: series of one run as charts in the plain terminal.

Finds the run and the series; the drawing is `plotting`.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import colour, one_run
from mens_console.cli.errors import OK, CommandError

if TYPE_CHECKING:
    import argparse

    from mens_console.store.snapshot import RunView

_MIN_WIDTH: Final = 30
_MIN_HEIGHT: Final = 6
_USUAL_HEIGHT: Final = 20


def run(arguments: argparse.Namespace) -> int:
    """Print one chart for each metric, one below the other."""
    view = one_run(arguments)
    names = [known(view, name) for name in arguments.metrics]
    for name in names:
        if view.series[name].axis_values(arguments.x) is None:
            raise CommandError(f"{name}: no source of {view.name} told the time of its rows; use --x step")
    terminal = shutil.get_terminal_size((100, 24))
    share = (terminal.lines - 1) // len(names)
    from mens_console.cli.plotting import charts

    print(
        charts(
            [(f"{view.name} · {name}", view.series[name]) for name in names],
            axis=arguments.x,
            width=max(arguments.width or terminal.columns, _MIN_WIDTH),
            height=max(arguments.height or min(share, _USUAL_HEIGHT), _MIN_HEIGHT),
            log=arguments.log,
            colour=colour(sys.stdout),
        )
    )
    return OK


def known(view: RunView, metric: str) -> str:
    """Return the run's series that a metric is: by its name, or by the one that the trainer gave it.

    Raises `CommandError` with the nearest names unless the run has it.
    """
    if metric in view.series:
        return metric
    from mens_console.ingest.aliases import canonical, nearest

    if (name := canonical(metric)) in view.series:
        return name

    near = nearest(metric, view.series)
    hint = f"the nearest: {', '.join(near)}" if near else f"it has: {', '.join(view.series) or 'none'}"
    raise CommandError(f"{metric}: {view.name} has no such series; {hint}")

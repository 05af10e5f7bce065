"""From the command to the first paint, the first chart and all points, and the memory that takes."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import data
from bench.anchors import HOW, LEET_ROWS
from bench.context import interleaved
from bench.figure import Figure, Target
from bench.terminal import CONSOLE, Frame, Terminal, has_chart, settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.context import Context

LONG_AGO_S: Final = 3 * 3600
_PAINTED: Final = 30
"""Characters on screen that make a paint."""
_QUIET_S: Final = 1.5
_ANCHOR_TURNS: Final = 3
_BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App[None]):
    def compose(self):
        yield Static("nothing but Textual itself, painted once")
Bare().run()
"""


class Launch(NamedTuple):
    """One launch: seconds to the first chart and to the last change on screen; resident bytes at rest."""

    chart_s: float
    all_s: float
    rss: int


def bench_launch(context: Context) -> Iterator[Figure]:
    """Measure launches in turn with those of bare Textual and of LEET."""
    yield from _first_paint(context)
    rows = context.pick(LEET_ROWS, 20_000)
    log = data.write_metrics(context.work / "runs" / "lora-r16" / "metrics.jsonl", rows)
    age(log)
    recorded = context.anchors.leet_run
    compared = recorded is not None and rows == LEET_ROWS
    ours: list[Launch] = []
    theirs: list[Launch] = []
    resident: list[float] = []
    for turn in range(context.pick(5, 2)):
        ours.append(open_run([*CONSOLE, log.parent.parent], context.work, "loss", b"2"))
        if recorded is not None and compared and turn < _ANCHOR_TURNS:
            theirs.append(open_run(context.anchors.leet_typed(recorded), context.work, "m00"))
    if recorded is not None and compared:
        resident = [open_run(context.anchors.leet_command(recorded), context.work, "m00").rss / 1e6]
    note = "" if compared else (HOW if recorded is None else "the anchor's run has 100 k rows: not in a quick run")
    size = f"{rows // 1000} k steps × {len(data.METRICS)}"
    name = f"W&B LEET, {LEET_ROWS // 1000} k × 20"
    yield Figure(
        f"launch → first chart, {size}", "s", [one.chart_s for one in ours], Target(0.8, of_anchor=True),
        [one.chart_s for one in theirs], name, note,
    )  # fmt: skip
    yield Figure(
        f"launch → all points on screen, {size}", "s", [one.all_s for one in ours], Target(0.55, of_anchor=True),
        [one.all_s for one in theirs], name, note,
    )  # fmt: skip
    yield Figure(
        "resident memory of that run, at rest", "MB", [one.rss / 1e6 for one in ours], Target(80.0),
        resident, name, note,
    )  # fmt: skip


def age(path: Path) -> None:
    """Make a file look as if nobody had written to it for hours, so that no age on screen moves."""
    then = time.time() - LONG_AGO_S
    os.utime(path, (then, then))


def _first_paint(context: Context) -> Iterator[Figure]:
    empty, script = context.work / "empty", context.work / "bare.py"
    empty.mkdir()
    script.write_text(_BARE)

    def paint(command: Sequence[str | Path]) -> float:
        with Terminal(command, cwd=context.work) as terminal:
            at = terminal.wait(lambda text: len(text) - text.count(" ") - text.count("\n") > _PAINTED)
            return at - terminal.started

    paint([*CONSOLE, empty])  # the first launch after a change compiles
    samples = interleaved(
        context.pick(9, 4), lambda: paint([*CONSOLE, empty]), lambda: paint([sys.executable, "-P", script])
    )
    yield Figure("first paint of the shell", "s", samples[0], Target(0.25), samples[1], "bare Textual")


def open_run(command: Sequence[str | Path], cwd: Path, title: str, keys: bytes = b"") -> Launch:
    """Launch, type `keys` at the first sign of life, wait until nothing on screen changes; `title` names a chart."""
    with Terminal(command, cwd=cwd) as terminal:
        terminal.wait_bytes(_PAINTED * 100 if keys else 1)
        if keys:
            terminal.send(keys)
        terminal.pump(_QUIET_S)
        terminal.wait_quiet(_QUIET_S)
        rss, ended = terminal.usage.rss, time.monotonic() - terminal.started
        frames = terminal.frames()
    return Launch(_first_chart(frames, title), settled(frames, ended - _QUIET_S), rss)


def _first_chart(frames: Sequence[Frame], title: str) -> float:
    for frame in frames:
        if has_chart(frame.lines, title):
            return frame.at
    raise RuntimeError("no chart was ever drawn; the last screen:\n" + "\n".join(frames[-1].lines if frames else []))

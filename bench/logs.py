"""A huge log opened at its tail, how soon an appended line is seen, beside less and toolong; and several as one."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import data
from bench.anchors import HOW
from bench.figure import Figure, Target
from bench.terminal import CONSOLE, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.context import Context

LAST: Final = "the-newest-line-of-this-log"
RANKS: Final = 8
_SETTLE_S: Final = 1.5
_FIRST_BYTES: Final = 3000
"""Output that shows that a screen is up and takes keys."""


class Opened(NamedTuple):
    """Seconds until the tail was on screen; milliseconds and bytes of each appended line; peak resident bytes."""

    open_s: float
    append_ms: list[float]
    append_bytes: list[float]
    rss: int


def bench_logs(context: Context) -> Iterator[Figure]:
    """Measure one after the other on the same file, which stays in the page cache."""
    size = context.pick(1_000_000_000, 100_000_000)
    log = data.write_log(context.work / "runs" / "lora-r16" / "train.log", size)
    _append(log, LAST)
    turns, lines = context.pick(3, 1), context.pick(20, 5)
    opened = [_open([*CONSOLE, log.parent.parent], log, context.work, lines, b"0") for _ in range(turns)]
    name, ours = f"open a {size / 1e9:g} GB log at its tail", [one.open_s for one in opened]
    resident = [one.rss / 1e6 for one in opened]
    first, against, note = Target(0.4), "toolong", "" if context.anchors.toolong else HOW
    toolong: list[Opened] = []
    if context.anchors.toolong:
        toolong = [_open([context.anchors.toolong, log], log, context.work, lines, b"G")]
    yield Figure(name, "s", ours, first, [one.open_s for one in toolong], against, note)
    if context.anchors.less:
        command: list[str | Path] = [context.anchors.less, "+F", log]
        pager = [_open(command, log, context.work, 0, b"") for _ in range(turns)]
        yield Figure(name, "s", ours, None, [one.open_s for one in pager], "less +F")
    yield Figure(f"{name}: resident", "MB", resident, Target(100.0), [one.rss / 1e6 for one in toolong], against)
    for field, unit, limit in (("append_ms", "ms", 40.0), ("append_bytes", "bytes", 2000.0)):
        mine = [value for one in opened for value in getattr(one, field)]
        theirs = [value for one in toolong for value in getattr(one, field)]
        yield Figure("log line append → visible", unit, mine, Target(limit), theirs, against)
    yield from _merged(context, log, size)


def _merged(context: Context, log: Path, size: int) -> Iterator[Figure]:
    """Measure the way from one log to several by time; they are one file under several names, which costs no disk."""
    folder = context.work / "ranks" / "lora-r16"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(RANKS):
        with contextlib.suppress(FileExistsError):
            os.link(log, folder / f"train-rank{i}.log")
    seconds: list[float] = []
    resident: list[float] = []
    for _ in range(context.pick(3, 1)):
        with Terminal([*CONSOLE, folder.parent], cwd=context.work) as terminal:
            terminal.wait_bytes(_FIRST_BYTES)
            terminal.send(b"0")
            terminal.wait(lambda text: "train-rank0.log" in text and LAST in text)
            terminal.pump(_SETTLE_S)
            asked = time.monotonic()
            terminal.send(b"m")
            seconds.append(terminal.wait(lambda text: "by time" in text and text.count(LAST) >= RANKS) - asked)
            terminal.pump(_SETTLE_S)
            resident.append(terminal.usage.rss / 1e6)
    name = f"merge {RANKS} logs of {size / 1e9:g} GB at their ends"
    yield Figure(name, "s", seconds, Target(0.4), [], "")
    yield Figure(f"{name}: resident", "MB", resident, Target(100.0), [], "")


def _append(log: Path, text: str) -> float:
    with log.open("ab", buffering=0) as out:
        out.write(f"2026-01-01 01:00:00,000 INFO    trainer.loop {text}\n".encode())
    return time.monotonic()


def _open(command: Sequence[str | Path], log: Path, cwd: Path, lines: int, keys: bytes) -> Opened:
    """Open the log, go to its end with `keys`, then append so many lines, one at a time."""
    with Terminal(command, cwd=cwd) as terminal:
        if keys:
            terminal.wait_bytes(_FIRST_BYTES)
            terminal.send(keys)
        at = terminal.wait(lambda text: LAST in text)
        took = at - terminal.started
        milliseconds: list[float] = []
        sent: list[float] = []
        terminal.pump(_SETTLE_S)
        rss = terminal.usage.rss
        for turn in range(lines):
            terminal.text()
            before, wanted = terminal.received, f"appended line {turn:03d} {LAST}"
            written = _append(log, wanted)
            milliseconds.append((terminal.wait(lambda text, wanted=wanted: wanted in text) - written) * 1e3)  # type: ignore[misc]
            terminal.pump(0.1)
            sent.append(terminal.received - before)
            terminal.pump(0.3)
    return Opened(took, milliseconds, sent, rss)

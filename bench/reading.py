"""Reading backlogs: flat metric rows beside `orjson.loads` alone, event files beside TensorBoard's own reader."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import orjson

from bench import data
from bench.anchors import HOW
from bench.context import Context, interleaved, timed
from bench.figure import Figure, Target
from mens_console.ingest.backlog import BacklogReader
from mens_console.ingest.formats import FORMATS
from mens_console.ingest.tail import Tail
from mens_console.store.axis import Writer
from mens_console.store.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.records import Batch

_TURN = 1 << 20
_ACCUMULATE = """
import sys, time
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
start = time.process_time()
read = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
read.Reload()
count = sum(len(read.Scalars(tag)) for tag in read.Tags()["scalars"])
print(time.process_time() - start, count)
"""


def format_named(name: str) -> Format:
    """Return a format of the registry."""
    return next(f for f in FORMATS if f.name == name)


def store(frame: Frame, batch: Batch, writer: Writer) -> None:
    """Put a batch into the columns, as the engine does."""
    for columns in batch.columns:
        for _ in frame.append(columns, writer):
            pass


def read_all(path: Path, format: Format) -> Frame:
    """Read a whole file here, storing included."""
    frame, tail = Frame(), Tail(str(path), format)
    writer = Writer(format.name, str(path), format.precedence)
    while (chunk := tail.poll(time.time(), limit=_TURN)) is not None:
        store(frame, chunk.batch, writer)
    tail.close()
    return frame


def read_through_child(path: Path, format: Format) -> Frame:
    """Read a whole file through the child process that long backlogs get, storing included."""
    frame, reader = Frame(), BacklogReader(str(path), format)
    writer = Writer(format.name, str(path), format.precedence)
    try:
        while not reader.finished:
            chunks = reader.poll()
            for chunk in chunks:
                store(frame, chunk.batch, writer)
            if not chunks:
                time.sleep(0.001)
        if reader.problem:
            raise RuntimeError(reader.problem)
    finally:
        reader.close()
    return frame


def bench_flat_rows(context: Context) -> Iterator[Figure]:
    """Measure throughput in file bytes a second, all three ways in turn."""
    rows = context.pick(100_000, 20_000)
    path = data.write_metrics(context.work / "metrics.jsonl", rows)
    megabytes, jsonl = path.stat().st_size / 1e6, format_named("jsonl")

    def ours(read: object) -> float:
        seconds, frame = timed(lambda: read_through_child(path, jsonl) if read else read_all(path, jsonl))
        if frame.resident_points != rows * len(data.METRICS):
            raise RuntimeError(f"{frame.resident_points} points stored of {rows * len(data.METRICS)}")
        return megabytes / seconds

    def alone() -> float:
        with path.open("rb") as lines:
            return megabytes / timed(lambda: [orjson.loads(line) and None for line in lines])[0]

    here, child, anchor = interleaved(context.pick(5, 3), lambda: ours(None), lambda: ours("child"), alone)
    target = Target(0.5, of_anchor=True, at_least=True)
    yield Figure("flat metric rows, backlog: in process", "MB/s", here, target, anchor, "orjson.loads alone")
    note = "process start included"
    yield Figure(
        "flat metric rows, backlog: through a child", "MB/s", child, target, anchor, "orjson.loads alone", note
    )


def bench_tensorboard(context: Context) -> Iterator[Figure]:
    """Measure processor time to read and store an event file."""
    scalars = context.pick(200_000, 40_000)
    path, events = data.write_tfevents(context.work / "events.out.tfevents.1.box", scalars), format_named("tfevents")
    python = context.anchors.python

    def ours() -> float:
        seconds, frame = timed(lambda: read_all(path, events), cpu=True)
        if frame.resident_points != scalars:
            raise RuntimeError(f"{frame.resident_points} points stored of {scalars}")
        return seconds

    def theirs() -> float:
        done = subprocess.run([python, "-c", _ACCUMULATE, path], capture_output=True, text=True, check=True)  # type: ignore[list-item]
        seconds, count = done.stdout.split()
        sys.stderr.write("" if int(count) == scalars else f"EventAccumulator kept {count} of {scalars} scalars\n")
        return float(seconds)

    calls = [ours, theirs] if python else [ours]
    samples = interleaved(context.pick(3, 2), *calls)
    target = Target(0.5 * scalars / 200_000)
    yield Figure(
        f"TensorBoard events, {scalars // 1000} k scalars", "s CPU", samples[0], target,
        samples[1] if python else (), "EventAccumulator", "" if python else HOW,
    )  # fmt: skip

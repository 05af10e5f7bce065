"""A thousand run directories: how soon a new one is found, and what watching costs at rest and under load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import data
from bench.figure import Figure, Target
from bench.hosted import Hosted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.context import Context

_BEAT_S = 0.05
_LIVE = 100
"""Runs that are written to."""


def bench_watching(context: Context) -> Iterator[Figure]:
    """Measure the engine without a screen, with kernel hints where they work."""
    count, rate = context.pick(1000, 1000), 1000
    root = context.work / "runs"
    paths = data.write_runs(root, count)
    start = time.monotonic()
    with Hosted(root) as engine:
        ready = engine.wait(lambda said: said["runs"] == count and not said["scanning"])
        yield Figure(f"{count} run directories: all read after the start", "s", [ready - start])
        time.sleep(3)
        yield from _idle(engine, count, context.pick(15, 4))
        found = [_discovery(engine, root, count + i) for i in range(context.pick(5, 2))]
        yield Figure(f"{count} run directories: a new run is found", "s", found, Target(2.0))
        seconds = context.pick(10, 3)
        busy, written = _write(engine, paths[:_LIVE], rate, seconds)
        name = f"{count} run directories: {rate} rows/s"
        yield Figure(name, "% CPU", [busy], Target(4.0), note=f"{written} rows in {seconds} s over {_LIVE} runs")


def _idle(engine: Hosted, count: int, seconds: float) -> Iterator[Figure]:
    before = engine.usage
    time.sleep(seconds)
    used = engine.usage.since(before)
    yield Figure(f"{count} run directories: idle", "% CPU", [used.cpu_s / seconds * 100], Target(0.5))
    yield Figure(f"{count} run directories: idle", "wakes/s", [used.wakes / seconds])
    yield Figure(f"{count} run directories: resident", "MB", [used.rss / 1e6])


def _discovery(engine: Hosted, root: Path, known: int) -> float:
    """Return how long a new run takes to be published."""
    data.write_metrics(root / f"new-{known}" / "metrics.jsonl", 3)
    written = time.monotonic()
    return max(0.0, engine.wait(lambda said: said["runs"] == known + 1, 30) - written)


def _write(engine: Hosted, paths: list[Path], rate: int, seconds: float) -> tuple[float, int]:
    """Append rows in turn to many runs; return the engine's processor share in per cent, and the rows written."""
    files = [path.open("ab", buffering=0) for path in paths]
    numbers = data.values(int(rate * seconds * 2), len(data.METRICS), seed=5).tolist()
    before, start, written = engine.usage, time.monotonic(), 0
    try:
        while (elapsed := time.monotonic() - start) < seconds:
            while written < min(elapsed * rate, len(numbers)):
                files[written % len(files)].write(data.row(10 + written // len(files), numbers[written]))
                written += 1
            time.sleep(_BEAT_S)
    finally:
        for file in files:
            file.close()
    return engine.usage.since(before).cpu_s / seconds * 100, written

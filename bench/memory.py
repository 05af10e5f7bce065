"""What the store keeps in memory for each point."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench import data
from bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.context import Context

_CHILD = """
import gc, sys, psutil
import numpy as np
from pathlib import Path
from bench.reading import format_named, read_all
me = psutil.Process()
small, large = Path(sys.argv[1]), Path(sys.argv[2])
read_all(small, format_named("jsonl"))
gc.collect()
before = me.memory_info().rss
frame = read_all(large, format_named("jsonl"))
for name in frame.names:
    series = frame.view(name)
    series.bins(np.linspace(0, len(series.values), 241), "step")
gc.collect()
print((me.memory_info().rss - before) / frame.resident_points, frame.nbytes / frame.resident_points)
"""


def bench_store(context: Context) -> Iterator[Figure]:
    """Measure in fresh processes: growth of resident memory, pyramids drawn once, divided by the points."""
    small = data.write_metrics(context.work / "small.jsonl", 2000)
    large = data.write_metrics(context.work / "large.jsonl", context.pick(100_000, 40_000))
    resident, held = [], []
    for _ in range(context.pick(3, 2)):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, small, large], stdout=subprocess.PIPE, text=True, check=True
        )
        a, b = map(float, done.stdout.split())
        resident.append(a)
        held.append(b)
    yield Figure("store: resident bytes a point", "B", resident, Target(24.0), note="growth of RSS, pyramids included")
    yield Figure("store: bytes a point in columns", "B", held)

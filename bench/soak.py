"""A soak of 72 h opened; and minutes of appends, a scaled stand-in for days of watching.

Memory must grow by no more than the points that were stored.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from bench import data
from bench.figure import Figure, Target
from bench.hosted import Hosted
from bench.soakdir import bench_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.context import Context

_RATE: Final = 50
_BEAT_S: Final = 0.1
_SAMPLE_S: Final = 0.5
_BATCHES: Final = 10
_T_95: Final = 2.306
"""Student's t for 95 % with `_BATCHES` - 2 degrees of freedom."""
_POINT_BYTES: Final = 24.0
"""What a point may cost at most (the store's own target)."""


def bench_soak(context: Context) -> Iterator[Figure]:
    """Open a soak; append to one run for minutes and, after a third, regress memory on the points stored."""
    yield from bench_directory(context)
    seconds = context.pick(80, 10)
    path = data.write_metrics(context.work / "run" / "metrics.jsonl", 1000)
    with Hosted(context.work) as engine:
        engine.wait(lambda said: said["runs"] == 1 and not said["scanning"])
        samples = _append(engine, path, seconds)
    late = samples[len(samples) // 3 :]
    slope, half = regress([points for points, _ in late], [rss for _, rss in late])
    added = late[-1][0] - late[0][0]
    note = (
        f"{added} points in {seconds * 2 // 3} s; 95 % interval {slope - half:.1f} … {slope + half:.1f}; "
        f"what it allows beyond the points stored is a leak"
    )
    yield Figure("soak: resident growth a stored point", "B", [slope], Target(_POINT_BYTES), note=note)


def _append(engine: Hosted, path: Path, seconds: int) -> list[tuple[int, int]]:
    """Append rows at a steady rate; return (points stored, resident bytes) twice a second."""
    numbers = data.values(_RATE * seconds, len(data.METRICS), seed=7).tolist()
    samples, written, asked, start = [], 0, 0.0, time.monotonic()
    with path.open("ab", buffering=0) as out:
        while (elapsed := time.monotonic() - start) < seconds:
            due = min(int(elapsed * _RATE), len(numbers))
            out.write(b"".join(data.row(1001 + i, numbers[i]) for i in range(written, due)))
            written = due
            if elapsed >= asked:
                samples.append((engine.points(), engine.usage.rss))
                asked += _SAMPLE_S
            time.sleep(_BEAT_S)
    return samples


def regress(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return the least-squares slope of y on x and the half width of its 95 % interval.

    Both are averaged in ten batches first, since neighbouring samples of memory are anything but independent.
    """
    xs = np.array([part.mean() for part in np.array_split(np.asarray(x, np.float64), _BATCHES)])
    ys = np.array([part.mean() for part in np.array_split(np.asarray(y, np.float64), _BATCHES)])
    spread = float(((xs - xs.mean()) ** 2).sum())
    slope = float(((xs - xs.mean()) * (ys - ys.mean())).sum()) / spread
    rest = ys - ys.mean() - slope * (xs - xs.mean())
    return slope, _T_95 * math.sqrt(float((rest**2).sum()) / (_BATCHES - 2) / spread)

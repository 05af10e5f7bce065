"""Synthetic runs for the ETA tests: rows of (step, wall) from step-time processes that training boxes show."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

Rows = tuple[list[int], list[float]]
START = 1_700_000_000.0


def rows(step_times: list[float], every: int = 1, pauses: dict[int, float] | None = None) -> Rows:
    """Log every `every` steps; `pauses[step]` is spent after the row of that step."""
    wall, steps, walls = START, [], []
    for i, seconds in enumerate(step_times, 1):
        wall += seconds
        if i % every == 0:
            steps.append(i)
            walls.append(wall)
        wall += (pauses or {}).get(i, 0.0)
    return steps, walls


def noise(rng: random.Random, n: int, sigma: float) -> list[float]:
    return [math.exp(rng.gauss(0.0, sigma)) for _ in range(n)]


def iid(rng: random.Random) -> Rows:
    return rows(noise(rng, 3000, 0.2), every=10)


def short(rng: random.Random) -> Rows:
    return rows(noise(rng, 120, 0.25), every=2)


def heavy(rng: random.Random) -> Rows:
    times = [0.5 + 0.3 * rng.paretovariate(2.5) for _ in range(3000)]
    return rows(times, every=5)


def autocorrelated(rng: random.Random) -> Rows:
    x, times = rng.gauss(0.0, 0.2), []
    for _ in range(3000):
        x = 0.95 * x + math.sqrt(1 - 0.95**2) * rng.gauss(0.0, 0.2)
        times.append(math.exp(x))
    return rows(times, every=5)


def wandering(rng: random.Random) -> Rows:
    level, times = 0.0, []
    for _ in range(3000):
        level += rng.gauss(0.0, 0.004)
        times.append(math.exp(level + rng.gauss(0.0, 0.15)))
    return rows(times, every=10)


def drift(rng: random.Random) -> Rows:
    slope = rng.uniform(-0.25, 0.35)
    return rows([t * (1 + slope * i / 3000) for i, t in enumerate(noise(rng, 3000, 0.15))], every=10)


def level_shift(rng: random.Random) -> Rows:
    at, factor = rng.randrange(300, 1500), rng.uniform(0.7, 1.5)
    return rows([t * (factor if i > at else 1.0) for i, t in enumerate(noise(rng, 3000, 0.1))], every=10)


def evals(rng: random.Random) -> Rows:
    pauses = {s: 40.0 * math.exp(rng.gauss(0.0, 0.05)) for s in range(150, 3000, 150)}
    return rows(noise(rng, 3000, 0.15), every=10, pauses=pauses)


def evals_and_saves(rng: random.Random) -> Rows:
    pauses = {s: 15.0 * math.exp(rng.gauss(0.0, 0.1)) for s in range(100, 3000, 100)}
    for s in range(500, 3000, 500):
        pauses[s] = pauses.get(s, 0.0) + rng.uniform(20.0, 40.0)
    return rows(noise(rng, 3000, 0.15), every=5, pauses=pauses)


def buffered(rng: random.Random) -> Rows:
    """Rows that carry no time and reach the file in bursts of whole lines: their wall is the burst's."""
    steps, walls = rows(noise(rng, 3000, 0.2), every=2)
    arrived, pending = [], []
    for i in range(len(steps)):
        pending.append(i)
        if len(pending) == 29 or i == len(steps) - 1:
            arrived += [walls[i]] * len(pending)
            pending = []
    return steps, arrived


def one_stall(rng: random.Random) -> Rows:
    at = rng.randrange(400, 2600)
    return rows(noise(rng, 3000, 0.15), every=10, pauses={at: rng.uniform(200.0, 900.0)})


def slow_start(rng: random.Random) -> Rows:
    times = noise(rng, 2000, 0.1)
    times[0] += 60.0
    return rows(times, every=1)


PROCESSES: dict[str, Callable[[random.Random], Rows]] = {
    p.__name__: p
    for p in (
        iid, short, heavy, autocorrelated, wandering, drift, level_shift,
        evals, evals_and_saves, buffered, one_stall, slow_start,
    )
}  # fmt: skip


def resumed(rng: random.Random) -> tuple[Rows, Rows, int]:
    """A run killed at a random step and resumed from its checkpoint after a down time: two legs, and the step."""
    killed = rng.randrange(400, 1600)
    checkpoint = killed // 200 * 200
    first = rows(noise(rng, killed, 0.15), every=5)
    steps, walls = rows(noise(rng, 3000 - checkpoint, 0.15), every=5)
    down = first[1][-1] - START + rng.uniform(60.0, 4000.0)
    return first, ([s + checkpoint for s in steps], [w + down for w in walls]), checkpoint + 5

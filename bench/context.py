"""What every benchmark is given, and the clock work that several of them share."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.anchors import Anchors

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Context:
    """`work` is an empty folder of the benchmark's own, deleted after it; `quick` asks for smaller inputs."""

    work: Path
    anchors: Anchors
    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """Return the size of an input."""
        return quick if self.quick else full


def timed(call: Callable[[], Result], *, cpu: bool = False) -> tuple[float, Result]:
    """Return how long a call took in seconds (of this thread's processor time where `cpu`), and its result."""
    clock = time.thread_time if cpu else time.perf_counter
    gc.collect()
    start = clock()
    result = call()
    return clock() - start, result


def interleaved(times: int, *calls: Callable[[], float]) -> list[list[float]]:
    """Call each in turn, `times` rounds, so that whatever else the machine does hits all alike; one sample a call."""
    samples: list[list[float]] = [[] for _ in calls]
    for _ in range(times):
        for sample, call in zip(samples, calls, strict=True):
            sample.append(call())
    return samples

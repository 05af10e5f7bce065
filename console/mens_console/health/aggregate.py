"""Attempt logs counted once, from their beginning to their end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mens_console.health.follow import Follower
from mens_console.signals.generation import BATCH_SIZE, USD_PER_1000_TOKENS, HealthReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mens_console.health.fold import By

_WAIT_S: Final = 0.25


def aggregate(
    paths: Sequence[Path | str],
    *,
    batch_size: int = BATCH_SIZE,
    usd_per_1000: float = USD_PER_1000_TOKENS,
    workers: int = 0,
    cache: Path | None = None,
    by: By = "batch",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HealthReport:
    """Return the report of some logs, read in the order given; logs that are gzip end in `.gz`.

    A log's last line counts without a newline, too. `progress` is told the bytes that were read and all of them.
    Raises `ValueError` for a batch size below 1; what keeps a log from being read is in the report's sources.
    """
    follower = Follower(paths, batch_size=batch_size, usd_per_1000=usd_per_1000, cache=cache, workers=workers, by=by)
    try:
        while follower.poll(time.time(), final=True) or follower.more:
            progress(*follower.progress)
            follower.wait(_WAIT_S)
        return follower.report
    finally:
        follower.close()

"""Who feeds which reader of a run or of attempt logs: the producer's field, its alias here, or none and the nearest.

It reads views alone, so that screens and documents say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mens_console.ingest.aliases import nearest
from mens_console.signals.kpivalues import Feed
from mens_console.signals.readers import HEALTH, RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.generation import HealthReport
    from mens_console.signals.readers import Reader
    from mens_console.store.snapshot import RunView


def run_feeds(run: RunView, readers: Sequence[Reader] = RUN) -> tuple[Feed, ...]:
    """Return a feed for each reader of a run's series."""
    return tuple(_of_run(reader, run) for reader in readers)


def _of_run(reader: Reader, run: RunView) -> Feed:
    for wanted in reader.wants:
        series = run.series.get(wanted)
        if series is None or not series.points:
            continue
        spelling = run.spelled.get(wanted, wanted)
        state: Literal["fed", "alias"] = "fed" if spelling == reader.wants[0] else "alias"
        return Feed(reader.name, reader.wants[0], state, spelling, series.source, series.points)
    seen = [*run.series, *run.spelled.values()]
    near = next(iter(nearest(reader.wants[0], seen, 1)), "")
    named = next((name for name, spelling in run.spelled.items() if spelling == near), near)
    shown = run.spelled.get(near, near)
    told = run.series.get(named)
    if told is None:
        return Feed(reader.name, reader.wants[0], "underfed", nearest=shown)
    return Feed(reader.name, reader.wants[0], "underfed", "", told.source, told.points, shown)


def health_feeds(report: HealthReport, readers: Sequence[Reader] = HEALTH) -> tuple[Feed, ...]:
    """Return a feed for each indicator of generation health, by the fields that the logs' attempts carried."""
    carried: dict[str, int] = {}
    for judged in report.batches:
        for field, rows in judged.batch.measured.items():
            carried[field] = carried.get(field, 0) + rows
    unknown: dict[str, int] = {}
    for source in report.sources:
        for field, rows in source.unknown_fields.items():
            unknown[field] = unknown.get(field, 0) + rows
    paths = ", ".join(source.path for source in report.sources)
    return tuple(_of_logs(reader, carried, unknown, paths) for reader in readers)


def _of_logs(reader: Reader, carried: dict[str, int], unknown: dict[str, int], paths: str) -> Feed:
    wanted = reader.wants[0]
    if rows := carried.get(wanted, 0):
        return Feed(reader.name, wanted, "fed", wanted, paths, rows)
    near = next(iter(nearest(wanted, unknown, 1)), "")
    return Feed(reader.name, wanted, "underfed", "", paths if near else "", unknown.get(near, 0), near)

"""Who feeds which reader of a run or of attempt logs: the producer's field, its alias here, or none and the nearest.

It reads views alone, so that screens and documents say the same.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.ingest.aliases import nearest
from mens_console.ingest.text import safe_text
from mens_console.signals.kpivalues import Feed
from mens_console.signals.readers import HEALTH, RUN
from mens_console.signals.system import is_system
from mens_contracts.aliases import spellings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.generation import HealthReport
    from mens_console.signals.readers import Reader
    from mens_console.store.snapshot import RunView

MEANT: Final = spellings("mens_generation_attempt_v1")
"""The field of an attempt that each other name means."""


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
    seen = [*(name for name in run.series if not is_system(name)), *run.spelled.values()]
    near = next(iter(nearest(reader.wants[0], seen, 1)), "")
    named = next((name for name, spelling in run.spelled.items() if spelling == near), near)
    shown = run.spelled.get(near, near)
    told = run.series.get(named)
    if told is None:
        return Feed(reader.name, reader.wants[0], "underfed", nearest=shown)
    return Feed(reader.name, reader.wants[0], "underfed", "", told.source, told.points, shown)


def health_feeds(report: HealthReport, readers: Sequence[Reader] = HEALTH) -> tuple[Feed, ...]:
    """Return a feed for each indicator of generation health, by the fields that the logs' attempts carried."""
    carried = {
        wanted: sum(judged.batch.told(wanted) for judged in report.batches) for wanted in {r.wants[0] for r in readers}
    }
    further: dict[str, int] = {}
    for source in report.sources:
        for field, rows in source.unknown_fields.items():
            further[field] = further.get(field, 0) + rows
    paths = ", ".join(source.path for source in report.sources)
    return tuple(_of_logs(reader, carried, further, report.tier.attempts, paths) for reader in readers)


def _of_logs(reader: Reader, carried: Mapping[str, int], further: Mapping[str, int], attempts: int, paths: str) -> Feed:
    """Return what feeds a reader: the field's own name, or another that most of its values came under."""
    wanted = reader.wants[0]
    rows = carried.get(wanted, 0)
    near = "" if rows >= attempts else next(iter(nearest(wanted, further.keys() - MEANT.keys(), 1)), "")
    if not rows:
        return Feed(reader.name, wanted, "underfed", "", paths if near else "", further.get(near, 0), near)
    other = max((name for name in further if MEANT.get(name) == wanted), key=further.__getitem__, default="")
    if further.get(other, 0) * 2 > rows:
        return Feed(reader.name, wanted, "alias", other, paths, rows, near)
    return Feed(reader.name, wanted, "fed", wanted, paths, rows, near)


def feed_documents(feeds: Sequence[Feed]) -> list[dict[str, Any]]:
    """Return feeds as plain JSON values, foreign names made safe."""
    return [
        {key: safe_text(value) if isinstance(value, str) else value for key, value in asdict(feed).items()}
        for feed in feeds
    ]


def strange(report: HealthReport) -> tuple[dict[str, str], dict[str, int]]:
    """Return what logs hold that the contract does not name: other names by the field meant, and rows by any others."""
    known: dict[str, str] = {}
    odd: dict[str, int] = {}
    for source in report.sources:
        for name, rows in source.unknown_fields.items():
            if name in MEANT:
                known[name] = MEANT[name]
            else:
                odd[name] = odd.get(name, 0) + rows
    return known, odd

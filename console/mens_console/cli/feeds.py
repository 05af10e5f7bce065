"""What `doctor` says of contract drift: for every reader which producer's field feeds it, and what nothing feeds.

Runs, attempt logs and KPI records are read for it, as `status` does; nothing is judged or written.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.common import Meter
from mens_console.signals.human import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mens_console.cli.doctor import Level
    from mens_console.config import Settings
    from mens_console.signals.kpivalues import Feed

_NAMED = 3


def drift(settings: Settings) -> Iterator[tuple[Level, str]]:
    """Yield level and sentence for every reader; one sentence where there is nothing to read."""
    by_reader = _feeds(settings)
    if not by_reader:
        yield "note", "no runs, attempt logs or KPI records were found, so nothing feeds their readers"
    for reader, feeds in by_reader.items():
        yield _said(reader, feeds)


def _feeds(settings: Settings) -> Mapping[str, list[tuple[str, Feed]]]:
    """Return by reader the runs (or other places) that it reads, and what feeds it there."""
    from mens_console.kpi.find import TRAINING_NAMES, files_of
    from mens_console.kpi.follow import read_all
    from mens_console.store.engine import Engine
    from mens_console.store.feeds import health_feeds, run_feeds

    with Meter(sys.stderr) as meter:
        snapshot = Engine(settings.roots, settings, watch=False).load(meter.tell, logs=True)
    found: dict[str, list[tuple[str, Feed]]] = {}
    told = [(run.name, run_feeds(run)) for run in snapshot.runs]
    told += [(view.name, health_feeds(view.report)) for view in snapshot.health]
    files = [Path(path) for path in files_of(settings.roots)]
    records = read_all([path for path in files if path.name not in TRAINING_NAMES], time.time())
    told.append(("KPI records", records.report.feeds))
    records.close()
    for place, feeds in told:
        for feed in feeds:
            found.setdefault(feed.reader, []).append((place, feed))
    return found


def _said(reader: str, feeds: Sequence[tuple[str, Feed]]) -> tuple[Level, str]:
    """Return what feeds a reader, by the spelling, and where nothing does."""
    spelled: dict[str, list[tuple[str, Feed]]] = {}
    for place, feed in feeds:
        spelled.setdefault(feed.field, []).append((place, feed))
    missing = spelled.pop("", [])
    parts = []
    for field, fed in spelled.items():
        rows = sum(feed.rows for _, feed in fed)
        alias = f" as {fed[0][1].wants}" if fed[0][1].state == "alias" else ""
        beside = next((feed.nearest for _, feed in fed if feed.nearest), "")
        lacks = f", and where that lacks {beside} is nearest" if beside else ""
        parts.append(f"fed by {field}{alias} ({_places(fed)}, {count(rows)} points{lacks})")
    if missing:
        near = next((feed.nearest for _, feed in missing if feed.nearest), "")
        parts.append(
            f"UNDERFED ({_places(missing)}): wants {missing[0][1].wants}" + (f", nearest seen {near}" if near else "")
        )
    level: Level = "warn" if missing and not spelled else "note" if missing else "ok"
    if missing and not any(feed.nearest for _, feed in missing):
        level = "note"  # nobody logs it: that is no drift of names
    return level, f"{reader}: {'; '.join(parts)}"


def _places(fed: Sequence[tuple[str, Feed]]) -> str:
    names = [place for place, _ in fed]
    return ", ".join(names) if len(names) <= _NAMED else f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"

"""The attempt logs of a box in the status document: which fields feed their indicators.

Logs that were left unread are looked at from either end, since `status` is a short answer; `health` counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text
from mens_console.store.feeds import feed_documents, health_feeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mens_console.signals.generation import HealthReport
    from mens_console.store.snapshot import Snapshot


def log_documents(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the attempt logs of every folder that has some."""
    return [_document(*one) for one in (*_read(snapshot), *_unread(snapshot))]


def _read(snapshot: Snapshot) -> Iterator[tuple[str, Sequence[Path], HealthReport]]:
    return ((view.name, view.paths, view.report) for view in snapshot.health)


def _unread(snapshot: Snapshot) -> Iterator[tuple[str, Sequence[Path], HealthReport]]:
    if not snapshot.unread_logs:
        return
    from mens_console.health.glance import glance  # NumPy and the types of rows: half of what a status takes

    for name, paths in snapshot.unread_logs.items():
        yield name, paths, glance(paths)


def _document(name: str, paths: Sequence[Path], report: HealthReport) -> dict[str, Any]:
    return {
        "name": safe_text(name),
        "paths": [safe_text(str(path), 4096) for path in paths],
        "bytes": report.size,
        "bytes_looked_at": report.done,
        "attempts": report.tier.attempts,
        "problems": [safe_text(source.problem, 2000) for source in report.sources if source.problem],
        "feeds": feed_documents(health_feeds(report)),
    }

"""Log streams that belong to no run, such as a model server's: where they are, how large, and when written to.

Nothing of them is read here: whoever shows a log reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.store.snapshot import StrayView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.ingest.found import FoundRecord

MOST: Final = 500
"""Streams that are told of; the first by their paths."""


class StrayLogs:
    """The streams that the last search found."""

    def __init__(self) -> None:
        self.views: tuple[StrayView, ...] = ()

    def admit(self, found: Iterable[FoundRecord]) -> bool:
        """Take in what a search found; say whether anything is new: a stream, or that one has grown."""
        views = tuple(view for record in list(found)[:MOST] if (view := _view(record)) is not None)
        changed, self.views = views != self.views, views
        return changed


def _view(record: FoundRecord) -> StrayView | None:
    try:
        status = record.path.stat()
    except OSError:
        return None  # gone since; the next search finds out
    return StrayView(record.id, record.path, status.st_size, status.st_mtime)

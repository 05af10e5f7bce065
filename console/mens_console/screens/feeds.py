"""Who feeds which reader, on screen: the drift map of attempt logs and of records of KPIs.

From feeds to lines; what feeds what is found out by `store.feeds` and `kpi.feeds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.kpitable import file_names
from mens_console.signals.human import step
from mens_console.store.feeds import health_feeds
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.screens.sheet import Line
    from mens_console.screens.words import Ink
    from mens_console.signals.generation import HealthReport
    from mens_console.signals.kpivalues import Feed
    from mens_console.store.snapshot import HealthView

FEEDS: Final[dict[str, tuple[str, str, Ink, int]]] = {
    "underfed": ("○", "UNDERFED", "warn", 0),
    "alias": ("≈", "alias", "accent", 1),
    "fed": ("•", "fed", "muted", 2),
}
"""Glyph, word, ink and rank of who feeds a reader; what is missing comes first."""


class FedLogs:
    """Who feeds the indicators of attempt logs, found out anew only where a log has changed: it takes every batch."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[HealthReport, tuple[Feed, ...]]] = {}

    def of(self, views: Iterable[HealthView]) -> tuple[Feed, ...]:
        """Return the feeds of these logs, one log after the other."""
        self._known = {view.id: self._fed(view) for view in views}
        return tuple(feed for _, feeds in self._known.values() for feed in feeds)

    def _fed(self, view: HealthView) -> tuple[HealthReport, tuple[Feed, ...]]:
        known = self._known.get(view.id)
        return known if known is not None and known[0] is view.report else (view.report, health_feeds(view.report))


def feed_lines(feeds: Sequence[Feed], width: int) -> list[Line]:
    """Return which field feeds each reader, those that nothing feeds first."""
    lines: list[Line] = []
    for feed in sorted(feeds, key=lambda one: (FEEDS[one.state][3], one.reader, one.wants)):
        glyph, word, ink, _ = FEEDS[feed.state]
        reader = fit(safe_text(feed.reader, 60), max(12, min(30, width // 3)))
        lines.append(
            ((f"{glyph} ", ink), (reader, ""), (fit(f" {_fed(feed, word)}", max(width - len(reader) - 2, 1)), ink))
        )
    return lines or [(("nothing was read that a reader could be fed from", "muted"),)]


def _fed(feed: Feed, word: str) -> str:
    source = f" · {safe_text(file_names(feed.source), 120)}" if feed.source else ""
    if feed.state == "underfed":
        near = f", nearest {safe_text(feed.nearest, 60)}" if feed.nearest else ", nothing like it was seen"
        return f"{word} {safe_text(feed.wants, 60)}{near}{source}"
    rows = f" · {step(feed.rows)} rows" if feed.rows else ""
    near = f", where it lacks {safe_text(feed.nearest, 60)}" if feed.nearest else ""
    if feed.state == "alias":
        return f"{safe_text(feed.field, 60)} for {safe_text(feed.wants, 60)}{rows}{near}{source}"
    return f"{safe_text(feed.field or feed.wants, 60)}{rows}{near}{source}"


def feed_summary(feeds: Sequence[Feed]) -> Line:
    """Return how many readers are fed, by alias, and not at all."""
    counts = {state: sum(one.state == state for one in feeds) for state in FEEDS}
    text = f"{counts['fed']} fed · {counts['alias']} by alias"
    under = counts["underfed"]
    return ((text, "muted"), (f" · {under} UNDERFED" if under else "", "warn"))

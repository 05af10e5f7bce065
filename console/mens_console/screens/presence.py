"""Whether somebody sits before the console: one that runs on in a detached terminal is left without being quit.

Who touches it again after long is told that something happened, and finds it under the same key as after a launch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from textual import events

from mens_console.signals.human import some, span

if TYPE_CHECKING:
    from mens_console.screens.app import ConsoleApp
    from mens_console.store.digest import Digest

IDLE_S: Final = 1800.0
"""Who touches nothing for so long has left, as far as anybody can tell."""
TELL_S: Final = 5.0
"""Between two words to the engine that somebody is there."""
_SIGNS: Final = (events.Key, events.MouseDown, events.MouseScrollDown, events.MouseScrollUp, events.AppFocus)


class Presence:
    """When the console was touched last, and since when nobody had before that; it was started at `now` (all s)."""

    def __init__(self, now: float) -> None:
        self.away_since = math.nan
        self._touched_at = now
        self._told_at = -math.inf

    def feel(self, app: ConsoleApp, event: events.Event) -> None:
        """Take an event in; the first sign of life after a long silence is answered."""
        if not isinstance(event, _SIGNS):
            return
        now, before = app.clock(), self._touched_at
        self._touched_at = now
        if not 0.0 <= now - self._told_at < TELL_S:
            self._told_at = now
            app.engine.touch(now)
        if now - before >= IDLE_S and not app.snapshot.replay:
            self.away_since = before
            app.call_later(self._answer, app, before)

    def _answer(self, app: ConsoleApp, since: float) -> None:
        from mens_console.screens.digest import news_since

        found = news_since(app.snapshot, since, app.now())
        if told := summary(found):
            text = f"Untouched for {span(60 * round((found.now - since) / 60))}: {told}. u on Alerts (8) tells."
            app.notify(text, title="Since you left", timeout=15, markup=False)


def summary(found: Digest) -> str:
    """Return what happened in a few words, "" where nothing worth a notice did."""
    failed = sum(news.state != "finished" for news in found.ended)
    parts = [
        f"{some(failed, 'run')} failed" * bool(failed),
        f"{some(len(found.ended) - failed, 'run')} finished" * (len(found.ended) > failed),
        f"{some(len(found.fired), 'alert')} fired" * bool(found.fired),
        f"{some(len(found.resolved), 'alert')} resolved" * bool(found.resolved),
    ]
    return ", ".join(filter(None, parts))

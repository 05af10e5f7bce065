"""Whether a critical alert fired just now: what deserves the terminal's bell, once.

It only remembers what was on before; ringing is the app's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.screens.words import ALERT_OVER

if TYPE_CHECKING:
    from mens_console.store.snapshot import Snapshot


class Bell:
    """Tells news from history: what was on when a run was first seen or fully read is no news."""

    def __init__(self) -> None:
        self._on: set[tuple[str, str]] = set()
        self._live: set[str] = set()
        """Runs whose history had been read when they were last seen."""
        self._complete = False

    def rings(self, snapshot: Snapshot) -> bool:
        """Return whether a critical alert is on that was not on in the last snapshot, in a run that was live there."""
        criticals = {
            (run.id, alert.fingerprint)
            for run in snapshot.runs
            for alert in run.alerts
            if str(alert.severity) == "critical" and str(alert.state) not in ALERT_OVER
        }
        news = {run for run, _ in criticals - self._on} & self._live
        # Until everything was read once, every run is history.
        self._complete = self._complete or not snapshot.scanning
        self._live = {run.id for run in snapshot.runs if run.backlog is None} if self._complete else set()
        self._on = criticals
        return bool(news) and not snapshot.replay

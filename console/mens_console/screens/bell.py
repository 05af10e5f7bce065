"""Whether a critical alert fired just now: what deserves the terminal's bell and its notification, once.

It remembers what was on before; which alerts there are is the engine's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.words import ALERT_OVER, silenced
from mens_console.store.snapshot import GENERATION, SOAK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mens_console.screens.app import ConsoleApp
    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import Snapshot

BOX = ""
"""Stands for the machine, where a run has its id."""
News = tuple[str, "AlertView"]
"""What an alert is about in words, and the alert."""


class Bell:
    """Tells news from history: what was on when a run was first seen or fully read is no news.

    An alert is news once: when it is on and neither quiet nor acknowledged for the first time. One that fired while
    it was silenced is news when the silence is over, if it still fires then; one that follows from another is not
    news when that one is dealt with.
    """

    def __init__(self) -> None:
        self._heard: set[tuple[str, str]] = set()
        """Criticals that are on and rang, or that nobody had to be told of."""
        self._live: set[str] = set()
        """Runs whose history had been read when they were last seen."""
        self._complete = False

    def news(self, snapshot: Snapshot) -> list[News]:
        """Return the critical alerts that are on and unheard of, in runs that were live in the last snapshot."""
        on = {(place, alert.fingerprint): (name, alert) for place, name, alert in _criticals(snapshot)}
        loud = {key for key, (_, alert) in on.items() if not (alert.quiet or alert.acknowledged)}
        hushed = {key for key, (_, alert) in on.items() if silenced(alert) and key[0] in self._live}
        fresh = {key for key in loud - self._heard if key[0] in self._live}
        # Until everything was read once, every run is history.
        self._complete = self._complete or not snapshot.scanning
        self._live = _live(snapshot) if self._complete else set()
        self._heard = {key for key in on if key in self._heard or key not in hushed}
        return [] if snapshot.replay else [on[key] for key in on if key in fresh]


def _live(snapshot: Snapshot) -> set[str]:
    """Return the places whose history was read, so that what happens there happens now."""
    logs = {f"{GENERATION}:{view.id}" for view in snapshot.health if view.caught_up}
    soaks = {view.entity for view in snapshot.soaks if view.caught_up}
    return {run.id for run in snapshot.runs if run.backlog is None} | logs | soaks | {BOX}


def _criticals(snapshot: Snapshot) -> Iterator[tuple[str, str, AlertView]]:
    """Yield place, name and alert of every critical that is on."""
    places = [(run.id, run.name, run.alerts) for run in snapshot.runs]
    elsewhere = (GENERATION + ":", SOAK + ":")
    others = [alert for alert in snapshot.box_alerts if not alert.entity.startswith(elsewhere)]
    for view in snapshot.health:
        alerts = tuple(alert for alert in snapshot.box_alerts if view.owns(alert.entity))
        places.append((f"{GENERATION}:{view.id}", view.name, alerts))
    for soak in snapshot.soaks:
        own = tuple(alert for alert in snapshot.box_alerts if alert.entity == soak.entity)
        places.append((soak.entity, soak.id, own))
    for place, name, alerts in [*places, (BOX, "machine", tuple(others))]:
        for alert in alerts:
            if str(alert.severity) == "critical" and str(alert.state) not in ALERT_OVER:
                yield place, name, alert


def ring(app: ConsoleApp, news: Sequence[News]) -> None:
    """Ring once for all of it, and send each to the terminal as a notification where the operator asked for that."""
    if not news:
        return
    if app.settings.bell:
        app.bell()
    if app.settings.notify.osc9:
        from mens_console.notify.osc import osc9

        for name, alert in news:
            text = f"{safe_text(name, 60)}: {safe_text(alert.message or alert.rule, 160)}"
            app.tell_terminal(osc9(text, "TMUX" in os.environ))

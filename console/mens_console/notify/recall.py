"""What the daemon saw and did while nobody looked, from the files it left: episodes of alerts, and deliveries.

Only reads; what is worth telling of it is the digest's to decide.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, read_private
from mens_console.notify.dispatch import DELIVERIES
from mens_console.notify.memory import MAX_BYTES, Memory
from mens_console.signals.rules import Severity
from mens_console.store.digest import Messages, Recalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mens_console.notify.memory import Entry

_RANKS: Final = {severity.rank: severity for severity in Severity}


def recalled(folder: Path, roots: Iterable[Path]) -> tuple[Recalled, ...]:
    """Return the episodes of alerts that daemons saw under these roots and on this machine.

    `folder` is the state directory. What cannot be read is left out: a digest without it is shorter, not wrong.
    """
    under = tuple(os.path.realpath(root) for root in roots)
    newest: dict[tuple[str, str], Entry] = {}
    for path in sorted(folder.glob("notified-*.json")):
        for key, entry in Memory(path).entries.items():
            if key not in newest or newest[key].seen_at < entry.seen_at:
                newest[key] = entry
    return tuple(
        Recalled(entry.place, entry.rule, _RANKS[entry.rank], entry.name, entry.message, entry.since, entry.ended_at)
        for entry in newest.values()
        if entry.rank in _RANKS and math.isfinite(entry.since) and _is_under(entry.place, under)
    )


def _is_under(place: str, roots: tuple[str, ...]) -> bool:
    """Say whether a place lies under a root; what has no path is the machine's and concerns everybody here."""
    path = place[place.index("/") :] if "/" in place else ""
    return not path or any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def messages(folder: Path, since: float, now: float) -> Messages:
    """Return how many messages about alerts each route took after `since` (s), in all, and which routes lost some.

    A route carries one message after the other: tries follow each other until one succeeds or the next message begins.
    """
    delivered, lost = 0, dict[str, int]()
    failing: set[str] = set()
    for row in _deliveries(folder):
        route = row["route"]
        if row["attempt"] <= 1 and route in failing:
            failing.discard(route)
        if not since < row["at"] <= now or row["kind"] != "alerts":
            continue
        if row["ok"]:
            delivered += 1
            lost[route] = lost.get(route, 0) - (route in failing)
            failing.discard(route)
        elif route not in failing:
            failing.add(route)
            lost[route] = lost.get(route, 0) + 1
    return Messages(delivered, sum(lost.values()), tuple(sorted(route for route, n in lost.items() if n)))


def _deliveries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of the log of deliveries that are whole."""
    try:
        data = read_private(folder / DELIVERIES, MAX_BYTES) or b""
    except OSError:
        return
    for line in data.splitlines():
        try:
            row = json.loads(line)
            told = {"at": float(row["at"]), "attempt": int(row["attempt"]), "ok": bool(row["ok"])}
            yield {**told, "kind": str(row["kind"]), "route": str(row["route"])}
        except DAMAGE:
            continue

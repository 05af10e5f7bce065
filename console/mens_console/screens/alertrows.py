"""One alert as one row of the alerts table: the columns, the orders, the filters, and who stands under whom.

Pure functions from views to cells; no widget is touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.query import Terms
from mens_console.screens.rows import TONES
from mens_console.screens.words import SEVERITY_LOOKS, STANDINGS, age, loud, silenced, standing
from mens_console.signals.human import duration, number, step
from mens_console.store.snapshot import GENERATION, SOAK
from mens_widgets.grid import GAP, LEAD, Cell, Column, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import RunView, Snapshot

COLUMNS: Final = (
    Column("severity", "severity", 10, priority=90),
    Column("state", "state", 14, priority=95),
    Column("run", "run", 13, flex=2, priority=85, cut="middle"),
    Column("rule", "rule", 15, flex=4, priority=100),
    Column("value", "value", 8, align="right", priority=80),
    Column("limit", "limit", 10, flex=2, priority=50),
    Column("since", "since", 7, align="right", priority=75),
    Column("last", "last", 4, align="right", priority=60),
    Column("count", "count", 6, align="right", priority=45),
    Column("flaps", "flaps", 5, align="right", priority=40),
    Column("advice", "what to do", 24, flex=2, priority=30),
)
WIDEST: Final = {"run": 32, "rule": 26, "limit": 24}
"""Columns that the names of runs and of rules take where they are so long; what matters less gives way to them."""
BESIDE: Final = 54
"""Columns for what is never given up for a name: severity, state, value, since and last, and what lies between."""
MOST_COUNTED: Final = 99_999
NAN_RULES: Final = frozenset({"nan_loss", "nan_grad", "hidden_nan"})
"""Rules for which NaN is the value that was seen; elsewhere it means that nothing was measured."""
EVENTS: Final = frozenset({"events", "points"})


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert with the run it is about (None for the machine); `depth` counts the alerts that it follows from.

    `place` is what it is about in words: the run's name, or the part of the machine. Untrusted text.
    """

    run: RunView | None
    alert: AlertView
    place: str
    depth: int = 0

    @property
    def run_id(self) -> str:
        """The run's id, "" for the machine."""
        return self.run.id if self.run is not None else ""

    @property
    def key(self) -> str:
        """What names the row."""
        return f"{self.run_id}\0{self.alert.fingerprint}"


def entries(snapshot: Snapshot) -> list[Entry]:
    """Return every alert of the runs and of the machine."""
    found = [Entry(run, alert, run.name) for run in snapshot.runs for alert in run.alerts]
    return found + [Entry(None, alert, _part(alert.entity, snapshot)) for alert in snapshot.box_alerts]


def _part(entity: str, snapshot: Snapshot) -> str:
    """Return the name of a log, a soak or a part of the machine, ``GPU 0`` for ``gpu:<uuid>`` where it is known."""
    kind, _, uuid = entity.partition(":")
    if kind in (GENERATION, SOAK):
        return uuid
    gpu = snapshot.machine.gpu(uuid) if snapshot.machine is not None and kind == "gpu" else None
    return f"GPU {gpu.index}" if gpu is not None else entity or "machine"


# Which are shown


class Filter(NamedTuple):
    """One way to choose: its name for people, and whether an alert is wanted."""

    name: str
    wants: Callable[[AlertView], bool]


FILTERS: Final = (
    # Acknowledging resolves a latched alert; it must not make it disappear from under the operator's eyes.
    Filter("on now", lambda a: a.active or (a.latched and a.acknowledged)),
    Filter("all", lambda _: True),
    Filter("silenced", silenced),
    Filter("resolved", lambda a: not a.active and not a.held),
    Filter("held to the end", lambda a: a.held),
)


class AlertQuery(Terms):
    """Terms about an alert.

    ``word`` looks in run, rule, message and where it stands; ``run:``, ``rule:``, ``state:`` (``on`` for what fires
    and is not quiet), ``severity:`` and ``message:`` look in one place; a leading ``-`` excludes.
    """

    def matches(self, entry: Entry) -> bool:
        """Return whether an alert is wanted."""
        return self.hold(lambda field: _values(field, entry))


def _values(field: str, entry: Entry) -> list[str]:
    alert = entry.alert
    state = [str(alert.state), STANDINGS[standing(alert)][1], *["latched"] * alert.latched, *["on"] * loud(alert)]
    state += ["acknowledged"] * alert.acknowledged + ["silenced"] * silenced(alert)
    known = {
        "run": [entry.run_id, entry.place],
        "rule": [alert.rule],
        "state": state,
        "severity": [str(alert.severity)],
        "message": [alert.message],
    }
    if field:
        return known.get(field, [])
    return [text for name in ("run", "rule", "message", "severity") for text in known[name]] + state


# In which order


class Order(NamedTuple):
    """One way to sort: its name for people, the column it shows at, and its key."""

    name: str
    column: str
    key: Callable[[Entry], tuple[object, ...]]


def _moment(wall: float) -> float:
    return wall if math.isfinite(wall) else -math.inf


def _worst(entry: Entry) -> tuple[object, ...]:
    alert = entry.alert
    rank = list(SEVERITY_LOOKS).index(str(alert.severity)) if str(alert.severity) in SEVERITY_LOOKS else 9
    waits = str(alert.state) == "pending"
    return (not alert.active, alert.quiet, waits, rank, alert.acknowledged, *_newest(entry))


def _newest(entry: Entry) -> tuple[object, ...]:
    return (-_moment(entry.alert.since), -(entry.alert.since_step or 0), entry.alert.rule, entry.run_id)


ORDERS: Final = (
    Order("worst first", "severity", _worst),
    Order("newest first", "since", _newest),
    Order("run", "run", lambda e: (e.run is None, e.place.casefold(), *_worst(e))),
    Order("rule", "rule", lambda e: (e.alert.rule, *_worst(e))),
    Order("most often", "count", lambda e: (-e.alert.count, *_worst(e))),
)


def ordered(found: Iterable[Entry], order: Order) -> list[Entry]:
    """Return the alerts in an order, each that follows from another one right under that one."""
    rows = sorted(found, key=order.key)
    by_rule = {(entry.run_id, entry.alert.entity, entry.alert.rule): entry.key for entry in rows}
    under: dict[str, list[Entry]] = {}
    tops = []
    for entry in rows:
        cause = by_rule.get((entry.run_id, entry.alert.entity, entry.alert.inhibited_by))
        if cause is None or cause == entry.key:
            tops.append(entry)
        else:
            under.setdefault(cause, []).append(entry)
    out: list[Entry] = []
    for entry in tops:
        _place(entry, 0, under, out)
    while under:  # alerts that name each other in a ring have no top of their own
        _place(under[next(iter(under))].pop(0), 0, under, out)
        under = {cause: waiting for cause, waiting in under.items() if waiting}
    return out


def _place(entry: Entry, depth: int, under: dict[str, list[Entry]], out: list[Entry]) -> None:
    out.append(replace(entry, depth=depth) if depth else entry)
    for follower in under.pop(entry.key, ()):
        _place(follower, depth + 1, under, out)


# What a row says


def columns_for(shown: Iterable[Entry], width: int) -> tuple[Column, ...]:
    """Return the columns for these alerts in `width` cells, such that names are told in full where that can be."""
    rule = run = limit = 0
    for entry in shown:
        rule = max(rule, 2 * entry.depth + len(entry.alert.rule))
        limit = max(limit, cell_len(limit_text(entry.alert)))
        run = max(run, cell_len(entry.place[: WIDEST["run"]]))
    room = width - BESIDE
    least = {column.key: column.width for column in COLUMNS}
    asked = {"rule": min(rule, WIDEST["rule"], room - least["run"])}
    asked["run"] = min(run, room - max(asked["rule"], least["rule"]))
    columns = tuple(
        replace(column, width=asked[column.key], flex=1) if asked.get(column.key, 0) > column.width else column
        for column in COLUMNS
    )
    return _with_limit(columns, min(limit, WIDEST["limit"]), width)


def _with_limit(columns: tuple[Column, ...], asked: int, width: int) -> tuple[Column, ...]:
    """Return the columns with the limits in full, as far as no other column is lost; advice is told below, too."""
    spare = width - LEAD - sum(column.width + GAP for column in columns if column.key != "advice")
    limit = next(column for column in columns if column.key == "limit")
    room = limit.width + max(0, min(asked - limit.width, spare))
    full = replace(limit, width=room, flex=0 if room >= asked else limit.flex)
    return tuple(full if column is limit else column for column in columns)


def rev_of(entry: Entry, now: float) -> tuple[object, ...]:
    """Return what a row depends on."""
    alert = entry.alert
    return alert, entry.place, entry.depth, since_text(alert, now), age(alert.last_seen, now)


def row_of(entry: Entry, now: float) -> Row:
    """Return the row of an alert."""
    return Row(entry.key, _cells(entry, now), rev_of(entry, now))


def severity_look(alert: AlertView) -> tuple[str, str, str]:
    """Return glyph, word and ink of an alert's severity."""
    return SEVERITY_LOOKS.get(str(alert.severity), ("?", str(alert.severity), "warn"))


def standing_look(alert: AlertView) -> tuple[str, str, str]:
    """Return glyph, word and ink of where an alert stands; one that fires has the ink of its severity."""
    name = standing(alert)
    glyph, word, ink = STANDINGS[name]
    return glyph, word, severity_look(alert)[2] if name in ("firing", "latched") else ink


def _cells(entry: Entry, now: float) -> tuple[Cell | str, ...]:
    alert = entry.alert
    sign, severity, tint = severity_look(alert)
    glyph, word, ink = standing_look(alert)
    hushed = alert.quiet or not alert.active
    muted = TONES["muted"]
    return (
        Cell(f"{sign} {severity}", muted if hushed else TONES[tint]),
        Cell(f"{glyph} {word}", TONES[ink]),
        Cell(safe_text(entry.place, 200), "" if hushed else "strong"),
        Cell("  " * (entry.depth - 1) + "└ " * bool(entry.depth) + safe_text(alert.rule, 40), muted if hushed else ""),
        Cell(value_text(alert), "critical" if not hushed and alert.value != alert.value else ""),
        Cell(limit_text(alert), muted),
        Cell(since_text(alert, now), ""),
        Cell(age(alert.last_seen, now), muted),
        Cell(f"×{alert.count}" if alert.count <= MOST_COUNTED else ">99k", muted),
        Cell(f"{alert.flaps}×" if alert.flaps else "", TONES["warn"]),
        Cell(safe_text(alert.recommendation, 300), muted if hushed else ""),
    )


TOLD: Final = ("s", "share")
"""Units that `measure` writes behind the value itself."""


def measure(value: float, unit: str) -> str:
    """Return a value in its unit, seconds as a duration, a share in percent."""
    if unit == "s" and math.isfinite(value):
        return duration(value)
    if unit == "share" and math.isfinite(value):
        return f"{100 * value:.4g} %"
    return number(value)


def value_text(alert: AlertView) -> str:
    """Return the value that was seen; ``—`` where there is none."""
    if math.isnan(alert.value):
        return "NaN" if alert.rule in NAN_RULES else "—"
    return measure(alert.value, alert.unit)


def limit_text(alert: AlertView) -> str:
    """Return the threshold with its unit; ``once`` where a single event is enough."""
    if not math.isfinite(alert.threshold):
        return "—"
    if alert.unit in EVENTS and alert.threshold <= 1:
        return "once"
    unit = "" if alert.unit in TOLD else f" {alert.unit}"
    return measure(alert.threshold, alert.unit) + unit


def since_text(alert: AlertView, now: float) -> str:
    """Return for how long it has been on, or since which step where no time is known; over: when it began."""
    text = age(alert.since, now)
    return text if text != "—" or alert.since_step is None else f"s {step(alert.since_step)}"


def walls(shown: Sequence[Entry]) -> list[float]:
    """Return the times whose ages the rows show."""
    return [wall for entry in shown for wall in (entry.alert.since, entry.alert.last_seen)]


def called(targets: Sequence[Entry]) -> str:
    """Return what some alerts are called: the one by its rule and place, several by their number."""
    if len(targets) > 1:
        return f"{len(targets)} alerts"
    return f"{safe_text(targets[0].alert.rule, 40)} of {safe_text(targets[0].place, 40)}"

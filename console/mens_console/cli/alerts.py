"""`mens-console alerts`: what fires, the operator's word on it, the rules, and a drill through every route.

It writes to the same book as the console; a console or a daemon that runs takes it up within seconds.
"""

from __future__ import annotations

import getpass
import math
import os
import socket
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mens_console.cli.common import Meter, colour, complain, one_run, settings_from
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.status import paint, plain
from mens_console.config.state import state_folder
from mens_console.ingest.text import safe_text
from mens_console.screens.words import ALERT_OVER, SEVERITY_LOOKS, STANDINGS, age, standing
from mens_console.signals.human import against, number, some, span, step
from mens_console.store.snapshot import GENERATION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from mens_console.config import Settings
    from mens_console.signals.alerts import AlertView, Silence
    from mens_console.signals.rules import Rule
    from mens_console.store.alertbook import AlertBook
    from mens_console.store.snapshot import Snapshot

LIST_SCHEMA: Final = "mens-alert-list/1"
_SHORTEST: Final = 4
"""Digits of a fingerprint or a silence's id that may stand for it."""


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    return ACTIONS[arguments.action](arguments)


# ---------------------------------------------------------------------- looking


def _list(arguments: argparse.Namespace) -> int:
    """Print the alerts that are on, the worst first; 1 if a critical one is."""
    settings = settings_from(arguments)
    snapshot = _load(settings, _book(settings))
    found = [(place, view) for place, view in _alerts(snapshot) if arguments.all or _is_on(view)]
    found.sort(key=lambda item: (not item[1].active, -item[1].severity.rank, _since(item[1]), item[0].name))
    if arguments.json:
        _print_json(_document(snapshot, found))
    elif found:
        ink = paint if colour(sys.stdout) else plain
        print("\n".join(line for place, view in found for line in _lines(place, view, snapshot.at, ink)))
    else:
        print(f"no alert is on in {_looked_at(snapshot)}")
    held = sum(view.held for run in snapshot.runs for view in run.alerts)
    if held and not arguments.all and not arguments.json:
        print(f"{held} more held until the run ended; --all shows what is over, too")
    for problem in snapshot.problems:
        if problem not in settings.problems:  # those were told when they were read
            complain(problem)
    loud = (view for _, view in found if _is_on(view) and not view.quiet)
    return NO if any(view.severity.rank == 2 for view in loud) else OK


class Place(NamedTuple):
    """What an alert is about: a run, the logs of a generation, or a soak, by name and folder."""

    name: str
    path: str


def _alerts(snapshot: Snapshot) -> list[tuple[Place, AlertView]]:
    """Return every alert of the runs, of generation and of the machine, and what it is about."""
    found = [(Place(run.id, str(run.path)), view) for run in snapshot.runs for view in run.alerts]
    for view in snapshot.box_alerts:
        log = next((log for log in snapshot.health if log.owns(view.entity)), None)
        name = view.entity if log is None else view.entity.partition(":")[2]
        path = str(log.paths[0].parent) if log is not None and log.paths else ""
        soak = next((soak for soak in snapshot.soaks if soak.entity == view.entity), None)
        found.append((Place(name, path) if soak is None else Place(soak.id, str(soak.path)), view))
    return found


def _looked_at(snapshot: Snapshot) -> str:
    logs = f" and {len(snapshot.health)} attempt log{'s' * (len(snapshot.health) != 1)}" if snapshot.health else ""
    soaks = f" and {some(len(snapshot.soaks), 'soak')}" if snapshot.soaks else ""
    return f"{some(len(snapshot.runs), 'run')}{logs}{soaks}"


def _is_on(view: AlertView) -> bool:
    return str(view.state) not in ALERT_OVER


def _since(view: AlertView) -> float:
    return -view.since if math.isfinite(view.since) else 0.0


def _lines(place: Place, view: AlertView, now: float, ink: Callable[[str, str], str]) -> list[str]:
    glyph, word, tint = SEVERITY_LOOKS[str(view.severity)]
    where = STANDINGS[standing(view)][1]
    axis = "batch" if view.entity.startswith(f"{GENERATION}:") else "step"
    at = "" if view.since_step is None else f", {axis} {step(view.since_step)}"
    head = f"{glyph} {word:<8}  {where:<12}  {view.fingerprint}  {view.rule}  {safe_text(place.name, 80)}"
    limit = f" · {against(view.value, view.threshold, view.unit)}"
    limit = limit if math.isfinite(view.threshold) else ""
    lines = [
        ink(head, tint if _is_on(view) else "muted"),
        f"    {safe_text(view.message, 300)}",
        ink(f"    since {age(view.since, now)}{at} · {_times(view, now)}{limit}", "muted"),
    ]
    if view.fired_on and view.fired_on != view.message:
        lines.append(ink(f"    it fired on: {safe_text(view.fired_on, 300)}", "muted"))
    if view.acknowledged:
        by = f" by {safe_text(view.acknowledged_by, 80)}" if view.acknowledged_by else ""
        lines.append(ink(f"    acknowledged{by}{f': {safe_text(view.note, 300)}' if view.note else ''}", "muted"))
    if not math.isnan(view.silenced_until):
        lines.append(ink(f"    silenced until {_moment(view.silenced_until)}", "muted"))
    if view.inhibited_by:
        lines.append(ink(f"    follows from {view.inhibited_by}", "muted"))
    if _is_on(view):
        lines.append(f"    → {safe_text(view.recommendation)}")
    return lines


def _times(view: AlertView, now: float) -> str:
    """Return how often it was seen, when last, and when first where that was in an earlier episode."""
    if view.count == 1:
        return "seen once"

    def when(wall: float, at_step: int | None) -> str:
        old = age(wall, now)
        unit = view.unit_of_progress
        told = [] if old == "—" else ["now" if old == "now" else f"{old} ago"]
        return " at ".join([*told, *([] if at_step is None else [f"{unit} {step(at_step)}"])]) or "at an unknown time"

    first = f", first {when(view.first_seen, view.first_step)}" if view.returned else ""
    return f"seen {step(view.count)} times{first}, last {when(view.last_seen, view.last_step)}"


def _document(snapshot: Snapshot, found: Iterable[tuple[Place, AlertView]]) -> dict[str, Any]:
    from mens_console.store.report import alert_document

    alerts = [
        {"run": safe_text(place.name), "path": safe_text(place.path), **alert_document(view)} for place, view in found
    ]
    return {"schema": LIST_SCHEMA, "generated_at": snapshot.at, "alerts": alerts}


def _rules(arguments: argparse.Namespace) -> int:
    """Print the rules as they are in force, overrides and the operator's own ones included."""
    settings = settings_from(arguments, paths=())
    rules, problems = in_force(settings)
    for problem in problems:
        complain(problem)
    if arguments.json:
        own = {rule.id for rule in settings.rules}
        _print_json([_rule_document(rule, own=rule.id in own) for rule in rules.values()])
        return OK
    width = max(len(name) for name in rules)
    for rule in rules.values():
        state = str(rule.severity) if rule.enabled else "off"
        limit = f"{number(rule.entry)} {rule.unit}" if math.isfinite(rule.entry) else "set by the driver"
        hold = f", for {span(rule.for_s)}" if rule.for_s else ""
        print(f"{rule.id:<{width}}  {state:<8}  {rule.condition} ({limit}{hold})")
    return OK


def in_force(settings: Settings) -> tuple[Mapping[str, Rule], tuple[str, ...]]:
    """Return the table of rules with the operator's overrides and own rules, and what of them cannot stand."""
    from mens_console.signals.metricrules import with_custom
    from mens_console.signals.rules import adjusted

    rules, problems = adjusted(settings.thresholds)
    return with_custom(rules, settings.rules), problems


def _rule_document(rule: Rule, *, own: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from mens_console.store.report import number as json_number

    plain_fields = {
        key: json_number(value) if isinstance(value, float) else value for key, value in asdict(rule).items()
    }
    return {**plain_fields, "severity": str(rule.severity), "custom": own}


# ---------------------------------------------------------------------- the operator's word


def _ack(arguments: argparse.Namespace) -> int:
    """Acknowledge one alert by its fingerprint."""
    settings = settings_from(arguments)
    book = _book(settings)
    snapshot = _load(settings, book)
    place, view = _alert_of(snapshot, arguments.fingerprint)
    if view.acknowledged and not arguments.note:  # a second time must not wipe out what was said the first time
        by = f" by {safe_text(view.acknowledged_by, 80)}" if view.acknowledged_by else ""
        note = f": {safe_text(view.note, 300)}" if view.note else ""
        print(f"{view.rule} of {safe_text(place.name)} was acknowledged{by}{note}; --note TEXT says something else")
        return OK
    book.acknowledge(view, by=author(), at=time.time(), note=arguments.note)
    _must_be_kept(book)
    print(f"acknowledged: {view.rule} of {safe_text(place.name)} ({safe_text(view.message, 200)})")
    return OK


def _alert_of(snapshot: Snapshot, name: str) -> tuple[Place, AlertView]:
    """Return the alert that is on and whose fingerprint begins so. Raises `CommandError`."""
    _need_digits(name)
    on = [(place, view) for place, view in _alerts(snapshot) if _is_on(view)]
    found = [item for item in on if item[1].fingerprint.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    listed = tuple(f"{view.fingerprint}  {view.rule}  {place.name}" for place, view in (found or on)[:12])
    if found:
        raise CommandError(f"{name} is ambiguous; it could be:", listed)
    if not on:
        raise CommandError(f"{name}: no alert is on in {_looked_at(snapshot)}; `--in PATH` says where to look")
    why = "no such alert is on here (`--in PATH` says where to look; those of the machine: on screen 8)"
    raise CommandError(f"{name}: {why}; there are:", listed)


def _silence(arguments: argparse.Namespace) -> int:
    """Silence a rule, everywhere or for one run, for a while."""
    from mens_console.signals.alerts import Silence
    from mens_console.store.alertbook import silence_id

    settings = settings_from(arguments)
    if arguments.rule != "*":
        need_rule(arguments.rule, settings)
    book = _book(settings)
    run = None if arguments.run is None else one_run(arguments)
    entity = "*" if run is None else run.place or str(run.path)
    now, by = time.time(), author()
    name = silence_id(arguments.rule, entity, by, now)
    silence = Silence(name, arguments.rule, entity, by, arguments.comment, now, now + arguments.seconds)
    book.silence(silence)
    _must_be_kept(book)
    print(f"{silence.id}  {_silence_line(silence)}")
    return OK


def _silences(arguments: argparse.Namespace) -> int:
    """Print the silences that have not ended."""
    settings = settings_from(arguments, paths=())
    book = _book(settings)
    standing_ones = book.silences(time.time())
    if arguments.json:
        _print_json([_silence_document(one) for one in standing_ones])
    for one in standing_ones if not arguments.json else ():
        print(f"{one.id}  {_silence_line(one)}")
    if not standing_ones and not arguments.json:
        print("nothing is silenced")
    return OK


def _silence_line(one: Silence) -> str:
    what = "every rule" if one.rule == "*" else safe_text(one.rule, 60)
    where = "everywhere" if one.entity == "*" else f"in {safe_text(one.entity, 200)}"
    until = "until it is lifted" if math.isinf(one.end) else f"until {_moment(one.end)}"
    return f"{what} {where} {until}, by {safe_text(one.author, 80)}: {safe_text(one.comment, 300)}"


def _silence_document(one: Silence) -> dict[str, Any]:
    from mens_console.store.report import moment

    return {
        "id": safe_text(one.id), "rule": safe_text(one.rule), "entity": safe_text(one.entity),
        "author": safe_text(one.author), "comment": safe_text(one.comment),
        "start": moment(one.start), "end": moment(one.end),
    }  # fmt: skip


def _unsilence(arguments: argparse.Namespace) -> int:
    """End a silence by its id."""
    _need_digits(arguments.id)
    book = _book(settings_from(arguments, paths=()))
    there = book.silences(time.time())
    found = [one for one in there if one.id.startswith(arguments.id)]
    if len(found) != 1:
        listed = tuple(f"{one.id}  {_silence_line(one)}" for one in (found or there)[:12])
        if found:
            raise CommandError(f"{arguments.id} is ambiguous; it could be:", listed)
        raise CommandError(
            f"{arguments.id}: " + ("no such silence; there are:" if there else "nothing is silenced"), listed
        )
    book.unsilence(found[0].id)
    _must_be_kept(book)
    print(f"lifted: {_silence_line(found[0])}")
    return OK


def _since_left(arguments: argparse.Namespace) -> int:
    """Print what happened since the console was left."""
    from mens_console.cli.since import tell

    settings = settings_from(arguments)
    book = _book(settings)
    was_here = arguments.ago is None
    since = book.left_at if was_here else time.time() - arguments.ago
    return tell(since, lambda: _load(settings, book), was_here=was_here, as_json=arguments.json)


def _test(arguments: argparse.Namespace) -> int:
    """Send a drill of one rule through every route; 1 if a configured one fails."""
    from mens_console.cli.drill import hold

    settings = settings_from(arguments, paths=())
    return hold(need_rule(arguments.rule, settings), settings, author())


# ---------------------------------------------------------------------- helpers


def _book(settings: Settings) -> AlertBook:
    from mens_console.store.alertbook import AlertBook

    path: Path = state_folder() / "alerts.json"
    book = AlertBook(path, clock=time.time, roots=settings.roots, attended=False)
    if book.problem:
        complain(book.problem)
    return book


def _load(settings: Settings, book: AlertBook) -> Snapshot:
    from mens_console.store.engine import Engine

    with Meter(sys.stderr) as meter:
        return Engine(settings.roots, settings, watch=False, book=book).load(meter.tell, logs=True)


def _must_be_kept(book: AlertBook) -> None:
    """Refuse to call something done that lasts only until this program ends. Raises `CommandError`."""
    if book.problem:
        raise CommandError(f"it could not be kept: {book.problem.partition(';')[0]}")


def _need_digits(name: str) -> None:
    if len(name) < _SHORTEST:
        raise CommandError(f"{name}: give at least {_SHORTEST} characters of it")


def need_rule(name: str, settings: Settings) -> Rule:
    """Return the rule of that name. Raises `CommandError` with the nearest."""
    from difflib import get_close_matches

    rules, _ = in_force(settings)
    if name in rules:
        return rules[name]
    near = get_close_matches(name, rules, n=1)
    hint = f"did you mean {near[0]}?" if near else "`mens-console alerts rules` lists them"
    raise CommandError(f"{name}: no such alert rule; {hint}")


def author() -> str:
    """Return who gives orders here: login name and machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def _moment(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def _print_json(document: dict[str, Any] | Sequence[Any]) -> None:
    import orjson

    print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


ACTIONS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "list": _list,
    "since": _since_left,
    "ack": _ack,
    "silence": _silence,
    "silences": _silences,
    "unsilence": _unsilence,
    "rules": _rules,
    "test": _test,
}

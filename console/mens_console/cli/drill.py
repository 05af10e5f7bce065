"""`mens-console alerts test RULE`: a drill through every route that a real alert would take, and how each went.

Nothing is judged here, and nothing but the log of deliveries remembers it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TYPE_CHECKING

from mens_console.cli.common import complain
from mens_console.cli.errors import NO, OK
from mens_console.config.state import state_folder
from mens_console.notify.delivery import Courier, DeliveryLog
from mens_console.notify.dispatch import DELIVERIES
from mens_console.notify.messages import drill
from mens_console.notify.routes import BELL, LIMIT_S, OSC9, apprise_routes, terminal_routes
from mens_console.signals.alerts import fingerprint

if TYPE_CHECKING:
    from mens_console.config import Settings
    from mens_console.notify.delivery import Delivery
    from mens_console.notify.routes import Route
    from mens_console.signals.rules import Rule


def hold(rule: Rule, settings: Settings, by: str) -> int:
    """Send a drill of `rule` everywhere and print how each route did; 1 if one that is configured failed."""
    notify = settings.notify
    terminal = terminal_routes(sys.stdout, os.environ, bell=settings.bell, osc9=notify.osc9)
    addressed, problems = apprise_routes(notify.apprise, os.environ)
    routes: tuple[Route, ...] = (*terminal, *addressed)
    log = DeliveryLog(state_folder() / DELIVERIES)
    outcomes = _send(rule, routes, log, by)
    for line in _missing(settings, {route.name for route in terminal}):
        print(line)
    for route in routes:
        outcome = outcomes.get(route.name)
        why = "no answer in time" if outcome is None else outcome.why
        print(f"{route.name}: failed: {why}" if why else f"{route.name}: delivered")
    for problem in problems:
        print(f"apprise: failed: {problem}")
    if log.problem:
        complain(log.problem)
    if not routes and not problems:
        complain("no route is configured here: nobody would be told of a real alert")
    all_delivered = all(route.name in outcomes and outcomes[route.name].ok for route in routes)
    return OK if all_delivered and not problems else NO


def _send(rule: Rule, routes: tuple[Route, ...], log: DeliveryLog, by: str) -> dict[str, Delivery]:
    """Try each route once; return how it went by the route's name."""
    outcomes: dict[str, Delivery] = {}

    def note(delivery: Delivery) -> None:
        outcomes[delivery.route] = delivery

    courier = Courier(routes, log, back_off_s=(), on_delivery=note)
    courier.send(drill(rule, fingerprint(rule.id, "drill"), host=socket.gethostname(), by=by, now=time.time()))
    courier.close(LIMIT_S + 5.0)
    return outcomes


def _missing(settings: Settings, present: set[str]) -> list[str]:
    """Return a line for each route that is not there, with what would turn it on."""
    lines = []
    for name, wanted, how in (
        (BELL, settings.bell, "bell = true turns it on"),
        (OSC9, settings.notify.osc9, "[notify] osc9 = true turns it on"),
    ):
        if name not in present:
            lines.append(f"{name}: not configured ({'standard output is no terminal' if wanted else how})")
    if not settings.notify.apprise:
        lines.append("apprise: not configured ([notify] apprise in your config.toml, or $MENS_NOTIFY)")
    return lines

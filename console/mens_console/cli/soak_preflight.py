"""One look at the server before hours of load: what is wrong keeps a new soak from starting, told with a cure."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import complain
from mens_console.cli.errors import CommandError
from mens_console.load.client import Client
from mens_console.load.preflight import preflight
from mens_console.signals.human import span

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.load.endpoint import Endpoint
    from mens_console.load.preflight import Preflight
    from mens_console.soak.types import Plan

_AGAIN_S: Final = 2.0


def look(
    plan: Plan, endpoint: Endpoint, key: str, prompt: Callable[[int, int], str], *, wait_s: float, there: bool
) -> Plan:
    """Return the plan with what was found out of the server. Raises `CommandError` where a new one cannot start.

    A soak that is `there` goes on all the same: that its server is down is what it is to record. That it was begun with
    a key, or with user and password in the address, which are recorded nowhere, would be no failure of the server's.
    """
    found = asyncio.run(_look(plan, endpoint, key, prompt(0, 0), wait_s))
    for warning in found.warnings:
        complain(warning)
    if there and found.denied:
        again = "; an address with user, password or query is given again with --url (--no-preflight goes on as it is)"
        raise CommandError(f"{found.problems[0]}{again}")
    if there:
        for problem in found.problems:
            complain(f"{problem}; the soak goes on all the same")
        return plan
    if found.problems:
        more = tuple(found.problems[1:])
        cure = " (--wait 10m waits for a server that is not up yet)" if found.early and not wait_s else ""
        raise CommandError(f"{found.problems[0]}{cure}", more)
    return replace(plan, probe_path=found.probe_path, ask_usage=plan.ask_usage and found.usage)


async def _look(plan: Plan, endpoint: Endpoint, key: str, prompt: str, wait_s: float) -> Preflight:
    """Look, and where something is wrong look again until `wait_s` have passed."""
    until, told = time.monotonic() + wait_s, ""
    while True:
        async with Client(endpoint, plan.model, key=key, timeout_s=plan.timeout_s, usage=plan.ask_usage) as client:
            found = await preflight(
                client, prompt, rate=plan.rate, max_tokens=plan.max_tokens, probe_path=plan.probe_path
            )
        left = until - time.monotonic()
        if found.ok or left <= 0:
            return found
        if found.problems[0] != told:
            told = found.problems[0]
            complain(f"{told}; it is tried again for {span(left)}")
        await asyncio.sleep(min(_AGAIN_S, left))

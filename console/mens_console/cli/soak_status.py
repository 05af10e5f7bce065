"""`mens-console soak status [DIR…]`: how soaks are doing, what that rests on, and how the last minutes went.

Exit status: 0 fine · 1 one died, fails, or nobody can say · 2 no soak was found.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from mens_console.config import Settings
    from mens_console.soak.record import Record
    from mens_console.soak.types import Minute

SCHEMA: Final = "mens-soak-status/1"
WINDOW: Final = 5
"""Minutes, the one that goes on included, that are looked back upon."""
PROBES: Final = 3
"""So many failed health checks in a row at the end are an outage that lasts."""
_INK: Final = {"running": "good", "finished": "good", "starting": "accent", "stopped": "muted"}
_SHORTEST_S: Final = 1.0
_ENTRIES: Final = 200_000


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="directories of soaks, or folders that hold some (default: as for `mens-console status`)",
    )
    parser.add_argument("--json", action="store_true", help=f"print the document {SCHEMA}")
    parser.epilog = (
        "examples:\n  mens-console soak status soak-r16\n"
        "  mens-console soak status /data/soaks --json | jq '.soaks[].state'\n\n"
        "exit status: 0 fine · 1 a soak died, its server fails now, or nobody can say · 2 no soak was found"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print how each soak is doing."""
    from mens_console.cli.common import colour, complain, settings_from
    from mens_console.cli.status import paint, plain

    settings = settings_from(arguments)
    found = [_look(folder) for folder in _folders(arguments.paths, settings)]
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "soaks": [asdict(one) for one in found]}, ensure_ascii=False, indent=2))
    elif found:
        ink = paint if colour(sys.stdout) else plain
        print("\n".join(line for one in found for line in _lines(one, ink)))
    if not found:
        where = ", ".join(map(str, arguments.paths or settings.roots))
        told = f"no soak below {where}: `mens-console soak run --out DIR` begins one"
        if arguments.json:
            complain(told)
            return WRONG
        raise CommandError(told)
    return OK if all(one.fine for one in found) else NO


@dataclass(frozen=True, slots=True)
class Lately(ByValue):
    """The last minutes: rates are a second of observed time, latencies milliseconds of what succeeded."""

    seconds: float
    offered_rate: float | None
    achieved_rate: float | None
    ended: int
    failed: int
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    lag_p99_ms: float | None
    probes: int
    probes_failed: int
    in_flight: int
    """Requests that were sent, of which the end is still to come."""


@dataclass(frozen=True, slots=True)
class Seen(ByValue):
    """One soak."""

    dir: str
    id: str | None
    state: str
    why: str
    fine: bool
    failing: str | None
    """What is wrong with the server by now; None where nothing is."""
    now_s: float
    duration_s: float | None
    unobserved_s: float
    lately: Lately | None
    problems: tuple[str, ...]


def _look(folder: Path) -> Seen:
    """Read one soak."""
    from mens_console.soak.record import Record

    record = Record(folder)
    with Meter(sys.stderr) as meter:
        record.poll(time.time())
        while record.more:
            meter.tell(*record.far)
            record.poll(time.time())
    lately, failing = _lately(record), _failing(record)
    record.close()
    plan = record.plan
    return Seen(
        str(folder), plan.id if plan else None, record.state, record.why,
        record.state in {"running", "starting", "finished", "stopped"} and failing is None,
        failing, round(min(record.now_s, plan.duration_s) if plan else record.now_s, 3),
        plan.duration_s if plan else None,
        round(sum(minute.unobserved_s for minute in record.minutes), 3), lately, record.problems,
    )  # fmt: skip


def _lately(record: Record) -> Lately | None:
    from mens_console.load.histogram import Histogram
    from mens_console.soak.types import MINUTE

    minutes = record.minutes[-WINDOW:]
    if not minutes:
        return None
    seconds = min(record.now_s, record.plan.duration_s if record.plan else record.now_s) - minutes[0].index * MINUTE
    seconds -= sum(minute.unobserved_s for minute in minutes)
    sums = {name: Histogram() for name in ("ttft", "lag")}
    for minute in minutes:
        for name, histogram in sums.items():
            histogram.merge(minute.latencies[name])
    failed, ended = sum(one.failures for one in minutes), sum(one.ended for one in minutes)
    probes = [probe for minute in minutes for probe in minute.probes]
    return Lately(
        round(seconds, 3), _rate(sum(one.due - one.skipped for one in minutes), seconds),
        _rate(ended - failed, seconds), ended, failed, sums["ttft"].quantile(0.5), sums["ttft"].quantile(0.99),
        sums["lag"].quantile(0.99), len(probes), sum(not probe.ok for probe in probes),
        sum(one.sent - one.ended - one.lost for one in minutes),
    )  # fmt: skip


def _rate(number: int, seconds: float) -> float | None:
    """Return so many a second; None where too little time was observed for a rate."""
    return round(number / seconds, 3) if seconds >= _SHORTEST_S else None


def _failing(record: Record) -> str | None:
    """Say what is wrong with a server that is being driven now; None where nothing is, or nobody drives it."""
    if record.state != "running":
        return None
    probes = [probe for minute in record.minutes[-WINDOW:] for probe in minute.probes][-PROBES:]
    if len(probes) == PROBES and not any(probe.ok for probe in probes):
        return f"the last {PROBES} health checks failed ({probes[-1].why or 'no reason told'})"
    newest = _busiest(record.minutes)
    if newest is not None and 2 * newest.failures >= newest.ended:
        reasons = sorted(newest.reasons or newest.failed, key=lambda one: -(newest.reasons or newest.failed)[one])
        return f"{newest.failures} of {newest.ended} requests of the newest minute failed ({', '.join(reasons[:2])})"
    return None


def _busiest(minutes: list[Minute]) -> Minute | None:
    """Return the newest minute of which three requests or more ended."""
    return next((one for one in reversed(minutes[-WINDOW:]) if one.ended >= PROBES), None)


def _folders(paths: list[Path], settings: Settings) -> list[Path]:
    """Return the soaks' directories: those that are named, and those below the folders, each once."""
    found: dict[str, Path] = {}
    for root in paths or settings.roots:
        for folder in _below(root.expanduser(), settings):
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())


def _below(root: Path, settings: Settings) -> Iterator[Path]:
    from mens_console.cli.common import complain
    from mens_console.ingest.walk import Walk
    from mens_console.soak.plan import NAME

    if not root.is_dir():
        if root.name == NAME and _is_soak(root):
            yield root.parent
        return
    if _is_soak(root / NAME):
        yield root
        return
    walk = Walk(
        [str(root)], follow_outside=bool(settings.follow_symlinks), max_depth=settings.max_depth,
        max_entries=_ENTRIES, clock_ns=time.time_ns,
    )  # fmt: skip
    for folder in walk.round():
        if NAME in folder.files and _is_soak(Path(folder.path) / NAME):
            yield Path(folder.path)
    for problem in walk.problems.values():
        complain(problem)


def _is_soak(path: Path) -> bool:
    """Say whether a file is a soak's plan by its first words; what is wrong with it otherwise is told later."""
    from mens_console.ingest.safeopen import read_small

    try:
        return b'"mens-soak-plan/' in read_small(os.fspath(path), 4096)
    except OSError:
        return False


def _lines(one: Seen, ink: Callable[[str, str], str]) -> Iterator[str]:
    from mens_console.cli.soak_telling import clock
    from mens_console.ingest.text import safe_text
    from mens_console.signals.human import span
    from mens_console.soak.wording import cure

    target = f" / {clock(one.duration_s)}" if one.duration_s is not None else ""
    state = ink(one.state, _INK.get(one.state, "bad") if one.fine else "bad")
    yield f"{state}  {ink(safe_text(one.dir, 400), 'strong')}  {clock(one.now_s)}{target}"
    yield f"  {safe_text(one.why, 400)}"
    if told := cure(one.state, one.dir):
        yield f"  {told}"
    if one.failing is not None:
        yield f"  {ink('! ' + safe_text(one.failing, 400), 'bad')}"
    if one.lately is not None and one.lately.seconds > 0:
        yield f"  {_lately_line(one.lately)}"
    if one.unobserved_s > 0:
        yield f"  {span(one.unobserved_s)} of it were not observed"
    for problem in one.problems:
        yield f"  {ink('! ' + safe_text(problem, 400), 'warn')}"


def _lately_line(lately: Lately) -> str:
    from mens_console.cli.soak_telling import each_second, milliseconds
    from mens_console.signals.human import percent, span

    share = percent(lately.failed / lately.ended) if lately.ended else "none ended"
    waiting = f" · {lately.in_flight} in flight" if lately.in_flight else ""
    answered = f"{each_second(lately.achieved_rate)} of {each_second(lately.offered_rate)}/s answered"
    return (
        f"last {span(max(lately.seconds, 0.0))}: {answered} · {lately.failed} of {lately.ended} failed ({share})"
        f"{waiting} · {lately.probes - lately.probes_failed} of {lately.probes} health checks good · "
        f"ttft p50 {milliseconds(lately.ttft_p50_ms)} p99 {milliseconds(lately.ttft_p99_ms)} · "
        f"lag p99 {milliseconds(lately.lag_p99_ms)}"
    )

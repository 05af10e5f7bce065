"""`mens-console watch`: the engine without a screen; one line an alert, below it what to do; messages with `--notify`.

What is worth a message, and how it gets there, is the business of `notify`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.common import Meter, colour, complain, settings_from, why_none
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.status import is_critical, paint, plain
from mens_console.config.state import state_folder
from mens_console.ingest.text import safe_text
from mens_console.screens.words import SEVERITY_LOOKS, alert_counts
from mens_console.store.report import moment
from mens_console.store.report import number as json_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from mens_console.config import Settings
    from mens_console.notify.delivery import Delivery
    from mens_console.notify.dispatch import Dispatcher
    from mens_console.notify.sightings import Transition
    from mens_console.store.engine import Engine
    from mens_console.store.snapshot import Snapshot

EVENT_SCHEMA: Final = "mens-watch-event/1"
BUDGET_MB: Final = 64
"""Points that a watch keeps in memory: nobody draws them, and what judges a run keeps its own state."""
_WORDS: Final = {
    "standing": "was on",
    "firing": "fires",
    "escalated": "got worse",
    "recovering": "recovers",
    "resolved": "is over",
    "acknowledged": "acknowledged",
}


def run(arguments: argparse.Namespace) -> int:
    """Watch until told to end, or look once; see `docs/alerts.md`."""
    settings = settings_from(arguments)
    settings = replace(settings, memory_budget_mb=min(settings.memory_budget_mb, BUDGET_MB))
    told = Teller(arguments)
    try:
        dispatcher = _dispatcher(settings, told, once=arguments.once) if arguments.notify else None
        return _once(settings, told, dispatcher) if arguments.once else _watch(settings, told, dispatcher)
    finally:
        told.close()


# ---------------------------------------------------------------------- watching


def _watch(settings: Settings, told: Teller, dispatcher: Dispatcher | None) -> int:
    from mens_console.notify.sightings import History
    from mens_console.notify.vigil import Vigil

    history = History(time.time()) if dispatcher is None else dispatcher.history
    engine = _engine(settings, watch=True)
    vigil = Vigil(
        history,
        on_transition=told.transition,
        on_problem=told.problem,
        dispatcher=dispatcher,
        is_alive=lambda: any(thread.name == "engine" for thread in threading.enumerate()),
    )
    # Nobody reads on: without another way out there is nobody to watch for.
    told.on_gone = vigil.end if dispatcher is None and not told.is_logging else lambda: None
    told.event("info", "start", roots=[str(root) for root in settings.roots], notify=dispatcher is not None)
    with _ended_by_signals(vigil.end) as ended:
        engine.start(vigil.offer)
        try:
            vigil.run()
        finally:
            engine.stop()
            if dispatcher is not None:
                dispatcher.close()
    told.event("info", "stop", signal=ended[0] if ended else "")
    return OK


def _once(settings: Settings, told: Teller, dispatcher: Dispatcher | None) -> int:
    """Judge everything once; tell what fires, and notify of what was not told before."""
    from mens_console.notify.sightings import History
    from mens_console.notify.vigil import Vigil

    history = History(time.time()) if dispatcher is None else dispatcher.history
    vigil = Vigil(history, on_transition=told.transition, on_problem=told.problem, dispatcher=dispatcher)
    with Meter(sys.stderr) as meter:
        snapshot = _engine(settings, watch=False).load(meter.tell, logs=True)
    vigil.offer(snapshot)
    vigil.look()
    if dispatcher is not None:
        dispatcher.close()
        if forgets := dispatcher.notifier.memory.problem:
            told.problem(forgets)  # the next look would tell the same again
    if not (snapshot.runs or snapshot.health or snapshot.soaks):
        complain(f"no runs found: {why_none(snapshot)}")
        return WRONG
    failed = dispatcher is not None and dispatcher.failed
    return NO if failed or _is_critical(snapshot) else OK


def _is_critical(snapshot: Snapshot) -> bool:
    return any(is_critical(view) for view in snapshot.runs) or alert_counts(snapshot.box_alerts)[1] > 0


def _engine(settings: Settings, *, watch: bool) -> Engine:
    from mens_console.hardware.sampler import Sampler
    from mens_console.store.alertbook import AlertBook
    from mens_console.store.engine import Engine

    # A daemon's comings and goings are not the operator's: `attended` keeps them out of the book.
    book = AlertBook(state_folder() / "alerts.json", clock=time.time, roots=settings.roots, attended=False)
    if book.problem:
        complain(book.problem)
    return Engine(settings.roots, settings, watch=watch, book=book, machine=Sampler() if watch else None)


def _dispatcher(settings: Settings, told: Teller, *, once: bool) -> Dispatcher:
    """Return what sends messages. Raises `CommandError` where nobody would get any, or somebody sends them already."""
    from mens_console.notify.dispatch import AlreadyWatchingError, Dispatcher, Post
    from mens_console.notify.routes import terminal_routes

    post = Post(state_folder(), settings.roots, socket.gethostname(), settings.notify, version("mens-console"))
    terminal = terminal_routes(sys.stdout, os.environ, bell=settings.bell, osc9=settings.notify.osc9)
    try:
        dispatcher = Dispatcher(post, terminal=terminal, environ=os.environ, once=once, on_delivery=told.delivery)
    except AlreadyWatchingError as error:
        raise CommandError(f"{error}; end that one first (kill {error.pid})" if error.pid else str(error)) from None
    if not dispatcher.routes:
        where = "name addresses in [notify] of your config.toml, or in $MENS_NOTIFY (docs/alerts.md)"
        why = "; ".join(dispatcher.problems) or f"no route is configured: {where}"
        raise CommandError(f"--notify: {why}")
    if dispatcher.problem:
        told.problem(dispatcher.problem)
    return dispatcher


@contextlib.contextmanager
def _ended_by_signals(end: Callable[[], None]) -> Iterator[list[str]]:
    """Call `end` at SIGTERM, SIGINT or SIGHUP, once the block is entered; yields the names of those that came.

    What nohup ignores (SIGHUP) stays ignored.
    """
    came: list[str] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(signal.Signals(number).name)
        end()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [n for n in numbers if n != signal.SIGHUP or before[n] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number in heard:
            signal.signal(number, before[number])


# ---------------------------------------------------------------------- telling


class Teller:
    """Tells what happens: a line on standard output, a JSON object there with `--json`, and one in the log file.

    Below the line of an alert that fires or gets worse stands what to do about it.

    Neither a closed output nor a full disk ends a watch: what cannot be told is left out. `on_gone` is called when
    nobody reads standard output any more.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.on_gone: Callable[[], None] = lambda: None
        self._json: bool = arguments.json
        self._zone = UTC if arguments.utc else None
        self._ink = paint if colour(sys.stdout) else plain
        self._is_gone = False
        self._log: int | None = None
        path: Path | None = arguments.log
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            self._log = os.open(path, flags, 0o600)
        self._log_path = path

    @property
    def is_logging(self) -> bool:
        """Say whether there is a log file."""
        return self._log is not None

    def close(self) -> None:
        """Close the log, and let the end of the program write nothing to an output that is gone."""
        if self._log is not None:
            os.close(self._log)
            self._log = None
        if self._is_gone:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def transition(self, change: Transition) -> None:
        """Tell what became of an alert."""
        now = time.time()
        self._print(transition_document(change, now) if self._json else self._line(change, now))
        level = "warning" if change.kind in ("firing", "escalated") else "info"
        self.event(level, "alert", **_facts(change))

    def problem(self, text: str) -> None:
        """Tell what hinders the watch, on standard error."""
        with contextlib.suppress(OSError, ValueError):
            complain(text)
        self.event("warning", "problem", message=safe_text(text, 2000))

    def delivery(self, delivery: Delivery) -> None:
        """Tell how an attempt to deliver went; called on threads of the deliveries."""
        self.event("info" if delivery.ok else "error", "delivery", **delivery.document())
        if not delivery.ok:
            with contextlib.suppress(OSError, ValueError):
                complain(f"{delivery.route}: not delivered (try {delivery.attempt}): {delivery.why}")

    def event(self, level: str, event: str, **facts: Any) -> None:
        """Write one JSON object to the log file, in one write."""
        if self._log is None:
            return
        import orjson

        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = orjson.dumps({"ts": stamp, "level": level, "event": event, "pid": os.getpid(), **facts}) + b"\n"
        with contextlib.suppress(OSError):
            self._reopen_rotated()
            os.write(self._log, line)

    def _reopen_rotated(self) -> None:
        """Follow the name where somebody moved the file away (logrotate)."""
        if self._log is None or self._log_path is None:
            return
        try:
            there = self._log_path.stat()
        except FileNotFoundError:
            there = None
        ours = os.fstat(self._log)
        if there is None or (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
            fresh = os.open(
                self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o600
            )
            os.dup2(fresh, self._log, inheritable=False)
            os.close(fresh)

    def _line(self, change: Transition, now: float) -> str:
        seen = change.sighting
        view = seen.view
        glyph, word, ink = SEVERITY_LOOKS[str(view.severity)]
        calm = change.kind in ("resolved", "recovering", "acknowledged", "standing")
        stamp = datetime.fromtimestamp(now, self._zone).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S%z")
        quiet = " (inhibited)" if view.inhibited_by else " (silenced)" if seen.quiet(now) else ""
        at = "" if view.last_step is None else f", {view.unit_of_progress} {view.last_step}"  # as the message is
        name = safe_text(seen.run or view.entity, 60)
        turn = "held to end" if change.kind == "resolved" and view.held else _WORDS[change.kind]
        head = f"{glyph} {word:<8} {turn:<12} {name}"
        line = f"{stamp}  {self._ink(head, 'muted' if calm else ink)}  {safe_text(view.message, 300)}{at}{quiet}"
        return line if calm or quiet else f"{line}\n    → {safe_text(view.recommendation, 300)}"

    def _print(self, line: str) -> None:
        if self._is_gone:
            return
        try:
            print(line, flush=True)
        except (OSError, ValueError):
            # Nobody reads any more: the terminal was closed, or the pipe's reader left. The watch goes on.
            self._is_gone = True
            self.event("info", "output closed")
            self.on_gone()


def transition_document(change: Transition, now: float) -> str:
    """Return one line of JSON (`mens-watch-event/1`)."""
    import orjson

    return orjson.dumps({"schema": EVENT_SCHEMA, "at": now, **_facts(change)}).decode()


def _facts(change: Transition) -> dict[str, Any]:
    seen, view = change.sighting, change.sighting.view
    return {
        "change": change.kind,
        "severity": str(view.severity),
        "state": str(view.state),
        "run": safe_text(seen.run_id),
        "name": safe_text(seen.run),
        "path": safe_text(seen.owner),
        "entity": safe_text(view.entity),
        "rule": view.rule,
        "fingerprint": view.fingerprint,
        "message": safe_text(view.message),
        "value": json_number(view.value),
        "threshold": json_number(view.threshold),
        "unit": safe_text(view.unit),
        "since": moment(view.since),
        "since_step": view.since_step,
        "last_seen": moment(view.last_seen),
        "last_step": view.last_step,
        "first_seen": moment(view.first_seen),
        "first_step": view.first_step,
        "count": view.count,
        "flaps": view.flaps,
        "acknowledged": view.acknowledged,
        "held": view.held,
        "silenced_until": moment(view.silenced_until),
        "inhibited_by": view.inhibited_by,
        "recommendation": safe_text(view.recommendation),
    }

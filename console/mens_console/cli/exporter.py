"""`mens-console exporter`: what the engine knows as OpenMetrics, served on loopback or written for a node_exporter.

Nothing is exported unless one of its modes is asked for.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import stat
import sys
import threading
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter, complain, settings_from
from mens_console.cli.errors import OK, CommandError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from mens_console.config import Settings
    from mens_console.store.engine import Engine
    from mens_console.store.snapshot import Snapshot

BUDGET_MB: Final = 64
"""Points kept in memory: nobody draws them."""
SETTLE_S: Final = 30.0
"""How long the first file waits for everything to have been read; after that it says `mens_exporter_scanning 1`."""
QUIET_S: Final = 1.0
"""Everything counts as read when nothing has changed for so long,"""
LIVELY_S: Final = 5.0
"""or when nothing was known to wait for so long."""
MAX_TOKEN: Final = 4096
_FAULT: Final = "internal error"
"""How the engine's own failures begin among the problems of a snapshot."""
_MODES: Final = "say how: --listen 127.0.0.1:9464, --textfile FILE.prom, --once, or --dashboards DIR"


def run(arguments: argparse.Namespace) -> int:
    """Export until told to end, or once; see `docs/exporter.md`."""
    if arguments.dashboards is not None:
        return _write_dashboards(arguments.dashboards)
    if not (arguments.listen or arguments.textfile or arguments.once):
        raise CommandError(_MODES)
    if arguments.listen and arguments.once:
        raise CommandError("--listen and --once exclude each other: --once prints, or writes --textfile, and leaves")
    if arguments.token_file is not None and not arguments.listen:
        raise CommandError("--token-file is for --listen: nobody asks for a file or for standard output")
    if arguments.textfile is not None and arguments.textfile.suffix != ".prom":
        raise CommandError(f"--textfile {arguments.textfile}: a node_exporter reads only names that end in .prom")
    if find_spec("prometheus_client") is None:
        raise CommandError("exporter needs the library prometheus-client: pip install 'mens-console[exporter]'")
    settings = settings_from(arguments)
    settings = replace(settings, memory_budget_mb=min(settings.memory_budget_mb, BUDGET_MB))
    if arguments.once:
        return _once(settings, arguments)
    return _serve(settings, arguments) if arguments.listen else _keep_file(settings, arguments)


def _write_dashboards(folder: Path) -> int:
    from mens_console.exporter.boards import write_dashboards

    folder.mkdir(parents=True, exist_ok=True)
    for path in write_dashboards(folder):
        print(safe_text(str(path)))
    return OK


def _once(settings: Settings, arguments: argparse.Namespace) -> int:
    """Read everything once, attempt logs too, and print or write it."""
    watching = _Watching(settings)
    registry = _registry(lambda: watching.snapshot, arguments, watching.is_up)
    watching.start()
    try:
        with Meter(sys.stderr) as meter:
            watching.settle(meter.tell)
        if arguments.textfile is not None:
            _write(registry, arguments.textfile)
        else:
            sys.stdout.write(_text(registry, openmetrics=arguments.openmetrics))
    finally:
        watching.engine.stop()
    return OK


def _text(registry: CollectorRegistry, *, openmetrics: bool) -> str:
    from prometheus_client import generate_latest
    from prometheus_client.openmetrics import exposition

    return (exposition.generate_latest if openmetrics else generate_latest)(registry).decode()


class _Watching:
    """The engine on its thread, and the newest snapshot of it."""

    def __init__(self, settings: Settings) -> None:
        self.engine = _engine(settings)
        self.snapshot = self.engine.snapshot
        self._told: tuple[str, ...] = ()
        self._taken_at = time.monotonic()

    def start(self) -> None:
        """Start watching; problems are told on standard error as they come."""
        self.engine.start(self._take)

    def _take(self, snapshot: Snapshot) -> None:
        self.snapshot, self._taken_at = snapshot, time.monotonic()
        for problem in snapshot.problems:
            if problem not in self._told:
                complain(problem)
        self._told = snapshot.problems

    def settle(self, progress: Callable[[int, int], None] | None = None, most: float = math.inf) -> None:
        """Wait until everything that is there was read, at most `most` seconds; `progress` is told bytes."""
        began = time.monotonic()
        read_at = math.inf
        while (now := time.monotonic()) < began + most:
            done, total, is_read = _reading(self.snapshot)
            read_at = min(read_at, now) if is_read else math.inf
            # What was found a moment ago may hold more than it told so far; on a lively box something always changes.
            if now - max(read_at, self._taken_at) > QUIET_S or now - read_at > LIVELY_S or not self._lives():
                return
            if progress is not None:
                progress(done, total)
            time.sleep(0.05)

    def is_up(self) -> bool:
        """Say whether the engine's thread lives and does not fail at every step."""
        return self._lives() and not any(problem.startswith(_FAULT) for problem in self.snapshot.problems)

    @staticmethod
    def _lives() -> bool:
        return any(thread.name == "engine" for thread in threading.enumerate())


def _reading(snapshot: Snapshot) -> tuple[int, int, bool]:
    """Return the bytes read, the bytes there are, and whether nothing is known to wait."""
    logs = [source for view in snapshot.health for source in view.report.sources]
    files = [source for run in snapshot.runs for source in run.sources]
    done = sum(log.done for log in logs) + sum(file.bytes_read for file in files)
    total = sum(log.size for log in logs) + sum(file.size for file in files)
    waits = any(log.waits for log in logs)
    return done, total, not (waits or snapshot.scanning or snapshot.machine is None)


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Answer scrapes until a signal ends it."""
    from mens_console.exporter.server import AddressError, address_of, server_of

    token = _token(arguments.token_file)
    try:
        address = address_of(arguments.listen)
    except AddressError as error:
        raise CommandError(f"--listen: {error}") from None
    watching = _Watching(settings)
    registry = _registry(lambda: watching.snapshot, arguments, watching.is_up)
    try:
        server = server_of(registry, address, token)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CommandError(f"--listen {safe_text(arguments.listen)}: {why}; choose another port") from None
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(f"mens-console: metrics at http://{host}:{server.server_port}/metrics", file=sys.stderr, flush=True)
    ending = _Ending()
    threading.Thread(target=server.serve_forever, name="exporter", daemon=True).start()
    watching.start()
    try:
        ending.wait()
    finally:
        server.shutdown()
        server.server_close()
        watching.engine.stop()
    return OK


def _keep_file(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the file anew every so often until a signal ends it; a failure is told once, and tried again."""
    watching = _Watching(settings)
    registry = _registry(lambda: watching.snapshot, arguments, watching.is_up)
    _write(registry, arguments.textfile)  # what cannot be written is known at once
    ending = _Ending()
    watching.start()
    problem = ""
    try:
        watching.settle(most=SETTLE_S)
        while True:
            try:
                _write(registry, arguments.textfile)
                problem = ""
            except CommandError as error:
                if str(error) != problem:
                    complain(str(error))
                problem = str(error)
            if ending.wait(arguments.every):
                return OK
    finally:
        watching.engine.stop()


def _write(registry: CollectorRegistry, path: Path) -> None:
    """Replace the file in one step. Raises `CommandError`."""
    from prometheus_client import write_to_textfile

    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise CommandError(f"--textfile {path}: {(error.strerror or str(error)).lower()}") from None


def _token(path: Path | None) -> str:
    """Return the token in the file, "" without one. Raises `CommandError` where it is no secret or none at all."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_TOKEN + 1).decode("ascii").strip()
    except OSError as error:
        raise CommandError(f"--token-file {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        text = ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CommandError(f"--token-file {path}: others may read it; chmod 600 {path}")
    if not text or len(text) > MAX_TOKEN or not text.isprintable() or " " in text:
        raise CommandError(
            f"--token-file {path}: one line of printable ASCII is needed; openssl rand -hex 32 makes one"
        )
    return text


class _Ending:
    """Whether a signal asked to end: SIGTERM, SIGINT or SIGHUP; what nohup ignores (SIGHUP) stays ignored."""

    def __init__(self) -> None:
        # Of what a thread can wait for, only this may be told by a handler that interrupts the very same wait.
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_: self._told.put(None))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait so long, or for ever; True once it was asked for."""
        try:
            self._told.get(timeout=seconds)
        except queue.Empty:
            return False
        return True


def _registry(
    snapshot: Callable[[], Snapshot], arguments: argparse.Namespace, engine_up: Callable[[], bool] = lambda: True
) -> CollectorRegistry:
    from mens_console.exporter.collect import SnapshotCollector, registry_of

    return registry_of(SnapshotCollector(snapshot, most_runs=arguments.runs, engine_up=engine_up))


def _engine(settings: Settings) -> Engine:
    from mens_console.config.state import state_folder
    from mens_console.hardware.sampler import Sampler
    from mens_console.notify.heartbeat import read_heartbeat
    from mens_console.store.alertbook import AlertBook
    from mens_console.store.engine import Engine

    book = AlertBook(state_folder() / "alerts.json", clock=time.time, roots=settings.roots, attended=False)
    if book.problem:
        complain(book.problem)
    return Engine(
        settings.roots,
        settings,
        book=book,
        machine=Sampler(),
        notifier=lambda: read_heartbeat(state_folder() / "watch.json", settings.roots),
    )

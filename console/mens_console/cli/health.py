"""`mens-console health LOG…`: generation health from attempt logs, once or as they grow.

Counting is `mens_console.health`'s, judging `signals`'s; here logs are found, followed and told of.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter, colour, complain, settings_from
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.healthdoc import problems
from mens_console.cli.healthtable import critical_now, lines
from mens_console.cli.healthtell import Teller, print_csv, print_json
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mens_console.health.follow import Follower
    from mens_console.signals.generation import HealthReport

_LOOK_S: Final = 0.25
"""How often logs that do not grow are looked at."""
_TELL_S: Final = 1.0
"""Least time between two tellings of a log that grows."""
_WAIT_S: Final = 0.1
_MOST_WORKERS: Final = 64
_SPOOL: Final = "mens-health.standard-input"
_CURE: Final = (
    "an attempt log has one JSON object a line, with fields such as persona_id, status, repairs and latency_ms; "
    "`mens-console contracts check FILE` says what a file lacks"
)


def run(arguments: argparse.Namespace) -> int:
    """Tell how the generations are; see `docs/generation-health.md`.

    1 where a run drifts or a critical band holds, 2 where nothing could be read or judged.
    """
    if arguments.engine == "spark" and arguments.follow:
        raise CommandError("--follow reads with the local engine; leave --engine spark out")
    if arguments.follow and Path("-") in arguments.paths:
        raise CommandError("standard input cannot be followed; name the file that is written")
    with _logs(arguments) as paths:
        if arguments.engine == "spark":
            return _told(_on_spark(arguments, paths), arguments)
        follower = _follower(arguments, paths)
        try:
            return _follow(follower, arguments) if arguments.follow else _once(follower, arguments)
        finally:
            follower.close()


# ---------------------------------------------------------------------- what is read


@contextlib.contextmanager
def _logs(arguments: argparse.Namespace) -> Iterator[list[Path]]:
    """Give the logs: files as named, those of folders found by content, standard input as a file of its own."""
    paths: list[Path] = []
    with contextlib.ExitStack() as stack:
        for path in arguments.paths:
            if path == Path("-"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mens-health-")))
                paths.append(_spooled(folder / _SPOOL))
            elif path.is_dir():
                found = _found_in(path, arguments)
                if not found:
                    complain(f"{path}: holds no attempt log; {_CURE}")
                paths += found
            elif os.path.lexists(path):
                paths.append(path)
            else:
                raise CommandError(f"{path}: no such file or folder; name an attempt log, or a folder that holds some")
        if not paths:
            raise CommandError("there is no attempt log to read: name a file, or a folder that holds some")
        yield [path.absolute() for path in dict.fromkeys(paths)]  # workers have a working directory of their own


def _spooled(path: Path) -> Path:
    """Write standard input to a file, which can be read in pieces, and return it."""
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return path


def _unspooled(report: HealthReport) -> HealthReport:
    """Return the report with standard input called by its name."""

    def name(path: str) -> str:
        return "-" if path.endswith(_SPOOL) else path

    return replace(
        report,
        sources=tuple(replace(source, path=name(source.path)) for source in report.sources),
        bad=tuple(replace(row, path=name(row.path)) for row in report.bad),
        batches=tuple(
            replace(one, batch=replace(one.batch, first=("-", one.batch.first[1])))
            if one.batch.first[0].endswith(_SPOOL)
            else one
            for one in report.batches
        ),
    )


def _found_in(folder: Path, arguments: argparse.Namespace) -> list[Path]:
    from mens_console.ingest.discover import Discovery
    from mens_console.ingest.formats import recognise
    from mens_console.ingest.formats.elsewhere import ATTEMPTS
    from mens_console.store.generation import in_order

    settings = settings_from(arguments, paths=[folder])
    discovery = Discovery(
        [folder], recognise=recognise, follow_outside=settings.follow_symlinks, max_depth=settings.max_depth
    )
    while not discovery.complete:
        discovery.scan()
    for problem in discovery.problems:
        complain(problem)
    return list(in_order(record.path for record in discovery.records if record.kind == ATTEMPTS))


def _follower(arguments: argparse.Namespace, paths: Sequence[Path]) -> Follower:
    from mens_console.health.checkpoint import default_cache
    from mens_console.health.follow import Follower

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Follower(
        paths,
        batch_size=arguments.batch_size,
        usd_per_1000=arguments.cost,
        cache=default_cache(),
        workers=cores if arguments.workers is None else min(arguments.workers, _MOST_WORKERS),
        by=arguments.by,
    )


def _on_spark(arguments: argparse.Namespace, paths: Sequence[Path]) -> HealthReport:
    from mens_console.health.cluster import SparkError
    from mens_console.health.spark import aggregate
    from mens_console.health.tally import Options

    try:
        with Meter(sys.stderr) as meter:
            options = Options(arguments.batch_size, arguments.cost, arguments.by)
            return aggregate(paths, options, progress=meter.tell)
    except SparkError as error:
        raise CommandError(str(error)) from error


# ---------------------------------------------------------------------- once


def _once(follower: Follower, arguments: argparse.Namespace) -> int:
    """Read everything there is and tell of it; interrupted, tell of what was read."""
    try:
        with Meter(sys.stderr) as meter:
            _read(follower, meter, final=True)
    except KeyboardInterrupt:
        done, size = follower.progress
        share = f" ({100 * done // size} %)" if size else ""
        complain(f"interrupted after {done:,} of {size:,} bytes{share}; this is what they say")
        _told(follower.report, arguments)
        raise
    return _told(follower.report, arguments)


def _read(follower: Follower, meter: Meter, *, final: bool) -> None:
    """Read until nothing is known to wait."""
    quiet = 0
    while quiet < 2:  # a look may only notice that a log is another one now
        changed = follower.poll(time.time(), final=final)
        quiet = 0 if changed or follower.more else quiet + 1
        if not changed and follower.more:
            follower.wait(_WAIT_S)
        meter.tell(*follower.progress)


def _told(report: HealthReport, arguments: argparse.Namespace) -> int:
    """Print the whole report and return the exit status."""
    report = _unspooled(report)
    _complain(report)
    if arguments.json:
        print_json(report, report.batches, indent=True)
    elif arguments.csv:
        print_csv(report.batches, header=True)
    elif report.batches:
        print("\n".join(lines(report, arguments.by, paint if colour(sys.stdout) else plain)))
    return status(report, arguments.by)


def _complain(report: HealthReport) -> None:
    for problem in problems(report):
        complain(problem)
    for source in report.sources:
        if not source.problem and not source.rows:
            why = f"{source.bad_rows:,} lines, none of them an attempt" if source.bad_rows else "it is empty"
            if source.done < source.size and not source.bad_rows:
                why = "its only line is not whole yet"
            whys = Counter(row.why for row in report.bad if row.path == source.path)
            most = (
                "compressed (gzip): name it .gz" if _is_gzip(source.path) else next(iter(whys.most_common(1)), ("",))[0]
            )
            why += f" ({most})" if most else ""
            complain(f"{source.path}: {why}; {_CURE}")


def _is_gzip(path: str) -> bool:
    from mens_console.ingest.safeopen import read_small

    try:
        return read_small(path, 2, follow=True) == b"\x1f\x8b"
    except OSError:
        return False


def status(report: HealthReport, by: str = "batch") -> int:
    """Return 1 where a run drifts or a critical band holds now, 2 where nothing could be judged, else 0."""
    if report.tier.drift or critical_now(report, by):
        return NO
    judged = any(band.band != "nodata" for one in report.batches for band in one.bands.values())
    return OK if judged else WRONG


# ---------------------------------------------------------------------- as it grows


def _follow(follower: Follower, arguments: argparse.Namespace) -> int:
    """Read what is there, tell of it, and tell again of what is new until interrupted."""
    with Meter(sys.stderr) as meter:
        _read(follower, meter, final=False)
    _complain(follower.report)
    teller = Teller(arguments)
    teller.tell(follower.report)
    told, due = follower.report.rev, time.monotonic() + _TELL_S
    try:
        while True:
            changed = follower.poll(time.time())
            now = time.monotonic()
            if follower.report.rev != told and now >= due and not follower.more:
                teller.tell(follower.report)
                told, due = follower.report.rev, now + _TELL_S
            if not changed and follower.more:
                follower.wait(_WAIT_S)
            elif not changed:
                time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        if follower.report.rev != told:
            teller.tell(follower.report)
        raise

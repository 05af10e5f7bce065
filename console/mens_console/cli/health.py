"""`mens-console health LOG…`: generation health from attempt logs, once or as they grow.

Counting is `mens_console.health`'s, judging `signals`'s; here logs are found, followed and told of.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter, colour, complain
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.healthdoc import problems
from mens_console.cli.healthlogs import CURE, SPOOL, first_files, named
from mens_console.cli.healthtable import critical_now, lines
from mens_console.cli.healthtell import Teller, print_csv, print_json
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mens_console.cli.healthlogs import Logs
    from mens_console.health.follow import Follower
    from mens_console.signals.generation import HealthReport

_LOOK_S: Final = 0.25
"""How often logs that do not grow are looked at."""
_TELL_S: Final = 1.0
"""Least time between two tellings of a log that grows."""
_WAIT_S: Final = 0.1
_MOST_WORKERS: Final = 64


def run(arguments: argparse.Namespace) -> int:
    """Tell how the generations are; see `docs/generation-health.md`.

    1 where a run drifts or a critical band holds, 2 where nothing could be read or judged.
    """
    if arguments.engine == "spark" and arguments.follow:
        raise CommandError("--follow reads with the local engine; leave --engine spark out")
    if arguments.follow and Path("-") in arguments.paths:
        raise CommandError("standard input cannot be followed; name the file that is written")
    with named(arguments) as logs:
        paths = first_files(logs)
        if arguments.engine == "spark":
            return _told(_on_spark(arguments, paths), arguments)
        if arguments.follow:
            return _follow(paths, logs, arguments)
        with contextlib.closing(_follower(arguments, paths)) as follower:
            return _once(follower, arguments)


# ---------------------------------------------------------------------- what is read


def _unspooled(report: HealthReport) -> HealthReport:
    """Return the report with standard input called by its name."""

    def name(path: str) -> str:
        return "-" if path.endswith(SPOOL) else path

    return replace(
        report,
        sources=tuple(replace(source, path=name(source.path)) for source in report.sources),
        bad=tuple(replace(row, path=name(row.path)) for row in report.bad),
        batches=tuple(
            replace(one, batch=replace(one.batch, first=("-", one.batch.first[1])))
            if one.batch.first[0].endswith(SPOOL)
            else one
            for one in report.batches
        ),
    )


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
            complain(f"{source.path}: {why}; {CURE}")


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


def _follow(paths: list[Path], logs: Logs, arguments: argparse.Namespace) -> int:
    """Read what is there, tell of it, and tell again of what is new until interrupted.

    Folders are searched again: another worker began a log, or one was rotated and packed.
    """
    teller = Teller(arguments)
    while True:
        with contextlib.closing(_follower(arguments, paths)) as follower:
            with Meter(sys.stderr) as meter:
                _read(follower, meter, final=False)
            _complain(follower.report)
            paths = _tell_until_others(follower, teller, paths, logs)


def _tell_until_others(follower: Follower, teller: Teller, paths: list[Path], logs: Logs) -> list[Path]:
    """Tell of what these logs hold, and again of what is new, until there are others; return those.

    Before anything new is told it is made sure that there are none: a log that begins anew may have been rotated.
    """
    teller.tell(follower.report)
    told = follower.report.rev
    due = time.monotonic() + _TELL_S
    try:
        while True:
            changed = follower.poll(time.time())
            now = time.monotonic()
            if now >= due and not follower.more:
                due = now + _TELL_S
                found = logs.files()[0]
                if found and found != paths:
                    return found
                if follower.report.rev != told:
                    teller.tell(follower.report)
                    told = follower.report.rev
            if not changed and follower.more:
                follower.wait(_WAIT_S)
            elif not changed:
                time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        if follower.report.rev != told:
            teller.tell(follower.report)
        raise

"""`mens-console health LOG…`: generation health from attempt logs, once or as they grow.

Counting is `mens_console.health`'s, judging `signals`'s; here logs are found, followed and told of.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter, colour, complain, settings_from
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.healthdoc import csv_header, csv_rows, document
from mens_console.cli.healthtable import batch_line, critical_now, lines, verdict
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mens_console.health.follow import Follower
    from mens_console.signals.generation import HealthReport, Judged

_LOOK_S: Final = 0.25
"""How often logs that do not grow are looked at."""
_TELL_S: Final = 1.0
"""Least time between two tellings of a log that grows."""
_WAIT_S: Final = 0.005
_PROGRESS_S: Final = 0.5
_CLEAR: Final = "\x1b[H\x1b[2J"
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
                paths.append(_spooled(folder / "standard-input.jsonl"))
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
        yield list(dict.fromkeys(paths))


def _spooled(path: Path) -> Path:
    """Write standard input to a file, which can be read in pieces, and return it."""
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return path


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
        workers=cores if arguments.workers is None else arguments.workers,
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
        report = follower.report
        share = f" ({100 * report.done // report.size} %)" if report.size else ""
        complain(f"interrupted after {report.done:,} of {report.size:,} bytes{share}; this is what they say")
        _told(report, arguments)
        raise
    return _told(follower.report, arguments)


def _read(follower: Follower, meter: Meter, *, final: bool) -> None:
    """Read until nothing is known to wait."""
    quiet, due = 0, time.monotonic() + _PROGRESS_S
    while quiet < 2:  # a look may only notice that a log is another one now
        changed = follower.poll(time.time(), final=final)
        quiet = 0 if changed or follower.more else quiet + 1
        if not changed and follower.more:
            time.sleep(_WAIT_S)
        if (now := time.monotonic()) >= due:
            meter.tell(follower.report.done, follower.report.size)
            due = now + _PROGRESS_S


def _told(report: HealthReport, arguments: argparse.Namespace) -> int:
    """Print the whole report and return the exit status."""
    _complain(report)
    if arguments.json:
        _print_json(document(report), indent=True)
    elif arguments.csv:
        _print_csv(report.batches, header=True)
    elif report.batches:
        print("\n".join(lines(report, arguments.by, paint if colour(sys.stdout) else plain)))
    return status(report)


def _complain(report: HealthReport) -> None:
    for source in report.sources:
        if source.problem:
            complain(f"{source.path}: {source.problem}")
        elif not source.rows:
            why = f"{source.bad_rows:,} lines, none of them an attempt" if source.bad_rows else "it is empty"
            complain(f"{source.path}: {why}; {_CURE}")


def status(report: HealthReport) -> int:
    """Return 1 where a run drifts or a critical band holds now, 2 where nothing could be judged, else 0."""
    if report.tier.drift or critical_now(report):
        return NO
    judged = any(band.band != "nodata" for one in report.batches for band in one.bands.values())
    return OK if judged else WRONG


def _print_json(found: dict[str, object], *, indent: bool) -> None:
    import orjson

    print(orjson.dumps(found, option=orjson.OPT_INDENT_2 if indent else 0).decode(), flush=True)


def _print_csv(batches: Sequence[Judged], *, header: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if header:
        writer.writerow(csv_header())
    writer.writerows(csv_rows(batches))
    sys.stdout.flush()


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
            if not changed:
                time.sleep(_WAIT_S if follower.more else _LOOK_S)
    except KeyboardInterrupt:
        if follower.report.rev != told:
            teller.tell(follower.report)
        raise


class Teller:
    """Tells of a report again and again: on a terminal the whole table anew, else only what is new.

    With `--json` each line is a document `mens-health/1` whose `batches` are those that changed since the line before;
    with `--csv` a row for each batch once it is whole; otherwise a line for each whole batch and each new verdict.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._form = "json" if arguments.json else "csv" if arguments.csv else "text"
        self._by = arguments.by
        self._screen = self._form == "text" and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._ink = paint if colour(sys.stdout) else plain
        self._known: dict[tuple[str, int], Judged] = {}
        self._verdict = ""
        self._first = True

    def tell(self, report: HealthReport) -> None:
        """Tell of what changed since the last time."""
        fresh = [one for one in report.batches if self._known.get((one.batch.run_id, one.batch.index)) is not one]
        self._known.update({(one.batch.run_id, one.batch.index): one for one in fresh})
        if self._form == "json":
            _print_json(document(report, fresh), indent=False)
        elif self._form == "csv":
            _print_csv([one for one in fresh if one.batch.complete or self._by != "batch"], header=self._first)
        elif self._screen:
            height = shutil.get_terminal_size().lines - 1
            print(_CLEAR + "\n".join(lines(report, self._by, self._ink, runs=3)[:height]), flush=True)
        elif self._first:
            print("\n".join(lines(report, self._by, self._ink)), flush=True)
        else:
            self._tell_lines(report, fresh)
        self._first = False

    def _tell_lines(self, report: HealthReport, fresh: Sequence[Judged]) -> None:
        for judged in fresh:
            if judged.batch.complete or self._by != "batch":
                print(batch_line(judged, self._ink), flush=True)
        said = verdict(report, self._ink)
        reasons = "\n".join([*report.tier.drift_reasons, said[0].partition("  ")[0]])
        if reasons != self._verdict:
            print("\n".join(said), flush=True)
            self._verdict = reasons

"""Tells of generation health again and again as logs grow: the table anew on a terminal, else only what is new."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import colour
from mens_console.cli.healthdoc import batch_document, csv_header, csv_rows, document
from mens_console.cli.healthtable import batch_line, lines, state_of, verdict
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mens_console.signals.generation import HealthReport, Judged

_CLEAR: Final = "\x1b[H\x1b[2J"


def print_json(report: HealthReport, batches: Sequence[Judged], *, indent: bool) -> None:
    """Print the document that lists `batches`, on one line without `indent`.

    One batch after the other: thousands of them with their reasons would be most of the memory that is used.
    """
    import orjson

    option = orjson.OPT_INDENT_2 if indent else 0
    # Before the list of batches, empty here, stands no foreign text.
    before, empty, after = orjson.dumps(document(report, ()), option=option).decode().partition("[]")
    apart = "\n    " if indent else ""
    sys.stdout.write(before + empty[0])
    for number, judged in enumerate(batches):
        text = orjson.dumps(batch_document(judged), option=option).decode()
        sys.stdout.write("," * bool(number) + apart + text.replace("\n", apart))
    sys.stdout.write(("\n  " if indent and batches else "") + empty[1] + after + "\n")
    sys.stdout.flush()


def print_csv(batches: Sequence[Judged], *, header: bool) -> None:
    """Print a row for each batch."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if header:
        writer.writerow(csv_header())
    writer.writerows(csv_rows(batches))
    sys.stdout.flush()


def _alike(before: Judged | None, now: Judged) -> bool:
    """Say whether a batch is told already, also where its log was rotated, so that all was counted anew elsewhere."""
    if before is None or before is now:
        return before is now
    was, told = batch_document(before), batch_document(now)
    return was | {"first": None} == told | {"first": None}


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
        self._verdict: object = None
        self._first = True

    def tell(self, report: HealthReport) -> None:
        """Tell of what changed since the last time."""
        known = self._known
        fresh = [one for one in report.batches if not _alike(known.get((one.batch.run_id, one.batch.index)), one)]
        known.update({(one.batch.run_id, one.batch.index): one for one in report.batches})
        if self._form == "json":
            print_json(report, fresh, indent=False)
        elif self._form == "csv":
            print_csv([one for one in fresh if one.batch.complete or self._by != "batch"], header=self._first)
        elif self._screen:
            height = shutil.get_terminal_size().lines - 1
            print(_CLEAR + "\n".join(lines(report, self._by, self._ink, runs=3)[:height]), flush=True)
        elif self._first:
            self._is_news(report)
            print("\n".join(lines(report, self._by, self._ink)), flush=True)
        else:
            self._tell_lines(report, fresh)
        self._first = False

    def _tell_lines(self, report: HealthReport, fresh: Sequence[Judged]) -> None:
        for judged in fresh:
            if judged.batch.complete or self._by != "batch":
                print(batch_line(judged, self._ink), flush=True)
        if self._is_news(report):
            print("\n".join(verdict(report, self._by, self._ink)), flush=True)

    def _is_news(self, report: HealthReport) -> bool:
        """Say whether the verdict, or what it rests on, is another than at the last telling."""
        said = (state_of(report, self._by), [reason.partition(" ")[0] for reason in report.tier.drift_reasons])
        before, self._verdict = self._verdict, said
        return said != before

"""Options of the commands that are about runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from mens_console.cli.options import looks, paths, run_in, search, search_in
from mens_console.cli.values import duration, natural, positive, speed

STAGES: Final = ("dataset", "dryrun", "mini", "train", "evaluation", "export", "deployment", "iteration")
"""Ids of `signals.stages.STAGES`, without loading them."""

LEVELS: Final = ("critical", "error", "warning", "info", "debug")
"""Those of `ingest.logtail`, without loading it."""


def console(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the console itself."""
    paths(parser)
    looks(parser)
    search(parser)
    parser.add_argument("--version", action="store_true", help="print the version and leave")


def status(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `status`."""
    paths(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the document mens-status/1")
    form.add_argument("--line", action="store_true", help="print one short line, at most 60 columns, for a status bar")
    search(parser)


def plot(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `plot`."""
    run_in(parser)
    parser.add_argument("metrics", nargs="+", metavar="METRIC", help="series such as loss, or as your trainer calls it")
    parser.add_argument("--width", type=positive, metavar="N", help="columns (default: the terminal's)")
    parser.add_argument("--height", type=positive, metavar="N", help="rows of each chart (default: fits the terminal)")
    parser.add_argument("--log", action="store_true", help="logarithmic value axis; values that are not positive drop")
    parser.add_argument(
        "--x",
        choices=("step", "relative", "wall"),
        default="step",
        help="x axis: step, seconds from the start, or time",
    )


def export(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `export`."""
    run_in(parser)
    parser.add_argument(
        "--csv", action="store_true", help="comma-separated values, one row a step (the only format so far)"
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        dest="metrics",
        metavar="NAME",
        help="only this series (may be given again)",
    )
    parser.add_argument("--long", action="store_true", help="one row a value instead, with what resumes went back over")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE (default: standard output)")


def compare(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `compare`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders, ids or names of the runs, at least two")
    parser.add_argument("--json", action="store_true", help="print the document mens-compare/1")
    parser.add_argument("--all", action="store_true", help="settings that are the same, or only name the runs, too")
    search_in(parser)


def logs(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `logs`."""
    parser.add_argument(
        "names", nargs="*", metavar="RUN", help="a run's id or name, a folder, or a log file (default: every stream)"
    )
    parser.add_argument(
        "--merge",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="several streams as one, by time (the default), or one after the other",
    )
    parser.add_argument(
        "-n", "--lines", type=natural, metavar="N", help="the last N lines that pass (default 100; with --since all)"
    )
    parser.add_argument("--since", type=duration, metavar="TIME", help="only the last 90s, 10m, 2h or 1d")
    parser.add_argument("--level", choices=LEVELS, help="only lines of this level and worse; a traceback is an error")
    parser.add_argument(
        "--grep", metavar="RE", help="only lines that match; without capitals in RE capitals make no difference"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written, rotation included")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: run, file, time, level, text")
    search_in(parser)


def stage(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `stage`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"{', '.join(STAGES)}, or a step such as export.merge")
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the run's directory (default: $MENS_RUN_DIR, the current directory)"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="JSON lines whose parse errors are counted (dataset; may be given again)",
    )
    parser.add_argument("--facts", type=Path, metavar="FILE", help="a JSON report of the command's with its facts")
    parser.add_argument("--probe", metavar="COMMAND", help="shell command that the deployed model answers (deployment)")
    parser.add_argument("--time", action="store_true", help="print GNU time's line on standard error at the end")
    parser.add_argument("--list", action="store_true", help="list the stages of the run and how they went")
    parser.add_argument("--json", action="store_true", help="the list as the document mens-stages/1")


def _speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed", type=speed, default=None, metavar="N", help="times real time, or `max` for as fast as it reads"
    )


def replay(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `replay`."""
    run_in(parser)
    _speed(parser)
    looks(parser)


def demo(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    _speed(parser)
    looks(parser)

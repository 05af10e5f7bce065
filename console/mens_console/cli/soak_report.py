"""`mens-console soak report DIR|FILE`: what a soak came to, as a page, as `mens-soak/1`, as Markdown or HTML.

Exit status: 0 fine · 1 uptime under 99.5 %, errors over 0.5 %, 4 incidents or more, a driver that died, or nothing
measured · 2 nothing readable.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import Meter, colour, complain, output
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.soak.follow import SoakFollower
    from mens_console.soak.types import Analysis

LOOK_S: Final = 1.0
"""Between two looks of `--follow`."""
AGAIN_S: Final = 60.0
"""How often `--follow` tells or writes the whole of it at most, where it is no page on a terminal."""
_LIVE: Final = frozenset({"starting", "running", "unknown"})


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", type=Path, metavar="DIR|FILE",
        help="a soak's directory, or results of guidellm, vLLM bench serve, aiperf, locust or k6",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the document mens-soak/1, which the gate reads")
    form.add_argument("--markdown", metavar="FILE", help="write the report as Markdown (- for standard output)")
    form.add_argument("--html", metavar="FILE", help="write it as one HTML file with pictures (- for standard output)")
    parser.add_argument("--follow", action="store_true", help="go on until the soak ends, and tell what is new")
    parser.epilog = (
        "examples:\n  mens-console soak report /data/soak\n"
        "  mens-console soak report /data/soak --json > evidence/soak.json\n"
        "  mens-console soak report /data/soak --html soak.html\n"
        "  mens-console soak report profile_export.jsonl --follow\n\n"
        "exit status: 0 fine · 1 a target of the release is missed, or the driver died · 2 nothing readable"
    )


def run(arguments: argparse.Namespace) -> int:
    """Tell what the soak came to."""
    path: Path = arguments.path.expanduser()
    if not os.path.lexists(path):
        raise CommandError(f"{path}: no such file or folder; name the --out of a soak, or a load tool's results")
    follower = _opened(path)
    try:
        found = _read(follower)
        _readable(found, path)
        _tell(found, arguments)
        if arguments.follow:
            found = _followed(follower, found, arguments)
    finally:
        follower.close()
    return verdict(found)


def verdict(found: Analysis) -> int:
    """Return the exit status; no evidence is no success."""
    from mens_console.soak.verdicts import ERRORS_FAIL, FAILURES_FAIL, UPTIME_FAIL

    uptime, errors = found.uptime, found.error_rate
    if uptime is None or found.state == "died":
        return NO
    missed = uptime < UPTIME_FAIL or (errors or 0.0) > ERRORS_FAIL or len(found.incidents) >= FAILURES_FAIL
    return NO if missed else OK


def _opened(path: Path) -> SoakFollower:
    from mens_console.soak.follow import SoakFollower
    from mens_console.soak.imports.following import UnreadableError

    try:
        return SoakFollower(path)
    except UnreadableError as error:
        if _is_report(path):
            raise CommandError(
                f"{path}: it is a report already; `gate check` reads it, and this reads its soak"
            ) from None
        raise CommandError(str(error)) from None


def _is_report(path: Path) -> bool:
    from mens_console.ingest.safeopen import read_small

    try:
        return b'"mens-soak/1"' in read_small(os.fspath(path), 1024, follow=True)
    except OSError:
        return False


def _read(follower: SoakFollower) -> Analysis:
    """Return what is there now, read to its end; on a terminal with how far that is, where it takes long."""
    with Meter(sys.stderr) as meter:
        follower.poll(time.time())
        while follower.more:
            meter.tell(*follower.far)
            follower.poll(time.time())
    return follower.report


def _readable(found: Analysis, path: Path) -> None:
    """Raise `CommandError` where there is nothing to tell of."""
    if found.plan is not None or found.minutes or found.requests:
        return
    told = "; ".join(found.problems[:3]) or found.why or "no soak was recorded there"
    raise CommandError(f"{path}: nothing readable: {told}")


def _tell(found: Analysis, arguments: argparse.Namespace) -> None:
    from mens_console.gate.rendering import html, markdown
    from mens_console.soak.report import report, title

    if arguments.json:
        sys.stdout.write(written(found, whole=not arguments.follow).decode())
        sys.stdout.flush()
    elif arguments.markdown is not None:
        _write(arguments.markdown, markdown(report(found)))
    elif arguments.html is not None:
        _write(arguments.html, html(report(found), title(found)))
    else:
        _page(found, in_place=arguments.follow)


def written(found: Analysis, *, whole: bool) -> bytes:
    """Return the report as `mens-soak/1`: one object, on lines of its own where `whole`, else on one."""
    import orjson

    from mens_console.soak.document import document

    ours = _version() if found.source == "mens-console" else None
    return orjson.dumps(document(found, ours), option=orjson.OPT_INDENT_2 if whole else 0) + b"\n"


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mens-console")
    except PackageNotFoundError:
        return None


def _write(name: str, text: str) -> None:
    try:
        with output(None if name == "-" else Path(name)) as file:
            file.write(text)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise CommandError(f"{name}: {told}; name a file that can be written") from None


def _page(found: Analysis, *, in_place: bool) -> None:
    from mens_console.cli.soakpage import page
    from mens_console.cli.status import paint, plain
    from mens_console.soak.report import report

    size = shutil.get_terminal_size((80, 24))
    lines = page(report(found), size.columns, paint if colour(sys.stdout) else plain)
    if in_place and sys.stdout.isatty() and found.state in _LIVE:
        if len(lines) >= size.lines:
            rest = len(lines) - size.lines + 2
            lines = [*lines[: size.lines - 2], f"… {rest} more lines, which are told at the end, or without --follow"]
        sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
    else:
        begin = "\x1b[H\x1b[2J" if in_place and sys.stdout.isatty() else ""
        sys.stdout.write(begin + "\n".join(lines) + "\n")
    sys.stdout.flush()


def _followed(follower: SoakFollower, found: Analysis, arguments: argparse.Namespace) -> Analysis:
    """Tell what is new until the soak is over; return what it came to."""
    at_once = not arguments.json and arguments.markdown is None and arguments.html is None and sys.stdout.isatty()
    told, at = found, time.monotonic()
    while found.state in _LIVE:
        time.sleep(LOOK_S)
        if not follower.poll(time.time()) and found is told:
            continue
        found = follower.report
        if found is told:
            continue
        if at_once or found.state != told.state or time.monotonic() - at >= AGAIN_S:
            _tell(found, arguments)
            for problem in set(found.problems) - set(told.problems):
                complain(safe_text(problem))
            told, at = found, time.monotonic()
    return found

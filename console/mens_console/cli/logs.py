"""`mens-console logs [RUN…]`: log streams in the plain terminal, merged by time, filtered, followed, or as JSON lines.

Which streams are meant is `logstreams`' business, how a line looks `loglines`'; here they are opened and printed.
"""

from __future__ import annotations

import math
import re
import select
import sys
import threading
import time
from contextlib import ExitStack, closing
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import colour, complain
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.loglines import Tags, document, shown
from mens_console.cli.logstreams import Named, streams
from mens_console.ingest.lognames import short_names
from mens_console.ingest.logpick import Pick, worse
from mens_console.ingest.merged import MOST, Merged

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from mens_console.ingest.merged import Mark, MergedLine

LINES: Final = 100
"""Lines that are shown of the end where nothing else is asked for."""
_BEAT_S: Final = 0.25
_BATCH: Final = 256


def run(arguments: argparse.Namespace) -> int:
    """Print the lines; 1 where there is none."""
    try:
        re.compile(arguments.grep or "")
    except re.error as error:
        raise CommandError(f"--grep {arguments.grep}: not a regular expression: {error}") from error
    found = streams(arguments)
    with ExitStack() as stack:
        if len(found) == 1 or not (arguments.merge or arguments.follow):
            groups = [_alone(one, arguments) for one in found]
        else:
            groups = _together(found, arguments)
        for group in groups:
            stack.enter_context(closing(group.merged))
        printed = 0
        for i, group in enumerate(groups):
            if len(groups) > 1:
                _head(group, first=not i, json=arguments.json)
            printed += group.print_past()
        if arguments.follow:
            groups[-1].follow()
    return OK if printed or arguments.follow else NO


def _alone(stream: Named, arguments: argparse.Namespace) -> _Group:
    """Return one stream to be read by itself, whether or not it tells times."""
    merged = Merged([stream.path], watch=False, since=None if arguments.since else 0)
    if merged.problems[0] is not None and not arguments.follow:
        complain(f"{stream.path}: {merged.problems[0]}")
    if arguments.since and merged.undated:
        complain(f"{stream.path}: its lines tell no time, so none is known to be new enough; without --since they show")
    return _Group(merged, [stream], arguments)


def _together(found: Sequence[Named], arguments: argparse.Namespace) -> list[_Group]:
    """Return the streams as one, and tell which are left out of it."""
    if len(found) > MOST:
        complain(f"{len(found)} streams; the {MOST} written to last are merged: name runs or files to choose others")
    found = found[:MOST]
    merged = Merged([stream.path for stream in found], watch=False)
    for stream, problem in zip(found, merged.problems, strict=True):
        if problem is not None:
            complain(f"{stream.path}: {problem}")
    silent = [found[i] for i in merged.undated if arguments.lines != 0]
    for stream in silent:
        new = "; what comes is shown as it comes" if arguments.follow else ""
        complain(f"{stream.path}: its lines tell no time, so they have no place here{new} (--no-merge shows them)")
    return [_Group(merged, found, arguments)]


def _head(group: _Group, *, first: bool, json: bool) -> None:
    """Name a stream above its lines."""
    if not json:
        print(f"{'' if first else chr(10)}==> {shown(str(group.streams[0].path), colour=False)} <==")


class _Group:
    """Streams that are printed as one."""

    def __init__(self, merged: Merged, found: Sequence[Named], arguments: argparse.Namespace) -> None:
        self.merged, self.streams = merged, found
        self._json, self._follows = arguments.json, arguments.follow
        self._colour = colour(sys.stdout)
        self._tags = Tags(short_names([(stream.owner, stream.path) for stream in found]), colour=self._colour)
        self._pick = Pick(arguments.grep or "", worse(arguments.level) if arguments.level else ())
        self._since = time.time() - arguments.since if arguments.since else None
        self._lines = arguments.lines
        self._mark: Mark = merged.end()

    def print_past(self) -> int:
        """Print what was there when the command began; return how many lines."""
        stop = self._mark.cut if self._follows else None
        if self._since is not None and self._lines is None:
            return self._print(self._pick.forward(self.merged.walk(self.merged.cut_at(self._since), stop)))
        since = -math.inf if self._since is None else self._since
        recent = takewhile(lambda line: line.at >= since, self.merged.walk_back(stop))
        wanted = LINES if self._lines is None else self._lines
        lines = list(islice(self._pick.backward(recent), wanted))[::-1]
        return self._print(lines)

    def follow(self) -> None:
        """Print what comes, until the reader leaves or the command is interrupted."""
        from mens_console.ingest.logtail import hints

        wake = threading.Event()
        stop = hints({stream.path.parent for stream in self.streams}, wake.set)
        try:
            while not _reader_left():
                self.merged.refresh()
                lines, self._mark = self.merged.since(self._mark)
                self._print(self._pick.forward(lines))
                wake.wait(_BEAT_S)
                wake.clear()
        finally:
            if stop is not None:
                stop()

    def _print(self, lines: Iterable[MergedLine]) -> int:
        """Print lines some at a time, so that a reader sees them soon; return how many."""
        count, lines = 0, iter(lines)
        while batch := [self._text(line) for line in islice(lines, _BATCH)]:
            sys.stdout.write("\n".join(batch) + "\n")
            sys.stdout.flush()
            count += len(batch)
        return count

    def _text(self, line: MergedLine) -> str:
        if not self._json:
            return self._tags.of(line.stream) + shown(line.text, colour=self._colour)
        import orjson

        timed = line.stream not in self.merged.undated
        return orjson.dumps(document(line, self.streams[line.stream], timed=timed)).decode()


def _reader_left() -> bool:
    """Say whether standard output is a pipe that nobody reads any more; writing alone would tell too late."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False

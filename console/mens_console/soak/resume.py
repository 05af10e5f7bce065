"""Where a soak stands by what its earlier drivers wrote: the last closed minute, and the rows after it."""

# Names are ASCII of our own, in a folder whose name may hold any bytes.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import open_regular, read_at
from mens_console.soak import minutes, rows
from mens_console.soak.fold import NOWHERE, Closed, Folding
from mens_console.soak.reading import Line, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.soak.types import Plan

_TAIL: Final = 1 << 20


@dataclass(slots=True)
class Recovered:
    """What earlier drivers left."""

    folding: Folding
    unwritten: list[Closed] = field(default_factory=list)
    """Minutes that the journal closes, and that were not written before their driver died."""
    begun: bool = False
    """Whether anything was recorded."""
    beyond: int = 0
    """No row may be written to this segment or an older one: a power cut took rows from it that minutes speak of."""


def recover(folder: str, plan: Plan, tell: Callable[[int, int], None] = lambda *_: None) -> Recovered:
    """Fold what follows the last closed minute; raises `OSError` where a file cannot be read.

    `tell` hears now and then how many bytes of the journal were read, and how many there are: without minutes it is
    all of it, a minute and a half for three days of ten requests a second.
    """
    after = _last(os.path.join(folder, minutes.NAME), plan)
    found = Recovered(Folding(plan, after), begun=after is not None)
    reading = Reading(folder, after.next if after else NOWHERE)
    while lines := _some(reading):
        found.begun = True
        for line in lines:
            found.unwritten += feed(found.folding, line)
        if reading.more:
            tell(*reading.far())
    if after is not None and reading.place <= after.at:
        found.beyond = after.at.segment
    return found


def feed(folding: Folding, line: Line) -> list[Closed]:
    """Fold a line of the journal; return the minutes that it closed."""
    try:
        row = rows.decode(line.data)
    except rows.BadRowError as error:
        folding.refuse(line.place, str(error))
        return []
    return folding.feed(row, line.place)


def _some(reading: Reading) -> list[Line]:
    """Return the next lines; [] at the journal's end."""
    while not (lines := reading.poll()) and reading.more:
        pass
    if reading.error is not None:
        raise reading.error
    return lines


def _last(path: str, plan: Plan) -> Closed | None:
    """Return the newest closed minute that was written whole; None where there is none."""
    try:
        fd, status = open_regular(path)
    except FileNotFoundError:
        return None
    try:
        length = _TAIL
        while True:
            begin = max(status.st_size - length, 0)
            lines = read_at(fd, begin, status.st_size - begin).split(b"\n")
            for line in reversed(lines if begin == 0 else lines[1:]):
                if (closed := _decoded(line)) is not None and closed.minute.index * 60 < plan.duration_s:
                    return closed
            if begin == 0:
                return None
            length *= 4
    finally:
        os.close(fd)


def _decoded(line: bytes) -> Closed | None:
    if not line.strip():
        return None
    try:
        return minutes.decode(line)
    except minutes.BadMinuteError:
        return None

"""A driver without a server: the rows that one would write, killed and held up where a test wants it."""

import random
from dataclasses import dataclass, field

from mens_console.soak import rows, schedule
from mens_console.soak.record import Record
from mens_console.soak.types import Plan


def make_plan(**more):
    told = {
        "id": "soak-1", "url": "http://127.0.0.1:8000/v1", "model": "tiny", "rate": 1.0, "duration_s": 200.0,
        "started": 1_769_869_921.0, "timeout_s": 20.0,
    }  # fmt: skip
    return Plan(**told | more)


@dataclass
class Drive:
    """What drivers of one plan wrote, and what came of it, counted apart from the fold."""

    plan: Plan
    seed: int = 0
    sends: bool = False
    """Whether they tell what they send, before it ends."""
    slowest: float = 8.0
    ended: set = field(default_factory=set)
    failed: set = field(default_factory=set)
    last: float = 0.0
    """When the newest row was written."""
    dark: list = field(default_factory=list)
    """Times without a driver."""

    def rows(self, begin, end, *, held=(), first=False, over=False):
        """Return the rows of a driver that lived from `begin` up to `end`; held up from one moment to another.

        `over`: it came to its end in order, with all outcomes known.
        """
        told = self._first(begin, first=first)
        for a, b in held:  # it looks whether it was held up before it says anything else
            told.append((b, rows.happened(b, "held", "held up", begin=a, end=b)))
            self.dark.append((a, b))
        told += [(at, rows.Beat(at)) for at in _seconds(begin, end + 40 * over) if not _within(at, held)]
        for index in range(schedule.minutes(self.plan)):
            for number, due in enumerate(schedule.due(self.plan, index)):
                told += self._request((index, number), due, begin, end if not over else 1e9, held)
        told.sort(key=lambda one: one[0])
        if over:
            end = max([end, *(at for at, row in told if isinstance(row, rows.Request))])
            kept = [(at, row) for at, row in told if at <= end]
        else:
            kept = [(at, row) for at, row in told if at < end]
        for _, row in kept:
            if isinstance(row, rows.Request):
                (self.failed if row.err else self.ended).add(row.id)
        if over:
            kept.append((end, rows.happened(end, "end", "done")))
        self.last = max([self.last, *(at for at, _ in kept)])
        return [row for _, row in kept]

    def _first(self, begin, *, first):
        if first:
            return [(begin, rows.happened(begin, "start", "a driver began"))]
        self.dark.append((self.last, begin))
        return [(begin, rows.happened(begin, "resume", "a driver went on"))]

    def _request(self, number, due, begin, end, held):
        draw = random.Random(f"{self.seed}/{number}")
        took, bad = draw.uniform(0.05, self.slowest), draw.random() < 0.1
        sent = due + 0.001
        for a, b in held:
            if a <= due < b:
                if b - due > 5:
                    return []
                sent = b + 0.001
        if not begin <= due < end or sent >= end:
            return []
        ended = sent + took
        for a, b in held:
            if a <= ended < b:
                took, ended = b - sent + 0.002, b + 0.002
        told = [(sent, rows.Sent(number, due, sent))] if self.sends else []
        e2e = round(took * 1000, 3)
        if bad:
            row = rows.Request(id=number, due=due, sent=sent, e2e=e2e, err="http", st=503)
        else:
            row = rows.Request(
                id=number, due=due, sent=sent, e2e=e2e, ttft=e2e / 4, gaps=[e2e / 4] * 3, tok=4, by="server", chunks=4
            )
        return [*told, (ended, row)]


def _seconds(begin, end):
    return [begin + 0.5 + number for number in range(int(end - begin))]


def _within(at, spans):
    return any(a <= at < b for a, b in spans)


def length(spans, begin, end):
    """Return how much of `begin` to `end` some spans cover, each moment once."""
    covered, reached = 0.0, begin
    for a, b in sorted(spans):
        covered += max(min(b, end) - max(a, reached), 0)
        reached = max(reached, min(b, end))
    return covered


def read(folder, now=0.0):
    """Return the record of a folder, read to its end; `now` is wall time in seconds."""
    record = Record(folder)
    record.poll(now)
    while record.more:
        record.poll(now)
    return record

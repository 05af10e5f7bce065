"""What the tests of all formats share: feeding in pieces, and batches folded to comparable values."""

from __future__ import annotations

import math
from collections import defaultdict

from mens_console.ingest.formats import recognise

LATEST = {"eta_s", "epoch", "status"}
"""Facts that are repeated in every batch and of which only the newest counts."""


class Read:
    """Everything a decoder said about one file, folded."""

    def __init__(self):
        self.points = defaultdict(list)
        self.walls = defaultdict(list)
        self.facts = []
        self.latest = {}
        self.bad = []
        self.rows = self.bad_rows = self.consumed = 0
        self.columns = []

    def add(self, batch):
        for columns in batch.columns:
            assert len(columns.names) == len(columns.values) == len(set(columns.names))
            assert len(columns.walls) == len(columns) > 0
            self.columns.append(columns)
            for name, values in zip(columns.names, columns.values, strict=True):
                assert len(values) == len(columns)
                key = (name, columns.rank)
                self.points[key] += [(s, show(v)) for s, v in zip(columns.steps, values, strict=True)]
                self.walls[key] += [show(wall) for wall in columns.walls]
        for fact in batch.facts:
            if fact.kind in LATEST:
                self.latest[fact.kind] = show(fact.value)
            else:
                self.facts.append((fact.kind, fact.value, fact.step, fact.detail))
        self.bad += [(bad.line, bad.offset, bad.reason) for bad in batch.bad]
        self.rows += batch.rows
        self.bad_rows += batch.bad_rows

    def series(self, name, rank=None):
        return self.points.get((name, rank), [])

    def values(self, name, rank=None):
        return [value for _, value in self.series(name, rank)]

    def kinds(self):
        return {fact[0] for fact in self.facts} | self.latest.keys()

    def fact(self, kind):
        return [fact[1] for fact in self.facts if fact[0] == kind]

    def same(self):
        """What must not depend on how the bytes were cut."""
        places = [line for line, _, _ in self.bad]
        return dict(self.points), dict(self.walls), self.facts, self.latest, self.rows, self.bad_rows, places


def show(value):
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def read(data, decoder, *, at=math.nan, cuts=(), final=True):
    """Feed `data` as a tail would: unconsumed bytes come again, longer, at each cut."""
    result = Read()
    position = 0
    edges = sorted({cut for cut in cuts if 0 < cut < len(data)})
    for edge in [*edges, len(data)]:
        consumed, batch = decoder.feed(data[position:edge], at)
        assert 0 <= consumed <= edge - position
        position += consumed
        result.add(batch)
    if final:
        consumed, batch = decoder.feed(data[position:], at, final=True)
        position += consumed
        result.add(batch)
    result.consumed = position
    return result


def read_as(name, data, **options):
    found = recognise(name, data[: 1 << 16])
    assert found is not None
    return found.name, read(data, found.decoder(), **options)

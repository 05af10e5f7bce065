"""A format of whole lines `step,loss`, strict about the decoder protocol, for tests of reading."""

from __future__ import annotations

from array import array

from mens_console.ingest.formats.base import Format
from mens_console.ingest.records import BadLine, Batch, Columns


class LineDecoder:
    def __init__(self):
        self.lines = 0

    def feed(self, data, at, *, final=False):
        end = len(data) if final else data.rfind(b"\n") + 1
        batch, steps, losses = Batch(), array("q"), array("d")
        for line in data[:end].splitlines():
            self.lines += 1
            try:
                step, loss = line.split(b",")
                steps.append(int(step))
                losses.append(float(loss))
            except ValueError:
                batch.bad_rows += 1
                batch.bad.append(BadLine(self.lines, 0, "not step,loss", repr(line[:40])))
        if steps:
            batch.columns.append(Columns(("loss",), steps, array("d", [at]) * len(steps), (losses,)))
        batch.rows = len(steps)
        return end, batch

    def state(self):
        return {"lines": self.lines}

    def restore(self, state):
        self.lines = int(state["lines"])


class StatelessDecoder:
    """The same, without a state that could be carried over."""

    def __init__(self):
        self._inner = LineDecoder()

    def feed(self, data, at, *, final=False):
        return self._inner.feed(data, at, final=final)


LINES = Format("lines", 10, lambda name, head: head[:1].isdigit(), LineDecoder)
STATELESS = Format("stateless", 10, lambda name, head: True, StatelessDecoder)


def rows(*steps):
    return b"".join(b"%d,0.5\n" % step for step in steps)


class Folded:
    """What a store would hold: rows by source, void after a restart."""

    def __init__(self):
        self.steps, self.bad, self.walls = [], 0, []
        self.restarts = self.rotations = 0

    def add(self, chunk):
        if chunk is None:
            return False
        if chunk.restarted:
            self.steps, self.bad, self.walls = [], 0, []
            self.restarts += 1
        self.rotations += chunk.rotated
        for columns in chunk.batch.columns:
            self.steps += columns.steps.tolist()
            self.walls += columns.walls.tolist()
        self.bad += chunk.batch.bad_rows
        return True

    def drain(self, tail, now=1000.0, **options):
        while self.add(tail.poll(now, **options)):
            pass
        return self.steps

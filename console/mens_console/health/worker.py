"""The worker: counts pieces of logs as it is asked on its standard input, and answers on its standard output.

It is started with `-P`, writes to nothing else, and ends when its input does.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from mens_console.health.few import FewReader
from mens_console.health.figures import figures
from mens_console.health.fold import MOST_RUNS, counts, grow
from mens_console.health.frames import (
    QUESTION,
    Begin,
    Failed,
    Folded,
    Job,
    Lines,
    Piece,
    Read,
    Runs,
    Strange,
    pack,
    read_frame,
)
from mens_console.health.memory import keep_blocks
from mens_console.health.rows import SAMPLES, RowReader, count_lines
from mens_console.health.source import SLICE
from mens_console.ingest.safeopen import explain, open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.health.frames import Answer
    from mens_console.health.partial import Partial
    from mens_console.health.rows import Block


_TOO_MANY: Final = f"more than {MOST_RUNS:,} runs"


class _StrangeError(Exception):
    """A run of which nothing was told."""


@dataclass(slots=True)
class _Run:
    """A run in one job: its attempts from its beginning, and the count of the batch that grows."""

    attempts: int = 0
    open: Partial | None = None
    last_ts: float | None = None


@dataclass(slots=True)
class _Count:
    """The counting of one job."""

    job: Job
    begin: Begin
    runs: dict[str, _Run] = field(default_factory=dict)
    read: Read = field(default_factory=lambda: Read({}, 0, 0, 0, [], {}))
    pieces: list[Piece] = field(default_factory=list)

    def run(self, name: str) -> _Run:
        """Return a run, as it stood before the job where it is met first."""
        if (run := self.runs.get(name)) is None:
            if not self.begin.sure and name not in self.begin.before:
                raise _StrangeError
            if len(self.runs) >= MOST_RUNS:
                raise OSError(_TOO_MANY)
            run = self.runs[name] = _Run(self.begin.before.get(name, 0))
        return run

    def add(self, block: Block) -> None:
        """Count the attempts of the next block."""
        job = self.job
        self._note(block)
        for name in grow(block, job.named, self.run, batch_size=job.batch_size, by=job.by):
            self._take(name, self.runs[name])

    def finish(self) -> Folded:
        """Return what was counted, with the batches that grow on behind the job."""
        for name, run in self.runs.items():
            self._take(name, run)
            if self.job.by == "batch":
                self.read.attempts[name] = run.attempts - self.begin.before.get(name, 0)
        # Runs are told of in the order in which they appear in the log, not in that in which their batches end.
        places = {name: place for place, name in enumerate(self.runs)}
        self.pieces.sort(key=lambda piece: places[piece.name])
        return Folded(self.job.number, self.read, self.pieces)

    def _note(self, block: Block) -> None:
        read = self.read
        for line in block.bad:
            line.line += read.lines
        read.bad = [*read.bad, *block.bad][-SAMPLES:]
        read.rows += len(block.rows)
        read.lines += block.lines
        read.bad_rows += block.bad_rows
        for name, times in block.unknown().items():
            read.unknown[name] = read.unknown.get(name, 0) + times
        if self.job.by != "batch":  # groups that are not runs tell nothing of runs
            for name, times in counts(block.rows).items():
                read.attempts[name] = read.attempts.get(name, 0) + times

    def _take(self, name: str, run: _Run) -> None:
        """Turn what grows into a piece: a batch that lies in the job whole into its figures."""
        job, partial = self.job, run.open
        if partial is None:
            return
        run.open = run.last_ts = None  # each piece tells its own times: whoever merges them looks at their borders
        index = (run.attempts - 1) // job.batch_size if job.by == "batch" else 0
        if job.by != "batch" or partial.n < job.batch_size:
            self.pieces.append(Piece(name, index, partial))
            return
        batch = figures(partial, name, index, batch_size=job.batch_size, usd_per_1000=job.usd_per_1000)
        self.pieces.append(Piece(name, index, None, batch, partial.first_ts, partial.last_ts))


class Worker:
    """Answers questions, one after the other; jobs that wait for their `Begin` are remembered."""

    def __init__(self) -> None:
        self._rows = RowReader()
        self._few = FewReader(["run_id"])
        self._waiting: dict[int, Job] = {}

    def answer(self, question: Job | Begin) -> Answer:
        """Begin a job, or go on with the last one."""
        try:
            if isinstance(question, Begin):
                job = self._waiting.pop(question.number)
                return self._fold(job, question)
            if question.first == "nothing":
                return self._fold(question, Begin(question.number, question.before, sure=True))
            self._waiting[question.number] = question
            if question.first == "lines":
                return Lines(question.number, sum(map(count_lines, _pieces(question))))
            return Runs(question.number, self._attempts(question))
        except _StrangeError:
            return Strange(question.number)
        except OSError as error:
            return Failed(str(error) if error.errno is None else explain(error))

    def _attempts(self, job: Job) -> dict[str, int]:
        found: Counter[str | int | None] = Counter()
        for data in _pieces(job):
            found.update(run for (run,) in self._few.read(data))
        named: Counter[str] = Counter()
        for run, times in found.items():
            named["" if run is None else str(run)] += times
        if len(named) > MOST_RUNS:
            raise OSError(_TOO_MANY)
        return dict(named)

    def _fold(self, job: Job, begin: Begin) -> Folded:
        counting, at = _Count(job, begin), job.start
        for data in _pieces(job):
            counting.add(self._rows.decode(data, at))
            at += len(data)
        return counting.finish()


def _pieces(job: Job) -> Iterator[bytes]:
    """Read a job's lines, some at a time. Raises `OSError`, without a number where the file is not what it was."""
    fd, status = open_regular(job.path, follow=True)
    try:
        if (status.st_dev, status.st_ino) != job.identity:
            raise OSError("it was replaced while it was read")
        at, window = job.start, SLICE
        while at < job.end:
            data = read_at(fd, at, min(window, job.end - at))
            if not data or (len(data) < window and at + len(data) < job.end):
                raise OSError("it shrank while it was read")
            end = len(data) if at + len(data) == job.end else data.rfind(b"\n") + 1
            if not end:
                window *= 2  # a line longer than that
                continue
            yield data[:end]
            at, window = at + end, SLICE
    finally:
        os.close(fd)


def main(questions: IO[bytes], answers: IO[bytes]) -> int:
    """Answer until the questions end. Returns the exit code."""
    worker = Worker()
    try:
        while (frame := read_frame(questions.read)) is not None:
            answers.write(pack(worker.answer(QUESTION.decode(frame))))
            answers.flush()
    except BrokenPipeError:
        return 1  # the console is gone: so is the reason to go on
    return 0


if __name__ == "__main__":
    if "yield" in sys.argv:  # to who started it and paints
        os.nice(5)
    keep_blocks()
    gc.disable()  # rows make no cycles, and looking for them costs a tenth of the time
    code = main(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(code)  # nothing to tidy up, and a broken pipe must not be flushed again

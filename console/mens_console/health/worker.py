"""The worker: reads pieces of logs as it is asked on its standard input, and answers with their counts.

It is started with `-P`, writes to nothing but its standard output, and ends when its input does.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from typing import IO, TYPE_CHECKING

from mens_console.health.figures import figures
from mens_console.health.fold import counts, fold
from mens_console.health.frames import QUESTION, Failed, Folded, Job, Phases, Piece, Read, pack, read_frame
from mens_console.health.memory import keep_blocks
from mens_console.health.rows import SAMPLES, Block, RowReader, join
from mens_console.health.source import SLICE
from mens_console.ingest.safeopen import explain, open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.health.fold import Counted
    from mens_console.health.frames import Answer


class Worker:
    """Answers questions, one after the other."""

    def __init__(self) -> None:
        self._reader = RowReader()
        self._job: Job | None = None
        self._blocks: list[Block] = []

    def answer(self, question: Job | Phases) -> Answer:
        """Do a job's reading, or count what was read for the last job."""
        if isinstance(question, Phases):
            folded = Folded(list(self._fold(question)))
            self._blocks = []
            return folded
        try:
            return self._read(question)
        except OSError as error:
            return Failed(explain(error))

    def _read(self, job: Job) -> Answer:
        fd, status = open_regular(job.path, follow=True)
        try:
            if (status.st_dev, status.st_ino) != job.identity:
                return Failed("it was replaced while it was read")
            data = read_at(fd, job.start, job.end - job.start)
        finally:
            os.close(fd)
        if len(data) != job.end - job.start:
            return Failed("it shrank while it was read")
        blocks = list(self._decode(data, job.start))
        told = Read({}, 0, 0, 0, [], {})
        unknown: Counter[str] = Counter()
        attempts: Counter[str] = Counter()
        for block in blocks:
            for line in block.bad:
                line.line += told.lines
            told.bad = [*told.bad, *block.bad][-SAMPLES:]
            told.rows += len(block.rows)
            told.lines += block.lines
            told.bad_rows += block.bad_rows
            unknown.update(block.unknown())
            attempts.update(counts(block.rows))
        told.unknown, told.attempts = dict(unknown), dict(attempts)
        self._job, self._blocks = job, join(blocks)
        return told

    def _decode(self, data: bytes, start: int) -> Iterator[Block]:
        begin, view = 0, memoryview(data)
        while begin < len(data):
            end = len(data) if begin + SLICE >= len(data) else data.rfind(b"\n", begin, begin + SLICE) + 1
            if end <= begin:  # a line longer than a slice
                end = data.find(b"\n", begin) + 1 or len(data)
            yield self._reader.decode(view[begin:end], start + begin)
            begin = end

    def _fold(self, phases: Phases) -> Iterator[Piece]:
        job = self._job
        if job is None:
            return
        passed = Counter(phases.attempts)
        for block in self._blocks:
            for counted in fold(block, job.path, passed, batch_size=job.batch_size, by=job.by):
                yield _piece(counted, job)
            if job.by == "batch":
                passed.update(counts(block.rows))


def _piece(counted: Counted, job: Job) -> Piece:
    (name, index), partial = counted
    if job.by != "batch" or partial.n < job.batch_size:
        return Piece(name, index, partial)
    batch = figures(partial, name, index, batch_size=job.batch_size, usd_per_1000=job.usd_per_1000)
    return Piece(name, index, None, batch, partial.first_ts, partial.last_ts)


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

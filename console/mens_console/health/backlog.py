"""A long attempt log counted by worker processes, each a range of its bytes at a time; the answers come in order.

Which batch an attempt belongs to follows from how many of its run came before it: see `plan`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from mens_console.health.frames import ANSWER, Begin, Failed, Job, Lines, Runs, Strange, pack, read_frame
from mens_console.health.plan import Plan
from mens_console.health.ranges import cut_after
from mens_console.ingest.safeopen import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.health.frames import Answer, Piece, Read
    from mens_console.health.plan import First
    from mens_console.health.tally import Options

WORTHWHILE: Final = 16 << 20
"""Bytes below which workers (0.2 s to start) are not worth it."""
RANGE: Final = 16 << 20
_AHEAD: Final = 6
"""Ranges beyond the one that is merged next that may be counted or wait, for each worker."""
_ALONE: Final = {"OPENBLAS_NUM_THREADS": "1"}
"""Threads for matrices, of which there are none here: starting them costs as much as all else that is imported."""
_KEPT_ENV: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT")


@dataclass(slots=True)
class Done:
    """One range, counted: bytes `[start, end)`, what it holds, and the counts to be merged next."""

    start: int
    end: int
    read: Read
    pieces: list[Piece]


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    jobs: list[int] = field(default_factory=list)
    """Ranges it was given and has not answered to the end, in the order it does them."""

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout


class _StoppedError(Exception):
    """Work cannot go on, and why."""


class Ready(threading.Event):
    """An event that also calls `wake` each time it is set, on the thread that sets it."""

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._wake = wake

    def set(self) -> None:
        """Let those who wait go on."""
        super().set()
        if self._wake is not None:
            self._wake()


class Backlog:
    """Counts bytes `[start, end)` of a file that is open as `fd`; `poll` until `finished`, then `done` says how far.

    `phases` are the attempts of each run before `start`, which is the beginning of a line. `done` is the end of the
    last range that was handed out; it is short of `end` where a line has no newline yet, or where `problem` says that a
    worker failed. A thread of its own talks to the workers.
    """

    def __init__(
        self,
        path: str,
        fd: int,
        start: int,
        end: int,
        options: Options,
        phases: dict[str, int],
        *,
        workers: int = 2,
        range_size: int = RANGE,
        command: Sequence[str] = (),
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.path, self.end = path, end
        self.done = start
        self.problem: str | None = None
        self.ready = Ready(wake)
        """Set where `poll` may have something, or all is finished."""
        self.fd = os.dup(fd)
        status = os.fstat(fd)
        self._absolute = str(Path(path).absolute())  # workers stand elsewhere
        self._identity = (status.st_dev, status.st_ino)
        self._options, self._range_size = options, range_size
        self._plan = Plan(phases, batches=options.by == "batch")
        self._cut = start
        self._spans: dict[int, tuple[int, int]] = {}
        self._whose: dict[int, _Child] = {}
        self._queue: deque[Done] = deque()
        self._closed = threading.Event()
        argv = [*(command or (sys.executable, "-P", "-m", "mens_console.health.worker"))]
        argv += ["yield"] if wake is not None else []
        env = _ALONE | {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
        self._children = [
            _Child(
                subprocess.Popen(
                    argv,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=env,
                )
            )
            for _ in range(max(workers, 1))
        ]
        self._thread = threading.Thread(target=self._run, name="attempts", daemon=True)
        self._thread.start()

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [child.process.pid for child in self._children]

    @property
    def finished(self) -> bool:
        """Whether every range was handed out and no more will come."""
        return not self._thread.is_alive() and not self._queue

    def poll(self) -> Done | None:
        """Return the next range, None where none is ready; never waits."""
        self.ready.clear()
        if not self._queue:
            if not self._thread.is_alive():
                self.ready.set()
            return None
        done = self._queue.popleft()
        self.done = done.end
        self.ready.set()
        return done

    def close(self) -> None:
        """End the workers and wait for them; what was not handed out is lost."""
        self._closed.set()
        for child in self._children:
            child.process.kill()
        self._thread.join()
        for child in self._children:
            child.process.wait()
            child.stdout.close()
            with contextlib.suppress(OSError):
                child.stdin.close()
        os.close(self.fd)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self._talk()
        except (_StoppedError, OSError) as error:
            if not self._closed.is_set():
                why = explain(error) if isinstance(error, OSError) else str(error)
                self.problem = f"{self.path}: {why}: the rest is read again, in this process"
        finally:
            for child in self._children:
                child.process.kill() if self.problem else self._end(child)
            self.ready.set()

    @staticmethod
    def _end(child: _Child) -> None:
        try:
            child.stdin.close()
        except OSError:
            child.process.kill()

    def _talk(self) -> None:
        with selectors.DefaultSelector() as selector:
            for child in self._children:
                selector.register(child.stdout, selectors.EVENT_READ, child)
            while not self._closed.is_set():
                busy = self._give_jobs()
                if not busy and self._cut >= self.end:
                    if self._plan.pending:
                        raise _StoppedError("the workers did not do all they were given")
                    return
                for key, _ in selector.select(0.05):
                    self._hear(key.data)

    def _give_jobs(self) -> bool:
        """Give ranges to workers that have little to do; return whether any has something to do."""
        busy = False
        for child in self._children:
            # The next one waits in its pipe, so that it never has to wait for us.
            if len(child.jobs) < 2 and all(map(self._plan.begun, child.jobs)) and self._cut < self.end:
                self._give(child)
            busy |= bool(child.jobs)
        return busy

    def _give(self, child: _Child) -> None:
        if self._plan.pending + len(self._queue) >= _AHEAD * len(self._children):
            return
        left = (self.end - self._cut) // (2 * len(self._children))  # the last ranges are small: none ends long after
        size = min(self._range_size, max(left, self._range_size // 8))
        end = cut_after(self.fd, min(self._cut + size, self.end), self._cut, self.end)
        if end <= self._cut:
            self.end = self._cut  # what is left is a line without an end: it waits
            return
        number, first = self._plan.add(self._cut, end)
        self._spans[number] = (self._cut, end)
        self._cut = end
        self._ask(child, number, first, {})

    def _ask(self, child: _Child, number: int, first: First, before: dict[str, int]) -> None:
        start, end = self._spans[number]
        options = self._options
        child.jobs.append(number)
        self._whose[number] = child
        self._send(
            child,
            Job(
                number, self._absolute, self.path, self._identity, start, end,
                options.batch_size, options.usd_per_1000, options.by, first, before,
            ),
        )  # fmt: skip

    def _hear(self, child: _Child) -> None:
        answer = _answer_of(child)
        self._note(child, answer)
        for start, end, folded in self._plan.ready():
            self._queue.append(Done(start, end, folded.read, folded.pieces))
            self.ready.set()
        for order in self._plan.orders():
            if order.again:
                self._ask(self._whose[order.number], order.number, "nothing", order.before)
            else:
                self._send(self._whose[order.number], Begin(order.number, order.before, order.sure))

    def _note(self, child: _Child, answer: Answer) -> None:
        if isinstance(answer, Failed):
            raise _StoppedError(answer.why)
        if answer.number not in child.jobs:
            raise _StoppedError("a worker answered what it was not asked")
        if isinstance(answer, Lines):
            self._plan.tell_lines(answer.number, answer.lines)
        elif isinstance(answer, Runs):
            self._plan.tell_runs(answer.number, answer.attempts)
        else:
            child.jobs.remove(answer.number)
            if isinstance(answer, Strange):
                self._plan.tell_strange(answer.number)
            else:
                self._plan.tell_counted(answer.number, answer)

    def _send(self, child: _Child, message: Job | Begin) -> None:
        try:
            child.stdin.write(pack(message))
            child.stdin.flush()
        except OSError:
            while True:  # what it said before it ended tells more than that it ended
                _answer_of(child)


def _answer_of(child: _Child) -> Answer:
    """Return what a worker says next; raises `_StoppedError` where it ended, or says what is no answer."""
    try:
        frame = read_frame(lambda size: _read_exactly(child.stdout.fileno(), size))
        answer = None if frame is None else ANSWER.decode(frame)
    except (OSError, ValueError) as error:
        raise _StoppedError(f"a worker answered nonsense ({error})") from None
    if answer is None:
        raise _StoppedError(f"a worker ended ({_ending(child.process.wait())})")
    return answer


def _read_exactly(fd: int, size: int) -> bytes:
    """Return `size` bytes of a pipe, fewer only at its end."""
    parts = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

"""A long attempt log counted by worker processes, each a range of its bytes at a time; the answers come in order.

Which batch an attempt belongs to follows from how many of its run came before it. So a worker first tells how many
attempts of which run its range holds, learns what came before, and counts by batch then; meanwhile the next one reads.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from mens_console.health.frames import ANSWER, Failed, Folded, Job, Phases, Read, pack, read_frame
from mens_console.health.rows import LONGEST
from mens_console.ingest.safeopen import read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.health.tally import Options

WORTHWHILE: Final = 16 << 20
"""Bytes below which workers (0.2 s to start) are not worth it."""
RANGE: Final = 4 << 20
_AHEAD: Final = 6
"""Ranges beyond the one that is merged next that may be counted or wait, for each worker."""
_LOOK: Final = 1 << 16
_KEPT_ENV: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT")


@dataclass(slots=True)
class Done:
    """One range, counted: bytes `[start, end)`, what it holds, and the counts to be merged next."""

    start: int
    end: int
    read: Read
    folded: Folded


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    jobs: deque[int] = field(default_factory=deque)
    """Ranges it was given and has not answered to the end: one that is counted by batch, and one that is read."""

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
        self._passed = Counter(phases)
        self._cut = start
        self._ranges: list[tuple[int, int]] = []
        self._read: dict[int, tuple[_Child, Read]] = {}
        self._reads: dict[int, Read] = {}
        self._folded: dict[int, Folded] = {}
        self._phased = self._out = 0
        self._queue: deque[Done] = deque()
        self._closed = threading.Event()
        self._handed = 0
        argv = [*(command or (sys.executable, "-P", "-m", "mens_console.health.worker"))]
        argv += ["yield"] if wake is not None else []
        env = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
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
        self._handed += 1
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
        except _StoppedError as error:
            if not self._closed.is_set():
                self.problem = f"{self.path}: {error}: the rest is read again, in this process"
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
                    return
                for key, _ in selector.select(0.05):
                    self._hear(key.data)

    def _give_jobs(self) -> bool:
        """Give ranges to workers that read none; return whether any worker has something to do."""
        busy = False
        for child in self._children:
            # A worker holds one range at a time: it is given the next once it was told how to count that one.
            if len(child.jobs) < 2 and all(job < self._phased for job in child.jobs) and self._cut < self.end:
                self._give(child)
            busy |= bool(child.jobs)
        return busy

    def _give(self, child: _Child) -> None:
        if len(self._ranges) - self._handed >= _AHEAD * len(self._children):
            return
        end = self._cut_after(min(self._cut + self._range_size, self.end))
        if end <= self._cut:
            self.end = self._cut  # what is left is a line without an end: it waits
            return
        start, self._cut = self._cut, end
        child.jobs.append(len(self._ranges))
        self._ranges.append((start, end))
        options = self._options
        self._send(
            child,
            Job(self._absolute, self._identity, start, end, options.batch_size, options.usd_per_1000, options.by),
        )

    def _cut_after(self, near: int) -> int:
        """Return where a line ends at or soon after `near`, else before it; where no line ends, where we stand."""
        place = near - 1
        while place < min(self.end, near + LONGEST):
            data = read_at(self.fd, place, min(_LOOK, self.end - place))
            if not data:
                break
            if (newline := data.find(b"\n")) >= 0:
                return place + newline + 1
            place += len(data)
        place = near
        while place > self._cut:
            begin = max(place - _LOOK, self._cut)
            newline = read_at(self.fd, begin, place - begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            place = begin
        return self._cut

    def _hear(self, child: _Child) -> None:
        try:
            frame = read_frame(lambda size: _read_exactly(child.stdout.fileno(), size))
            answer = None if frame is None else ANSWER.decode(frame)
        except (OSError, ValueError) as error:
            raise _StoppedError(f"a worker answered nonsense ({error})") from None
        if answer is None:
            raise _StoppedError(f"a worker ended ({_ending(child.process.wait())})")
        if isinstance(answer, Failed):
            raise _StoppedError(answer.why)
        if isinstance(answer, Read):
            job = next(job for job in child.jobs if job not in self._reads)
            self._read[job] = (child, answer)
            self._reads[job] = answer
            self._tell_phases()
        else:
            job = child.jobs.popleft()
            self._folded[job] = answer
            self._hand_out()

    def _tell_phases(self) -> None:
        """Tell workers what came before their ranges, as far as that is known."""
        while self._phased in self._read:
            child, read = self._read.pop(self._phased)
            self._send(child, Phases({name: self._passed[name] for name in read.attempts}))
            self._passed.update(read.attempts)
            self._phased += 1

    def _hand_out(self) -> None:
        while self._out in self._folded:
            start, end = self._ranges[self._out]
            self._queue.append(Done(start, end, self._reads.pop(self._out), self._folded.pop(self._out)))
            self._out += 1
            self.ready.set()

    def _send(self, child: _Child, message: Job | Phases) -> None:
        try:
            child.stdin.write(pack(message))
            child.stdin.flush()
        except OSError:
            raise _StoppedError(f"a worker ended ({_ending(child.process.wait())})") from None


def _read_exactly(fd: int, size: int) -> bytes:
    """Return `size` bytes of a pipe, fewer only at its end."""
    parts = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

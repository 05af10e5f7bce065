"""A long backlog is parsed in a process of its own, because a parsing thread starves the painting one.

The child reads one file with the same `Tail` as everybody and hands back chunks, then the place where it stands; it
writes to nothing but its pipe. What the records mean is not known here.
"""

from __future__ import annotations

import gc
import os
import queue
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final

from mens_console.ingest.frames import pack, pack_chunk, read_frame, unpack_chunk
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import FdCache, open_regular, read_at
from mens_console.ingest.tail import Resumable, Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.records import Batch
    from mens_console.ingest.tail import Chunk

WORTHWHILE: Final = 4 << 20
"""Bytes below which a child (60 ms to start) is not worth it."""
_READ: Final = 1 << 20
_WAITING: Final = 16
"""Chunks that may wait to be folded before the child is made to wait."""
_KEPT_ENV: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT")
"""What a child inherits: its locale and time zone decide how a local time in a log reads; nothing else."""


def suits(format: Format, size: int) -> bool:
    """Whether a backlog of `size` bytes is worth a child, and its decoder's state can be carried over."""
    return size >= WORTHWHILE and not format.document and isinstance(format.decoder(), Resumable)


class BacklogReader:
    """Reads one file's history in a child process; `poll` until `finished`, then take the tail over with `hand_over`.

    `on_ready` is called, on a thread of the reader's own, whenever chunks wait. The child ends by itself when the pipe
    closes, so a killed console leaves none behind. A child that fails says so in `problem`; whatever it delivered
    before stands, and the tail handed over begins anew (its first chunk is a restart).
    """

    def __init__(
        self,
        path: str,
        format: Format,
        *,
        follow: bool = False,
        on_ready: Callable[[], None] = lambda: None,
        command: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.format = format
        self.follow = follow
        self.done = 0
        """Bytes whose chunks were handed out."""
        self.size = 0
        """Bytes of the whole backlog, once the child has said so."""
        self.problem: str | None = None
        self._place: dict[str, Any] | None = None
        self._on_ready = on_ready
        self._chunks: queue.Queue[Chunk] = queue.Queue(_WAITING)
        self._closed = threading.Event()
        argv = [*(command or _command()), path, format.name, "follow" if follow else "stay"]
        env = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
        self._child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env=env
        )
        self._thread = threading.Thread(target=self._receive, name="backlog", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def progress(self) -> float:
        """The share of the backlog that was handed out, 0 to 1."""
        return min(self.done / self.size, 1.0) if self.size else 0.0

    @property
    def finished(self) -> bool:
        """Whether every chunk was handed out and no more will come."""
        return not self._thread.is_alive() and self._chunks.empty()

    def poll(self, most: int = _WAITING) -> list[Chunk]:
        """Return up to `most` chunks that arrived, in order; never waits."""
        chunks: list[Chunk] = []
        while len(chunks) < most:
            try:
                chunks.append(self._chunks.get_nowait())
            except queue.Empty:
                break
        if chunks:
            self.done = chunks[-1].end
        return chunks

    def hand_over(self, fds: FdCache) -> Tail:
        """Return a tail that goes on where the child stopped. Only once `finished`."""
        tail = Tail(self.path, self.format, fds, self.follow)
        if self._place is not None:
            tail.load(self._place)
        else:
            tail.begin_again()
        return tail

    def close(self) -> None:
        """End the child and wait for it; nothing of what still waits is lost to a later `poll`."""
        self._closed.set()
        self._child.terminate()
        self._thread.join(2.0)
        if self._thread.is_alive():
            self._child.kill()
            self._thread.join()

    def _receive(self) -> None:
        stdout, stderr = self._child.stdout, self._child.stderr
        if stdout is None or stderr is None:
            return
        with stdout, stderr:
            try:
                self._take_frames(stdout)
            except (KeyError, TypeError, ValueError) as error:
                self.problem = f"{self.path}: the reader of its history answered nonsense ({error}): it is read again"
                self._child.kill()
            if self._place is None and self.problem is None and not self._closed.is_set():
                last = stderr.read()[-2000:].decode(errors="replace").strip().rpartition("\n")[2]
                code = self._child.wait()
                self.problem = f"{self.path}: the reader of its history ended ({last or code}): it is read again"
        self._child.wait()
        self._on_ready()

    def _take_frames(self, stream: IO[bytes]) -> None:
        while (frame := read_frame(stream.read)) is not None:
            header, cells = frame
            if "size" in header:
                self.size = int(header["size"])
            elif "place" in header:
                self._place = header["place"]
                self.problem = header["problem"]
            else:
                self._put(unpack_chunk(header, cells))

    def _put(self, chunk: Chunk) -> None:
        while not self._closed.is_set():
            try:
                self._chunks.put(chunk, timeout=0.25)
            except queue.Full:
                continue
            self._on_ready()
            return


def _command() -> list[str]:
    # -P: a run folder may hold an orjson.py, and nothing may be imported from where we happen to stand.
    return [sys.executable, "-P", "-m", "mens_console.ingest.backlog"]


def preview(path: str, format: Format, *, span: int = 64 << 10, follow: bool = False) -> Batch | None:
    """Decode the last `span` bytes of a text log from their first whole line: a summary while history is read.

    The records are for showing only: ordinals and line numbers count from where the preview began. CSV gets its header
    line first. None for documents, for binary formats, and when the file cannot be read or holds no whole line.
    """
    if format.document:
        return None
    try:
        fd, status = open_regular(path, follow=follow)
    except OSError:
        return None
    try:
        start = max(status.st_size - span, 0)
        data = read_at(fd, start, span)
        head = read_at(fd, 0, span) if start and format.name == "csv" else b""
    except OSError:
        return None
    finally:
        os.close(fd)
    if start:
        data = head[: head.find(b"\n") + 1] + data[data.find(b"\n") + 1 :] if b"\n" in data else b""
    if not data or b"\0" in data:
        return None
    return format.decoder().feed(data, NO_TIME)[1]


def stream(tail: Tail, write: Callable[[bytes], Any]) -> None:
    """Write the frames of a file's history: its size, its chunks, and the place where reading stands at the end."""
    fd, status = open_regular(tail.path, follow=tail.follow)
    os.close(fd)
    write(pack({"size": status.st_size}))
    while tail.done < status.st_size and (chunk := tail.poll(time.time(), limit=_READ)) is not None:
        write(pack_chunk(chunk))
    write(pack({"place": tail.save(), "problem": tail.problem}))


def main(arguments: Sequence[str], formats: Iterable[Format], out: IO[bytes]) -> int:
    """Be the child: `arguments` are path, format name, and `follow` or `stay`. Returns the exit code."""
    path, name, follow = arguments
    format = next(candidate for candidate in formats if candidate.name == name)
    try:
        stream(Tail(path, format, FdCache(), follow == "follow"), out.write)
        out.flush()
    except BrokenPipeError:
        return 1  # the console is gone: so is the reason to go on
    return 0


if __name__ == "__main__":
    from mens_console.ingest.formats import FORMATS

    os.nice(5)
    gc.disable()  # rows make no cycles, and looking for them costs a tenth of the time
    code = main(sys.argv[1:], FORMATS, sys.stdout.buffer)
    os._exit(code)  # nothing to tidy up, and a broken pipe must not be flushed again

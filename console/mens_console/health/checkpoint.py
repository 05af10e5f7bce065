"""What was counted of long logs, kept in the user's cache, so that only new bytes are read when they are opened again.

A checkpoint is believed only of the very files it was made of, as far as their inode, head, last bytes and a sample of
all others tell; a file that is no longer and no shorter than it was must not have been written to either.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from mens_console.config.state import read_private, replace_private
from mens_console.health.fold import By
from mens_console.health.gzipped import GzipLog
from mens_console.health.partial import Partial
from mens_console.health.source import LiveLog, Place, Seen
from mens_console.ingest.marks import Marks
from mens_console.ingest.safeopen import open_regular, read_at
from mens_console.signals.generation import BadRow, BatchFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.health.tally import Options, Tally

VERSION: Final = 5
"""Of what is written, and of how attempts are counted: a checkpoint of another one is not read."""
_MOST_BYTES: Final = 1 << 30
_MOST_FILES: Final = 64
_DIGEST: Final = 16
_SPOTS: Final = 64
_SPOT: Final = 4096
"""A log that is generated anew, as by a deterministic job, may begin and end alike: so many bytes at so many places
are compared, too."""


class SavedLog(Struct):
    """One log: where reading of it stands (of a gzip log, which file it was), and what it held beside attempts."""

    path: str
    place: Place | None
    gzip: tuple[int, ...] | None
    written: tuple[int, int]
    """Size and time of the last change (ns)."""
    sample: bytes
    """Digest of bytes all over what was counted."""
    rows: int
    bad_rows: int
    bad: list[BadRow]
    unknown: dict[str, int]
    updated: float

    def seen(self, path: str) -> Seen:
        """Return what it held, under the name it has now."""
        seen = Seen(self.rows, self.bad_rows, updated=self.updated)
        seen.bad.extend(replace(bad, path=path) for bad in self.bad)
        seen.unknown.update(self.unknown)
        return seen


class SavedRun(Struct):
    """One run: its whole batches, and the count of the one that grows."""

    name: str
    attempts: int
    last_ts: float | None
    batches: list[BatchFigures]
    open: Partial | None


class Checkpoint(Struct):
    """Everything counted so far of some logs."""

    version: int
    batch_size: int
    usd_per_1000: float
    by: By
    attempts: int
    logs: list[SavedLog]
    runs: list[SavedRun]

    def fits(self, options: Options) -> bool:
        """Whether it was counted by this version in the way asked for."""
        mine = (self.version, self.batch_size, self.usd_per_1000, self.by)
        return mine == (VERSION, options.batch_size, options.usd_per_1000, options.by)


_DECODER: Final = msgspec.msgpack.Decoder(Checkpoint)


def default_cache(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder: ``$XDG_CACHE_HOME/mens-console``, or else ``~/.cache/mens-console``."""
    base = (os.environ if environ is None else environ).get("XDG_CACHE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
    return folder / "mens-console"


def place_of(cache: Path, path: str, options: Options) -> Path | None:
    """Return where the checkpoint of logs of which `path` is the first belongs; None where that is no file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    what = f"{status.st_dev}:{status.st_ino}:{options.batch_size}:{options.usd_per_1000!r}:{options.by}"
    return cache / f"attempts-{hashlib.sha256(what.encode()).hexdigest()[:24]}.msgpack"


def save(file: Path, options: Options, tally: Tally, logs: Sequence[LiveLog | GzipLog]) -> bool:
    """Write a checkpoint; False where what was counted cannot be told from the logs as they are, or written."""
    try:
        saved = _saved_logs(logs)
    except OSError:
        return False
    if saved is None:
        return False
    runs = [
        SavedRun(name, run.attempts, run.last_ts, [judged.batch for judged in run.batches], run.open)
        for name, run in tally.runs.items()
    ]
    checkpoint = Checkpoint(VERSION, options.batch_size, options.usd_per_1000, options.by, tally.attempts, saved, runs)
    try:
        data = msgspec.msgpack.encode(checkpoint)
        replace_private(file, _digest(data) + data, durable=False)
        _drop_old(file.parent)
    except OSError:
        return False  # a full or read-only cache: the log is read again another time
    return True


def _saved_logs(logs: Sequence[LiveLog | GzipLog]) -> list[SavedLog] | None:
    """Return the logs up to the first that was not begun; None where one of them cannot be told again."""
    saved: list[SavedLog] = []
    for log in logs:
        seen = log.seen
        place = log.place() if isinstance(log, LiveLog) else None
        gzip = log.identity if isinstance(log, GzipLog) and not log.more and log.problem is None else None
        if place is None and gzip is None:
            return saved if saved and not any(later.seen.updated > 0 for later in logs[len(saved) :]) else None
        facts = (seen.rows, seen.bad_rows, list(seen.bad), dict(seen.unknown), seen.updated)
        written, sample = ((0, 0), b"") if place is None else _look(log.path, place)
        saved.append(SavedLog(log.path, place, gzip, written, sample, *facts))
    return saved or None


def _look(path: str, place: Place) -> tuple[tuple[int, int], bytes]:
    """Return size, time of change and sample of a log; raises OSError where it is not the one that was counted."""
    fd, status = open_regular(path, follow=True)
    try:
        if not _is_at(fd, status, place):
            raise FileNotFoundError(errno.ENOENT, "it was replaced", path)
        return (status.st_size, status.st_mtime_ns), _sample(fd, place.done)
    finally:
        os.close(fd)


def _sample(fd: int, done: int) -> bytes:
    """Return a digest of bytes all over the first `done` of a file."""
    digest = hashlib.blake2b(digest_size=16)
    for number in range(_SPOTS):
        digest.update(read_at(fd, max(done - _SPOT, 0) * number // (_SPOTS - 1), min(_SPOT, done)))
    return digest.digest()


def _is_at(fd: int, status: os.stat_result, place: Place) -> bool:
    """Whether an open file is the one of a place, as far as the place tells."""
    marks = place.marks
    return place.id == [status.st_dev, status.st_ino] and Marks(
        marks["done"], bytes.fromhex(marks["head"]), bytes.fromhex(marks["anchor"])
    ).match(fd)


def _digest(data: bytes) -> bytes:
    """Return what stands before the data: a disk's wrong bit is as good as any other figure to whoever reads it."""
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _drop_old(folder: Path) -> None:
    files = sorted(folder.glob("attempts-*.msgpack"), key=lambda file: file.stat().st_mtime)
    for file in files[:-_MOST_FILES]:
        file.unlink(missing_ok=True)


def load(file: Path, options: Options, logs: Sequence[LiveLog | GzipLog]) -> Checkpoint | None:
    """Read a checkpoint, and let the logs go on from there; None, and nothing is done, where it is not theirs."""
    try:
        data = read_private(file, _MOST_BYTES) or b""
        whole = data[:_DIGEST] == _digest(data[_DIGEST:])
        checkpoint = _DECODER.decode(memoryview(data)[_DIGEST:]) if whole else None
    except (OSError, ValueError):
        return None
    if checkpoint is None or not checkpoint.fits(options) or len(checkpoint.logs) > len(logs):
        return None
    pairs = list(zip(checkpoint.logs, logs, strict=False))
    if not all(_holds(saved, log) for saved, log in pairs):
        return None
    names = {}
    for saved, log in pairs:
        names[saved.path] = log.path
        if isinstance(log, LiveLog) and saved.place is not None:
            log.go_on(saved.place)
            log.seen = saved.seen(log.path)
        elif isinstance(log, GzipLog) and saved.gzip is not None:
            log.finish(saved.seen(log.path), saved.gzip)
    _rename(checkpoint, {old: new for old, new in names.items() if old != new})
    return checkpoint


def _holds(saved: SavedLog, log: LiveLog | GzipLog) -> bool:
    """Whether a log is the one that was saved and still begins with the bytes that were counted."""
    try:
        fd, status = open_regular(log.path, follow=True)
    except OSError:
        return False
    try:
        if isinstance(log, GzipLog):
            return saved.gzip == (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        place = saved.place
        if place is None or not _is_at(fd, status, place):
            return False
        size, changed = saved.written
        if status.st_size == size and status.st_mtime_ns != changed:
            return False
        return saved.sample == _sample(fd, place.done)
    except (KeyError, TypeError, ValueError, OSError):
        return False
    finally:
        os.close(fd)


def _rename(checkpoint: Checkpoint, names: dict[str, str]) -> None:
    """Call files that were renamed since by their new names."""
    if not names:
        return
    for run in checkpoint.runs:
        run.batches = [
            replace(batch, first=(names.get(batch.first[0], batch.first[0]), batch.first[1])) for batch in run.batches
        ]
        if run.open is not None and run.open.first is not None:
            path, offset = run.open.first
            run.open.first = (names.get(path, path), offset)

"""The recording of one run: every append, rewrite and deletion in its directory, with the time it happened.

Only the container lives here (`mens-recording/1`); who writes one is `recorder`, who plays one back is `player`.

A recording is an xz stream of lines of JSON. The first line is the header; each further line is an event, and the
line of an `append` or `write` is followed by exactly `size` bytes of content and a newline. Recordings are untrusted:
every path, number and length is checked before it is believed.
"""

from __future__ import annotations

import json
import lzma
import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT: Final = "mens-recording/1"
SUFFIX: Final = ".mrec"
MAX_HEADER: Final = 4 << 20
MAX_LINE: Final = 64 << 10
MAX_CONTENT: Final = 1 << 30
"""Bytes of content one recording may put on disk, all events together."""
MAX_STAND_IN: Final = 1 << 40

Kind = Literal["append", "write", "delete", "stand_in", "process"]


class RecordingError(ValueError):
    """A file is not a whole, valid recording. The message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Process(ByValue):
    """One process of the run; times in seconds since the recording began.

    `ended` and `returncode` are None while it lives; a `returncode` of -9 means killed by signal 9.
    """

    pid: int
    command: tuple[str, ...]
    started: float
    ended: float | None = None
    returncode: int | None = None


@dataclass(frozen=True, slots=True)
class Header(ByValue):
    """What a recording says about itself.

    `started_at` is in seconds since the epoch, `duration` in seconds; `files` maps every path that ever existed to
    its last size in bytes; `left_out` are those of them of which only the size was kept (weights, optimizer state).
    """

    name: str
    scenario: str
    summary: str
    started_at: float
    duration: float
    events: int
    files: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    producer: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event(ByValue):
    """One thing that happened `t` seconds after the recording began.

    `append` puts `data` at `offset`, which is the file's length; `write` makes `data` the whole content; `stand_in`
    makes the file `size` bytes long without content; `delete` removes it. `process` has no path: process `pid`
    started, or ended with `returncode`.
    """

    t: float
    kind: Kind
    path: str = ""
    data: bytes = b""
    offset: int = 0
    size: int = 0
    pid: int = 0
    returncode: int | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording on disk: its header, read and checked, and its events, read when asked for."""

    path: Path
    header: Header

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Read and check the header of `path`; `RecordingError` when it is not a recording."""
        with _explained(path), lzma.open(path) as stream:
            return cls(path, _header(_object(stream, MAX_HEADER)))

    def events(self) -> Iterator[Event]:
        """Yield the events in order, each checked; `RecordingError` at the first that is torn or inconsistent."""
        checker = _Checker(self.header)
        with _explained(self.path), lzma.open(self.path) as stream:
            _object(stream, MAX_HEADER)
            for _ in range(self.header.events):
                yield checker.event(_object(stream, MAX_LINE), stream)
            if stream.read(1):
                raise ValueError(f"something follows the last of {self.header.events} events")


def shipped() -> list[Path]:
    """Return the recordings that come with the package, by name."""
    folder = resources.files("mens_console.demo") / "recordings"
    return sorted(Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(SUFFIX))


def write_recording(path: Path, header: Header, events: Iterable[Event]) -> None:
    """Write a recording; `events` are as many as `header.events`, in order of time."""
    with lzma.open(path, "wb", preset=9 | lzma.PRESET_EXTREME) as stream:
        stream.write(_line({"format": FORMAT, **asdict(header)}))
        for event in events:
            stream.write(_line(_facts(event)))
            if event.kind in ("append", "write"):
                stream.write(event.data + b"\n")


def check_path(path: str) -> str:
    """Return `path` if it stays inside the run's directory and is printable, else raise ValueError."""
    pure = PurePosixPath(path)
    if not pure.parts or path != str(pure) or pure.is_absolute() or "\\" in path or not path.isprintable():
        raise ValueError(f"path {path!r} is not a plain relative path")
    if ".." in pure.parts:
        raise ValueError(f"path {path!r} leaves the run's directory")
    return path


class _Checker:
    """Turns lines into events and refuses what the events before make impossible."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._lengths: dict[str, int] = {}
        self._t = 0.0
        self._content = 0

    def event(self, raw: dict[str, Any], stream: lzma.LZMAFile) -> Event:
        kind: Kind | None = raw.get("kind")
        if kind is None or kind not in get_args(Kind):
            raise ValueError(f"unknown kind of event {kind!r}")
        t = _number(raw, "t")
        if not self._t <= t <= self._header.duration:
            raise ValueError(f"event at {t} s is out of order (after {self._t} s, within {self._header.duration} s)")
        self._t = t
        if kind == "process":
            return Event(t, "process", pid=_integer(raw, "pid"), returncode=_returncode(raw))
        path = raw.get("path")
        if path not in self._header.files:
            raise ValueError(f"event names {path!r}, which the header does not list")
        return self._file_event(t, kind, path, raw, stream)

    def _file_event(self, t: float, kind: Kind, path: str, raw: dict[str, Any], stream: lzma.LZMAFile) -> Event:
        if kind == "delete":
            if self._lengths.pop(path, None) is None:
                raise ValueError(f"{path} is deleted but does not exist")
            return Event(t, kind, path)
        size = _integer(raw, "size", at_most=MAX_STAND_IN if kind == "stand_in" else MAX_CONTENT)
        if kind == "stand_in":
            self._lengths[path] = size
            return Event(t, kind, path, size=size)
        offset = self._lengths.get(path, 0) if kind == "append" else 0
        if raw.get("offset", 0) != offset:
            raise ValueError(f"{path} is appended to at {raw.get('offset')!r} but is {offset} bytes long")
        self._content += size
        if self._content > MAX_CONTENT:
            raise ValueError(f"more than {MAX_CONTENT} bytes of content")
        data = stream.read(size)
        if len(data) != size or stream.read(1) != b"\n":
            raise ValueError(f"content of {path} is torn")
        self._lengths[path] = offset + size
        return Event(t, kind, path, data, offset, offset + size)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading `path` into a `RecordingError` that names it."""
    try:
        yield
    except EOFError as error:
        raise RecordingError(f"{path}: cut short") from error
    except lzma.LZMAError as error:
        raise RecordingError(f"{path}: not an intact xz stream ({error})") from error
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: {error}") from error


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _facts(event: Event) -> dict[str, Any]:
    """Return what the line of `event` says; what is derived or follows as bytes is left out."""
    if event.kind == "process":
        return {"t": event.t, "kind": event.kind, "pid": event.pid, "returncode": event.returncode}
    facts: dict[str, Any] = {"t": event.t, "kind": event.kind, "path": check_path(event.path)}
    if event.kind == "append":
        facts["offset"] = event.offset
    if event.kind != "delete":
        facts["size"] = event.size if event.kind == "stand_in" else len(event.data)
    return facts


def _object(stream: lzma.LZMAFile, limit: int) -> dict[str, Any]:
    line = stream.readline(limit + 1)
    if not line:
        raise EOFError
    if len(line) > limit:
        raise ValueError(f"a line is longer than {limit} bytes")
    try:
        content = json.loads(line)
    except ValueError:
        raise ValueError("a line is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("a line is not a JSON object")  # noqa: TRY004  # malformed input, not a caller's mistake
    return content


def _header(raw: dict[str, Any]) -> Header:
    if raw.get("format") != FORMAT:
        raise ValueError(f"format is {raw.get('format')!r}, not {FORMAT!r}")
    missing = {f.name for f in fields(Header)} - raw.keys()
    if missing:
        raise ValueError(f"header lacks {', '.join(sorted(missing))}")
    name = check_path(_text(raw, "name"))
    if "/" in name:
        raise ValueError(f"name {name!r} is not one folder")
    sizes = _mapping(raw, "files")
    return Header(
        name=name,
        scenario=_text(raw, "scenario"),
        summary=_text(raw, "summary"),
        started_at=_number(raw, "started_at"),
        duration=_number(raw, "duration"),
        events=_integer(raw, "events"),
        files=_tree({path: _integer(sizes, path, at_most=MAX_STAND_IN) for path in sizes}),
        left_out=tuple(_texts(raw, "left_out")),
        processes=tuple(_process(one) for one in _list(raw, "processes")),
        producer={key: _text(_mapping(raw, "producer"), key) for key in _mapping(raw, "producer")},
    )


def _tree(files: dict[str, int]) -> dict[str, int]:
    """Return `files` if no path is unsafe and none is the folder of another."""
    folders = {str(parent) for path in files for parent in PurePosixPath(check_path(path)).parents}
    for path in folders & files.keys():
        raise ValueError(f"{path} is a file and a folder")
    return files


def _process(raw: object) -> Process:
    if not isinstance(raw, dict):
        raise ValueError("a process is not an object")  # noqa: TRY004
    return Process(
        pid=_integer(raw, "pid"),
        command=tuple(_texts(raw, "command")),
        started=_number(raw, "started"),
        ended=None if raw.get("ended") is None else _number(raw, "ended"),
        returncode=_returncode(raw),
    )


def _returncode(raw: dict[str, Any]) -> int | None:
    return None if raw.get("returncode") is None else _integer(raw, "returncode", at_least=-255)


def _number(raw: dict[str, Any], key: str) -> float:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{key} is {value!r}, not a number of at least 0")
    return float(value)


def _integer(raw: dict[str, Any], key: str, *, at_least: int = 0, at_most: int = 1 << 53) -> int:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= at_most:
        raise ValueError(f"{key} is {value!r}, not a whole number from {at_least} to {at_most}")
    return value


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{key} is {value!r}, not printable text")
    return value


def _list(raw: dict[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")  # noqa: TRY004
    return value


def _texts(raw: dict[str, Any], key: str) -> list[str]:
    return [_text({key: value}, key) for value in _list(raw, key)]


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not an object")  # noqa: TRY004
    return value

"""Hints that a file changed, from the kernel where it gives them. Never the truth: polling alone is always enough.

Nothing here opens a watched file or says what changed in it; which file is looked at when is `beat`'s.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STORM_PER_S: Final = 200.0
"""Events a second above which polling is cheaper: an event costs Python about 0.1 ms, a stat 5 µs."""
QUIET_PER_S: Final = 50.0
QUIET_FOR_S: Final = 10.0
"""Hints return once fewer than `QUIET_PER_S` files a second were seen to change for so long."""

NETWORK: Final = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "9p",
            "lustre",
            "ceph",
            "glusterfs",
            "afs",
            "beegfs",
            "gpfs",
            "pvfs2",
        ),
        *("virtiofs", "vboxsf", "drvfs", "prl_fs"),
    }
)
"""File systems whose other writers the kernel does not see. Those in user space (`fuse…`) count too."""

Mode = Literal["off", "starting", "hints", "polling"]


class Observer(Protocol):
    """What is needed of a watchdog observer."""

    def start(self) -> None:
        """Begin to deliver."""
        ...

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait until it ended."""
        ...


class Watcher:
    """Calls `on_hint(path)`, on a thread of its own, when something at `path` was made, changed, moved or deleted.

    Folders are watched, never files (a file watch goes blind when the file is replaced), and never reads (reading
    would wake itself). Above `STORM_PER_S` events a second the observer is put away and `mode` is `polling`; `tick`
    brings it back when it is quiet again. Roots on network file systems are not watched. Everything that limits the
    hints is said in `problems`.
    """

    def __init__(
        self,
        on_hint: Callable[[str], None],
        *,
        observe: Callable[[Sequence[str], Callable[[str], None]], Observer] | None = None,
        clock: Callable[[], float] = time.monotonic,
        mounts: Path = Path("/proc/mounts"),
        fdinfo: Path = Path("/proc/self/fdinfo"),
    ) -> None:
        self.mode: Mode = "off"
        self.events = 0
        """Events delivered so far."""
        self._on_hint = on_hint
        self._observe = observe or _observe
        self._clock = clock
        self._mounts = mounts
        self._fdinfo = fdinfo
        self._lock = threading.Lock()
        self._roots: tuple[str, ...] = ()
        self._observer: Observer | None = None
        self._starter: threading.Thread | None = None
        self._generation = 0
        self._problems: dict[str, str] = {}
        self._second = 0.0
        self._in_second = 0
        self._quiet_since: float | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What limits the hints and what cures it; polling covers all of it."""
        with self._lock:
            return tuple(self._problems.values())

    def start(self, roots: Iterable[str | os.PathLike[str]]) -> None:
        """Begin to watch the folders among `roots`, in the background: returns at once."""
        paths = [os.path.realpath(root) for root in roots]
        remote = {path: kind for path in paths if (kind := network_filesystem(path, self._mounts))}
        with self._lock:
            for path, kind in remote.items():
                self._problems[path] = f"{path} is on {kind}, where the kernel cannot tell of changes: it is polled"
            self._roots = tuple(path for path in paths if path not in remote and Path(path).is_dir())
        self._begin()

    def close(self) -> None:
        """Stop watching and wait for the threads, for a second at most."""
        observer = self._end("off")
        starter = self._starter
        if starter is not None and starter is not threading.current_thread():
            starter.join(1.0)
        if observer is not None:
            observer.join(1.0)

    def tick(self, now: float, changed_per_s: float) -> None:
        """Bring the hints back after a storm. `changed_per_s` is what polling sees; `now` is on the given clock."""
        if self.mode != "polling" or not self._roots:
            return
        if changed_per_s > QUIET_PER_S:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= QUIET_FOR_S:
            self._quiet_since = None
            self._begin()

    def check(self, folders: int) -> int | None:
        """Compare the kernel's watches with the `folders` there are; return the watches, None where unknown.

        Past `fs.inotify.max_user_watches` watchdog goes on silently with a part of the tree; this notices it.
        """
        watched = count_watches(self._fdinfo)
        with self._lock:
            self._problems.pop("limit", None)
            if self.mode == "hints" and watched is not None and watched < folders:
                self._problems["limit"] = (
                    f"the kernel watches {watched} of {folders} folders, the rest is polled: "
                    "raise fs.inotify.max_user_watches"
                )
        return watched

    def hint(self, path: str) -> None:
        """Take one event from the observer (any thread)."""
        now = self._clock()
        self.events += 1
        if now - self._second >= 1.0:
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second > STORM_PER_S:
            self._end("polling")
        self._on_hint(path)

    # ------------------------------------------------------------------ the observer

    def _begin(self) -> None:
        if not self._roots:
            self.mode = "polling"
            return
        with self._lock:
            self._generation += 1
            self.mode = "starting"
            self._in_second = 0
            generation = self._generation
        starter = threading.Thread(target=self._run, args=(generation,), name="watch", daemon=True)
        starter.start()
        self._starter = starter  # not before it runs: another thread may be closing, and would wait for it

    def _run(self, generation: int) -> None:
        """Start an observer: importing watchdog and walking the tree take longer than a frame may."""

        def relay(path: str) -> None:
            if generation == self._generation and self.mode in {"starting", "hints"}:
                self.hint(path)

        try:
            observer = self._observe(self._roots, relay)
            observer.start()
        except (OSError, ImportError) as error:
            with self._lock:
                self.mode = "polling"
                self._roots = ()
                self._problems["start"] = f"no hints from the kernel ({_reason(error)}): everything is polled"
            return
        with self._lock:
            current = generation == self._generation and self.mode == "starting"
            if current:
                self._observer, self.mode = observer, "hints"
        if not current:
            observer.stop()

    def _end(self, mode: Mode) -> Observer | None:
        """Put the observer away without waiting for it: this may be its own thread."""
        with self._lock:
            self._generation += 1
            observer, self._observer = self._observer, None
            self.mode = mode
            self._quiet_since = None
        if observer is not None:
            observer.stop()
        return observer


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == 28:  # ENOSPC: what inotify says when its watches are used up
        return "fs.inotify.max_user_watches is used up, raise it"
    if isinstance(error, OSError) and error.errno == 24:  # EMFILE: its instances are
        return "fs.inotify.max_user_instances is used up, raise it"
    return str(error) or type(error).__name__


def _observe(roots: Sequence[str], hint: Callable[[str], None]) -> Observer:
    """Return a watchdog observer over `roots`, not yet started. Imported here because it takes 40 ms."""
    from watchdog import events
    from watchdog.observers import Observer as Native

    class Handler(events.FileSystemEventHandler):
        def dispatch(self, event: Any) -> None:
            hint(os.fsdecode(event.src_path))
            if event.dest_path:
                hint(os.fsdecode(event.dest_path))

    wanted: list[type[events.FileSystemEvent]] = [
        *(events.FileModifiedEvent, events.FileCreatedEvent, events.FileMovedEvent, events.FileDeletedEvent),
        *(events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent),
    ]
    observer = Native()
    for root in roots:
        observer.schedule(Handler(), root, recursive=True, event_filter=wanted)
    return observer


def count_watches(fdinfo: Path = Path("/proc/self/fdinfo")) -> int | None:
    """Return the inotify watches this process holds, None where the system does not tell (other than Linux)."""
    try:
        names = os.listdir(fdinfo)  # noqa: PTH208 - names alone, no Path each
    except OSError:
        return None
    watches = 0
    for name in names:
        try:
            watches += (fdinfo / name).read_bytes().count(b"inotify wd:")
        except OSError:
            continue  # closed meanwhile: the listing's own descriptor always is
    return watches


def network_filesystem(path: str, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Return the type of the network (or user space) file system that holds `path`, None when it is a local one."""
    try:
        table = mounts.read_bytes()
    except OSError:
        return None  # no such table (macOS): hints may miss changes there, polling does not
    best, kind = "", ""
    for line in table.decode(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescape(fields[1])
        holds = path == point or path.startswith(point.rstrip("/") + "/")
        if holds and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind if kind in NETWORK or kind.startswith("fuse") else None


def _unescape(text: str) -> str:
    r"""Undo the octal escapes of the mount table (`\040` is a space)."""
    head, *rest = text.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] if part[:3].isdigit() else "\\" + part for part in rest)

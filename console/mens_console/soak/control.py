"""A driver and those who are not it: the lock on its directory, what it says of itself, and how it is asked to stop.

Only the driver writes here. A signal is sent to nothing but the process that wrote `driver.json`, after its box, boot,
number and start were compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.config.state import open_lock, try_lock
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA: Final = "mens-soak-driver/1"
DRIVER: Final = "driver.json"
LOCK: Final = "driver.lock"
LOG: Final = "driver.log"
PATIENCE_S: Final = 1.0
"""How long a driver asks for the lock: readers take it for an instant to see whether it is held."""
_BETWEEN_S: Final = 0.1
_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_MOST: Final = 1 << 16
_ROOM: Final = 2048
"""Bytes of `driver.json` at least, so that it can be overwritten in place where the disk has no room for another."""


class HeldError(Exception):
    """Another driver works on the directory."""


class Lock:
    """The directory's lock, held as long as this process lives or until it is released."""

    def __init__(self, folder: Path, patience_s: float = PATIENCE_S) -> None:
        """Take it. Raises `HeldError`, naming its holder, and OSError where it cannot be made."""
        self._fd = open_lock(folder / LOCK)
        until = time.monotonic() + patience_s
        while not try_lock(self._fd):
            if time.monotonic() >= until:
                holder = os.pread(self._fd, 64, 0).decode("ascii", "replace").strip()
                os.close(self._fd)
                raise HeldError(safe_text(holder, 20) or "unknown")
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # the number is for messages: a full disk must not keep a soak from going on
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let it go."""
        os.close(self._fd)


def boot_id() -> str:
    """Return what tells this boot of the box from any other; "" where the system has no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def start_of(pid: int) -> float | None:
    """Return when a process began, in seconds since the box booted, or else since the epoch; None where there is none.

    It never changes while the process lives, though the wall clock is set. One that has ended, and was not waited for
    yet, is none.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return None if told[0] in {"Z", "X"} else int(told[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        pass
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


class Self:
    """What a driver says of itself in `driver.json`, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DRIVER
        self._fixed = {
            "schema": SCHEMA,
            "pid": os.getpid(),
            "boot_id": boot_id(),
            "host": socket.gethostname(),
            "process_start": start_of(os.getpid()),
            "started": time.time(),
        }
        self.problem = ""
        """Why it could not be written, the last time."""

    def write(self, **facts: Any) -> None:
        """Write it anew; on a full disk over what was there, so that a reader still sees a beat."""
        text = json.dumps({**self._fixed, **facts}, ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8", "replace").ljust(_ROOM) + b"\n"
        try:
            self._replace(data)
            self.problem = ""
        except OSError as error:
            self.problem = (error.strerror or str(error)).lower()
            self._overwrite(data)

    def _replace(self, data: bytes) -> None:
        """Replace the file in one step; a power cut may take a version of it, of which there is one each 2 s."""
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            with open(os.open(fresh, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
                file.write(data)
            fresh.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise

    def _overwrite(self, data: bytes) -> None:
        try:
            fd = os.open(self._path, _FLAGS)
        except OSError:
            return
        try:
            if os.fstat(fd).st_size >= len(data):
                os.pwrite(fd, data.ljust(os.fstat(fd).st_size), 0)
        except OSError:
            pass
        finally:
            os.close(fd)


def told(folder: Path) -> dict[str, Any]:
    """Return what the last driver said of itself; empty where there is nothing that can be read."""
    try:
        facts = json.loads(read_small(os.fspath(folder / DRIVER), _MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of asking a driver to stop: whether it ended, and what to say."""

    outcome: Literal["ended", "going", "none", "elsewhere"]
    text: str


def stop(folder: Path, *, now: bool, wait_s: float, tell: Callable[[str], None]) -> Stopped:
    """Ask the driver of `folder` to end: at once with `now`, else when its requests in flight have ended."""
    facts = told(folder)
    pid, who = facts.get("pid"), str(facts.get("host", ""))
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 1:
        return Stopped("none", "no driver has told of itself there")
    if facts.get("boot_id", "") != boot_id():
        if who != socket.gethostname():
            return Stopped("elsewhere", f"its driver ran on {safe_text(who, 80) or 'another box'}; stop it there")
        return Stopped("none", f"its driver, process {pid}, ended when the box went down")
    with contextlib.ExitStack() as closing:
        send = _opened(pid, closing)
        start = start_of(pid)  # after it was opened: from here on it is one and the same process
        if send is None or start is None or start != facts.get("process_start"):
            return Stopped("none", f"its driver, process {pid}, runs no more")
        if not _held(folder):
            return Stopped("none", f"process {pid} holds no lock on it: it is no driver any more")
        send(signal.SIGTERM)
        send(signal.SIGCONT)  # one that is halted would not hear of it
        if now:  # any second signal cuts short what the first began; two of a kind may become one
            time.sleep(_BETWEEN_S)
            send(signal.SIGINT)
        tell(f"asked process {pid} to stop" + ("" if now else "; requests in flight may still end"))
        until = time.monotonic() + wait_s
        while start_of(pid) == start and _held(folder):
            if time.monotonic() >= until:
                return Stopped("going", f"process {pid} still lives after {wait_s:.0f} s; `--now` cuts requests short")
            time.sleep(0.1)
    return Stopped("ended", f"process {pid} has stopped")


def _opened(pid: int, closing: contextlib.ExitStack) -> Callable[[int], None] | None:
    """Return how a process is signalled, such that no other one can be meant; None where there is none."""
    if not hasattr(os, "pidfd_open"):
        return lambda number: os.kill(pid, number)
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    closing.callback(os.close, fd)
    return lambda number: signal.pidfd_send_signal(fd, number)


def holder(folder: Path) -> str | None:
    """Return the number of the process that drives a directory, "unknown" where it is not told; None without one."""
    if not _held(folder):
        return None
    try:
        told = read_small(os.fspath(folder / LOCK), 20).decode("ascii", "replace").strip()
    except OSError:
        told = ""
    return safe_text(told) or "unknown"


def _held(folder: Path) -> bool:
    """Say whether somebody holds the lock; it is shared for an instant to find out."""
    try:
        fd = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: the process is told apart by its start alone
        return True
    finally:
        os.close(fd)
    return False

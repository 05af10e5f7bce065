"""A program in a pseudo-terminal whose every byte is counted and stamped, and whose screen can be read back.

Time stamps are taken where bytes are read, before they are understood, so that reading the screen costs no latency.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, NamedTuple, Self

import pyte

from bench.process import Usage, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CONSOLE = (sys.executable, "-m", "mens_console")
"""The program under test."""
_SAME_FRAME_S = 0.004
"""Chunks that follow each other this closely are one frame."""


class Frame(NamedTuple):
    """The screen when a burst of output had ended: seconds after the launch, and its lines."""

    at: float
    lines: list[str]


class Terminal:
    """One program in a terminal of `columns` × `rows`. A context manager: leaving it kills the program."""

    def __init__(
        self, args: Sequence[str | Path], *, cwd: Path, columns: int = 200, rows: int = 50, stdin: bytes = b""
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.chunks: list[tuple[float, bytes]] = []
        self.received = 0
        self._fed = 0
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # Without PYTHON…: a box that forbids writing byte code would have every launch compile the source.
        foreign = ("MENS_", "XDG_", "NO_COLOR", "PYTHON")
        keep = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        home = {f"XDG_{name}_HOME": str(cwd / ".xdg" / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "LESSSECURE": "1"}
        terminal["WANDB_ERROR_REPORTING"] = "false"
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [str(arg) for arg in args],
            stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env={**keep, **home, **terminal}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._master = master
        if stdin:
            self.send(stdin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it left behind, such as a rival's own server
        self.process.wait()
        os.close(self._master)

    @property
    def usage(self) -> Usage:
        """What the program and its children have used so far."""
        return usage(self.process.pid)

    def send(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def pump(self, seconds: float) -> int:
        """Take in what comes during so many seconds; return how many bytes that was."""
        before, until = self.received, time.monotonic() + seconds
        while self._take(until):
            pass
        return self.received - before

    def _take(self, until: float) -> bool:
        """Read one chunk; False when the time is up or the program has ended."""
        left = until - time.monotonic()
        if left <= 0:
            return False
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        if not poller.poll(left * 1000):
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.chunks.append((time.monotonic(), data))
        self.received += len(data)
        return bool(data)

    def text(self) -> str:
        """Return what the screen shows after all that was read so far."""
        while self._fed < len(self.chunks):
            self._feed()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _feed(self) -> float:
        at, data = self.chunks[self._fed]
        self._fed += 1
        self._stream.feed(data)
        return at

    def wait(self, shown: Callable[[str], bool], timeout: float = 30.0) -> float:
        """Return the moment (monotonic seconds) of the chunk that made `shown` true of the screen.

        Raises `TimeoutError` with the screen when that never happened.
        """
        until = time.monotonic() + timeout
        while True:
            while self._fed < len(self.chunks):
                at = self._feed()
                if shown("\n".join(self.screen.display)):
                    return at
            if not self._take(until) and (time.monotonic() >= until or self.process.poll() is not None):
                ended = f"ended with {self.process.poll()}" if self.process.poll() is not None else "is running"
                raise TimeoutError(f"not shown within {timeout} s; the program {ended}; its screen:\n{self.text()}")

    def wait_quiet(self, seconds: float, timeout: float = 60.0, *, bytes_per_s: float = 4000.0) -> None:
        """Take in output until less than `bytes_per_s` came during `seconds`; nothing is looked at."""
        until = time.monotonic() + timeout
        while self.pump(seconds) > bytes_per_s * seconds:
            if time.monotonic() > until:
                raise TimeoutError(f"still printing after {timeout} s; its screen:\n{self.text()}")

    def wait_bytes(self, count: int, timeout: float = 30.0) -> None:
        """Take in output until so much came in all; nothing is looked at."""
        until = time.monotonic() + timeout
        while self.received < count:
            if not self._take(until):
                raise TimeoutError(f"only {self.received} bytes within {timeout} s; its screen:\n{self.text()}")

    def frames(self) -> list[Frame]:
        """Replay what was printed since the screen was last looked at, frame by frame."""
        out: list[Frame] = []
        while self._fed < len(self.chunks):
            at = self._feed()
            following = self.chunks[self._fed][0] if self._fed < len(self.chunks) else float("inf")
            if following - at > _SAME_FRAME_S:
                out.append(Frame(at - self.started, list(self.screen.display)))
        return out


def settled(frames: Sequence[Frame], calm_from: float) -> float:
    """Return when the last lasting change was on screen.

    Lines that still change after `calm_from` (a spinner) do not count, nor does the first one (a clock).
    """
    last = frames[-1]
    calm = [frame for frame in frames if frame.at >= calm_from]
    steady = [y for y in range(1, len(last.lines)) if all(frame.lines[y] == last.lines[y] for frame in calm)]
    at = last.at
    for frame in reversed(frames):
        if any(frame.lines[y] != last.lines[y] for y in steady):
            break
        at = frame.at
    return at


def has_chart(lines: Sequence[str], title: str) -> bool:
    """Say whether a chart of that title is drawn: braille somewhere, and its title."""
    text = "\n".join(lines)
    return title in text and any("\u2801" <= char <= "\u28ff" for char in text)

"""A terminal to drive the real program in: a pseudo-terminal whose screen can be read and whose bytes are counted."""

from __future__ import annotations

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
from pathlib import Path
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal:
    """One program in a pseudo-terminal of a given size: the console, or with `shell` a shell to start it from."""

    def __init__(
        self,
        *args: str,
        columns: int = 120,
        rows: int = 40,
        cwd: Path,
        env: dict[str, str] | None = None,
        shell: bool = False,
    ):
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.received = 0
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("MENS_", "COV_"))}
        environment = {**keep, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **(env or {})}
        bash = ["bash", "--norc", "--noprofile", "-i"]
        self.process = subprocess.Popen(
            bash if shell else [sys.executable, "-m", "mens_console", *args],
            stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment, start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if shell else None,  # the shell's own terminal
        )  # fmt: skip
        os.close(slave)
        self._master = master

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def hang_up(self) -> None:
        """Let the terminal go away, as a dropped connection does."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def pump(self, seconds: float) -> int:
        """Take in what the program prints for so long; return how many bytes came."""
        before, until = self.received, time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._master], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the program is gone
                break
            if not data:
                break
            self.received += len(data)
            self._stream.feed(data)
        return self.received - before

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, wanted: str, timeout: float = 20.0) -> str:
        """Wait until the screen shows `wanted`."""
        until = time.monotonic() + timeout
        while wanted not in self.text:
            if time.monotonic() > until:
                raise AssertionError(f"{wanted!r} never appeared within {timeout} s on:\n{self.text}")
            if self.process.poll() is not None and not self.pump(0.05) and wanted not in self.text:
                raise AssertionError(f"the program ended ({self.process.returncode}) before {wanted!r}:\n{self.text}")
            self.pump(0.05)
        return self.text

    def wait_gone(self, unwanted: str, timeout: float = 20.0) -> str:
        """Wait until the screen no longer shows `unwanted`."""
        until = time.monotonic() + timeout
        while unwanted in self.text:
            if time.monotonic() > until:
                raise AssertionError(f"{unwanted!r} still there after {timeout} s on:\n{self.text}")
            self.pump(0.05)
        return self.text

    def wait_until(self, what: str, true: Callable[[], bool], timeout: float = 20.0) -> None:
        """Wait until something is so."""
        until = time.monotonic() + timeout
        while not true():
            if time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}:\n{self.text}")
            self.pump(0.05)

    @property
    def modes(self) -> list[object]:
        """What the terminal is set to."""
        return termios.tcgetattr(self._master)

    @modes.setter
    def modes(self, modes: list[object]) -> None:
        termios.tcsetattr(self._master, termios.TCSANOW, modes)

    def wait_exit(self, timeout: float = 20.0) -> int:
        """Wait until the program ends; return its exit code."""
        until = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"still running after {timeout} s:\n{self.text}")
            self.pump(0.05)
        return self.process.returncode

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window, as a tmux split does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)
        os.kill(self.process.pid, signal.SIGWINCH)

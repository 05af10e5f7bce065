"""One command run as if nobody stood in between: same terminal, same signals, same process group; only measured.

Nothing is recorded or printed here, and nothing heavy is imported: the command waits for this module.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NOT_FOUND: Final = 127
NOT_RUNNABLE: Final = 126
"""Exit codes of a command that could not be started, as shells and `env` give them."""

LOOK_S: Final = 2.0
"""How often a running command's facts are looked at."""

_STOPS: Final = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_PASSED: Final = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT,
    *_STOPS,
)  # fmt: skip
_WATCHED: Final = frozenset({*_PASSED, signal.SIGCHLD})
_IGNORED_BY_PYTHON: Final = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_FROM_KERNEL: Final = 1
"""`si_code` from here on means that the kernel sent it: a terminal's Ctrl-C, which reached the whole group."""


class Ended(NamedTuple):
    """How a command ended.

    `exit_code` is 128 + n where signal n ended it, as shells say it. Times in seconds. `max_rss_bytes` is the largest
    of the command and the children it waited for; the kernel counts the moment of starting too, so it is at least
    `floor_bytes`, what the starter had.
    """

    exit_code: int
    signal: int
    wall_s: float
    user_s: float
    system_s: float
    max_rss_bytes: int
    floor_bytes: int


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    started: Callable[[int], None],
    look: Callable[[], None],
) -> Ended:
    """Run a command to its end. Call from the main thread; afterwards the watched signals are still blocked.

    `started(pid)` is called once the command runs, `look()` now and then while it does. Signals sent to this process
    are passed on; those that the terminal sends have reached the command already. A stop stops this process too, so
    that the shell's job control works. Raises `OSError` where the command cannot be started.
    """
    signal.signal(signal.SIGCHLD, _noted)  # an inherited "ignore" would throw the exit status away
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    began = time.monotonic()
    pid = os.posix_spawnp(argv[0], list(argv), dict(environment), setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON)
    floor = _own_peak()
    started(pid)
    wait = _wait_by_info if hasattr(signal, "sigtimedwait") else _wait_by_handler
    status, usage = wait(pid, look)
    wall = time.monotonic() - began
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = 128 + ended_by if ended_by else os.WEXITSTATUS(status)
    return Ended(code, ended_by, wall, usage.ru_utime, usage.ru_stime, _bytes(usage.ru_maxrss), floor)


def _noted(_number: int, _frame: object) -> None:
    """Take a signal that only has to interrupt or be waited for."""


def _bytes(maxrss: int) -> int:
    """Return `ru_maxrss` in bytes: macOS counts bytes, the others kibibytes."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024


def _own_peak() -> int:
    import resource

    return _bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _wait_by_info(pid: int, look: Callable[[], None]) -> tuple[int, os.struct_rusage]:  # type: ignore[name-defined]
    """Wait where the kernel tells who sent a signal."""
    while True:
        info = signal.sigtimedwait(_WATCHED, LOOK_S)
        if info is None:
            look()
        elif info.si_signo == signal.SIGCHLD:
            gone, status, usage = os.wait4(pid, os.WNOHANG)
            if gone == pid:
                return status, usage
        else:
            if info.si_code < _FROM_KERNEL or info.si_signo == signal.SIGCONT:
                _pass_on(pid, info.si_signo)
            if info.si_signo in _STOPS:
                _stop(info.si_signo)


def _wait_by_handler(pid: int, look: Callable[[], None]) -> tuple[int, os.struct_rusage]:  # type: ignore[name-defined]
    """Wait where signals come without a sender (macOS): in the terminal's foreground its own are taken for granted."""
    from_terminal = {signal.SIGINT, signal.SIGQUIT, *_STOPS}

    def handle(number: int, _frame: object) -> None:
        if number not in from_terminal or not _in_foreground():
            _pass_on(pid, number)
        if number in _STOPS:
            _stop(number)
            signal.signal(number, handle)

    for number in _PASSED:
        signal.signal(number, handle)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    _, status, usage = os.wait4(pid, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    look()
    return status, usage


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _pass_on(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended just now, which SIGCHLD is about to tell
    except PermissionError:
        return  # the command changed its user; it is its own affair now


def _stop(number: int) -> None:
    """Stop as the signal would by itself; the kernel ignores it where no shell could ever continue us."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_like(ended: Ended) -> int:
    """End this process by the signal that ended the command; return the exit code where there was none.

    Whoever started us (a shell's loop, a scheduler) then sees exactly what it would have seen.
    """
    if not ended.signal:
        return ended.exit_code
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # the command's core is enough
    if ended.signal not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(ended.signal, signal.SIG_DFL)
    os.kill(os.getpid(), ended.signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended.signal})
    return ended.exit_code

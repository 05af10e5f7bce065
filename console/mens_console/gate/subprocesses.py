"""One tool of OpenSSH run safely: by absolute path, with a bare environment, a time limit, and a way to give up.

What the tools say is read in `ssh`. Call this from a worker: it waits for as long as the time limit says.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

FOLDERS: Final = ("/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin")
_BEAT_S: Final = 0.1
"""How often a wait looks whether it was cancelled."""


class ToolError(Exception):
    """The tool is missing, did not answer in time, or was cancelled; the message names the cure."""


class TimeLimitError(ToolError):
    """The tool did not answer in time and was ended."""


class CancelledError(ToolError):
    """The wait was given up, and the tool ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """How the tool ended."""

    status: int
    out: bytes
    err: str


def tool(name: str) -> str:
    """Return the absolute path of a tool of OpenSSH; PATH is not asked, for others may write it."""
    for folder in FOLDERS:
        path = f"{folder}/{name}"
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 (no link is followed any other way)
            return path
    raise ToolError(
        f"{name} is not installed (looked in {', '.join(FOLDERS)}); install OpenSSH's client: "
        "apt install openssh-client, dnf install openssh-clients, brew install openssh"
    )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the little of the environment that a tool is given: where the agent is, and no way to ask or to load."""
    kept = {name: environ[name] for name in ("SSH_AUTH_SOCK", "HOME") if environ.get(name)}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never", **kept}


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    environ: Mapping[str, str],
    limit_s: float,
    cancel: threading.Event | None = None,
) -> Done:
    """Run `argv` (an absolute path first) to its end. Raises `TimeLimitError`, `CancelledError` or `ToolError`.

    It has a session of its own: no terminal to ask on, and it is ended together with what it started.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(environ),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"{argv[0]} could not be started: {(error.strerror or str(error)).lower()}") from None
    until = time.monotonic() + limit_s
    try:
        return _wait(process, stdin, until, limit_s, cancel)
    finally:
        if process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _wait(
    process: subprocess.Popen[bytes], stdin: bytes, until: float, limit_s: float, cancel: threading.Event | None
) -> Done:
    given: bytes | None = stdin
    while True:
        try:
            out, err = process.communicate(given, timeout=_BEAT_S)
        except subprocess.TimeoutExpired:
            given = None  # it was taken at the first call
            if cancel is not None and cancel.is_set():
                raise CancelledError("the signing was given up; nothing was recorded") from None
            if time.monotonic() >= until:
                raise TimeLimitError(f"no answer within {limit_s:g} s") from None
            continue
        return Done(process.returncode, out, err.decode("utf-8", "replace"))

"""Leaving a driver running by itself: a process in a session of its own, that no terminal can end.

It is this program begun anew, so that it inherits nothing but its orders; what it prints goes to `driver.log`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import complain
from mens_console.cli.errors import OK, CommandError
from mens_console.cli.soak_options import URL_VARIABLE
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.text import safe_text
from mens_console.soak.control import LOG, holder, told

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 60.0
"""For the first sign of life."""
_TAIL: Final = 4000


def detach(folder: Path, words: list[str], url: str | None, *, as_json: bool) -> int:
    """Begin `soak run` with `words` at `url`, and return when it lives.

    Raises `CommandError` with what it said where it does not.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / LOG
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        begun = os.fstat(fd).st_size
        driver = subprocess.Popen(
            [sys.executable, "-P", "-m", "mens_console", "soak", "run", "--no-preflight", *words],
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            start_new_session=True,
            env=os.environ if url is None else {**os.environ, URL_VARIABLE: url},
        )
    finally:
        os.close(fd)
    until = time.monotonic() + PATIENCE_S
    while told(folder).get("pid") != driver.pid:
        if driver.poll() is not None:
            raise CommandError(f"{folder}: the driver did not begin: {_said(log, begun) or f'see {log}'}")
        if time.monotonic() >= until and holder(folder) == str(driver.pid):
            complain(f"process {driver.pid} reads what was recorded before it goes on; {log} tells how far it is")
            until = math.inf
        if time.monotonic() >= until:
            raise CommandError(
                f"{folder}: no sign of life from the driver, process {driver.pid}, in {PATIENCE_S:.0f} s; see {log}"
            )
        time.sleep(0.05)
    _print(folder, driver.pid, as_json=as_json)
    return OK


def _print(folder: Path, pid: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"dir": str(folder), "pid": pid, "log": str(folder / LOG)}, ensure_ascii=False))
        return
    shown = safe_text(str(folder), 400)
    print(f"process {pid} drives {shown} by itself; this terminal may be closed\n")
    for command, what in (
        (f"mens-console soak status {shown}", "how it goes"),
        (f"mens-console soak stop {shown}", "end it; requests in flight may still end"),
        (f"mens-console soak run --resume {shown} --detach", "go on after a stop, a crash or a reboot"),
        (f"mens-console soak report {shown}", "what it came to"),
    ):
        print(f"  {command:<56} # {what}")


def _said(log: Path, begun: int) -> str:
    """Return the last line that the driver printed."""
    try:
        told = read_small(os.fspath(log), _TAIL, offset=begun).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return safe_text(told.rpartition("\n")[2].removeprefix("mens-console: "), 1000)

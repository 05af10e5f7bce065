"""A driver at work in a directory: what it needs is opened, it drives, and what it came to is left in good order.

One process, one directory. What is printed of it is the command's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from mens_console.soak import rows
from mens_console.soak.clock import Clock, steady
from mens_console.soak.control import Self, boot_id, told
from mens_console.soak.driver import Driver
from mens_console.soak.levels import Gpus, Levels, Watched
from mens_console.soak.rounds import BEAT_S, LEVELS_AT_S, Prober, Sampler, every
from mens_console.soak.types import LEVELS_EVERY_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mens_console.soak.driver import Asker
    from mens_console.soak.recorder import Recorder
    from mens_console.soak.types import Plan
    from mens_console.soak.window import Look

Ended = Literal["finished", "stopped"]
_TOLD_EVERY: Final = 2
"""Beats between two versions of `driver.json`."""
_SWITCH_S: Final = 0.0005
"""A thread that looks at processes hands the interpreter back after this, instead of 5 ms later."""
_SPARE_FILES: Final = 100
_SAVING_S: Final = 3600.0
"""How long a driver that is done waits for a disk that is full; a second signal ends that, too."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 (compared with)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for this driver alone, and is no part of the plan."""

    most_in_flight: int = 10_000
    watch_pid: int | None = None
    """A process to watch in place of the plan's, which may have been started anew."""


class Drive:
    """One driver's life.

    `tell` hears each second how it goes, what is wrong with the record, and why it was asked to stop.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        book: Recorder,
        asker: Asker,
        prompt: Callable[[int, int], str],
        tell: Callable[[Look, str, str], None],
        terms: Terms,
    ) -> None:
        self._folder, self._plan, self._book, self._asker, self._say = folder, plan, book, asker, tell
        before = told(folder) if book.begun else {}
        self._self = Self(folder)
        self._levels, self._watched = _levels(plan, terms.watch_pid, before)
        most = min(terms.most_in_flight, _files())
        self._at, self._why = _stands(plan, before, book.now_s) if book.begun else (0.0, "")
        self._clock = Clock(self._at)  # from here on requests are due
        self._driver = Driver(plan, self._clock, book, asker, prompt, most)
        self._beats = 0

    async def run(self) -> Ended:
        """Drive to the plan's end, or until a signal; SIGTERM and SIGINT stop it, a second one stops it at once."""
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()  # what was loaded stays: looking through it again and again would hold up what is due
        self._begin()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._driver.stop, f"asked to stop by {signal.Signals(number).name}")
        beside = [asyncio.create_task(self._driver.guarded(work)) for work in self._rounds()]
        try:
            finished = await self._driver.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        await self._saved()
        self._book.close()
        state: Ended = "finished" if finished else "stopped"
        self._tell(state)
        self._levels.close()
        return state

    async def _saved(self) -> None:
        """Wait for a disk that takes no more rows: what it does not take before this process ends is lost."""
        until = self._clock.now() + _SAVING_S
        while self._book.waiting and self._clock.now() < until and not self._driver.cut:
            self._tell("running")
            self._say(self.look, self._problem, self._driver.stopping)
            await asyncio.sleep(BEAT_S)
            self._book.again()

    @property
    def look(self) -> Look:
        """How it goes."""
        return self._driver.window.look(self._clock.now())

    @property
    def why(self) -> str:
        """Why it was asked to stop; "" where it was not."""
        return self._driver.stopping

    def _begin(self) -> None:
        book, at = self._book, self._at
        if book.begun:
            gap = max(at - book.now_s, 0.0)
            text = f"a driver went on after {gap:.0f} s{self._why}"
            book.write(rows.happened(at, "resume", text, begin=min(book.now_s, at), end=at))
        else:
            book.write(rows.happened(at, "start", f"a driver began, process {os.getpid()}"))
        while self._levels.news:
            book.write(rows.happened(at, "warning", self._levels.news.pop(0)))
        self._tell("running")

    def _rounds(self) -> list[Callable[[], Any]]:
        driver = self._driver
        prober, sampler = Prober(driver, self._asker), Sampler(driver, self._asker, self._levels)
        return [
            lambda: every(driver, self._plan.probe_every_s, 0.0, prober.look),
            lambda: every(driver, LEVELS_EVERY_S, LEVELS_AT_S, sampler.look),
            self._beat,
        ]

    async def _beat(self) -> None:
        """Give a sign of life each second, notice a clock that was set, and say how it goes."""
        while True:
            await asyncio.sleep(BEAT_S)
            now = self._driver.notice()
            if jump := self._clock.jump():
                text = (
                    f"the wall clock was set {abs(jump):.1f} s {'forward' if jump > 0 else 'back'}; nothing moved by it"
                )
                self._book.write(rows.happened(now, "clock", text))
            self._book.beat(now)
            self._beats += 1
            if self._beats % _TOLD_EVERY == 0:
                self._tell("running")
            self._say(self._driver.window.look(now), self._problem, self._driver.stopping)

    @property
    def _problem(self) -> str:
        own = f"{self._folder}/driver.json cannot be written: {self._self.problem}" if self._self.problem else ""
        return self._book.problem or own

    def _tell(self, state: str) -> None:
        now = self._clock.now()
        look = self._driver.window.look(now)
        self._self.write(
            state=state, beat=self._clock.wall(), steady=steady(), now_s=round(now, 3), timeout_s=self._plan.timeout_s,
            problem=self._problem, stopping=self._driver.stopping, in_flight=look.in_flight, watched=self._watched,
        )  # fmt: skip


def _stands(plan: Plan, before: dict[str, Any], last: float) -> tuple[float, str]:
    """Return where a soak stands now that was driven before, seconds in it, and what to say of it.

    Within one boot the steady clock tells; else the wall clock does, which may have been set: a soak never goes back
    behind its last row.
    """
    wall = time.time()
    now_s, beat, then = (_number(before.get(name)) for name in ("now_s", "beat", "steady"))
    if now_s is not None and then is not None and before.get("boot_id") == boot_id() != "" and steady() >= then:
        at = now_s + steady() - then
    elif now_s is not None and beat is not None:
        at = now_s + wall - beat
    else:
        at = wall - plan.started
    if at >= last:
        return at, ""
    return last, f", by a clock that is {last - at:.0f} s behind the last row; it goes on after that"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _levels(plan: Plan, given: int | None, before: dict[str, Any]) -> tuple[Levels, dict[str, Any] | None]:
    """Return what is looked at on this box, and the watched process as `driver.json` tells it."""
    pid = given if given is not None else plan.watch_pid
    known = before.get("watched")
    known = known if isinstance(known, dict) and known.get("pid") == pid and given is None else {}
    watched, news = None, ""
    if known and before.get("boot_id") != boot_id():
        news = f"process {pid}, which was watched, ended when the box went down"
    elif pid is not None:
        try:
            watched = Watched(pid, _number(known.get("since")))
        except LookupError as error:
            news = str(error)
    here = watched is not None or (urlsplit(plan.url).hostname or "") in _LOCAL
    levels = Levels(watched, Gpus() if here else None)
    if news:
        levels.news.append(f"{news}; its memory is not known (`soak run --resume` takes another --watch-pid)")
    return levels, None if watched is None else {"pid": watched.pid, "since": watched.since}


def _files() -> int:
    """Allow as many open files as may be, and return how many requests that is enough for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return max(soft - _SPARE_FILES, 16)

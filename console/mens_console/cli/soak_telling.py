"""What a running soak tells whoever watches it: how it goes each second on a terminal, each minute elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.soak_line import Printer
from mens_console.ingest.text import safe_text
from mens_console.signals.human import count, percent

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.soak.types import Plan
    from mens_console.soak.window import Look

_EVERY_S: Final = 60.0


class Telling:
    """Tells of one driver on standard output, as lines for people or as one JSON object a line."""

    def __init__(self, folder: Path, plan: Plan, *, as_json: bool) -> None:
        self._folder, self._plan, self._json = folder, plan, as_json
        self._printer = Printer(sys.stdout.fileno(), in_place=sys.stdout.isatty() and not as_json)
        self._next: float | None = None
        self._problem = self._stopping = ""

    def begin(self, *, resumed: bool) -> None:
        """Tell that it begins."""
        if self._json:
            self._object("begin", resumed=resumed, dir=str(self._folder), plan=asdict(self._plan))
            return
        plan, what = self._plan, "going on with" if resumed else "soak"
        self._say(
            f"{what} {plan.id}: {plan.rate:g} request{'s' * (plan.rate != 1)} a second ({plan.arrivals}) for "
            f"{clock(plan.duration_s)} to {plan.model} at {plan.url}, recorded in {self._folder}"
        )

    def look(self, look: Look, problem: str, stopping: str) -> None:
        """Tell how it goes."""
        if stopping and not self._stopping:
            self._stop(look, stopping)
        if bool(problem) != bool(self._problem) and not self._json:
            self._say(f"! {problem}" if problem else "the record can be written again")
        self._problem, self._stopping = problem, stopping
        if not self._json:
            self._printer.show(line(self._plan, look, problem))
        if self._next is None or look.now_s >= self._next:
            if self._next is not None:
                self._turn(look, problem)
            self._next = (look.now_s // _EVERY_S + 1) * _EVERY_S

    def end(self, state: str, look: Look, unwritten: int, unreported: str) -> None:
        """Tell that it ended, how many rows the disk never took, why there is no report, and how to go on."""
        if self._json:
            self._object("end", state=state, unwritten_rows=unwritten, unreported=unreported, **asdict(look))
        else:
            if unwritten:
                self._say(f"! {unwritten} rows are lost: the disk did not take them")
            share = f" ({percent(look.errors / look.requests)})" if look.requests else ""
            self._say(
                f"{state} after {clock(min(look.now_s, self._plan.duration_s))}: "
                f"{count(look.requests)} requests ended since this driver began, "
                f"{count(look.errors)} of them failed{share}"
            )
            if unreported:
                self._say(f"! report.json could not be written: {unreported}; `soak report --json` makes it later")
            self._say(f"  mens-console soak report {self._folder}")
            if state != "finished":
                self._say(f"  mens-console soak run --resume {self._folder}")
        self._printer.close()

    def _turn(self, look: Look, problem: str) -> None:
        if self._json:
            self._object("look", problem=problem, **asdict(look))
        elif not self._printer.in_place:
            self._say(line(self._plan, look, problem))

    def _stop(self, look: Look, why: str) -> None:
        if self._json:
            self._object("stopping", why=why)
        else:
            self._say(
                f"{why}: {count(look.in_flight)} requests in flight may take {self._plan.timeout_s:g} s at most; "
                "asked again, they are cut short"
            )

    def _object(self, what: str, **facts: Any) -> None:
        self._printer.say(json.dumps({"event": what, **facts}, ensure_ascii=False, allow_nan=False))

    def _say(self, text: str) -> None:
        self._printer.say(safe_text(text, 1000))


def line(plan: Plan, look: Look, problem: str) -> str:
    """Return how it goes, what matters most first."""
    share = percent(look.errors / look.requests) if look.requests else "none ended"
    parts = [
        f"{clock(look.now_s)} / {clock(plan.duration_s)}",
        *([f"! {safe_text(problem, 120)}"] if problem else []),
        *(["! the server does not answer its health check"] if look.up is False else []),
        f"{each_second(look.achieved)} of {each_second(look.offered)}/s answered",
        f"{count(look.errors)} failed ({share}{'; ' + safe_text(look.why, 40) if look.why else ''})",
        f"ttft p50 {milliseconds(look.ttft_p50)} p99 {milliseconds(look.ttft_p99)}",
        f"lag p99 {milliseconds(look.lag_p99)}",
        f"{look.in_flight} in flight",
    ]
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return hours, minutes and seconds: ``71:04:09``."""
    whole = int(max(seconds, 0.0))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def each_second(value: float | None) -> str:
    """Return a rate without its unit."""
    return "—" if value is None else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """Return a latency with its unit."""
    return "—" if value is None else f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"

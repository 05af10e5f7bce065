"""A run that is open on screen: what it costs at rest, and how soon an appended row is seen."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from bench import data
from bench.anchors import HOW
from bench.figure import Figure, Target
from bench.launch import age
from bench.terminal import CONSOLE, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.context import Context

HISTORY: Final = 2000
_LEVEL: Final = 1.1
"""Where the appended values begin: inside the range of the history, so that no chart changes its scale."""
_WARM_UP: Final = 5
"""Rows appended before measuring: the first ones turn a silent run into a running one, all over the screen."""
_SETTLE_S: Final = 1.2
_GRACE_S: Final = 1.5
"""How long after the last row its value may still appear."""
_BARE: Final = """
from textual.app import App
class Bare(App[None]):
    pass
Bare().run()
"""


class Rest(NamedTuple):
    """A program at rest: per cent of a core, voluntary switches and bytes a second."""

    cpu: float
    wakes: float
    sent: float


class Live(NamedTuple):
    """Rows arriving: milliseconds from append to screen, per cent of a core, bytes a second, rows never seen."""

    ms: list[float]
    cpu: float
    sent: float


class Writer(Protocol):
    """Appends rows to a run that something watches."""

    def append(self, value: float, wait: Callable[[float], object]) -> float:
        """Append a row whose metrics are `value`; return when it was in the file (monotonic seconds)."""
        ...


def marker(turn: int) -> float:
    """Return the value of the row appended at `turn`: it rises inside the range of the history, so no scale moves.

    It is found on screen by its three decimals, the last of which is never a zero that a program may leave out.
    """
    return round(_LEVEL + turn // 9 * 0.01 + (turn % 9 + 1) * 0.001, 3)


# ---------------------------------------------------------------------- at rest


def bench_idle(context: Context) -> Iterator[Figure]:
    """Measure one open run that nobody writes to; LEET and bare Textual likewise."""
    seconds = context.pick(15, 4)
    log = data.write_metrics(context.work / "runs" / "lora-r16" / "metrics.jsonl", HISTORY)
    age(log)
    script = context.work / "bare.py"
    script.write_text(_BARE)
    ours = rest([*CONSOLE, log.parent.parent], context.work, seconds, b"2")
    bare = rest([sys.executable, "-P", script], context.work, seconds)
    leet, note = None, HOW
    if context.anchors.python is not None:
        with LeetWriter(context.anchors.python, context.work) as writer:
            leet = rest(context.anchors.leet_command(writer.run), context.work, seconds)
        note = ""
    textual = f"bare Textual: {bare.cpu:.2f} %, {bare.wakes:.1f} wakes/s, {bare.sent:.0f} bytes/s"
    beside = "; ".join(filter(None, ("between two ticks of the clock on screen (one a minute)", textual, note)))
    limits = {"cpu": ("% CPU", 0.2), "wakes": ("wakes/s", 12.0), "sent": ("bytes/s", 0.0)}
    for field, (unit, limit) in limits.items():
        yield Figure(
            "idle, run open, nothing changes", unit, [getattr(ours, field)], Target(limit),
            [getattr(leet, field)] if leet else [], "W&B LEET", beside if field == "cpu" else "",
        )  # fmt: skip


def rest(command: Sequence[str | Path], cwd: Path, seconds: float, keys: bytes = b"") -> Rest:
    """Open a program and measure it once it has settled."""
    with Terminal(command, cwd=cwd) as terminal:
        terminal.wait_bytes(3000 if keys else 1)
        terminal.send(keys)
        terminal.pump(_SETTLE_S)
        terminal.wait_quiet(_SETTLE_S)
        terminal.pump(until_room(time.time(), seconds))
        before = terminal.usage
        sent = terminal.pump(seconds)
        used = terminal.usage.since(before)
    return Rest(used.cpu_s / seconds * 100, used.wakes / seconds, sent / seconds)


def until_room(now: float, seconds: float) -> float:
    """Return how long to wait until `seconds` fit between two full minutes: a clock on screen is allowed to tick."""
    left = 60 - now % 60
    return left + 0.5 if left < seconds + 1 else 0.0


# ---------------------------------------------------------------------- rows arriving


class FileWriter:
    """Appends to a flat JSONL log."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("ab", buffering=0)
        self._step = HISTORY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    def append(self, value: float, wait: Callable[[float], object]) -> float:
        """See `Writer`. The row is there when `write` returns."""
        del wait
        self._step += 1
        self._out.write(data.row(self._step, [value] * len(data.METRICS)))
        return time.monotonic()


class LeetWriter:
    """Appends to a W&B run, record by record, from the anchors' environment."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("leet_writer.py"), "live", str(HISTORY)], cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )  # fmt: skip
        path = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not path:
            raise RuntimeError("wandb's records could not be written: is the anchors' environment whole?")
        self.run = Path(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def append(self, value: float, wait: Callable[[float], object]) -> float:
        """See `Writer`. The row counts from when its bytes are in the file, not from the call."""
        if self._process.stdin is None:
            raise RuntimeError("wandb takes no rows")
        before, until = self.run.stat().st_size, time.monotonic() + 5
        self._process.stdin.write(f"{value}\n")
        while self.run.stat().st_size == before:
            if time.monotonic() > until:
                raise TimeoutError("wandb wrote nothing for 5 s")
            wait(0.0005)
        return time.monotonic()


def bench_rows(context: Context) -> Iterator[Figure]:
    """Measure one row a second, then ten; the anchor's turn follows ours each time."""
    for rate, seconds in ((1, context.pick(20, 5)), (10, context.pick(12, 3))):
        ours = _ours(context.work / f"ours-{rate}", rate, seconds, [])
        leet = _leet(context, rate, seconds) if context.anchors.python else None
        yield from _figures(rate, ours, leet)
        if rate > 1:
            slow = _ours(context.work / "slow", rate, seconds, ["--slow-link"])
            yield Figure(f"{rate} rows/s, slow link", "bytes/s", [slow.sent], Target(2500))


def _figures(rate: int, ours: Live, leet: Live | None) -> Iterator[Figure]:
    p50, p95 = (20.0, 50.0) if rate == 1 else (140.0, 260.0)
    name, against = f"{rate} rows/s: append → screen", "W&B LEET"
    note = "" if leet else HOW
    yield Figure(f"{name}, p50", "ms", ours.ms, Target(p50), leet.ms if leet else [], against, note)
    yield Figure(f"{name}, p95", "ms", [p95_of(ours.ms)], Target(p95), [p95_of(leet.ms)] if leet else [], against)
    cpu = None if rate == 1 else Target(4.0)
    yield Figure(f"{rate} rows/s", "% CPU", [ours.cpu], cpu, [leet.cpu] if leet else [], against)
    sent = None if rate == 1 else Target(8000)
    yield Figure(f"{rate} rows/s", "bytes/s", [ours.sent], sent, [leet.sent] if leet else [], against)


def p95_of(sample: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return quantiles(sample, n=20, method="inclusive")[-1]


def _ours(folder: Path, rate: float, seconds: float, options: list[str]) -> Live:
    log = data.write_metrics(folder / "lora-r16" / "metrics.jsonl", HISTORY)
    with FileWriter(log) as writer, Terminal([*CONSOLE, *options, folder], cwd=folder) as terminal:
        terminal.wait_bytes(3000)
        terminal.send(b"2")
        return stream(terminal, writer, rate, seconds)


def _leet(context: Context, rate: float, seconds: float) -> Live:
    folder = context.work / f"leet-{rate}"
    folder.mkdir()
    if context.anchors.python is None:
        raise FileNotFoundError(HOW)
    with (
        LeetWriter(context.anchors.python, folder) as writer,
        Terminal(context.anchors.leet_command(writer.run), cwd=folder) as terminal,
    ):
        return stream(terminal, writer, rate, seconds)


def stream(terminal: Terminal, writer: Writer, rate: float, seconds: float) -> Live:
    """Append rows at a steady rate and find out afterwards, from the stamped output, when each was seen."""
    terminal.pump(_SETTLE_S)
    terminal.wait_quiet(_SETTLE_S, bytes_per_s=8000)
    for _ in range(_WARM_UP):
        writer.append(_LEVEL, terminal.pump)
        terminal.pump(0.5)
    terminal.text()
    written: list[float] = []
    before, received, start = terminal.usage, terminal.received, time.monotonic()
    for turn in range(int(rate * seconds)):
        terminal.pump(start + turn / rate - time.monotonic())
        written.append(writer.append(marker(turn), terminal.pump) - terminal.started)
    terminal.pump(start + seconds - time.monotonic())
    used, sent = terminal.usage.since(before), terminal.received - received
    terminal.pump(_GRACE_S)
    return Live(latencies(terminal, written), used.cpu_s / seconds * 100, sent / seconds)


def latencies(terminal: Terminal, written: Sequence[float]) -> list[float]:
    """Return milliseconds from each append to the first frame that shows its row or a later one."""
    out: list[float] = []
    for frame in terminal.frames():
        text = "\n".join(frame.lines)
        appended = sum(at <= frame.at for at in written)
        newest = next((i for i in range(appended - 1, len(out) - 1, -1) if f"{marker(i):.3f}" in text), len(out) - 1)
        out += [(frame.at - written[i]) * 1e3 for i in range(len(out), newest + 1)]
    if len(out) < len(written) * 0.9 or len(out) < 2:
        raise RuntimeError(f"only {len(out)} of {len(written)} rows were ever seen on:\n{terminal.text()}")
    return out

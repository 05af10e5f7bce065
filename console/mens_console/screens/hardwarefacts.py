"""The machine around the GPUs in words: host, volumes with what will fill them, and the processes of the runs.

Pure functions from views to lines and rows; GPUs are in `hardwarerows`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.hardwarerows import NA, bytes_rate, level, percent
from mens_console.screens.sheet import Line, fact, prose
from mens_console.screens.words import age, clock_text
from mens_console.signals.checkpoints import CheckpointFact, forecast
from mens_console.signals.fill import time_to_full
from mens_console.signals.human import duration, size, span
from mens_widgets.bar import bar
from mens_widgets.grid import Cell, Column, Row
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo

    from mens_console.signals.checkpoints import CheckpointForecast
    from mens_console.signals.machine import HostSample, MachineView, VolumeSample
    from mens_console.store.snapshot import RunView

FULL_SHARE: Final = 0.95
"""From this share on a volume's bar is a warning."""
SOON_S: Final = 24 * 3600.0
"""A volume that is certainly full sooner is a warning."""
GAUGE: Final = 10
_FITS: Final = ("does not fit", "fits", "unknown")
"""Of many runs on a volume those are told of whose checkpoint does not fit, and those of which something is known."""


# ---------------------------------------------------------------------- host


def host_lines(host: HostSample | None, now: float, width: int) -> list[Line]:
    """Return CPU, memory, swap and network."""
    if host is None:
        return [(("host  N/A", "muted"),)]
    history = max(0, min(30, width - 62))
    cores = f"of {host.cores} cores" if host.cores else ""
    load = " ".join(f"{value:.1f}" for value in host.load) if host.load is not None else NA
    cpu = None if host.cpu_percent is None else host.cpu_percent / 100.0
    lines: list[Line] = [
        (*_gauge("CPU", cpu, percent(host.cpu_percent)), (f" {cores}  load {load}  ", "muted"),
         (level(host.cpu_history, now, 600.0, history, 100.0), "muted")),
        _memory_line(host, now, history),
    ]  # fmt: skip
    if host.memory_limit is not None:
        used = None if host.limit_used is None else host.limit_used / host.memory_limit
        text = f"{size(host.limit_used)} of {size(host.memory_limit)}"
        note = "  limit of this container or control group, lower than the host's"
        lines.append((*_gauge("limit", used, text, full=FULL_SHARE), (note, "muted")))
    if host.swap_total:
        used = None if host.swap_used is None else host.swap_used / host.swap_total
        lines.append(_gauge("swap", used, f"{size(host.swap_used)} of {size(host.swap_total)}"))
    else:
        lines.append(fact("swap", "none" if host.swap_total == 0 else NA, "muted"))
    lines.append(fact("network", f"↓ {bytes_rate(host.net_rx)}  ↑ {bytes_rate(host.net_tx)}", "", "without loopback"))
    return lines


def _memory_line(host: HostSample, now: float, history: int) -> Line:
    if host.memory_used is None or not host.memory_total:
        return fact("memory", NA, "muted")
    text = f"{size(host.memory_used)} of {size(host.memory_total)}  "
    share = host.memory_used / host.memory_total
    spark = level(host.memory_history, now, 600.0, history, 100.0)
    return (*_gauge("memory", share, text, full=FULL_SHARE), (spark, "muted"))


def _gauge(label: str, share: float | None, text: str, full: float = math.inf) -> Line:
    ink = "warn" if share is not None and share >= full else "accent"
    lead, _ = fact(label, "")
    return (lead, (bar(share, GAUGE), ink), (f" {text}", "warn" if ink == "warn" else "muted" if text == NA else ""))


# ---------------------------------------------------------------------- volumes


def volume_lines(
    volume: VolumeSample, runs: Sequence[RunView], now: float, width: int, zone: tzinfo | None = None, *, most: int = 3
) -> list[Line]:
    """Return a volume: what is free, what moves, when it is full, and whether its runs' next checkpoints fit."""
    share = None if volume.free is None or not volume.total else 1.0 - volume.free / volume.total
    ink = "warn" if share is not None and share >= FULL_SHARE else "accent"
    device = safe_text(volume.device.removeprefix("/dev/"), 40)
    first: Line = (
        (safe_text(volume.mount, max(8, width - 48)), "strong"),
        (f"  {bar(share, GAUGE)} ", ink),
        (f"{size(volume.free)} free of {size(volume.total)}" if volume.free is not None else NA, ""),
        (f"  {device} {safe_text(volume.kind, 16)}" + (" network" if volume.network else ""), "muted"),
    )
    lines = [first]
    if volume.problem:
        read = f" ({age(volume.at, now)})" if math.isfinite(volume.at) else ""
        lines += prose(f"{safe_text(volume.problem, 120)}{read}", width, "warn", "  ◌ ")
    lines += _fill_lines(volume, width)
    if volume.read_rate is not None or volume.write_rate is not None:
        moves = f"  read {bytes_rate(volume.read_rate)}  written {bytes_rate(volume.write_rate)}, whole device"
        lines.append(((moves, "muted"),))
    told = sorted((run for run in runs if run.live), key=lambda run: _FITS.index(forecast_of(run, volume, now).fits))
    for run in told[:most]:
        lines += checkpoint_lines(run, volume, now, width, zone)
    if len(told) > most:
        lines.append(((f"  and {len(told) - most} more live runs", "muted"),))
    return lines


def _fill_lines(volume: VolumeSample, width: int) -> list[Line]:
    """Return when a volume is full, from what."""
    fill = volume.fill
    if fill is None:
        why = safe_text(volume.fill_reason, 80) or "not yet sampled"
        return prose(f"fill rate not known: {why}", width, "muted", "  ")
    seen = f"n={fill.n} over {span(fill.window_s)}"
    interval = f"{_minute(fill.rate)}, 95 %: {_minute(fill.low)} … {_minute(fill.high)}, {seen}"
    if volume.free is None or not fill.filling:
        word = "empties" if fill.high < 0.0 else "no certain filling"
        return prose(f"{word}: {interval}", width, "muted", "  ")
    left = time_to_full(volume.free, fill)
    latest = duration(left.high) if math.isfinite(left.high) else "never"
    soon = left.low < SOON_S
    told = f"full in {duration(left.seconds)} ({duration(left.low)} … {latest})"
    return [
        *prose(told, width, "warn" if soon else "", "  ▲ " if soon else "  "),
        *prose(f"at {interval}", width, "muted", "    " if soon else "  "),
    ]


def _minute(rate: float) -> str:
    """Return a rate of bytes a minute with its sign: volumes fill slowly."""
    return f"{'-' if rate < 0 else '+'}{size(abs(rate) * 60.0)}/min"


def forecast_of(run: RunView, volume: VolumeSample | None, now: float) -> CheckpointForecast:
    """Return what is to be expected of a run's next checkpoint."""
    stated = run.config.get("save_steps", "")
    return forecast(
        [CheckpointFact(c.step, float(c.bytes), c.mtime, str(c.path)) for c in run.checkpoints],
        now=now,
        step=run.step,
        steps_per_s=run.signals.steps_per_sec,
        free=None if volume is None else volume.free,
        fill=None if volume is None else volume.fill,
        save_steps=int(stated) if stated.isdecimal() else None,
        total_steps=run.total_steps,
    )


def checkpoint_lines(
    run: RunView, volume: VolumeSample, now: float, width: int, zone: tzinfo | None = None
) -> list[Line]:
    """Return whether the next checkpoint of a run fits: ``✔ next checkpoint of … (1.2 GB at ~14:32) fits``."""
    found = forecast_of(run, volume, now)
    due = [size(found.bytes)] if math.isfinite(found.bytes) else []
    if math.isfinite(found.at):
        due.append(f"at ~{clock_text(found.at, zone)}" if found.at > now else "due now")
    what = f"next checkpoint of {shorten(safe_text(run.name, 200), 40)}" + (f" ({' '.join(due)})" if due else "")
    if found.fits == "fits":
        return prose(f"{what} fits", width, "good", "  ✔ ")
    if found.fits == "does not fit":
        return prose(f"{what} does not fit: {found.reason}", width, "bad", "  ✖ ")
    return prose(f"{what}: unknown whether it fits, because {found.reason}", width, "muted", "  ? ")


# ---------------------------------------------------------------------- processes

PROCESS_COLUMNS: Final = (
    Column("pid", "pid", 8, align="right", priority=90),
    Column("run", "run", 14, flex=3, priority=100, cut="middle"),
    Column("name", "process", 14, flex=2, priority=80),
    Column("gpu", "GPU", 7, priority=70),
    Column("memory", "GPU memory", 10, align="right", priority=60),
    Column("cpu", "CPU", 7, align="right", priority=50),
    Column("rss", "RSS", 9, align="right", priority=55),
)


def process_rows(view: MachineView, named: Callable[[str], str]) -> list[Row]:
    """Return every process of a run's tree and every other one on a GPU: the runs' first, children below parents."""
    gpus: dict[int, list[tuple[str, int | None]]] = {}
    strangers: dict[int, tuple[str, str]] = {}
    for gpu in view.gpus:
        for process in gpu.processes or ():
            place = f"{gpu.index}" + (f".{process.instance}" if process.instance is not None else "")
            gpus.setdefault(process.pid, []).append((place, process.memory))
            strangers[process.pid] = (process.run, process.name)
    rows = []
    for one in view.processes:
        strangers.pop(one.pid, None)
        name = "  " * min(one.depth, 4) + (one.name or "not visible")
        rows.append(_process_row(one.pid, one.run, name, gpus.get(one.pid, []), one.cpu_percent, one.rss, named))
    for pid, (run, name) in sorted(strangers.items(), key=lambda item: (not item[1][0], item[0])):
        rows.append(_process_row(pid, run, name or "not visible", gpus[pid], None, None, named))
    return rows


def _process_row(
    pid: int, run: str, name: str, places: list[tuple[str, int | None]], cpu: float | None, rss: int | None,
    named: Callable[[str], str],
) -> Row:  # fmt: skip
    known = [memory for _, memory in places if memory is not None]
    memory = size(sum(known)) if known else NA if places else ""
    where = ",".join(dict.fromkeys(place for place, _ in places))
    cells = (
        str(pid),
        Cell(named(run) if run else "no run", "strong" if run else "muted"),
        safe_text(name, 60),
        where,
        Cell(memory, "muted" if memory == NA else ""),
        Cell(NA if cpu is None else f"{cpu:.0f} %", "muted" if cpu is None else ""),
        Cell(NA if rss is None else size(rss), "muted" if rss is None else ""),
    )
    return Row(f"{pid}", cells, cells)


def run_by_pid(view: MachineView) -> dict[int, str]:
    """Return the run of every process that belongs to one."""
    found = {p.pid: p.run for gpu in view.gpus for p in gpu.processes or () if p.run}
    return found | {process.pid: process.run for process in view.processes if process.run}


def waiting_lines(width: int, *, replay: bool) -> list[Line]:
    """Return what stands here before the first sample."""
    title, text = (
        ("A replay shows no hardware.", "Nothing of the machine was recorded.")
        if replay
        else ("The machine has not been sampled yet.", "The first sample comes within seconds of the start.")
    )
    return [((title, "strong"),), *prose(text, min(width, 76), "muted")]


def runs_on(volume: VolumeSample, runs: Iterable[RunView]) -> list[RunView]:
    """Return the runs whose folders lie on a volume, live ones first."""
    return sorted((run for run in runs if run.id in volume.runs), key=lambda run: (not run.live, run.id))

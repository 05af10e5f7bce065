"""Everything that is known of one GPU, and why what is unknown is.

Pure functions from a view to lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.hardwarerows import (
    NA,
    ago,
    bytes_rate,
    clock,
    degrees,
    flags,
    gigabytes,
    heat,
    identity,
    level,
    percent,
    process_text,
    watts,
)
from mens_console.screens.sheet import Line, fact, heading, prose
from mens_console.screens.words import age
from mens_console.signals.gpu import MIG_OFF, POWER, THERMAL, THROTTLE_WORDS, xid_text
from mens_console.signals.human import size
from mens_widgets.bar import bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.screens.words import Ink
    from mens_console.signals.gpu import GpuSample, History


def gpu_detail(gpu: GpuSample, now: float, width: int, named: Callable[[str], str]) -> list[Line]:
    """Return everything that is known of a GPU, and why what is unknown is."""

    def told(label: str, value: str, name: str, note: str = "", ink: Ink = "") -> Line:
        if value == NA:
            return fact(label, NA, "muted", gpu.why_missing(name))
        return fact(label, value, ink, note)

    def seen(history: History, top: float) -> str:
        return level(history, now, 600.0, max(0, min(40, width - 44)), top)

    lines: list[Line] = [((f"GPU {gpu.index}  {safe_text(gpu.name, 60)}", "accent"), (f"  {identity(gpu)}", "muted"))]
    for text, ink in flags(gpu, now):
        lines.append(((text, ink),))
    if gpu.lost:
        return [*lines, *prose(safe_text(gpu.lost, 200), width, "bad"), *_xid_lines(gpu, now, width)]
    slows = f"slows down at {gpu.slowdown_at:.0f} °C" if gpu.slowdown_at is not None else ""
    throttle = NA if gpu.throttle is None else ", ".join(THROTTLE_WORDS[name] for name in gpu.throttle) or "nothing"
    slowed = bool((THERMAL | POWER).intersection(gpu.throttle or ()))
    limit = gpu.power_limit or 0.0
    lines += [
        told("in use", percent(gpu.utilisation), "utilisation", seen(gpu.utilisation_history, 100.0)),
        told("memory", gigabytes(gpu), "memory_used", seen(gpu.memory_history, 100.0)),
        told("power", watts(gpu), "power", seen(gpu.power_history, limit) if limit else ""),
        told("temperature", degrees(gpu.temperature), "temperature", slows, heat(gpu)),
        told("slowed by", throttle, "throttle", "", "warn" if slowed else ""),
        told("SM clock", clock(gpu.sm_clock, gpu.sm_clock_max), "sm_clock"),
        told("mem clock", clock(gpu.memory_clock, gpu.memory_clock_max), "memory_clock"),
        told("mem busy", percent(gpu.memory_utilisation), "utilisation", "share of time that memory was accessed"),
        *_ecc_lines(gpu),
        told("PCIe", _both(gpu.pcie_tx, gpu.pcie_rx), "pcie_tx"),
        told("NVLink", _both(gpu.nvlink_tx, gpu.nvlink_rx), "nvlink_tx", "sum of its links"),
    ]
    return [*lines, *_xid_lines(gpu, now, width), *_mig_lines(gpu), *_process_lines(gpu, named)]


def _both(sent: float | None, received: float | None) -> str:
    return NA if sent is None and received is None else f"↑ {bytes_rate(sent)}  ↓ {bytes_rate(received)}"


def _ecc_lines(gpu: GpuSample) -> list[Line]:
    ecc = gpu.ecc
    if ecc is None:
        return [fact("ECC", NA, "muted", gpu.why_missing("ecc"))]

    def counts(corrected: int | None, uncorrected: int | None) -> str:
        both = (NA if count is None else f"{count}" for count in (uncorrected, corrected))
        return "{} uncorrected, {} corrected".format(*both)

    now = counts(ecc.volatile_corrected, ecc.volatile_uncorrected)
    ever = counts(ecc.aggregate_corrected, ecc.aggregate_uncorrected)
    return [
        fact("ECC", now, "bad" if ecc.volatile_uncorrected else "", "since the driver was loaded"),
        fact("", ever, "", "over its life"),
    ]


def _xid_lines(gpu: GpuSample, now: float, width: int) -> list[Line]:
    if gpu.xids is None:
        return [fact("XID", NA, "muted", gpu.why_missing("xids"))]
    if not gpu.xids:
        return [fact("XID", "none seen", "", "since the console was started")]
    lines = heading("XID errors")
    for event in reversed(gpu.xids):
        lines += prose(f"{xid_text(event)}, {ago(age(event.at, now))}", width, "bad", "✖ ")
    return lines


def _mig_lines(gpu: GpuSample) -> list[Line]:
    if gpu.mig is None:
        why = gpu.why_missing("mig")
        return [fact("MIG", "off", "muted") if why == MIG_OFF else fact("MIG", NA, "muted", why)]
    lines = heading(f"MIG instances  {len(gpu.mig)}")
    for one in gpu.mig:
        share = one.memory_used / one.memory_total if one.memory_used is not None and one.memory_total else None
        used = NA if one.memory_used is None else f"{size(one.memory_used)} of {size(one.memory_total)}"
        lines.append(fact(f"{one.index}  {one.profile or '?'}", f"{bar(share, 10)} {used}", "", one.uuid))
    return lines


def _process_lines(gpu: GpuSample, named: Callable[[str], str]) -> list[Line]:
    if gpu.processes is None:
        return [fact("processes", NA, "muted", gpu.why_missing("processes"))]
    if not gpu.processes:
        return [fact("processes", "none", "muted")]
    lines = heading(f"Processes  {len(gpu.processes)}")
    for process in gpu.processes:
        note = f"{process.kind}" + (f", MIG instance {process.instance}" if process.instance is not None else "")
        lines.append(((f"  {process_text(process, named)}", "strong" if process.run else ""), (f"  {note}", "muted")))
    return lines

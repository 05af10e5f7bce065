"""What a training told of the machine while it ran: one table of figures, samples of them, and what they bear out.

Values and words only; samples are taken by the training (`collectors`), read by `ingest` and kept by the store.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mens_console.signals.byvalue import ByValue
from mens_console.signals.gpu import POWER, THERMAL, THROTTLE_WORDS
from mens_console.signals.human import span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX: Final = "system/"
"""What the names of all these series begin with."""
THROTTLED: Final = "throttled"
"""The series that is 1 while heat or a power fault lowers a GPU's clocks, else 0."""
_GB: Final = 1e9
NEAR_S: Final = 300.0
"""Further apart, a sample says nothing of what happened to a run."""
LATELY_S: Final = 600.0
"""Over how long samples are looked at to say why a run is slow now."""
_STALLED: Final = 20.0
_BUSY: Final = 90.0
"""Percent from which waiting for a disk, and work on the host's processors, are worth a line."""
_MOST_GPUS: Final = 64
_HARMFUL: Final = THERMAL | POWER
_NUMBERS: Final = (int, float)


class Figure(NamedTuple):
    """One figure: its field in the event `system`, the end of its series' name, unit, and the field's own unit."""

    field: str
    name: str
    unit: str
    scale: float = 1.0


FIGURES: Final[Mapping[str, tuple[Figure, ...]]] = {
    "process": (
        Figure("cpu_percent", "cpu", "%"),
        Figure("rss_bytes", "rss_gb", "GB", _GB),
        Figure("disk_read_bytes_per_s", "disk_read_mb_s", "MB/s", 1e6),
    ),
    "workers": (
        Figure("count", "count", ""),
        Figure("cpu_percent", "cpu", "%"),
        Figure("rss_bytes", "rss_gb", "GB", _GB),
        Figure("waiting", "waiting", ""),
    ),
    "host": (
        Figure("cpu_percent", "cpu", "%"),
        Figure("iowait_percent", "iowait", "%"),
        Figure("io_stall_percent", "io_stall", "%"),
        Figure("memory_stall_percent", "memory_stall", "%"),
        Figure("load1", "load", ""),
        Figure("memory_total_bytes", "memory_total_gb", "GB", _GB),
        Figure("memory_available_bytes", "memory_available_gb", "GB", _GB),
        Figure("memory_limit_bytes", "memory_limit_gb", "GB", _GB),
        Figure("limit_used_bytes", "limit_used_gb", "GB", _GB),
        Figure("disk_read_bytes_per_s", "disk_read_mb_s", "MB/s", 1e6),
        Figure("disk_write_bytes_per_s", "disk_write_mb_s", "MB/s", 1e6),
        Figure("net_received_bytes_per_s", "net_received_mb_s", "MB/s", 1e6),
        Figure("net_sent_bytes_per_s", "net_sent_mb_s", "MB/s", 1e6),
    ),
    "gpu": (
        Figure("util_percent", "util", "%"),
        Figure("memory_used_bytes", "memory_gb", "GB", _GB),
        Figure("memory_total_bytes", "memory_total_gb", "GB", _GB),
        Figure("allocated_peak_bytes", "allocated_peak_gb", "GB", _GB),
        Figure("reserved_peak_bytes", "reserved_peak_gb", "GB", _GB),
        Figure("power_watts", "power_w", "W"),
        Figure("temperature_celsius", "temp_c", "°C"),
        Figure("sm_clock_mhz", "sm_clock_mhz", "MHz"),
        Figure("memory_clock_mhz", "memory_clock_mhz", "MHz"),
    ),
}
"""By part of the event: of a process percent are of one core, of the host of all cores."""
_UNITS: Final = {THROTTLED: ""} | {figure.name: figure.unit for part in FIGURES.values() for figure in part}


def is_system(name: str) -> bool:
    """Say whether a series is one of samples of the machine; a producer's own series may begin as they do."""
    return name.startswith(PREFIX) and name.count("/") == 2 and name.rpartition("/")[2] in _UNITS


def unit_of(name: str) -> str:
    """Return the unit of a series by its name, "" where it has none or is no such series."""
    return _UNITS.get(name.rpartition("/")[2], "") if is_system(name) else ""


@dataclass(frozen=True, slots=True)
class SystemSample(ByValue):
    """What was measured at `wall` (s since the epoch, NaN unknown), at the training's `step`.

    `values` by the names of the series; what was not measured is not there. `slowed` are the reasons for which heat or
    a power fault lowered the clocks, by GPU (``gpu0``); a GPU that does not tell is not there.
    """

    step: int
    wall: float
    values: Mapping[str, float]
    slowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_sample(payload: Mapping[str, Any], step: int, wall: float) -> SystemSample | None:
    """Return the sample in the payload of an event `system`, None where it holds no figure that is known here."""
    values: dict[str, float] = {}
    for part in ("process", "workers", "host"):
        values.update(_figures(part, part, payload.get(part)))
    slowed: dict[str, tuple[str, ...]] = {}
    gpus = payload.get("gpus")
    for told in gpus[:_MOST_GPUS] if isinstance(gpus, list) else ():
        name = _gpu_name(told)
        if name is None:
            continue
        values.update(_figures("gpu", name, told))
        reasons = told.get("throttle")
        if isinstance(reasons, list):
            slowed[name] = tuple(str(reason) for reason in reasons if isinstance(reason, str) and reason in _HARMFUL)
            values[f"{PREFIX}{name}/{THROTTLED}"] = float(bool(slowed[name]))
    return SystemSample(step, wall, values, slowed) if values else None


@lru_cache(maxsize=4 * _MOST_GPUS)
def _named(part: str, name: str) -> tuple[tuple[str, str, float], ...]:
    """Return field, name of the series and scale of each figure of a part."""
    return tuple((figure.field, f"{PREFIX}{name}/{figure.name}", figure.scale) for figure in FIGURES[part])


def _figures(part: str, name: str, told: Any) -> Iterator[tuple[str, float]]:
    if not isinstance(told, dict):
        return
    for key, series, scale in _named(part, name):
        value = told.get(key)
        if type(value) in _NUMBERS and 0.0 <= value < math.inf:  # type: ignore[operator]
            yield series, value / scale  # type: ignore[operator]


def _gpu_name(told: Any) -> str | None:
    """Return ``gpu3``, or ``gpu3.mig1`` for a slice; None for what names no GPU."""
    if not isinstance(told, dict):
        return None
    index, mig = told.get("index"), told.get("mig_instance")
    if type(index) is not int or not 0 <= index < _MOST_GPUS:
        return None
    return f"gpu{index}.mig{mig}" if type(mig) is int and 0 <= mig < _MOST_GPUS else f"gpu{index}"


def gpus_of(names: Iterable[str]) -> list[str]:
    """Return the GPUs that series tell of, in the order of their numbers."""
    found = {name.split("/")[1] for name in names if name.startswith(f"{PREFIX}gpu") and name.count("/") == 2}
    return sorted(found, key=lambda gpu: [int("".join(filter(str.isdigit, part)) or 0) for part in gpu.split(".")])


def gpu_words(name: str) -> str:
    """Return a GPU's name for a sentence: ``GPU 3``, ``GPU 3, MIG slice 1``."""
    index, _, mig = name.removeprefix("gpu").partition(".mig")
    return f"GPU {index}, MIG slice {mig}" if mig else f"GPU {index}"


def slowed_words(name: str, reasons: Iterable[str]) -> str:
    """Return why a GPU was slowed down: ``GPU 3: hardware thermal slowdown``."""
    told: Mapping[str, str] = dict(THROTTLE_WORDS)
    return f"{gpu_words(name)}: {', '.join(told.get(reason, reason) for reason in reasons)}"


def memory_lines(sample: SystemSample | None, until: float, *, gpus: bool = True) -> tuple[str, ...]:
    """Return how full memory was when last sampled: of the fullest GPU, and of the host with the process.

    `until` (s since the epoch, NaN unknown) is when the run was last heard of: every line says how long before, or
    after, it was measured, because much may be allocated in between. A sample of another time says nothing.
    """
    if sample is None or abs(until - sample.wall) > NEAR_S:
        return ()
    when = _when(sample.wall, until)
    read = sample.values.get
    lines = []
    shares: list[tuple[float, str]] = []
    for gpu in gpus_of(sample.values) if gpus else ():
        used, total = read(f"{PREFIX}{gpu}/memory_gb"), read(f"{PREFIX}{gpu}/memory_total_gb")
        if used is not None and total:
            peak = read(f"{PREFIX}{gpu}/reserved_peak_gb")
            most = "" if peak is None else f", PyTorch's own peak {peak:.1f} GB"
            shares.append((used / total, f"was at {used:.1f} GB of {total:.1f} GB{most}, {when}"))
            lines.append(gpu_words(gpu))
    if shares:
        fullest = max(range(len(shares)), key=lambda place: shares[place][0])
        of = f", the fullest of {len(shares)}," if len(shares) > 1 else ""
        lines = [f"memory of {lines[fullest]}{of} {shares[fullest][1]}"]
    return (*lines, *_host_lines(sample, when))


def _host_lines(sample: SystemSample, when: str) -> Iterator[str]:
    read = sample.values.get
    rss, workers = read(f"{PREFIX}process/rss_gb"), read(f"{PREFIX}workers/rss_gb")
    of = "" if rss is None else f"; the process held {rss:.1f} GB"
    of += "" if rss is None or not workers else f", its workers {workers:.1f} GB"
    limit, counted = read(f"{PREFIX}host/memory_limit_gb"), read(f"{PREFIX}host/limit_used_gb")
    total, free = read(f"{PREFIX}host/memory_total_gb"), read(f"{PREFIX}host/memory_available_gb")
    if limit and counted is not None:
        yield f"memory of the container was at {counted:.1f} GB of {limit:.1f} GB{of}, {when}"
    elif total and free is not None:
        yield f"memory of the host was at {total - free:.1f} GB of {total:.1f} GB{of}, {when}"
    elif rss is not None:
        yield f"the process held {rss:.1f} GB, {when}"


def _when(wall: float, until: float) -> str:
    apart = until - wall
    if not math.isfinite(apart):
        return "when last sampled"
    if abs(apart) < 1.0:
        return "sampled at that moment"
    return f"sampled {span(abs(apart))} {'before' if apart > 0 else 'after'} its last row"


def is_tight(sample: SystemSample | None, share: float = 0.95) -> bool:
    """Say whether the memory of the host, or of the container, was all but used up when last sampled."""
    if sample is None:
        return False
    read = sample.values.get
    limit, counted = read(f"{PREFIX}host/memory_limit_gb"), read(f"{PREFIX}host/limit_used_gb")
    if limit and counted is not None and counted >= share * limit:
        return True
    total, free = read(f"{PREFIX}host/memory_total_gb"), read(f"{PREFIX}host/memory_available_gb")
    return bool(total) and free is not None and free <= (1.0 - share) * (total or 0.0)


@dataclass(frozen=True, slots=True)
class Lately(ByValue):
    """The samples of the last minutes: mean and n by series, and by GPU (n slowed down, of n, the newest reasons)."""

    means: Mapping[str, tuple[float, int]]
    slowed: Mapping[str, tuple[int, int, tuple[str, ...]]]


def slow_lines(lately: Lately) -> tuple[str, ...]:
    """Return what in the samples of the last minutes may explain that a run is slow; nothing where nothing does."""
    over = f"samples of the last {LATELY_S / 60:.0f} min"
    lines = [
        f"{slowed_words(gpu, reasons)}; clocks were lowered in {hot} of {n} {over}"
        for gpu, (hot, n, reasons) in lately.slowed.items()
        if hot
    ]
    stall, n = lately.means.get(f"{PREFIX}host/io_stall", (0.0, 0))
    if stall >= _STALLED:
        lines.append(f"for {stall:.0f} % of the time some process of the host waited for a disk, mean of {n} {over}")
    busy, n = lately.means.get(f"{PREFIX}host/cpu", (0.0, 0))
    if busy >= _BUSY:
        own = [lately.means.get(f"{PREFIX}{part}/cpu", (0.0, 0))[0] for part in ("process", "workers")]
        lines.append(
            f"the host's processors were {busy:.0f} % busy, with {sum(own) / 100:.1f} cores by this training, "
            f"mean of {n} {over}"
        )
    return tuple(lines)

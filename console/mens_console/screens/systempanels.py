"""Charts and facts of what the machine did during a run: which series share a chart, and what they are called there.

Pure functions from series and views to panels and lines; where they stand on the screen is the callers'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, fact, heading, prose
from mens_console.signals.human import span
from mens_console.signals.system import PREFIX, THROTTLED, gpu_words, gpus_of, is_system, unit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mens_console.store.snapshot import RunView

_MOST: Final = 6
"""GPUs in one chart: as many as it has inks for."""
_FACTS: Final = 8
"""GPUs that the facts name…"""
_FEW: Final = 4
"""…and up to which they tell what PyTorch held of each."""


class Group(NamedTuple):
    """One chart: its title, and the names of its curves by the series that they draw."""

    title: str
    curves: dict[str, str]

    @property
    def unit(self) -> str:
        """The unit of its series, which is the same for all."""
        name = next(iter(self.curves))
        return "ratio" if name.endswith(THROTTLED) else unit_of(name)


_GPU: Final = (
    ("util", "util"), ("memory", "memory_gb"), ("power", "power_w"), ("temperature", "temp_c"),
    ("slowed down", THROTTLED), ("SM clock", "sm_clock_mhz"),
)  # fmt: skip
_PEAKS: Final = (("PyTorch reserved peak", "reserved_peak_gb"), ("PyTorch allocated peak", "allocated_peak_gb"))
_BOX: Final = (
    ("process CPU", {"process/cpu": "process", "workers/cpu": "workers"}),
    ("process memory", {"process/rss_gb": "process", "workers/rss_gb": "workers"}),
    ("host CPU", {"host/cpu": "busy", "host/iowait": "iowait"}),
    ("host memory", {"host/memory_available_gb": "available", "host/limit_used_gb": "of limit used"}),
    ("host waits", {"host/io_stall": "for disks", "host/memory_stall": "for memory"}),
    ("disk", {"host/disk_read_mb_s": "read", "host/disk_write_mb_s": "written", "process/disk_read_mb_s": "by it"}),
    ("network", {"host/net_received_mb_s": "received", "host/net_sent_mb_s": "sent"}),
    ("load", {"host/load": "load"}),
)  # fmt: skip


def groups(have: Collection[str]) -> list[Group]:
    """Return the charts of the series that there are: GPUs first, then the process, then the host."""
    found = [*_gpu_groups(have)]
    for title, curves in _BOX:
        named = {f"{PREFIX}{name}": label for name, label in curves.items()}
        there = {name: label for name, label in named.items() if name in have}
        if there:
            found.append(Group(title, there))
    return found


def _gpu_groups(have: Collection[str]) -> Iterator[Group]:
    gpus = gpus_of(have)
    parts = -(-len(gpus) // _MOST)
    each = -(-len(gpus) // max(parts, 1))
    for title, figure in (*_GPU, *_PEAKS):
        if len(gpus) == 1 and (title, figure) in _PEAKS:
            continue  # beside the memory in use
        for first in range(0, len(gpus), max(each, 1)):
            some = gpus[first : first + each]
            curves = {name: gpu for gpu in some if (name := f"{PREFIX}{gpu}/{figure}") in have}
            if len(gpus) == 1 and figure == "memory_gb":
                curves = _memory(gpus[0], have)
            if curves:
                yield Group(f"{_named(some, parts)} {title}", curves)


def _memory(gpu: str, have: Collection[str]) -> dict[str, str]:
    named = {"memory_gb": "in use", "reserved_peak_gb": "reserved peak", "allocated_peak_gb": "allocated peak"}
    return {name: label for figure, label in named.items() if (name := f"{PREFIX}{gpu}/{figure}") in have}


def _named(some: list[str], parts: int) -> str:
    """Return what the chart of some GPUs is called: where they do not fit one chart, which they are."""
    if parts < 2:
        return "GPU"
    first, last = (gpu.removeprefix("gpu") for gpu in (some[0], some[-1]))
    return f"GPU {first}" if first == last else f"GPU {first}–{last}"


def machine_lines(run: RunView, width: int) -> list[Line]:
    """Return the most memory that was seen in use on each GPU and by the process, and when a GPU was slowed down."""
    lines: list[Line] = []
    gpus = gpus_of(run.series)
    for gpu in gpus[:_FACTS]:
        used, total = _most(run, f"{gpu}/memory_gb"), _most(run, f"{gpu}/memory_total_gb")
        peak = _most(run, f"{gpu}/reserved_peak_gb")
        if used is not None:
            lines.append(fact(gpu_words(gpu), f"{used:.1f} GB", "strong", f"of {total:.1f} GB" if total else ""))
        if peak is not None and (used is None or len(gpus) <= _FEW):
            label = gpu_words(gpu) if used is None else "  PyTorch"
            lines.append(fact(label, f"{peak:.1f} GB", "", "reserved at its peak"))
    if len(gpus) > _FACTS:
        lines.append(((f"and {len(gpus) - _FACTS} more GPUs", "muted"),))
    rss, workers = _most(run, "process/rss_gb"), _most(run, "workers/rss_gb")
    if rss is not None:
        beside = "" if not workers else f"workers {workers:.1f} GB"
        lines.append(fact("process", f"{rss:.1f} GB", "strong", beside))
    if not lines:
        return []
    slowed = [mark for mark in run.marks if mark.kind == "throttle"]
    for mark in slowed[-2:]:
        lines += prose(f"{safe_text(mark.text, 200)}, from step {mark.step} on", width, "warn", "↯ ")
    return [*heading("Most memory seen"), *lines, *_sampled(run)]


def peak_gpu_gb(run: RunView) -> tuple[float, str] | None:
    """Return the most memory that was seen in use on one of its GPUs, in GB, and which that was."""
    most = {gpu: used for gpu in gpus_of(run.series) if (used := _most(run, f"{gpu}/memory_gb")) is not None}
    if not most:
        return None
    fullest = max(most, key=most.__getitem__)
    return most[fullest], gpu_words(fullest)


def mean_gpu_util(run: RunView) -> tuple[float, str] | None:
    """Return how busy its GPUs were in the mean of all samples, in percent, and of how many samples that is."""
    names = [f"{PREFIX}{gpu}/util" for gpu in gpus_of(run.series)]
    values = [run.series[name].values for name in names if name in run.series and len(run.series[name].values)]
    if not values:
        return None
    n = sum(len(column) for column in values)
    return sum(float(column.sum()) for column in values) / n, f"n={n}"


def peak_rss_gb(run: RunView) -> float | None:
    """Return the most memory that the process was seen to hold, in GB."""
    return _most(run, "process/rss_gb")


def _sampled(run: RunView) -> list[Line]:
    """Return how many samples that is, and how far apart: what happens between two of them is not seen."""
    series = max((one for name, one in run.series.items() if is_system(name)), key=lambda one: one.points)
    n = len(series.walls)
    apart = float(series.walls[-1] - series.walls[0]) / (n - 1) if n > 1 else 0.0
    return [((f"n={series.points} samples" + (f", {span(apart)} apart" if apart > 0 else ""), "muted"),)]


def _most(run: RunView, name: str) -> float | None:
    series = run.series.get(f"{PREFIX}{name}")
    return float(series.values.max()) if series is not None and len(series.values) else None

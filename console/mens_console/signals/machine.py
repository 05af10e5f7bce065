"""What is known of the machine at one moment (GPUs, host, volumes, processes), and what of it deserves an alert.

Values and judgement only: no I/O, no clock. One GPU is described in `gpu`, how fast a volume fills in `fill`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.byvalue import ByValue
from mens_console.signals.gpu import (
    POWER,
    THERMAL,
    THROTTLE_WORDS,
    EccCounts,
    GpuProcess,
    GpuSample,
    History,
    MigInstance,
    XidEvent,
    slowdown_line,
    xid_text,
)
from mens_console.signals.human import size, span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mens_console.signals.fill import Fill
    from mens_console.signals.rules import Rule

__all__ = [
    "EccCounts", "GpuProcess", "GpuSample", "History", "HostSample", "MachineView", "MigInstance", "ProcessSample",
    "VolumeSample", "XidEvent", "gpu_evidence", "machine_observations",
]  # fmt: skip

STALE_S: Final = 5.0
"""A sample may be this much older than three of the sampler's own intervals before it counts as stale."""


@dataclass(frozen=True, slots=True)
class HostSample(ByValue):
    """The host at `at`: CPU in percent of all `cores`, load averages, memory and swap in bytes, network in bytes/s.

    `memory_limit` is the limit of the container or control group where that is lower than the host's memory, and
    `limit_used` what counts against it; None where there is none.
    """

    at: float
    cores: int | None = None
    cpu_percent: float | None = None
    load: tuple[float, float, float] | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    memory_limit: int | None = None
    limit_used: int | None = None
    swap_total: int | None = None
    swap_used: int | None = None
    net_rx: float | None = None
    net_tx: float | None = None
    cpu_history: History = field(default_factory=History)
    memory_history: History = field(default_factory=History)

    @property
    def memory_used(self) -> int | None:
        """Return the bytes that are in use and cannot be reclaimed, None where unknown."""
        if self.memory_total is None or self.memory_available is None:
            return None
        return self.memory_total - self.memory_available


@dataclass(frozen=True, slots=True)
class VolumeSample(ByValue):
    """A file system that holds run folders, once however many lie on it.

    `free` is what this user may still write, `used` what is taken, in bytes; `read_rate` and `write_rate` are of the
    whole device in bytes per second, None where the kernel counts none for it (network, overlay). `problem` is a
    sentence when it does not answer; the numbers are then those of `at`. `fill` is None until enough was seen, and
    `fill_reason` says so.
    """

    id: str
    mount: str
    device: str
    kind: str
    at: float
    runs: tuple[str, ...] = ()
    network: bool = False
    total: int | None = None
    used: int | None = None
    free: int | None = None
    read_rate: float | None = None
    write_rate: float | None = None
    fill: Fill | None = None
    fill_reason: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProcessSample(ByValue):
    """One process of a run's tree: `depth` 0 is the one that was matched to the run, its children come below it.

    `cpu_percent` is of one core since the sample before, None at the first; `rss` in bytes.
    """

    pid: int
    run: str
    name: str
    depth: int = 0
    parent: int | None = None
    cpu_percent: float | None = None
    rss: int | None = None


@dataclass(frozen=True, slots=True)
class MachineView(ByValue):
    """The machine as last sampled, at `at` (seconds since the epoch), every `interval` seconds at present.

    `gpus` are in the order of their indices; where there are none, `gpu_problem` says why in one sentence. It may also
    stand beside GPUs: those are then as last read. `gpus_at` is when they last answered, NaN for never.
    """

    rev: int
    at: float
    interval: float = math.nan
    gpus: tuple[GpuSample, ...] = ()
    gpus_at: float = math.nan
    gpu_problem: str = ""
    driver: str = ""
    cuda: str = ""
    host: HostSample | None = None
    volumes: tuple[VolumeSample, ...] = ()
    processes: tuple[ProcessSample, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def stale_after(self) -> float:
        """Return the age in seconds from which a sample counts as stale."""
        return STALE_S + 3.0 * (self.interval if math.isfinite(self.interval) else 15.0)

    @property
    def gpus_stale(self) -> bool:
        """Say whether the GPUs have not answered for so long that their numbers may no longer be true."""
        return bool(self.gpus) and not self.at - self.gpus_at <= self.stale_after

    def gpu(self, uuid: str) -> GpuSample | None:
        """Return one GPU by its UUID."""
        return next((gpu for gpu in self.gpus if gpu.uuid == uuid), None)

    def volume_of(self, run_id: str) -> VolumeSample | None:
        """Return the volume that holds a run's folder, None where it was not looked at."""
        return next((volume for volume in self.volumes if run_id in volume.runs), None)


# ---------------------------------------------------------------------- what deserves an alert


def machine_observations(before: MachineView | None, now: MachineView, rules: Mapping[str, Rule]) -> list[Observation]:
    """Return what the GPU rules say of this sample, one observation per GPU and rule that `rules` holds.

    A GPU that is lost or was not read lately gives NODATA for what is a condition. ECC errors and XIDs are events:
    each new one is a breach and every sample without a new one a clear, so that a latched alert counts events, and an
    acknowledged one rings again for the next.
    """
    found = []
    for gpu in now.gpus:
        past = before.gpu(gpu.uuid) if before is not None else None
        blind = bool(gpu.lost) or now.gpus_stale
        for seen in (_thermal(gpu, blind), _power(gpu, blind), _ecc(gpu, past, blind), *_xid(gpu, past, now)):
            if seen.rule in rules:
                found.append(seen)
    return found


def _thermal(gpu: GpuSample, blind: bool) -> Observation:
    reasons = THERMAL.intersection(gpu.throttle or ())
    if blind or gpu.throttle is None:
        return Observation("gpu_thermal", gpu.entity, Signal.NODATA, gpu.at)
    value = math.nan if gpu.temperature is None else gpu.temperature
    if not reasons:
        return Observation("gpu_thermal", gpu.entity, Signal.CLEAR, gpu.at, value=value)
    words = " and ".join(THROTTLE_WORDS[reason] for reason in sorted(reasons))
    return Observation(
        "gpu_thermal", gpu.entity, Signal.BREACH, gpu.at, value=value, threshold=gpu.slowdown_at,
        message=f"GPU {gpu.index} slows down: {words}", evidence=(slowdown_line(gpu),), standing=True,
    )  # fmt: skip


def _power(gpu: GpuSample, blind: bool) -> Observation:
    if blind or gpu.throttle is None:
        return Observation("gpu_power", gpu.entity, Signal.NODATA, gpu.at)
    reasons = POWER.intersection(gpu.throttle)
    if THERMAL.intersection(gpu.throttle):
        reasons -= {"hw_slowdown"}  # the general bit of the thermal one
    value = math.nan if gpu.power is None else gpu.power
    if not reasons:
        return Observation("gpu_power", gpu.entity, Signal.CLEAR, gpu.at, value=value)
    words = THROTTLE_WORDS["hw_power_brake" if "hw_power_brake" in reasons else "hw_slowdown"]
    return Observation(
        "gpu_power", gpu.entity, Signal.BREACH, gpu.at, value=value, threshold=gpu.power_limit,
        message=f"GPU {gpu.index} slows down: {words}", evidence=(slowdown_line(gpu),), standing=True,
    )  # fmt: skip


def _ecc(gpu: GpuSample, past: GpuSample | None, blind: bool) -> Observation:
    count = gpu.ecc.volatile_uncorrected if gpu.ecc is not None else None
    if blind or count is None:
        return Observation("gpu_ecc", gpu.entity, Signal.NODATA, gpu.at)
    earlier = past.ecc.volatile_uncorrected if past is not None and past.ecc is not None else None
    if count <= (earlier or 0):
        return Observation("gpu_ecc", gpu.entity, Signal.CLEAR, gpu.at, value=count)
    errors = f"{count} uncorrected memory error{'s' * (count != 1)}"
    evidence = [f"GPU {gpu.index} ({gpu.name}): {errors} since the driver was loaded"]
    if earlier:
        evidence.append(f"it was {earlier} at the sample before")
    if gpu.ecc is not None and gpu.ecc.aggregate_uncorrected is not None:
        evidence.append(f"{gpu.ecc.aggregate_uncorrected} over its life")
    return Observation(
        "gpu_ecc", gpu.entity, Signal.BREACH, gpu.at, value=count, message=f"GPU {gpu.index}: {errors}",
        evidence=tuple(evidence),
    )  # fmt: skip


def _xid(gpu: GpuSample, past: GpuSample | None, now: MachineView) -> Iterator[Observation]:
    known = set(past.xids or ()) if past is not None else set()
    fresh = [event for event in gpu.xids or () if event not in known]
    for event in fresh:
        told = xid_text(event)
        yield Observation(
            "gpu_xid", gpu.entity, Signal.BREACH, event.at, value=event.code, message=f"GPU {gpu.index}: {told}",
            evidence=(f"GPU {gpu.index} ({gpu.name}, {gpu.bus_id or gpu.uuid}): {told}",),
        )  # fmt: skip
    if not fresh:
        silent = gpu.xids is None or now.gpus_stale
        yield Observation("gpu_xid", gpu.entity, Signal.NODATA if silent else Signal.CLEAR, gpu.at)


IDLE_PERCENT: Final = 5.0
"""Utilisation under which a GPU counts as idle."""


def gpu_evidence(view: MachineView | None, pids: Collection[int]) -> tuple[str, ...]:
    """Return evidence lines about the GPUs that these processes hold memory on; () where there is nothing to say."""
    if view is None:
        return ()
    lines: list[str] = []
    for gpu in view.gpus:
        held = [process for process in gpu.processes or () if process.pid in pids]
        if held:
            lines += _evidence_of(gpu, held, view)
    return tuple(lines)


def _evidence_of(gpu: GpuSample, held: list[GpuProcess], view: MachineView) -> Iterator[str]:
    if gpu.lost:
        yield f"GPU {gpu.index}: {gpu.lost}"
        return
    if view.gpus_stale:
        yield f"GPU {gpu.index} does not answer: what was read of it is {span(view.at - gpu.at)} old"
        return
    memory = [process.memory for process in held if process.memory is not None]
    holds = f", {size(sum(memory))} held" if memory else ", memory held is not known"
    if gpu.utilisation is None:
        why = gpu.why_missing("utilisation")
        yield f"GPU {gpu.index} utilisation N/A{f' ({why})' if why else ''}{holds}"
    else:
        idle = _idle_s(gpu)
        since = f" for {span(idle)}" if idle >= 1.0 else ""
        yield f"GPU {gpu.index} at {gpu.utilisation:.0f} %{since}{holds}"
    if (THERMAL | POWER).intersection(gpu.throttle or ()):
        yield f"slowed down: {slowdown_line(gpu)}"


def _idle_s(gpu: GpuSample) -> float:
    """Return for how long utilisation has been that of an idle GPU, 0 where it is not or just became it."""
    since = gpu.at
    history = gpu.utilisation_history
    for at, value in zip(reversed(history.at), reversed(history.values), strict=True):
        if value is None or value >= IDLE_PERCENT:
            break
        since = at
    return gpu.at - since

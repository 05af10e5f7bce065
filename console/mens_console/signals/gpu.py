"""What is known of one GPU at one moment, in NVML's terms: its sensors, errors, processes and MIG instances.

Values and the words for them; no I/O, no clock, no judgement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from mens_console.signals.byvalue import ByValue

HISTORY_S: Final = 600.0
"""How far back the histories reach."""

Throttle = Literal[
    "gpu_idle", "app_clocks", "sw_power_cap", "hw_slowdown", "sync_boost", "sw_thermal", "hw_thermal",
    "hw_power_brake", "display_clocks", "board_limit", "reliability", "unknown",
]  # fmt: skip
"""Why clocks are below the highest possible, after NVML's `nvmlClocksEventReason…` bits."""

THROTTLE_WORDS: Final[dict[str, str]] = {
    "gpu_idle": "idle",
    "app_clocks": "clocks set by the operator",
    "sw_power_cap": "software power cap",
    "hw_slowdown": "hardware slowdown",
    "sync_boost": "sync boost",
    "sw_thermal": "software thermal slowdown",
    "hw_thermal": "hardware thermal slowdown",
    "hw_power_brake": "hardware power brake",
    "display_clocks": "display clocks",
    "board_limit": "board limit",
    "reliability": "voltage reliability limit",
    "unknown": "a reason that this version does not know",
}
XID_WORDS: Final = {
    13: "graphics engine exception, usually the application's",
    31: "GPU memory page fault, usually the application's",
    32: "invalid or corrupted push buffer stream",
    38: "driver firmware error",
    43: "GPU stopped processing, usually the application's",
    45: "preemptive cleanup after an earlier error",
    48: "double bit ECC error",
    61: "internal micro-controller breakpoint",
    62: "internal micro-controller halt",
    63: "ECC page retirement or row remapping recorded",
    64: "ECC page retirement or row remapping failed",
    69: "graphics engine class error",
    74: "NVLink error",
    79: "GPU has fallen off the bus",
    92: "high rate of single bit ECC errors",
    94: "contained ECC error",
    95: "uncontained ECC error",
    119: "GSP firmware timeout",
    120: "GSP firmware error",
}
"""What the commoner XID numbers mean, in short, after NVIDIA's "XID Errors" page."""
MIG_OFF: Final = "MIG is off"
"""Why a GPU that could be sliced has no instances."""
THERMAL: Final = frozenset({"sw_thermal", "hw_thermal"})
POWER: Final = frozenset({"hw_power_brake", "hw_slowdown"})
"""Hardware power faults. A software power cap alone is how a busy GPU looks that is fed at its limit."""


@dataclass(frozen=True, slots=True)
class History(ByValue):
    """Equally long columns, oldest first: when (seconds since the epoch) and what was measured, None for a gap."""

    at: tuple[float, ...] = ()
    values: tuple[float | None, ...] = ()

    def since(self, wall: float) -> list[float | None]:
        """Return the values measured at `wall` or later."""
        return [value for at, value in zip(self.at, self.values, strict=True) if at >= wall]


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU. `memory` in bytes is None where the driver does not tell; `run` is "" for no known run.

    `instance` is the MIG GPU instance it runs on, None outside MIG. `name` is "" where the process cannot be seen
    from here (another user's, or another namespace's).
    """

    pid: int
    kind: Literal["compute", "graphics"]
    memory: int | None
    instance: int | None = None
    run: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One MIG instance: `profile` is NVIDIA's name of its slice (``1g.10gb``), memory in bytes."""

    index: int
    uuid: str
    gpu_instance: int | None
    profile: str
    memory_used: int | None
    memory_total: int | None


@dataclass(frozen=True, slots=True)
class EccCounts:
    """Memory errors since the driver was loaded (volatile) and over the GPU's life (aggregate)."""

    volatile_corrected: int | None = None
    volatile_uncorrected: int | None = None
    aggregate_corrected: int | None = None
    aggregate_uncorrected: int | None = None


@dataclass(frozen=True, slots=True)
class XidEvent(ByValue):
    """An error that the NVIDIA driver reported, by its XID number, and when it was seen."""

    at: float
    code: int


@dataclass(frozen=True, slots=True)
class GpuSample(ByValue):
    """One GPU as last read at `at`. None means that the sensor does not tell; `missing` says why, by field.

    Utilisation in percent, memory in bytes, temperatures in °C, power in watts, clocks in MHz, PCIe and NVLink in
    bytes per second seen from the GPU (`tx` is what it sends). `throttle` is empty when nothing slows the GPU down and
    None when that is unknown; `ecc` is None where ECC is off or absent; `mig` is None where MIG is off or absent;
    `xids` is None where events cannot be listened to. `lost` is a sentence once the GPU no longer answers at all.
    """

    index: int
    uuid: str
    name: str
    at: float
    bus_id: str = ""
    lost: str = ""
    utilisation: float | None = None
    memory_utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    slowdown_at: float | None = None
    power: float | None = None
    power_limit: float | None = None
    sm_clock: float | None = None
    sm_clock_max: float | None = None
    memory_clock: float | None = None
    memory_clock_max: float | None = None
    throttle: tuple[Throttle, ...] | None = None
    ecc: EccCounts | None = None
    xids: tuple[XidEvent, ...] | None = None
    pcie_tx: float | None = None
    pcie_rx: float | None = None
    nvlink_tx: float | None = None
    nvlink_rx: float | None = None
    mig: tuple[MigInstance, ...] | None = None
    processes: tuple[GpuProcess, ...] | None = None
    missing: tuple[tuple[str, str], ...] = ()
    utilisation_history: History = field(default_factory=History)
    memory_history: History = field(default_factory=History)
    power_history: History = field(default_factory=History)
    temperature_history: History = field(default_factory=History)

    @property
    def entity(self) -> str:
        """Return what alerts about this GPU are filed under."""
        return f"gpu:{self.uuid}"

    @property
    def memory_share(self) -> float | None:
        """Return the share of its memory that is in use, None where unknown."""
        return self.memory_used / self.memory_total if self.memory_used is not None and self.memory_total else None

    def why_missing(self, name: str) -> str:
        """Return why the sensor `name` tells nothing, "" where that is not known."""
        return dict(self.missing).get(name, "")


def xid_text(event: XidEvent) -> str:
    """Return ``XID 79 (GPU has fallen off the bus)``; of an unknown number only the number."""
    words = XID_WORDS.get(event.code)
    return f"XID {event.code} ({words})" if words else f"XID {event.code}"


def slowdown_line(gpu: GpuSample) -> str:
    """Return in one line how far a GPU is slowed down, and why."""
    parts = [THROTTLE_WORDS[reason] for reason in gpu.throttle or () if reason in THERMAL | POWER]
    if gpu.temperature is not None:
        limit = f" (slows down at {gpu.slowdown_at:.0f} °C)" if gpu.slowdown_at is not None else ""
        parts.append(f"{gpu.temperature:.0f} °C{limit}")
    if gpu.power is not None:
        parts.append(f"{gpu.power:.0f} W" + (f" of {gpu.power_limit:.0f} W" if gpu.power_limit is not None else ""))
    if gpu.sm_clock is not None:
        most = f" of {gpu.sm_clock_max:.0f}" if gpu.sm_clock_max is not None else ""
        parts.append(f"SM clock {gpu.sm_clock:.0f}{most} MHz")
    return f"GPU {gpu.index}: {', '.join(parts)}"

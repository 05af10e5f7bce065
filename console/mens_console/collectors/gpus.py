"""What the GPUs of a training do: NVML's sensors of those it may use, and the peaks of PyTorch's own allocator.

Neither is woken for it: PyTorch is only asked once it uses CUDA, and the driver is left alone where there is none.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mens_console.sensors.gpu import Device
from mens_console.sensors.nvml import Nvml, NvmlError, SessionLostError, load
from mens_console.sensors.visible import VARIABLE, is_cut, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.sensors.visible import Card

RETRY_S: Final = 300.0
"""Between two tries to open a library that could not be opened, or went away."""
_FIELDS: Final = {
    "util_percent": "utilisation",
    "memory_used_bytes": "memory_used",
    "memory_total_bytes": "memory_total",
    "power_watts": "power",
    "temperature_celsius": "temperature",
    "sm_clock_mhz": "sm_clock",
    "memory_clock_mhz": "memory_clock",
}
"""Fields of the event `system` by the names of `GpuSample`."""


class Allocator(NamedTuple):
    """PyTorch's own count of one device: the most that was ever allocated, and reserved, in bytes."""

    uuid: str
    allocated: int | None
    reserved: int | None


def allocators() -> list[Allocator]:
    """Return a count for each device that PyTorch may use, in its order; none unless CUDA runs already."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    running = getattr(cuda, "is_initialized", None)
    if cuda is None or running is None or not running():
        return []
    try:
        return [_allocator(cuda, place) for place in range(int(cuda.device_count()))]
    except RuntimeError:  # what CUDA says once a kernel has failed: that ends the training, and is told by it
        return []


def _allocator(cuda: Any, place: int) -> Allocator:
    stats = cuda.memory_stats_as_nested_dict(place)

    def peak(name: str) -> int | None:
        value = stats.get(name, {}).get("all", {}).get("peak")
        return int(value) if isinstance(value, int) else None

    return Allocator(
        str(getattr(cuda.get_device_properties(place), "uuid", "")), peak("allocated_bytes"), peak("reserved_bytes")
    )


class Gpus:
    """Samples the GPUs that this process may use. `binding` returns what answers for NVML, or raises ImportError."""

    def __init__(
        self,
        binding: Callable[[], Any] = load,
        counts: Callable[[], list[Allocator]] = allocators,
        environment: Callable[[], str | None] = lambda: os.environ.get(VARIABLE),
    ) -> None:
        self._binding, self._counts, self._environment = binding, counts, environment
        self._nvml: Nvml | None = None
        self._devices: list[tuple[Card, Device, bool]] = []
        self._chosen: object = None
        self._retry_at = float("-inf")

    def read(self, now: float) -> list[dict[str, Any]]:
        """Return one object a GPU, as the event `system` has them; what is not told is left out. `now` in seconds."""
        counts = self._counts()
        devices = self._ready(now, counts)
        if not devices:
            return [{"index": place, **_peaks(count)} for place, count in enumerate(counts)]
        told = []
        for place, (card, device, cut) in enumerate(devices):
            try:
                found = self._sensors(card, device, cut=cut)
            except SessionLostError:
                self.close()
                self._retry_at = now + RETRY_S
                return []
            except NvmlError:  # this one is lost, or silent
                found = {}
            of = _peaks(counts[place]) if len(counts) == len(devices) else {}
            told.append({"index": card.index, "uuid": card.mig_uuid or card.uuid, **_mig(card), **found, **of})
        return told

    def close(self) -> None:
        """Let go of the library."""
        if self._nvml is not None:
            self._nvml.close()
        self._nvml, self._devices, self._chosen = None, [], None

    def _ready(self, now: float, counts: list[Allocator]) -> list[tuple[Card, Device, bool]]:
        """Return the devices to ask, found anew when the environment or PyTorch says something else."""
        value, uuids = self._environment(), tuple(count.uuid for count in counts)
        if self._nvml is not None and self._chosen == (value, uuids):
            return self._devices
        if now < self._retry_at:
            return []
        try:
            nvml = self._nvml if self._nvml is not None else self._open()
            found = [] if nvml is None else visible(nvml, value, uuids)
            self._devices = [(card, Device(nvml, card.handle), is_cut(nvml, card)) for card in found if nvml]
        except NvmlError:
            nvml = None
        if nvml is None:  # no driver, or it went away: not worth asking at every sample
            self.close()
            self._retry_at = now + RETRY_S
        else:
            self._chosen = (value, uuids)
        return self._devices

    def _open(self) -> Nvml | None:
        try:
            nvml = Nvml(self._binding())
        except ImportError:
            return None
        self._nvml = None if nvml.open() else nvml
        return self._nvml

    def _sensors(self, card: Card, device: Device, *, cut: bool) -> dict[str, Any]:
        values = device.fast()
        if cut:  # of a GPU in slices only the slice's memory says anything of this process
            memory = device.of_slice(card.mig_handle) if card.mig_handle is not None else None
            values["memory_used"] = None if memory is None else int(memory.used)
            values["memory_total"] = None if memory is None else int(memory.total)
        told = {name: values[field] for name, field in _FIELDS.items() if values[field] is not None}
        return told if values["throttle"] is None else {**told, "throttle": list(values["throttle"])}


def _mig(card: Card) -> dict[str, int]:
    return {} if card.mig_instance is None else {"mig_instance": card.mig_instance}


def _peaks(count: Allocator) -> dict[str, int]:
    peaks = {"allocated_peak_bytes": count.allocated, "reserved_peak_bytes": count.reserved}
    return {name: value for name, value in peaks.items() if value is not None}

"""One GPU, read sensor by sensor: what is cheap every time, what is slow only now and then, what is fixed once.

A sensor that fails is None with its reason and never stops the others; values come in the units of `GpuSample`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.ingest.text import safe_text
from mens_console.sensors.gpu import CLOCK_MEM, CLOCK_SM, Device, scaled
from mens_console.sensors.nvml import (
    GPU_IS_LOST,
    NEVER,
    NOT_FOUND,
    NOT_SUPPORTED,
    RESET_REQUIRED,
    NvmlError,
    SessionLostError,
    identity,
)
from mens_console.signals.gpu import MIG_OFF, EccCounts, GpuProcess, GpuSample, MigInstance, XidEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.sensors.nvml import Nvml

# Numbers of NVML's application binary interface (nvml.h); they never change.
_THRESHOLD_SLOWDOWN: Final = 1
_CORRECTED, _UNCORRECTED = 0, 1
_VOLATILE, _AGGREGATE = 0, 1
_PCIE_TX, _PCIE_RX = 0, 1
_FI_NVLINK_TX, _FI_NVLINK_RX = 138, 139
_FI_PCIE_TX, _FI_PCIE_RX = 197, 198
_ALL_LINKS: Final = 0xFFFFFFFF
_MOST_LINKS: Final = 18
_NO_INSTANCE: Final = 0xFFFFFFFF

_IN_MIG: Final = "not measured while MIG is on"
_LATER: Final = "no second sample yet"
_MOST_XIDS: Final = 16
_LOST_AGAIN_S: Final = 30.0
"""Between two tries to reach a GPU that was lost."""


class GpuReader(Device):
    """Reads one GPU. Make a new one whenever the library was opened anew: handles do not outlive it."""

    def __init__(self, nvml: Nvml, index: int) -> None:
        super().__init__(nvml)
        self.index = index
        self._fixed: dict[str, Any] = {}
        self._slow: dict[str, Any] = {}
        self._counters: dict[str, tuple[float, int]] = {}
        self._xids: tuple[XidEvent, ...] | None = None
        self._lost, self._lost_at = "", float("-inf")
        self._in_mig: int | None = None
        self._uuid, self._name = f"index-{index}", "GPU"

    @property
    def identity(self) -> object:
        """What its XIDs are told apart by."""
        return identity(self._handle)

    def read(self, now: float, *, slow: bool, looked_at: bool = True) -> GpuSample:
        """Read the GPU at `now` (s). `slow` reads what costs more; `looked_at` allows what blocks for some 20 ms."""
        if self._lost and now - self._lost_at < _LOST_AGAIN_S:
            return self._lost_sample(now)
        try:
            if self._handle is None:
                self._begin()
            values = self.fast()
            if values["utilisation"] is None and self._slow.get("mig") is not None:
                self._missing["utilisation"] = _IN_MIG
            if slow:
                self._read_slow(now, looked_at)
        except SessionLostError:
            raise
        except NvmlError as error:
            told = error.code in (GPU_IS_LOST, RESET_REQUIRED)
            self._lost, self._lost_at = error.reason if told else f"the GPU does not answer: {error.reason}", now
            return self._lost_sample(now)
        self._lost = ""
        return GpuSample(
            self.index, self._uuid, self._name, now, xids=self._xids,
            missing=tuple(sorted(self._missing.items())), **{**self._fixed, **self._slow, **values},
        )  # fmt: skip

    def saw(self, code: int, now: float) -> None:
        """Note an XID of this GPU."""
        self._xids = (*(self._xids or ()), XidEvent(now, code))[-_MOST_XIDS:]

    def _lost_sample(self, now: float) -> GpuSample:
        return GpuSample(
            self.index, self._uuid, self._name, now, bus_id=self._fixed.get("bus_id", ""), lost=self._lost,
            xids=self._xids,
        )  # fmt: skip

    def _begin(self) -> None:
        """Find the GPU and learn what never changes."""
        self._handle = self._nvml.call("nvmlDeviceGetHandleByIndex", self.index)
        self._uuid = safe_text(self._ask("uuid", "nvmlDeviceGetUUID") or self._uuid, 80)
        self._name = safe_text(self._ask("name", "nvmlDeviceGetName") or self._name, 80)
        bus = self._ask("bus_id", "nvmlDeviceGetPciInfo")
        limit = self._ask("slowdown_at", "nvmlDeviceGetTemperatureThreshold", _THRESHOLD_SLOWDOWN)
        self._fixed = {
            "bus_id": safe_text(str(bus.busId), 32) if bus is not None else "",
            "slowdown_at": scaled(limit, 1.0),
            "sm_clock_max": scaled(self._ask("sm_clock_max", "nvmlDeviceGetMaxClockInfo", CLOCK_SM), 1.0),
            "memory_clock_max": scaled(self._ask("memory_clock_max", "nvmlDeviceGetMaxClockInfo", CLOCK_MEM), 1.0),
        }
        if why := self._nvml.listen(self._handle):
            self._missing["xids"] = why
        elif self._xids is None:
            self._xids = ()

    # ------------------------------------------------------------------ slow

    def _read_slow(self, now: float, looked_at: bool) -> None:
        self._slow["power_limit"] = scaled(self._ask("power_limit", "nvmlDeviceGetEnforcedPowerLimit"), 1e-3)
        self._slow["mig"] = self._mig()
        self._slow["ecc"] = self._ecc()
        self._slow["processes"] = self._processes()
        self._read_links(now, looked_at)

    def _ecc(self) -> EccCounts | None:
        mode = self._ask("ecc", "nvmlDeviceGetEccMode")
        if mode is None:
            return None
        if not mode[0]:
            self._missing["ecc"] = "ECC is off"
            return None

        def total(kind: int, counter: int) -> int | None:
            name = f"ecc_{'volatile' if counter == _VOLATILE else 'aggregate'}_{('', 'un')[kind]}corrected"
            count = self._ask(name, "nvmlDeviceGetTotalEccErrors", kind, counter)
            return None if count is None else int(count)

        return EccCounts(
            total(_CORRECTED, _VOLATILE),
            total(_UNCORRECTED, _VOLATILE),
            total(_CORRECTED, _AGGREGATE),
            total(_UNCORRECTED, _AGGREGATE),
        )

    def _read_links(self, now: float, looked_at: bool) -> None:
        """Read PCIe and NVLink, from the driver's counters where it has them."""
        sums = self._fields("pcie", [(_FI_PCIE_TX, 0), (_FI_PCIE_RX, 0)])
        if sums is not None:
            self._slow["pcie_tx"] = self._rate("pcie_tx", now, sums[0])
            self._slow["pcie_rx"] = self._rate("pcie_rx", now, sums[1])
        else:
            for field, way in (("pcie_tx", _PCIE_TX), ("pcie_rx", _PCIE_RX)):
                self._slow[field] = self._pcie(field, way, looked_at)
        sums = self._fields("nvlink", [(_FI_NVLINK_TX, _ALL_LINKS), (_FI_NVLINK_RX, _ALL_LINKS)])
        if sums is None and "fields nvlink" in self._never:
            sums = self._link_sums()
        for i, field in enumerate(("nvlink_tx", "nvlink_rx")):
            if sums is None:
                self._slow[field], self._missing[field] = None, self._missing.get("nvlink", _no(NOT_SUPPORTED))
            else:
                self._slow[field] = self._rate(field, now, sums[i] * 1024)  # counted in KiB
        self._missing.pop("pcie", None)
        self._missing.pop("nvlink", None)

    def _pcie(self, field: str, way: int, looked_at: bool) -> float | None:
        """Return the throughput that the driver measures over 20 ms, during which it holds the caller."""
        if not looked_at:
            self._missing.setdefault(field, "measured only while somebody looks")
            return None
        return scaled(self._ask(field, "nvmlDeviceGetPcieThroughput", way), 1000.0)

    def _link_sums(self) -> list[int] | None:
        """Return KiB sent and received, added up link by link, for drivers that do not add them up."""
        if "links" in self._never:
            return None
        sums = [0, 0]
        found = False
        for link in range(_MOST_LINKS):
            one = self._fields(f"nvlink {link}", [(_FI_NVLINK_TX, link), (_FI_NVLINK_RX, link)])
            self._missing.pop(f"nvlink {link}", None)
            if one is not None:
                sums, found = [sums[0] + one[0], sums[1] + one[1]], True
        if not found:
            self._never.add("links")
        return sums if found else None

    def _fields(self, field: str, wanted: list[tuple[int, int]]) -> list[int] | None:
        """Return the counters behind field ids with their scopes; None where one of them is not to be had."""
        key = f"fields {field}"
        if key in self._never:
            return None
        answers = self._ask(field, "nvmlDeviceGetFieldValues", wanted)
        if answers is None:
            return None
        codes = [int(answer.nvmlReturn) for answer in answers if answer.nvmlReturn]
        if codes:
            self._missing[field] = _no(codes[0])
            if codes[0] in NEVER:
                self._never.add(key)
            return None
        return [int(answer.value.ullVal) for answer in answers]

    def _rate(self, field: str, now: float, total: int) -> float | None:
        """Return bytes per second since the counter was last read; it may have wrapped or begun anew."""
        before = self._counters.get(field)
        self._counters[field] = (now, total)
        if before is None or now <= before[0] or total < before[1]:
            self._missing[field] = _LATER
            return None
        self._missing.pop(field, None)
        return (total - before[1]) / (now - before[0])

    # ------------------------------------------------------------------ MIG and processes

    def _instances(self) -> Iterator[tuple[int, Any]]:
        most = self._ask("mig", "nvmlDeviceGetMaxMigDeviceCount") or 0
        for index in range(most):
            try:
                yield index, self._nvml.call("nvmlDeviceGetMigDeviceHandleByIndex", self._handle, index)
            except SessionLostError:
                raise
            except NvmlError as error:
                if error.code != NOT_FOUND:
                    self._missing["mig"] = error.reason

    def _mig(self) -> tuple[MigInstance, ...] | None:
        mode = self._ask("mig", "nvmlDeviceGetMigMode")
        if mode is None:
            return None
        if self._in_mig not in (None, mode[0]):
            self._never.clear()  # what a GPU tells depends on it
        self._in_mig = mode[0]
        if not mode[0]:
            self._missing["mig"] = MIG_OFF
            return None
        found = []
        for index, handle in self._instances():
            memory = self.of_slice(handle)
            shape = self._nvml.quiet(None, "nvmlDeviceGetAttributes_v2", handle)
            instance = self._nvml.quiet(None, "nvmlDeviceGetGpuInstanceId", handle)
            found.append(
                MigInstance(
                    index,
                    safe_text(self._nvml.quiet("", "nvmlDeviceGetUUID", handle), 80),
                    instance,
                    _profile(shape, self._nvml.quiet("", "nvmlDeviceGetName", handle)),
                    None if memory is None else int(memory.used),
                    None if memory is None else int(memory.total),
                )
            )
        return tuple(found)

    def _processes(self) -> tuple[GpuProcess, ...] | None:
        """Return the processes on this GPU, each once an instance; a MIG GPU may tell only instance by instance."""
        found: dict[tuple[int, int | None], GpuProcess] = {}
        told = False
        kinds: tuple[tuple[Literal["graphics", "compute"], str], ...] = (
            ("graphics", "nvmlDeviceGetGraphicsRunningProcesses"),
            ("compute", "nvmlDeviceGetComputeRunningProcesses"),
        )
        for kind, name in kinds:
            rows = self._ask("processes" if kind == "compute" else "graphics_processes", name)
            if rows is None and kind == "compute" and self._slow.get("mig") is not None:
                rows = list[Any]()
                for _, mig in self._instances():
                    rows += self._nvml.quiet(list[Any](), name, mig)
                self._missing.pop("processes", None)
            told = told or (rows is not None and kind == "compute")
            for row in rows or ():
                instance = getattr(row, "gpuInstanceId", None)
                instance = None if instance in (None, _NO_INSTANCE) or self._slow.get("mig") is None else int(instance)
                memory = None if row.usedGpuMemory is None else int(row.usedGpuMemory)
                found[int(row.pid), instance] = GpuProcess(int(row.pid), kind, memory, instance)
        self._missing.pop("graphics_processes", None)
        return tuple(found[key] for key in sorted(found, key=lambda key: (key[1] or 0, key[0]))) if told else None


def _no(code: int) -> str:
    return NvmlError(code).reason


def _profile(shape: Any, name: str) -> str:
    """Return NVIDIA's name of a slice, ``1g.10gb``: from its attributes, else from the end of the device's name."""
    if shape is None:
        return safe_text(name.rpartition("MIG ")[2], 32)
    slices, compute = int(shape.gpuInstanceSliceCount), int(shape.computeInstanceSliceCount)
    part = f"{compute}c." if compute != slices else ""
    return f"{part}{slices}g.{round(int(shape.memorySizeMB) / 1024)}gb"

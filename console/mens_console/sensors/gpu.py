"""One device of NVML asked sensor by sensor: what is cheap enough to be read at every sample.

A sensor that fails is None with its reason and never stops the others; values come in the units of `GpuSample`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mens_console.sensors.nvml import GPU_IS_LOST, NEVER, NOT_SUPPORTED, NvmlError, SessionLostError

if TYPE_CHECKING:
    from mens_console.sensors.nvml import Nvml
    from mens_console.signals.gpu import Throttle

# Numbers of NVML's application binary interface (nvml.h); they never change.
_TEMPERATURE_GPU: Final = 0
CLOCK_SM: Final = 1
CLOCK_MEM: Final = 2
_MEMORY_V2: Final = 0x02000028

_THROTTLE_BITS: Final[tuple[tuple[int, Throttle], ...]] = (
    (0x001, "gpu_idle"), (0x002, "app_clocks"), (0x004, "sw_power_cap"), (0x008, "hw_slowdown"), (0x010, "sync_boost"),
    (0x020, "sw_thermal"), (0x040, "hw_thermal"), (0x080, "hw_power_brake"), (0x100, "display_clocks"),
    (0x200, "board_limit"), (0x400, "reliability"),
)  # fmt: skip
_KNOWN_BITS: Final = sum(bit for bit, _ in _THROTTLE_BITS)
_FAST: Final = ("utilisation", "memory_used", "temperature", "power", "sm_clock", "throttle")


def throttle_names(bits: int) -> tuple[Throttle, ...]:
    """Return the names of a mask of clock event reasons; unknown bits read ``unknown``, none at all is ()."""
    names = tuple(name for bit, name in _THROTTLE_BITS if bits & bit)
    return (*names, "unknown") if bits & ~_KNOWN_BITS else names


class Device:
    """Asks one device, whose handle does not outlive the open library; `missing` says why sensors tell nothing."""

    def __init__(self, nvml: Nvml, handle: Any = None) -> None:
        self._nvml = nvml
        self._handle: Any = handle
        self._never: set[str] = set()
        self._missing: dict[str, str] = {}
        self._codes: dict[str, int] = {}

    def _ask(self, field: str, name: str, *arguments: object, **options: object) -> Any:
        """Ask for one sensor; None with the reason kept. A GPU that is lost ends the reading of it."""
        if self._is_hopeless(field, name, arguments, options):
            return None
        try:
            answer = self._nvml.call(name, self._handle, *arguments, **options)
        except SessionLostError:
            raise
        except NvmlError as error:
            if error.code == GPU_IS_LOST:
                raise
            self._missing[field], self._codes[field] = error.reason, error.code
            if error.code in NEVER:
                self._never.add(_question(field, name, arguments, options))
            return None
        self._missing.pop(field, None)
        return answer

    def _is_hopeless(self, field: str, name: str, arguments: tuple[object, ...], options: dict[str, object]) -> bool:
        return _question(field, name, arguments, options) in self._never

    def _ask_either(self, field: str, name: str, other: str, *arguments: object) -> Any:
        """Ask under a second name where the driver will never know the first."""
        answer = self._ask(field, name, *arguments)
        if answer is None and self._is_hopeless(field, name, arguments, {}):
            return self._ask(field, other, *arguments)
        return answer

    def fast(self) -> dict[str, Any]:
        """Return what is cheap to ask, by the names of `GpuSample`; None where a sensor does not tell.

        Raises `NvmlError` where the device is lost or answers nothing at all, `SessionLostError` where the library is.
        """
        busy = self._ask("utilisation", "nvmlDeviceGetUtilizationRates")
        memory = self._memory()
        # The second name is the one from CUDA 14 on.
        temperature = self._ask_either(
            "temperature", "nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV", _TEMPERATURE_GPU
        )
        # The second name is the one before driver 535.
        reasons = self._ask_either(
            "throttle", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"
        )
        values = {
            "utilisation": None if busy is None else float(busy.gpu),
            "memory_utilisation": None if busy is None else float(busy.memory),
            "memory_used": None if memory is None else int(memory.used),
            "memory_total": None if memory is None else int(memory.total),
            "temperature": scaled(temperature, 1.0),
            "power": scaled(self._ask("power", "nvmlDeviceGetPowerUsage"), 1e-3),
            "sm_clock": scaled(self._ask("sm_clock", "nvmlDeviceGetClockInfo", CLOCK_SM), 1.0),
            "memory_clock": scaled(self._ask("memory_clock", "nvmlDeviceGetClockInfo", CLOCK_MEM), 1.0),
            "throttle": None if reasons is None else throttle_names(int(reasons)),
        }
        if why := self._why_silent(values):
            raise NvmlError(why)
        return values

    def _why_silent(self, values: dict[str, Any]) -> int:
        """Return the code that every sensor failed with, 0 where one answers or is merely not supported."""
        if any(values.get(name) is not None for name in _FAST):
            return 0
        codes = {self._codes.get(name, NOT_SUPPORTED) for name in _FAST}
        code = codes.pop()
        return 0 if codes or code in NEVER else code

    def _memory(self) -> Any:
        """Return memory in bytes; `used` of version 2 is without what the driver keeps for itself, as in nvidia-smi."""
        name = "nvmlDeviceGetMemoryInfo"
        memory = self._ask("memory_used", name, version=_MEMORY_V2)
        if memory is None and self._is_hopeless("memory_used", name, (), {"version": _MEMORY_V2}):
            return self._ask("memory_used", name)
        return memory

    def of_slice(self, handle: Any) -> Any:
        """Return memory in bytes of a MIG slice of this GPU, None where it does not tell."""
        try:
            return self._nvml.call("nvmlDeviceGetMemoryInfo", handle)
        except SessionLostError:
            raise
        except NvmlError:
            return None


def _question(field: str, name: str, arguments: tuple[object, ...], options: dict[str, object]) -> str:
    return f"{field} {name} {arguments} {options}"


def scaled(value: Any, factor: float) -> float | None:
    """Return a reading in another unit, None where there is none."""
    return None if value is None else float(value) * factor

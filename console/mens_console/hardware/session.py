"""All GPUs of the box over one open library: found, read in turn, and found anew when the driver comes back.

It keeps no history and knows no runs; its calls may hang, so they belong on a `Worker`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.hardware.gpus import GpuReader
from mens_console.sensors.nvml import NO_BINDING, NO_GPU, Nvml, NvmlError, SessionLostError, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.signals.gpu import GpuSample

FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 300.0
"""Between two tries to open the library, from the first failure on, doubling."""
SLOW_S: Final = 4.0
"""Between two readings of what costs more: ECC counts, PCIe, NVLink, processes, MIG, the power limit."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round over all GPUs gave. With a `problem` and no GPUs nothing could be read."""

    gpus: tuple[GpuSample, ...] = ()
    problem: str = ""
    driver: str = ""
    cuda: str = ""
    unknown_xids: tuple[int, ...] = ()


class GpuSession:
    """Reads all GPUs. `binding` returns the module that answers (`pynvml`), or raises ImportError."""

    def __init__(self, binding: Callable[[], Any] = load) -> None:
        self._binding = binding
        self._nvml: Nvml | None = None
        self._readers: list[GpuReader] = []
        self._problem = ""
        self._retry_at, self._retry_s = float("-inf"), FIRST_RETRY_S
        self._slow_at = self._read_at = float("-inf")

    def read(self, now: float, *, looked_at: bool = True) -> Round:
        """Read every GPU at `now` (s)."""
        if now < self._read_at:  # the clock was set back
            self._retry_at = self._slow_at = float("-inf")
        self._read_at = now
        if self._nvml is None and now < self._retry_at:
            return Round(problem=self._problem)
        try:
            if self._nvml is None:
                self._open()
            if self._nvml is None:
                return self._failed(now)
            strangers = self._listen(self._nvml, now)
            slow = now - self._slow_at >= SLOW_S
            gpus = tuple(reader.read(now, slow=slow, looked_at=looked_at) for reader in self._readers)
        except SessionLostError as error:
            self._problem = f"the NVIDIA driver went away: {error.reason}"
            self.close()
            return self._failed(now)
        if slow:
            self._slow_at = now
        self._retry_s = FIRST_RETRY_S
        if not gpus:
            self._problem = NO_GPU
            self.close()  # GPUs that are added later are only found by opening anew
            return self._failed(now)
        return Round(gpus, "", self._nvml.driver, self._nvml.cuda, strangers)

    def close(self) -> None:
        """Shut the library down."""
        if self._nvml is not None:
            self._nvml.close()
        self._nvml, self._readers = None, []
        self._slow_at = float("-inf")

    def _failed(self, now: float) -> Round:
        self._retry_at, self._retry_s = now + self._retry_s, min(2.0 * self._retry_s, LONGEST_RETRY_S)
        return Round(problem=self._problem)

    def _open(self) -> None:
        try:
            nvml = Nvml(self._binding())
        except ImportError:
            self._problem = NO_BINDING
            return
        self._problem = nvml.open()
        if self._problem:
            return
        self._nvml = nvml
        try:
            count = int(nvml.call("nvmlDeviceGetCount"))
        except SessionLostError:
            raise
        except NvmlError as error:
            self._problem = f"the GPUs cannot be counted: {error.reason}"
            self.close()
            return
        self._readers = [GpuReader(nvml, index) for index in range(count)]

    def _listen(self, nvml: Nvml, now: float) -> tuple[int, ...]:
        """Hand the XIDs since the last round to their GPUs; return those of GPUs that are not known."""
        strangers = []
        for identity, code in nvml.xids():
            owner = next((reader for reader in self._readers if reader.identity == identity), None)
            if owner is None:
                strangers.append(code)
            else:
                owner.saw(code, now)
        return tuple(strangers)

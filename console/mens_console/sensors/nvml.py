"""NVIDIA's management library: opened, guarded call by call, closed and opened anew when the driver goes away.

Every call may fail by itself and says why; what is asked of one GPU is in `gpus`. Nothing is shown or judged here.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_SUPPORTED: Final = 3
NOT_FOUND: Final = 6
TIMEOUT: Final = 10
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
XID_EVENT: Final = 0x8
"""`nvmlEventTypeXidCriticalError`."""
MOST_EVENTS: Final = 32

REASONS: Final = {
    1: "the library was shut down",
    2: "the driver does not know this question",
    3: "not supported by this GPU",
    4: "no permission",
    6: "not found",
    9: "the driver is not loaded",
    10: "no answer in time",
    11: "interrupt problem",
    13: "this driver is too old for it",
    14: "the GPU's infoROM is corrupted",
    15: "the GPU is lost: it has fallen off the bus or does not answer",
    16: "the GPU needs a reset",
    17: "the operating system blocked it",
    18: "library and driver are of different versions",
    25: "library and driver are of different versions",
    999: "unknown error of the driver",
}
"""What NVML's return codes (`nvmlReturn_t`) mean, in short."""
NEVER: Final = frozenset({2, NOT_SUPPORTED, FUNCTION_NOT_FOUND, 25})
"""Answers that will not change while the library is open: the question is not asked again."""
SESSION_LOST: Final = frozenset({1, 9, 18})
"""Answers after which the library must be opened anew."""
NO_DRIVER: Final = "no NVIDIA driver: libnvidia-ml.so.1 was not found"
NO_BINDING: Final = "GPUs cannot be read: the package nvidia-ml-py is not installed"
_OPENING: Final = {
    12: NO_DRIVER,
    9: "no NVIDIA GPU can be read: the driver is installed but not loaded",
    4: "no NVIDIA GPU can be read: no permission; check the access rights of /dev/nvidiactl",
    18: "no NVIDIA GPU can be read: the driver was updated and its library no longer matches; reboot, or reload the "
    "driver and restart the console",
}
NO_GPU: Final = "the NVIDIA driver is there, but it finds no GPU"

T = TypeVar("T")


class NvmlError(Exception):
    """A call that failed: NVML's return code, and what it means."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.reason = REASONS.get(code, f"error {code} of the driver")
        super().__init__(self.reason)


class SessionLostError(NvmlError):
    """The library has to be opened anew before anything else can be asked."""


def load() -> Any:
    """Return the binding (`pynvml` of nvidia-ml-py); ImportError where it is not installed."""
    import pynvml

    return pynvml


class Nvml:
    """An open library. `module` is the binding, or whatever answers in its place."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._events: Any = None
        self._listening: set[object] = set()
        self.driver = ""
        self.cuda = ""

    def open(self) -> str:
        """Open the library; return "" or the sentence that says why it cannot be used."""
        try:
            self.call("nvmlInit")
        except NvmlError as error:
            return _OPENING.get(error.code, f"no NVIDIA GPU can be read: {error.reason}")
        self.driver = self.quiet("", "nvmlSystemGetDriverVersion")
        version = self.quiet(0, "nvmlSystemGetCudaDriverVersion")
        self.cuda = f"{version // 1000}.{version % 1000 // 10}" if version else ""
        return ""

    def close(self) -> None:
        """Shut the library down; the driver may be gone already."""
        if self._events is not None:
            self.quiet(None, "nvmlEventSetFree", self._events)
        self._events = None
        self._listening.clear()
        self.quiet(None, "nvmlShutdown")

    def call(self, name: str, *arguments: object, **options: object) -> Any:
        """Make one call; `NvmlError` with the reason where it fails."""
        function: Callable[..., Any] | None = getattr(self._module, name, None)
        if function is None:
            raise NvmlError(FUNCTION_NOT_FOUND)
        try:
            return function(*arguments, **options)
        except self._module.NVMLError as error:
            code = int(getattr(error, "value", 999))
            raise (SessionLostError if code in SESSION_LOST else NvmlError)(code) from error
        except UnicodeDecodeError as error:
            raise NvmlError(999) from error

    def quiet(self, otherwise: T, name: str, *arguments: object) -> T:
        """Make one call whose failure does not matter."""
        try:
            result: T = self.call(name, *arguments)
        except NvmlError:
            return otherwise
        return result

    # ------------------------------------------------------------------ XIDs

    def listen(self, handle: object) -> str:
        """Listen for the XIDs of one GPU; return "" or why that cannot be done."""
        try:
            if self._events is None:
                self._events = self.call("nvmlEventSetCreate")
            self.call("nvmlDeviceRegisterEvents", handle, XID_EVENT, self._events)
        except SessionLostError:
            raise
        except NvmlError as error:
            return error.reason
        self._listening.add(identity(handle))
        return ""

    def xids(self) -> list[tuple[object, int]]:
        """Return the XIDs since the last call, each with the identity of its GPU's handle. It never waits."""
        found: list[tuple[object, int]] = []
        while self._listening and len(found) < MOST_EVENTS:
            try:
                event = self.call("nvmlEventSetWait", self._events, 0)
            except SessionLostError:
                raise
            except NvmlError:  # a timeout: nothing more happened; an event set that broke tells nothing either
                break
            if event.eventType & XID_EVENT:
                found.append((identity(event.device), int(event.eventData)))
        return found


def identity(handle: object) -> object:
    """Return what tells a GPU's handle from another's: its address, or the name that a trace gave it."""
    if isinstance(handle, ctypes._Pointer):
        return ctypes.cast(handle, ctypes.c_void_p).value
    return handle

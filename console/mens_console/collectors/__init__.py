"""The training side: what a trainer calls to write what the console reads.

Names are loaded when they are asked for, so that importing this package costs nothing and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mens_console.collectors.huggingface import MensCallback as MensCallback
    from mens_console.collectors.lightning import MensLightningCallback as MensLightningCallback
    from mens_console.collectors.loop import Loop as Loop
    from mens_console.collectors.loop import watch as watch
    from mens_console.collectors.lora import LoraMonitor as LoraMonitor
    from mens_console.collectors.lora import create_lora_monitor as create_lora_monitor

_ROOMS: Final = {
    "MensCallback": "huggingface",
    "MensLightningCallback": "lightning",
    "Loop": "loop",
    "watch": "loop",
    "LoraMonitor": "lora",
    "create_lora_monitor": "lora",
}

__all__ = ["Loop", "LoraMonitor", "MensCallback", "MensLightningCallback", "create_lora_monitor", "watch"]


def __getattr__(name: str) -> Any:
    """Load the room that `name` lives in."""
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{room}"), name)


def __dir__() -> list[str]:
    """Return every name, those not loaded yet as well."""
    return sorted({*globals(), *_ROOMS})

"""The training side: what a trainer calls to write what the console reads.

Names are loaded when they are asked for, so that importing this package costs nothing and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mens_console.collectors.alerts import create_alerts_manager as create_alerts_manager
    from mens_console.collectors.attempts import AttemptLogger as AttemptLogger
    from mens_console.collectors.attempts import log_attempt as log_attempt
    from mens_console.collectors.evaluation import Example as Example
    from mens_console.collectors.evaluation import FixedEvaluator as FixedEvaluator
    from mens_console.collectors.evaluation import Prediction as Prediction
    from mens_console.collectors.generation import GenerationRecorder as GenerationRecorder
    from mens_console.collectors.guard import CollectorWarning as CollectorWarning
    from mens_console.collectors.huggingface import MensCallback as MensCallback
    from mens_console.collectors.lightning import MensLightningCallback as MensLightningCallback
    from mens_console.collectors.loop import Loop as Loop
    from mens_console.collectors.loop import watch as watch
    from mens_console.collectors.lora import LoraMonitor as LoraMonitor
    from mens_console.collectors.lora import create_lora_monitor as create_lora_monitor
    from mens_console.collectors.patterns import PatternTracker as PatternTracker
    from mens_console.collectors.session import Session as Session
    from mens_console.collectors.status import StatusWriter as StatusWriter
    from mens_console.collectors.streaming import create_streaming_tracker as create_streaming_tracker
    from mens_console.collectors.summary import RunSummary as RunSummary
    from mens_console.collectors.telemetry import TelemetryWriter as TelemetryWriter
    from mens_console.collectors.throughput import create_throughput_monitor as create_throughput_monitor

_ROOMS: Final = {
    "AttemptLogger": "attempts",
    "log_attempt": "attempts",
    "GenerationRecorder": "generation",
    "Session": "session",
    "TelemetryWriter": "telemetry",
    "StatusWriter": "status",
    "RunSummary": "summary",
    "create_streaming_tracker": "streaming",
    "create_alerts_manager": "alerts",
    "create_throughput_monitor": "throughput",
    "FixedEvaluator": "evaluation",
    "Example": "evaluation",
    "Prediction": "evaluation",
    "PatternTracker": "patterns",
    "CollectorWarning": "guard",
    "MensCallback": "huggingface",
    "MensLightningCallback": "lightning",
    "Loop": "loop",
    "watch": "loop",
    "LoraMonitor": "lora",
    "create_lora_monitor": "lora",
}

__all__ = [
    "AttemptLogger",
    "CollectorWarning",
    "Example",
    "FixedEvaluator",
    "GenerationRecorder",
    "Loop",
    "LoraMonitor",
    "MensCallback",
    "MensLightningCallback",
    "PatternTracker",
    "Prediction",
    "RunSummary",
    "Session",
    "StatusWriter",
    "TelemetryWriter",
    "create_alerts_manager",
    "create_lora_monitor",
    "create_streaming_tracker",
    "create_throughput_monitor",
    "log_attempt",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Load the room that `name` lives in."""
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{room}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch" or room != "loop":
            raise
        return getattr(import_module(f"{__name__}.untorched"), name)


def __dir__() -> list[str]:
    """Return every name, those not loaded yet as well."""
    return sorted({*globals(), *_ROOMS})

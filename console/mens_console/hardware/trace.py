"""What NVML answered on a box, call by call, written down as JSON; and a stand-in that answers from such a trace.

`python -m mens_console.hardware.trace OUT --seconds N` records. Process ids and GPU UUIDs are in a trace, names of
processes are not.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from mens_console.sensors.nvml import TIMEOUT, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCHEMA: Final = "mens_console_nvml_trace_v1"
_EVENTS: Final = "nvmlEventSetWait"
"""The one call whose answers are used up: an event comes once."""


class Handle(str):
    """The name that a trace gives to an opaque handle of the library."""

    __slots__ = ()


class TraceGapError(LookupError):
    """A call that the trace has no answer to."""


class Recorder:
    """Passes every call on to the real binding and keeps its answers, those that repeat only once."""

    def __init__(self, module: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._module, self._clock = module, clock
        self._start = clock()
        self._names: dict[int, Handle] = {}
        self._handles: dict[str, Any] = {}
        self.calls: dict[str, list[list[Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if not name.startswith("nvml") or isinstance(value, type) or not callable(value):
            return value  # a constant or a class

        def call(*arguments: Any, **options: Any) -> Any:
            key = call_key(name, [self._plain(a) for a in arguments], {k: self._plain(v) for k, v in options.items()})
            try:
                answer = value(*arguments, **options)
            except self._module.NVMLError as error:
                self._note(key, {"error": int(error.value), "text": str(error)})
                raise
            self._note(key, {"value": self._plain(answer)})
            return answer

        return call

    def _note(self, key: str, answer: dict[str, Any]) -> None:
        answers = self.calls.setdefault(key, [])
        if not answers or answers[-1][1] != answer or ("value" in answer and key.startswith(_EVENTS)):
            answers.append([round(self._clock() - self._start, 3), answer])

    def _plain(self, value: Any) -> Any:
        """Return a value of the binding as JSON knows it."""
        if isinstance(value, ctypes._Pointer):
            address = ctypes.cast(value, ctypes.c_void_p).value or 0
            return self._names.setdefault(address, Handle(f"@{len(self._names)}"))
        if isinstance(value, ctypes.Structure | ctypes.Union):
            names = [entry[0] for entry in value._fields_ if entry[0] != "dVal"]
            return {name: self._plain(getattr(value, name)) for name in names}
        if isinstance(value, ctypes.Array | list | tuple):
            return [self._plain(one) for one in value]
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if value is None or isinstance(value, bool | int | str | float):
            return value
        return {name: self._plain(one) for name, one in vars(value).items()}

    def document(self, origin: str, **facts: object) -> dict[str, Any]:
        """Return the trace; `origin` says in words where it was recorded."""
        return {"schema": SCHEMA, "origin": origin, **facts, "calls": self.calls}


def call_key(name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return the line under which a call's answers are kept: ``nvmlDeviceGetName("@0")``."""
    parts = [json.dumps(argument) for argument in arguments]
    parts += [f"{name}={json.dumps(value)}" for name, value in sorted(options.items())]
    return f"{name}({', '.join(parts)})"


class Replay:
    """Answers like the binding did when a trace was recorded; `clock` returns the seconds since its start."""

    def __init__(self, trace: Mapping[str, Any], clock: Callable[[], float]) -> None:
        if trace.get("schema") != SCHEMA:
            raise ValueError(f"not a trace of schema {SCHEMA}")
        self._calls: dict[str, list[list[Any]]] = trace["calls"]
        self._clock = clock
        self._used: dict[str, int] = {}
        self._module = load()
        self.asked: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            return getattr(self._module, name)
        if not hasattr(self._module, name):
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            key = call_key(name, arguments, options)
            self.asked[key] = self.asked.get(key, 0) + 1
            answer = self._next_event(key) if name == _EVENTS else self._latest(key)
            if "error" in answer:
                raise self._module.NVMLError(answer["error"])
            return _object(answer["value"])

        return call

    def _latest(self, key: str) -> dict[str, Any]:
        """Return the answer that held at this time."""
        answers = self._calls.get(key)
        if not answers:
            raise TraceGapError(key)
        now = self._clock()
        held: dict[str, Any] = next((answer for at, answer in reversed(answers) if at <= now), answers[0][1])
        return held

    def _next_event(self, key: str) -> dict[str, Any]:
        """Return the next event that has happened by now, each once; else a timeout."""
        answers = [entry for entry in self._calls.get(key, ()) if "value" in entry[1]]
        place = self._used.get(key, 0)
        if place < len(answers) and answers[place][0] <= self._clock():
            self._used[key] = place + 1
            event: dict[str, Any] = answers[place][1]
            return event
        return {"error": TIMEOUT}


def _object(value: Any) -> Any:
    """Return what the binding would: structures with attributes, handles as names."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: _object(one) for name, one in value.items()})
    if isinstance(value, list):
        return [_object(one) for one in value]
    return Handle(value) if isinstance(value, str) and value.startswith("@") else value


def record(module: Any, seconds: float, rest: Callable[[float], object] = time.sleep) -> Recorder:
    """Read every GPU once a second for so long, as the console does, and return what was answered."""
    from mens_console.hardware.session import SLOW_S, GpuSession

    recorder = Recorder(module)
    session = GpuSession(lambda: recorder)
    start = time.monotonic()
    while True:
        # Each round on a clock of its own reads everything, slow fields too.
        done = session.read((time.monotonic() - start) * max(SLOW_S, 1.0))
        if time.monotonic() - start >= seconds or done.problem:
            break
        rest(1.0)
    session.close()
    return recorder


def main(arguments: Sequence[str] | None = None) -> int:
    """Record a trace of this box; 1 where there is nothing to record."""
    parser = argparse.ArgumentParser(prog="python -m mens_console.hardware.trace", description=__doc__)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long, once a second (default 10)")
    parser.add_argument("--origin", default="", help="in words: which box, which driver, what ran")
    chosen = parser.parse_args(arguments)
    module = load()
    recorder = record(module, chosen.seconds)
    origin = chosen.origin or "recorded on this box"
    made = recorder.document(origin, recorded_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    chosen.out.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    opened = recorder.calls.get("nvmlInit()", [[0.0, {"error": 0}]])[-1][1]
    if "error" in opened:
        sys.stderr.write(f"NVML could not be opened: {opened.get('text', '')}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The recorder of pipeline stages: runs a command and writes what it took to `stages.jsonl` of the run directory.

Whatever goes wrong with recording, the command runs and ends as it would have; no done-signal is judged here.
"""

# A name may hold any bytes, which `os` calls take as they are; and the command waits for what is imported.
# ruff: noqa: PTH103, PTH108, PTH118

from __future__ import annotations

import os
import signal
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.collectors.wrapped import Ended
    from mens_console.signals.done import Measured

    Measure = Callable[[float, Mapping[str, Any]], Measured]

NAME: Final = "stages.jsonl"
FACTS_VARIABLE: Final = "MENS_STAGE_FACTS"
RUN_VARIABLE: Final = "MENS_RUN_DIR"
ID_VARIABLE: Final = "MENS_STAGE_ID"
MAX_FACTS: Final = 1000
_MAX_LINE: Final = 8192
_CHUNK: Final = 1 << 20
_TEXT: Final = 300
_NAME: Final = 100
_SCALARS: Final = (str, int, float, bool)
_HURRY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class Order:
    """What to run and how to record it: stage id, sub-step (None for the whole stage), command, run directory."""

    stage: str
    step: str | None
    argv: tuple[str, ...]
    run_dir: str


@dataclass(slots=True)
class Told:
    """What a command told about itself so far, newest value of each fact last."""

    facts: dict[str, Any] = field(default_factory=dict)
    bad: int = 0
    """Lines that were no JSON object."""


class Journal:
    """Appends events to `stages.jsonl`, one write each; the first failure is told once, the rest are silent."""

    def __init__(self, folder: str, warn: Callable[[str], None]) -> None:
        self.path = os.path.join(folder, NAME)
        self._folder, self._warn = folder, warn
        self.failed = False

    def write(self, event: str, payload: Mapping[str, Any]) -> None:
        """Append one event; a torn line that somebody left is ended first."""
        import json

        row = {"ts_ms": time.time_ns() // 1_000_000, "event": event, "payload": _json(payload)}
        line = json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._append(line)
        except OSError as error:
            if not self.failed:
                self.failed = True
                why = (error.strerror or str(error)).lower()
                self._warn(f"the stage is not recorded: {self.path}: {why}; the command runs all the same")

    def _append(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        fd = os.open(self.path, flags, 0o600)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(None, "it is not a regular file")
            if status.st_size and os.pread(fd, 1, status.st_size - 1) != b"\n":
                line = b"\n" + line
            if os.write(fd, line) != len(line):
                raise OSError(None, "no space left on device")
        finally:
            os.close(fd)


def _json(value: Any) -> Any:
    """Return what JSON can say of a value: numbers that are not finite become the strings that stand for them."""
    if isinstance(value, float) and value - value != 0.0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value


class FactsFile:
    """The file in which a command may tell facts, one JSON object a line; removed at the end."""

    def __init__(self) -> None:
        self.told = Told()
        self.path = ""
        self._fd = -1
        self._rest = b""
        for folder in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp", "."):  # noqa: S108 (made with O_EXCL, for us only)
            if folder and self._make(os.path.abspath(folder)):  # noqa: PTH100
                break

    def _make(self, folder: str) -> bool:
        name = os.path.join(folder, f"mens-stage-{os.getpid()}-{time.time_ns():x}.jsonl")
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return False
        self.path = name
        return True

    def fresh(self, *, last: bool = False) -> list[dict[str, Any]]:
        """Return the facts told since the last look; with `last`, those of an unfinished line too."""
        if self._fd < 0:
            return []
        try:
            data = self._rest + os.read(self._fd, _CHUNK)
        except OSError:
            return []
        *lines, self._rest = data.split(b"\n")
        if last and self._rest.strip():
            lines.append(self._rest)
        elif len(self._rest) > _MAX_LINE:
            self._rest = b""
            self.told.bad += 1
        found = [facts for line in lines if line.strip() and (facts := self._parsed(line)) is not None]
        for facts in found:
            self.told.facts.update(facts)
        return found

    def _parsed(self, line: bytes) -> dict[str, Any] | None:
        facts = parsed(line) if len(line) <= _MAX_LINE else None
        self.told.bad += facts is None
        return facts

    def remove(self) -> None:
        """Close and delete the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                return


def parsed(text: bytes) -> dict[str, Any] | None:
    """Return the plain values (text, numbers, booleans) of the JSON object that a text is, None where it is none."""
    import json

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return {key[:_NAME]: _short(value) for key, value in document.items() if isinstance(value, _SCALARS)}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_TEXT]
    return value if not isinstance(value, int) or abs(value) < 1 << 63 else float("nan")


class Recorder:
    """Runs one order from start to end.

    `measure(started, facts)` judges the done-signal after a command that ended well, from its start (seconds since
    the epoch) and the facts it told; what it raises is recorded as not measured. None judges nothing.
    """

    def __init__(self, order: Order, warn: Callable[[str], None], measure: Measure | None = None) -> None:
        self._order, self._warn, self._measure = order, warn, measure
        self._journal = Journal(order.run_dir, warn)
        self._facts = FactsFile()
        self._parent = os.environ.get(ID_VARIABLE, "")
        self._told_events = 0
        self.started = time.time()
        self.id = f"{os.getpid():x}-{int(self.started * 1000):x}"

    def run(self) -> Ended:
        """Run the command and record it. Raises `OSError` where it cannot be started (that is recorded too)."""
        environment = {
            **os.environ,
            FACTS_VARIABLE: self._facts.path,
            RUN_VARIABLE: os.path.abspath(self._order.run_dir),  # noqa: PTH100
            ID_VARIABLE: self.id,
        }
        try:
            ended = wrapped.run(self._order.argv, environment, self._begun, self._look)
        except OSError as error:
            self._begun(None)
            code = wrapped.NOT_FOUND if isinstance(error, FileNotFoundError) else wrapped.NOT_RUNNABLE
            self._journal.write("stage_end", {**self._name(), "exit_code": code, "error": _reason(error)})
            raise
        finally:
            self._look(last=True)
            self._facts.remove()
        measured = self._measured(ended)
        self._journal.write("stage_end", {**self._name(), **figures(ended), **measured})
        return ended

    def _name(self) -> dict[str, Any]:
        name: dict[str, Any] = {"stage": self._order.stage, "id": self.id}
        name |= {"step": self._order.step} if self._order.step else {}
        return name | ({"parent": self._parent} if self._parent else {})

    def _begun(self, pid: int | None) -> None:
        from mens_console.signals.redact import redact_words

        words = [word[:_TEXT] for word in redact_words(self._order.argv)]
        start = {"argv": words, "pid": pid, "recorder_pid": os.getpid(), "host": os.uname().nodename}
        self._journal.write("stage_start", {**self._name(), **start, "started": self.started})

    def _look(self, *, last: bool = False) -> None:
        for facts in self._facts.fresh(last=last):
            self._told_events += 1
            if self._told_events <= MAX_FACTS:
                self._journal.write("stage_step", {**self._name(), "facts": facts})

    def _measured(self, ended: Ended) -> dict[str, Any]:
        """Return what was measured of the done-signal, None of it where that was not the question or went wrong."""
        if self._measure is None or ended.exit_code:
            return {"met": None, "measured": ""}
        try:
            _interruptible()
            found = self._measure(self.started, self._facts.told.facts)
        except KeyboardInterrupt:
            return {"met": None, "measured": "measuring was interrupted"}
        except Exception as error:  # noqa: BLE001 (a fault of the recorder's must not become the command's)
            named = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
            why = f"{named}{_reason(error)}"[:_TEXT]
            self._warn(f"the stage's done-signal could not be measured: {why}")
            return {"met": None, "measured": f"measuring failed: {why}"}
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _HURRY)
        bad = f"; {self._facts.told.bad} lines of facts could not be read" if self._facts.told.bad else ""
        return {"met": found.met, "measured": found.text + bad, "values": dict(found.values)}


def _interruptible() -> None:
    """Let Ctrl-C and the like end the measuring, not the record."""
    for number in _HURRY:
        signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_HURRY, signal.SIGTSTP))


def _reason(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text.lower() if isinstance(error, OSError) else f"{type(error).__name__}: {text}"[:_TEXT]


def figures(ended: Ended) -> dict[str, Any]:
    """Return exit, times (s), share of one core (%) and peak memory (bytes) of a command, and GNU time's line."""
    busy = ended.user_s + ended.system_s
    percent = 100.0 * busy / ended.wall_s if ended.wall_s > 0 else None
    return {
        "exit_code": ended.exit_code,
        "signal": signal.Signals(ended.signal).name if ended.signal else None,
        "wall_s": round(ended.wall_s, 6),
        "user_s": round(ended.user_s, 6),
        "system_s": round(ended.system_s, 6),
        "cpu_percent": None if percent is None else round(percent, 2),
        "max_rss_bytes": ended.max_rss_bytes,
        # A command smaller than its starter leaves the starter's size: then it is known only as a bound.
        "max_rss_is_bound": ended.max_rss_bytes <= ended.floor_bytes,
        "time": time_line(ended.wall_s, busy, ended.max_rss_bytes),
    }


def time_line(wall_s: float, busy_s: float, max_rss_bytes: int) -> str:
    """Return the line of GNU time's ``wall=%E cpu=%P mem=%MKB``."""
    whole = int(wall_s)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    cents = int((wall_s - whole) * 100)
    clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}.{cents:02d}"
    share = f"{int(busy_s * 100 / wall_s)}%" if wall_s > 0 else "?%"
    return f"wall={clock} cpu={share} mem={max_rss_bytes // 1024}KB"

"""The attempt log: one line of JSON for each attempt to generate something, `mens_generation_attempt_v1`.

How lines reach the file is `lines`'s business; what the attempts come to is the console's.
"""

# Names may hold any bytes.
# ruff: noqa: PTH100

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.guard import LOGGER, warn
from mens_console.collectors.lines import Lines
from mens_console.collectors.plain import number, plain, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_BYTES: Final = 1 << 30
"""Size at which an attempt log is rotated, unless another is said."""
FIELDS: Final = (
    "ts", "run_id", "persona_id", "stage", "attempt", "status", "latency_ms", "prompt_tokens", "completion_tokens",
    "repairs", "validator_scores", "opening_move", "constraint_categories", "anchors_used", "error",
)  # fmt: skip
"""The fields of the contract, in the order in which they are written."""
STATUSES: Final = ("success", "fail", "repair")
_COUNTS: Final = frozenset({"attempt", "latency_ms", "prompt_tokens", "completion_tokens"})
_LISTS: Final = frozenset({"repairs", "constraint_categories", "anchors_used"})


class AttemptLogger:
    """Writes one line per attempt to `path`; many processes and threads may write to one file.

    After `log` has returned True the line is in the kernel: killing the process loses nothing on a local file system;
    with `durable` a power cut does not either, at the price of a sync per attempt. Nothing that goes wrong is raised:
    while the disk refuses, lines wait in memory and one warning says so. The file is rotated at `max_bytes` (None:
    never) to `path.1`, `path.2` …, of which the `keep` newest stay (None: all). `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        run_id: str = "",
        max_bytes: int | None = MAX_BYTES,
        keep: int | None = None,
        durable: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = run_id
        self._lines = Lines(path, what="attempts", max_bytes=max_bytes, keep=keep, durable=durable, monotonic=monotonic)
        self._clock = clock
        self._told: set[str] = set()

    @property
    def path(self) -> str:
        """Where the newest attempts are."""
        return self._lines.path

    @property
    def written(self) -> int:
        """Attempts that this process has put into the file."""
        return self._lines.written

    @property
    def lost(self) -> int:
        """Attempts that were dropped because the disk refused too many."""
        return self._lines.lost

    def log(self, **fields: Any) -> bool:
        """Write one attempt, as keywords named like the contract's fields; say whether it is in the file.

        `ts` is now and `run_id` the logger's unless given. What is not given is left out, so that it reads as not
        measured; further fields are kept. A value of a wrong kind is written as it is, and told once per field.
        """
        return self.log_attempt(fields)

    def log_attempt(self, entry: Mapping[str, Any]) -> bool:
        """Write one attempt that is a mapping already; as `log`."""
        try:
            return self._log(entry)
        except Exception as error:  # noqa: BLE001 - whatever a logger does wrong, the generation is not to blame
            LOGGER.debug("an attempt was not logged", exc_info=error)
            self._tell("", f"an attempt cannot be written: {type(error).__name__}: {text(error)}. Generation goes on.")
            return False

    @contextmanager
    def attempt(self, **fields: Any) -> Iterator[dict[str, Any]]:
        """Time one attempt: `with logger.attempt(persona_id=p, stage="B") as row: row["status"] = …`.

        What the block puts into the mapping is written when it ends, with `latency_ms` as measured and the status
        success unless it says otherwise. A block that raises is written as a fail with its error, and raises on.
        """
        row: dict[str, Any] = {"attempt": 1, "error": None} | fields
        began = time.monotonic()
        try:
            yield row
        except BaseException as error:
            row |= {"status": "fail", "error": f"{type(error).__name__}: {text(error)}"}
            raise
        finally:
            row.setdefault("latency_ms", round((time.monotonic() - began) * 1000))
            row.setdefault("status", "success")
            self.log_attempt(row)

    def close(self) -> bool:
        """Write what may still wait, and let go of the file; say whether every attempt is in it."""
        return self._lines.close()

    def __enter__(self) -> AttemptLogger:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _log(self, entry: Mapping[str, Any]) -> bool:
        given = {"ts": self._now(), **({"run_id": self.run_id} if self.run_id else {})} | dict(entry)
        row = {name: self._fitting(name, given.pop(name)) for name in FIELDS if name in given} | given
        line = json.dumps(plain(row), ensure_ascii=False, allow_nan=False).encode()
        return self._lines.append(line + b"\n")

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _fitting(self, name: str, value: Any) -> Any:
        """Return a value as the contract wants it where that loses nothing, else as it is, told once."""
        fits, value = _fit(name, value)
        if not fits:
            self._tell(name, f"{name} is {text(repr(value))[:80]}, {_WANTED[name]}; it is kept as it is")
        return value

    def _tell(self, about: str, message: str) -> None:
        if about not in self._told:
            self._told.add(about)
            warn(f"mens-console: {self.path}: {message}")


def _fit(name: str, value: Any) -> tuple[bool, Any]:
    """Say whether `value` is what the contract's field holds; whole numbers of any library become plain ones."""
    if name in _COUNTS:
        found = number(value)
        if found is None or not found >= (name == "attempt"):
            return False, value
        return found < 1 << 53, round(found) if found < 1 << 53 else value
    if name in _LISTS:
        if isinstance(value, set | frozenset):
            value = sorted(map(text, value))
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value), value
    if name == "validator_scores":
        return isinstance(value, dict) and all(_is_share(score) for score in value.values()), value
    if name == "ts" and isinstance(value, datetime):
        return True, value.isoformat()
    if name == "persona_id":
        return isinstance(value, str | int), value if isinstance(value, str | int) else text(value)
    if name == "status":
        return value in STATUSES, value
    return isinstance(value, str) or (value is None and name in ("opening_move", "error")), value


def _is_share(score: Any) -> bool:
    found = number(score)
    return isinstance(score, bool) or (found is not None and 0.0 <= found <= 1.0)


_WANTED: Final = {
    "ts": "not text in ISO 8601",
    "run_id": "not text",
    "persona_id": "neither text nor a number",
    "stage": "not text",
    "attempt": "not a whole number from 1 on",
    "status": "none of success, fail, repair",
    "latency_ms": "not a number of milliseconds from 0 on",
    "prompt_tokens": "not a number from 0 on",
    "completion_tokens": "not a number from 0 on",
    "repairs": "not a list of names",
    "validator_scores": "not scores from 0 to 1 by validator",
    "opening_move": "not text",
    "constraint_categories": "not a list of names",
    "anchors_used": "not a list of texts",
    "error": "not text",
}

_LOGGERS: Final[dict[str, AttemptLogger]] = {}
_STARTING: Final = threading.Lock()


def log_attempt(entry: Mapping[str, Any], path: str | os.PathLike[str] = "generation.log") -> bool:
    """Write one attempt to `path`, by a logger that this process keeps for it; say whether it is in the file."""
    where = os.path.abspath(os.fsdecode(path))
    with _STARTING:
        logger = _LOGGERS.setdefault(where, AttemptLogger(where)) if where not in _LOGGERS else _LOGGERS[where]
    return logger.log_attempt(entry)

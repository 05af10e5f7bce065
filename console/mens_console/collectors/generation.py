"""The runtime KPI recorder: what a command line or server calls around each generate-and-repair request.

It times and counts, derives what can be derived, and writes one event a request; what the events come to over many
requests is the console's business.
"""

# Names may hold any bytes.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import json
import os
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.derived import Attempts, runtime_kpi
from mens_console.collectors.guard import LOGGER, warn
from mens_console.collectors.lines import Lines
from mens_console.collectors.plain import plain, text
from mens_console.collectors.request import Attempt, Task

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT: Final = "mens_generation_event_v1"
KPI_FILE: Final = "runtime-generation-kpi.jsonl"
MAX_BYTES: Final = 1 << 30


class GenerationRecorder:
    """Writes one `mens_generation_event_v1` a request to `path`, and its `vox_runtime_generation_kpi_v1` beside it.

    `path` is the file of the events; the derived records go to `runtime-generation-kpi.jsonl` in its folder, or to
    `kpi_path`, or nowhere where that is None or `surface` is none that the closed contract knows (vox-cli, mcp). Many
    processes may write to the same files, as to an attempt log. Nothing that goes wrong is raised into the generation.
    `model`, `adapter`, `revision`, `run_id`, `condition` and `task_set` are those of every request, unless a request
    says otherwise. `monotonic` gives the seconds that durations are measured by.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        surface: str = "vox-cli",
        kpi_path: str | os.PathLike[str] | None = "",
        max_bytes: int | None = MAX_BYTES,
        keep: int | None = None,
        durable: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        **common: Any,
    ) -> None:
        self._events = Lines(path, what="events", max_bytes=max_bytes, keep=keep, durable=durable, monotonic=monotonic)
        beside = os.path.join(os.path.dirname(self._events.path), KPI_FILE) if kpi_path == "" else kpi_path
        self._kpis = (
            None
            if beside is None
            else Lines(beside, what="records", max_bytes=max_bytes, keep=keep, durable=durable, monotonic=monotonic)
        )
        self._common = {"surface": surface, **common}
        self._clock = clock
        self._monotonic = monotonic
        self._told = False

    @property
    def path(self) -> str:
        """Where the newest events are."""
        return self._events.path

    @property
    def written(self) -> int:
        """Events that this process has put into the file."""
        return self._events.written

    def task(
        self,
        task_id: str | None = None,
        *,
        lane: str | None = "code",
        validate: bool = True,
        max_attempts: int | None = None,
        strict: bool | None = None,
        **fields: Any,
    ) -> Task:
        """Begin a request: `with recorder.task("sum-1", model="mens-7b") as task: …`; its time runs from here on.

        `strict` says whether outputs must be nothing but code, so that they are looked through; by default in the
        lane code. `fields` are further ones of the event, such as `model`, `sample`, `task_set` or `condition`.
        """
        named = None if task_id is None else text(task_id)
        asked = {"task_id": named, "lane": lane, "validate_requested": validate, "max_attempts": max_attempts}
        facts = {**self._common, **asked, **fields}
        return Task(self._write, facts, strict=lane == "code" if strict is None else strict, clock=self._monotonic)

    def close(self) -> bool:
        """Write what may still wait, and let go of the files; say whether every event is in them."""
        done = self._events.close()
        return (self._kpis is None or self._kpis.close()) and done

    def __enter__(self) -> GenerationRecorder:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _write(self, task: Task) -> None:
        try:
            event = self._event(task)
            self._events.append(_line(event))
            record = None if self._kpis is None else runtime_kpi(event)
            if self._kpis is not None and record is not None:
                self._kpis.append(_line(record))
        except Exception as error:  # noqa: BLE001 - whatever a recorder does wrong, the generation is not to blame
            LOGGER.debug("an event was not recorded", exc_info=error)
            if not self._told:
                self._told = True
                why = f"{type(error).__name__}: {text(error)}"
                warn(f"mens-console: {self.path}: an event cannot be written: {why}. Generation goes on.")

    def _event(self, task: Task) -> dict[str, Any]:
        began = self._clock() - task.duration_ms / 1000
        rows = [one.row for one in task.attempts]
        tokenizers = {one.tokenizer for one in task.attempts if one.tokenizer}
        given = {name: value for name, value in task.facts.items() if value is not None}
        return {
            "schema": EVENT,
            "schema_version": 1,
            "ts": datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "id": str(uuid.uuid4()),
            "model": "unknown",
            **given,
            **Attempts(rows, bool(task.facts["validate_requested"]), tokenizers).facts(),
            "task_success": task.task_success,
            "semantic_task_success": task.semantic_task_success,
            "duration_ms": task.duration_ms,
            "error": task.error,
            "attempts": rows,
        }


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(plain(content), ensure_ascii=False, allow_nan=False).encode() + b"\n"


__all__ = ["Attempt", "GenerationRecorder", "Task"]

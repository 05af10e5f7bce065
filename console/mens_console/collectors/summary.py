"""`run_summary.json`: what a run is and what became of it, written at its start and at its end.

The contract is `mens_contracts.run_summary`; looking things up is `provenance`'s business.
"""

# Names may hold any bytes.
# ruff: noqa: PTH100, PTH103, PTH118, PTH120

from __future__ import annotations

import json
import os
import socket
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors import provenance
from mens_console.collectors.background import EXIT_S, Background
from mens_console.collectors.files import Outage, read_small, replace_file
from mens_console.collectors.plain import encode, flat, text
from mens_console.signals.redact import redact_setting, redact_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.collectors.files import Told

SCHEMA: Final = "mens-run-summary/1"
NAME: Final = "run_summary.json"
_MOST: Final = 1 << 20
_EARLIER: Final = ("run_id", "started_at", "ended_at", "status", "git_sha", "pid", "host")


def settings(config: Mapping[str, object] | None) -> dict[str, object]:
    """Return a configuration flat and without its secrets, as it is written anywhere."""
    found = flat(config or {})
    return {name: redact_setting(name, v) if isinstance(v, str) else v for name, v in found.items()}


class RunSummary:
    """The summary of one run directory. Nothing raises and nothing waits for the disk.

    A summary that an earlier process left is kept as `previous`, in short.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        config: Mapping[str, object] | None = None,
        base_model: str = "",
        dataset_version: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        told: Told | None = None,
    ) -> None:
        self._run_dir = os.path.abspath(os.fsdecode(run_dir))
        self.path = os.path.join(self._run_dir, NAME)
        self._clock = clock
        self._outage = Outage(self.path, monotonic, told)
        self._looked_up: dict[str, Any] | None = None
        self._checkpoint: str | None = None
        self._closed = False
        self._document: dict[str, Any] = {
            "schema": SCHEMA,
            "run_id": uuid.uuid4().hex[:16],
            "status": "running",
            "started_at": clock(),
            "ended_at": None,
            "config": settings(config),
            "base_model": base_model,
            "dataset_version": dataset_version,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "argv": redact_words(map(text, getattr(sys, "argv", ()))),
            "final_metrics": {},
            "best_eval": None,
            "alerts": {},
            "error": None,
        }
        self._ready: dict[str, Any] | None = None
        self._background = Background("summary", self._write, forget=self._forget)

    @property
    def run_id(self) -> str:
        """Return the 16 hex digits that name this attempt at the run."""
        return str(self._document["run_id"])

    def start(self, **more: Any) -> None:
        """Write the summary as it is at the start; `more` are further fields."""
        self._document |= more
        self._ask()

    def checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remember the newest checkpoint, whose files the summary at the end points to."""
        self._checkpoint = os.path.abspath(os.fsdecode(path))

    def finish(self, status: str, *, error: str | None = None, timeout: float = EXIT_S, **more: Any) -> bool:
        """Write how it ended, with `final_metrics`, `best_eval` and `alerts`; say whether that is in the file."""
        if self._closed:
            return True
        self._closed = True
        self._document |= {**more, "status": status, "error": error, "ended_at": self._clock()}
        self._ask()
        return self._background.close(timeout) and self._ready is None

    def _ask(self) -> None:
        self._ready = dict(self._document)
        self._background.wake()

    def _forget(self) -> None:
        self._ready = None

    # ------------------------------------------------------------------ on the thread

    def _write(self) -> None:
        document = self._ready
        if document is None:
            return
        try:
            first = self._looked_up is None
            if first:
                os.makedirs(self._run_dir, exist_ok=True)
            known = self._look_up()
            files = provenance.pointers(self._run_dir, self._checkpoint)
            replace_file(
                self.path, encode({**document, **known, "versions": provenance.versions(), "pointers": files}) + b"\n"
            )
        except OSError as error:
            self._outage.began(error, "The summary of the run is not written")
        else:
            self._outage.ended()
            if self._ready is document:
                self._ready = None

    def _look_up(self) -> dict[str, Any]:
        """Return what does not change while the run lasts."""
        if self._looked_up is None:
            sha, dirty = provenance.commit(_work_tree())
            self._looked_up = {
                "git_sha": sha,
                "git_dirty": dirty,
                "environment_digest": provenance.environment_digest(),
                "previous": self._previous(),
            }
        return self._looked_up

    def _previous(self) -> dict[str, Any] | None:
        try:
            found = json.loads(read_small(self.path, _MOST))
        except (OSError, ValueError, RecursionError):
            return None  # this is the first
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            return None
        return {key: found.get(key) for key in _EARLIER}


def _work_tree() -> str:
    """Return where the program's own code lies, which is what the commit is of; the working directory otherwise."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if isinstance(program, str) and not os.path.abspath(program).startswith(sys.prefix):
        return os.path.dirname(os.path.abspath(program))
    return "."

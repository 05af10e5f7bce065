"""`training_status.json`: the newest state of a training in one small document, replaced whole by a thread.

What the figures mean is the caller's business; the history of the run belongs to `telemetry.jsonl`.
"""

# Names may hold any bytes.
# ruff: noqa: PTH100, PTH103, PTH120

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.background import EXIT_S, Background
from mens_console.collectors.files import Outage, read_small, replace_file
from mens_console.collectors.guard import warn
from mens_console.collectors.plain import encode, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.collectors.files import Told

EVERY_S: Final = 5.0
HISTORY: Final = 200
"""Losses that the document holds, the newest."""
SILENT_S: Final = 60.0
"""A file that another living process wrote more recently than this is left alone."""
_MOST: Final = 32 << 20
_ALIASES: Final = {"alerts": "active_alerts"}
FIELDS: Final = (
    "fixed_eval_em", "fixed_eval_ce", "fixed_eval_ece", "fixed_eval_trend",
    "accuracy", "accuracy_last_20", "accuracy_last_50", "accuracy_trend",
    "streaming_ce", "loss_variance", "token_entropy", "loss_trend",
    "tokens_per_sec", "tokens_per_sec_avg", "throughput_trend",
    "alert_summary", "active_alerts", "lora_summary", "lora_stats", "pattern_heatmap",
)  # fmt: skip
"""The advanced metrics that every document has, null where nobody measured them, long ones last."""
_RUNNING: Final = frozenset({"training", "evaluating", "saving"})


class StatusWriter:
    """Writes the newest state at most every `every_s` seconds, a change of phase and the end at once.

    Nothing raises and nothing waits for the disk. A file that another process of this host keeps fresh is left alone,
    with one warning, until that process is silent for a minute or gone. `clock` gives seconds since the epoch,
    `monotonic` says when to try a failing disk again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every_s: float = EVERY_S,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        told: Told | None = None,
    ) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self._every_s = every_s
        self._clock = clock
        self._host = socket.gethostname()
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._document: dict[str, Any] = {}
        self._pending: dict[str, Any] | None = None
        self._status = "training"
        self._written_at = float("-inf")
        self._made = self._warned = self._closed = False
        self._outage = Outage(self.path, monotonic, told)
        self._background = Background("status", self._write, forget=self._forget)

    @property
    def due(self) -> bool:
        """Say whether the next update will be written."""
        return (
            not 0.0 <= self._clock() - self._written_at < self._every_s
        )  # a clock that went back is no reason to wait

    def note_loss(self, step: int, loss: float, lr: float | None = None) -> None:
        """Keep a loss for the document's history; a step that falls back voids those from there on."""
        while self._history and self._history[-1]["step"] >= step:
            self._history.pop()
        self._history.append({"step": step, "loss": loss, **({} if lr is None else {"lr": lr})})

    def update_advanced_metrics(
        self,
        step: int,
        total_steps: int | None = None,
        epoch: float | None = None,
        loss: float | None = None,
        lr: float | None = None,
        **metrics: Any,
    ) -> None:
        """Take the newest state in; `metrics` are those of `FIELDS` (`alerts` is `active_alerts`) and any others.

        Metrics stay until they are given again. None is not known; a loss that is not known is left out, for a status
        document that says null of it is taken to mean NaN.
        """
        if self._closed:
            return
        value = number(loss)
        if value is not None and not (self._history and self._history[-1]["step"] == step):
            self.note_loss(step, value, number(lr))
        head = {"current_step": step, "total_steps": total_steps, "epoch": epoch, "learning_rate": lr}
        self._document |= head if value is None else {**head, "loss": value}
        self._document |= {_ALIASES.get(name, name): metric for name, metric in metrics.items()}
        if self.due:
            self._ask()

    def phase(self, status: str) -> None:
        """Say what the training does now: `training`, `evaluating` or `saving`; written at once when it changed."""
        if status in _RUNNING and status != self._status and not self._closed:
            self._status = status
            if self._document:
                self._ask()

    def finish(self, status: str = "completed", error: str | None = None, timeout: float = EXIT_S) -> bool:
        """Write how it ended (`completed`, `crashed`, `interrupted`); say whether that is in the file."""
        if self._closed:
            return True
        self._closed, self._status = True, status
        self._document.setdefault("current_step", 0)
        if error:
            kind, colon, message = error.partition(": ")
            is_kind = bool(colon) and all(map(str.isidentifier, kind.split(".")))
            self._document |= {"error_type": kind if is_kind else "", "error_message": message if is_kind else error}
        self._ask()
        return self._background.close(timeout) and self._pending is None

    def _ask(self) -> None:
        self._written_at = self._clock()
        document = self._document
        self._pending = {
            "status": self._status,
            "current_step": document["current_step"],
            "pid": os.getpid(),
            "host": self._host,
            "timestamp": self._clock(),
            **{name: value for name, value in document.items() if name not in FIELDS},
            **{name: document.get(name) for name in FIELDS},
            "train_loss_history": list(self._history),
        }
        self._background.wake()

    def _forget(self) -> None:
        self._pending = None

    # ------------------------------------------------------------------ on the thread

    def _write(self) -> None:
        document = self._pending
        if document is None or (self._outage.resting and not self._closed):
            return
        try:
            if self._taken():
                return
            if not self._made:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                self._made = True  # a directory deleted later is not made again: somebody wanted it gone
            replace_file(self.path, encode(document) + b"\n")
        except OSError as error:
            self._outage.began(error, "The status stays as it is")
        else:
            self._outage.ended()
            if self._pending is document:
                self._pending = None

    def _taken(self) -> bool:
        """Say whether another process writes this file, and warn when that begins."""
        other = self._other()
        if other and not self._warned:
            self._warned = True
            warn(
                f"mens-console: {self.path} is kept by process {other}, which is alive: this process leaves it alone "
                f"until the other is silent for {SILENT_S:.0f} s. Give each run a directory of its own."
            )
        return bool(other)

    def _other(self) -> int:
        """Return the other living process that wrote the file within the last minute, 0 for none."""
        try:
            found = json.loads(read_small(self.path, _MOST))
        except (OSError, ValueError, RecursionError):
            return 0  # none there, or nobody's
        if not isinstance(found, dict) or found.get("status") not in _RUNNING:
            return 0
        pid, at = found.get("pid"), number(found.get("timestamp"))
        if not isinstance(pid, int) or at is None or abs(self._clock() - at) >= SILENT_S:
            return 0
        same_host = found.get("host") == self._host
        if same_host and (pid == os.getpid() or not _alive(pid)):
            return 0
        return pid


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True

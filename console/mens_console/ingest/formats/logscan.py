"""What lines of a trainer's log say about its life: errors and their kind, phases, checkpoints, totals.

One line of text at a time, whatever file it stands in; no bytes, no metrics.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mens_console.ingest.formats.values import visible
from mens_console.ingest.records import Fact

_WORDS: Final = (
    *(b"Traceback (most", b"ut of memory", b"OutOfMemory", b"ALLOC_FAILED", b"allocate memory", b"OOM", b"Oom", b"oom"),
    *(
        b"Killed",
        b"SIGKILL",
        b"exitcode",
        b"o space left",
        b"uota exceeded",
        b"unexpected pos",
        b"NCCL",
        b"nccl",
        b"Watchdog caught",
    ),
    *(b"CUDA", b"uDNN", b"CUDNN", b"MPS backend", b"HIP error", b"device-side", b"NVRM"),
    *(b"Saving model", b"***** Running", b"Total optimization", b"Num Epochs", b"Training completed"),
)


def matters(data: bytes) -> bool:
    """Say whether `data` may hold something for `LogScan`: plain words, because logs are long and say little."""
    return any(word in data for word in _WORDS)


# First match wins. An exhausted allocator raises inside CUDA, so memory goes before devices.
_ERRORS: Final = (
    (
        "oom",
        re.compile(
            r"(CUDA|HIP|XPU|MPS backend) out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED"
            r"|Cannot allocate memory|oom[-_ ]kill|Out of memory: Killed process|OOM Killed",
            re.IGNORECASE,
        ),
    ),
    ("disk", re.compile(r"no space left on|disk quota exceeded|unexpected pos \d+ vs \d+", re.IGNORECASE)),
    (
        "device",
        re.compile(
            r"NCCL error|ncclSystemError|ncclUnhandledCudaError|ncclInternalError|ncclRemoteError"
            r"|Watchdog caught collective operation timeout|CUDA error|CUDA driver error|device-side assert"
            r"|cuDNN error|CUDNN_STATUS_(?!SUCCESS)|HIP error|MPS backend (failed|error)|NVRM: Xid"
        ),
    ),
    (
        "killed",
        re.compile(r"^(\S.*\s)?Killed(\s+\S.*)?$|\(SIGKILL\)|exitcode\s*:\s*-9\b|^\S*:? line \d+: +\d+ Killed\b"),
    ),
)
_RANK: Final = re.compile(r"^(\[(rank|default)?\d+\]:? ?)+")
_TRACEBACK: Final = "Traceback (most recent call last):"
_EXCEPTION: Final = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning|Timeout|Failure)?\b(:.*)?$")
_CAUGHT: Final = re.compile(r"Exception ignored in|Exception in thread|\b(ERROR|WARNING|ERR)\b", re.IGNORECASE)
_CHECKPOINT: Final = re.compile(r"Saving model checkpoint to (\S+)")
_CHECKPOINT_STEP: Final = re.compile(r"checkpoint-(\d{1,18})\b")
_TOTAL: Final = re.compile(r"Total optimization steps\s*=\s*([\d,]{1,24})")
_EPOCHS: Final = re.compile(r"Num Epochs\s*=\s*([\d,.]{1,24})")
_MAX_TEXT: Final = 4000


def classify(text: str) -> str:
    """Return the kind of end that an error message tells of (`oom`, `disk`, `device`, `killed`), "" if none."""
    return next((kind for kind, pattern in _ERRORS if pattern.search(text)), "")


class LogScan:
    """Reads lines in order and remembers an open traceback."""

    def __init__(self) -> None:
        self._is_open = False
        self._is_caught = False
        self._previous = ""
        self._last_error: tuple[str, str] | None = None

    def state(self) -> dict[str, Any]:
        """Return what is remembered of earlier lines, as JSON values."""
        flags = [self._is_open, self._is_caught]
        return {"flags": flags, "previous": self._previous, "last": list(self._last_error or ())}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what `state` did."""
        self._is_open, self._is_caught = state["flags"]
        self._previous = str(state["previous"])
        last = state["last"]
        self._last_error = (str(last[0]), str(last[1])) if last else None

    @property
    def is_open(self) -> bool:
        """True while a traceback is being read, so that the next line matters whatever it says."""
        return self._is_open

    def remember(self, line: bytes) -> None:
        """Keep a line that says nothing as the one before the next."""
        self._previous = line[:200].decode("utf-8", "replace")

    def line(self, text: str, at: float) -> list[Fact]:
        """Return the facts in one line of text, stamped with `at`."""
        text = _RANK.sub("", text[:_MAX_TEXT])
        if not text.strip():
            return []
        if text.startswith(_TRACEBACK):
            self._is_open, self._is_caught = True, bool(_CAUGHT.search(self._previous))
            return []
        if self._is_open:
            return self._in_traceback(text, at)
        self._previous = text
        return self._plain(text, at)

    def _in_traceback(self, text: str, at: float) -> list[Fact]:
        """Wait for the line that names the exception: the first one that is not indented."""
        if text[0] in " \t|+":
            return []
        self._is_open = False
        self._previous = text
        if self._is_caught or not _EXCEPTION.match(text) or text.startswith("KeyboardInterrupt"):
            return [] if self._is_caught else self._plain(text, at)
        return self._error(text, classify(text) or "traceback", at)

    def _error(self, text: str, kind: str, at: float) -> list[Fact]:
        message = visible(text.strip(), 500)
        if self._last_error == (message, kind):
            return []
        self._last_error = (message, kind)
        return [Fact("error", message, wall=at, detail=kind)]

    def _plain(self, text: str, at: float) -> list[Fact]:
        if "***** Running" in text:
            phase = "evaluating" if re.search(r"Evaluation|Prediction", text) else "training"
            started = [Fact("started", "Running training", wall=at)] if "training" in text else []
            return [*started, Fact("phase", phase, wall=at)]
        saved = _CHECKPOINT.search(text)
        if saved:
            step = _CHECKPOINT_STEP.search(saved[1])
            number = int(step[1]) if step else None
            path = visible(saved[1], 1000)
            return [Fact("phase", "saving", number, at), Fact("checkpoint", path, number, at)]
        for kind, pattern, cast in (("total_steps", _TOTAL, int), ("total_epochs", _EPOCHS, float)):
            found = pattern.search(text)
            if found and found[1].replace(",", "").replace(".", "", 1).isdecimal():
                return [Fact(kind, cast(found[1].replace(",", "")))]
        if text.startswith("Training completed"):
            return [Fact("finished", "Training completed", wall=at)]
        kind = classify(text)
        return self._error(text, kind, at) if kind else []

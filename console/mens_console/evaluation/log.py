"""The log of evaluations: `eval_log.md` for people and its twin `eval_log.jsonl`, each one append under one lock.

Both get their line or neither does: what was written is taken back where the second append fails.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.config.appending import cut, hold, put
from mens_console.evaluation.document import date, log_row
from mens_console.evaluation.rows import UnreadableError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.evaluation.evaluate import Evaluated

MARKDOWN, TWIN = "eval_log.md", "eval_log.jsonl"
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_COLUMNS: Final = (
    ("weighted_score", "score"), ("json_validity", "JSON"), ("schema_match", "schema"), ("tool_selection", "tools"),
    ("argument_correctness", "arguments"), ("lint", "lint"), ("ast_structure", "AST"), ("naming", "naming"),
    ("refusal_accuracy", "refusals"), ("false_acceptance", "false accept."), ("quantization_drop", "quant. drop"),
    ("regression", "regression"),
)  # fmt: skip
_HEAD: Final = ("date", "model", "role", "base model", "dataset", "eval set", "verdict")


def append(folder: Path, done: Evaluated) -> None:
    """Append one evaluation to both logs. Raises `UnreadableError`; then neither of them holds more than before."""
    twin = json.dumps(log_row(done), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    name = safe_text(str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _opened(folder / TWIN) as rows, _opened(folder / MARKDOWN) as page:
            hold(rows)
            size = os.fstat(rows).st_size
            put(rows, (_begun(rows, size) + twin).encode("utf-8", "backslashreplace"))
            long = os.fstat(page).st_size
            head = _begun(page, long) if long else header()
            try:
                put(page, (head + line(done)).encode("utf-8", "backslashreplace"))
            except OSError:
                cut(rows, size)
                raise
    except TimeoutError:
        raise UnreadableError(f"{name}: another program holds the log's lock; nothing was logged, try again") from None
    except OSError as error:
        why = safe_text(error.strerror or str(error)).lower()
        raise UnreadableError(f"{name}: the evaluation could not be logged ({why}); give --out a folder that can be written") from None  # noqa: E501  # fmt: skip


def header() -> str:
    """Return the top of a new page."""
    titles = [*_HEAD, *(title for _, title in _COLUMNS)]
    return f"# Evaluations\n\n| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"


def line(done: Evaluated) -> str:
    """Return the row of a table; what was not told or could not be taken is a dash."""
    facts = (date(done.at), done.model["id"], done.role, done.model.get("base", "—"),
             done.model.get("dataset_version", "—"), f"{done.gold.name} {done.gold.version}", done.verdict)  # fmt: skip
    values = {one.metric: one.value for one in done.results}
    told = [values.get(metric, math.nan) for metric, _ in _COLUMNS]
    cells = [_cell(fact) for fact in facts] + ["—" if math.isnan(value) else f"{value:.2f}" for value in told]
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    r"""Return foreign text that stays in its cell."""
    return safe_text(text, 80).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"{path.name} is no file")
    fd = os.open(path, _FLAGS, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _begun(fd: int, size: int) -> str:
    """Return what ends a torn last line."""
    return "" if size == 0 or os.pread(fd, 1, size - 1) == b"\n" else "\n"

"""The console of HF Trainer: Python dict lines among progress bars that rewrite themselves with carriage returns.

A dict line carries no step. The bar that is redrawn after it does; else the epoch tells, else rows are numbered.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.lines import MAX_LINE, MAX_SAMPLES
from mens_console.ingest.formats.log import is_text
from mens_console.ingest.formats.logscan import LogScan, matters
from mens_console.ingest.formats.plan import summarises
from mens_console.ingest.formats.rows import Rows, flatten
from mens_console.ingest.formats.values import number, visible, visible_bytes
from mens_console.ingest.records import BadLine, Batch, Fact

MAX_DICT: Final = 16384
"""Characters of the longest dict line that is read."""

_MAX_WAITING: Final = 64
_EPOCH_ROUNDING: Final = 0.005
"""HF Trainer logs its epoch to two decimals."""

_DICT: Final = re.compile(r"\{\s*'[^'\n]{1,200}'\s*:.*\}", re.DOTALL)
_BARE: Final = re.compile(r"(?<=[:,\s\[(])(-?)(nan|inf|NaN|Infinity)(?=\s*[,}\])])")
_DICT_IN_HEAD: Final = re.compile(
    rb"(?:^|[\r\n])[ \t]{0,64}\{'(?:loss|eval_loss|train_loss|train_runtime|grad_norm|learning_rate|eval_runtime)'\s*:"
)
_BAR: Final = re.compile(
    r"\d{1,3}%\|[^|]{0,1000}\| *(?P<count>\d{1,15})/(?P<total>\d{1,15}) *"
    r"\[[^\]]{0,40}?(?P<rest>(?:,[^\]]{0,2000})?)\](?P<up>(?:\x1b\[A)*)"
)
_BAR_IN_HEAD: Final = re.compile(rb"\d{1,3}%\|[^|\r\n]{0,3000}\| *\d+/\d+ *\[")
_TRAINING_TITLE: Final = re.compile(r"|.*(train|epoch|step|iter).*", re.IGNORECASE)
_POSTFIX: Final = re.compile(r"(?:^|,)\s*([A-Za-z_][\w/.-]{0,60})=([^,\s]{1,40})")
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` is text with HF dict lines or with tqdm bars in it."""
    del name
    return is_text(head) and bool(_DICT_IN_HEAD.search(head) or _BAR_IN_HEAD.search(head))


def read_dict(text: str) -> dict[str, Any] | None:
    """Return the dict a line spells, None when it spells none; a literal, never evaluated."""
    found = _DICT.search(text) if len(text) <= MAX_DICT else None
    if found is None:
        return None
    try:
        value = ast.literal_eval(_BARE.sub(r"'\1\2'", found[0]))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return value if isinstance(value, dict) and all(isinstance(key, str) for key in value) else None


@dataclass(slots=True)
class _Waiting:
    """A dict row whose step the next bar will tell."""

    row: dict[str, Any]
    is_training: bool


class HfConsoleDecoder:
    """Reads one console stream in order: stdout, stderr, or both in one file or pseudo-terminal."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._scan = LogScan()
        self._waiting: list[_Waiting] = []
        self._total: int | None = None
        self._candidate: int | None = None
        self._count = 0
        self._step = 0
        self._steps_per_epoch: float | None = None
        self._told_epoch = 0.0
        """The epoch that told it, which was rounded: the farther on, the better."""
        self._postfix = ""
        self._phase = ""
        self._has_dicts = False
        self._inferred = False
        self._matters = False
        self._lines = 1
        self._offset = 0

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole segments of `data`; both newline and carriage return end one."""
        batch = Batch()
        self._rows.begin(batch, at)
        end = len(data) if final else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end == 0 and len(data) > MAX_LINE:
            end = len(data)  # no console writes such a line: what it is does not matter
        self._matters = matters(data[:end])
        place = 0
        for segment in data[:end].replace(b"\r", b"\n").split(b"\n"):
            if segment and not segment.isspace():
                self._segment(segment, data, place, at, batch)
            place += len(segment) + 1
        if final:
            self._settle(self._moved(), batch)
        self._lines += data.count(b"\n", 0, end)
        self._offset += end
        self._rows.finish()
        return end, batch

    def _segment(self, segment: bytes, data: bytes, place: int, at: float, batch: Batch) -> None:
        if b"%|" in segment and len(segment) < MAX_DICT:
            text = segment.decode("utf-8", "replace")
            bar = _BAR.search(text, max(0, text.index("%|") - 3))
            if bar is not None:
                self._bar(bar, at, batch)
                # A plain `print` goes on where the bar, which ends in no newline, left the cursor.
                segment = text[bar.end() :].encode()
                if not segment.strip():
                    return
        if b"{'" in segment and b"':" in segment:
            text = _ESCAPE.sub("", segment.decode("utf-8", "replace"))
            row = read_dict(text)
            if row is not None:
                self._row(row, at, batch)
                return
            if _DICT_IN_HEAD.match(segment):
                self._bad(segment, data, place, batch)
                return
        if self._scan.is_open or (self._matters and matters(segment)):
            self._tell(_ESCAPE.sub("", segment.decode("utf-8", "replace")), at, batch)
        else:
            self._scan.remember(segment)

    def _tell(self, text: str, at: float, batch: Batch) -> None:
        for fact in self._scan.line(text, at):
            if fact.kind == "started":
                self._total = None
            if fact.kind == "phase":
                self._phase = fact.value
            batch.facts.append(fact)

    # Bars

    def _bar(self, bar: re.Match[str], at: float, batch: Batch) -> None:
        title = _ESCAPE.sub("", bar.string[: bar.start()][-200:]).strip()
        total, count = int(bar["total"]), int(bar["count"])
        if not _TRAINING_TITLE.fullmatch(title) or total == 0:
            return
        if bar["up"]:
            self._enter("evaluating", at, batch)
            return
        self._candidate = total
        if self._total is None:
            self._adopt(total, batch)
        if total != self._total:
            self._enter("evaluating", at, batch)
            return
        if self._waiting:
            self._settle(count, batch)
        if count != self._count:
            self._enter("training", at, batch)
        self._count = count
        if not self._has_dicts:
            self._read_postfix(bar["rest"], count, batch)

    def _adopt(self, total: int | None, batch: Batch) -> None:
        self._total = total
        batch.facts.append(Fact("total_steps", total))

    def _read_postfix(self, rest: str, count: int, batch: Batch) -> None:
        """Read `loss=2.31` behind a bar, once each time it changes: that is when the loop set it."""
        pairs = {key: value for key, value in _POSTFIX.findall(rest) if number(value) is not None}
        postfix = repr(pairs)
        if not pairs or postfix == self._postfix:
            return
        self._postfix = postfix
        self._fold(pairs, count, batch)

    # Rows

    def _row(self, row: dict[str, Any], at: float, batch: Batch) -> None:
        flat = dict(flatten(row))
        keys = tuple(flat)
        measures = any(aliases.canonical(key).partition("/")[0] in aliases.KNOWN_METRICS for key in keys)
        if not measures and not summarises(keys) and not any(key.startswith(("eval_", "train_")) for key in keys):
            return
        self._has_dicts = True
        is_training = not summarises(keys) and not any(aliases.is_evaluation(key) for key in keys)
        if is_training and self._candidate not in {None, self._total}:
            self._adopt(self._candidate, batch)
        has_training = is_training or any(item.is_training for item in self._waiting)
        self._waiting.append(_Waiting(flat, is_training))
        if summarises(keys):
            self._settle(self._moved(), batch)
            batch.facts.append(Fact("finished", "train_runtime", self._step, at))
        elif not has_training or self._total is None or len(self._waiting) > _MAX_WAITING:
            self._settle(None, batch)

    def _moved(self) -> int | None:
        """Return the bar's count if it went beyond the last row's step: the best there is when no bar follows."""
        return self._count if self._count > self._step else None

    def _settle(self, count: int | None, batch: Batch) -> None:
        """Give the waiting rows their steps: `count` is what the bar redrawn after them says.

        Several training rows without a bar between them left a buffer together: the bar tells the step of none.
        """
        waiting, self._waiting = self._waiting, []
        training = sum(item.is_training for item in waiting)
        for item in waiting:
            if item.is_training:
                exact = count if training == 1 else None
                self._step = self._step_of(item.row, exact, batch)
                self._fold(item.row, self._step, batch)
            else:
                self._fold(item.row, self._evaluated_at(item.row), batch)

    def _evaluated_at(self, row: dict[str, Any]) -> int:
        """Return the step of an evaluation: where the bar stands, unless the epoch says that it stands elsewhere.

        A bar is redrawn ten times a second at most, and a buffered console gets its dicts after its bars.
        """
        reached, epoch = max(self._count, self._step), number(row.get("epoch"))
        if epoch is None or self._steps_per_epoch is None or not self._told_epoch:
            return reached
        told = epoch * self._steps_per_epoch
        slack = _EPOCH_ROUNDING * (self._steps_per_epoch + told / self._told_epoch)
        return reached if abs(reached - told) <= slack else round(told)

    def _step_of(self, row: dict[str, Any], exact: int | None, batch: Batch) -> int:
        epoch = number(row.get("epoch"))
        if exact is not None:
            if epoch and exact:
                self._steps_per_epoch, self._told_epoch = exact / epoch, epoch
            return exact
        if epoch is not None and self._steps_per_epoch is not None:
            return round(epoch * self._steps_per_epoch)
        if not self._inferred:
            self._inferred = True
            why = "no progress bar tells the steps of this console: rows are numbered"
            batch.facts.append(Fact("steps_inferred", why))
        return self._step + 1

    def _fold(self, row: dict[str, Any], step: int, batch: Batch) -> None:
        whole = {"step": step, **{key: value for key, value in row.items() if key not in aliases.STEP_KEYS}}

        def bad(index: int, reason: str) -> None:
            del index
            batch.bad_rows += 1
            batch.bad.append(BadLine(self._lines, self._offset, reason, visible(str(row))))

        self._rows.add(tuple(whole), [[value] for value in whole.values()], bad)

    def _enter(self, phase: str, at: float, batch: Batch) -> None:
        if phase != self._phase:
            self._phase = phase
            batch.facts.append(Fact("phase", phase, self._count, at))

    def _bad(self, segment: bytes, data: bytes, place: int, batch: Batch) -> None:
        batch.bad_rows += 1
        if len(batch.bad) < MAX_SAMPLES:
            line = self._lines + data.count(b"\n", 0, place)
            batch.bad.append(BadLine(line, self._offset + place, "not a Python dict", visible_bytes(segment)))

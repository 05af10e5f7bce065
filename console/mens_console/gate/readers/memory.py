"""Peak GPU memory: the console's NVML trace, torch's memory statistics, the Hugging Face trainer's, and rows of either.

GB are 10⁹ bytes. A figure is read only where its unit is in its name or its producer's documentation.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers.numbers import at, number, pointer
from mens_console.gate.readers.sheet import Sheet

TRACE: Final = "mens_console_nvml_trace_v1"
_CALL: Final = re.compile(r'nvmlDeviceGetMemoryInfo\("(@\d+)"')
_SMI: Final = re.compile(r"memory\.used(?: \[(\w+)\])?")
_TORCH: Final = ("reserved_bytes.all.peak", "allocated_bytes.all.peak")
_TRAINER: Final = ("before_init_mem_gpu", "init_mem_gpu_alloc_delta", "train_mem_gpu_alloc_delta",
                   "train_mem_gpu_peaked_delta")  # fmt: skip
_NAMED: Final = re.compile(
    r"(?:.*[/_.])?(?:(?:gpu|cuda|vram)_(?:memory|mem)(?:_(?:peak|used|max|allocated|reserved))*|(?:peak|max)_(?:gpu|cuda|vram)_"
    r"(?:memory|mem)|(?:peak|max)_(?:memory|vram)(?:_(?:allocated|reserved))?|vram_(?:peak|used))"
    r"_?(?P<unit>bytes|b|kb|mb|gb|kib|mib|gib)?$",
    re.IGNORECASE,
)
_BYTES: Final = re.compile(r"(?:max|peak)_memory_(?:allocated|reserved)$")
"""torch's own names, which are bytes by its documentation."""


def claims_trace(document: Any) -> bool:
    """Whether the console recorded it from NVML."""
    return bool(at(document, "schema") == TRACE)


def read_trace(document: dict[str, Any], sheet: Sheet) -> None:
    """Add the largest memory in use at one time, summed over the GPUs (each at its own peak: the upper end)."""
    sheet.taken(document.get("recorded_at"))
    calls = document.get("calls")
    peaks: dict[str, float] = {}
    samples = 0
    for key, answers in calls.items() if isinstance(calls, dict) else ():
        named = _CALL.match(key)
        if named is None or not isinstance(answers, list):
            continue
        used = [number(at(one, 1, "value", "used")) for one in answers]
        used = [one for one in used if math.isfinite(one)]
        samples += len(used)
        if used:
            peaks[named[1]] = max(peaks.get(named[1], 0.0), *used)
    trouble = "" if peaks else "no GPU told its memory"
    value = sum(peaks.values()) if peaks else None
    sheet.add("gpu_memory_peak", value, "bytes", "/calls", n=samples or None, tags={"gpus": str(len(peaks))},
              trouble=trouble, note="of everything on the GPUs, other processes too")  # fmt: skip


def claims_smi(text: str) -> bool:
    """Whether `nvidia-smi --query-gpu=…,memory.used --format=csv` printed it."""
    return bool(_SMI.search(text[: text.find("\n") + 1]))


def read_smi(text: str, sheet: Sheet) -> None:
    """Add the sum of each GPU's largest memory in use."""
    lines = list(csv.reader(io.StringIO(text), skipinitialspace=True))
    columns = [name.strip() for name in lines[0]]
    place = next((one for one, name in enumerate(columns) if _SMI.fullmatch(name)), None)
    if place is None:
        sheet.problem = "its first line is no list of columns: query with --format=csv"
        return
    unit = _SMI.fullmatch(columns[place])
    who = next((columns.index(name) for name in ("uuid", "gpu_uuid", "index", "pci.bus_id") if name in columns), None)
    peaks: dict[str, float] = {}
    first = lines[1][place].split() if len(lines) > 1 and place < len(lines[1]) else []
    trouble = "" if who is not None else "it does not say of which GPU a row is: query index too"
    for number_, row in enumerate(lines[1:], 2):
        if not row:
            continue
        words = row[place].split() if len(row) == len(columns) else []
        used = number(words[0]) if words else math.nan
        if words and len(words) != len(first):
            trouble = trouble or f"line {number_}: its memory is not written as in the first line: is it cut off?"
        if not math.isfinite(used) or used < 0:
            trouble = trouble or f"line {number_}: no memory is told"
            continue
        gpu = row[who] if who is not None and who < len(row) else ""
        peaks[gpu] = max(peaks.get(gpu, 0.0), used)
    value = sum(peaks.values()) if peaks else None
    sheet.add("gpu_memory_peak", value, (unit[1] if unit else "") or "MiB", f"column {columns[place]}",
              n=len(lines) - 1, tags={"gpus": str(len(peaks))}, trouble=trouble or ("" if peaks else "it has no row"),
              note="of everything on the GPUs, other processes too")  # fmt: skip


def claims_snapshot(document: Any) -> bool:
    """Whether it holds torch's `memory_stats`, or the memory metrics of the Hugging Face trainer."""
    return isinstance(document, dict) and (
        any(name in document for name in _TORCH) or all(name in document for name in _TRAINER) or _found(document)
    )


def _found(document: Mapping[str, Any]) -> bool:
    return len(document) < 40 and any(_unit(name) is not None for name in document)


def read_snapshot(document: dict[str, Any], sheet: Sheet) -> None:
    """Add its peak."""
    for name in _TORCH:
        if name in document:
            sheet.add("gpu_memory_peak", document[name], "bytes", pointer(name), n=1, note=name.split("_", 1)[0])
            return
    if all(name in document for name in _TRAINER):
        value = sum(number(document[name]) for name in _TRAINER)
        sheet.add("gpu_memory_peak", value, "bytes", pointer(_TRAINER[-1]), n=1, tags={"phase": "train"},
                  note="memory before + of loading + of training + its peak over that")  # fmt: skip
        return
    rows = MemoryRows()
    rows.add(document, 1)
    rows.finish(sheet)


def _unit(name: str) -> str | None:
    """Return the unit of a key that names a GPU's memory ("": it does not say), None where it names no such thing."""
    if _BYTES.search(name):
        return "bytes"
    named = _NAMED.match(name)
    return None if named is None else (named["unit"] or "").lower()


def claims_row(row: Any) -> bool:
    """Whether a line tells a GPU's memory."""
    return isinstance(row, dict) and any(_unit(name) is not None for name in row)


@dataclass(slots=True)
class MemoryRows:
    """Reads a memory trace of one object a line: the largest figure of those whose unit is known."""

    peak: float = -math.inf
    unit: str = ""
    place: str = ""
    rows: int = 0
    trouble: str = ""
    last: float = 0.0
    unknown: dict[str, int] = field(default_factory=dict)

    def add(self, row: Any, line: int) -> None:
        """Take one row."""
        if not isinstance(row, dict):
            self.trouble = self.trouble or f"line {line} is no JSON object"
            return
        for name, value in row.items():
            unit = _unit(name)
            if unit is not None and value is not None:
                self._take(name, unit, number(value), line)
        for name in ("timestamp", "ts", "time"):
            if isinstance(row.get(name), int | float) and 1e9 < row[name] < 1e11:
                self.last = max(self.last, float(row[name]))

    def _take(self, name: str, unit: str, value: float, line: int) -> None:
        if not unit:
            self.unknown[name] = self.unknown.get(name, 0) + 1
            return
        self.rows += 1
        if not math.isfinite(value) or value < 0:
            self.trouble = self.trouble or f"line {line}: {name} is no number, or negative"
            return
        times = {"b": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}[
            unit
        ]
        if value * times > self.peak:
            self.peak, self.place = value * times, f"line {line}: {name}"

    def finish(self, sheet: Sheet) -> None:
        """Add the peak."""
        if self.last > 0:
            sheet.taken(self.last)
        trouble = self.trouble
        if self.unknown:
            name = next(iter(self.unknown))
            trouble = trouble or f"{name} does not say its unit: call it {name}_bytes or {name}_gb"
        if self.peak == 0:
            trouble = trouble or "its peak is 0 bytes: nothing was measured"
        value = self.peak if math.isfinite(self.peak) else None
        sheet.add("gpu_memory_peak", value, "bytes", self.place or "/", n=self.rows or None, trouble=trouble)

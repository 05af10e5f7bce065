"""The inputs of the benchmarks: generated, the same every time, written where the caller says.

No measuring here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from mens_console.ingest.formats.protobuf import masked_crc32c

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

METRICS: Final = (
    "loss", "grad_norm", "learning_rate", "tokens_per_sec", "entropy", "mean_token_accuracy", "steps_per_sec",
    *(f"layer_{i:02d}/update_ratio" for i in range(13)),
)  # fmt: skip
"""Twenty metrics, named as trainers name them."""
START_S: Final = 1_700_000_000.0
"""When the generated runs began (seconds since the epoch)."""
_BLOCK: Final = 10_000


def values(rows: int, columns: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return noisy decaying curves of shape (rows, columns), rounded as a trainer's log is."""
    noise = np.random.default_rng(seed).normal(0.0, 0.05, (rows, columns))
    decay = np.exp(-np.arange(rows) / max(rows / 4, 1))[:, None]
    return np.round(1.0 + 2.0 * decay + noise, 6)


def row(step: int, numbers: list[float]) -> bytes:
    """Return one flat row as a line of JSON."""
    named = dict(zip(METRICS, numbers, strict=False))
    return orjson.dumps({"step": step, "timestamp": START_S + step * 0.5, **named}) + b"\n"


def write_metrics(path: Path, rows: int, *, seed: int = 0) -> Path:
    """Write a flat JSONL log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = values(rows, len(METRICS), seed=seed).tolist()
    with path.open("wb") as out:
        for start in range(0, rows, _BLOCK):
            part = numbers[start : start + _BLOCK]
            out.write(b"".join(row(start + 1 + i, one) for i, one in enumerate(part)))
    return path


def write_runs(root: Path, runs: int, rows: int = 3) -> list[Path]:
    """Write so many small run directories; return their logs."""
    return [write_metrics(root / f"run-{i:04d}" / "metrics.jsonl", rows, seed=i) for i in range(runs)]


def write_log(path: Path, size: int) -> Path:
    """Write a text log of about `size` bytes whose lines look like a training box's, ending in a whole line."""
    levels = ("INFO", "INFO", "INFO", "DEBUG", "WARNING")
    lines = [
        f"2026-01-01 00:{i // 60 % 60:02d}:{i % 60:02d},{i % 1000:03d} {levels[i % 5]:7} trainer.loop worker={i % 8} "
        f"batch {i} took {(i * 7919) % 1000 / 1000:.3f} s, queue {(i * 31) % 97}\n"
        for i in range(10_000)
    ]
    block = "".join(lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for _ in range(max(1, size // len(block))):
            out.write(block)
    return path


def write_tfevents(path: Path, scalars: int, tags: int = 10) -> Path:
    """Write a TensorBoard event file of so many simple scalar values, `tags` of them at each step."""
    with path.open("wb") as out:
        out.write(_record(b"\x09" + struct.pack("<d", START_S) + b"\x1a\x0dbrain.Event:2"))
        numbers = values(max(1, scalars // tags), tags).tolist()
        for step, one in enumerate(numbers, 1):
            out.write(b"".join(_record(_scalar(step, f"train/{METRICS[i]}", v)) for i, v in enumerate(one)))
    return path


def _scalar(step: int, tag: str, value: float) -> bytes:
    name = tag.encode()
    inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(inner)]) + inner
    wall = b"\x09" + struct.pack("<d", START_S + step * 0.5)
    return wall + b"\x10" + _varint(step) + b"\x2a" + bytes([len(summary)]) + summary


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))

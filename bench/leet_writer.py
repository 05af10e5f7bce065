"""Writes W&B runs: run by the anchors' interpreter, which has wandb, and by nothing else.

`record ROWS` logs an offline run with the wandb library. `live ROWS` writes one itself from wandb's own records,
prints its path, and appends a row for each number on standard input: the library holds rows back for ten seconds or
32 KiB, which would make every watcher look slow.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import time
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

COLUMNS = 20
_BLOCK = 32 * 1024
_HEAD = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class Log:
    """A transaction log: LevelDB's record framing with plain CRC-32, after seven bytes of identification."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("wb", buffering=0)
        self._out.write(b":W&B\xe1\xbe\x00")
        self._at = 7
        self._number = 0

    def add(self, *records: Any) -> None:
        """Append records with one write."""
        out = bytearray()
        for record in records:
            self._number += 1
            record.num = self._number
            self._frame(record.SerializeToString(), out)
        self._out.write(bytes(out))

    def _frame(self, data: bytes, out: bytearray) -> None:
        first = True
        while first or data:
            room = _BLOCK - self._at % _BLOCK
            if room < _HEAD.size:
                out += bytes(room)
                self._at += room
                continue
            part, data = data[: room - _HEAD.size], data[room - _HEAD.size :]
            kind = (_WHOLE if first else _LAST) if not data else (_FIRST if first else _MIDDLE)
            out += _HEAD.pack(zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            self._at += _HEAD.size + len(part)
            first = False


def live(rows: int) -> None:
    """Write a run of `rows` rows, then one more for each number on standard input."""
    wandb: Any = import_module("wandb")
    messages: Any = import_module("wandb.proto.wandb_internal_pb2")
    folder = Path("wandb", "offline-run-20260101_000000-bench")
    folder.mkdir(parents=True)
    path = folder / "run-bench.wandb"
    log = Log(path)
    head, run = messages.Record(), messages.Record()
    head.header.version_info.producer = wandb.__version__
    run.run.run_id, run.run.project, run.run.display_name = "bench", "bench", "bench"
    run.run.start_time.seconds = int(time.time())
    log.add(head, run)
    numbers = random.Random(0)  # noqa: S311
    for step in range(1, rows + 1):
        log.add(*_row(messages, step, [1 + 2 / step**0.2 + numbers.gauss(0, 0.05) for _ in range(COLUMNS)]))
    sys.stdout.write(f"{path.absolute()}\n")
    sys.stdout.flush()
    for step, line in enumerate(sys.stdin, rows + 1):
        log.add(*_row(messages, step, [float(line)] * COLUMNS))


def _row(messages: Any, step: int, values: list[float]) -> tuple[Any, Any]:
    """Return the records that a call of `log` leaves: a row of history, and the summary of newest values."""
    history, summary = messages.Record(), messages.Record()
    history.history.step.num = step
    named = {f"m{i:02d}": value for i, value in enumerate(values)}
    for key, value in {**named, "_step": step, "_timestamp": time.time(), "_runtime": step * 0.5}.items():
        for update in (history.history.item.add(), summary.summary.update.add()):
            update.nested_key.append(key)
            update.value_json = json.dumps(value)
    return history, summary


def record(rows: int) -> None:
    """Log an offline run of `rows` rows with the library."""
    wandb: Any = import_module("wandb")
    quiet = wandb.Settings(x_disable_stats=True, console="off", silent=True)
    run = wandb.init(mode="offline", project="bench", dir=".", settings=quiet)
    numbers = random.Random(0)  # noqa: S311
    for step in range(1, rows + 1):
        run.log({f"m{i:02d}": i + 2 / step**0.2 + numbers.gauss(0, 0.05) for i in range(COLUMNS)}, step=step)
    run.finish()


if __name__ == "__main__":
    {"live": live, "record": record}[sys.argv[1]](int(sys.argv[2]))

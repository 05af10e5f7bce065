"""Small runs as producers write them, for the tests of the command line."""

import json
import math
from pathlib import Path

BEGAN = 1_760_000_000.0


def rows(steps, *, loss=lambda step: 4.0 * math.exp(-step / 60) + 1.0, total=200, **extra):
    for step in steps:
        row = {"step": step, "loss": loss(step), "lr": 1e-4, "total_steps": total, "ts": BEGAN + step * 2.0}
        yield row | {key: value(step) for key, value in extra.items()}


def write(folder: Path, lines, name="metrics.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / name).write_text(text)
    return folder


def healthy(folder: Path, name="good"):
    return write(folder / name, [*rows(range(1, 101), grad_norm=lambda s: 1.0 + s % 7 / 10), {"event": "x"}])


def broken(folder: Path, name="nan"):
    return write(folder / name, rows(range(1, 61), loss=lambda s: 2.0 if s < 40 else math.nan))


def resumed(folder: Path, name="resumed"):
    first = rows(range(1, 51))
    second = ({**row, "loss": row["loss"] + 0.5, "ts": row["ts"] + 500} for row in rows(range(31, 101)))
    return write(folder / name, [*first, *second])

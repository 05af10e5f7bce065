"""Logs an offline W&B run: run by the anchors' interpreter, which has wandb, and by nothing else.

`leet_writer.py ROWS` logs so many rows; with `-` after it, one more row for each number on standard input.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from typing import Any

COLUMNS = 20


def main() -> None:
    """Log the rows."""
    wandb: Any = import_module("wandb")
    quiet = wandb.Settings(x_disable_stats=True, console="off", silent=True)
    run = wandb.init(mode="offline", project="bench", dir=".", settings=quiet)
    rows = int(sys.argv[1])
    numbers = random.Random(0)  # noqa: S311
    for step in range(1, rows + 1):
        run.log({f"m{i:02d}": i + 2 / step**0.2 + numbers.gauss(0, 0.05) for i in range(COLUMNS)}, step=step)
    if sys.argv[2:] == ["-"]:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for step, line in enumerate(sys.stdin, rows + 1):
            run.log({f"m{i:02d}": float(line) for i in range(COLUMNS)}, step=step)
    run.finish()


if __name__ == "__main__":
    main()

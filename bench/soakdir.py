"""A soak's directory: 72 h of it opened, looked at again with nothing new, and with one more minute."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.context import Context, timed
from bench.figure import Figure, Target
from mens_console.soak import plan, rows, schedule
from mens_console.soak.follow import SoakFollower
from mens_console.soak.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.soak.types import Plan

_GENERATOR: Final = Path(__file__).parents[1] / "tests" / "support" / "soaks.py"
_RATE: Final = 10
_TOKENS: Final = 128
_MORE: Final = 6
"""Minutes that are still to come where the generator stops."""
_CHILD: Final = """
import json, resource, sys, time
from mens_console.soak.follow import read_soak
start, cpu = time.perf_counter(), time.process_time()
report = read_soak(sys.argv[1], time.time())
took = [time.perf_counter() - start, time.process_time() - cpu]
print(json.dumps([*took, report.requests, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def bench_directory(context: Context) -> Iterator[Figure]:
    """Write a soak of 72 h in seconds, open it in fresh processes, then follow it as its driver goes on."""
    folder, hours = context.work / "soak", context.pick(72, 12)
    until = hours * 3600 - _MORE * 60
    arguments = ["--hours", str(hours), "--rate", str(_RATE), "--until", str(until)]
    subprocess.run([sys.executable, _GENERATOR, folder, *arguments], check=True, stdout=subprocess.DEVNULL)
    opened = [_open(folder) for _ in range(context.pick(7, 3))]
    note = f"{opened[0][2]:,} requests from their minutes to a whole report, in a fresh process, imports apart"
    yield Figure(f"{hours} h of soak: opened", "s", [one[0] for one in opened], Target(1.0), note=note)
    yield Figure(f"{hours} h of soak: opened, processor time", "s", [one[1] for one in opened])
    yield Figure(f"{hours} h of soak: peak resident memory", "MB", [one[3] for one in opened], Target(200.0))
    yield from _follow(folder, hours)


def _open(folder: Path) -> tuple[float, float, int, float]:
    """Return the wall and processor seconds of opening, the requests that it told, and the peak of resident MB."""
    done = subprocess.run([sys.executable, "-c", _CHILD, folder], stdout=subprocess.PIPE, text=True, check=True)
    took, cpu, requests, peak = json.loads(done.stdout)
    return took, cpu, requests, peak


def _follow(folder: Path, hours: int) -> Iterator[Figure]:
    follower, made = SoakFollower(folder), plan.read(folder)
    follower.poll(time.time())
    before = follower.report.requests
    idle = [timed(lambda: follower.poll(time.time()))[0] * 1000 for _ in range(50)]
    yield Figure(f"{hours} h of soak: a look with nothing new", "ms", idle)
    driver, grown = Writer(folder, made), []
    index = int(driver.folding.now_s // 60)
    driver.add(rows.happened(driver.folding.now_s, "resume", "the benchmark goes on"))
    for number in range(index, index + _MORE - 1):
        driver.add(*_minute(made, number))
        grown.append(timed(lambda: (follower.poll(time.time()), follower.report))[0] * 1000)
    driver.close()
    ended = follower.report.requests - before
    note = f"{ended // len(grown)} requests of {_TOKENS} tokens each, from raw rows to a whole report"
    yield Figure(f"{hours} h of soak: a look with one more minute", "ms", grown, note=note)


def _minute(made: Plan, index: int) -> list[rows.Row]:
    """Return the rows of a minute in which all goes well."""
    draw, told = random.Random(index), list[rows.Row]()  # noqa: S311
    for number, due in enumerate(schedule.due(made, index)):
        gaps = [round(draw.lognormvariate(3.2, 0.35), 2) for _ in range(_TOKENS - 1)]
        took = round(70 + sum(gaps), 3)
        told.append(
            rows.Request(
                id=(index, number), due=due, sent=due, e2e=took, ttft=70.0, gaps=gaps, tok=_TOKENS, by="server",
                chunks=_TOKENS,
            )
        )  # fmt: skip
    return sorted(told, key=lambda row: row.at)

"""Attempt logs: all of S1's batch metrics beside DuckDB, few fields, a log that grows, and one that is opened again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.context import Context, interleaved, timed
from bench.figure import Figure, Target
from bench.process import usage
from mens_console.health.few import FewReader
from mens_console.health.follow import Follower

if TYPE_CHECKING:
    from collections.abc import Iterator

_GENERATOR: Final = Path(__file__).parents[1] / "tests" / "support" / "attempt_logs.py"
_NOW: Final = 1_770_000_000.0
_BLOCK: Final = 1 << 19
_ROWS: Final = 1000
_AGGREGATE: Final = """
import json, sys, time
from mens_console.health.aggregate import aggregate
start, cpu = time.perf_counter(), time.process_time()
report = aggregate([sys.argv[1]], workers=int(sys.argv[2]))
print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, report.tier.attempts]))
"""
_DUCKDB: Final = """
import json, sys, time
import duckdb
connection = duckdb.connect(config={"threads": int(sys.argv[2])})
connection.execute("SET enable_progress_bar = false")
start, cpu = time.perf_counter(), time.process_time()
batches = connection.execute(open(sys.argv[3]).read(), {"log": sys.argv[1]}).fetchall()
print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, sum(batch[2] for batch in batches)]))
"""


def write_log(context: Context, megabytes: int) -> Path:
    """Write a seeded log of one run that drifts."""
    path = context.work / "attempts.jsonl"
    size = f"{megabytes}MB"
    subprocess.run([sys.executable, _GENERATOR, path, "--size", size, "--scenario", "drifting"], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return path


def measured(code: str, path: Path, *arguments: str) -> tuple[float, float, int, float]:
    """Run `code` on a log; return wall and processor seconds, attempts, and the peak of resident MB of its family."""
    child = subprocess.Popen([sys.executable, "-c", code, str(path), *arguments], stdout=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        try:
            peak = max(peak, usage(child.pid).rss)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    text = child.communicate()[0]
    if child.returncode:
        raise RuntimeError(f"it ended with {child.returncode}")
    wall, cpu, attempts = json.loads(text)
    return wall, cpu, attempts, peak / 1e6


def bench_attempts(context: Context) -> Iterator[Figure]:
    """Measure in file bytes a second, processes' start included."""
    path = write_log(context, context.pick(1000, 100))
    yield from _rates(context, path)
    yield from _few(path)
    yield from _live(context, path)
    yield from _reopen(context, path)


def _rates(context: Context, path: Path) -> Iterator[Figure]:
    megabytes = path.stat().st_size / 1e6
    seen: dict[str, list[Any]] = {"alone": [], "workers": [], "DuckDB": []}

    def run(name: str, code: str, *arguments: str) -> float:
        seen[name].append(measured(code, path, *arguments))
        wall: float = seen[name][-1][0]
        return megabytes / wall

    sql = str(Path(__file__).with_name("attempts.sql"))
    calls = [lambda: run("alone", _AGGREGATE, "0"), lambda: run("workers", _AGGREGATE, "2")]
    if find_spec("duckdb"):
        calls.append(lambda: run("DuckDB", _DUCKDB, "2", sql))
    samples = interleaved(context.pick(3, 3), *calls)
    if len({attempts for runs in seen.values() for _, _, attempts, _ in runs}) != 1:
        raise RuntimeError(f"attempts differ: {seen}")
    size = f"{megabytes:.0f} MB of attempts"
    how = "two threads" if seen["DuckDB"] else "not installed"
    alone = [megabytes / cpu for _, cpu, _, _ in seen["alone"]]
    yield Figure(f"{size}, one process", "MB/s of CPU", alone, Target(190, at_least=True),
                 [megabytes / cpu for _, cpu, _, _ in seen["DuckDB"]], f"DuckDB, {how}")  # fmt: skip
    yield Figure(f"{size}, two workers", "MB/s", samples[1], Target(0.8, of_anchor=True, at_least=True),
                 samples[2] if seen["DuckDB"] else (), f"DuckDB, {how}")  # fmt: skip
    yield Figure("… resident memory, workers included", "MB", [peak for *_, peak in seen["workers"]], Target(200),
                 [peak for *_, peak in seen["DuckDB"]], f"DuckDB, {how}")  # fmt: skip


def _few(path: Path) -> Iterator[Figure]:
    blocks, reader = [], FewReader(("run_id", "status", "latency_ms", "opening_move"))
    data = path.read_bytes()[: 64 << 20]
    begin = 0
    while (end := data.rfind(b"\n", begin, begin + _BLOCK) + 1) > begin:
        blocks.append(data[begin:end])
        begin = end
    rates = [begin / 1e6 / timed(lambda: [len(reader.read(block)) for block in blocks], cpu=True)[0] for _ in range(5)]
    yield Figure("four fields of attempts", "MB/s of CPU", rates, Target(600, at_least=True))


def _live(context: Context, path: Path) -> Iterator[Figure]:
    """Append rows to a log that was read, and read them."""
    lines = path.read_bytes()[: 4 << 20].split(b"\n")[: 4 * _ROWS]
    for name, history in (("a long history", context.pick(400, 100)), ("no history", 0)):
        live = context.work / "live.jsonl"
        with path.open("rb") as log, live.open("wb") as file:
            file.write(log.read(history * 1_000_000).rpartition(b"\n")[0] + b"\n" if history else b"")
        follower = Follower([live])
        while follower.poll(_NOW) or follower.more:
            pass
        samples = []
        for turn in range(40):
            begin = turn % 4 * _ROWS
            with live.open("ab") as file:
                file.write(b"\n".join(lines[begin : begin + _ROWS]) + b"\n")
            seconds, attempts = timed(lambda f=follower: _looked(f))  # type: ignore[misc]
            samples.append(seconds * 1e3)
        follower.close()
        note = f"{attempts} attempts in the end; each time the report is made and its two newest batches are judged"
        yield Figure(f"+{_ROWS} rows on {name}", "ms", samples, Target(4.0), note=note)


def _looked(follower: Follower) -> int:
    """Read what is new, and look at all that it changes: bands are judged when somebody asks for them."""
    follower.poll(_NOW)
    report = follower.report
    if not all(judged.bands["repair_rate"].reason for judged in report.batches[-2:]):
        raise RuntimeError("a batch was not judged")
    return report.tier.attempts


def _reopen(context: Context, path: Path) -> Iterator[Figure]:
    """Open a log again that was aggregated before."""
    cache = context.work / "cache"

    def opened() -> float:
        start = time.perf_counter()
        follower = Follower([path], cache=cache, workers=2)
        while follower.poll(_NOW) or follower.more:
            follower.wait(0.25)
        attempts = follower.report.tier.attempts
        seconds = time.perf_counter() - start
        follower.close()
        if not attempts:
            raise RuntimeError("nothing was read")
        return seconds

    first = opened()
    again = [opened() for _ in range(3)]
    yield Figure("an aggregated log opened again", "s", again, None, [first], "opened first",
                 "its whole batches are judged anew, none of its bytes is read")  # fmt: skip

"""Made-up soaks: minutes by hand, analysed as real ones are: one of 72 h, young ones, failing ones, foreign ones."""

import math
import random
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from screens.box import NOW

from mens_console.load.histogram import Histogram
from mens_console.soak.analyse import Analyst
from mens_console.soak.types import Event, Minute, Plan, ProbeAt
from mens_console.store.snapshot import SoakView

HOSTILE = "\x1b[31msoak[/red]\u202e 試験\n"
OUTAGES = ((700, 5), (2210, 3), (3100, 12))
"""Minutes in which the server is down in the long soak: the first one, and how many."""
GAP = (1500, 20)
"""Minutes in which nobody drove it."""


def plan(hours=72.0, begun=None, **changes):
    made = Plan(
        id="soak-r16", url="http://127.0.0.1:8000/v1", model="llama-7b-r16", rate=2.0, duration_s=hours * 3600,
        started=NOW - 3600.0 if begun is None else begun, watch_pid=4711, limits={"rss": 12e9},
    )  # fmt: skip
    return replace(made, **changes)


@dataclass
class Record:
    """What an analyst reads."""

    plan: Plan | None
    minutes: list[Minute]
    now_s: float
    events: list[Event] = field(default_factory=list)
    normal_ms: float | None = 610.0
    state: str = "running"
    why: str = "the driver's beat is 1 s old (pid 4121)"
    problems: list[str] = field(default_factory=list)


def spread(middle, n, seed):
    """Return a histogram of latencies around `middle` ms, with a tail."""
    draw = random.Random(seed)
    return Histogram.of_values(
        middle * math.exp(draw.gauss(0, 0.18)) * (3 if draw.random() < 0.01 else 1) for _ in range(n)
    )


@cache
def latencies(step, n):
    """Return the histograms of a minute that is `step` of twenty slow; shared by all such minutes."""
    slow = 1 + step / 20
    e2e = spread(600 * slow, n, step)
    return {
        "ttft": spread(70 * slow, n, step + 100), "itl": spread(22 * slow, 4 * n, step + 200), "e2e": e2e,
        "scheduled": e2e, "lag": spread(0.4, n, 7),
    }  # fmt: skip


def minute(index, *, down=False, part=1.0, blind=False, leak=9e5, n=120):
    """Return one minute at two requests a second; slowest in the afternoon of each day."""
    step = round(10 * (1 - math.cos(index / 1440 * 2 * math.pi)))
    due = round(n * part)
    levels = {"rss": 6.1e9 + leak * index, "gpu_memory": 8.4e9, "kv_cache": 0.3 + 0.2 * math.sin(index / 90)}
    if blind:
        return Minute(index, due=due, skipped=due, unobserved_s=60.0, closed=True)
    failed = {"connect": due} if down else {"http": 1} if index % 97 == 0 else {}
    bad = sum(failed.values())
    return Minute(
        index, due=due, sent=due, ended=due, failed=failed,
        reasons={"connect refused": bad} if down else {"http 503": bad} if failed else {},
        degraded=0 if down else step // 4, good=due - bad,
        output_tokens=(due - bad) * 96, counted_by={"server": due - bad},
        probes=[
            ProbeAt(index * 60 + 10.0 * i, not down, None if down else 1.4, "connection refused" if down else "")
            for i in range(round(6 * part))
        ],
        tens=[[due // 6, due // 6 if down else 0] for _ in range(6)],
        latencies={} if down else latencies(step, n), levels=levels, closed=part == 1.0,
    )  # fmt: skip


@cache
def long(hours=72.0, state="finished"):
    """Return a soak of so many hours, down three times, that nobody drove for twenty minutes."""
    many = round(hours * 60)
    down = {m for first, n in OUTAGES for m in range(first, first + n)}
    blind = set(range(GAP[0], GAP[0] + GAP[1]))
    minutes = [minute(i, down=i in down, blind=i in blind) for i in range(many)]
    begun = NOW - hours * 3600 - 40
    events = [
        Event(0.0, "start", "pid 4711 is watched"), Event(61.0, "normal", "610 ms, the median of 100"),
        Event(GAP[0] * 60.0, "gap", "the box was rebooted", (GAP[0] + GAP[1]) * 60.0),
        Event((GAP[0] + GAP[1]) * 60.0, "resume", "after the driver was killed"),
        Event(hours * 3600, "end", "all of it"),
    ]  # fmt: skip
    record = Record(plan(hours, begun), minutes, hours * 3600, events, state=state, why="it ended as planned")
    return Analyst("/box/runs/soak-r16").update(record)


def young(minutes=9, **changes):
    """Return a soak of a few minutes that goes on: nothing is decided yet."""
    rows = [minute(i) for i in range(minutes)] + [minute(minutes, part=0.4)]
    record = Record(plan(begun=NOW - minutes * 60 - 24), rows, minutes * 60 + 24, [Event(0.0, "start", "begun")])
    return replace(Analyst("/box/runs/young").update(record), **changes)


def failing(**changes):
    """Return a soak that fails now: the server has been away for four minutes."""
    rows = [minute(i, down=i >= 56) for i in range(60)]
    record = Record(plan(begun=NOW - 3602), rows, 3600.0)
    return replace(Analyst("/box/runs/failing").update(record), **changes)


def died(**changes):
    why = "process 4121 runs no more, and the journal has no end; its last sign of life is 11 min old"
    return failing(state="died", why=why, path="/box/runs/died", **changes)


def imported(**changes):
    """Return what another tool's file tells: no plan, no probe, no minutes."""
    made = young(0)
    bare = {name: spread(mid, 500, mid) for name, mid in (("ttft", 81), ("e2e", 930))}
    record = Record(None, [], 0.0, state="imported", why="written by guidellm 0.8", normal_ms=None)
    empty = Analyst("/box/runs/benchmarks.json").update(record)
    return replace(
        empty, source="guidellm", latencies=bare, requests=520, failed={"http": 20}, started=NOW - 5000,
        now_s=300.0, output_tokens=48_000, output_tokens_per_s=160.0, counted_by={"server": 500}, offered_rate=None,
        achieved_rate=1.7, problems=("its inter-token latency is a mean of each request, not raw gaps",),
        columns=empty.columns if len(empty.columns.index) == 0 else made.columns, **changes,
    )  # fmt: skip


def view(report, name=None, **changes):
    path = Path(report.path)
    return replace(SoakView(name or path.name, path, report, report.rev), **changes)


def several():
    return (
        view(failing(), "failing"), view(young(), "young"), view(long()), view(died(), "died"),
        view(imported(), "guidellm/benchmarks.json"),
    )  # fmt: skip

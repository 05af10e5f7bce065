"""Minutes made by hand: a server that is down at given times, asked at a constant rate and probed each 10 s."""

import random
from dataclasses import dataclass, field

from mens_console.load.histogram import Histogram
from mens_console.soak.types import LATENCIES, Event, Minute, Plan, ProbeAt

STARTED = 1_763_000_000.0


def plan(**more):
    told = {
        "id": "soak-1",
        "url": "http://127.0.0.1:8000/v1",
        "model": "llama-7b",
        "rate": 10.0,
        "duration_s": 3600.0,
        "started": STARTED,
    }
    return Plan(**told | more)


def minute(index, *, rate=10, down=(), broken=(), offset=0.0, every=10.0, seed=0, gaps=4, closed=True, levels=None):
    """Return a minute. `down`: times in which probes and requests fail; `broken`: in which requests alone fail."""
    draw = random.Random(f"{seed}/{index}")
    made = Minute(index, closed=closed)
    begin = index * 60.0
    seconds, fails = [0] * 60, {}
    for number in range(rate * 60):
        due = begin + number / rate
        made.due += 1
        made.sent += 1
        made.ended += 1
        ten = made.tens[int((due - begin) // 10)]
        ten[0] += 1
        second = int(due - begin)
        seconds[second] += 1
        if within(due, (*down, *broken)):
            ten[1] += 1
            kind, word = ("connect", "connect connection refused") if within(due, down) else ("http", "http 503")
            made.failed[kind] = made.failed.get(kind, 0) + 1
            made.reasons[word] = made.reasons.get(word, 0) + 1
            told = fails.setdefault(word, {})
            told[second] = told.get(second, 0) + 1
            continue
        ttft = 60 + draw.expovariate(1 / 10)
        itl = [20 + draw.expovariate(1 / 2) for _ in range(gaps)]
        made.latencies["ttft"].add(ttft)
        for gap in itl:
            made.latencies["itl"].add(gap)
        made.latencies["e2e"].add(ttft + sum(itl))
        made.latencies["scheduled"].add(ttft + sum(itl) + 0.2)
        made.latencies["lag"].add(0.2)
        made.good += 1
        made.output_tokens += gaps + 1
        made.counted_by["server"] = made.counted_by.get("server", 0) + 1
    at = begin + offset % every
    while at < begin + 60:
        ok = not within(at, down)
        made.probes.append(ProbeAt(at, ok, 1.5 if ok else None, "" if ok else "connection refused"))
        at += every
    made.levels.update(levels or {})
    if fails:
        made.seconds = seconds
        made.fails = {word: [one for pair in told.items() for one in pair] for word, told in fails.items()}
    return made


def within(moment, spans):
    return any(begin <= moment < end for begin, end in spans)


def quick(index, **more):
    """Return a minute without a fault whose histograms are shared: for soaks of thousands of minutes."""
    if not _SHARED:
        for name in LATENCIES:
            _SHARED[name] = Histogram.of_values(60 + i % 40 for i in range(600))
    told = {
        "due": 600, "sent": 600, "ended": 600, "good": 600, "output_tokens": 76_800, "counted_by": {"server": 600},
        "probes": [ProbeAt(index * 60.0 + i * 10, True, 1.5) for i in range(6)], "tens": [[100, 0] for _ in range(6)],
        "latencies": _SHARED, "closed": True,
    }  # fmt: skip
    return Minute(index, **told | more)


_SHARED: dict[str, Histogram] = {}


@dataclass
class Record:
    """What an analyst reads."""

    plan: Plan | None = field(default_factory=plan)
    minutes: list[Minute] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    normal_ms: float | None = 200.0
    state: str = "running"
    why: str = "the driver's beat is 1 s old"
    problems: list[str] = field(default_factory=list)
    now_s: float = 0.0

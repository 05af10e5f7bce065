"""Seeded directories of soaks for tests and benchmarks: of any length and rate, with failures, gaps and resumes.

    python tests/support/soaks.py big --hours 72 --rate 10

All but the last minutes are written as closed ones only, as if their raw rows had been discarded; the last `raw_s`
seconds go through the real writer, row by row. 72 h at 10 requests a second take some ten seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mens_console.load.histogram import Histogram, value
from mens_console.soak import minutes, plan, rows, schedule
from mens_console.soak.fold import Closed, Place
from mens_console.soak.types import Event, Minute, Plan, ProbeAt
from mens_console.soak.writer import Writer

BEGAN = 1_769_869_921.0
"""2026-01-31T14:32:01Z."""
SEGMENT_MINUTES = 60
_ROW_BYTES = 1200
_KEYS = np.arange(-700, 1400)
_UPPER = np.array([value(int(one)) * 1.01 for one in _KEYS])
_NORMAL_MS = 900.0


@dataclass(frozen=True)
class Trouble:
    """From `begin` to `end` (s) this share of the requests fails with `error`; probes fail too unless `probes`."""

    begin: float
    end: float
    share: float = 1.0
    error: str = "http"
    probes: bool = False


@dataclass(frozen=True)
class Scene:
    """What a soak is like. Times are seconds in it."""

    hours: float = 1.0
    rate: float = 10.0
    arrivals: str = "constant"
    seed: int = 1
    raw_s: float = 300.0
    """So much of its end has raw rows."""
    tokens: int = 128
    troubles: tuple[Trouble, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    """Held up: unobserved, and nothing was sent."""
    resumes: tuple[tuple[float, float], ...] = ()
    """A driver died at the first and the next one began at the second."""
    leak_per_h: float = 0.0
    """By which the watched process grows (bytes)."""
    finished: bool = True
    until: float | None = None
    """How far it came where it is not finished; None for all."""

    @property
    def duration_s(self) -> float:
        return self.hours * 3600


@dataclass
class Written:
    """What was written, counted apart from the console's own counting."""

    folder: Path
    plan: Plan
    due: int = 0
    ended: int = 0
    failed: Counter = field(default_factory=Counter)
    skipped: int = 0
    lost: int = 0
    unobserved_s: float = 0.0
    probes: int = 0
    probes_failed: int = 0
    output_tokens: int = 0
    e2e_ms: list = field(default_factory=list)
    """Of what succeeded in the raw part."""


def make_plan(scene: Scene, **more) -> Plan:
    """Return the plan of a scene."""
    return Plan(
        id=f"soak-{scene.seed}", url="http://127.0.0.1:8000/v1", model="tiny", rate=scene.rate,
        duration_s=scene.duration_s, started=BEGAN, arrivals=scene.arrivals, seed=scene.seed, max_tokens=scene.tokens,
        limits={"rss": 64e9, "kv_cache": 1.0}, **more,
    )  # fmt: skip


def write_soak(folder, scene: Scene = Scene(), **more) -> Written:
    """Write a soak of the scene into a folder, which is made; the same scene gives the same minutes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(folder, make_plan(scene, **more))
    plan.write(folder, written.plan)
    until = scene.duration_s if scene.until is None else min(scene.until, scene.duration_s)
    raw_from = max(math.floor((until - scene.raw_s) / 60), 0)
    making = _Making(scene, written, until)
    with (folder / minutes.NAME).open("wb") as file:
        for index in range(raw_from):
            file.write(minutes.encode(making.minute(index)))
    making.rows(raw_from)
    write_driver(folder, scene, until)
    return written


def write_driver(folder, scene: Scene, now_s: float, **facts) -> None:
    """Write what the driver says of itself: by default one that ended, long ago and elsewhere."""
    told = {
        "schema": "mens-soak-driver/1", "pid": 4242, "boot_id": "b", "host": "elsewhere", "process_start": 1.0,
        "started": BEGAN, "state": "finished" if scene.finished else "running", "beat": BEGAN + now_s, "now_s": now_s,
        "problem": "",
    }  # fmt: skip
    Path(folder, "driver.json").write_text(json.dumps(told | facts))
    Path(folder, "driver.lock").touch()


class _Making:
    """Makes the minutes, then the rows, of one scene."""

    def __init__(self, scene: Scene, written: Written, until: float) -> None:
        self.scene, self.written, self.until = scene, written, until
        self.draw = np.random.default_rng(scene.seed)
        self.dark = sorted((*scene.gaps, *scene.resumes))
        self.shares = _lognormal_shares(25.0, 0.35)

    # ------------------------------------------------------------------ minutes

    def minute(self, index: int) -> Closed:
        due = np.array(schedule.due(self.written.plan, index))
        skipped, lost, failing = self._fates(due)
        alive = ~(skipped | lost)
        good, bad = alive & (failing == ""), alive & (failing != "")
        number = int(good.sum())
        slow = 1.0 + 0.2 * math.sin(index / 180)
        ttft, e2e = self._latencies(number, slow)
        lag = self.draw.lognormal(-1.5, 0.7, int(alive.sum()))
        made = Minute(index, len(due), len(due) - int(skipped.sum()), int(alive.sum()), closed=True)
        made.lost, made.skipped = int(lost.sum()), int(skipped.sum())
        made.failed = dict(Counter(failing[bad].tolist()))
        made.reasons = {f"{name} 503" if name == "http" else name: count for name, count in made.failed.items()}
        made.degraded, made.good = int((e2e > 2 * _NORMAL_MS).sum()), int((ttft <= 200).sum())
        made.unobserved_s = round(self._dark(index * 60.0, index * 60.0 + 60), 6)
        made.output_tokens, made.counted_by = number * self.scene.tokens, {"server": number} if number else {}
        made.probes, made.levels = self._probes(index), self._levels(index * 60.0 + 50)
        tens = np.minimum(((due - index * 60) // 10).astype(int), 5)
        made.tens = [[int((alive & (tens == ten)).sum()), int((bad & (tens == ten)).sum())] for ten in range(6)]
        itl = self.draw.multinomial(number * max(self.scene.tokens - 1, 0), self.shares)
        made.latencies = {
            "ttft": _of(ttft), "itl": _of_counts(itl), "e2e": _of(e2e), "scheduled": _of(e2e + lag[:number]),
            "lag": _of(lag),
        }  # fmt: skip
        self._count(made)
        segment, row = index // SEGMENT_MINUTES + 1, index % SEGMENT_MINUTES + 1
        begin = Place(segment, row * 600 * _ROW_BYTES)
        return Closed(
            made, begin, Place(segment, begin.offset + _ROW_BYTES), index * 60 + 60.0, _NORMAL_MS,
            events=self._events(index),
        )  # fmt: skip

    def _count(self, made: Minute) -> None:
        written = self.written
        written.due += made.due
        written.ended += made.ended
        written.failed.update(made.failed)
        written.skipped += made.skipped
        written.lost += made.lost
        written.unobserved_s += made.unobserved_s
        written.probes += len(made.probes)
        written.probes_failed += sum(not probe.ok for probe in made.probes)
        written.output_tokens += made.output_tokens

    def _fates(self, due):
        """Return which requests were skipped, which were lost, and with what each fails ("" where it does not)."""
        skipped, lost = np.zeros(len(due), bool), np.zeros(len(due), bool)
        for begin, end in self.dark:
            skipped |= (due >= begin) & (due < end)
        for begin, _ in self.scene.resumes:
            lost |= (due >= begin - 1) & (due < begin)
        failing = np.full(len(due), "", dtype="U10")
        for trouble in self.scene.troubles:
            hit = (due >= trouble.begin) & (due < trouble.end)
            failing[hit & (self.draw.random(len(due)) < trouble.share)] = trouble.error
        return skipped, lost, failing

    def _latencies(self, number: int, slow: float):
        ttft = self.draw.lognormal(math.log(70 * slow), 0.3, number)
        return ttft, ttft + self.draw.lognormal(math.log(850 * slow), 0.15, number)

    def _dark(self, begin: float, end: float) -> float:
        return sum(max(min(end, b) - max(begin, a), 0.0) for a, b in self.dark)

    def _is_dark(self, at: float) -> bool:
        return any(a <= at < b for a, b in self.dark)

    def _probes(self, index: int) -> list[ProbeAt]:
        made = []
        for at in (index * 60.0 + 10 * one for one in range(6)):
            if at >= self.until or self._is_dark(at):
                continue
            down = any(one.begin <= at < one.end and not one.probes for one in self.scene.troubles)
            made.append(ProbeAt(at, False, None, "http 503") if down else ProbeAt(at, True, 1.5))
        return made

    def _levels(self, at: float) -> dict[str, float]:
        return {"rss": float(int(2e9 + self.scene.leak_per_h * at / 3600)), "gpu_memory": 9e9, "kv_cache": 0.25}

    def _events(self, index: int) -> list[Event]:
        told = [Event(0.0, "start", "a driver began")] if index == 0 else []
        told += [Event(b, "held", f"held up for {b - a:.0f} s", a, b) for a, b in self.scene.gaps if b // 60 == index]
        for a, b in self.scene.resumes:
            if b // 60 == index:
                told.append(Event(b, "resume", f"a driver went on after {b - a:.0f} s", a, b))
        return sorted(told, key=lambda one: one.at)

    # ------------------------------------------------------------------ rows

    def rows(self, first: int) -> None:
        """Write the rows from a minute on through the real writer."""
        writer = Writer(self.written.folder, self.written.plan)
        begin = first * 60.0
        told = [(begin, rows.happened(begin, "start", "a driver began"))] if not first else []
        told += [(event.at, rows.happened(*_told(event))) for event in self._tail_events(begin)]
        for index in range(first, math.ceil(self.until / 60)):
            told += self._minute_rows(index)
        told.sort(key=lambda one: one[0])
        writer.add(*(row for _, row in told))
        if self.scene.finished:
            last = max([self.until, *(at for at, _ in told)])
            writer.add(rows.happened(last, "end", "all that the plan asks for was sent"))
        writer.close()

    def _tail_events(self, begin: float):
        return [
            e
            for e in (event for i in range(int(begin // 60), math.ceil(self.until / 60)) for event in self._events(i))
            if e.kind != "start"
        ]

    def _minute_rows(self, index: int):
        due = [one for one in schedule.due(self.written.plan, index) if one < self.until]
        skipped, lost, failing = self._fates(np.array(due))
        draw = random.Random(self.scene.seed * 1_000_003 + index)
        told = []
        for number, at in enumerate(due):
            if not (skipped[number] or lost[number]):
                row = self._request(draw, (index, number), at, str(failing[number]))
                told.append((row.at, row))
        self.written.due += len(due)
        self.written.skipped += int(skipped.sum())
        self.written.lost += int(lost.sum())
        self.written.unobserved_s += self._dark(index * 60.0, min(index * 60.0 + 60, self.until))
        for probe in self._probes(index):
            told.append((probe.at, rows.Look(probe.at, probe.ok, probe.ms, probe.why)))
            self.written.probes += 1
            self.written.probes_failed += not probe.ok
        for at in (index * 60.0 + 10 * one for one in range(6)):
            if at < self.until and not self._is_dark(at):
                told.append((at, rows.Level(at, **self._levels(at))))
        seconds = (index * 60.0 + one + 0.5 for one in range(60))
        return told + [(at, rows.Beat(at)) for at in seconds if at < self.until and not self._is_dark(at)]

    def _request(self, draw: random.Random, number, due: float, error: str) -> rows.Request:
        sent = round(due + draw.lognormvariate(-8.5, 0.7), 6)
        self.written.ended += 1
        if error:
            self.written.failed[error] += 1
            status = 503 if error == "http" else None
            return rows.Request(id=number, due=due, sent=sent, e2e=round(draw.uniform(1, 20), 3), err=error, st=status)
        ttft = round(draw.lognormvariate(math.log(70), 0.3), 3)
        gaps = [round(draw.lognormvariate(math.log(25), 0.35), 2) for _ in range(self.scene.tokens - 1)]
        e2e = round(ttft + sum(gaps), 3)
        self.written.e2e_ms.append(e2e)
        self.written.output_tokens += self.scene.tokens
        return rows.Request(
            id=number, due=due, sent=sent, e2e=e2e, ttft=ttft, gaps=gaps, tok=self.scene.tokens, by="server",
            chunks=self.scene.tokens,
        )  # fmt: skip


def _told(event: Event):
    return event.at, event.kind, event.text


def _lognormal_shares(median: float, sigma: float):
    """Return the share of a lognormal that lies in each bucket."""
    edges = np.concatenate([[0.0], _UPPER])
    cumulative = np.array(
        [0.5 * (1 + math.erf((math.log(max(x, 1e-12)) - math.log(median)) / sigma / math.sqrt(2))) for x in edges]
    )
    shares = np.diff(cumulative)
    return shares / shares.sum()


def _of(values) -> Histogram:
    return Histogram.of_values(np.round(values, 3).tolist())


def _of_counts(counts) -> Histogram:
    made = Histogram()
    held = np.flatnonzero(counts)
    if len(held):
        made.counts.update(dict(zip(_KEYS[held].tolist(), counts[held].tolist(), strict=True)))
        middle = np.array([value(int(one)) for one in _KEYS[held]])
        made.n, made.total = int(counts.sum()), float((middle * counts[held]).sum())
        made.least, made.greatest = float(middle[0]), float(middle[-1])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a soak's directory.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--raw-s", type=float, default=300.0)
    parser.add_argument("--until", type=float, help="how far it came (s), where it is not finished")
    given = parser.parse_args()
    scene = Scene(
        given.hours, given.rate, seed=given.seed, raw_s=given.raw_s, until=given.until, finished=given.until is None
    )
    written = write_soak(given.folder, scene)
    size = sum(each.stat().st_size for each in given.folder.iterdir())
    print(f"{written.due} requests, {size / 1e6:.1f} MB in {given.folder}")


if __name__ == "__main__":
    main()

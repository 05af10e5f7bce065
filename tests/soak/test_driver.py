"""The driver in one process: servers that are made up, time that is real but short."""

import asyncio
import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from soak.driving import adds_up, record_of, starved

from mens_console.load.types import Outcome, Probe
from mens_console.soak import clock as clocks
from mens_console.soak import drive as drives
from mens_console.soak import plan as plans
from mens_console.soak import rows
from mens_console.soak.clock import Clock
from mens_console.soak.drive import Drive, Terms
from mens_console.soak.driver import Driver
from mens_console.soak.levels import Levels
from mens_console.soak.recorder import Recorder
from mens_console.soak.rounds import Prober, Sampler, apart
from mens_console.soak.types import Plan
from mens_console.soak.writer import Writer

PLAN = Plan(id="abc", url="http://127.0.0.1:1/v1", model="m", rate=20.0, duration_s=1.0, started=0.0, timeout_s=5.0)


class Answers:
    """A server that answers after a while, and says what it was asked."""

    def __init__(self, takes=0.01):
        self.takes = takes
        self.asked = []
        self.probes = 0

    async def ask(self, prompt, *, max_tokens, id):
        self.asked.append((id, prompt, max_tokens))
        await asyncio.sleep(self.takes)
        return Outcome(id, ttft_s=self.takes, e2e_s=self.takes, output_tokens=1, tokens_by="server", chunks=1)

    async def probe(self):
        self.probes += 1
        return Probe(True, 0.001)

    async def scrape(self):
        return {"kv_cache": 0.5, "running": 3.0}


class Book:
    """Rows in a list."""

    def __init__(self):
        self.rows = []

    def write(self, *new):
        self.rows += new

    def kinds(self):
        return [row.kind for row in self.rows if isinstance(row, rows.Happening)]

    def of(self, kind):
        return [row for row in self.rows if isinstance(row, kind)]


def driver(asker, plan=PLAN, most=100, at=0.0):
    book = Book()
    return Driver(plan, Clock(at), book, asker, lambda minute, place: f"{minute}/{place}", most), book


async def test_all_that_is_due_is_sent_once_and_recorded():
    asker = Answers()
    made, book = driver(asker)
    assert await made.run()
    assert [one[0] for one in asker.asked] == [f"abc-0-{place}" for place in range(20)]
    assert asker.asked[3] == ("abc-0-3", "0/3", 128)
    assert [row.id for row in book.of(rows.Sent)] == [(0, place) for place in range(20)]
    assert sorted(row.id for row in book.of(rows.Request)) == [(0, place) for place in range(20)]
    assert all(row.sent >= row.due for row in book.of(rows.Sent))
    assert book.kinds() == ["end"]


async def test_sending_waits_for_no_answer():
    asker = Answers(takes=1.5)
    made, book = driver(asker)
    assert await made.run()
    order = [type(row) for row in book.rows]
    assert order.index(rows.Request) > 19
    assert len(book.of(rows.Request)) == 20


async def test_what_cannot_be_open_at_once_is_skipped_and_told():
    asker = Answers(takes=0.4)
    made, book = driver(asker, most=2)
    await made.run()
    sent = {row.id for row in book.of(rows.Sent)}
    spans = [(row.begin, row.end) for row in book.of(rows.Happening) if row.kind == "held"]
    assert 0 < len(sent) < 20
    for place in range(20):
        covered = any(begin <= place / 20 < end for begin, end in spans)
        assert covered != ((0, place) in sent)


async def test_a_driver_that_was_halted_says_nothing_of_what_was_in_flight(monkeypatch):
    monkeypatch.setattr("mens_console.soak.driver.HELD_S", 0.2)
    asker = Answers(takes=0.3)
    made, book = driver(asker)

    async def halt():
        await asyncio.sleep(0.4)
        time.sleep(0.5)

    await asyncio.gather(made.run(), halt())
    every = [row for row in book.of(rows.Happening) if row.kind == "held"]  # a busy box has more than ours
    held = max(every, key=lambda row: row.end - row.begin)
    assert held.end - held.begin >= 0.4
    over = {row.id for row in book.of(rows.Sent) if row.sent < held.begin}
    ended = {row.id for row in book.of(rows.Request)}
    assert over - ended
    told = {row.id: row.why for row in book.of(rows.Gone)}
    assert over - ended <= told.keys()
    assert set(told.values()) == {"held"}
    assert not told.keys() & ended
    unsent = set(range(20)) - {row.id[1] for row in book.of(rows.Sent)}
    assert unsent
    assert all(any(one.begin <= place / 20 < one.end - 0.2 for one in every) for place in unsent)


async def test_a_halt_between_the_pace_and_a_request_leaves_it_out():
    """It is as overdue as what the pace leaves out, and the time since it was due is told as unseen."""
    moved = [0.0]

    class Halted(Driver):
        def _send(self, slot):
            super()._send(slot)
            if slot.place == 5:
                moved[0] = 10.0

    asker, book = Answers(), Book()
    clock = Clock(0.0, steady=lambda: time.monotonic() + moved[0])
    made = Halted(replace(PLAN, duration_s=11.0), clock, book, asker, lambda *_: "p", 1000)
    assert await made.run()
    sent = {row.id[1]: row for row in book.of(rows.Sent)}
    assert 5 not in sent
    spans = [(row.begin, row.end) for row in book.of(rows.Happening) if row.kind == "held"]
    for place in range(220):
        assert place in sent or any(begin <= place / 20 < end for begin, end in spans)
    assert made.in_flight == 0
    assert len(asker.asked) == len(sent)


async def test_a_fault_of_its_own_is_told_and_survived():
    class Wrong(Answers):
        async def ask(self, prompt, *, max_tokens, id):
            if id == "abc-0-4":
                raise KeyError("no such thing")
            return await super().ask(prompt, max_tokens=max_tokens, id=id)

    made, book = driver(Wrong())
    assert await made.run()
    assert len(book.of(rows.Request)) == 19
    assert [(row.id, row.why) for row in book.of(rows.Gone)] == [((0, 4), "fault")]
    assert any("KeyError" in row.text for row in book.of(rows.Happening))
    assert made.in_flight == 0


async def test_what_fails_for_want_of_files_here_is_not_the_servers_fault():
    class Short(Answers):
        async def ask(self, prompt, *, max_tokens, id):
            outcome = await super().ask(prompt, max_tokens=max_tokens, id=id)
            if int(id.rpartition("-")[2]) % 2 == 0:
                return outcome
            return Outcome(id, error="connect", detail="too many open files", local=True, e2e_s=0.01)

    made, book = driver(Short())
    assert await made.run()
    assert [row.err for row in book.of(rows.Request)] == [None] * 10
    assert [(row.id[1] % 2, row.why) for row in book.of(rows.Gone)] == [(1, "local")] * 10
    told = [row.text for row in book.of(rows.Happening) if row.kind == "warning"]
    assert len(told) == 1
    assert "too many open files" in told[0]


async def test_a_health_check_that_cannot_be_made_is_no_failed_one():
    class Short(Answers):
        async def probe(self):
            self.probes += 1
            await asyncio.sleep(0.01)
            return Probe(self.probes > 2, 0.01, "on this side: no local port is left here", local=self.probes <= 2)

    asker = Short()
    made, book = driver(asker)
    prober = Prober(made, asker)
    for _ in range(3):
        await prober.look(0.0)
    assert [row.ok for row in book.of(rows.Look)] == [True]
    spans = [(row.begin, row.end) for row in book.of(rows.Happening) if row.kind == "held"]
    assert len(spans) == 2
    assert spans[0][1] == spans[1][0]
    assert spans[1][1] == book.of(rows.Look)[0].t
    (told,) = [row.text for row in book.of(rows.Happening) if row.kind == "warning"]
    assert "no local port" in told


async def test_time_without_health_checks_in_which_requests_end_is_observed():
    class Short(Answers):
        async def probe(self):
            self.probes += 1
            return Probe(False, 0.01, "on this side: too many files are open here", local=True)

    asker = Short()
    made, book = driver(asker)
    prober = Prober(made, asker)
    await prober.look(0.0)
    assert await made.run()
    await prober.look(1.0)
    assert "held" not in book.kinds()
    await prober.look(2.0)
    assert "held" in book.kinds()


@pytest.mark.parametrize("times", [1, 2])
async def test_stopping(times):
    asker = Answers(takes=0.5 if times == 1 else 3600.0)
    made, book = driver(asker, replace(PLAN, duration_s=3600.0, timeout_s=60.0))

    async def stop():
        while not asker.asked:
            await asyncio.sleep(0.01)
        for _ in range(times):
            made.stop("asked to")

    finished, _ = await asyncio.gather(made.run(), stop())
    assert not finished
    sent, ended = book.of(rows.Sent), book.of(rows.Request)
    assert (len(ended) == len(sent)) == (times == 1)
    assert book.kinds() == ["gap", "stop"]
    gap, stopped = book.of(rows.Happening)
    assert gap.begin >= max(row.sent for row in sent)
    assert gap.end == stopped.t
    assert ("cut short" in stopped.text) == (times == 2)


# ---------------------------------------------------------------------- with its directory


async def driven(folder, plan=PLAN, asker=None, tell=lambda *_: None, beside=None):
    """Drive a plan in a folder to its end."""
    if not (folder / "plan.json").exists():
        plan = replace(plan, started=time.time())
        folder.mkdir(exist_ok=True)
        plans.write(folder, plan)
    plan = plans.read(folder)
    book = Recorder(Writer(folder, plan))
    drive = Drive(folder, plan, book, asker or Answers(), lambda *_: "p", tell, Terms())
    state, *_ = await asyncio.gather(drive.run(), *([beside] if beside else []))
    return state


async def test_a_directory_from_beginning_to_end(tmp_path):
    looks = []
    asker = Answers()
    plan = replace(PLAN, duration_s=2.2)
    assert await driven(tmp_path / "s", plan, asker, lambda *told: looks.append(told)) == "finished"
    record = record_of(tmp_path / "s")
    assert (record.state, len(asker.asked), asker.probes) == ("finished", 44, 1)
    assert adds_up(record)
    assert [minute.ended for minute in record.minutes] == [44]
    told = json.loads((tmp_path / "s" / "driver.json").read_text())
    assert (told["state"], told["pid"], told["problem"]) == ("finished", os.getpid(), "")
    look, problem, stopping = looks[-1]
    assert (look.errors, look.up, problem, stopping) == (0, True, "", "")
    assert 0 < look.offered < 40


async def test_a_wall_clock_that_is_set_is_told_and_moves_nothing(tmp_path, monkeypatch):
    moved = [0.0]

    class Set(Clock):
        def __init__(self, at):
            super().__init__(at, wall=lambda: time.time() + moved[0])

    async def set_clock():
        await asyncio.sleep(0.5)
        moved[0] = 7200.0

    monkeypatch.setattr(drives, "Clock", Set)
    asker = Answers()
    await driven(tmp_path / "s", replace(PLAN, duration_s=2.2), asker, beside=set_clock())
    record = record_of(tmp_path / "s")
    assert [event.text for event in record.events if event.kind == "clock"] == [
        "the wall clock was set 7200.0 s forward; nothing moved by it"
    ]
    assert len(asker.asked) == len({one[0] for one in asker.asked}) == 44
    assert sum(minute.unobserved_s for minute in record.minutes) == 0


@pytest.mark.parametrize(("back", "boot"), [(3600.0, "another"), (0.0, "another"), (3600.0, None)])
async def test_going_on_nothing_is_sent_twice_though_the_clock_went_back(tmp_path, monkeypatch, back, boot):
    folder = tmp_path / "s"
    first, second = Answers(), Answers()

    async def stop(asker):
        while len(asker.asked) < 10:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    plan = replace(PLAN, duration_s=100_000.0)
    assert await driven(folder, plan, first, beside=stop(first)) == "stopped"
    told = json.loads((folder / "driver.json").read_text())
    if boot is not None:
        told |= {"boot_id": boot, "beat": told["beat"] + back}
        (folder / "driver.json").write_text(json.dumps(told))
    last = record_of(folder).now_s
    await asyncio.sleep(0.3)
    assert await driven(folder, asker=second, beside=stop(second)) == "stopped"
    names = [one[0] for one in first.asked + second.asked]
    assert len(names) == len(set(names))
    record = record_of(folder)
    resumed = next(event for event in record.events if event.kind == "resume")
    if boot is not None and back:
        assert resumed.end == pytest.approx(last)
        assert "behind the last row" in resumed.text
    else:
        assert resumed.end > last + 0.25
    assert adds_up(record)
    lost = sum(minute.lost for minute in record.minutes)
    assert lost == 0 or starved(record)
    assert len(names) == sum(minute.ended for minute in record.minutes) + lost


async def test_levels_come_from_the_box_and_from_the_server():
    class Told(Levels):
        def __init__(self):
            super().__init__(None, None)
            self.news.append("a process is gone")

        def read(self, now):
            assert threading.current_thread() is not threading.main_thread()
            return {"rss": 5e9}

    made, book = driver(Answers())
    await Sampler(made, Answers(), Told()).look(0.0)
    (level,) = book.of(rows.Level)
    assert (level.rss, level.gpu_memory, level.kv_cache) == (5e9, None, 0.5)
    assert [row.text for row in book.of(rows.Happening)] == ["a process is gone"]


async def test_levels_that_hang_hold_up_nothing(monkeypatch):
    monkeypatch.setattr("mens_console.soak.rounds._HUNG_S", 0.05)
    free, calls = threading.Event(), []

    class Hangs(Levels):
        def __init__(self):
            super().__init__(None, None)

        def read(self, now):
            calls.append(now)
            free.wait()
            return {"rss": 1.0}

    made, book = driver(Answers())
    sampler = Sampler(made, Answers(), Hangs())
    await sampler.look(0.0)
    await sampler.look(0.0)
    assert len(calls) == 1
    assert [(row.rss, row.kv_cache) for row in book.of(rows.Level)] == [(None, 0.5)] * 2
    free.set()
    while not book.of(rows.Level)[-1].rss:
        await sampler.look(0.0)


async def test_what_fails_apart_fails_here():
    with pytest.raises(ZeroDivisionError):
        await apart(lambda: 1 / 0)
    assert await apart(lambda: 7) == 7


def test_a_record_that_fails_is_told_and_raises_nothing(tmp_path):
    plans.write(tmp_path, replace(PLAN, started=time.time()))
    writer = Writer(tmp_path, PLAN)
    book = Recorder(writer)
    writer.add = None
    book.write(rows.Beat(1.0))
    assert "TypeError" in book.problem


def test_the_steady_clock_is_steady():
    assert clocks.steady() <= clocks.steady()

"""A driver that is really killed, again and again, in the middle of writing, rotating and packing."""

import random
import subprocess
import sys

from soak.drives import make_plan

from mens_console.soak import plan, rows
from mens_console.soak.fold import NOWHERE
from mens_console.soak.reading import Reading
from mens_console.soak.record import Record

DRIVER = """
import os, sys
from mens_console.soak import plan, rows, schedule, writer
from mens_console.soak.journal import Journal
made = plan.read(sys.argv[1])
writer.Journal = lambda *given, **named: Journal(*given, **named, segment_bytes=30_000)
driver = writer.Writer(sys.argv[1], made)
at = driver.folding.now_s
driver.add(rows.happened(at + 0.5, "resume" if driver.resumed else "start", "x"))
for index in range(int(at // 60), schedule.minutes(made)):
    for number, due in enumerate(schedule.due(made, index)):
        if due > at + 0.5:
            row = rows.Request(id=(index, number), due=due, sent=due, e2e=900.0, ttft=9.0, gaps=[9.0] * 20)
            driver.add(row, rows.Beat(row.at))
            os.write(1, b"%d %d\\n" % (index, number))
driver.add(rows.happened(made.duration_s + 1, "end", "x"))
driver.close()
os.write(1, b"end\\n")
"""


def test_whatever_a_driver_said_was_written_is_there_once_however_often_it_is_killed(tmp_path):
    made = make_plan(rate=5.0, duration_s=3600.0)
    plan.write(tmp_path, made)
    told, draw, kills = [], random.Random(3), 0
    while "end" not in told:
        child = subprocess.Popen([sys.executable, "-c", DRIVER, tmp_path], stdout=subprocess.PIPE, text=True)
        told += [child.stdout.readline().strip() for _ in range(draw.randrange(1, 300))]
        if kills < 12:
            child.kill()
            kills += 1
        told += child.communicate()[0].split("\n")
    acknowledged = [tuple(map(int, one.split())) for one in told if len(one.split()) == 2]
    written = [row.id for row in every_row(tmp_path) if isinstance(row, rows.Request)]
    assert len(set(written)) == len(written)
    assert set(acknowledged) <= set(written)
    assert len(written) - len(acknowledged) <= kills
    record = Record(tmp_path)
    while record.poll(0.0) and record.more:
        pass
    assert (record.state, record.problems, len(record.minutes)) == ("finished", (), 60)
    assert sum(one.ended for one in record.minutes) == len(written)
    assert all(one.due == 300 == one.ended + one.lost + one.skipped for one in record.minutes)
    assert sum(event.kind == "resume" for event in record.events) == kills
    assert len(list(tmp_path.glob("*.gz"))) > 10


def every_row(folder):
    reading, told = Reading(str(folder), NOWHERE), []
    while (some := reading.poll()) or reading.more:
        told += some
    assert reading.problem is None
    return [rows.decode(line.data) for line in told]

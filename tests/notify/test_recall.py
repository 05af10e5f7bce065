"""What the daemon leaves for whoever comes back: episodes of alerts, and what became of messages."""

import json
import math
from dataclasses import replace
from pathlib import Path

from notify.alarms import NOW, RESOLVED, WARNING, alert, rounds, run

from mens_console.notify.delivery import Delivery, DeliveryLog
from mens_console.notify.memory import Memory
from mens_console.notify.notifier import Notifier, Policy
from mens_console.notify.recall import messages, recalled
from mens_console.signals.rules import Severity

ROOTS = [Path("/runs")]


def watched(folder, *looks, name="notified-1.json"):
    """Let a daemon look at rounds of alerts, ten seconds apart, and write what it remembers."""
    folder.mkdir(parents=True, exist_ok=True)
    notifier, look = Notifier(Policy(), Memory(folder / name)), rounds()
    for i, alerts in enumerate(looks):
        notifier.step(NOW + 10 * i, look(run(*alerts)))
        notifier.memory.save(NOW + 10 * i)


def test_an_episode_below_every_route_is_remembered_with_its_words_and_its_end(tmp_path):
    stall = alert("stall", severity=WARNING, since=NOW + 1)
    over = replace(stall, state=RESOLVED, resolved_at=NOW + 15, message="it was 14 s")
    watched(tmp_path, [stall], [over])
    (one,) = recalled(tmp_path, ROOTS)
    assert (one.place, one.rule, one.name, one.message) == ("/runs/llama", "stall", "llama", "it was 14 s")
    assert (one.severity, one.since, one.ended_at) == (Severity.WARNING, NOW + 1, NOW + 15)


def test_what_is_on_has_no_end_and_its_worst_severity(tmp_path):
    stall = alert("stall", severity=WARNING)
    watched(tmp_path, [stall], [replace(stall, severity=Severity.CRITICAL)], [stall])
    (one,) = recalled(tmp_path, ROOTS)
    assert one.severity is Severity.CRITICAL and math.isnan(one.ended_at)


def test_only_what_lies_under_the_folders_looked_at_and_the_machine(tmp_path):
    notifier, look = Notifier(Policy(), Memory(tmp_path / "notified-1.json")), rounds()
    gpu = alert("gpu_xid", entity="gpu:GPU-1", step=None)
    soak = replace(alert("soak_died", entity="soak:x"), place="soak:/elsewhere/x")
    notifier.step(NOW, look(run(alert()), box=(gpu, soak)))
    notifier.memory.save(NOW)
    assert {one.rule for one in recalled(tmp_path, ROOTS)} == {"nan_loss", "gpu_xid"}
    assert {one.rule for one in recalled(tmp_path, [Path("/run")])} == {"gpu_xid"}
    assert {one.rule for one in recalled(tmp_path, [Path("/")])} == {"nan_loss", "gpu_xid", "soak_died"}


def test_of_two_daemons_the_one_that_saw_it_last_is_believed(tmp_path):
    first = alert(since=NOW + 5)
    watched(tmp_path, [first], name="notified-2.json")
    watched(tmp_path, [first], [replace(first, state=RESOLVED, resolved_at=NOW + 10)], [first], name="notified-1.json")
    (one,) = recalled(tmp_path, ROOTS)
    assert math.isnan(one.ended_at)


def test_memories_of_earlier_versions_torn_ones_and_none_are_no_trouble(tmp_path):
    assert recalled(tmp_path / "none", ROOTS) == ()
    watched(tmp_path, [alert()])
    path = tmp_path / "notified-1.json"
    document = json.loads(path.read_text())
    for row in document["entries"]:
        for key in ("name", "rank", "message", "ended_at"):
            del row[key]
    path.write_text(json.dumps(document))
    (tmp_path / "notified-2.json").write_text('{"schema": "mens-notified/1", "entr')
    assert recalled(tmp_path, ROOTS) == ()
    assert len(Memory(path).entries) == 1, "the daemon itself goes on with it"


def delivered(folder, *tries):
    log = DeliveryLog(folder / "deliveries.jsonl")
    for at, route, attempt, why in tries:
        log.add(Delivery(NOW + at, route, "alerts", "CRITICAL llama", ("f",), attempt, not why, why))


def test_messages_are_counted_once_however_often_they_were_tried(tmp_path):
    delivered(
        tmp_path,
        (-5, "slack a", 1, ""),
        (10, "slack a", 1, "timed out"), (12, "slack a", 2, ""),
        (20, "mail b", 1, "refused"), (22, "mail b", 2, "refused"), (32, "mail b", 3, "refused"),
        (40, "mail b", 1, "refused"), (42, "mail b", 2, ""),
        (90, "slack a", 1, ""),
    )  # fmt: skip
    told = messages(tmp_path, NOW, NOW + 60)
    assert (told.delivered, told.lost, told.routes) == (2, 1, ("mail b",))


def test_drills_torn_lines_and_a_missing_log_count_nothing(tmp_path):
    assert messages(tmp_path, NOW, NOW + 60).delivered == 0
    drill = Delivery(NOW + 1, "slack a", "drill", "DRILL", ("f",), 1, ok=True)
    DeliveryLog(tmp_path / "deliveries.jsonl").add(drill)
    delivered(tmp_path, (2, "slack a", 1, ""))
    with (tmp_path / "deliveries.jsonl").open("a") as file:
        file.write('[1]\n{"at": "x"}\nnull\n{"at": 1')
    assert messages(tmp_path, NOW, NOW + 60).delivered == 1

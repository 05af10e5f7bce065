"""The operator's own state about alerts: what survives, what is shared, and what happens when the file is bad."""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from mens_console.config.state import locked
from mens_console.signals.alerts import AlertState, AlertView, Silence, fingerprint
from mens_console.signals.rules import Severity
from mens_console.store.alertbook import RETRY_S, AlertBook, silence_id
from mens_console.store.alertpages import KEPT_S, MOST

NOW = 1_760_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "mens-console" / "alerts.json"


def alert(rule="nan_loss", entity="llama", step=120, since=NOW - 60, severity=Severity.WARNING):
    return AlertView(
        fingerprint(rule, entity), rule, entity, severity, AlertState.FIRING, since, step, since, step, 1, math.nan,
        1.0, "points", "message", "do this",
    )  # fmt: skip


def hush(rule="nan_loss", entity="*", start=NOW, seconds=3600.0, **more):
    given = {"id": silence_id(rule, entity, "me", start), "author": "me", "comment": "known"} | more
    return Silence(rule=rule, entity=entity, start=start, end=start + seconds, **given)


def test_an_acknowledgement_survives_and_is_of_one_episode_only(path, clock):
    AlertBook(path, clock=clock).acknowledge(alert(), by="ada@box", at=NOW, note="restarting")
    book = AlertBook(path, clock=clock)
    ack = book.acknowledgement(alert())
    assert (ack.by, ack.at, ack.note) == ("ada@box", NOW, "restarting")
    (shown,) = book.overlay((alert(),), NOW)
    assert (shown.acknowledged, shown.acknowledged_by, shown.note) == (True, "ada@box", "restarting")
    assert book.acknowledgement(alert(since=NOW + 900)) is not None, "a clock rule finds another time on restart"
    assert book.acknowledgement(alert(step=121)) is None
    assert book.acknowledgement(alert(rule="nan_grad")) is None
    assert book.acknowledgement(alert(severity=Severity.CRITICAL)) is None, "what became worse is new"
    assert book.acknowledgement(alert(severity=Severity.INFO)) is not None


def test_without_a_step_the_time_tells_episodes_apart(path, clock):
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(step=None, since=NOW), by="a", at=NOW)
    book.acknowledge(alert(rule="stall", step=None, since=math.nan), by="a", at=NOW)
    assert book.acknowledgement(alert(step=None, since=NOW + 0.5))
    assert book.acknowledgement(alert(step=None, since=NOW + 2.0)) is None
    assert book.acknowledgement(alert(step=None, since=math.nan)) is None
    again = AlertBook(path, clock=clock)
    assert again.acknowledgement(alert(rule="stall", step=None, since=math.nan))
    assert again.acknowledgement(alert(rule="stall", step=None, since=NOW)) is None


def test_runs_of_one_name_under_other_roots_are_others(path, clock):
    one = AlertBook(path, clock=clock, place=lambda entity: f"/a/{entity}")
    other = AlertBook(path, clock=clock, place=lambda entity: f"/b/{entity}")
    one.acknowledge(alert(), by="a", at=NOW)
    one.silence(hush(entity="llama"))
    assert other.refresh()
    assert other.overlay((alert(),), NOW) == (alert(),)
    (shown,) = one.overlay((alert(),), NOW)
    assert shown.acknowledged
    assert shown.silenced_until == NOW + 3600
    assert [s.entity for s in one.silences(NOW)] == ["llama"]
    assert [s.entity for s in other.silences(NOW)] == ["/a/llama"]


def test_silences_begin_end_and_are_lifted(path, clock):
    book = AlertBook(path, clock=clock)
    book.silence(hush(start=NOW + 10, seconds=100))
    book.silence(hush(rule="*", entity="other", seconds=500))
    (shown,) = book.overlay((alert(),), NOW)
    assert math.isnan(shown.silenced_until), "it has not begun, and the other is about another run"
    (shown,) = book.overlay((shown,), NOW + 10)
    assert shown.silenced_until == NOW + 110
    assert shown.quiet
    (shown,) = book.overlay((shown,), NOW + 110)
    assert not shown.quiet
    assert [s.end for s in book.silences(NOW + 110)] == [NOW + 500]
    book.unsilence(book.silences(NOW)[1].id)
    book.unsilence("nonesuch")
    assert [s.end for s in AlertBook(path, clock=clock).silences(NOW)] == [NOW + 110]


def test_the_longest_of_several_silences_counts(path, clock):
    book = AlertBook(path, clock=clock)
    for rule, seconds in (("nan_loss", 50), ("*", 70), ("nan_loss", 60)):
        book.silence(hush(rule=rule, seconds=seconds, id=f"{rule}{seconds}"))
    assert book.overlay((alert(),), NOW)[0].silenced_until == NOW + 70


def test_what_says_nothing_new_is_the_same_object(path, clock):
    book = AlertBook(path, clock=clock)
    views = (alert(), alert(rule="stall"))
    assert book.overlay(views, NOW) is views
    book.acknowledge(views[0], by="a", at=NOW)
    dressed = book.overlay(views, NOW)
    assert book.overlay(dressed, NOW) is dressed


def test_two_writers_lose_nothing_of_each_other(path, clock):
    one, other = AlertBook(path, clock=clock), AlertBook(path, clock=clock)
    one.acknowledge(alert(), by="one", at=NOW)
    other.silence(hush())
    one.leave(NOW, [path.parent])
    rev = one.rev
    assert one.silences(NOW) == other.silences(NOW)
    assert other.acknowledgement(alert()).by == "one"
    assert not one.refresh(), "it took the other's silence in when it wrote"
    other.unsilence(other.silences(NOW)[0].id)
    assert one.refresh()
    assert one.rev == rev + 1
    assert one.silences(NOW) == ()


def test_leaving_is_no_news_about_alerts(path, clock):
    one, other = AlertBook(path, clock=clock), AlertBook(path, clock=clock)
    rev = other.rev
    one.leave(NOW, [path.parent])
    assert not other.refresh()
    assert (one.rev, other.rev) == (rev, rev)


def test_processes_that_write_at_once_lose_nothing(path, clock):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from mens_console.signals.alerts import Silence\n"
        "from mens_console.store.alertbook import AlertBook\n"
        "book = AlertBook(Path(sys.argv[1]), clock=time.time)\n"
        "for i in range(10):\n"
        "    book.silence(Silence(f'{sys.argv[2]}-{i}', '*', '*', 'a', 'c', 0.0, 9e10))\n"
        "sys.exit(bool(book.problem))\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(AlertBook(path, clock=clock).silences(NOW)) == 30


def test_the_file_is_private(path, clock):
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o755)
    AlertBook(path, clock=clock).silence(hush())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in path.parent.iterdir()) == ["alerts.json", "alerts.json.lock"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": "other"}', '{"schema": "mens-alerts/1"}', "\xff\xfe", "[" * 100_000],
    ids=["empty", "torn", "list", "null", "foreign", "hollow", "bytes", "deep"],
)
def test_a_damaged_file_is_kept_aside_and_told(path, clock, text):
    path.parent.mkdir(parents=True)
    path.write_text(text, "latin-1")
    book = AlertBook(path, clock=clock)
    assert "was damaged" in book.problem
    assert (path.parent / f"alerts.json.bad-{int(NOW)}").read_text("latin-1") == text
    book.acknowledge(alert(), by="a", at=NOW)
    assert AlertBook(path, clock=clock).acknowledgement(alert())
    assert "was damaged" in book.problem, "it stays told"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        *[(("acks", 0, field), "x") for field in ("at", "severity", "since_step", "since")],
        (("acks", 0, "at"), 10**400), (("silences", 0, "end"), 10**400), (("silences", 0, "end"), 1e18),
        (("left",), []), (("left",), None),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_damage(path, clock, where, value):
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    book.silence(hush())
    document = json.loads(path.read_text())
    *parents, field = where
    table = document
    for key in parents:
        table = table[key]
    table[field] = value
    path.write_text(json.dumps(document))
    assert "was damaged" in AlertBook(path, clock=clock).problem


def test_a_later_version_is_not_touched(path, clock):
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": "mens-alerts/7"}')
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    assert "later version" in book.problem
    assert book.acknowledgement(alert())
    assert path.read_text() == '{"schema": "mens-alerts/7"}'


def test_what_cannot_be_written_is_kept_and_tried_again(path, clock, monkeypatch):
    book = AlertBook(path, clock=clock)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        book.acknowledge(alert(), by="a", at=NOW)
        book.silence(hush())
        rev = book.rev
        assert "no space left on device; acknowledgements and silences last until" in book.problem
        assert book.overlay((alert(),), NOW)[0].acknowledged
        assert not path.exists()
        assert list(path.parent.glob(".alerts*")) == []
        clock.now += RETRY_S
        assert not book.refresh()
        assert book.problem
    AlertBook(path, clock=clock).acknowledge(alert(rule="stall"), by="b", at=NOW)
    clock.now += RETRY_S - 1
    assert not book.refresh(), "not before its time"
    clock.now += 1
    assert book.refresh()
    assert (book.problem, book.rev) == ("", rev + 1)
    again = AlertBook(path, clock=clock)
    assert again.acknowledgement(alert())
    assert again.acknowledgement(alert(rule="stall"))
    assert len(again.silences(NOW)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_works_in_memory(tmp_path, clock):
    (tmp_path / "state").mkdir(mode=0o500)
    book = AlertBook(tmp_path / "state" / "x" / "alerts.json", clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    assert "permission denied" in book.problem
    assert book.acknowledgement(alert())


@pytest.mark.parametrize("kind", ["folder", "pipe", "file in the way"])
def test_what_is_no_file_never_hangs(path, clock, kind):
    path.parent.parent.mkdir(parents=True)
    if kind == "file in the way":
        path.parent.write_text("")
    else:
        path.parent.mkdir()
        path.mkdir() if kind == "folder" else os.mkfifo(path)
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    assert str(path) in book.problem
    assert book.acknowledgement(alert())


def test_a_stuck_lock_is_told_and_not_waited_for(path, clock):
    book = AlertBook(path, clock=clock)
    with locked(path):
        began = time.monotonic()
        book.acknowledge(alert(), by="a", at=NOW)
        assert time.monotonic() - began < 5
    assert "another program holds its lock" in book.problem
    clock.now += RETRY_S
    book.refresh()
    assert book.problem == ""
    assert AlertBook(path, clock=clock).acknowledgement(alert())


def test_old_entries_go(path, clock):
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    book.silence(hush(seconds=KEPT_S))
    clock.now += KEPT_S
    book.prune(clock.now)
    assert book.acknowledgement(alert()) is None
    assert len(json.loads(path.read_text())["silences"]) == 1, "it ended only now"
    clock.now += KEPT_S
    book.prune(clock.now)
    assert json.loads(path.read_text())["silences"] == []


def test_it_does_not_grow_without_end(path, clock):
    document = {"schema": "mens-alerts/1", "acks": [], "left": {}}
    silence = {"rule": "*", "place": "*", "author": "", "comment": "", "start": 0.0}
    document["silences"] = [{**silence, "id": f"{i}", "end": NOW + i} for i in range(MOST + 5)]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    book = AlertBook(path, clock=clock)
    book.silence(hush(seconds=9e6))
    assert len(book.silences(NOW)) == MOST
    assert math.isclose(book.silences(NOW)[-1].end, NOW + 9e6)


def test_when_the_console_was_left_is_kept_for_each_set_of_roots(path, clock, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    book = AlertBook(path, clock=clock, roots=[a, b])
    assert math.isnan(book.left_at)
    book.leave(NOW)
    book.leave(NOW + 50, [a])
    assert math.isnan(book.left_at), "it is about the time before this console"
    assert AlertBook(path, clock=clock, roots=[b, a]).left_at == NOW
    assert AlertBook(path, clock=clock, roots=[a]).left_at == NOW + 50
    assert math.isnan(AlertBook(path, clock=clock, roots=[b]).left_at)
    assert AlertBook(path, clock=clock).left_at == NOW + 50


def test_the_daemon_is_nobody(path, clock):
    book = AlertBook(path, clock=clock, attended=False)
    book.leave(NOW, [path])
    assert not path.exists()


def test_memory_alone_is_enough_for_a_replay(clock):
    book = AlertBook(None, clock=clock)
    book.acknowledge(alert(), by="a", at=NOW)
    book.silence(hush())
    assert book.acknowledgement(alert())
    assert book.rev == 2
    assert book.problem == ""
    assert not book.refresh()


def test_names_that_are_not_utf8_are_kept(path, clock):
    view = alert(entity="run-\udcff")
    AlertBook(path, clock=clock).acknowledge(view, by="a", at=NOW)
    assert AlertBook(path, clock=clock).acknowledgement(view)
    assert silence_id("*", "run-\udcff", "a", NOW)


def test_an_acknowledgement_of_the_next_episode_replaces_the_first(path, clock):
    book = AlertBook(path, clock=clock)
    book.acknowledge(alert(step=1), by="a", at=NOW)
    book.acknowledge(alert(step=2), by="b", at=NOW + 1)
    assert book.acknowledgement(alert(step=1)) is None
    assert book.acknowledgement(replace(alert(step=2), state=AlertState.RESOLVED)).by == "b"

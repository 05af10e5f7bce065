"""Messages under way when the daemon is killed: each goes out by the next one, and none twice."""

import json
import threading

import pytest
from notify.alarms import NOW, alert, message, rounds, run

from mens_console.config.settings import NotifySettings
from mens_console.notify.delivery import Courier, DeliveryLog
from mens_console.notify.dispatch import Dispatcher, Post
from mens_console.notify.outbox import AGAIN, KEPT_S, MOST, Outbox
from mens_console.notify.routes import DeliveryError


class Way:
    """A route that takes messages, refuses them, or holds them until it is let go."""

    def __init__(self, name="way 1", *, holds=False, refuses=False):
        self.name, self._refuses = name, refuses
        self.sent, self.entered, self.gone = [], threading.Event(), threading.Event()
        if not holds:
            self.gone.set()

    def send(self, told):
        self.entered.set()
        self.gone.wait(30)
        if self._refuses:
            raise DeliveryError("refused")
        self.sent.append(told)

    def cancel(self):
        self._refuses = True
        self.gone.set()


def watch(tmp_path, *ways):
    post = Post(tmp_path, (tmp_path / "runs",), "box", NotifySettings(group_s=0))
    return Dispatcher(post, terminal=ways, environ={}, clock=lambda: NOW)


def killed(dispatcher):
    """Leave as a kill does: without a word, but the lock goes."""
    dispatcher._turn.close()


def test_what_was_under_way_when_the_watch_was_killed_is_sent_by_the_next(tmp_path):
    stuck, quick = Way("stuck 1", holds=True), Way("quick 1")
    first, look = watch(tmp_path, stuck, quick), rounds()
    first.step(NOW, look(run(alert())))
    assert stuck.entered.wait(10) and quick.entered.wait(10)
    first._courier._lanes[1].finish()
    first._courier._lanes[1].join(10)
    killed(first)
    stuck_again, quick_again = Way("stuck 1"), Way("quick 1")
    second = watch(tmp_path, stuck_again, quick_again)
    second.step(NOW + 1, rounds()(run(alert())))
    second.close(10)
    assert [AGAIN in told.body for told in stuck_again.sent] == [True]
    assert quick_again.sent == [], "it had taken the message, and the alert itself is remembered as told"
    third = watch(tmp_path, late := Way("stuck 1"))
    third.close(10)
    assert late.sent == []
    stuck.cancel()


def test_what_is_given_up_at_the_end_of_a_watch_is_not_lost(tmp_path):
    first, look = watch(tmp_path, stuck := Way(holds=True)), rounds()
    first.step(NOW, look(run(alert())))
    assert stuck.entered.wait(10)
    first.close(0.0)
    second = watch(tmp_path, again := Way())
    second.close(10)
    assert len(again.sent) == 1


def test_what_a_route_refused_to_the_last_try_is_not_sent_again(tmp_path):
    box = Outbox(tmp_path / "outbox.json")
    way = Way(refuses=True)
    courier = Courier([way], DeliveryLog(None), back_off_s=(0.0, 0.0), on_end=box.conclude)
    box.put(message(), [way.name], NOW)
    courier.send(message())
    courier.close(10)
    assert box.take(NOW) == []


def test_only_so_much_is_kept_and_only_for_so_long(tmp_path):
    box = Outbox(tmp_path / "outbox.json")
    for i in range(MOST + 5):
        box.put(message(subject=f"no. {i}"), ["way 1"], NOW)
    again = Outbox(tmp_path / "outbox.json")
    assert len(again.take(NOW + 1)) == MOST
    assert again.take(NOW + KEPT_S) == [] and again.take(NOW - 60) == []
    ((one, _), *_) = again.take(NOW + 1)
    box.put(one, ["way 1"], NOW)
    assert Outbox(tmp_path / "outbox.json").take(NOW)[-1][0].body.count(AGAIN) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": "mens-outbox/2"}', '{"schema": "mens-outbox/1"}', "null"])
def test_a_damaged_file_is_an_empty_one(tmp_path, text):
    (tmp_path / "outbox.json").write_text(text)
    box = Outbox(tmp_path / "outbox.json")
    assert box.take(NOW) == []
    box.put(message(), ["way 1"], NOW)
    assert len(box.take(NOW)) == 1


def test_a_place_that_cannot_be_written_is_told_and_hinders_nothing(tmp_path):
    (tmp_path / "outbox.json").mkdir()
    (tmp_path / "outbox.json" / "in the way").touch()
    box = Outbox(tmp_path / "outbox.json")
    box.put(message(), ["way 1"], NOW)
    assert "is lost if the watch is killed" in box.problem
    assert box.take(NOW) == []


def test_it_is_for_its_owner_alone(tmp_path):
    Outbox(tmp_path / "outbox.json").put(message(), ["way 1"], NOW)
    assert (tmp_path / "outbox.json").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "outbox.json").read_text())["letters"][0]["waits"] == ["way 1"]

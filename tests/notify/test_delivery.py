"""Real messages to a real local server through Apprise, and what happens when that fails."""

import json
import os
import sys
import threading

import pytest
from notify.alarms import message, service

from mens_console.config.state import append_private
from mens_console.notify import routes as routes_module
from mens_console.notify.delivery import WAITING, Courier, DeliveryLog
from mens_console.notify.routes import (
    BELL,
    OSC9,
    AppriseRoute,
    DeliveryError,
    TerminalRoute,
    apprise_routes,
    is_installed,
    name_of,
    resolved,
    terminal_routes,
)  # fmt: skip
from mens_console.notify.sender import INSTALL, reason

SECRET = "s3cr3t-t0ken"


class Fake:
    """A route that does what the test says: fails so many times, or waits until it is cancelled."""

    def __init__(self, name="fake 000000", fails=0, hangs=False):
        self.name, self._fails, self._hangs = name, fails, hangs
        self.sent, self._cancelled, self.entered = [], threading.Event(), threading.Event()

    def send(self, told):
        self.entered.set()
        if self._hangs:
            self._cancelled.wait(30)
            raise DeliveryError("given up")
        if self._fails:
            self._fails -= 1
            raise DeliveryError("the service answered 500")
        self.sent.append(told)

    def cancel(self):
        self._cancelled.set()


def attempts(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_message_arrives_as_it_is():
    with service() as chat:
        AppriseRoute(f"{chat.url}/{SECRET}").send(message("CRITICAL llama", "line one\n→ line two"))
        ((path, told),) = chat.told
    assert path == f"/{SECRET}"
    assert (told["title"], told["message"], told["type"]) == ("CRITICAL llama", "line one\n→ line two", "failure")


def test_failures_are_recorded_without_the_address(tmp_path):
    log = DeliveryLog(tmp_path / "s" / "deliveries.jsonl")
    with service(500) as chat:
        route = AppriseRoute(f"json://user:{SECRET}@127.0.0.1:{chat.port}/{SECRET}")
        courier = Courier([route], log, back_off_s=(0.01, 0.01), clock=lambda: 5.0)
        courier.send(message())
        courier.close(60)
        assert len(chat.told) == 3
    assert [(a["attempt"], a["ok"], a["why"]) for a in attempts(log.path)] == [
        (n, False, "the service answered 500") for n in (1, 2, 3)
    ]
    assert (
        attempts(log.path)[0]["route"] == route.name == name_of(f"json://user:{SECRET}@127.0.0.1:{chat.port}/{SECRET}")
    )
    assert attempts(log.path)[0]["fingerprints"] == ["0123456789ab"]
    text = log.path.read_text() + courier.problem
    assert SECRET not in text
    assert "127.0.0.1" not in text
    assert str(chat.port) not in text
    assert courier.problem == f"{route.name}: the service answered 500"
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_service_that_is_not_there_is_told_in_words():
    with service() as chat:
        url = chat.url
    with pytest.raises(DeliveryError, match="could not be reached"):
        AppriseRoute(url).send(message())


def test_a_service_that_hangs_is_given_up_in_time():
    with service(hang=True) as chat, pytest.raises(DeliveryError, match=r"no answer within 1\.5 s"):
        AppriseRoute(chat.url, limit_s=1.5).send(message())


def test_a_delivery_under_way_can_be_given_up():
    with service(hang=True) as chat:
        route = AppriseRoute(chat.url)
        courier = Courier([route], DeliveryLog(None), back_off_s=(60.0,))
        courier.send(message())
        courier.close(0.2)
        assert courier.problem == f"{route.name}: given up"
    assert [t.name for t in threading.enumerate() if t.name.startswith("deliver")] == []


def test_a_second_try_that_works_is_enough(tmp_path):
    log, route = DeliveryLog(tmp_path / "d.jsonl"), Fake(fails=1)
    courier = Courier([route], log, back_off_s=(0.0, 0.0))
    courier.send(message())
    courier.close(10)
    assert [a["ok"] for a in attempts(log.path)] == [False, True]
    assert len(route.sent) == 1
    assert courier.problem == ""


def test_a_route_that_hangs_delays_no_other():
    good, bad = Fake("good 1"), Fake("bad 2", hangs=True)
    delivered = threading.Event()
    courier = Courier([bad, good], DeliveryLog(None), on_delivery=lambda d: delivered.set() if d.ok else None)
    courier.send(message())
    assert delivered.wait(10)
    courier.close(0.0)
    assert courier.problem == "bad 2: given up"


def test_messages_do_not_pile_up_without_end():
    route = Fake(hangs=True)
    noted = []
    courier = Courier([route], DeliveryLog(None), on_delivery=noted.append)
    courier.send(message())
    assert route.entered.wait(10)
    for _ in range(WAITING + 2):
        courier.send(message())
    assert [(d.attempt, d.ok) for d in noted] == [(0, False), (0, False)]
    courier.close(0.0)


def test_a_fault_of_a_route_ends_nothing():
    class Broken(Fake):
        def send(self, told):
            raise RuntimeError(SECRET)

    courier = Courier([Broken()], DeliveryLog(None), back_off_s=())
    courier.send(message())
    courier.close(10)
    assert courier.problem == "fake 000000: internal error: RuntimeError"


def test_the_log_begins_anew_when_it_is_large(tmp_path):
    path = tmp_path / "deliveries.jsonl"
    for text in (b"first\n", b"second\n", b"third\n"):
        append_private(path, text, rotate_at=10)
    assert path.read_bytes() == b"third\n"
    assert path.with_name("deliveries.jsonl.1").read_bytes() == b"first\nsecond\n"


def test_a_log_that_cannot_be_written_hurts_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    log, route = DeliveryLog(tmp_path / "file" / "d.jsonl"), Fake()
    courier = Courier([route], log, back_off_s=())
    courier.send(message())
    courier.close(10)
    assert len(route.sent) == 1
    assert "deliveries are not recorded" in courier.problem


# ---------------------------------------------------------------------- addresses


def test_addresses_are_checked_before_anything_is_sent():
    routes, problems = apprise_routes(["json://localhost/${TOKEN}", "nonsense://x", "discord://"], {"TOKEN": SECRET})
    assert [route.name for route in routes] == [name_of(f"json://localhost/{SECRET}")]
    assert len(problems) == 2
    assert problems[0].startswith("notify address 2 (nonsense ")
    assert "no address that Apprise knows" in problems[1]


def test_an_unset_variable_is_named_and_its_address_is_not_used():
    routes, problems = apprise_routes([f"json://localhost/{SECRET}/${{PAGER_KEY}}"], {})
    assert routes == []
    assert "$PAGER_KEY is not set" in problems[0]
    assert SECRET not in problems[0]


def test_variables_stand_for_what_the_environment_says():
    assert resolved("a://${X}/${Y_2}${X}", {"X": "1", "Y_2": "2"}) == ("a://1/21", "")
    assert resolved("a://$X/$$", {}) == ("a://$X/$$", "")


@pytest.mark.parametrize("how", ["absent", "blocked"])
def test_without_apprise_one_sentence_says_what_to_install(monkeypatch, how):
    if how == "absent":
        monkeypatch.setitem(sys.modules, "apprise", None)
    else:

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name == "apprise":
                    raise ImportError(name)

        monkeypatch.setattr(sys, "meta_path", [Blocker(), *sys.meta_path])
        monkeypatch.delitem(sys.modules, "apprise", raising=False)
    assert not is_installed()
    assert apprise_routes(["json://localhost"], {}) == ([], [INSTALL])
    assert "pip install 'mens-console[notify]'" in INSTALL


def test_apprise_missing_where_messages_are_sent_is_said_too(monkeypatch, tmp_path):
    (tmp_path / "apprise.py").write_text("raise ImportError\n")
    start = routes_module._start
    monkeypatch.setattr(routes_module, "_start", lambda: _with_path(start, tmp_path))
    with pytest.raises(DeliveryError, match="pip install"):
        AppriseRoute("json://localhost").send(message())


def _with_path(start, folder):
    """Start the sender where another `apprise` comes first."""
    import subprocess

    real, code = subprocess.Popen, f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    code += "from mens_console.notify.sender import main; main()"
    return real([sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")


def test_a_sender_that_dies_is_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DeliveryError, match="the sending process failed"):
        AppriseRoute("json://localhost").send(message())
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(DeliveryError, match="no process could be started"):
        AppriseRoute("json://localhost").send(message())
    routes, problems = apprise_routes(["json://localhost"], {})
    assert (len(routes), problems) == (1, []), "what cannot be checked is tried when it is needed"


def test_reasons_are_words_of_ours():
    assert reason([f"Failed to send to https://{SECRET}, error=429."]) == "the service answered 429"
    assert reason([f"A Connection error occurred sending to {SECRET}"]).startswith("the service could not be reached")
    assert reason([SECRET]) == reason([]) == "the service refused it"


def test_names_hide_addresses():
    assert name_of("discord://webhook/token").startswith("discord ")
    assert name_of(SECRET).startswith("apprise ")
    assert name_of("\x1b[31m://x").startswith("apprise ")
    assert name_of("a://x") != name_of("a://y")


# ---------------------------------------------------------------------- the terminal


def test_a_terminal_is_rung_and_told():
    leader, follower = os.openpty()
    with open(follower, "w") as terminal:
        routes = terminal_routes(terminal, {"TMUX": "/tmp/x"}, bell=True, osc9=True)
        assert [route.name for route in routes] == [BELL, OSC9]
        expected = {BELL: b"\x07", OSC9: b"\x1bPtmux;\x1b\x1b]9;CRITICAL llama\x07\x1b\\"}
        for route in routes:
            route.send(message("CRITICAL llama"))
            route.cancel()
            shown = b""
            while len(shown) < len(expected[route.name]):
                shown += os.read(leader, 200)
            assert shown == expected[route.name]
    os.close(leader)


def test_no_terminal_no_route(tmp_path):
    with (tmp_path / "out").open("w") as file:
        assert terminal_routes(file, {}, bell=True, osc9=True) == []
        closed = TerminalRoute(BELL, file.fileno())
    with pytest.raises(DeliveryError, match="the terminal is gone"):
        closed.send(message())

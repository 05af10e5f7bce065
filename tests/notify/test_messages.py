import math

from hypothesis import given
from hypothesis import strategies as st
from notify.alarms import NOW, RESOLVED, WARNING, alert, rounds, run

from mens_console.notify.messages import LISTED, Notice, compose, drill, foreign, ping
from mens_console.signals.rules import RULES


def notice(view=None, kind="firing", name="llama", **more):
    (seen,) = rounds()(run(view or alert(), name=name)).seen
    return Notice(kind, seen, NOW, **more)


def test_one_alert_says_all_an_operator_needs():
    view = alert(value=math.nan, evidence=("the batch of step 119",), message="loss is NaN")
    told = compose([notice(view)], host="box7", now=NOW + 240)
    assert told.subject == "CRITICAL llama: loss is NaN (box7)"
    assert told.body.splitlines() == [
        "CRITICAL · llama · nan_loss fires",
        "loss is NaN",
        "value NaN, threshold 1 points",
        "since 2025-10-09 08:53:20 UTC (4 m ago), step 120",
        "· the batch of step 119",
        "→ do this",
        "",
        "told by mens-console on box7",
    ]
    assert told.fingerprints == (view.fingerprint,)


def test_the_worst_comes_first_and_ends_come_last():
    notices = [
        notice(alert("stall", severity=WARNING)),
        notice(alert("oom", RESOLVED, resolved_at=NOW + 60), "resolved"),
        notice(alert("crash")),
    ]
    told = compose(notices, host="b", now=NOW + 120)
    assert told.subject == "CRITICAL llama: crash happened and 2 more (b)"
    heads = [line for line in told.body.splitlines() if " · llama · " in line]
    assert heads == [
        "CRITICAL · llama · crash fires", "WARNING · llama · stall fires", "CRITICAL · llama · oom is over",
    ]  # fmt: skip
    assert "until 2025-10-09 08:54:20 UTC (1 m ago)" in told.body


def test_ends_alone_are_no_alarm():
    told = compose([notice(alert(state=RESOLVED), "resolved")], host="b", now=NOW)
    assert told.subject == "RESOLVED llama: nan_loss happened (over) (b)"
    assert str(told.severity) == "info"


def test_what_is_over_again_and_what_was_not_told_is_said():
    told = compose([notice(alert(state=RESOLVED), unheard=3)], host="b", now=NOW)
    assert "nan_loss fires, and is over again" in told.body
    assert "it fired 3 more times since the last message about it" in told.body


def test_many_are_counted():
    told = compose([notice(name=f"run{i}") for i in range(LISTED + 3)], host="b", now=NOW)
    assert "… and 3 more alerts" in told.body
    assert len(told.fingerprints) == LISTED + 3


def test_what_is_unknown_is_left_out():
    told = compose([notice(alert(since=math.nan, step=None, threshold=math.nan))], host="b", now=NOW)
    assert "since an unknown time" in told.body
    assert "threshold" not in told.body


HOSTILE = "@everyone <https://evil|click> [x](javascript:0) `rm` *b* \x1b[31m\n\u202e"


def test_foreign_text_is_only_text():
    view = alert(message=HOSTILE, evidence=(HOSTILE + "2",), unit=HOSTILE, recommendation=HOSTILE)
    told = compose([notice(view, name=HOSTILE)], host=HOSTILE, now=NOW)
    for text in (told.subject, told.body):
        assert not set(text) & set("@<>`*|[]\x1b\u202e")
        assert "://" not in text
    assert len(told.subject.splitlines()) == 1


@given(st.text())
def test_foreign_text_is_one_line_and_short(text):
    shown = foreign(text)
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("@<>`*|[]\x1b\u202e\x00\x07")
    assert len(shown) <= 302


def test_a_drill_says_so():
    told = drill(RULES["nan_loss"], "0" * 12, host="b", by="ada@b", now=NOW)
    assert told.subject.startswith("DRILL nan_loss: ")
    assert told.body.startswith("This is a DRILL: nothing is wrong.")
    assert told.kind == "drill"


def test_a_ping_counts_folders():
    assert ping("b", 1, NOW).subject == "mens-console watches on b (1 folder)"
    assert ping("b", 2, NOW).subject == "mens-console watches on b (2 folders)"

"""What happened since the operator left: from the snapshot alone, nothing twice, nothing made up."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screens.alertbox import alert, returned, troubled
from screens.box import NOW, run, snapshot

from mens_console.signals.alerts import Silence
from mens_console.signals.rules import Severity
from mens_console.store.digest import AWAY_S, Recalled, digest
from mens_console.store.digestreport import digest_document

LEFT = NOW - 7200.0


def names(news):
    return [one.name for one in news]


def test_everything_that_happened_is_told_once():
    found = digest(returned(), LEFT, NOW)
    assert [(one.name, one.state) for one in found.ended] == [("broken", "out_of_memory"), ("done", "finished")]
    assert found.ended[0].evidence == "CUDA out of memory after step 90"
    assert names(found.begun) == ["young"] and [(one.name, one.step) for one in found.resumed] == [("young", 101)]
    fired = [(one.alert.rule, one.wall) for one in found.fired if one.name == "broken"]
    assert fired == [("oom", NOW - 3000), ("loss_spike", NOW - 5000)]
    assert [(one.alert.rule, one.wall) for one in found.resolved] == [("plateau", NOW - 3600)]
    assert sorted(one.step for one in found.checkpoints) == [100, 200, 300]
    assert (found.quiet, found.going) == (1, 1)
    assert found.due and not found.empty


def test_failures_come_before_finishes_and_criticals_before_warnings():
    found = digest(returned(), LEFT, NOW)
    assert [one.state == "finished" for one in found.ended] == [False, True]
    ranks = [one.alert.severity.rank for one in found.fired]
    assert ranks == sorted(ranks, reverse=True)


def test_what_happened_before_or_is_still_to_come_is_no_news():
    later = run("later", "finished", alerts=(alert("plateau", "later", ago=-60),))
    later = replace(later, diagnosis=replace(later.diagnosis, since=NOW + 60), segments=())
    found = digest(snapshot([later]), LEFT, NOW)
    assert found.empty and not found.due
    assert digest(returned(), NOW - 1, NOW).empty


def test_pending_alerts_have_not_fired():
    one = replace(run("one"), segments=(), alerts=(alert("lr_jump", "one", "pending", ago=20),))
    assert digest(snapshot([one]), LEFT, NOW).empty


def test_who_never_left_has_missed_nothing():
    assert digest(returned(), math.nan, NOW).empty
    assert not digest(returned(), math.nan, NOW).due


def test_a_short_absence_is_not_worth_a_page():
    assert not digest(returned(), NOW - AWAY_S, NOW).due
    young = replace(run("young", alerts=()), checkpoints=returned().runs[2].checkpoints[:1])
    assert digest(snapshot([young]), NOW - AWAY_S - 800, NOW).due


def test_a_run_without_a_known_end_ended_with_its_newest_byte():
    one = run("one", "crashed", age=100, alerts=())
    one = replace(one, diagnosis=replace(one.diagnosis, since=math.nan), segments=())
    assert digest(snapshot([one]), LEFT, NOW).ended[0].wall == NOW - 100


def test_alerts_of_the_machine_are_told_too():
    found = digest(replace(troubled(), runs=()), LEFT, NOW)
    assert [(one.run_id, one.alert.rule) for one in found.fired] == [("", "gpu_xid")]


def test_the_document_is_plain_json():
    document = json.loads(json.dumps(digest_document(digest(returned(), LEFT, NOW)), allow_nan=False))
    assert document["schema"] == "mens-digest/1" and document["left_at"] == LEFT
    assert document["ended"][0]["state"] == "out_of_memory" and document["fired"][0]["rule"] == "oom"
    assert document["resolved"][0]["resolved_at"] == NOW - 3600 and len(document["checkpoints"]) == 3
    hostile = run("\x1b[31mx\u202e", "crashed", alerts=())
    assert "\x1b" not in json.dumps(digest_document(digest(snapshot([hostile]), LEFT, NOW)), ensure_ascii=False)


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=2))
def test_two_absences_in_a_row_tell_what_one_long_one_does(agos):
    """Nothing is lost between two visits: each alert and checkpoint is told by exactly one of them."""
    early, late = sorted(NOW - ago for ago in agos)
    box = returned()
    whole = digest(box, early, NOW)
    first, second = digest(box, early, late), digest(box, late, NOW)
    assert len(whole.checkpoints) == len(first.checkpoints) + len(second.checkpoints)
    assert len(whole.fired) == len(first.fired) + len(second.fired)
    assert len(whole.begun) + len(whole.resumed) == sum(len(d.begun) + len(d.resumed) for d in (first, second))


# ---------------------------------------------------------------------- what got worse, and what is still on


def test_what_got_worse_meanwhile_is_news_and_what_stayed_is_counted():
    worse = alert("stall", "one", ago=9000, severity=Severity.CRITICAL, worse_at=NOW - 600)
    same = alert("plateau", "one", ago=9000)
    hushed = alert("ece", "one", ago=9000, silenced_until=NOW + 60)
    found = digest(snapshot([replace(run("one"), segments=(), alerts=(worse, same, hushed))]), LEFT, NOW)
    assert [(one.alert.rule, one.wall) for one in found.fired] == [("stall", NOW - 600)]
    assert (found.still, found.quiet) == (1, 0)
    assert digest(snapshot([replace(run("one"), alerts=(same,))]), NOW - 1, NOW).still == 1


def test_a_run_that_diverged_did_so_when_it_began_to():
    one = run("one", "diverged", nan_from=60, alerts=(alert("nan_loss", "one", ago=600, step=60),))
    one = replace(one, diagnosis=replace(one.diagnosis, since=NOW), segments=())
    assert [news.wall for news in digest(snapshot([one]), NOW - 700, NOW).ended] == [NOW - 600]
    again = digest(snapshot([one]), NOW - 500, NOW)
    assert again.empty, "who came back once is not told the same at the next return"
    assert again.still == 1


def test_a_clock_that_was_set_back_is_told():
    found = digest(returned(), NOW + 3600, NOW)
    assert found.backwards and found.empty and not found.due


# ---------------------------------------------------------------------- what only the daemon saw


def seen(rule="stall", place="/box/one", since=NOW - 3000, ended=NOW - 2400, severity=Severity.WARNING):
    return Recalled(place, rule, severity, "one", "No progress: no new row for 12 m", since, ended)


def here(*alerts):
    views = tuple(replace(view, place="/box/one") for view in alerts)
    return replace(run("one"), place="/box/one", segments=(), alerts=views)


def test_what_came_and_went_by_the_clock_is_told_once():
    found = digest(snapshot([here()]), LEFT, NOW, [seen()])
    (news,) = found.fired
    assert (news.run_id, news.name, news.alert.rule, news.wall) == ("one", "one", "stall", NOW - 3000)
    assert (news.recalled, news.alert.resolved_at, news.alert.active) == (True, NOW - 2400, False)
    assert found.due and not found.resolved
    assert digest(snapshot([here()]), NOW - 2000, NOW, [seen()]).empty
    before = digest(snapshot([here()]), NOW - 2500, NOW, [seen()])
    assert [one.wall for one in before.resolved] == [NOW - 2400] and not before.fired
    unseen_end = digest(snapshot([here()]), LEFT, NOW, [seen(ended=math.nan)])
    assert [one.alert.active for one in unseen_end.fired] == [False], "the console knows that it is not on any more"


@pytest.mark.parametrize("state", ["firing", "resolved"])
def test_what_the_files_tell_too_is_not_told_twice(state):
    own = alert("stall", "one", state, ago=3000, resolved_at=NOW - 2400 if state == "resolved" else math.nan)
    found = digest(snapshot([here(own)]), LEFT, NOW, [seen(ended=NOW - 2400 if state == "resolved" else math.nan)])
    assert [one.recalled for one in (*found.fired, *found.resolved)] == [False]


def test_an_alert_that_held_to_its_runs_end_is_not_called_resolved_by_the_daemons_word():
    own = alert("plateau", "one", "resolved", ago=9000, resolved_at=NOW - 600, held=True)
    assert digest(snapshot([here(own)]), LEFT, NOW, [seen("plateau", since=NOW - 9000, ended=NOW - 600)]).empty


def test_the_daemon_knows_since_when_what_the_console_first_sees_now():
    own = alert("disk_full", "one", ago=1)
    assert digest(snapshot([here(own)]), LEFT, NOW, [seen("disk_full", ended=math.nan)]).fired[0].wall == NOW - 3000
    found = digest(snapshot([here(own)]), NOW - 2000, NOW, [seen("disk_full", ended=math.nan)])
    assert found.empty and found.still == 1, "it was on already when the operator left"


def test_an_older_episode_that_the_daemon_did_not_see_end_hides_no_newer_one():
    own = alert("loss_spike", "one", ago=60)
    found = digest(snapshot([here(own)]), NOW - 2000, NOW, [seen("loss_spike", ended=math.nan)])
    assert [one.wall for one in found.fired] == [NOW - 60]


def test_what_is_silenced_is_left_out_also_where_only_the_daemon_saw_it():
    silence = Silence("s1", "stall", "one", "ada", "", NOW - 9000, NOW + 60)
    found = digest(snapshot([here()], silences=(silence,)), LEFT, NOW, [seen()])
    assert found.empty and found.quiet == 1

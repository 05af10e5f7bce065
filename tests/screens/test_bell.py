"""The bell rings for news, once, and never for history."""

import math
from dataclasses import replace

import pytest
from screens.alertbox import troubled
from screens.box import NOW, box, run, snapshot
from screens.conftest import until

from mens_console.screens.bell import Bell
from mens_console.store.snapshot import Progress

FINE = run("lr-3e-2")
BROKEN = run("lr-3e-2", "diverged", nan_from=60)


def rung(*snapshots):
    bell = Bell()
    return [bool(bell.news(one)) for one in snapshots]


def test_a_new_critical_alert_rings_once():
    assert any(str(alert.severity) == "critical" for alert in BROKEN.alerts)
    assert rung(*(snapshot([one]) for one in (FINE, BROKEN, BROKEN))) == [False, True, False]


def test_one_that_comes_back_rings_again():
    assert rung(*(snapshot([one]) for one in (FINE, BROKEN, FINE, BROKEN))) == [False, True, False, True]


def test_what_was_on_when_all_was_read_is_history():
    assert rung(snapshot([FINE], scanning=True), snapshot([BROKEN], scanning=True), snapshot([BROKEN])) == [False] * 3
    assert rung(snapshot([], scanning=True), snapshot([BROKEN]), snapshot([BROKEN])) == [False] * 3


def test_what_fires_while_history_is_read_is_history():
    reading = [replace(one, backlog=Progress(1, 2)) for one in (FINE, BROKEN)]
    assert rung(*(snapshot([one]) for one in (*reading, BROKEN))) == [False] * 3
    assert rung(snapshot([reading[0]]), snapshot([BROKEN])) == [False] * 2


def test_a_run_that_appears_with_its_alerts_is_history():
    assert rung(snapshot([]), snapshot([BROKEN]), snapshot([BROKEN])) == [False] * 3


def test_warnings_and_replays_are_silent():
    mild = replace(BROKEN, alerts=tuple(replace(alert, severity="warning") for alert in BROKEN.alerts))
    assert rung(snapshot([FINE]), snapshot([mild])) == [False, False]
    assert rung(snapshot([FINE], replay=True), snapshot([BROKEN], replay=True)) == [False, False]


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_app_rings(console, monkeypatch, wanted):
    async with console(snapshot([*box()[:1], FINE]), bell=wanted) as (app, pilot):
        rings = []
        monkeypatch.setattr(app, "bell", lambda: rings.append(1))
        app.engine.publish(snapshot([*box()[:1], BROKEN], 2))
        await until(pilot, lambda: app.snapshot.rev == 2)
        app.engine.publish(snapshot([*box()[:1], BROKEN], 3))
        await until(pilot, lambda: app.snapshot.rev == 3)
        assert len(rings) == wanted


def hushed(one, **changes):
    return replace(one, alerts=tuple(replace(alert, **changes) for alert in one.alerts))


def test_what_is_quiet_or_acknowledged_does_not_ring():
    for changes in ({"silenced_until": math.inf}, {"inhibited_by": "x"}, {"acknowledged": True}):
        assert rung(snapshot([FINE]), snapshot([hushed(BROKEN, **changes)])) == [False, False]


def test_what_fired_in_silence_rings_when_the_silence_is_over():
    quiet = hushed(BROKEN, silenced_until=NOW + 60)
    assert rung(*(snapshot([one]) for one in (FINE, quiet, BROKEN, BROKEN))) == [False, False, True, False]


def test_what_rang_before_its_silence_does_not_ring_after_it():
    quiet = hushed(BROKEN, silenced_until=NOW + 60)
    assert rung(*(snapshot([one]) for one in (FINE, BROKEN, quiet, BROKEN))) == [False, True, False, False]
    assert rung(snapshot([quiet]), snapshot([quiet]), snapshot([BROKEN])) == [False] * 3  # history


def test_dealing_with_the_cause_does_not_ring_for_what_followed():
    quiet = hushed(BROKEN, inhibited_by="hidden_nan")
    assert rung(*(snapshot([one]) for one in (FINE, quiet, BROKEN))) == [False] * 3


def test_a_warning_that_becomes_critical_rings():
    mild = hushed(BROKEN, severity="warning", acknowledged=True)
    assert rung(*(snapshot([one]) for one in (FINE, mild, BROKEN))) == [False, False, True]


def test_the_machine_rings_too():
    bell = Bell()
    broken = troubled()
    bell.news(replace(broken, box_alerts=()))
    assert [(name, alert.rule) for name, alert in bell.news(broken)] == [("machine", "gpu_xid")]
    assert bell.news(broken) == []

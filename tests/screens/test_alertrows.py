"""How alerts read and in which order they come: pure functions, without a screen."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screens.alertbox import SILENCE, alert, troubled
from screens.box import CHECKPOINT, NOW, run, series, snapshot

from mens_console.screens import facts
from mens_console.screens.alertfacts import detail_lines, fed, no_alerts, until
from mens_console.screens.alertrows import (
    COLUMNS,
    FILTERS,
    ORDERS,
    AlertQuery,
    Entry,
    entries,
    limit_text,
    ordered,
    row_of,
    since_text,
    value_text,
)
from mens_console.screens.silence import scopes_of
from mens_console.screens.words import STANDINGS, alert_counts, moment_text, standing
from mens_console.signals.gpu import EccCounts, GpuSample
from mens_console.signals.machine import MachineView
from mens_console.signals.rules import RULES


def machine():
    """Return a machine with one GPU that has every sensor."""
    gpu = GpuSample(0, "GPU-1f2e", "H100", NOW, throttle=(), ecc=EccCounts(0, 0, 0, 0), xids=())
    return MachineView(1, NOW, gpus=(gpu,), gpus_at=NOW)


def text_of(lines):
    return "\n".join("".join(text for text, _ in line) for line in lines)


def only(*alerts, **changes):
    return snapshot([replace(run("one"), alerts=alerts)], **changes)


def test_values_and_limits_in_their_units():
    assert value_text(alert("nan_loss", "one", value=math.nan)) == "NaN"
    assert value_text(alert("disk_full", "one", value=math.nan)) == "—"  # not measured, rather than NaN
    assert value_text(alert("stall", "one", value=3700.0)) == "1h01m"
    assert limit_text(alert("nan_loss", "one")) == "once" and limit_text(alert("lr_zero", "one")) == "3 points"
    assert limit_text(alert("loss_spike", "one")) == "2 × recent level"
    assert limit_text(alert("stall", "one", threshold=60.0)) == "1m"
    assert limit_text(alert("stall", "one", threshold=math.nan)) == "—"
    assert since_text(alert("stall", "one", since=math.nan, step=8120), NOW) == "s 8 120"
    assert since_text(alert("stall", "one", since=math.nan, step=None), NOW) == "—"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "firing"),
        ({"latched": True}, "latched"),
        ({"nodata": True}, "nodata"),
        ({"acknowledged": True, "nodata": True}, "acknowledged"),
        ({"silenced_until": math.inf, "acknowledged": True}, "silenced"),
        ({"inhibited_by": "x", "silenced_until": NOW}, "inhibited"),
        ({"state": "resolved", "inhibited_by": "x"}, "resolved"),
        ({"state": "resolved", "held": True}, "held"),
        ({"state": "recovering", "latched": True}, "recovering"),
        ({"state": "pending"}, "pending"),
    ],
)
def test_standings(changes, name):
    state = changes.pop("state", "firing")
    assert standing(alert("loss_spike", "one", state, **changes)) == name
    assert name in STANDINGS


def test_standings_and_severities_differ_without_colour():
    assert len({(glyph, word) for glyph, word, _ in STANDINGS.values()}) == len(STANDINGS)


@given(st.permutations(range(11)), st.sampled_from(ORDERS))
def test_every_alert_has_one_row_whatever_the_order(places, order):
    found = entries(troubled())
    rows = ordered([found[i] for i in places], order)
    assert sorted(entry.key for entry in rows) == sorted(entry.key for entry in found)
    assert rows == [replace(entry, depth=rows[i].depth) for i, entry in enumerate(ordered(found, order))]
    for i, entry in enumerate(rows):
        if entry.depth:
            assert rows[i - 1].alert.rule == entry.alert.inhibited_by or rows[i - 1].depth == entry.depth


def test_chains_and_rings_of_inhibition():
    chain = only(
        alert("plateau", "one", inhibited_by="lr_zero"),
        alert("lr_zero", "one", inhibited_by="nan_loss"),
        alert("nan_loss", "one"),
        alert("loss_spike", "one", inhibited_by="gone"),
    )
    rows = ordered(entries(chain), ORDERS[0])
    assert [(entry.alert.rule, entry.depth) for entry in rows] == [
        ("nan_loss", 0), ("lr_zero", 1), ("plateau", 2), ("loss_spike", 0),
    ]  # fmt: skip
    ring = only(
        alert("plateau", "one", inhibited_by="lr_zero"),
        alert("lr_zero", "one", inhibited_by="plateau"),
        alert("stall", "one", inhibited_by="stall"),
    )
    assert sorted(e.alert.rule for e in ordered(entries(ring), ORDERS[0])) == ["lr_zero", "plateau", "stall"]


def test_what_held_to_the_end_of_its_run_has_a_filter_of_its_own_and_is_not_counted():
    ended = alert("lora_dead", "one", "resolved", held=True)
    assert [which.name for which in FILTERS if which.wants(ended)] == ["all", "held to the end"]
    assert alert_counts([ended]) == (0, 0)


def test_acknowledged_latched_alerts_stay_among_those_on_now():
    seen = alert("nan_loss", "one", "resolved", acknowledged=True)
    assert FILTERS[0].wants(seen) and not FILTERS[0].wants(replace(seen, acknowledged=False))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("rule:nan", {"nan_loss", "nan_grad"}),
        ("state:acknowledged", {"loss_explosion", "throughput_degrading"}),
        ("state:on severity:critical", {"nan_loss", "loss_explosion", "gpu_xid", "stall"}),
        ("gpu", {"gpu_xid"}),
        ("run:mini -state:acknowledged", {"stall", "grad_vanishing"}),
        ("message:silent", {"stall"}),
        ("wrong:field", set()),
    ],
)
def test_queries(text, rules):
    query = AlertQuery(text)
    assert {entry.alert.rule for entry in entries(troubled()) if query.matches(entry)} == rules


def test_a_row_is_the_same_until_it_reads_differently():
    (entry,) = entries(only(alert("stall", "one", ago=600)))
    assert row_of(entry, NOW) == row_of(entry, NOW + 1)
    assert row_of(entry, NOW).rev != row_of(entry, NOW + 60).rev
    assert len(row_of(entry, NOW).cells) == len(COLUMNS)


def test_a_gpu_is_called_by_its_number_where_it_is_known():
    view = machine()
    gpu = view.gpus[0]
    one = snapshot([], box_alerts=(alert("gpu_xid", gpu.entity, step=None),), machine=view)
    assert [entry.place for entry in entries(one)] == [f"GPU {gpu.index}"]


def test_details_of_a_rule_that_is_not_in_the_table():
    (entry,) = entries(only(alert("from_the_future", "one")))
    assert "no rule of this name is in the table" in text_of(detail_lines(entry, None, (), (), NOW, 60))


@pytest.mark.parametrize(("rule", "exit_"), [("crash", "when it is over"), ("loss_spike", "1.5"), ("oom", "latched")])
def test_an_event_that_is_told_once_has_no_number_to_end_at(rule, exit_):
    (entry,) = entries(only(alert(rule, "one")))
    shown = text_of(detail_lines(entry, RULES[rule], (), (), NOW, 80))
    assert next(line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("exit ")).startswith(exit_)


def test_ends_of_silences():
    assert until(math.inf, NOW) == "until the run ends"
    wide = replace(SILENCE, rule="*", entity="*", end=math.inf, comment="")
    (entry,) = entries(only(alert("stall", "one", silenced_until=math.inf)))
    shown = text_of(detail_lines(entry, RULES["stall"], (wide,), (), NOW, 80))
    assert "silenced until the run ends by ada (every rule, everywhere)" in shown
    assert "silenced until the run ends" in text_of(detail_lines(entry, RULES["stall"], (), (), NOW, 80))


def test_moments_far_away_have_their_day():
    from datetime import UTC

    assert moment_text(NOW - 3600, NOW, UTC) == "08:00" and moment_text(math.nan, NOW) == "—"
    assert moment_text(NOW - 50_000, NOW, UTC) == "Oct 08 19:06"


def test_scopes_of_several_alerts():
    found = entries(troubled())
    narrow, runs, rules = scopes_of(found[:2])
    assert narrow.text == "2 alerts" and narrow.runs and len(narrow.pairs) == 2
    assert runs.pairs == (("*", "qwen-lora-r16"),) and runs.text == "every rule on qwen-lora-r16"
    assert {pair[1] for pair in rules.pairs} == {"*"} and not rules.runs
    assert not scopes_of([found[-1]])[0].runs  # the machine has no end


def test_rules_without_their_data():
    one = run("one")
    assert fed(RULES["loss_spike"], one) and fed(RULES["throughput_degrading"], one)
    assert not fed(RULES["ece"], one) and not fed(RULES["disk_before_checkpoint"], one)
    assert fed(RULES["ece"], replace(one, series={**one.series, "ece": series("ece", [1], [0.2])}))
    saved = replace(one, checkpoints=(CHECKPOINT(path=None, step=1, bytes=1, mtime=NOW),))
    assert fed(RULES["disk_before_checkpoint"], saved)
    bare = run("bare", steps=0)
    assert not fed(RULES["throughput_degrading"], bare) and not fed(RULES["oom"], bare)


def test_sensors_feed_the_rules_of_the_machine():
    blind = text_of(no_alerts(snapshot([run("one", alerts=())]), RULES, 80))
    seeing = text_of(no_alerts(snapshot([run("one", alerts=())], machine=machine()), RULES, 80))
    assert "gpu_thermal" in blind and "gpu_thermal" not in seeing
    off = {**RULES, "plateau": replace(RULES["plateau"], enabled=False)}
    assert "Turned off in the configuration: plateau" in text_of(no_alerts(snapshot([]), off, 80))


def test_the_facts_of_a_run_tell_where_its_alerts_stand():
    runs = {one.name: one for one in troubled().runs}
    text = text_of(facts.alert_lines(runs["lr-3e-2"], NOW, 60))
    assert "✓ acknowledged by ada" in text and "↳ 1 inhibited (8 shows)" in text and "gradient" not in text
    text = text_of(facts.alert_lines(runs["qwen-lora-r16"], NOW, 60))
    assert "◑ recovering" in text and "came back 3×" in text and "⊘ 1 silenced (8 shows)" in text
    assert "? no data" in text_of(facts.alert_lines(runs["mini-ft-07"], NOW, 60))


def test_entries_know_their_run():
    found = entries(troubled())
    assert {type(entry) for entry in found} == {Entry} and found[-1].run_id == "" and len({e.key for e in found}) == 11

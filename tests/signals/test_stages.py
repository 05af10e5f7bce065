"""The pipeline's stages folded from events, and their done-signals judged from evidence."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.cli.parser import STAGES as NAMED
from mens_console.signals.done import Evidence, FileFact, Training, judge
from mens_console.signals.stages import STAGES, split, stage_views


def start(stage, id="a", ts=100.0, pid=7, **extra):
    return {"event": "stage_start", "ts": ts, "stage": stage, "id": id, "pid": pid, "started": ts, **extra}


def end(stage, id="a", ts=110.0, code=0, **extra):
    figures = {"wall_s": 10.0, "cpu_percent": 50.0, "max_rss_bytes": 1000, "time": "wall=0:10.00 cpu=50% mem=1KB"}
    return {"event": "stage_end", "ts": ts, "stage": stage, "id": id, "exit_code": code, **figures, **extra}


def by_id(events, alive=None):
    return {view.id: view for view in stage_views(events, alive)}


def test_there_are_eight_and_the_command_line_names_them():
    assert tuple(stage.id for stage in STAGES) == NAMED
    assert len(NAMED) == 8


def test_nothing_recorded_is_nothing():
    assert stage_views([]) == ()
    assert stage_views([{"event": "stage_start"}, {"event": "other", "stage": 5}]) == ()


def test_a_stage_is_done_only_when_its_signal_was_met():
    states = {}
    for met, code in ((True, 0), (False, 0), (None, 0), (True, 3)):
        view = by_id([start("export"), end("export", met=met, code=code, measured="m.gguf")])["export"]
        states[met, code] = view.state
        assert view.wall_s == 10.0 and view.ended == 110.0 and view.exit_code == code
    assert states == {(True, 0): "done", (False, 0): "failed", (None, 0): "underfed", (True, 3): "failed"}


def test_exit_zero_alone_says_what_is_missing():
    view = by_id([start("train"), end("train", met=None, measured="no new adapter file")])["train"]
    assert view.measured == "exit 0, but nothing measured: no new adapter file"
    partly = by_id([start("train"), end("train", met=None, measured="x", values={"n": 3})])["train"]
    assert partly.measured == "exit 0, but not enough measured: x"


def test_the_other_stages_are_pending_with_their_signal():
    views = stage_views([start("train")])
    assert [view.state for view in views] == ["pending"] * 3 + ["running"] + ["pending"] * 4
    assert all(view.signal for view in views)
    assert math.isnan(views[0].wall_s) and views[0].exit_code is None


def test_a_process_that_is_gone_without_an_end_failed():
    asked = []
    begun = start("mini", pid=42, recorder_pid=41, host="here")
    view = by_id([begun], lambda who: asked.append(who) or False)["mini"]
    assert (view.state, view.measured) == ("failed", "ended without a record")
    assert set(asked) == {((42, 41), "here", 100.0)}
    assert by_id([begun], lambda _: True)["mini"].state == "running"


def test_a_stage_of_another_host_has_not_failed_and_does_not_hide_a_newer_attempt():
    begun = start("mini", "a", host="node7")
    view = by_id([begun], lambda _: None)["mini"]
    assert (view.state, view.measured) == ("running", "as far as is known: it began on node7")
    again = [begun, start("mini", "b", 200.0), end("mini", "b", 210.0, met=True)]
    assert by_id(again, lambda _: None)["mini"].state == "done"


def test_a_signal_is_named():
    view = by_id([start("train"), end("train", code=143, signal="SIGTERM")])["train"]
    assert (view.state, view.measured, view.exit_code) == ("failed", "killed by SIGTERM", 143)


def test_the_newest_attempt_counts_and_a_running_one_before_it():
    events = [start("train", "a"), end("train", "a", code=1), start("train", "b", 200.0), end("train", "b", met=True)]
    view = by_id(events)["train"]
    assert (view.state, view.started, view.detail) == ("done", 200.0, ("attempt 2",))
    two = [start("train", "a", pid=1), start("train", "b", pid=2), end("train", "b", code=1)]
    assert by_id(two, lambda begun: begun.pids == (1,))["train"].state == "running"


def test_steps_inside_a_stage_are_its_detail():
    events = [
        start("export", "a"), start("export", "b", step="merge", parent="a"),
        end("export", "b", step="merge", parent="a"), start("export", "c", step="quantize", parent="a"),
        end("export", "c", step="quantize", parent="a", code=1), end("export", "a", met=True, measured="m.gguf"),
    ]  # fmt: skip
    view = by_id(events)["export"]
    assert view.state == "done"
    assert view.detail[0] == "merge · exit 0 · wall=0:10.00 cpu=50% mem=1KB"
    assert view.detail[1].startswith("quantize · exit 1")


def test_steps_on_their_own_make_up_the_stage():
    events = [
        start("export", "a", step="merge"), end("export", "a", step="merge", met=None, measured="no new .gguf file"),
        start("export.quantize", "b", ts=120.0), end("export.quantize", "b", ts=130.0, met=True, measured="m.gguf"),
    ]  # fmt: skip
    view = by_id(events)["export"]
    assert (view.state, view.wall_s, view.cpu_percent, view.started, view.ended) == ("done", 20.0, 50.0, 100.0, 130.0)
    assert [line.split(" ")[0] for line in view.detail] == ["merge", "quantize"]
    failed = by_id([*events, start("export", "c", step="merge"), end("export", "c", step="merge", code=2)])["export"]
    assert failed.state == "failed" and failed.exit_code == 2


def test_facts_told_are_shown():
    facts = {"event": "stage_step", "ts": 105.0, "stage": "export", "id": "a", "facts": {"merge_s": 1.25, "kind": "q4"}}
    assert by_id([start("export"), facts])["export"].detail == ("merge_s 1.25, kind q4",)


def test_an_alias_is_its_stage_and_a_strange_stage_is_kept():
    assert split("quantize.merge") == ("export", "merge")
    assert split("eval") == ("evaluation", None)
    views = by_id([start("polish"), end("polish")])
    assert views["polish"].state == "underfed" and len(views) == 9


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from(
    ["event", "stage", "step", "id", "pid", "started", "ts", "exit_code", "wall_s", "met", "facts", "measured"]
)
events = st.lists(
    st.dictionaries(keys, junk | st.sampled_from(["stage_start", "stage_end", "stage_step", "train"]), max_size=8),
    max_size=6,
)


@given(events)
def test_any_event_is_folded_and_only_a_met_signal_is_done(rows):
    for view in stage_views(rows, lambda _: False):
        assert view.state != "done" or any(row.get("met") is True for row in rows)


# ---------------------------------------------------------------------- done-signals


def training(losses, **more):
    return Evidence(training=Training(list(range(1, len(losses) + 1)), losses, **more))


def falling(n, begin=3.0, floor=1.0, tau=20.0, noise=0.02):
    rng = random.Random(1)
    return [floor + (begin - floor) * math.exp(-i / tau) + rng.gauss(0, noise) for i in range(n)]


@pytest.mark.parametrize("stage", [stage.id for stage in STAGES])
def test_without_evidence_nothing_is_met(stage):
    assert judge(stage, Evidence()).met is None
    assert judge(stage, Evidence(files=[])).met is None
    assert judge(stage, Evidence()).text


@pytest.mark.parametrize(
    ("evidence", "met"),
    [
        (Evidence(rows=5, parse_errors=0), True),
        (Evidence(rows=5, parse_errors=1, first_error="d:3"), False),
        (Evidence(rows=0, parse_errors=0), False),
        (Evidence(facts={"parse_errors": 0}), True),
        (Evidence(facts={"parse_errors": True}), None),
        (Evidence(facts={"parse_errors": 0}, rows=5, parse_errors=2), False),
    ],
)
def test_dataset(evidence, met):
    assert judge("dataset", evidence).met is met


def test_dryrun_needs_a_fifth():
    assert judge("dryrun", training([2.0] * 5 + [1.0] * 60)).met is True
    assert judge("dryrun", training([2.0] * 5 + [1.7] * 60)).met is False
    assert judge("dryrun", training([2.0] * 5 + [1.0] * 60, device_errors=2)).met is False
    assert judge("dryrun", training([2.0, 1.0])).met is None
    assert judge("dryrun", training([2.0] * 30 + [math.nan])).met is False
    text = judge("dryrun", training([2.0] * 5 + [1.0] * 60)).text
    assert "no log to look for device errors in" in text and "n=65" in text


def test_mini_stabilises():
    assert judge("mini", training(falling(200))).met is True
    assert judge("mini", training([*falling(200), *(1.0 + i / 50 for i in range(400))])).met is False
    samples = Evidence(facts={"json_validity": 0.5}, training=Training(range(1, 201), falling(200)))
    assert judge("mini", samples).met is False
    assert judge("mini", training([*falling(200)[:-1], math.inf])).met is False


def test_train_needs_the_adapter_and_an_end():
    new = [FileFact("lora/adapter_model.safetensors", 10)]
    done = Training([1, 2], [2.0, 1.0], step=100, total_steps=100)
    assert judge("train", Evidence(files=new, training=done)).met is True
    assert judge("train", Evidence(files=[], training=done)).met is None
    stale = judge("train", Evidence(files=[], stale=[FileFact("old.bin", 0)], training=done))
    assert stale.text == "no new adapter file (old.bin is empty)"
    early = Training(range(1, 201), falling(200, tau=300.0), step=200, total_steps=900)
    assert judge("train", Evidence(files=new, training=early)).met is None
    flat = Training(range(1, 201), falling(200, tau=2.0), step=200, total_steps=900)
    assert judge("train", Evidence(files=new, training=flat)).met is True


@pytest.mark.parametrize(
    ("facts", "met"),
    [
        ({"json_validity": 0.95, "lint": 0.9}, True),
        ({"json_validity": 97, "ast": 91}, True),
        ({"json_validity": 0.949, "lint": 0.9}, False),
        ({"json_validity": 0.99, "lint": 1.0, "ast": 0.5}, False),
        ({"json_validity": 0.99}, None),
        ({"lint": 0.99}, None),
        ({"json_validity": "0.99", "lint": True}, None),
        ({"json_validity": math.nan, "lint": 0.99}, None),
    ],
)
def test_evaluation(facts, met):
    assert judge("evaluation", Evidence(facts=facts)).met is met


def test_export_deployment_and_iteration():
    assert judge("export", Evidence(files=[FileFact("m.gguf", 2)])).met is True
    assert judge("deployment", Evidence(answered=True, answer="hi")).text == "the model answered: hi"
    assert judge("deployment", Evidence(facts={"answered": False})).met is False
    assert judge("deployment", Evidence(facts={"answered": "yes"})).met is None
    assert judge("iteration", Evidence(facts={"eval_improved": True, "regressions": 0})).met is True
    assert judge("iteration", Evidence(facts={"eval_improved": True})).met is None
    assert judge("iteration", Evidence(facts={"eval_improved": True, "regressions": 1})).met is False

"""KPIs of records of every kind: what they come to, what they rest on, and what they say when nothing feeds them."""

import gzip
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kpi.rows import attempt, event, failing, runtime, scored, summary, write

from mens_console.kpi.definitions import KPIS, TIER_1
from mens_console.kpi.find import files_of
from mens_console.kpi.follow import KpiFollower, read_all


@pytest.fixture
def kpis(tmp_path):
    """Return the KPIs of the only model of some rows."""

    def read(*rows, name="records.jsonl", model=None):
        follower = read_all([write(tmp_path / name, rows)], 0.0)
        report = follower.report
        follower.close()
        chosen = [one for one in report.models if model in (None, one.model)]
        assert len(chosen) == 1, report
        return chosen[0]

    return read


def test_shares_are_over_tasks_and_every_kpi_says_what_it_rests_on(kpis):
    found = kpis(
        event("a"), event("b", attempt(1, ok=False), attempt(2)), event("c", attempt(1, canonical_pass=False)),
        event("d", *failing(2, 2)),
    )  # fmt: skip
    values = {value.id: value for value in found.values}
    assert {key: values[key].value for key in ("compile_pass_at_1", "compile_pass_at_n", "canonical_pass_at_1")} == {
        "compile_pass_at_1": 0.5, "compile_pass_at_n": 0.75, "canonical_pass_at_1": 0.25,
    }  # fmt: skip
    for value in (values[key] for key in ("compile_pass_at_1", "compile_pass_at_n")):
        assert (value.n, value.of, value.method) == (4, "tasks", "Wilson")
        assert value.interval[0] < value.value < value.interval[1]
        assert value.source.endswith("records.jsonl")
    assert {one.id for one in KPIS} <= set(values)


def test_what_nothing_feeds_is_unknown_and_says_what_it_wants(kpis):
    value = kpis(event("a")).get("task_success")
    assert math.isnan(value.value)
    assert (value.n, value.interval) == (0, None)
    assert value.reason == "UNDERFED: wants task_success; none of 1 generations tells it"


def test_the_two_evidences_of_success_are_kept_apart(kpis):
    found = kpis(event("a", task_success=True, semantic_task_success=False), event("b", task_success=False))
    assert (found.get("task_success").value, found.get("task_success").n) == (0.5, 2)
    assert (found.get("semantic_task_success").value, found.get("semantic_task_success").n) == (0.0, 1)


@pytest.mark.parametrize(
    ("counts", "stalled"),
    [
        ((3, 3, 4), 1.0),
        ((3, 3, 3), 1.0),
        ((5, 3, 3), 0.0),  # the first of the last two helped
        ((3, 5, 4), 0.0),  # the last one helped, though there are more than at first
        ((9, 3, 3, 3), 1.0),
        ((3, 3), 0.0),  # one repair cannot tell
        ((3,), 0.0),
    ],
)
def test_a_task_stalls_when_neither_of_its_last_two_repairs_reduced_the_diagnostics(kpis, counts, stalled):
    assert kpis(event("a", *failing(*counts))).get("repair_stall_rate").value == stalled


def test_a_task_that_ends_valid_has_not_stalled(kpis):
    found = kpis(event("a", *failing(3, 3, 3), attempt(4)))
    assert found.get("repair_stall_rate").value == 0.0


def test_without_diagnostics_the_producers_word_counts_and_silence_is_unknown(kpis):
    def told(word):
        rows = [attempt(i, ok=False) for i in (1, 2, 3)]
        for row in rows:
            row["diagnostics"] = None
        return event(f"t{word}", *rows, repair_stalled=word)

    found = kpis(told(True), told(False), told(None)).get("repair_stall_rate")
    assert (found.value, found.n) == (0.5, 2)
    assert found.reason == "1 of 3 generations do not tell it"


def test_tasks_that_never_became_valid_count_as_longest(kpis):
    times = [event(f"t{i}", attempt(1, ms=100.0 * (i + 1))) for i in range(5)]
    found = kpis(*times, *(event(f"n{i}", *failing(1, 1)) for i in range(2))).get("time_to_first_valid_ms")
    assert (found.value, found.n, found.interval) == (400.0, 7, (100.0, math.inf))
    assert found.reason.startswith(
        "2 of 7 tasks never became valid and count as longest; the median of the others is 300"
    )


def test_a_model_that_gives_up_is_not_the_faster_for_it(kpis):
    found = kpis(event("a"), *(event(f"n{i}", *failing(1)) for i in range(2))).get("time_to_first_valid_ms")
    assert found.value == math.inf


def test_what_was_not_validated_is_unmeasured_not_failed(kpis):
    row = event("a", attempt(1, ok=None), compile_pass=None, validate_requested=False, success=True)
    found = kpis(row, event("b"))
    assert (found.get("compile_pass_at_1").value, found.get("compile_pass_at_1").n) == (1.0, 1)
    assert found.get("time_to_first_valid_ms").n == 1


def test_rates_are_ratios_of_sums_of_truly_counted_tokens(kpis):
    found = kpis(
        event("a", attempt(1, tokens=10, ms=100.0)), event("b", attempt(1, tokens=90, ms=300.0)),
        event("c", attempt(1, tokens=1000, ms=1.0), tokenizer="whitespace"),
    ).get("serve_tokens_per_sec")  # fmt: skip
    assert (found.value, found.n, found.decides, found.role) == (250.0, 2, True, "decides")
    assert "1 request left out, whose tokens the model's tokenizer did not count" in found.reason


def test_tokens_by_blanks_are_shown_flagged_and_decide_nothing(kpis):
    model = kpis(event("a", tokenizer="whitespace"), event("b", attempt(1, tokens=30), tokenizer="unknown"))
    found = model.get("serve_tokens_per_sec")
    assert (found.value, found.decides, found.role) == (200.0, False, "context only")
    assert (model.get("whitespace_tokens").value, model.get("whitespace_tokens").tier) == (40.0, 3)


def test_repair_depth_is_over_tasks_that_pass(kpis):
    found = kpis(event("a"), event("b", attempt(1, ok=False), attempt(2)), event("c", *failing(1, 1, 1)))
    assert (found.get("repair_depth_mean").value, found.get("repair_depth_mean").n) == (0.5, 2)


def test_diagnostics_are_those_of_first_outputs_by_the_taxonomy(kpis):
    found = kpis(
        event("a", attempt(1, ok=False, diagnostics={"type_error": 2, "weird_rule": 1}), attempt(2, diagnostics={})),
        event("b", attempt(1, ok=False, diagnostics={"type_mismatch": 1, "???": 1})),
        event("b", attempt(1, ok=False, diagnostics={"type_mismatch": 1}), sample=1),
    )
    counted = {one.name: (one.diagnostics, one.tasks) for one in found.categories if one.diagnostics}
    assert counted == {"type_mismatch": (4, 2), "weird_rule": (1, 1), "other": (1, 1)}


def test_samples_of_a_task_are_averaged_and_pass_at_k_is_unbiased(kpis):
    passes = {"a": 4, "b": 2, "c": 1}
    found = kpis(*(event(task, attempt(1, ok=i < n), sample=i) for task, n in passes.items() for i in range(4)))
    assert found.tasks == 3
    assert found.get("compile_pass_at_1").value == pytest.approx(7 / 12)
    assert found.get("compile_pass_at_1").n == 3
    sampled = found.get("pass_at_k")
    assert (sampled.name, sampled.tier) == ("pass@2 (sampled)", 2)
    assert sampled.value == pytest.approx((1 + (1 - 1 / 6) + 0.5) / 3)


def test_runtime_records_have_no_tasks_and_may_not_decide_on_speed(kpis):
    found = kpis(
        runtime(), runtime(attempts=3, time_to_first_valid_ms=90),
        runtime(compile_pass=False, success=False, time_to_first_valid_ms=None, repair_stalled=True, attempts=4,
                failure_category="import"),
        runtime(validate_requested=False, compile_pass=None, canonical_pass=None, time_to_first_valid_ms=None),
        name="served.jsonl",
    )  # fmt: skip
    assert found.model == "served"
    assert (found.get("compile_pass_at_1").value, found.get("compile_pass_at_1").of) == (
        pytest.approx(1 / 3),
        "generations",
    )
    assert found.get("compile_pass_at_n").value == pytest.approx(2 / 3)
    assert found.get("repair_stall_rate").value == pytest.approx(1 / 3)
    assert found.get("time_to_first_valid_ms").n == 3
    assert math.isnan(found.get("serve_tokens_per_sec").value)
    assert found.get("whitespace_tokens").value == 80
    assert {one.name: one.diagnostics for one in found.categories if one.diagnostics} == {"invalid_import": 1}


def test_a_scorecards_rows_go_before_its_summary_which_is_shown_beside_them(tmp_path):
    write(tmp_path / "events.all.jsonl", [scored("a"), scored("b", compile_pass_1=False, attempts=2, repair_depth=1)])
    write(tmp_path / "summary.json", [summary()])
    found = read_all([tmp_path], 0.0).report.models
    assert [one.model for one in found] == ["qlora"]
    value = found[0].get("compile_pass_at_1")
    assert (value.value, value.n) == (0.5, 2)
    assert value.reason == f"0.9 is told in {tmp_path / 'summary.json'}"
    assert found[0].get("serve_tokens_per_sec").role == "context only"


def test_a_summarys_share_has_an_interval_only_where_its_n_fits(kpis):
    value = kpis(summary(), name="s.json").get("compile_pass_at_1")
    assert (value.value, value.n) == (0.9, 200)
    assert value.interval == pytest.approx((0.8506, 0.9343), abs=1e-3)
    odd = kpis(summary(total_tasks=2), name="t.json").get("compile_pass_at_1")
    assert odd.interval is None
    assert odd.reason == "no interval: 0.9 of 2 is no whole number of tasks"
    median = kpis(summary(), name="s.json").get("time_to_first_valid_ms")
    assert (median.value, median.interval) == (60, None)
    assert "without its items" in median.reason


def test_a_benchmark_summarys_items_are_items(kpis):
    items = [{"task_id": f"t{i}", "compile_pass_1": i % 2 == 0, "compile_pass_n": True} for i in range(10)]
    rate = {"value": 0.5, "n": 10}
    row = {
        "schema": "mens_benchmark_summary_v1", "created_at": "2026-03-27T12:00:00Z", "model": {"id": "r16"},
        "benchmark": {"name": "b", "version": "2", "tasks": 10}, "items": items,
        "compile": {"pass_at_1": rate, "pass_at_n": {"value": 1.0, "n": 10}},
        "speed": {"tokens_per_sec": {"value": 99.0, "n": 10, "interval": [90, 108]}, "tokenizer": "whitespace"},
    }  # fmt: skip
    found = kpis(row, name="bench.json")
    assert (found.model, found.tasks, found.get("compile_pass_at_1").value) == ("r16", 10, 0.5)
    speed = found.get("serve_tokens_per_sec")
    assert (speed.value, speed.interval, speed.role) == (99.0, (90.0, 108.0), "context only")


def test_a_bare_baseline_is_read_by_its_aliases_and_has_no_n(kpis):
    found = kpis({"compile_pass_at_1": 0.65, "compile_pass_at_k": 0.72, "semantic_pass_rate": 0.6}, name="b.kpi.json")
    values = {key: found.get(key).value for key in ("compile_pass_at_1", "compile_pass_at_n", "semantic_task_success")}
    assert values == {"compile_pass_at_1": 0.65, "compile_pass_at_n": 0.72, "semantic_task_success": 0.6}
    assert found.get("compile_pass_at_1").reason == "no interval: its n is not told"


def test_a_trainings_telemetry_explains_the_model_of_its_run(tmp_path):
    rows = [
        {"ts_ms": 1, "event": "train_start", "payload": {"total_steps": 9}},
        {"ts_ms": 2, "event": "step", "payload": {"step": 95, "loss": 1.5, "skip_no_supervised_positions": 4}},
        {"ts_ms": 2, "event": "step", "payload": {"skip_short_seq": 1}},
        {"ts_ms": 3, "event": "epoch_complete", "payload": {"epoch": 0, "val_loss": 1.75, "truncated_pct": 3.0}},
    ]  # fmt: skip
    write(tmp_path / "r16" / "telemetry.jsonl", rows)
    write(tmp_path / "events.jsonl", [event("a", run_id="r16"), event("a", model="other")])
    report = read_all([tmp_path], 0.0).report
    told = {one.model: one for one in report.models}["m"]
    assert told.get("val_loss_last_epoch").value == 1.75
    assert told.get("no_supervised_skip_rate").value == pytest.approx(4 / 100)
    assert told.get("no_supervised_skip_rate").interval is not None
    assert told.get("truncation_fraction").value == pytest.approx(0.03)
    assert {one.get("train_loss").tier for one in report.models} == {3}
    assert [source.bad_rows for source in report.sources] == [0, 0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{broken", "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"schema": "mens_generation_event_v2"}', "mens_generation_event_v2: this program reads version 1"),
        (b'{"schema": "mens_generation_event_v1", "model": "m"}', "no attempts are listed"),
        (b'{"schema": "mens_generation_event_v1", "attempts": [{}]}', "no model is named"),
        (b'{"schema": "vox_mens_scorecard_summary_v1", "conditions": {}}', "no conditions"),
        (b'{"hello": "world"}', "no KPI record"),
        (b"\x00\xff\xfe\x80", "not JSON"),
    ],
)
def test_a_row_that_is_no_record_is_counted_with_its_line(tmp_path, line, reason):
    path = tmp_path / "e.jsonl"
    path.write_bytes(json.dumps(event("a")).encode() + b"\n" + line + b"\n" + json.dumps(event("b")).encode() + b"\n")
    report = read_all([path], 0.0).report
    assert (report.models[0].tasks, report.sources[0].rows, report.sources[0].bad_rows) == (2, 2, 1)
    assert f"{path}:2: " in report.sources[0].problem
    assert reason in report.sources[0].problem


values = st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5)
deep = st.recursive(
    values, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3)
)


@given(st.data())
def test_no_value_of_any_field_stops_the_reading(tmp_path_factory, data):
    row = data.draw(st.sampled_from([event("a", *failing(1, 2, 3)), runtime(), scored("a"), summary()]))
    for key in data.draw(st.lists(st.sampled_from(sorted(set(row) - {"schema"})), max_size=4)):
        row[key] = data.draw(deep)
    if isinstance(row.get("attempts"), list):
        for one in row["attempts"]:
            if isinstance(one, dict) and one:
                one[data.draw(st.sampled_from(sorted(one)))] = data.draw(deep)
    path = write(tmp_path_factory.mktemp("odd") / "e.jsonl", [row, event("z", model="sane")])
    report = read_all([path], 0.0).report
    assert "sane" in {one.model for one in report.models}
    for model in report.models:
        for value in model.values:
            if value.unit == "share" and not math.isnan(value.value):
                assert 0 <= value.value <= 1 or value.reason


def test_a_growing_file_is_read_on_and_reads_as_the_whole_does(tmp_path):
    rows = [json.dumps(event(f"t{i}", attempt(1, ok=i % 3 > 0, ms=10.0 + i))) + "\n" for i in range(40)]
    text, path = "".join(rows).encode(), tmp_path / "e.jsonl"
    path.write_bytes(b"")
    follower = KpiFollower([path])
    for end in [*range(0, len(text), 977), len(text)]:
        path.write_bytes(b"")
        path.write_bytes(text[:end])
        while follower.poll(1.0):
            pass
    whole = read_all([write(tmp_path / "whole" / "e.jsonl", [json.loads(row) for row in rows])], 0.0).report
    assert [(v.id, v.n, v.interval) for v in follower.report.models[0].values] == [
        (v.id, v.n, v.interval) for v in whole.models[0].values
    ]
    assert follower.report.sources[0].bad_rows == 0


def test_polling_tells_of_change_alone_and_the_report_stays_the_same_object(tmp_path):
    path = write(tmp_path / "e.jsonl", [event("a")])
    follower = KpiFollower([path])
    assert follower.poll(1.0)
    report = follower.report
    assert not follower.poll(2.0)
    assert follower.report is report
    with path.open("a") as file:
        file.write(json.dumps(event("b")) + "\n")
    assert follower.poll(3.0)
    assert (follower.report.rev, follower.report.models[0].tasks) == (report.rev + 1, 2)
    path.write_text(json.dumps(event("c")) + "\n")
    follower.poll(4.0)
    assert follower.report.models[0].tasks == 1


def test_a_document_that_is_rewritten_replaces_what_it_said(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(summary(), indent=1))
    follower = KpiFollower([path])
    follower.poll(1.0)
    assert follower.report.models[0].get("compile_pass_at_1").value == 0.9
    path.write_text(json.dumps(summary(compile_pass_at_1=0.8), indent=1))
    follower.poll(2.0)
    assert follower.report.models[0].get("compile_pass_at_1").value == 0.8


def test_gzip_is_read_and_damage_is_told(tmp_path):
    rows = "".join(json.dumps(event(f"t{i}")) + "\n" for i in range(2000)).encode()
    whole, torn = tmp_path / "w.jsonl.gz", tmp_path / "t.jsonl.gz"
    whole.write_bytes(gzip.compress(rows[: len(rows) // 2]) + gzip.compress(rows[len(rows) // 2 :]))
    torn.write_bytes(gzip.compress(rows)[:-3000])
    assert read_all([whole], 0.0).report.models[0].tasks == 2000
    report = read_all([torn], 0.0).report
    assert 0 < report.models[0].tasks < 2000
    assert report.sources[0].problem is not None


def test_a_file_that_is_gone_empty_or_none_is_told_and_nothing_else_is_hurt(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    good = write(tmp_path / "e.jsonl", [event("a")])
    report = read_all([tmp_path / "gone.jsonl", tmp_path / "empty.jsonl", good], 0.0).report
    assert len(report.models) == 1
    assert len(report.problems) == 2
    assert any("it is empty" in problem for problem in report.problems)


def test_folders_are_searched_by_content_and_attempt_logs_are_left_alone(tmp_path):
    write(tmp_path / "a" / "anything.jsonl", [event("a")])
    write(tmp_path / "log.jsonl", [{"persona_id": "p", "opening_move": "x", "repairs": [], "status": "success"}])
    write(tmp_path / "config.json", [{"lr": 1}])
    (tmp_path / "a" / "link.jsonl").symlink_to(tmp_path / "a" / "anything.jsonl")
    assert files_of([tmp_path]) == [str(tmp_path / "a" / "anything.jsonl")]


def test_records_that_the_recorder_derived_are_not_counted_twice(tmp_path):
    write(tmp_path / "events.jsonl", [event("a")])
    write(tmp_path / "runtime-generation-kpi.jsonl", [runtime()])
    report = read_all([tmp_path], 0.0).report
    assert [one.model for one in report.models] == ["m"]
    assert any("derived from the events beside it" in source.kind for source in report.sources)


def test_models_are_newest_first_and_conditions_are_models(tmp_path):
    rows = [
        event("a", model="old", ts="2026-03-01T12:00:00+00:00"),
        event("a", model="new", ts="2026-03-09T12:00:00+00:00"),
        event("a", model="new", condition="greedy", ts="2026-03-05T12:00:00+00:00"),
    ]  # fmt: skip
    report = read_all([write(tmp_path / "e.jsonl", rows)], 0.0).report
    assert [one.model for one in report.models] == ["new", "new · greedy", "old"]


def test_tier_one_is_what_the_catalogue_says_decides():
    assert TIER_1 == (
        "compile_pass_at_1", "compile_pass_at_n", "canonical_pass_at_1", "task_success", "semantic_task_success",
        "time_to_first_valid_ms", "serve_tokens_per_sec", "repair_stall_rate",
    )  # fmt: skip


def test_a_dear_report_is_not_made_anew_at_every_poll_and_comes_in_the_end(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("mens_console.kpi.follow.time.monotonic", lambda: clock[0])
    from mens_console.kpi import follow

    def slow(*arguments):
        clock[0] += 1.0
        return make(*arguments)

    make = follow.make_report
    monkeypatch.setattr(follow, "make_report", slow)
    path = write(tmp_path / "e.jsonl", [event("a")])
    follower = KpiFollower([path])
    follower.poll(1.0)
    first = follower.report
    with path.open("a") as file:
        file.write(json.dumps(event("b")) + "\n")
    assert follower.poll(2.0)
    assert follower.report is first
    assert not follower.poll(3.0)
    clock[0] += 9.0
    assert follower.poll(4.0)
    assert follower.report.models[0].tasks == 2
    assert not follower.poll(5.0)


def test_a_task_counts_once_by_the_record_that_tells_most_of_it(tmp_path):
    """Events, scorecard rows and a benchmark's items of one evaluation, and a task that only the scorecard has."""
    failed = event("b", *failing(2, 2))
    write(tmp_path / "events.jsonl", [event("a"), failed])
    rows = [scored(task, condition_id="m", compile_pass_1=task == "c") for task in "abc"]
    write(tmp_path / "scores.jsonl", rows)
    items = [{"task_id": task, "compile_pass_1": False} for task in "abcd"]
    bench = {
        "schema": "mens_benchmark_summary_v1", "created_at": "2026-03-27T12:00:00Z", "model": {"id": "m"},
        "benchmark": {"name": "b", "version": "2", "tasks": 4}, "items": items,
    }  # fmt: skip
    write(tmp_path / "bench.json", [bench])
    found = read_all([tmp_path], 0.0).report.models
    assert [(one.model, one.tasks) for one in found] == [("m", 4)]
    value = found[0].get("compile_pass_at_1")
    assert (value.value, value.n) == (0.5, 4), "a and c passed, b and d did not; each was asked once"

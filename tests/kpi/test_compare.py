"""Two models side by side: pairs where tasks match, verdicts that need evidence, lanes before and after."""

import math

import pytest
from kpi.rows import attempt, event, failing, summary, write

from mens_console.kpi.compare import conflict
from mens_console.kpi.follow import read_all


@pytest.fixture
def deltas(tmp_path):
    """Return the differences of model b from model a, by id."""

    def read(*rows):
        follower = read_all([write(tmp_path / "e.jsonl", rows)], 0.0)
        return {delta.id: delta for delta in follower.report.compare("a", "b")}

    return read


def passing(model, passed, of, **more):
    rows = (event(f"t{i}", attempt(1, ok=i < passed), model=model, **more) for i in range(of))
    return list(rows)


def test_pairs_show_what_unpaired_shares_cannot(deltas):
    found = deltas(*passing("a", 60, 100), *passing("b", 72, 100))["compile_pass_at_1"]
    assert (found.paired, found.n, found.verdict) == (True, 100, "better")
    assert found.interval[0] > 0
    apart = [event(f"u{i}", attempt(1, ok=i < 72), model="b") for i in range(100)]
    found = deltas(*passing("a", 60, 100), *apart)["compile_pass_at_1"]
    assert (found.paired, found.verdict, found.method) == (False, "undecided", "Newcombe's hybrid score")


def test_five_tasks_lost_and_none_won_is_not_yet_worse(deltas):
    found = deltas(*passing("a", 55, 100), *passing("b", 50, 100))["compile_pass_at_1"]
    assert (found.verdict, found.interval[1] < 0) == ("undecided", True)
    assert "p = 0.062 by chance (McNemar, exact)" in found.reason


def test_worse_is_said_of_whatever_should_be_high_or_low(deltas):
    def rows(model, passed, pace):
        times = [100.0 + i * pace % 13 for i in range(100)]
        return [event(f"t{i}", attempt(1, ok=i < passed, ms=ms), model=model) for i, ms in enumerate(times)]

    found = deltas(*rows("a", 90, 5), *rows("b", 40, 8))
    assert found["compile_pass_at_1"].verdict == "worse"
    assert found["time_to_first_valid_ms"].verdict == "worse"
    stalls = [event(f"t{i}", *failing(3, 3, 3 if i < 60 else 2), model="b") for i in range(100)]
    found = deltas(*[event(f"t{i}", *failing(3, 3, 2), model="a") for i in range(100)], *stalls)
    assert (found["repair_stall_rate"].verdict, found["repair_stall_rate"].difference) == ("worse", 0.6)


def test_equal_models_differ_by_nothing(deltas):
    found = deltas(*passing("a", 30, 60), *passing("b", 30, 60))
    assert {delta.verdict for delta in found.values()} <= {"undecided", "nodata"}
    assert found["compile_pass_at_1"].difference == 0


def test_only_the_shared_tasks_are_compared_and_it_is_said(deltas):
    extra = [event(f"x{i}", attempt(1, ok=False), model="b") for i in range(30)]
    found = deltas(*passing("a", 30, 60), *passing("b", 40, 60), *extra)["compile_pass_at_1"]
    assert (found.n, found.other, found.reason) == (
        60,
        pytest.approx(40 / 60),
        "over the 60 tasks that both were given",
    )


def test_samples_of_a_task_are_paired_by_task(deltas):
    rows = [
        event(f"t{i}", attempt(1, ok=k < hits), model=model, sample=k)
        for model, hits in (("a", 1), ("b", 3)) for i in range(20) for k in range(4 + i % 2)
    ]  # fmt: skip
    found = deltas(*rows)["compile_pass_at_1"]
    assert (found.paired, found.n, found.method, found.verdict) == (True, 20, "Student's t of pairs", "better")


def test_shares_of_few_sampled_tasks_differ_by_no_more_than_all(deltas):
    rows = [event(f"t{i}", attempt(1, ok=n < i), model="a") for i in range(3) for n in range(4)]
    rows += [event(f"t{i}", attempt(1, ok=i < 2), model="b") for i in range(3)]
    found = deltas(*rows)["compile_pass_at_1"]
    assert found.method == "Student's t of pairs"
    assert found.interval == (-1.0, 1.0)
    assert found.difference == pytest.approx(2 / 3 - 1 / 4)


def test_whitespace_counts_never_make_a_model_faster(deltas):
    def rows(model, tokens, **more):
        return [event(f"t{i}", attempt(1, tokens=tokens + i % 7), model=model, **more) for i in range(50)]

    found = deltas(*rows("a", 10), *rows("b", 90, tokenizer="whitespace"))["serve_tokens_per_sec"]
    assert (found.verdict, found.difference > 0) == ("undecided", True)
    assert found.reason.startswith("its evidence may not decide")
    assert deltas(*rows("a", 10), *rows("b", 90))["serve_tokens_per_sec"].verdict == "better"


def test_what_one_side_lacks_is_no_verdict(deltas):
    found = deltas(*passing("a", 5, 10, task_success=True), *passing("b", 5, 10))["task_success"]
    assert (found.verdict, found.reason) == ("nodata", "nothing feeds it for b")


def test_lanes_before_and_after_a_blend(deltas):
    def rows(model, size, leaks):
        return [
            event(f"t{i}", attempt(1, size=size + i, strictness=["prose"] if i < leaks else []), model=model)
            for i in range(40)
        ]

    found = deltas(*rows("a", 200, 1), *rows("b", 240, 20))
    growth = found["lane.code.compactness_loss"]
    oracle = math.exp(sum(math.log((240 + i) / (200 + i)) for i in range(40)) / 40) - 1
    assert (growth.verdict, growth.other) == ("worse", pytest.approx(oracle))
    assert (found["lane.code.leakage"].verdict, found["lane.code.leakage"].difference) == (
        "worse",
        pytest.approx(19 / 40),
    )


def test_prose_is_at_home_in_a_lane_of_prose(tmp_path):
    rows = [event("t", attempt(1, strictness=["prose"]), lane="docs")]
    lane = read_all([write(tmp_path / "e.jsonl", rows)], 0.0).report.models[0].lanes[0]
    assert (lane.name, math.isnan(lane.leakage.value), lane.leakage.reason) == (
        "docs", True, "prose is at home in this lane",
    )  # fmt: skip


def test_different_sets_of_tasks_are_in_conflict(tmp_path):
    one = read_all([write(tmp_path / "e.jsonl", [event("t", model="a", task_set="x 1")])], 0.0).gathered
    two = read_all([write(tmp_path / "s.json", [summary()])], 0.0).gathered
    assert conflict(one.evidence["a"], two.evidence["qlora"]) == (
        "a was evaluated on task set x 1, qlora on prompt pack pack-1"
    )
    assert conflict(one.evidence["a"], one.evidence["a"]) == ""


def test_unknown_models_compare_to_nothing(tmp_path):
    report = read_all([write(tmp_path / "e.jsonl", [event("t", model="a")])], 0.0).report
    assert report.compare("a", "nobody") == ()

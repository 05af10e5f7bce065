"""Two models compared task by task: the interval of pairs decides, only against the very baseline that was pinned."""

import copy

import pytest
from gate.made import criterion, profile
from gate.shapes import NOW, only, read

from mens_console.gate.evaluate import evaluate
from mens_console.gate.types import Baseline

KPI = "compile_pass_at_1"


def model(name, value, n=200):
    figure = {"id": KPI, "value": value, "n": n, "unit": "share", "interval": None, "decides": True}
    return {"model": name, "values": [figure]}


BEFORE = {"schema": "mens-kpi/1", "generated_at": NOW - 60, "models": [model("old", 0.8)]}
DELTA = {
    "id": KPI, "base": 0.8, "other": 0.79, "difference": -0.01, "interval": [-0.03, 0.01], "n": 200, "paired": True,
    "verdict": "undecided",
}  # fmt: skip
AFTER = BEFORE | {
    "models": [model("old", 0.8), model("new", 0.79)],
    "comparison": {"base": "old", "other": "new", "deltas": [DELTA]},
}


def judged(folder, after, before=BEFORE, margin=5.0):
    """Judge `after` by non-inferiority to `before`, by at most `margin` points, on a bound."""
    pinned = only(read(folder / "alone", before__json=before), KPI).sha256
    manifest = read(folder / "both", before__json=before, after__json=after)
    one = criterion(KPI, None, unit="%", baseline=Baseline("before.json", pinned, margin), decide_on="bound")
    return evaluate(profile(one), manifest, release="1", now=NOW).judgements[0]


def test_pairs_decide_what_two_shares_apart_leave_open(tmp_path):
    apart = judged(tmp_path / "a", BEFORE | {"models": [model("new", 0.79)]})
    assert (apart.verdict, "undecided" in apart.reason) == ("CONDITIONAL", True)
    paired = judged(tmp_path / "b", AFTER)
    assert paired.verdict == "PASS"
    assert "task by task" in paired.reason
    assert "95 % bound 3 worse" in paired.reason


@pytest.mark.parametrize(
    ("margin", "verdict"), [(3.0, "PASS"), (2.99, "CONDITIONAL"), (1.0, "CONDITIONAL"), (0.9, "FAIL")]
)
def test_the_bound_of_pairs_on_both_sides_of_the_margin(tmp_path, margin, verdict):
    assert judged(tmp_path, AFTER, margin=margin).verdict == verdict


@pytest.mark.parametrize(
    "change",
    [
        {"paired": False},
        {"paired": "yes"},
        {"n": 150},
        {"n": None},
        {"base": 0.81},
        {"other": 0.8},
        {"interval": None},
        {"interval": [0.0, 0.01]},
        {"interval": ["NaN", 0.01]},
        {"id": "compile_pass_at_n"},
    ],
)
def test_pairs_that_are_not_those_of_both_values_do_not_count(tmp_path, change):
    after = copy.deepcopy(AFTER)
    after["comparison"]["deltas"][0] |= change
    found = judged(tmp_path, after)
    assert found.verdict == "CONDITIONAL"
    assert "task by task" not in found.reason


@pytest.mark.parametrize(
    "before",
    [
        BEFORE | {"models": [model("old", 0.81)]},
        BEFORE | {"models": [model("old", 0.8, n=190)]},
        BEFORE | {"models": [model("older", 0.8)]},
    ],
)
def test_pairs_with_another_base_than_the_pinned_one_do_not_count(tmp_path, before):
    found = judged(tmp_path, AFTER, before)
    assert found.verdict == "CONDITIONAL"
    assert "task by task" not in found.reason


def test_the_model_that_is_compared_with_is_no_candidate_and_the_other_always_is(tmp_path):
    turned = AFTER | {"comparison": AFTER["comparison"] | {"other": "old"}}
    manifest = read(tmp_path, a__json=AFTER, b__json=turned)
    roles = {(one.path[-6:], one.tags["model"]): one.tags.get("role") for one in manifest.items}
    assert roles == {
        ("a.json", "old"): "baseline", ("a.json", "new"): None, ("b.json", "old"): None, ("b.json", "new"): None,
    }  # fmt: skip

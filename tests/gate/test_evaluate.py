"""Verdicts worked out by hand, on both sides of every edge, and what holds of any evidence."""

import json
import math
from dataclasses import replace

import pytest
from gate.made import DAY, NOW, criterion, item, manifest, mark, profile, waiver
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mens_console.gate.bands import parse
from mens_console.gate.document import gate_document
from mens_console.gate.evaluate import checklist, digest, evaluate
from mens_console.gate.judge import beyond
from mens_console.gate.metrics import METRICS
from mens_console.gate.rendering import markdown
from mens_console.gate.report import report
from mens_console.gate.types import Band, Baseline, Check, EvidenceFile, Manifest

THROUGHPUT = criterion("throughput_single", ">=115", "105..115")


def judge(one, *items, now=NOW, **more):
    evaluation = evaluate(profile(one), manifest(*items, **more), release="1", now=now)
    return evaluation.judgements[0]


def rate(value, **more):
    return item("throughput_single", value, "tokens/s", **more)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(115.0, "PASS"), (114.999, "CONDITIONAL"), (105.0, "CONDITIONAL"), (104.999, "FAIL"), (math.nan, "UNDERFED")],
)
def test_edges(value, verdict):
    assert judge(THROUGHPUT, rate(value, n=5)).verdict == verdict


def test_a_value_next_to_an_edge_is_not_rounded_onto_it():
    assert "114.99999 tokens/s" in judge(THROUGHPUT, rate(114.99999, n=5)).reason


def test_the_reason_tells_value_unit_n_interval_and_threshold():
    runs = (118.0, 122.0, 120.0, 121.0, 119.0)
    reason = judge(THROUGHPUT, rate(120.0, samples=runs)).reason
    assert reason == "120 tokens/s (n=5, 95 % bounds 118.5 and 121.5) meets >=115"


def test_no_evidence_is_underfed():
    found = judge(THROUGHPUT)
    assert (found.verdict, found.reason) == ("UNDERFED", "nothing gives throughput_single: no evidence was read")


def test_what_could_not_be_read_is_told():
    broken = EvidenceFile("bench.json", "", 3, NOW, "bench", "cut short at byte 3")
    found = judge(THROUGHPUT, files=(broken,))
    assert found.verdict == "UNDERFED"
    assert "bench.json: cut short at byte 3" in found.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "req/s"}, "no conversion is guessed"),
        ({"value": math.nan}, "NaN"),
        ({"value": math.inf}, "infinite"),
        ({"trouble": "another file says 90"}, "another file says 90"),
        ({"samples": (90.0, 91.0)}, "have a mean of 90.5"),
        ({"interval": (90.0, 91.0)}, "does not hold it"),
        ({"n": 0}, "n=0"),
        ({"n": -1}, "its n is -1"),
        ({"samples": (120.0, math.inf)}, "no numbers"),
        ({"samples": (1e308, 1e308)}, "no numbers"),
    ],
)
def test_evidence_that_may_not_count(change, words):
    found = judge(THROUGHPUT, replace(rate(120.0, n=5), **change))
    assert found.verdict == "UNDERFED"
    assert words in found.reason


@pytest.mark.parametrize(("n", "verdict"), [(5, "PASS"), (4, "UNDERFED"), (None, "UNDERFED")])
def test_min_n(n, verdict):
    assert judge(replace(THROUGHPUT, min_n=5), rate(120.0, n=n)).verdict == verdict


@pytest.mark.parametrize(
    ("failed", "of", "verdict"), [(40, 100, "FAIL"), (2, 100, "FAIL"), (0, 100, "UNDERFED"), (1, 2000, "UNDERFED")]
)
def test_too_few_that_miss_with_all_of_their_bounds_fail_already(failed, of, verdict):
    one = replace(criterion("error_rate", "<0.1"), min_n=2995, decide_on="bound")
    found = judge(one, item("error_rate", 100 * failed / of, "%", n=of, successes=failed))
    assert found.verdict == verdict
    assert found.needed_n == 2995
    assert f"n={of}" in found.reason.replace(" ", "").replace(",", "") and "at least" in found.reason


def test_what_lies_beyond_a_band():
    band = parse(">=2,<3")
    assert [beyond(band, (low, high)) for low, high in ((0.0, 2.0), (0.0, 1.9), (3.0, 4.0), (2.9, 4.0))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_would_have_been_enough_is_told():
    assert judge(replace(THROUGHPUT, min_n=5), rate(120.0, n=4)).needed_n == 5
    found = judge(criterion("mtbf_lower_bound", ">=1000"), item("mtbf_lower_bound", 15.18, "h"))
    assert found.reason.endswith("2 996 h without a failure would show it")


def test_n_is_no_more_than_the_runs_that_came_with_it():
    found = judge(replace(THROUGHPUT, min_n=5), rate(120.0, n=1000, samples=(119.0, 121.0)))
    assert (found.verdict, found.n) == ("UNDERFED", 1000)
    assert "n=2, at least 5" in found.reason


def test_age():
    week = replace(THROUGHPUT, max_age_s=7 * DAY)
    assert judge(week, rate(120.0, at=NOW - 7 * DAY)).verdict == "PASS"
    old = judge(week, rate(120.0, at=NOW - 7 * DAY - 1))
    assert old.verdict == "UNDERFED"
    assert "stale: measured 7d ago, at most 7d are allowed" in old.reason
    assert judge(week, rate(120.0, at=math.nan)).verdict == "UNDERFED"
    assert judge(week, rate(120.0, at=NOW + DAY)).verdict == "UNDERFED"


def test_a_fresh_value_sets_the_stale_one_aside_and_says_so():
    week = replace(THROUGHPUT, max_age_s=7 * DAY)
    found = judge(week, rate(90.0, at=NOW - 8 * DAY, path="old.json"), rate(120.0))
    assert found.verdict == "PASS"
    assert found.reason.endswith("1 older than allowed set aside")


def test_of_two_values_the_worse_decides_and_neither_passes():
    found = judge(THROUGHPUT, rate(120.0), rate(118.0, path="b.json"))
    assert (found.verdict, found.value) == ("UNDERFED", 118.0)
    assert "contradictory evidence (120 in a.json, 118 in b.json): the worse decides" in found.reason
    assert judge(THROUGHPUT, rate(120.0), rate(90.0, path="b.json")).verdict == "FAIL"
    assert judge(THROUGHPUT, rate(120.0), rate(120.0, path="b.json")).verdict == "PASS"


def test_a_contradiction_by_what_does_not_count_is_none():
    week = replace(THROUGHPUT, max_age_s=7 * DAY)
    said = "Throughput on one GPU, batch 1 is told differently: 90 in old.json, 120 in a.json"
    old = rate(90.0, at=NOW - 8 * DAY, path="old.json", trouble=said)
    assert judge(week, old, rate(120.0, trouble=said)).verdict == "PASS"
    assert judge(THROUGHPUT, old, rate(120.0, trouble=said)).verdict == "FAIL"


def test_doubt_makes_no_failure_better():
    assert judge(THROUGHPUT, rate(90.0, trouble="cut short")).verdict == "FAIL"
    assert judge(THROUGHPUT, rate(110.0, trouble="cut short")).verdict == "UNDERFED"


def test_tags_choose():
    four = replace(THROUGHPUT, where={"batch": "4"})
    found = judge(four, rate(120.0, tags={"batch": "4"}), rate(90.0, tags={"batch": "8"}))
    assert found.verdict == "PASS"
    assert "contradictory" not in found.reason
    missing = judge(four, rate(90.0, tags={"batch": "8"}))
    assert missing.verdict == "UNDERFED"
    assert "has batch=4; there are: batch=8" in missing.reason


def test_references_are_no_candidates():
    found = judge(THROUGHPUT, rate(120.0), rate(90.0, tags={"role": "baseline"}))
    assert found.verdict == "PASS"


@pytest.mark.parametrize(
    ("successes", "n", "verdict", "needed"),
    [(299, 299, "PASS", 299), (298, 298, "CONDITIONAL", 299), (100, 100, "CONDITIONAL", 299), (98, 100, "FAIL", None)],
)
def test_a_share_on_its_bound(successes, n, verdict, needed):
    one = criterion("json_validity", ">=99", decide_on="bound")
    found = judge(one, item("json_validity", 100 * successes / n, "%", n=n, successes=successes))
    assert found.verdict == verdict
    if needed:
        assert found.needed_n == needed


def test_a_share_that_its_counts_do_not_have():
    one = criterion("json_validity", ">=99")
    assert "80 of 100 are 80 %" in judge(one, item("json_validity", 99.9, "%", n=100, successes=80)).reason


@pytest.mark.parametrize(("n", "verdict"), [(298, "CONDITIONAL"), (299, "PASS")])
def test_p99_needs_299(n, verdict):
    one = criterion("ttft_p99", "<150", "150..200", decide_on="bound")
    found = judge(one, item("ttft_p99", 120.0, "ms", counts=((100.0, n - 1), (120.0, 1))))
    assert found.verdict == verdict
    if verdict == "CONDITIONAL":
        assert "95 % bounds 100 and none" in found.reason
        assert "undecided at n=298; n=299 would decide" in found.reason


def test_p99_without_its_values():
    one = criterion("ttft_p99", "<150", decide_on="bound")
    assert judge(one, item("ttft_p99", 120.0, "ms", n=100, interval=(110.0, 130.0))).verdict == "CONDITIONAL"
    assert judge(one, item("ttft_p99", 120.0, "ms", n=1000)).verdict == "UNDERFED"
    assert judge(one, item("ttft_p99", 160.0, "ms", n=1000)).verdict == "FAIL"


def test_a_mean_on_its_bound():
    one = replace(THROUGHPUT, decide_on="bound")
    assert judge(one, rate(116.0, samples=(116.0, 116.1, 115.9, 116.0, 116.0))).verdict == "PASS"
    wide = judge(one, rate(116.0, samples=(110.0, 122.0, 114.0, 118.0, 116.0)))
    assert wide.verdict == "CONDITIONAL"
    assert wide.needed_n > 5
    assert f"n={wide.needed_n} would decide" in wide.reason
    assert judge(one, rate(116.0, n=5)).verdict == "UNDERFED"
    assert judge(one, rate(116.0, samples=(116.0,))).verdict == "CONDITIONAL"


def test_requires():
    from gate.made import band

    both = replace(criterion("ttft_p50", "<100", "100..120"), requires=(("ttft_p99", band("<150"), band("150..200")),))
    fast, slow = item("ttft_p50", 80.0, "ms"), item("ttft_p99", 170.0, "ms")
    assert judge(both, fast, replace(slow, value=140.0)).verdict == "PASS"
    found = judge(both, fast, slow)
    assert (found.verdict, found.value) == ("CONDITIONAL", 80.0)
    assert found.reason.startswith("ttft_p99: 170 ms")
    assert judge(both, fast, replace(slow, value=200.1)).verdict == "FAIL"
    assert judge(both, fast).verdict == "UNDERFED"


def test_context_may_not_decide():
    assert judge(criterion("construct_coverage", ">=1"), item("construct_coverage", 99.0, "%")).verdict == "UNDERFED"
    shown = replace(criterion("construct_coverage", ">=1"), decides=False)
    assert judge(shown, item("construct_coverage", 99.0, "%")).verdict == "PASS"


def baseline_case(value, base=80.0, n=1000, **more):
    pin = {"path": "base.json", "sha256": "b" * 64, "margin": 2.0, **more.pop("pin", {})}
    one = criterion("task_success", None, baseline=Baseline(**pin), **more)
    old = item("task_success", base, "%", "base.json", sha256="b" * 64, n=n, successes=round(base * n / 100))
    return one, old, item("task_success", value, "%", "new.json", n=n, successes=round(value * n / 100))


@pytest.mark.parametrize(("value", "verdict"), [(85.0, "PASS"), (78.0, "PASS"), (77.9, "FAIL")])
def test_non_inferiority_at_the_point(value, verdict):
    one, old, new = baseline_case(value)
    found = judge(one, old, new)
    assert (found.verdict, found.value) == (verdict, value)
    assert "the baseline's 80 %" in found.reason


def test_non_inferiority_on_the_bound():
    one, old, new = baseline_case(80.0, n=1000, decide_on="bound")
    undecided = judge(one, old, new)
    assert undecided.verdict == "CONDITIONAL"
    assert undecided.needed_n > 1000
    one, old, new = baseline_case(80.0, n=undecided.needed_n + 50, decide_on="bound")
    assert judge(one, old, new).verdict == "PASS"


def test_a_relative_margin():
    one, old, new = baseline_case(76.0, pin={"margin": 0.05, "relative": True})
    assert judge(one, old, new).verdict == "PASS"
    assert judge(one, old, replace(new, value=75.9, successes=759)).verdict == "FAIL"


@pytest.mark.parametrize("margin", [math.nan, math.inf, -1.0])
def test_a_margin_that_is_none(margin):
    one, old, new = baseline_case(10.0, pin={"margin": margin})
    assert judge(one, old, new).verdict == "UNDERFED"


def test_a_baseline_that_is_not_the_one_pinned():
    one, old, new = baseline_case(85.0)
    changed = judge(one, replace(old, sha256="c" * 64), new)
    assert changed.verdict == "UNDERFED"
    assert "is not the one that was pinned" in changed.reason
    assert "is not among the evidence" in judge(one, new).reason
    assert judge(one, old).reason.startswith("only the baseline gives task_success")
    assert judge(replace(one, baseline=Baseline("base.json", "", 2.0)), old, new).verdict == "UNDERFED"


def test_eval_sets_of_two_versions_are_not_compared():
    one, old, new = baseline_case(85.0)
    found = judge(one, replace(old, tags={"eval_set": "v1"}), replace(new, tags={"eval_set": "v2"}))
    assert found.verdict == "UNDERFED"
    assert "eval_set v1 is not compared with v2" in found.reason


def test_a_loss_names_the_baseline_that_it_was_measured_against():
    pin = Baseline("fp32.json", "f" * 64)
    one = criterion("mmlu_loss", "<=1.5", baseline=pin)
    loss = item("mmlu_loss", 1.0, "points", "fp32.json", sha256="f" * 64)
    both = (("fp32.json", "f" * 64, "/a"), ("int4.json", "4" * 64, "/a"))
    assert judge(one, replace(loss, sources=both)).verdict == "PASS"
    assert judge(one, replace(loss, sha256="4" * 64)).verdict == "UNDERFED"


MANUAL = replace(criterion("bugs", None), metric="", manual=True)


def test_manual_checks():
    blank = evaluate(profile(MANUAL), manifest(), release="1", now=NOW)
    assert (blank.verdict, blank.ready, blank.blockers) == ("UNDERFED", True, ())
    assert blank.pending == ("bugs is to be marked: bugs", "1 approval of 1 missing")
    done = evaluate(profile(MANUAL), manifest(), release="1", now=NOW, marks=[mark("bugs")])
    assert (done.verdict, done.ready) == ("PASS", True)
    assert done.judgements[0].reason == "ann marked it passed: looked"
    bad = evaluate(profile(MANUAL), manifest(), release="1", now=NOW, marks=[mark("bugs", passed=False)])
    assert (bad.verdict, bad.ready) == ("FAIL", False)


def test_which_mark_counts():
    def said(*marks):
        return evaluate(profile(MANUAL), manifest(), release="1", now=NOW, marks=marks).verdict

    assert said(mark("bugs", passed=False, at=NOW - 9), mark("bugs")) == "PASS"
    assert said(mark("bugs", passed=False), mark("bugs")) == "FAIL"
    assert said(mark("bugs", note=" ")) == "UNDERFED"
    assert said(mark("bugs", by="")) == "UNDERFED"
    assert said(mark("bugs", at=NOW + DAY)) == "UNDERFED"
    assert said(mark("bugs", at=math.nan)) == "UNDERFED"
    assert said(mark("other")) == "UNDERFED"
    for when in (NOW + DAY, math.nan):  # a no is a no, whatever the clock of the one who said it
        assert said(mark("bugs"), mark("bugs", passed=False, at=when)) == "FAIL"
        assert said(mark("bugs", passed=False, at=when), mark("bugs")) == "FAIL"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "nobody marked it"),
        ([{"at": NOW + DAY}], "the mark of ann is dated ahead of this clock"),
        ([{"note": ""}], "the mark of ann lacks a name or a note"),
        ([{"by": ""}], "the mark of nobody lacks a name or a note"),
    ],
)
def test_it_is_told_why_a_mark_counts_for_nothing(given, why):
    marks = [mark("bugs", **more) for more in given]
    (found,) = evaluate(profile(MANUAL), manifest(), release="1", now=NOW, marks=marks).judgements
    assert found.reason.endswith(why)


def test_a_mark_does_not_stand_for_evidence():
    measured = replace(THROUGHPUT, manual=True)
    found = evaluate(profile(measured), manifest(rate(90.0)), release="1", now=NOW, marks=[mark("throughput_single")])
    assert (found.verdict, found.ready) == ("FAIL", False)
    unread = evaluate(profile(measured), manifest(), release="1", now=NOW)
    assert not unread.ready


def waived(value, *waivers, now=NOW, through=True):
    return evaluate(
        profile(THROUGHPUT, conditional_passes=through), manifest(rate(value)), release="1", now=now, waivers=waivers
    )


def test_waivers():
    assert not waived(110.0).ready
    through = waived(110.0, waiver("throughput_single"))
    assert (through.ready, through.verdict, through.judgements[0].waived.owner) == (True, "CONDITIONAL", "bob")
    strict = waived(110.0, waiver("throughput_single"), through=False)
    assert not strict.ready
    assert "release lets no CONDITIONAL through" in strict.blockers[0]
    failed = waived(90.0, waiver("throughput_single"))
    assert not failed.ready
    assert "a waiver lets no FAIL through" in failed.blockers[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"due": NOW}, "was due"),
        ({"due": math.inf}, "no due date"),
        ({"due": math.nan}, "no due date"),
        ({"owner": " "}, "names no owner"),
        ({"at": NOW + DAY}, "ahead of this clock"),
    ],
)
def test_waivers_that_do_not_count(change, words):
    found = waived(110.0, waiver("throughput_single", **change))
    assert not found.ready
    assert words in found.blockers[0]


def test_approvals_are_of_distinct_people():
    two = profile(THROUGHPUT, approvals=2)

    def pending(*names):
        return evaluate(two, manifest(rate(120.0)), release="1", now=NOW, approvals=names).pending

    assert pending() == ("2 approvals of 2 missing",)
    assert pending("ann", "Ann ", "*", "") == ("1 approval of 2 missing",)
    assert pending("ann", "bob") == ()


def test_what_does_not_decide_does_not_block():
    shown = replace(THROUGHPUT, decides=False)
    found = evaluate(profile(criterion("coverage", ">90"), shown), manifest(item("coverage", 95.0, "%"), rate(1.0)),
                     release="1", now=NOW)  # fmt: skip
    assert (found.verdict, found.ready, found.judgements[1].verdict) == ("PASS", True, "FAIL")


def test_nothing_to_decide_is_no_go():
    empty = evaluate(profile(), manifest(rate(120.0)), release="1", now=NOW)
    assert (empty.verdict, empty.ready) == ("UNDERFED", False)
    template = evaluate(profile(THROUGHPUT, template=True), manifest(rate(120.0)), release="1", now=NOW)
    assert (template.verdict, template.ready) == ("UNDERFED", False)


def test_checklist():
    listed = profile(
        THROUGHPUT,
        criterion("coverage", ">90"),
        checklist=(Check("met", ("throughput_single", "coverage")), Check("gone", ("nobody",)), Check("signed")),
    )
    found = evaluate(listed, manifest(rate(120.0), item("coverage", 80.0, "%")), release="1", now=NOW)
    assert checklist(found) == (("met", "FAIL"), ("gone", "UNDERFED"), ("signed", None))


def test_listed_and_gone():
    promised = [("throughput_single", "b.json")]
    assert judge(THROUGHPUT, rate(120.0, path="b.json"), listed=promised).verdict == "PASS"
    found = judge(THROUGHPUT, rate(120.0), listed=promised)
    assert found.verdict == "UNDERFED"
    assert "listed evidence is gone: throughput_single of b.json" in found.reason
    assert judge(THROUGHPUT, rate(90.0), listed=promised).verdict == "FAIL"
    twice = [("throughput_single", "a.json")] * 2
    assert judge(THROUGHPUT, rate(120.0), listed=twice).verdict == "UNDERFED"


def test_what_follows_from_what_is_gone():
    one = criterion("quantization_loss", "<1")
    mean = item("quantization_loss", 0.5, "%", sources=(("fp32.json", "f", "/a"), ("int4.json", "4", "/a")))
    promised = [("mmlu", "fp32.json"), ("mmlu", "int4.json"), ("mmlu", "worse.json")]
    scores = [item("mmlu", 72.0, "%", path) for _, path in promised]
    assert judge(one, mean, *scores, listed=promised).verdict == "PASS"
    found = judge(one, mean, *scores[:2], listed=promised)
    assert found.verdict == "UNDERFED"
    assert "worse.json" in found.reason


def test_the_digest_is_over_all_that_is_judged():
    one, evidence = profile(THROUGHPUT), manifest(rate(120.0))
    base = digest(one, evidence, "1")
    assert base != digest(replace(one, sha256="q" * 64), evidence, "1")
    assert base != digest(one, replace(evidence, digest="other"), "1")
    assert base != digest(one, evidence, "2")
    assert base != digest(one, evidence, "1", [mark("bugs")])
    assert base != digest(one, evidence, "1", (), [waiver("bugs")])
    assert base != digest(one, replace(evidence, listed=(("coverage", "c.json"),)), "1")
    marks = [mark("bugs"), mark("notes")]
    assert digest(one, evidence, "1", marks) == digest(one, evidence, "1", marks[::-1])


# What holds of any evidence --------------------------------------------------------------------------------------

CRITERIA = (
    replace(THROUGHPUT, max_age_s=DAY, min_n=2),
    criterion("json_validity", ">=99", "95..99", decide_on="bound"),
    criterion("task_success", None, baseline=Baseline("base.json", "base.json" * 3, 5.0)),
    replace(criterion("ttft_p50", "<100"), requires=(("ttft_p99", criterion("x", "<150").passes, None),)),
    MANUAL,
)
UNITS = {"throughput_single": "tokens/s", "json_validity": "%", "task_success": "%", "ttft_p50": "ms", "ttft_p99": "ms"}
PATHS = ["a.json", "b.json", "base.json", "d.json"]


@st.composite
def items(draw):
    metric = draw(st.sampled_from(sorted(UNITS)))
    high = 100.0 if UNITS[metric] == "%" else 200.0
    return item(
        metric,
        draw(st.one_of(st.floats(0, high), st.sampled_from([math.nan, 0.0, high, 99.0, 115.0]))),
        draw(st.sampled_from([UNITS[metric]] * 5 + ["furlongs"])),
        draw(st.sampled_from(PATHS)),
        n=draw(st.sampled_from([None, 1, 5, 1000])),
        at=NOW - draw(st.sampled_from([60.0, 2 * DAY])),
        tags=draw(st.sampled_from([{}, {"batch": "4"}, {"role": "baseline"}])),
        trouble=draw(st.sampled_from(["", "", "", "cut short"])),
    )


WAIVERS = tuple(waiver(one.id) for one in CRITERIA)


def all_of(evidence: Manifest):
    return evaluate(
        profile(*CRITERIA, conditional_passes=True), evidence, release="1", now=NOW, waivers=WAIVERS,
    )  # fmt: skip


def standing(verdict):
    """Both of FAIL and UNDERFED block, so neither is better than the other."""
    return {"PASS": 2, "CONDITIONAL": 1}.get(verdict, 0)


@settings(deadline=None, max_examples=150)
@given(st.lists(items(), max_size=8), st.data())
def test_removing_listed_evidence_never_improves_anything(found, data):
    listed = [(one.metric, one.path) for one in found]
    keep = [one for one in found if data.draw(st.booleans())]
    files = manifest(*found).files
    before, after = all_of(manifest(*found, listed=listed)), all_of(manifest(*keep, listed=listed, files=files))
    assert standing(after.verdict) <= standing(before.verdict)
    assert after.ready <= before.ready
    for one, two in zip(before.judgements, after.judgements, strict=True):
        assert standing(two.verdict) <= standing(one.verdict)
        lost = {item.metric for item in found} - {item.metric for item in keep}
        if one.criterion.metric in lost:
            assert two.verdict in ("UNDERFED", "FAIL")


@settings(deadline=None, max_examples=100)
@given(st.lists(items(), max_size=7), st.randoms(use_true_random=False))
def test_the_order_of_evidence_changes_nothing(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    one, two = all_of(manifest(*found)), all_of(manifest(*shuffled))
    assert (one.verdict, one.ready, one.blockers, one.digest) == (two.verdict, two.ready, two.blockers, two.digest)
    assert [j.reason for j in one.judgements] == [j.reason for j in two.judgements]
    assert repr(one.judgements) == repr(two.judgements)


@settings(deadline=None, max_examples=100)
@given(st.lists(items(), max_size=7), st.sampled_from(sorted(UNITS)))
def test_adding_what_fails_never_improves_anything(found, metric):
    worst = 1e6 if UNITS[metric] == "ms" else 0.0
    assume(not any(one.path == "base.json" and one.value <= 5 for one in found))  # nothing is worse than those
    failing = item(metric, worst, UNITS[metric], "d.json", n=1000)
    files = manifest(*found, failing).files
    before, after = all_of(manifest(*found, files=files)), all_of(manifest(*found, failing, files=files))
    assert standing(after.verdict) <= standing(before.verdict)
    assert after.ready <= before.ready
    for one, two in zip(before.judgements, after.judgements, strict=True):
        assert standing(two.verdict) <= standing(one.verdict)


NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 100.0, 1e308, -1e308]))
COUNTS = st.one_of(st.none(), st.integers(-2, 400), st.sampled_from([10**9, 10**18]))


@st.composite
def anything(draw, metric):
    return item(
        metric,
        draw(NUMBERS),
        METRICS[metric].unit,
        draw(st.sampled_from(PATHS)),
        n=draw(COUNTS),
        successes=draw(COUNTS),
        samples=tuple(draw(st.lists(NUMBERS, max_size=4))),
        counts=tuple(draw(st.lists(st.tuples(NUMBERS, st.integers(-1, 10**12)), max_size=4))),
        interval=draw(st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS))),
        at=draw(NUMBERS),
        tags=draw(st.sampled_from([{}, {"eval_set": "1"}])),
    )


@settings(deadline=None, max_examples=200)
@given(st.data(), st.sampled_from(sorted(METRICS)), st.sampled_from(["point", "bound"]), NUMBERS, NUMBERS)
def test_whatever_evidence_says_there_is_a_verdict(data, metric, decide_on, low, margin):
    bands = {"passes": Band(low=low), "conditional": Band(low=low - 1, high=low)}
    one = replace(criterion(metric), **bands, decide_on=decide_on, max_age_s=DAY, min_n=2)
    other = replace(one, id="against", passes=None, baseline=Baseline("base.json", "base.json" * 3, margin))
    found = data.draw(st.lists(anything(metric), max_size=4))
    evaluation = evaluate(profile(one, other), manifest(*found), release="1", now=NOW)
    for judged in evaluation.judgements:
        assert judged.reason
        if judged.verdict in ("PASS", "CONDITIONAL"):
            assert judged.n is not None or METRICS[metric].statistic == "count"
            assert math.isfinite(judged.value) or METRICS[metric].better == "lower"
    told = gate_document(evaluation)
    json.dumps(told, allow_nan=False)
    assert markdown(report(told))

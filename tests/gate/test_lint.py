"""What the linter finds in a profile that can be read, each with its line, and what it lets be."""

from dataclasses import replace

import pytest

from mens_console.gate.bands import parse
from mens_console.gate.lint import least_n, lint
from mens_console.gate.metrics import METRICS
from mens_console.gate.profiles import load, shipped
from mens_console.gate.types import Baseline, Check, Criterion, Profile

DIGEST = "a" * 64


def one(metric="throughput_single", passes=">=115", **more):
    unit = METRICS[metric].unit if metric in METRICS else ""
    bands = {name: parse(text) for name, text in more.items() if name in ("conditional", "fails") and text}
    given = {"id": "c", "title": "C", "dimension": "d", "metric": metric, "unit": unit, **more, **bands}
    return Criterion(**given, passes=parse(passes) if passes else None)


def said(*criteria, **more):
    return [f"{found.key}: {found.message}; {found.cure}" for found in lint(Profile("p", "P", criteria, **more))]


@pytest.mark.parametrize("name", [name for name in shipped() if name != "vox-decision"])
def test_nothing_is_wrong_with_what_is_shipped(name):
    assert lint(load(name)) == []


def test_the_template_says_what_to_fill_in():
    profile = load("vox-decision")
    found = lint(profile)
    assert {one.key.rpartition(".")[2] for one in found} == {"path", "sha256", "margin"}
    assert len(found) == 3 * len(profile.criteria) == 21
    pinned = Baseline("shipped/kpi.json", DIGEST, 2.0)
    filled = replace(profile, criteria=tuple(replace(one, baseline=pinned) for one in profile.criteria))
    assert [one.key for one in lint(filled)] == ["template"]
    assert lint(replace(filled, template=False)) == []


def test_the_line_is_that_of_the_key(tmp_path):
    path = tmp_path / "mine.toml"
    text = load("engineering").text.replace('unit = "per function"', 'unit = "points"')
    path.write_text(text)
    (problem,) = lint(load(path))
    assert text.splitlines()[problem.line - 1] == 'unit = "points"'
    assert (problem.origin, problem.key) == (str(path), "criteria.2.unit")
    assert "complexity is in per function" in problem.message


@pytest.mark.parametrize(
    ("criterion", "key", "message"),
    [
        (one(conditional="100..110"), "pass", "gap: between conditional and pass"),
        (one(conditional="100..120"), "pass", "overlap"),
        (one(conditional="105..115", fails="<100"), "pass", "gap: between fail and conditional"),
        (one("throughput_sngle"), "metric", "did you mean throughput_single"),
        (one("zzzz"), "metric", "gate list --metrics"),
        (one(metric="", passes=None), "metric", "asks for nothing"),
        (one(passes=None), "", "asks for nothing of its metric"),
        (one(passes=None, conditional="105..115"), "", "none says what passes"),
        (one(unit="tok"), "unit", "throughput_single is in tokens/s"),
        (one(unit=""), "unit", 'add unit = "tokens/s"'),
        (one("mmlu_loss", "<=1.5", unit="%"), "unit", "mmlu_loss is in points"),
        (one(statistic="quantile"), "statistic", "is a mean, no quantile"),
        (one("train_loss", "<1"), "metric", "tier 3"),
        (one("corpus_parse_rate", ">=90"), "metric", "tier 3"),
        (one("whitespace_tokens", ">=1"), "metric", "tier 3"),
        (one("quality_proxy", ">=0.5"), "metric", "tier 3"),
        (one("construct_coverage", ">=50"), "metric", "tier 3"),
        (one("strictness_failure_rate", "<=1"), "metric", "demoted"),
        (one(requires=(("train_loss", parse("<1"), None),)), "requires.0.metric", "tier 3"),
        (one(requires=(("zzzz", parse("<1"), None),)), "requires.0.metric", "unknown metric"),
        (one(requires=(("ttft_p99", parse("<150"), parse("160..200")),)), "requires.0.pass", "gap"),
        (one("uptime", ">=99", min_n=298, decide_on="bound"), "min_n", "299 are needed"),
        (one("error_rate", "<=1", min_n=298, decide_on="bound"), "min_n", "299 are needed"),
        (one("error_rate", "<0.1", min_n=2994, decide_on="bound"), "min_n", "2995 are needed"),
        (one("ttft_p99", "<150", min_n=100, decide_on="bound"), "min_n", "299 are needed"),
        (one("ttft_p50", "<100", min_n=4, decide_on="bound"), "min_n", "5 are needed"),
        (one("lint", ">=100", min_n=9999, decide_on="bound"), "pass", "no sample shows >=100 of lint"),
        (one("false_acceptance", "<=0", min_n=9999, decide_on="bound"), "pass", "no sample shows"),
        (one(decide_on="bound"), "min_n", "2 are needed"),
        (one("ttft_p50", "<100", min_n=298, decide_on="bound", requires=(("ttft_p99", parse("<150"), None),)),
         "min_n", "299 are needed"),
        (one(passes=None, baseline=Baseline("b.json", DIGEST)), "baseline.margin", "no margin"),
        (one(passes=None, baseline=Baseline("", DIGEST, 1.0)), "baseline.path", "no file"),
        (one(passes=None, baseline=Baseline("b.json", "", 1.0)), "baseline.sha256", "not pinned"),
        (one(passes=None, baseline=Baseline("b.json", "z" * 64, 1.0)), "baseline.sha256", "not pinned"),
        (one(passes=None, baseline=Baseline("b.json", DIGEST, float("nan"))), "baseline.margin", "nan"),
        (one(passes=None, baseline=Baseline("b.json", DIGEST, -1.0)), "baseline.margin", "-1"),
        (one(passes=None, baseline=Baseline("b.json", DIGEST, 1.0, True)), "baseline.margin", "lets everything pass"),
        (one(metric="", manual=True), "manual", "bands are of no metric"),
    ],
)  # fmt: skip
def test_one_thing_is_wrong_with_a_criterion(criterion, key, message):
    (found,) = said(criterion)
    assert found.startswith("criteria.0" + (f".{key}" if key else "") + ": c: ")
    assert message in found


@pytest.mark.parametrize(
    "criterion",
    [
        one(conditional="105..115", fails="<105"),
        one("train_loss", "<1", decides=False),
        one("uptime", ">=99", min_n=299, decide_on="bound"),
        one("ttft_p99", "<150", min_n=299, decide_on="bound"),
        one("lint", ">=100"),
        one("coverage", "90..100"),
        one("failures_72h", "<=1", conditional="2..3", fails=">=4"),
        one("mmlu_loss", "<=1.5", baseline=Baseline("b.json", DIGEST)),
        one("compile_pass_at_1", ">=80", baseline=Baseline("b.json", DIGEST, 2.0)),
        one("serve_tokens_per_sec", None, baseline=Baseline("b.json", DIGEST, 0.05, True)),
        one(metric="", passes=None, manual=True),
        one(manual=True),
    ],
)
def test_nothing_is_wrong_with_these(criterion):
    deciding = one("coverage", ">90", id="d")
    assert said(criterion, deciding) == []


def test_what_is_wrong_with_the_whole():
    assert "no criterion decides" in said()[0]
    assert "no criterion decides" in said(one(decides=False))[0]
    assert "0 approvals" in said(one(), approvals=0)[0]
    assert "2 criteria have the id c" in said(one(), one("coverage", ">90"))[0]
    assert "no criterion has the id x" in said(one(), checklist=(Check("All", ("c", "x")),))[0]


def test_who_may_sign(tmp_path):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtleWtleWtleWtleWtleWtleWtleWtleWtleWtleWtl"
    signers = tmp_path / "signers"
    path = str(tmp_path / "mine.toml")
    assert "lets anybody sign" in said(one(), allowed_signers="*")[0]
    assert "no such file" in said(one(), allowed_signers="signers", path=path)[0].lower()
    signers.write_text(f"ada@example.org {key}\n")
    assert said(one(), allowed_signers="signers", path=path) == []
    assert said(one(), allowed_signers=str(signers)) == []
    for wild in ("*", "*@example.org", "ada@example.org,*", "?da"):
        signers.write_text(f"{wild} {key}\n")
        assert "stands for anybody" in said(one(), allowed_signers="signers", path=path)[0], wild


@pytest.mark.parametrize(
    ("metric", "band", "least"),
    [
        ("uptime", ">=99", 299),
        ("uptime", ">=99.9", 2995),
        ("uptime", ">=95", 59),
        ("error_rate", "<=1", 299),
        ("error_rate", "<0.5", 598),
        ("uptime", ">=0", 1),
        ("lint", ">=100", None),
        ("ttft_p99", "<150", 299),
        ("ttft_p50", "<100", 5),
        ("throughput_single", ">=115", 2),
        ("failures_72h", "<=1", 1),
    ],
)
def test_the_fewest_that_can_show_it(metric, band, least):
    assert least_n(METRICS[metric], parse(band)) == least

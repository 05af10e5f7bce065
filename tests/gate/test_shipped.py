"""Shipped profiles on evidence as files: what a soak and a benchmark of the contracts come to; profiles of any text."""

import json
import tomllib

import pytest
from contracts.load_samples import BENCH, SOAK, changed
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.gate.evaluate import evaluate
from mens_console.gate.evidence import gather
from mens_console.gate.lint import lint
from mens_console.gate.profiles import ProfileError, load, parsed, shipped

NOW = SOAK["ended"] + 3600.0
SERVED = ("1.1", "1.4", "1.5", "1.6", "1.7", "3.1", "3.2", "3.3")


@pytest.fixture
def verdicts(tmp_path):
    def judge(*documents, profile="phase3-release"):
        for number, document in enumerate(documents):
            (tmp_path / f"{number}.json").write_text(json.dumps(document))
        found = evaluate(load(profile), gather([tmp_path], now=NOW), release="1", now=NOW)
        return {one.criterion.id: one.verdict for one in found.judgements}

    return judge


@pytest.mark.parametrize("profile", ["phase3-release", "phase3-sprint"])
def test_a_soak_and_a_benchmark_feed_what_is_served(verdicts, profile):
    found = verdicts(SOAK, BENCH, profile=profile)
    assert {name: found[name] for name in SERVED} == dict.fromkeys(SERVED, "PASS")
    assert found["3.3-bound"] == "FAIL"  # 72 h with one failure show 15 h, and it decides nothing
    assert found["4.1"] == "UNDERFED"


@pytest.mark.parametrize(
    ("document", "path", "value", "criterion", "verdict"),
    [
        (BENCH, ("throughput", 0, "tokenizer"), "whitespace", "1.1", "UNDERFED"),
        (BENCH, ("throughput", 0, "n"), 4, "1.1", "UNDERFED"),
        (BENCH, ("memory", 0, "peak_bytes"), 9_000_000_000, "1.6", "CONDITIONAL"),
        (BENCH, ("memory", 0, "peak_bytes"), 10_000_000_001, "1.6", "FAIL"),
        (BENCH, ("context", 1, "quality_loss"), 0.051, "1.7", "FAIL"),
        (BENCH, ("context", 1, "ms_per_token"), 100.0, "1.7", "FAIL"),
        (SOAK, ("elapsed_s",), 259_000.0 / 2, "3.3", "UNDERFED"),
        (SOAK, ("incidents",), SOAK["incidents"] * 2, "3.3", "CONDITIONAL"),
        (SOAK, ("incidents",), SOAK["incidents"] * 4, "3.3", "FAIL"),
        (SOAK, ("incidents",), [], "3.3", "PASS"),
        (SOAK, ("ttft_ms", "counts"), [], "1.4", "UNDERFED"),
        (SOAK, ("ttft_ms", "p50"), None, "1.4", "UNDERFED"),
    ],
)
def test_what_becomes_of_it(verdicts, document, path, value, criterion, verdict):
    other = BENCH if document is SOAK else SOAK
    report = changed(document, path, value)
    if path == ("incidents",):
        report["mtbf_lower_bound_s"] = None
    assert verdicts(report, other)[criterion] == verdict


def test_evidence_that_grew_old_is_underfed(tmp_path):
    (tmp_path / "soak.json").write_text(json.dumps(SOAK))
    later = SOAK["ended"] + 31 * 86_400
    found = evaluate(load("phase3-release"), gather([tmp_path], now=later), release="1", now=later)
    assert found.get("3.2").verdict == "UNDERFED"
    assert "stale" in found.get("3.2").reason


SOURCE = load("phase3-sprint").text


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(SOURCE)),
    st.integers(0, 40),
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["\n", '"', "[", "]", "= ", "{", "[[criteria]]\n", "-1", "nan", "1e400", "true", "''", ".", "..", ">"]
        ),
    ),
)
def test_a_profile_of_any_text_is_read_or_refused_in_words(tmp_path_factory, start, length, instead):
    text = SOURCE[:start] + instead + SOURCE[start + length :]
    path = tmp_path_factory.mktemp("p") / "p.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        profile = load(path)
    except ProfileError as error:
        assert error.problems
        assert all(one.message and one.cure and one.origin == str(path) for one in error.problems)
    else:
        assert all(one.message and one.cure for one in lint(profile))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(shipped())), data=st.data())
def test_a_key_of_any_value_is_read_or_refused_in_words(name, data):

    values = tomllib.loads(load(name).text)
    table = data.draw(st.sampled_from([values, *values["criteria"]]))
    table[data.draw(st.sampled_from([*table, "requires", "baseline", "where", "checklist"]))] = data.draw(VALUES)
    try:
        profile = parsed(values, "", "made", "")
    except ProfileError as error:
        assert error.problems
    else:
        assert all(one.message for one in lint(profile))


@pytest.mark.parametrize(
    ("repaired", "interval", "verdict"),
    [(81, [0.0656, 0.0996], "PASS"), (83, [0.0675, 0.1017], "CONDITIONAL"), (230, [0.2050, 0.2571], "FAIL")],
)
def test_a_repair_rate_that_the_health_screen_leaves_undecided_does_not_pass(verdicts, repaired, interval, verdict):
    band = {"band": "x", "value": repaired / 1000, "n": 1000, "interval": interval, "unit": "share", "reason": ""}
    batch = {"run_id": "r", "index": 0, "complete": True, "bands": {"repair_rate": band}}
    health = {"schema": "mens-health/1", "generated_at": NOW, "batches": [batch]}
    assert verdicts(health, profile="persona-health")["repair-rate"] == verdict

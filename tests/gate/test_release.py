"""A whole release from files to verdict: ready when all is good, never when a file is taken, cut or emptied."""

import json
import time
from dataclasses import replace

import pytest
from gate.made import mark
from gate.releases import write

from mens_console.gate.evaluate import evaluate
from mens_console.gate.evidence import gather
from mens_console.gate.profiles import load

RELEASE, SPRINT = load("phase3-release"), load("phase3-sprint")
MANUAL = ("3.3-judgement", "critical-bugs", "release-notes")
FILES = {
    "bench.json": "1.1",
    "coverage.json": "4.1",
    "fp32/results.json": "2.1-mmlu",
    "int4/results.json": "2.1-arc",
    "interrogate.txt": "4.2",
    "junit.xml": "tests",
    "qlora/results.json": "2.3",
    "radon_cc.json": "4.3",
    "soak.json": "3.1",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write(tmp_path / "evidence") == sorted(FILES)
    return tmp_path / "evidence"


def judge(folder, profile=RELEASE, **more):
    now = time.time()
    return evaluate(profile, gather([folder], now=now), release="3.0", now=now, **more)


def test_nothing_but_people_is_missing(folder):
    found = judge(folder)
    assert found.ready, found.blockers
    assert [one.split()[0] for one in found.pending] == [*MANUAL, "1"]
    marks = [mark(name, at=time.time() - 1) for name in MANUAL]
    assert judge(folder, marks=marks).verdict == "PASS"
    assert judge(folder, SPRINT).ready


def test_a_mark_that_says_no_blocks(folder):
    assert not judge(folder, marks=[mark("critical-bugs", passed=False, at=time.time() - 1)]).ready


@pytest.mark.parametrize(("name", "criterion"), FILES.items())
@pytest.mark.parametrize("harm", ["taken", "cut", "emptied", "a folder"])
def test_harmed_evidence_never_passes(folder, name, criterion, harm):
    path = folder / name
    raw = path.read_bytes()
    if harm == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif harm == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
        if harm == "a folder":
            path.mkdir()
    for profile in (RELEASE, SPRINT):
        found = judge(folder, profile)
        assert not found.ready
        assert found.get(criterion).verdict == "UNDERFED"


def test_what_was_listed_stays_wanted(folder):
    now = time.time()
    before = gather([folder], now=now)
    listed = sorted({(one.metric, one.path) for one in before.items})
    assert evaluate(RELEASE, gather([folder], now=now, listed=listed), release="3.0", now=now).ready
    (folder / "soak.json").unlink()  # the benchmark still tells latencies, but not those that were listed
    found = evaluate(RELEASE, gather([folder], now=now, listed=listed), release="3.0", now=now)
    assert found.get("1.4").verdict == "UNDERFED"
    assert "listed evidence is gone" in found.get("1.4").reason


def edited(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def latency(p99, n):
    return {"n": n, "p50": 70.0, "p95": 95.0, "p99": p99, "counts": [[70.0, n - 2], [p99, 2]]}


def runs(mean, spread=0.5):
    return {"runs": [mean - spread, mean - spread, mean, mean + spread, mean + spread], "mean": mean}


CASES = (
    ("1.1", "bench.json", lambda d: d["throughput"][0].update(runs(120.0)), "PASS", "PASS"),
    ("1.1", "bench.json", lambda d: d["throughput"][0].update(runs(119.9)), "CONDITIONAL", "PASS"),
    ("1.1", "bench.json", lambda d: d["throughput"][0].update(runs(115.0)), "CONDITIONAL", "PASS"),
    ("1.1", "bench.json", lambda d: d["throughput"][0].update(runs(114.9)), "CONDITIONAL", "CONDITIONAL"),
    ("1.1", "bench.json", lambda d: d["throughput"][0].update(runs(104.9)), "FAIL", "FAIL"),
    ("1.4", "bench.json", lambda d: d["latency"][0].update(ttft_ms=latency(150.0, 400)), "CONDITIONAL", "CONDITIONAL"),
    ("1.4", "bench.json", lambda d: d["latency"][0].update(ttft_ms=latency(149.0, 400)), "PASS", "PASS"),
    ("1.4", "bench.json", lambda d: d["latency"][0].update(ttft_ms=latency(201.0, 400)), "FAIL", "FAIL"),
    ("1.6", "bench.json", lambda d: d["memory"][0].update(peak_bytes=9_000_000_000, runs=[]), "CONDITIONAL", "PASS"),
    ("1.6", "bench.json", lambda d: d["memory"][0].update(peak_bytes=10_000_000_001, runs=[]), "FAIL", "FAIL"),
    ("4.1", "coverage.json", lambda d: d["totals"].update(covered_lines=900, percent_covered=90.0), "CONDITIONAL",
     "CONDITIONAL"),
    ("4.1", "coverage.json", lambda d: d["totals"].update(covered_lines=849, percent_covered=84.9), "FAIL", "FAIL"),
)  # fmt: skip


@pytest.mark.parametrize(("criterion", "name", "change", "release", "sprint"), CASES)
def test_edges_from_the_file(folder, criterion, name, change, release, sprint):
    edited(folder / name, change)
    for profile, verdict in ((RELEASE, release), (SPRINT, sprint)):
        found = judge(folder, profile).get(criterion)
        assert found.verdict == verdict, found.reason


def test_a_sprint_lets_conditional_through_with_an_owner(folder):
    from gate.made import waiver

    edited(folder / "bench.json", lambda d: d["throughput"][0].update(runs(110.0)))
    soon = replace(waiver("1.1"), due=time.time() + 1000, at=time.time() - 1)
    assert not judge(folder, SPRINT).ready
    assert judge(folder, SPRINT, waivers=[soon]).ready
    assert not judge(folder, RELEASE, waivers=[soon]).ready


def change(folder, name, edit):
    """Rewrite a JSON file of the folder by a function that edits what it holds."""
    document = json.loads((folder / name).read_text())
    edit(document)
    (folder / name).write_text(json.dumps(document))


def test_a_benchmark_is_asked_of_the_quantized_model_and_not_of_the_tuned_one(folder):
    """MMLU 71.1 % passes, and what tuning costs (0.4 points) is judged by itself, with its own bands."""
    change(folder, "int4/results.json", lambda document: document["results"]["mmlu"].update({"acc,none": 0.711}))
    change(folder, "qlora/results.json", lambda document: document["results"]["mmlu"].update({"acc,none": 0.707}))
    found = {one.criterion.id: one for one in judge(folder, SPRINT).judgements}
    assert found["2.1-mmlu"].verdict == "PASS", found["2.1-mmlu"].reason
    assert (found["2.3"].verdict, found["2.3"].value) == ("PASS", pytest.approx(0.4))


def test_a_tuned_model_that_stands_alone_is_asked_itself(folder):
    (folder / "int4/results.json").unlink()
    change(folder, "qlora/results.json", lambda document: document["results"]["mmlu"].update({"acc,none": 0.60}))
    found = {one.criterion.id: one for one in judge(folder, SPRINT).judgements}
    assert found["2.1-mmlu"].verdict == "FAIL"
    assert "60 %" in found["2.1-mmlu"].reason


def test_a_soak_that_streamed_nothing_takes_no_latency_away(folder):
    nothing = {"n": 0, "p50": None, "p99": None}
    change(folder, "soak.json", lambda document: document.update(ttft_ms=nothing, itl_ms=nothing))
    assert judge(folder).ready, judge(folder).blockers


def test_a_soak_in_which_every_request_failed_has_no_latency(folder):
    nothing = {"n": 0, "p50": None, "p99": None}
    change(folder, "soak.json", lambda document: document.update(
        ttft_ms=nothing, itl_ms=nothing, errors={"http": document["requests"]}))  # fmt: skip
    found = {one.criterion.id: one for one in judge(folder).judgements}
    assert {found[name].verdict for name in ("1.4", "1.5")} == {"UNDERFED"}

"""The document by its committed schema, and what the release gate makes of it."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import orjson
import pytest
from soak.handmade import Record, minute, plan, quick

from mens_console.cli.main import main
from mens_console.load.histogram import Histogram
from mens_console.soak.analyse import Analyst
from mens_console.soak.document import document
from mens_console.soak.types import LATENCIES, Event, ProbeAt
from mens_contracts.soak import SoakReport

SCHEMA = json.loads((Path(__file__).parents[2] / "contracts/gate/mens-soak-1.schema.json").read_text())
HOURS72 = 72 * 3600.0


def told(record):
    made = orjson.loads(orjson.dumps(document(Analyst("soak").update(record), "0.1.0")))
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    return made


def test_a_busy_soak_keeps_its_contract():
    minutes = [minute(i, rate=2, down=[(130, 250)], levels={"rss": 8e9 + i, "gpu_memory": 8e9}) for i in range(12)]
    minutes.append(quick(12, degraded=2, lost=3, unobserved_s=20.0, skipped=5, latencies={}))
    record = Record(
        minutes=minutes, now_s=780.0, plan=plan(duration_s=1200.0, gpus=2, tags={"quantization": "fp8"}),
        events=[Event(0.0, "start", "driver 7"), Event(730.0, "gap", "away", 730.0, 750.0)], problems=["a torn line"],
    )  # fmt: skip
    made = told(record)
    report = SoakReport.model_validate(made)
    assert (report.requests, report.errors) == (12 * 120 - 240 + 240 + 600, {"connect": 240})
    assert report.incidents[0].closed - report.incidents[0].opened == 120
    assert report.memory.peak_bytes == 8_000_000_000
    assert report.target.gpus == 2
    assert made["minutes"][12]["lost"] == 3
    assert "how 3 requests ended is not known: they count as neither good nor bad" in made["notes"]
    assert "ttft_ms" not in made["minutes"][12]
    assert "a torn line" in made["notes"]
    assert any("20.0 s were not observed" in note for note in made["notes"])
    assert made["events"][1]["end"] - made["events"][1]["begin"] == 20


def test_what_nobody_measured_is_null():
    made = told(Record(state="starting"))
    for name in ("error_rate", "error_rate_interval", "mttr_s", "mtbf_s", "mtbf_lower_bound_s", "achieved_rate", "good",
                 "output_tokens_per_s", "memory", "budget", "degraded"):  # fmt: skip
        assert not made[name], name
        assert made[name] is None or name == "good", name
    assert made["availability"]["probe"] is None
    assert made["ttft_ms"] == {"n": 0, "p50": None, "p99": None}


def test_percentiles_and_buckets_are_those_of_all_minutes():
    minutes = [minute(i, rate=3) for i in range(5)]
    made = told(Record(minutes=minutes, now_s=300.0))
    for name in ("ttft", "itl", "e2e"):
        block, merged = made[f"{name}_ms"], Histogram()
        for one in minutes:
            merged.merge(one.latencies[name])
        assert block["n"] == merged.n == sum(count for _, count in block["counts"])
        assert block["p99"] == pytest.approx(merged.quantile(0.99))
        assert block["relative_error"] == 0.01
        assert [value for value, _ in block["counts"]] == sorted(value for value, _ in block["counts"])
        assert made["minutes"][2][f"{name}_ms"]["p95"] == pytest.approx(minutes[2].latencies[name].quantile(0.95))


def fast():
    """Return histograms of 600 requests that keep the release's lines."""
    draw = np.random.default_rng(2)
    latencies = {name: Histogram.of_values(draw.normal(20, 1, 600).tolist()) for name in LATENCIES}
    latencies["ttft"] = Histogram.of_values(draw.normal(70, 5, 600).tolist())
    return latencies


FAST = fast()


def whole(*incidents, minutes=4320, state="finished", **more):
    """Return a soak of that many minutes with an incident of 40 s in each of the minutes named."""
    made = []
    for i in range(minutes):
        one = quick(i, latencies=FAST, levels={"gpu_memory": 8.4e9})
        if i in incidents:
            one.probes = [ProbeAt(i * 60.0 + j * 10, not 1 <= j <= 4, 1.0) for j in range(6)]
            one.failed, one.tens = {"http": 40}, [[100, 0], *([[100, 10]] * 4), [100, 0]]
        made.append(one)
    return Record(minutes=made, now_s=minutes * 60.0, state=state, plan=plan(duration_s=HOURS72, **more))


def judged(record, folder, capsys):
    (folder / "soak.json").write_bytes(orjson.dumps(told(record)))
    main(["gate", "check", "phase3-release", str(folder), "--json"])
    criteria = json.loads(capsys.readouterr().out)["criteria"]
    return {one["id"]: one for one in criteria}


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def now_plan(monkeypatch):
    """Let soaks have ended just now: evidence that is older than 30 days is stale."""
    import time

    from soak import handmade

    monkeypatch.setattr(handmade, "STARTED", time.time() - HOURS72 - 60)


def test_the_gate_passes_72_hours_without_a_failure(tmp_path, capsys, monkeypatch):
    now_plan(monkeypatch)
    found = judged(whole(), tmp_path, capsys)
    assert {one: found[one]["verdict"] for one in ("3.1", "3.2", "3.3", "1.4", "1.5", "1.6")} == dict.fromkeys(
        ("3.1", "3.2", "3.3", "1.4", "1.5", "1.6"), "PASS"
    )
    assert found["3.1"]["n"] == 25_920
    assert found["3.2"]["n"] == 4320 * 600
    bound = found["3.3-bound"]
    assert bound["value"] == pytest.approx(24.03, abs=0.01)
    assert not bound["decides"]
    assert "says" not in bound["reason"]


def test_the_gate_sees_two_failures(tmp_path, capsys, monkeypatch):
    now_plan(monkeypatch)
    found = judged(whole(100, 3000), tmp_path, capsys)
    assert found["3.3"]["verdict"] == "CONDITIONAL"
    assert found["3.3"]["value"] == 2
    assert found["3.2"]["verdict"] == "PASS"
    assert found["3.3-bound"]["value"] == pytest.approx(11.43, abs=0.01)


def test_the_gate_passes_no_20_minutes(tmp_path, capsys, monkeypatch):
    now_plan(monkeypatch)
    found = judged(whole(minutes=20, state="stopped"), tmp_path, capsys)
    for one in ("3.1", "3.3"):
        assert found[one]["verdict"] != "PASS", one
    assert "0.3 h of 72 h" in found["3.3"]["reason"]


def test_results_of_another_tool_show_no_failures_over_time(tmp_path, capsys):
    """Its file has no incidents because nobody looked for any, however long it took."""
    rows = [{"state": "imported", "incidents": []}, {}]
    verdicts = []
    for name, more in zip(("one", "two"), rows, strict=True):
        (tmp_path / name).mkdir()
        made = told(whole()) | {"ended": None, "started": None} | more
        (tmp_path / name / "soak.json").write_bytes(orjson.dumps(made))
        main(["gate", "check", "phase3-release", str(tmp_path / name), "--json"])
        criteria = {one["id"]: one for one in json.loads(capsys.readouterr().out)["criteria"]}
        verdicts.append(criteria["3.3"]["verdict"])
    assert verdicts == ["UNDERFED", "PASS"]

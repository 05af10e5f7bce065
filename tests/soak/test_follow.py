"""A soak's directory followed while its driver writes: what is told at every moment is what reading anew tells."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import orjson
import pytest
from soak.handmade import plan
from support.soaks import Scene, write_driver, write_soak

from mens_console.soak import plan as plans
from mens_console.soak import rows
from mens_console.soak.document import document
from mens_console.soak.follow import SoakFollower, read_soak
from mens_console.soak.imports.following import UnreadableError
from mens_console.soak.writer import Writer

VLLM = {
    "date": "20261017-202000", "backend": "openai", "model_id": "llama", "num_prompts": 100, "request_rate": 4.0,
    "duration": 25.0, "completed": 98, "failed": 2, "total_output_tokens": 3200, "output_throughput": 128.0,
    "median_ttft_ms": 50.0, "p99_ttft_ms": 90.0, "mean_ttft_ms": 52.0, "median_itl_ms": 20.0, "p99_itl_ms": 30.0,
    "mean_itl_ms": 21.0, "median_tpot_ms": 20.0, "p99_tpot_ms": 25.0, "mean_tpot_ms": 20.5,
}  # fmt: skip


def told(found):
    """Return what an analysis says, as far as it can be compared."""
    names = ("requests", "failed", "good", "lost", "skipped", "probes", "probes_failed", "incidents", "unobserved_s",
             "mtbf_lower_bound_s", "budget", "output_tokens", "degraded", "normal_ms", "now_s", "events", "leaks",
             "state")  # fmt: skip
    quantiles = {name: (one.n, one.counts, one.quantile(0.95)) for name, one in found.latencies.items()}
    return {name: getattr(found, name) for name in names} | quantiles | {"index": found.columns.index.tolist()}


def rows_of(made, *, until):
    """Return a driver's rows at 2 requests/s: it is down from 70 s to 110 s."""
    for second in range(until):
        down = 70 <= second < 110
        for half in (0, 1):
            due = second + half / 2
            minute, number = int(due // 60), int(due % 60 * 2)
            good = {
                "e2e": 200.0 + second % 7,
                "ttft": 50.0,
                "gaps": [20.0, 21.0, 22.0],
                "tok": 4,
                "by": "server",
                "chunks": 4,
            }
            bad = {"err": "connect", "why": "connection refused"}
            yield rows.Request(id=(minute, number), due=due, sent=due + 0.001, **(bad if down else good))
        if second % 10 == 5:
            yield rows.Look(float(second), not down, 1.0, "connection refused" if down else "")
            yield rows.Level(float(second), rss=1e9 + second * 1e4)
    assert made.duration_s >= until


def test_what_is_followed_is_what_is_read_anew(tmp_path):
    made = plan(rate=2.0, duration_s=400.0, timeout_s=5.0)
    plans.write(tmp_path, made)
    write_driver(tmp_path, Scene(finished=False), 0.0)
    writer = Writer(tmp_path, made)
    writer.add(rows.happened(0.0, "start", "a driver began"))
    follower, checked = SoakFollower(tmp_path), 0
    for number, row in enumerate(rows_of(made, until=400)):
        writer.add(row)
        if number % 97 == 0:
            follower.poll(made.started + row.at)
            checked += 1
            assert told(follower.report) == told(read_soak(tmp_path, made.started + row.at))
    writer.add(rows.happened(400.5, "end", "all was sent"))
    writer.close()
    while follower.poll(made.started + 1e6) or follower.more:
        pass
    found = follower.report
    follower.close()
    assert checked > 5
    assert found.state == "finished"
    assert (found.requests, found.failed) == (800, {"connect": 80})
    (incident,) = found.incidents
    assert (incident.opened, incident.closed, incident.requests_failed, incident.probes_failed) == (70, 115, 80, 4)
    assert incident.cause == "100 % of requests fail: connection refused; probes fail: connection refused"
    assert found.extra["drain_s"] == 0.5
    assert len(found.columns.index) == 7


def test_nothing_new_is_the_same_object(tmp_path):
    folder = write_soak(tmp_path / "soak", Scene(hours=0.1, rate=2.0, raw_s=60.0)).folder
    follower = SoakFollower(folder)
    assert follower.poll(2e9)
    while follower.more:
        follower.poll(2e9)
    first = follower.report
    assert not follower.poll(2e9 + 1)
    assert follower.report is first


def test_sums_are_those_of_the_columns(tmp_path):
    truth = write_soak(tmp_path / "soak", Scene(hours=0.5, rate=4.0, raw_s=120.0, gaps=((500.0, 530.0),)))
    found = read_soak(truth.folder, 2e9)
    assert found.requests == truth.ended
    assert found.columns.heat.sum() == found.latencies["e2e"].n
    assert np.nansum(found.columns.unobserved_s) == pytest.approx(truth.unobserved_s)
    assert sum(one.n for one in (minute.latencies["itl"] for minute in found.minutes)) == found.latencies["itl"].n


def test_the_file_of_another_tool(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(VLLM))
    found = read_soak(path, 2e9)
    assert (found.source, found.state, found.plan, found.requests) == ("vllm", "imported", None, 100)


@pytest.mark.parametrize("text", ["", "hello", '{"schema": "mens-soak/1"}'])
def test_a_file_of_nobody_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=r"results\.json"):
        SoakFollower(path)


def test_a_directory_of_nobody_says_so(tmp_path):
    found = read_soak(tmp_path, 2e9)
    assert (found.state, found.plan, found.requests, found.minutes) == ("unknown", None, 0, ())
    assert found.problems
    Path(tmp_path, "plan.json").write_bytes(orjson.dumps({"schema": "mens-soak-plan/9"}))
    assert "plan.json" in " ".join(read_soak(tmp_path, 2e9).problems)


def test_what_another_tool_told_keeps_the_contract_too(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(VLLM))
    made = orjson.loads(orjson.dumps(document(read_soak(path, 2e9))))
    schema = Path(__file__).parents[2] / "contracts/gate/mens-soak-1.schema.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(made)
    assert (made["ttft_ms"]["p50"], made["ttft_ms"]["p99"], made["finished"]) == (50.0, 90.0, None)
    assert any(note.startswith("ttft percentiles are the tool's") for note in made["notes"])
    assert made["availability"]["probe"] is None

"""k6's points, as `--out json` writes them: requests put together again, classes, minutes, incidents, damage."""

import json
import os
from datetime import UTC, datetime

import pytest
from soak.loadfiles import BEGUN, lines, record

from mens_console.cli.main import main
from mens_console.soak.imports.following import claims, follow, load
from mens_console.soak.verdicts import failures

OLD = BEGUN + 100_000.0
METRICS = ("http_reqs", "http_req_duration", "http_req_blocked", "http_req_connecting", "http_req_tls_handshaking",
           "http_req_sending", "http_req_waiting", "http_req_receiving", "http_req_failed")  # fmt: skip


def point(metric, at, value, tags=None, *, older=False):
    """Return a line as k6 writes it: `at` seconds after the beginning, to the nanosecond."""
    whole = datetime.fromtimestamp(BEGUN + int(at), UTC)
    time = f"{whole:%Y-%m-%dT%H:%M:%S}.{round(at % 1 * 1e9):09d}Z"
    data = {"time": time, "value": value, "tags": tags or {}}
    told = {"type": "Point", "data": data, "metric": metric} if older else {
        "metric": metric, "type": "Point", "data": data}  # fmt: skip
    return json.dumps(told, separators=(",", ":")) + "\n"


def request(at, took=40.0, *, failed=0, waited=10.0, leave=(), older=False, **tags):
    """Return the lines of a request that was sent at `at` and took so many ms."""
    status = tags.get("status", "500" if failed else "200")
    told = {"method": "POST", "status": status, "expected_response": "false" if failed else "true"} | tags
    values = dict.fromkeys(METRICS, 0.0) | {
        "http_reqs": 1, "http_req_duration": took, "http_req_waiting": waited, "http_req_failed": failed,
    }  # fmt: skip
    end = at + took / 1000
    return "".join(point(name, end, values[name], told, older=older) for name in METRICS if name not in leave)


def metric(name):
    data = {"name": name, "type": "counter", "contains": "default", "thresholds": [], "submetrics": None}
    return json.dumps({"type": "Metric", "data": data, "metric": name}, separators=(",", ":")) + "\n"


def write(path, text, at=BEGUN):
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def read(tmp_path, text):
    return load(write(tmp_path / "points.json", metric("http_reqs") + text), now=OLD)


@pytest.mark.parametrize("older", [False, True])
def test_the_points_of_a_request_are_one_request(tmp_path, older):
    text = "".join([
        request(0.5, 40.0, older=older), point("vus", 1.0, 5), request(61.0, 80.0, failed=1, older=older),
        point("iterations", 61.5, 1), request(125.25, 20.0, older=older),
    ])  # fmt: skip
    found = read(tmp_path, text)
    assert (found.source, found.state, found.plan) == ("k6", "imported", None)
    assert claims(tmp_path / "points.json") == "k6"
    assert [minute.ended for minute in found.minutes] == [1, 1, 1]
    assert (found.requests, found.failed) == (3, {"http": 1})
    assert found.started == pytest.approx(BEGUN + 0.5)
    assert found.now_s == pytest.approx(124.77)
    assert found.latencies["e2e"].n == 2
    assert found.latencies["e2e"].greatest == pytest.approx(40.0)
    assert "ttft" not in found.latencies
    assert found.extra["told"]["first_byte"]["n"] == 3
    assert found.extra["told"]["first_byte"]["p50"] == pytest.approx(10.0, rel=0.01)


def test_a_file_without_the_points_of_failure_is_judged_by_its_tags(tmp_path):
    text = request(0.0, leave=("http_req_failed",)) + request(1.0, failed=1, leave=("http_req_failed",))
    bare = request(2.0, leave=("http_req_failed",)).replace(',"expected_response":"true"', "")
    found = read(tmp_path, text + bare + request(3.0, failed=1, leave=("http_req_failed",)))
    assert (found.requests, found.failed) == (4, {"http": 2})


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"status": "503"}, "http"), ({"status": "0", "error": "request timeout", "error_code": "1050"}, "timeout"),
        ({"status": "0", "error_code": "1050"}, "timeout"), ({"status": "0", "error_code": "1212"}, "connect"),
        ({"status": "0", "error_code": "1101"}, "connect"), ({"status": "0", "error_code": "1310"}, "tls"),
        ({"status": "0", "error": "dial: connection refused"}, "connect"), ({"status": "0"}, "unclassed"),
        ({"status": "200"}, "unclassed"), ({"status": "\x1b[2J", "error_code": "x"}, "unclassed"),
    ],
)  # fmt: skip
def test_failures_are_classed(tmp_path, tags, name):
    assert read(tmp_path, request(0.0, failed=1, **tags)).failed == {name: 1}


def test_dropped_iterations_are_skipped_and_told(tmp_path):
    found = read(tmp_path, request(0.0) + point("dropped_iterations", 1.0, 7) + point("dropped_iterations", 2.0, 5))
    assert found.skipped == 12
    assert any("12 iterations were dropped" in problem for problem in found.problems)


def test_lines_that_are_no_points_are_told_and_the_others_counted(tmp_path):
    timeless = '{"metric":"http_reqs","type":"Point","data":{"time":"soon","value":1}}\n'
    text = request(0.0) + "}{\n" + timeless + request(2.0) + '{"metric":"http_reqs"'
    found = read(tmp_path, text)
    assert found.requests == 2
    assert any("3 lines are no points" in problem for problem in found.problems)


def test_a_point_of_another_time_is_not_put_to_a_request(tmp_path):
    text = request(0.0, leave=("http_req_duration", "http_req_failed")) + point("http_req_duration", 9.0, 5000.0)
    found = read(tmp_path, text + request(10.0))
    assert found.requests == 2
    assert found.latencies["e2e"].n == 1


def test_a_growing_file_is_read_on(tmp_path):
    path = write(tmp_path / "points.json", request(0.0) + request(1.0)[:-40])
    follower = follow(path)
    assert follower.poll(BEGUN + 1.0)
    assert (follower.report.state, follower.report.requests) == ("running", 1)
    with path.open("a") as file:
        file.write(request(1.0)[-40:] + request(2.0))
    os.utime(path, (BEGUN + 2, BEGUN + 2))
    assert follower.poll(BEGUN + 2.0)
    assert follower.report.requests == 3
    follower.close()


# ---------------------------------------------------------------------- incidents of an import


def outage(begin, end, until=180):
    return "".join(request(i / 2, failed=int(begin <= i / 2 < end)) for i in range(2 * until))


def test_an_outage_is_an_incident_without_probes(tmp_path):
    found = read(tmp_path, outage(57.0, 68.0))
    (one,) = found.incidents
    assert (one.opened, one.closed, one.requests_failed) == (57, 68, 22)
    assert one.cause == "100 % of requests fail: http"
    assert found.mttr_s == 11
    assert (found.mtbf_s, found.mtbf_lower_bound_s) == (None, None)
    assert failures(found).band == "nodata", "without probes one incident does not show that there was no other"


def test_an_outage_at_the_end_stays_open_and_a_silence_closes_nothing(tmp_path):
    (one,) = read(tmp_path, outage(57.0, 68.0, until=75)).incidents
    assert (one.opened, one.closed) == (57, None)


def test_many_outages_fail(tmp_path):
    found = read(tmp_path, "".join(request(i / 2, failed=int(20 <= i / 2 % 120 < 32)) for i in range(4 * 240)))
    assert len(found.incidents) == 4
    assert failures(found).band == "fail"


def test_seconds_and_incidents_grow_with_the_file(tmp_path):
    rows = [record(i / 2, error={"code": 500} if 57 <= i / 2 < 68 else None) for i in range(3000)]
    path = write(tmp_path / "p.jsonl", lines(*rows[:130]))
    follower = follow(path)
    follower.poll(BEGUN + 65.0)
    (one,) = follower.report.incidents
    assert (one.opened, one.closed) == (57, None)
    for begin in range(130, 3000, 410):
        with path.open("a") as file:
            file.write(lines(*rows[begin : begin + 410]))
        os.utime(path, (BEGUN + begin, BEGUN + begin))
        follower.poll(BEGUN + float(begin))
    (one,) = follower.report.incidents
    assert (one.opened, one.closed) == (57, 68)
    follower.close()
    assert load(path, now=OLD).incidents == (one,)


@pytest.mark.parametrize("name", ["k6.json", "my_test_result.json", "load-test.json", "points.jsonl", "points.ndjson"])
def test_points_are_found_below_a_folder(tmp_path, monkeypatch, capsys, name):
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "box").mkdir()
    write(tmp_path / "box" / name, metric("vus") + outage(57.0, 68.0))
    assert main(["status", str(tmp_path / "box")]) == 0
    assert f"soak box/{name}" in (shown := capsys.readouterr().out)
    assert "1 incident" in shown

"""Soaks in the engine: found by content, never runs, followed off its thread, bounded, judged on event time."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from screens import soakbox
from support.soaks import Scene, write_soak

from mens_console.config import Settings
from mens_console.ingest.found import FoundRecord
from mens_console.signals.rules import RULES
from mens_console.store.engine import Engine
from mens_console.store.report import status_document
from mens_console.store.soaks import LIVE_S, MOST_SOAKS, STILL_S, Soaks

GUIDELLM = {"guidellm_version": "0.8", "benchmarks": [{"metrics": {"time_to_first_token_ms": {}}}]}


class Fake:
    def __init__(self, path):
        self.path, self.report, self.more, self.polls, self.closed = path, soakbox.young(), False, [], False
        self.error = None

    def poll(self, now):
        self.polls.append((now, threading.current_thread().name))
        if self.error is not None:
            raise self.error
        return True

    def close(self):
        self.closed = True


class Made(dict):
    def __call__(self, path):
        self[path.name] = Fake(path)
        return self[path.name]


def board(**changes):
    made = Made()
    return Soaks(RULES, follow=made, threaded=False, **changes), made


def record(folder, name="plan.json", kind="soak"):
    return FoundRecord(Path(folder).name, Path(folder) / name, kind)


def on(soaks):
    return {(alert.rule, alert.entity) for alert in soaks.alerts.views if alert.active}


# ---------------------------------------------------------------------- the board


def test_a_soak_is_its_folder_and_an_import_its_file():
    soaks, made = board()
    assert soaks.admit(
        (record("/r/a"), record("/r/b", "k6.json", "soak import"), record("/r/c", "x.jsonl", "attempts"))
    )
    assert [(view.id, str(view.path)) for view in soaks.views] == [("a", "/r/a"), ("b/k6.json", "/r/b/k6.json")]
    assert all(view.reading and view.report is None for view in soaks.views)
    assert soaks.attend(100.0)
    assert set(made) == {"a", "k6.json"}
    assert all(view.report is not None and not view.reading for view in soaks.views)
    assert not soaks.admit((record("/r/a"), record("/r/b", "k6.json", "soak import"))), "the same files are no news"


def test_only_so_many_are_followed_and_the_rest_is_named(tmp_path):
    records = []
    for i in range(MOST_SOAKS + 2):
        folder = tmp_path / f"s{i:02}"
        folder.mkdir()
        (folder / "plan.json").write_text("{}")
        os.utime(folder / "plan.json", (1000.0 + i, 1000.0 + i))
        records.append(record(folder))
    (tmp_path / "s00" / "driver.json").write_text("{}")  # the oldest one still goes on
    soaks, made = board()
    soaks.admit(records)
    soaks.attend(1.0)
    assert len(made) == MOST_SOAKS
    assert {"s00", "s13"} <= set(made)
    assert not {"s01", "s02"} & set(made)
    assert soaks.problems[0].startswith("2 older soaks are not followed")
    assert "s02, s01" in soaks.problems[0]


def test_what_goes_on_is_looked_at_more_often_than_what_ended():
    soaks, made = board()
    soaks.admit((record("/r/live"), record("/r/still")))
    soaks.attend(0.0)
    made["still"].report = soakbox.young(state="finished")
    soaks.attend(LIVE_S)
    for now in (2.0, 3.0, 4.0, 5.0):
        soaks.attend(now)
    assert len(made["live"].polls) == 6
    assert len(made["still"].polls) == 2
    soaks.attend(LIVE_S + STILL_S)
    assert len(made["still"].polls) == 3
    soaks.attend(-1000.0)
    assert len(made["still"].polls) == 4, "a clock that was set back puts nothing off"


def test_a_soak_that_cannot_be_read_says_so_and_hides_no_other():
    soaks, made = board()
    soaks.admit((record("/r/bad"), record("/r/good")))
    soaks.attend(0.0)
    kept = next(view.report for view in soaks.views if view.id == "bad")
    made["bad"].error = ValueError("plan.json line 1: no rate\x1b[31m")
    first = made["bad"]
    soaks.attend(10.0)
    bad, good = (next(view for view in soaks.views if view.id == name) for name in ("bad", "good"))
    assert bad.problem.startswith("plan.json line 1: no rate")
    assert "\x1b" not in bad.problem
    assert bad.report is kept, "what was known stays in sight"
    assert good.problem == ""
    assert first.closed
    soaks.attend(20.0)
    assert made["bad"] is not first
    assert next(view for view in soaks.views if view.id == "bad").problem == ""


def test_who_is_gone_is_forgotten_and_closed():
    soaks, made = board()
    soaks.admit((record("/r/a"), record("/r/b")))
    soaks.attend(0.0)
    soaks.admit((record("/r/b"),))
    soaks.attend(10.0)
    assert [view.id for view in soaks.views] == ["b"]
    assert made["a"].closed
    soaks.close()
    assert made["b"].closed


def test_reading_never_happens_on_the_engine_s_thread():
    woken = threading.Event()
    made = Made()
    soaks = Soaks(RULES, follow=made, wake=woken.set)
    soaks.admit((record("/r/a"),))
    soaks.attend(0.0)
    assert woken.wait(5)
    for _ in range(1000):
        if soaks.attend(0.5):
            break
        time.sleep(0.002)
    assert soaks.views[0].report is not None
    assert {name for _, name in made["a"].polls} == {"soaks"}
    soaks.close()


# ---------------------------------------------------------------------- alerts


def alerts_of(*reports):
    soaks, made = board()
    soaks.admit((record("/r/a"),))
    soaks.attend(0.0)
    for i, report in enumerate(reports, 1):
        made["a"].report = report
        soaks.attend(i * 10.0)
    return soaks


def test_a_failing_soak_fires_and_what_is_undecided_does_not():
    assert on(alerts_of(soakbox.young())) == set()
    few = soakbox.young(probes=3, probes_failed=0, requests=150, failed={"http": 1})
    assert few.error_rate > 0.005
    assert on(alerts_of(few)) == set(), "one error of 150 shows no rate above 0.5 %"
    soaks = alerts_of(soakbox.failing())
    assert on(soaks) == {("soak_uptime", "soak:a"), ("soak_errors", "soak:a")}
    view = soaks.alerts.views[0]
    report = soakbox.failing()
    assert view.since == report.started + report.now_s, "on event time"
    assert any("connect" in line for alert in soaks.alerts.views for line in alert.evidence)


def test_it_recovers_when_it_is_well_again_and_is_held_when_it_ends():
    assert on(alerts_of(soakbox.failing(), soakbox.young())) == set()
    soaks = alerts_of(replace(soakbox.failing(), state="finished"))
    assert on(soaks) == set()
    assert all(alert.held for alert in soaks.alerts.views)
    assert {alert.rule for alert in soaks.alerts.views} == {"soak_uptime", "soak_errors"}


def test_a_driver_that_died_fires_with_its_evidence_until_it_is_resumed():
    soaks = alerts_of(soakbox.died())
    died = next(alert for alert in soaks.alerts.views if alert.rule == "soak_died")
    assert died.active
    assert "process 4121 runs no more" in died.evidence[0]
    assert "71 h of 72 h were still to come" in died.evidence[1]
    assert "soak_died" not in {rule for rule, _ in on(alerts_of(soakbox.died(), soakbox.failing()))}


def test_a_file_of_another_tool_tells_nothing_of_a_driver():
    assert "soak_died" not in {alert.rule for alert in alerts_of(soakbox.imported()).alerts.views}


# ---------------------------------------------------------------------- the whole engine


@pytest.fixture
def root(tmp_path):
    write_soak(tmp_path / "soak", Scene(hours=0.5, rate=1.0, raw_s=120.0))
    return tmp_path


def load(root):
    return Engine([root], Settings(), watch=False).load()


def test_a_soak_below_a_root_is_found_read_and_is_no_run(root):
    (root / "soak" / "driver.log").write_text("a driver began\n")
    (root / "soak" / "nohup.out").write_text("a driver began\n")
    snapshot = load(root)
    assert snapshot.runs == ()
    (view,) = snapshot.soaks
    assert (view.id, view.reading, view.problem) == ("soak", False, "")
    assert view.report.state == "finished"
    assert view.report.requests == 1800
    assert snapshot.problems == ()
    (document,) = status_document(snapshot)["soaks"]
    json.dumps(document)
    assert document["verdicts"]["uptime"]["band"] == "undecided"
    assert document["requests"] == 1800


def test_a_training_in_the_same_folder_stays_a_run(root):
    rows = "".join(json.dumps({"step": i, "loss": 2.0 / i}) + "\n" for i in range(1, 50))
    (root / "soak" / "metrics.jsonl").write_text(rows)
    (root / "soak" / "train.log").write_text("step 1 loss 2.0\n" * 20)
    snapshot = load(root)
    assert [run.id for run in snapshot.runs] == ["soak"]
    assert len(snapshot.soaks) == 1


def test_a_plan_alone_is_a_soak_of_which_nothing_is_known(root):
    for path in (root / "soak").iterdir():
        if path.name != "plan.json":
            path.unlink()
    (view,) = load(root).soaks
    assert view.report is not None
    assert view.report.state in ("unknown", "starting")
    assert view.report.requests == 0


def test_a_foreign_plan_is_no_soak(tmp_path):
    (tmp_path / "plan.json").write_text('{"schema": "terraform", "steps": []}')
    assert load(tmp_path).soaks == ()


def test_a_file_of_another_tool_is_found_by_its_content(tmp_path):
    (tmp_path / "guidellm.json").write_text(json.dumps(GUIDELLM))
    (tmp_path / "benchmark.json").write_text('{"nothing": "of the kind"}')
    (view,) = load(tmp_path).soaks
    assert view.path.name == "guidellm.json"


def test_it_is_followed_live_by_a_running_engine(root):
    seen = threading.Event()
    engine = Engine([root], Settings(), watch=False)
    engine.start(lambda snapshot: snapshot.soaks and snapshot.soaks[0].report is not None and seen.set())
    try:
        assert seen.wait(20)
        assert engine.snapshot.soaks[0].caught_up
    finally:
        engine.stop()

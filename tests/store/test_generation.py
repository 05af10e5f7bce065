"""Attempt logs in the engine: grouped by folder, followed, judged once, their alerts kept apart by run."""

from dataclasses import replace
from pathlib import Path

import pytest

from mens_console.ingest.found import FoundRecord
from mens_console.signals.generation import Band, BatchFigures, HealthReport, Judged, TierFigures
from mens_console.signals.kpivalues import KpiReport
from mens_console.signals.rules import RULES
from mens_console.store.generation import MOST_LOGS, Generation, in_order


def batch(index=0, run="r", *, complete=True, ended=100.0):
    return BatchFigures(
        run, index, 1000, 1000, complete, 900, 990, 50, {}, {}, 1000, 10.0, 20.0, 1.0, {}, {}, 2.2, 2.2,
        900, 900, 0.9, 0.9, 500, 1, 1, 0.1, ended - 10, ended, ("a", 0),
    )  # fmt: skip


def tier(run="r", drift=False, reasons=()):
    return TierFigures(run, (run,), 1, 1000, 1000, 0.9, 0.99, 0.05, 2, 0.1, drift=drift, drift_reasons=reasons)


def report(judged, runs=None, rev=1):
    return HealthReport(rev, 1000, tuple(judged), tier("all"), runs=tuple(runs or (tier(),)))


class Fake:
    def __init__(self, paths, first=None):
        self.waiting = False
        self.paths, self.report, self.closed, self.news, self.more = paths, first, False, [], False

    def poll(self, now):
        if not self.news:
            return False
        self.report = self.news.pop(0)
        return True

    def close(self):
        self.closed = True


class Made(list):
    def __init__(self, first):
        super().__init__()
        self.first = first

    def __call__(self, paths):
        self.append(Fake(paths, self.first))
        return self[-1]


def board():
    logs, kpis = Made(report([])), Made(KpiReport())
    return Generation(RULES, attempts=logs, kpis=kpis), logs, kpis


def record(folder, name, kind="attempts"):
    return FoundRecord(folder, Path(folder) / name, kind)


def bands(name, indicator="repair_rate", value=0.3):
    return {indicator: Band(name, value, 1000, (0.27, 0.33), "far above 20 %", unit="share")}


def firing(generation):
    return {(a.rule, a.entity, str(a.severity)) for a in generation.alerts.views if a.active}


def test_logs_of_a_folder_go_together_in_the_order_they_were_written():
    generation, logs, kpis = board()
    generation.admit((
        record("a", "g.jsonl"), record("a", "g.jsonl.2.gz"), record("a", "g.jsonl.10"), record("b", "x.log"),
        record("b", "k.json", "kpi"), record("c", "e.jsonl", "kpi"),
    ))  # fmt: skip
    assert [p.name for p in logs[0].paths] == ["g.jsonl.10", "g.jsonl.2.gz", "g.jsonl"]
    assert [view.id for view in generation.views] == ["a", "b"]
    assert [p.name for p in kpis[0].paths] == ["k.json", "e.jsonl"]
    assert generation.kpi == KpiReport()


def test_shards_stand_by_name():
    assert [p.name for p in in_order([Path("s-2.jsonl"), Path("s-1.jsonl.gz"), Path("s-1.jsonl.1")])] == [
        "s-1.jsonl.1", "s-1.jsonl.gz", "s-2.jsonl",
    ]  # fmt: skip
    assert [p.name for p in in_order([Path("s-10.jsonl"), Path("s-2.jsonl"), Path("s.jsonl")])] == [
        "s.jsonl", "s-2.jsonl", "s-10.jsonl",
    ]  # fmt: skip


def test_dated_logs_stand_before_the_one_that_grows_and_folders_one_after_the_other():
    names = ["b/g.log", "a/g.log", "a/g.log-20260131.gz", "b/g.log.1", "a/g.log-20260201"]
    assert [str(p) for p in in_order(map(Path, names))] == [
        "a/g.log-20260131.gz", "a/g.log-20260201", "a/g.log", "b/g.log.1", "b/g.log",
    ]  # fmt: skip


def test_only_what_changed_is_followed_anew():
    generation, logs, kpis = board()
    first = (record("a", "g.jsonl"), record("b", "x.log"), record("b", "k.json", "kpi"))
    assert generation.admit(first)
    assert not generation.admit(first)
    assert generation.admit((first[0], record("b", "y.log")))
    assert [log.closed for log in logs] == [False, True, False]
    assert kpis[0].closed
    assert generation.kpi is None
    generation.close()
    assert all(log.closed for log in logs)


def test_too_many_folders_are_told():
    generation, logs, _ = board()
    generation.admit(tuple(record(f"f{i:03}", "g.jsonl") for i in range(MOST_LOGS + 3)))
    assert len(logs) == MOST_LOGS
    assert generation.problems[0].startswith("3 folders")


def test_a_whole_batch_fires_and_a_healthy_one_resolves():
    generation, logs, _ = board()
    generation.admit((record("a", "g.jsonl"),))
    bad = Judged(batch(0, ended=1000.0), bands("critical"))
    open_ = Judged(batch(1, complete=False, ended=1100.0), bands("healthy", value=0.01))
    logs[0].news = [report([bad]), report([bad, open_]), report([bad, replace(open_, batch=batch(1, ended=1200.0))])]
    assert generation.attend(1001.0)
    assert firing(generation) == {("repairs_high", "generation:a/r", "critical")}
    alert = next(a for a in generation.alerts.views if a.active)
    assert alert.evidence[0] == "batch 0 of run r, 1000 attempts: 0.3 share"
    assert "95 % interval 0.27 to 0.33" in alert.evidence[1]
    generation.attend(1101.0)
    assert firing(generation)  # a batch that is not whole says nothing
    generation.attend(1201.0)
    assert not firing(generation)
    assert [a.count for a in generation.alerts.views] == [1]


@pytest.mark.parametrize("name", ["undecided", "nodata"])
def test_what_is_not_known_ends_nothing(name):
    generation, logs, _ = board()
    generation.admit((record("a", "g.jsonl"),))
    bad, after = Judged(batch(0), bands("critical")), Judged(batch(1, ended=300.0), bands(name))
    logs[0].news = [report([bad]), report([bad, after])]
    generation.attend(101.0)
    generation.attend(301.0)
    assert firing(generation)


def test_interleaved_runs_have_alerts_of_their_own_and_drift_is_one():
    generation, logs, _ = board()
    generation.admit((record("a", "g.jsonl"),))
    good, bad = Judged(batch(0, "x"), bands("healthy", value=0.01)), Judged(batch(0, "y"), bands("warning", value=0.15))
    runs = (tier("x"), tier("y", drift=True, reasons=("opening entropy fell from 2.3 to 1.7 nats at batch 0",)))
    logs[0].news = [report([good, bad], runs)]
    generation.attend(101.0)
    assert firing(generation) == {
        ("repairs_high", "generation:a/y", "warning"),
        ("generation_drift", "generation:a/y", "critical"),
    }
    drift = next(a for a in generation.alerts.views if a.rule == "generation_drift" and a.active)
    assert "fell from 2.3" in drift.message


def test_bytes_that_wait_are_known():
    generation, _, kpis = board()
    generation.admit((record("a", "g.jsonl"), record("a", "k.json", "kpi")))
    assert not generation.more
    kpis[0].more = True
    assert generation.more

"""Records of other rooms: recognised by content, found with their folder, and never a run."""

import gzip
import json

import pytest

from mens_console.ingest.discover import Discovery
from mens_console.ingest.formats import recognise

ATTEMPT = {
    "ts": "2026-01-31T14:32:01.234Z", "run_id": "25K_1", "persona_id": "7", "stage": "B", "attempt": 1,
    "status": "success", "latency_ms": 1250, "repairs": [], "opening_move": "question",
}  # fmt: skip

DRIFTED = {
    "timestamp": "2026-01-31T14:32:01.234Z", "run": "25K_1", "persona": "7", "phase": "B", "try": 1,
    "outcome": "success", "duration_ms": 1250, "repair": [], "opening": "question", "scores": {},
}  # fmt: skip


def line(row):
    return json.dumps(row).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.jsonl", line(ATTEMPT), "attempts"),
        ("generation.log", b"not json\n" + line(ATTEMPT), "attempts"),
        ("torn.jsonl", line(ATTEMPT) + line(ATTEMPT)[:40], "attempts"),
        ("a.jsonl.gz", gzip.compress(line(ATTEMPT) * 50), "attempts"),
        ("cut.jsonl.gz", gzip.compress(line(ATTEMPT) * 50)[:-20], "attempts"),
        ("drifted.jsonl", line(DRIFTED), "attempts"),
        ("few.jsonl", line({"scores": {}, "state": "on", "uuid": "7", "time": 1, "run": "a"}), None),
        ("e.jsonl", line({"schema": "mens_generation_event_v1", "task_id": "t"}), "kpi"),
        ("k.json", b'{\n  "schema": "vox_runtime_generation_kpi_v1"\n}', "kpi"),
        ("s.json", b'{"schema":"vox_mens_scorecard_summary_v1"}', "kpi"),
        ("rows.jsonl", line({"condition_id": "a", "compile_pass_1": True}), "kpi"),
        ("train.jsonl", line({"step": 1, "loss": 2.0}), "jsonl"),
        ("mixed.jsonl", line({"step": 1, "loss": 2.0, "stage": "B", "attempt": 1}), "jsonl"),
        ("p.jsonl", line({"metadata": {"request_start_ns": 1}, "metrics": {}, "error": None}), "soak import"),
        ("history.csv", b"Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count\n", "soak import"),
        ("one.jsonl", line({"repairs": 3}), None),
        ("odd.gz", b"\x1f\x8bgarbage", None),
    ],
)
def test_recognised_by_content(name, head, kind):
    found = recognise(name, head)
    assert (found and found.name) == kind


def test_records_are_found_beside_runs_and_are_none(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_bytes(line({"step": 1, "loss": 2.0}))
    (tmp_path / "run" / "attempts.jsonl").write_bytes(line(ATTEMPT))
    (tmp_path / "gen" / "deep").mkdir(parents=True)
    (tmp_path / "gen" / "deep" / "generation.log").write_bytes(line(ATTEMPT))
    discovery = Discovery([tmp_path], recognise=recognise)
    runs = discovery.scan(budget_s=5.0)
    assert [run.id for run in runs] == ["run"]
    assert [file.path.name for file in runs[0].files] == ["metrics.jsonl"]
    assert [(r.id, r.path.name, r.kind) for r in discovery.records] == [
        ("gen/deep", "generation.log", "attempts"),
        ("run", "attempts.jsonl", "attempts"),
    ]
    (tmp_path / "gen" / "deep" / "generation.log").unlink()
    discovery.scan(budget_s=5.0)
    discovery.scan(budget_s=5.0)
    assert [r.id for r in discovery.records] == ["run"]


def test_a_single_file_given_as_root(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(line(ATTEMPT))
    discovery = Discovery([path], recognise=recognise)
    assert discovery.scan(budget_s=5.0) == ()
    assert [r.path for r in discovery.records] == [path]

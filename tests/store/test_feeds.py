"""Who feeds which reader: the producer's own name of a field, and the nearest one where nothing does."""

import gzip
import json

import pytest

from mens_console.config.loader import load_settings
from mens_console.health import glance as glance_module
from mens_console.health.aggregate import aggregate
from mens_console.store.engine import Engine
from mens_console.store.feeds import health_feeds, run_feeds, strange
from mens_console.store.report import run_document, status_document
from mens_contracts.status import Run, Status


def feeds(folder, rows, name="telemetry.jsonl"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    snapshot = Engine([folder], load_settings([folder], {}), watch=False).load()
    Run.model_validate(run_document(snapshot.runs[0]))
    return {feed.reader: feed for feed in run_feeds(snapshot.runs[0])}


def step(number, **more):
    return {"ts_ms": 1_700_000_000_000 + number, "event": "step", "payload": {"step": number, "loss": 2.0, **more}}


def test_a_field_is_told_by_the_name_its_producer_gave_it(tmp_path):
    found = feeds(tmp_path / "run", [step(i, lr=0.1, steps_per_sec_ema=2.0) for i in range(1, 9)])
    told = {name: (found[name].state, found[name].field, found[name].rows) for name in found}
    assert told["Run · loss"] == ("fed", "loss", 8)
    assert told["Run · learning rate"] == ("alias", "lr", 8)
    assert told["Run · steps/s"] == ("alias", "steps_per_sec_ema", 8)


def test_what_nothing_feeds_names_the_nearest_field_seen(tmp_path):
    found = feeds(tmp_path / "run", [step(i, steps_per_sec_ema=2.0, supervised_ratio=0.5) for i in range(1, 9)])
    tokens, ratio = found["Run · tokens/s"], found["Run · supervised ratio"]
    assert (tokens.state, tokens.field, tokens.nearest, tokens.rows) == ("underfed", "", "steps_per_sec_ema", 8)
    assert (ratio.state, ratio.nearest) == ("underfed", "supervised_ratio")
    assert found["Run · gradient norm"].nearest == ""


def test_the_same_holds_of_what_a_worker_process_read(tmp_path):
    from mens_console.ingest.frames import pack_chunk, read_frame, unpack_chunk
    from mens_console.ingest.records import Batch
    from mens_console.ingest.tail import Chunk

    data = memoryview(pack_chunk(Chunk(Batch(spelled={"loss": "train/loss"}), 0, 1)))
    at = 0

    def read(count):
        nonlocal at
        at += count
        return bytes(data[at - count : at])

    assert unpack_chunk(*read_frame(read)).batch.spelled == {"loss": "train/loss"}


def test_fields_of_attempts_are_fed_under_other_names_and_what_a_part_lacks_names_the_nearest(tmp_path):
    own = {"persona_id": "1", "status": "success", "latency_ms": 5, "opening_move": "a", "repairs": []}
    other = {"persona": "1", "outcome": "success", "duration_ms": 5, "openingmove": "a", "repair": [], "time": 1}
    log = tmp_path / "attempts.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in [own] * 2 + [other] * 5))
    report = aggregate([log])
    found = {feed.wants: (feed.state, feed.field, feed.rows, feed.nearest) for feed in health_feeds(report)}
    assert found["latency_ms"] == ("alias", "duration_ms", 7, "")
    assert found["status"] == ("alias", "outcome", 7, "")
    assert found["opening_move"] == ("fed", "opening_move", 2, "openingmove")
    assert found["anchors_used"] == ("underfed", "", 0, "")
    assert strange(report) == (
        {"persona": "persona_id", "outcome": "status", "duration_ms": "latency_ms", "repair": "repairs", "time": "ts"},
        {"openingmove": 5},
    )


def test_the_status_document_tells_what_feeds_attempt_logs_by_their_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(glance_module, "EACH", 2000)
    own = {"persona_id": "1", "status": "success", "latency_ms": 5, "opening_move": "a"}
    middle, other = {**own, "extra": 1}, {**own, "duration_ms": 5}
    other.pop("latency_ms")
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "attempts.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in [own] * 90 + [middle] * 300 + [other] * 90) + '{"torn')
    packed = tmp_path / "packed" / "attempts.jsonl.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(log.read_bytes()))
    snapshot = Engine([tmp_path], load_settings([tmp_path], {}), watch=False).load()
    document = status_document(snapshot)
    Status.model_validate(document)
    assert snapshot.unread == 2
    logs, _ = document["attempt_logs"]
    found = {feed["wants"]: (feed["state"], feed["field"], feed["nearest"]) for feed in logs["feeds"]}
    assert (logs["name"], logs["bytes"], logs["bytes_looked_at"]) == ("logs", log.stat().st_size, 4000)
    assert 30 < logs["attempts"] < 60
    assert found["latency_ms"] == ("fed", "latency_ms", "") or found["latency_ms"] == ("alias", "duration_ms", "")
    assert found["opening_move"] == ("fed", "opening_move", "")
    assert found["repairs"][0] == "underfed"


@pytest.mark.parametrize("size", [1, 700, 1999, 2000, 2001, 3999, 4000, 4001, 9000])
def test_no_row_is_looked_at_twice_and_none_is_cut(tmp_path, monkeypatch, size):
    monkeypatch.setattr(glance_module, "EACH", 2000)
    rows = "".join(json.dumps({"persona_id": str(n), "status": "success", "latency_ms": n}) + "\n" for n in range(200))
    log = tmp_path / "a.jsonl"
    log.write_text(rows[:size])
    report = glance_module.glance([log])
    (source,) = report.sources
    whole = rows[:size].count("\n")
    assert source.bad_rows == 0
    assert report.tier.attempts == report.tier.personas_at_most <= whole
    assert whole - report.tier.attempts in (0, 1) or size > 4000  # one may lie across the middle
    assert (source.size, source.done) == (size, min(size, 4000))


def test_a_log_that_is_gone_is_a_problem_of_its_own(tmp_path):
    report = glance_module.glance([tmp_path / "gone.jsonl"])
    assert report.sources[0].problem
    assert {feed.state for feed in health_feeds(report)} == {"underfed"}

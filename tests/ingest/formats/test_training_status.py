import json
import math

import pytest
from ingest.formats.support import Read

from mens_console.ingest.formats.training_status import TrainingStatusDecoder, claims

BASE = {
    "status": "training", "current_step": 3, "total_steps": 10, "loss": 2.0, "learning_rate": 1e-4,
    "timestamp": "2026-03-19T19:40:08Z", "streaming_ce": 2.2, "token_entropy": 1.5, "validation_loss": None,
    "lora_stats": {"layer.0": {"mean_grad_norm": 0.1}}, "active_alerts": [{"severity": "warning"}],
    "train_loss_history": [{"step": 1, "loss": 3.0, "lr": 1e-4}, {"step": 2, "loss": 2.5, "lr": 1e-4}],
}  # fmt: skip


def sample(*documents, at=5.0):
    decoder, got = TrainingStatusDecoder(), Read()
    for document in documents:
        data = json.dumps(document).encode()
        consumed, batch = decoder.feed(data, at)
        assert consumed == len(data)
        assert not batch.replace
        got.add(batch)
    return got


def test_the_sample_and_its_history():
    got = sample(BASE)
    assert got.series("loss") == [(1, 3.0), (2, 2.5), (3, 2.0)]
    assert got.series("streaming_ce_reported") == [(3, 2.2)]
    assert got.series("entropy") == [(3, 1.5)]
    assert got.series("eval_loss") == []
    assert got.walls["streaming_ce_reported", None] == [1773949208.0]
    assert got.fact("total_steps") == [10]
    assert got.latest["status"]["lora_stats"] == BASE["lora_stats"]
    assert not any("lora" in name for name, _ in got.points)


def test_samples_add_up_and_each_step_comes_once():
    history = [*BASE["train_loss_history"], {"step": 3, "loss": 2.0, "lr": 1e-4}, {"step": 4, "loss": 1.9, "lr": 1e-4}]
    later = {**BASE, "current_step": 4, "loss": 1.95, "validation_loss": 2.1, "train_loss_history": history}
    got = sample(BASE, BASE, later, later)
    assert got.series("loss") == [(1, 3.0), (2, 2.5), (3, 2.0), (3, 2.0), (4, 1.9)]
    assert got.series("eval_loss") == [(4, 2.1)]
    assert got.series("streaming_ce_reported") == [(3, 2.2), (4, 2.2)]


def test_a_value_that_arrives_late_at_the_same_step():
    got = sample(BASE, {**BASE, "validation_loss": 2.1})
    assert got.series("eval_loss") == [(3, 2.1)]
    assert got.series("entropy") == [(3, 1.5)]


def test_a_restart_is_seen_again():
    again = {**BASE, "current_step": 1, "loss": 3.1, "train_loss_history": [{"step": 0, "loss": 3.2, "lr": 0.0}]}
    assert sample(BASE, again).series("loss")[-2:] == [(0, 3.2), (1, 3.1)]


def test_null_loss_while_training_is_nan():
    got = sample({**BASE, "loss": None, "train_loss_history": []})
    assert got.series("loss") == [(3, "nan")]


def test_life():
    got = sample(
        {"status": "idle", "current_step": 0},
        BASE,
        {**BASE, "status": "crashed", "error_message": "CUDA out of memory", "error_type": "RuntimeError"},
        BASE,
        {**BASE, "status": "crashed", "error_message": "bad \x1b[2J"},
        {**BASE, "status": "completed"},
    )
    assert got.fact("phase") == ["idle", "training", "training"]
    assert got.fact("started") == ["status training"] * 2
    assert [(fact[1], fact[3]) for fact in got.facts if fact[0] == "error"] == [
        ("RuntimeError: CUDA out of memory", "oom"),
        ("bad ␛[2J", "traceback"),
    ]
    assert got.fact("finished") == ["status completed"]


def test_the_small_shape():
    got = sample({"step": 120, "max_steps": 300, "logs": {"eval_loss": math.nan, "epoch": 0.1}, "pid": 42, "ts": 1.7e9})
    assert got.series("eval_loss") == [(120, "nan")]
    assert got.walls["eval_loss", None] == [1.7e9]
    assert (got.fact("pid"), got.fact("total_steps")) == ([42], [300])
    assert "pid" not in {name for name, _ in got.points}


def test_torn_odd_and_hostile_documents():
    decoder = TrainingStatusDecoder()
    data = json.dumps(BASE).encode()
    assert decoder.feed(data[:50], 0.0)[0] == 0
    consumed, batch = decoder.feed(data[:50], 0.0, final=True)
    assert (consumed, batch.bad_rows) == (50, 1)
    assert decoder.feed(b"[]", 0.0)[1].rows == 0
    got = sample({"status": 7, "current_step": "x", "train_loss_history": [3, {"loss": 1}], "eta_seconds": 5})
    assert got.points == {}
    assert got.latest["eta_s"] == 5.0


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("training_status.json", BASE, True),
        ("status.json", {"step": 1, "max_steps": 2, "logs": {}}, True),
        ("training_status.json", {"status": "queued", "jobs": 3}, False),
        ("training_status.json", {"step": 3}, False),
        ("metrics.jsonl", BASE, False),
        ("x.json", [1], False),
    ],
)
def test_claims(name, document, expected):
    assert claims(name, json.dumps(document).encode()) is expected


def test_claims_of_a_head_that_is_cut():
    data = json.dumps({**BASE, "lora_stats": {f"layer{i}": i for i in range(9000)}}).encode()
    assert claims("training_status.json", data[: 1 << 16])
    assert not claims("x", (json.dumps(BASE) + "\n" + json.dumps(BASE) + "\n").encode())


@pytest.mark.parametrize("history", [7, {"a": 1}, "abc", [5, None, "x"], True])
def test_a_history_that_is_none_is_left_out(history):
    document = {"status": "training", "current_step": 5, "loss": 1.5, "train_loss_history": history, "pid": 10**30}
    got = sample(document)
    assert got.series("loss") == [(5, 1.5)]

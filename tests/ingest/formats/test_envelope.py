"""Events in envelopes: adapters, patterns, stages and the ends of a run."""

import json
import math

import pytest

from mens_console.ingest.formats.jsonl import JsonlDecoder, claims
from mens_console.ingest.formats.training_status import TrainingStatusDecoder
from mens_console.ingest.frames import pack_chunk, read_frame, unpack_chunk
from mens_console.ingest.tail import Chunk

PAIRS = {
    "id": "0a1b2c3d",
    "pairs": [
        {"name": "layers.0.q", "r": 8, "trainable_a": True, "trainable_b": True},
        {"name": "layers.1.q", "r": 8, "trainable_a": False, "trainable_b": False},
    ],
}


def line(event, payload, ts_ms=1_700_000_000_000):
    return json.dumps({"ts_ms": ts_ms, "event": event, "payload": payload}).encode() + b"\n"


def read(*lines, decoder=None):
    return (decoder or JsonlDecoder()).feed(b"".join(lines), 0.0)[1]


def facts(batch, kind):
    return [fact for fact in batch.facts if fact.kind == kind]


def test_a_look_at_adapters():
    look = {"step": 5, "pairs": "0a1b2c3d", "grad_a": [3.0, None], "grad_b": [4.0, None], "ratio": [1e-3, 0.0]}
    batch = read(line("lora_pairs", PAIRS), line("lora", {**look, "learning_rate": 1e-4}))
    table, row = batch.layers
    assert (table.names, table.frozen, table.r) == (("layers.0.q", "layers.1.q"), (False, True), (8, 8))
    assert (row.step, row.wall, row.learning_rate) == (5, 1_700_000_000.0, 1e-4)
    assert row.values["grad"][0] == 5.0
    assert math.isnan(row.values["grad"][1])
    assert row.values["ratio"].tolist() == [1e-3, 0.0]
    assert not batch.columns
    assert not batch.bad_rows


def test_a_gradient_that_is_not_finite_is_not_a_missing_one():
    look = {"step": 1, "pairs": "0a1b2c3d", "grad_a": ["NaN", None], "grad_b": ["Infinity", None]}
    row = read(line("lora_pairs", PAIRS), line("lora", look)).layers[1]
    assert row.values["grad"][0] == math.inf
    assert math.isnan(row.values["grad"][1])


@pytest.mark.parametrize(
    "payload",
    [
        {"step": 1, "pairs": "ffffffff", "grad_a": [1.0, 1.0]},
        {"step": 1, "pairs": "0a1b2c3d", "grad_a": [1.0]},
        {"step": 1, "pairs": "0a1b2c3d", "grad_a": [1.0, "much"]},
        {"step": 1, "pairs": "0a1b2c3d"},
        {"pairs": "0a1b2c3d", "grad_a": [1.0, 1.0]},
    ],
)
def test_a_look_that_fits_no_table_is_a_bad_line(payload):
    batch = read(line("lora_pairs", PAIRS), line("lora", payload), line("step", {"step": 2, "loss": 1.0}))
    assert batch.bad_rows == 1
    assert batch.bad[0].line == 2
    assert batch.columns[0].steps.tolist() == [2]


def test_a_table_told_again_is_told_once():
    assert len(read(line("lora_pairs", PAIRS), line("lora_pairs", PAIRS)).layers) == 1


def test_adapters_cross_the_pipe_and_the_decoder_is_handed_over():
    look = {"step": 5, "pairs": "0a1b2c3d", "grad_a": [3.0, None], "grad_b": [4.0, 1.0], "learning_rate": 0.1}
    decoder = JsonlDecoder()
    batch = read(line("lora_pairs", PAIRS), line("lora", look), decoder=decoder)
    frame = pack_chunk(Chunk(batch, 0, 10, restarted=False, rotated=False, provisional=False))
    at = 0

    def take(count):
        nonlocal at
        at += count
        return frame[at - count : at]

    there = unpack_chunk(*read_frame(take)).batch.layers
    assert there[0] == batch.layers[0]
    assert (there[1].step, there[1].wall, there[1].learning_rate) == (5, 1_700_000_000.0, 0.1)
    assert {n: c.tobytes() for n, c in there[1].values.items()} == {
        n: c.tobytes() for n, c in batch.layers[1].values.items()
    }
    heir = JsonlDecoder()
    heir.restore(json.loads(json.dumps(decoder.state())))
    assert read(line("lora", look), decoder=heir).layers[0].values["grad"][0] == 5.0


def test_patterns():
    heat = {"step": 9, "patterns": ["add"], "lengths": ["1-2", "3-4"], "correct": [[3, 1]], "n": [[4, 9]]}
    (fact,) = facts(read(line("pattern_heatmap", heat)), "patterns")
    assert fact.value == heat
    assert read(line("pattern_heatmap", {**heat, "n": [[4]]})).bad_rows == 1


def test_patterns_of_a_status_document_in_either_shape():
    document = {"status": "training", "current_step": 3, "loss": 1.0}
    heat = {"add": {"short": {"correct": 3, "total": 4}, "long": {"correct": 0, "total": 2}}}
    text = json.dumps({**document, "pattern_heatmap": heat}).encode()
    (fact,) = facts(TrainingStatusDecoder().feed(text, 0.0)[1], "patterns")
    assert (fact.value["patterns"], fact.value["lengths"]) == (["add"], ["short", "long"])
    assert (fact.value["correct"], fact.value["n"]) == ([[3, 0]], [[4, 2]])


def test_layers_of_a_status_document():
    decoder = TrainingStatusDecoder()
    document = {"status": "training", "current_step": 3, "loss": 1.0}
    stats = {"layers.0.q": {"grad_norm": 0.5, "update_magnitude": 1e-3}, "layers.1.q": {"grad_norm": 0.0}}
    table, row = decoder.feed(json.dumps({**document, "lora_stats": stats}).encode(), 7.0)[1].layers
    assert table.names == ("layers.0.q", "layers.1.q")
    assert row.values["grad"].tolist() == [0.5, 0.0]
    assert math.isnan(row.values["update"][1])
    again = decoder.feed(json.dumps({**document, "current_step": 4, "lora_stats": stats}).encode(), 8.0)[1].layers
    assert [part.step for part in again] == [4]


def test_a_fixed_evaluation_is_series_of_its_own():
    batch = read(line("fixed_eval", {"step": 10, "em": 0.5, "ece": 0.1, "n": 40}))
    assert set(batch.columns[0].names) == {"fixed_eval_em", "fixed_eval_ece", "fixed_eval_n"}
    assert batch.columns[0].steps.tolist() == [10]


@pytest.mark.parametrize(
    ("payload", "kind", "detail"),
    [
        ({"status": "completed"}, "finished", ""),
        ({"status": "crashed", "error": "torch.OutOfMemoryError: CUDA out of memory. Tried"}, "error", "oom"),
        ({"status": "crashed", "error": "ValueError: no"}, "error", "traceback"),
        ({"status": "interrupted"}, "error", "killed"),
    ],
)
def test_how_a_run_ended(payload, kind, detail):
    (fact,) = facts(read(line("train_end", payload)), kind)
    assert fact.detail == detail


def test_a_start_introduces_its_process():
    batch = read(line("train_start", {"pid": 77, "host": "box", "total_steps": 9, "model": "m"}))
    assert [facts(batch, kind)[0].value for kind in ("pid", "host", "total_steps")] == [77, "box", 9]


def test_stages_are_facts_and_their_file_is_claimed():
    start = line("stage_start", {"stage": "dataset", "pid": 3})
    assert claims("stages.jsonl", start)
    (fact,) = facts(read(start), "stage")
    assert fact.value == {"event": "stage_start", "ts": 1_700_000_000.0, "stage": "dataset", "pid": 3}


def test_what_is_told_elsewhere_makes_no_series():
    batch = read(
        line("alert", {"rule": "nan_loss", "step": 4}),
        line("checkpoint", {"step": 100, "path": "checkpoint-100", "bytes": 5}),
        line("dropped", {"rows": 3}),
    )
    assert not batch.columns
    assert facts(batch, "checkpoint")[0].step == 100
    assert "3 rows" in facts(batch, "config")[0].value["telemetry"]


def test_an_evaluation_that_stands_in_a_document_is_one_point():
    decoder = TrainingStatusDecoder()
    steps = []
    for step, found in ((10, 2.0), (11, 2.0), (12, 2.0), (20, 1.5), (21, 1.5)):
        document = {"status": "training", "current_step": step, "loss": 1.0, "eval_loss": found}
        batch = decoder.feed(json.dumps(document).encode(), float(step))[1]
        steps += [columns.steps[0] for columns in batch.columns if "eval_loss" in columns.names]
    assert steps == [10, 20]


def test_a_sample_behind_the_documents_own_history_goes_not_back():
    document = {
        "status": "training",
        "current_step": 53,
        "loss": 1.0,
        "learning_rate": 2e-4,
        "grad_norm": 0.5,
        "train_loss_history": [{"step": s, "loss": 1.0, "learning_rate": 1e-4} for s in (50, 55)],
    }
    batch = TrainingStatusDecoder().feed(json.dumps(document).encode(), 9.0)[1]
    steps = [s for columns in batch.columns if "learning_rate" in columns.names for s in columns.steps]
    assert steps == [50, 55]
    assert any("grad_norm" in columns.names and 53 in columns.steps for columns in batch.columns)


HOT = {"index": 0, "util_percent": 50, "throttle": ["hw_thermal"]}
SAMPLED = (
    line("train_start", {"pid": 1, "host": "box"}, 1_700_000_000_000),
    line("system", {"host": {"load1": 1.0}}, 1_700_000_001_000),
    line("step", {"step": 7, "loss": 2.0}, 1_700_000_002_000),
    line("system", {"host": {"load1": 2.0}}, 1_700_000_003_000),
    line("system", {"step": 9, "gpus": [HOT]}, 1_700_000_004_000),
)


def test_samples_of_the_machine_are_neither_rows_nor_metrics():
    batch = read(*SAMPLED)
    assert [(sample.step, sample.wall) for sample in batch.system] == [
        (0, 1_700_000_001.0), (7, 1_700_000_003.0), (9, 1_700_000_004.0),
    ]  # fmt: skip
    assert batch.system[2].values == {"system/gpu0/util": 50.0, "system/gpu0/throttled": 1.0}
    assert batch.system[2].slowed == {"gpu0": ("hw_thermal",)}
    assert (batch.rows, batch.bad_rows) == (1, 0)
    assert [columns.names for columns in batch.columns] == [("loss",)]
    assert batch.heard == 1_700_000_000.0  # the row of metrics tells its own time
    assert math.isnan(read(*SAMPLED[1:2]).heard)


def test_samples_do_not_depend_on_how_the_bytes_were_cut():
    data = b"".join(SAMPLED)
    whole = read(data)
    for cut in range(0, len(data), 7):
        decoder = JsonlDecoder()
        consumed, first = decoder.feed(data[:cut], 0.0)
        second = decoder.feed(data[consumed:], 0.0)[1]
        assert first.system + second.system == whole.system


def test_a_file_that_holds_nothing_but_samples_yet_is_known_for_what_it_is():
    assert claims("telemetry.jsonl", SAMPLED[1])
    assert not claims("events.jsonl", line("systemd", {"unit": "x"}))

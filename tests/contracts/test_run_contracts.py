"""The schemas under contracts/ against rows that the writers really wrote."""

import json
import math
from array import array
from pathlib import Path

import jsonschema
import pytest
from collectors.written import Clock, document, rows

from mens_console.collectors.session import Session
from mens_console.signals.pairs import LayerRow, PairTable
from mens_contracts.telemetry import PatternHeatmap, TelemetryRow

FOLDER = Path(__file__).parents[2] / "contracts" / "run"


def validator(name):
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, clock = tmp_path_factory.mktemp("run"), Clock()
    session = Session(folder, total_steps=120, total_epochs=2, config={"lr": 1e-4, "r": 8}, base_model="b", clock=clock)
    table = PairTable(("layers.0.q", "layers.0.v", "layers.1.q"), (False, False, True), (8, 8, 0))
    session.start(table)
    for step in range(1, 121):
        clock.now += 3.0
        layers = None
        if session.wants_layers(step):
            values = {
                name: array("d", [0.5, math.inf if step > 60 else 0.4, math.nan]) for name in ("grad_a", "grad_b")
            }
            values |= {name: array("d", [0.1, 0.0, math.nan]) for name in ("update", "ratio", "rank")}
            layers = LayerRow(step, clock.now, values)
        loss = math.nan if step == 100 else 3.0 - step / 100
        session.step(
            step, loss=loss, learning_rate=1e-4, grad_norm=500.0 / step, epoch=step / 60,
            tokens=100, token_entropy=2.0, accuracy=0.5, layers=layers, extra={"margin": 1.0},
        )  # fmt: skip
        session.pattern("sum", step % 40, step % 3 == 0)
        if step % 40 == 0:
            session.evaluation(step, {"loss": 1.0 / step, "accuracy": 0.5})
            session.fixed_eval(step, em=0.5, ce=math.nan, ece=0.4, n=100, ece_expected=0.05)
            session.checkpoint(step, folder / f"checkpoint-{step}")
    session.finish("crashed", "RuntimeError: boom")
    return folder


def test_every_row_of_telemetry_is_valid(run):
    found, check = rows(run / "telemetry.jsonl"), validator("mens-telemetry-1")
    for row in found:
        check.validate(row)
        TelemetryRow.model_validate(row)
    assert {row["event"] for row in found} == {
        "train_start", "step", "lora_pairs", "lora", "eval", "fixed_eval", "pattern_heatmap", "checkpoint", "alert",
        "train_end",
    }  # fmt: skip


def test_the_status_document_is_valid(run):
    found = document(run / "training_status.json")
    validator("mens-training-status-1").validate(found)
    assert found["lora_summary"]["dead_layers"] == 1
    assert found["lora_stats"]["layers.1.q"]["grad_a"] is None


def test_the_summary_is_valid(run):
    validator("mens-run-summary-1").validate(document(run / "run_summary.json"))


@pytest.mark.parametrize(
    "row",
    [
        {"ts_ms": 1, "event": "step", "payload": {}},
        {"ts_ms": 1, "event": "lora", "payload": {"step": 1, "pairs": "xyz"}},
        {"ts_ms": 1, "event": "lora", "payload": {"step": 1, "pairs": "0123abcd", "grad_a": ["high"]}},
        {"ts_ms": 1, "event": "train_end", "payload": {"status": "tired"}},
        {"event": "step", "payload": {"step": 1}},
        {"ts_ms": 1, "event": "dance", "payload": {}},
    ],
)
def test_what_the_schema_refuses(row):
    with pytest.raises(jsonschema.ValidationError):
        validator("mens-telemetry-1").validate(row)


def test_a_heatmap_whose_tables_do_not_fit():
    with pytest.raises(ValueError, match="1 patterns by 2 lengths"):
        PatternHeatmap(patterns=["a"], lengths=["x", "y"], correct=[[1]], n=[[1, 1]])

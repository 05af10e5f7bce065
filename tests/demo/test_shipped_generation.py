"""The shipped recordings of generation: a model that is cooled until all is alike, two models on one task set."""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from typing import Any

import pytest

from mens_console.config import Settings
from mens_console.demo.recording import Recording, shipped
from mens_console.demo.replay import Replay
from mens_contracts.attempt import GenerationAttempt
from mens_contracts.benchmark import BenchmarkSummary
from mens_contracts.event import GenerationEvent
from mens_contracts.runtime_kpi import RuntimeGenerationKpi
from mens_contracts.scorecard import ScorecardSummary

RECORDINGS = {path.stem: path for path in shipped()}
BATCH = 1000
MODELS = ("code-ngram-5", "code-ngram-6")


@functools.cache
def files(scenario: str) -> dict[str, bytes]:
    """The files of a recording as they were at its end."""
    held: dict[str, bytes] = {}
    for event in Recording.open(RECORDINGS[scenario]).events():
        held[event.path] = (held.get(event.path, b"") if event.kind == "append" else b"") + event.data
    return held


def rows(scenario: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files(scenario)[name].splitlines()]


def entropy(counts: Counter[str]) -> float:
    total = counts.total()
    return -sum(n / total * math.log(n / total) for n in counts.values())


def test_they_are_small_and_grow_while_the_demo_plays():
    box = [Recording.open(path).header for path in RECORDINGS.values()]
    began = min(header.started_at for header in box)
    for scenario in ("personas", "code-lane"):
        header = Recording.open(RECORDINGS[scenario]).header
        assert RECORDINGS[scenario].stat().st_size < 400_000
        assert 0 < header.started_at - began < 60, "on the clock of the other recordings"
        grown = [event.t for event in Recording.open(RECORDINGS[scenario]).events() if event.kind == "append"]
        assert len(grown) > 100
        assert max(grown) > 300


def test_every_attempt_keeps_to_the_contract():
    attempts = rows("personas", "generation.jsonl")
    assert len(attempts) >= 9000
    for row in attempts:
        GenerationAttempt.model_validate(row)
        assert (row["status"] == "success") == (not row["repairs"])
    keys = [(row["persona_id"], row["stage"], row["attempt"]) for row in attempts]
    assert len(set(keys)) == len(keys)
    assert any("成都" in anchor for row in attempts for anchor in row["anchors_used"])


def test_the_sketches_are_healthy_at_first_and_alike_at_last():
    attempts = rows("personas", "generation.jsonl")
    early, late = attempts[:BATCH], attempts[8 * BATCH : 9 * BATCH]

    def repaired(batch):
        return sum(bool(row["repairs"]) for row in batch) / BATCH

    def openings(batch):
        return entropy(Counter(row["opening_move"] for row in batch))

    def pollyanna(batch):
        return sum(row["validator_scores"]["pollyanna"] for row in batch) / BATCH

    def anchors(batch):
        return len({anchor for row in batch for anchor in row["anchors_used"]}) / BATCH

    assert repaired(early) < 0.1
    assert repaired(late) > 0.2
    assert openings(early) > 2.0 > openings(late)
    assert 0.5 < pollyanna(early) < 0.7 < pollyanna(late)
    assert anchors(early) > 0.8
    assert anchors(late) < anchors(early)
    assert {"opening_repetition", "pollyanna"} <= {name for row in late for name in row["repairs"]}


def test_two_models_answered_the_same_tasks():
    events = rows("code-lane", "generation-events.jsonl")
    for event in events:
        GenerationEvent.model_validate(event)
    asked = {model: Counter((e["task_id"], e["sample"]) for e in events if e["model"] == model) for model in MODELS}
    assert asked[MODELS[0]] == asked[MODELS[1]]
    assert set(asked[MODELS[0]].values()) == {1}
    assert len({task for task, _ in asked[MODELS[0]]}) == 30
    first = {model: [e["attempts"][0]["compile_pass"] for e in events if e["model"] == model] for model in MODELS}
    assert sum(first[MODELS[0]]) < sum(first[MODELS[1]])
    assert {e["tokenizer"] for e in events} == {"model"}
    assert any(e["repair_stalled"] for e in events)
    assert any(row["strictness"] for e in events for row in e["attempts"])
    classes = Counter(name for e in events for row in e["attempts"] for name in row["diagnostics"] or ())
    assert classes.keys() >= {"syntax_punctuation", "invalid_import", "type_mismatch"}
    assert 0 < sum(bool(e["task_success"]) for e in events) < sum(bool(e["compile_pass"]) for e in events)


def test_what_is_derived_agrees_with_the_events():
    events = rows("code-lane", "generation-events.jsonl")
    records = rows("code-lane", "runtime-generation-kpi.jsonl")
    assert len(records) == len(events)
    for event, record in zip(events, records, strict=True):
        RuntimeGenerationKpi.model_validate(record)
        assert record["attempts"] == len(event["attempts"])
        assert record["success"] == event["success"]
    card = ScorecardSummary.model_validate(json.loads(files("code-lane")["summary.json"]))
    assert card.kpi_contract_alignment is not None
    assert [condition.id for condition in card.conditions] == list(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_a_benchmark_summary_says_what_its_items_say(model):
    summary = BenchmarkSummary.model_validate(json.loads(files("code-lane")[f"benchmark-{model}.json"]))
    own = [event for event in rows("code-lane", "generation-events.jsonl") if event["model"] == model]
    assert summary.model.id == model
    assert summary.compile.pass_at_1.n == len(own) == 90
    assert summary.compile.pass_at_1.passed == sum(event["attempts"][0]["compile_pass"] for event in own)
    assert summary.compile.pass_at_n.passed == sum(event["compile_pass"] for event in own)
    assert summary.speed.tokens_per_sec is not None
    assert summary.speed.tokens_per_sec.value > 100


def test_the_replay_tells_of_the_drift_and_of_both_models():
    both = [Recording.open(RECORDINGS[name]) for name in ("personas", "code-lane")]
    replay = Replay(both, Settings(), speed=math.inf)
    fired: set[str] = set()
    replay.engine.subscribe(
        lambda snapshot: fired.update(alert.rule for alert in snapshot.box_alerts if str(alert.state) == "firing")
    )
    try:
        begun = replay.run_to(100.0)
        batches = [len(view.report.batches) for view in begun.health]
        snapshot = replay.run()
    finally:
        replay.stop()
    (view,) = snapshot.health
    assert batches[0] < len(view.report.batches) == 1 + len(rows("personas", "generation.jsonl")) // BATCH
    assert view.report.bad_rows == 0
    assert view.report.tier.drift is True
    assert "generation_drift" in fired
    assert snapshot.kpi is not None
    assert {model.model for model in snapshot.kpi.models} >= set(MODELS)

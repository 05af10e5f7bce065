"""The table of contracts, and the schemas that are committed for producers in other languages."""

import json
from pathlib import Path

import jsonschema
import pytest
from contracts.samples import ATTEMPT, KPI, SCORECARD_ROW

from mens_contracts.aliases import BY_CONTRACT, factor, spellings
from mens_contracts.diagnostics import CATEGORIES, category_of
from mens_contracts.registry import CONTRACTS, by_fields
from mens_contracts.scorecard import EVENT_SCHEMA_ID
from mens_contracts.taxonomy import document

FOLDER = Path(__file__).parents[2] / "contracts"


def fits(contract, document):
    schema = json.loads((FOLDER / CONTRACTS[contract].schema_file).read_text())
    return jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda one: one.id)
def test_the_committed_schema_is_the_model(contract):
    committed = json.loads((FOLDER / contract.schema_file).read_text())
    assert committed == contract.schema()
    jsonschema.Draft202012Validator.check_schema(committed)


def test_no_schema_is_of_no_contract():
    typed_by_hand = {"run/mens-config-1.schema.json", "gate/mens-gate-profile-1.schema.json"}
    known = {one.schema_file for one in CONTRACTS.values()} | typed_by_hand
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.schema.json")} == known


@pytest.mark.parametrize("contract", [one for one in CONTRACTS.values() if one.tagged], ids=lambda one: one.id)
def test_the_id_is_in_the_schema_and_carries_a_major_version(contract):
    assert contract.id in json.dumps(contract.schema()["properties"]["schema"])
    assert contract.id.endswith(("/1", "_v1"))


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda one: one.id)
def test_only_the_contract_that_is_somebody_elses_is_closed(contract):
    parts = [contract.schema(), *contract.schema().get("$defs", {}).values()]
    closed = [part for part in parts if part.get("additionalProperties") is False]
    assert bool(closed) == (contract.id == "vox_runtime_generation_kpi_v1")


# What the schema upstream says of each field: type, least value, whether null is allowed, whether it must be there.
UPSTREAM = {
    "success": ("boolean", None, False, True),
    "validate_requested": ("boolean", None, False, True),
    "compile_pass": ("boolean", None, True, True),
    "canonical_pass": ("boolean", None, True, True),
    "attempts": ("integer", 1, False, True),
    "repair_stalled": ("boolean", None, False, True),
    "time_to_first_valid_ms": ("integer", 0, True, True),
    "output_tokens": ("integer", 0, False, True),
    "surface_contract_failures": ("integer", 0, False, True),
    "strictness_failures": ("integer", 0, True, False),
    "canonicalization_failures": ("integer", 0, True, False),
    "failure_category": ("string", None, True, False),
}


@pytest.mark.parametrize("field", UPSTREAM)
def test_the_runtime_kpi_takes_what_upstream_takes(field):
    kind, least, nullable, required = UPSTREAM[field]
    right = {"boolean": False, "integer": least, "string": "type mismatch"}[kind]
    wrong = {"boolean": 1, "integer": 1.5, "string": 7}[kind]
    name = "vox_runtime_generation_kpi_v1"
    assert fits(name, KPI | {field: right})
    assert not fits(name, KPI | {field: wrong})
    assert fits(name, KPI | {field: None}) is nullable
    assert fits(name, {key: value for key, value in KPI.items() if key != field}) is not required
    if least is not None:
        assert not fits(name, KPI | {field: least - 1})


def test_the_runtime_kpi_is_closed_and_knows_two_surfaces():
    name = "vox_runtime_generation_kpi_v1"
    assert fits(name, KPI)
    assert fits(name, KPI | {"surface": "vox-cli"})
    for change in (
        {"surface": "web"},
        {"task_id": "t"},
        {"schema": "v2"},
        {"schema_version": 2},
        {"schema_version": "1"},
    ):
        assert not fits(name, KPI | change)
    schema = json.loads((FOLDER / CONTRACTS[name].schema_file).read_text())
    assert set(schema["properties"]) == {*UPSTREAM, "schema", "schema_version", "surface"}


def test_a_scorecard_summary_pins_the_contracts_that_belong_to_it():
    name = "vox_mens_scorecard_summary_v1"
    summary = {
        "schema": name, "schema_version": 1, "prompt_pack_version": "p", "git_sha": "a", "run_started_utc": "2026",
        "spec_path": "s", "conditions": [],
    }  # fmt: skip
    pins = {
        "runtime_generation_kpi_schema": "vox_runtime_generation_kpi_v1",
        "mens_scorecard_event_schema_id": EVENT_SCHEMA_ID,
    }
    assert fits(name, summary)
    assert fits(name, summary | {"kpi_contract_alignment": pins})
    for key in pins:
        assert not fits(name, summary | {"kpi_contract_alignment": pins | {key: "another"}})
    assert CONTRACTS["mens_scorecard_event_v1"].schema()["$id"] == EVENT_SCHEMA_ID


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"persona_id": 12}, True),
        ({"stage": "a stage nobody heard of"}, True),
        ({"further": {"kept": 1}}, True),
        ({"opening_move": None}, True),
        ({"validator_scores": {}}, True),
        ({"status": "ok"}, False),
        ({"latency_ms": "1250"}, False),
        ({"latency_ms": -1}, False),
        ({"attempt": 0}, False),
        ({"validator_scores": {"pollyanna": 1.2}}, False),
        ({"repairs": "trait_leak"}, False),
        ({"ts": "yesterday"}, False),
    ],
)
def test_what_is_an_attempt(change, right):
    assert fits("mens_generation_attempt_v1", ATTEMPT | change) is right


def test_rows_without_an_id_are_known_by_their_fields():
    assert by_fields(ATTEMPT).id == "mens_generation_attempt_v1"
    assert by_fields(SCORECARD_ROW).id == "mens_scorecard_event_v1"
    drifted = {
        "timestamp": 1, "run": 1, "persona": 1, "stage": 1, "attempt": 1, "status": 1, "duration_ms": 1,
        "input_tokens": 1, "output_tokens": 1, "repairs": 1, "scores": 1,
    }  # fmt: skip
    assert by_fields(drifted).id == "mens_generation_attempt_v1"
    assert by_fields({"ts_ms": 1, "event": "x", "payload": {}}, ["step"]).id == "mens-telemetry/1"
    assert by_fields({"ts_ms": 1, "event": "x", "payload": {}}, ["stage_end"]).id == "mens-stage/1"
    assert by_fields({"step", "loss", "lr"}) is None


@pytest.mark.parametrize("contract", BY_CONTRACT)
def test_no_alias_is_a_field_of_its_contract_or_means_two(contract):
    schema = CONTRACTS[contract].schema()
    own = set(schema.get("properties", ()))
    names = [name for one in BY_CONTRACT[contract] for name in (*one.names, *(n for n, _ in one.factored))]
    assert len(names) == len(set(names))
    # one object's field may be another's alias: an event's attempts have durations of their own
    assert not own & {name for name, field in spellings(contract).items() if field in own} - {"duration_ms"}


def test_an_alias_in_another_unit_has_a_factor():
    assert spellings("mens_generation_attempt_v1")["latency_s"] == "latency_ms"
    assert factor("mens_generation_attempt_v1", "latency_s") == 1000.0
    assert factor("mens_generation_attempt_v1", "duration_ms") == 1.0


def test_the_taxonomy():
    name = "mens_diagnostic_taxonomy_v1"
    assert json.loads((FOLDER / "eval/diagnostic-taxonomy.json").read_text()) == document()
    assert fits(name, document())
    names = [name for one in CATEGORIES for name in (one.id, *one.aliases)]
    assert len(names) == len(set(names))
    for one in CATEGORIES:
        assert {category_of(text) for text in (one.id, one.title, *one.aliases)} == {one.id}


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Type Error", "type_mismatch"),
        ("SYNTAX", "syntax_punctuation"),
        ("import errors", "invalid_import"),
        ("borrow checker", "borrow_checker"),
        ("", "other"),
        ("???", "other"),
        ("x" * 200, "other"),
    ],
)
def test_names_of_diagnostics(name, category):
    assert category_of(name) == category

"""Rows of contracts as tables of data stores."""

import pytest

from mens_contracts.registry import CONTRACTS
from mens_contracts.targets import bigquery, elasticsearch


def table(contract):
    return {column["name"]: column for column in bigquery(CONTRACTS[contract].schema())}


def index(contract):
    return elasticsearch(CONTRACTS[contract].schema())["mappings"]


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("ts", "TIMESTAMP", "NULLABLE"),
        ("persona_id", "STRING", "NULLABLE"),
        ("latency_ms", "INTEGER", "NULLABLE"),
        ("repairs", "STRING", "REPEATED"),
        ("anchors_used", "STRING", "REPEATED"),
        ("validator_scores", "JSON", "NULLABLE"),
        ("error", "STRING", "NULLABLE"),
    ],
)
def test_attempts_in_bigquery(name, kind, mode):
    column = table("mens_generation_attempt_v1")[name]
    assert (column["type"], column["mode"]) == (kind, mode)


def test_every_field_of_an_attempt_is_a_column_of_both():
    fields = set(CONTRACTS["mens_generation_attempt_v1"].schema()["properties"])
    assert set(table("mens_generation_attempt_v1")) == set(index("mens_generation_attempt_v1")["properties"]) == fields


def test_nested_records():
    attempts = table("mens_generation_event_v1")["attempts"]
    inner = {column["name"]: (column["type"], column["mode"]) for column in attempts["fields"]}
    assert (attempts["type"], attempts["mode"]) == ("RECORD", "REPEATED")
    assert inner["duration_ms"] == ("FLOAT", "NULLABLE") and inner["diagnostics"] == ("JSON", "NULLABLE")
    assert inner["strictness"] == ("STRING", "REPEATED") and inner["compile_pass"] == ("BOOLEAN", "NULLABLE")
    nested = index("mens_generation_event_v1")["properties"]["attempts"]
    assert nested["type"] == "nested" and nested["properties"]["compile_pass"] == {"type": "boolean"}


def test_scores_of_any_name_are_doubles_in_elasticsearch():
    mapping = index("mens_generation_attempt_v1")
    (template,) = mapping["dynamic_templates"]
    (rule,) = template.values()
    assert rule["path_match"] == "validator_scores.*" and rule["mapping"]["type"] == "double"
    assert mapping["properties"]["validator_scores"] == {"type": "object", "dynamic": True}
    assert mapping["dynamic"] is False, "an unknown field is kept and makes no column"


def test_kinds_in_elasticsearch():
    kinds = {name: one["type"] for name, one in index("mens_generation_attempt_v1")["properties"].items()}
    assert (kinds["ts"], kinds["persona_id"], kinds["repairs"], kinds["latency_ms"]) == (
        "date", "keyword", "keyword", "long",
    )  # fmt: skip


def test_names_are_what_both_stores_allow():
    for contract in CONTRACTS.values():
        for column in bigquery(contract.schema()):
            assert column["name"].isidentifier() and column["type"] in {
                "STRING", "INTEGER", "FLOAT", "BOOLEAN", "TIMESTAMP", "JSON", "RECORD",
            }  # fmt: skip

"""What looks at values, against an independent validator of the same schemas."""

import json
import math

import jsonschema
import pytest
from contracts.samples import ATTEMPT, EVENT, KPI, SCORECARD_ROW
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_contracts.registry import CONTRACTS
from mens_contracts.shapes import Compiled, UnsupportedSchemaError
from mens_contracts.tally import MOST_UNKNOWN, Tally

ROWS = {
    "mens_generation_attempt_v1": ATTEMPT,
    "mens_generation_event_v1": EVENT,
    "vox_runtime_generation_kpi_v1": KPI,
    "mens_scorecard_event_v1": SCORECARD_ROW,
}
STEP = {"ts_ms": 1, "event": "step", "payload": {"step": 1, "loss": 2.0}}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.floats(-1, 2), st.sampled_from(["", "mcp", "success", "1", "x"]),
    st.lists(st.integers(0, 1), max_size=2), st.dictionaries(st.sampled_from(["a", "stage"]), st.floats(-1, 2)),
)  # fmt: skip


def tally_of(contract, *rows):
    tally = Tally()
    lines = iter(range(1, len(rows) + 1))
    at = [0]
    looker = Compiled(CONTRACTS[contract].schema(), contract, tally, lambda holder, key: at[0])
    for row in rows:
        at[0] = next(lines)
        looker.look(row)
    looker.finish()
    return tally


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_contract_can_be_looked_for(contract):
    assert tally_of(contract, {}).objects == 1


@pytest.mark.parametrize("contract", ROWS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_fits_is_what_the_validator_takes(contract, data):
    row = json.loads(json.dumps(ROWS[contract]))
    fields = sorted(CONTRACTS[contract].schema()["properties"])
    for name in data.draw(st.lists(st.sampled_from(fields), max_size=2, unique=True)):
        row[name] = data.draw(VALUES)
    for name in data.draw(st.lists(st.sampled_from(fields), max_size=2, unique=True)):
        row.pop(name, None)
    if data.draw(st.booleans()):
        row["zzzz"] = 1
    right = jsonschema.Draft202012Validator(CONTRACTS[contract].schema()).is_valid(row)
    tally = tally_of(contract, row)
    drifted = [one for one in tally.unknown.values() if one.instead and not one.refused]
    aliased = [one for one in tally.fields.values() if one.aliased]
    assert (tally.faults == 0) is (right and not drifted and not aliased)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["ts_ms", "event", "payload", "x"]), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["step", "loss", "epoch", "x"]), VALUES, max_size=2),
)
def test_events_are_told_apart_as_the_validator_does(row, payload):
    row = {**STEP, **row}
    if isinstance(row["payload"], dict):
        row["payload"] = {**STEP["payload"], **payload}
    right = jsonschema.Draft202012Validator(CONTRACTS["mens-telemetry/1"].schema()).is_valid(row)
    tally = tally_of("mens-telemetry/1", row)
    hints = [one for one in tally.unknown.values() if one.instead]
    assert (tally.faults == 0) is right or hints


def test_counts_and_first_lines():
    late = {**ATTEMPT}
    del late["run_id"]
    rows = [ATTEMPT, late, {**ATTEMPT, "latency_ms": "12"}, late, late, late, {**ATTEMPT, "latency_ms": math.nan}]
    tally = tally_of("mens_generation_attempt_v1", *rows)
    run, latency = tally.fields["run_id"], tally.fields["latency_ms"]
    assert (run.missing.count, run.missing.lines, run.present) == (4, [2, 4, 5], 3)
    found = {got: (spot.count, spot.lines, spot.sample) for got, spot in latency.wrong.items()}
    assert found == {"number as text": (1, [3], '"12"'), "NaN or infinity": (1, [7], "nan")}
    assert tally.faults == 6


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("1250", "number as text"),
        ("fast", "text"),
        (12.5, "number that is not whole"),
        (-1, "out of range"),
        (None, "null"),
        (True, "true or false"),
        ([1], "list"),
        ({}, "object"),
        (math.inf, "NaN or infinity"),
    ],
)
def test_what_a_wrong_value_is_called(value, got):
    tally = tally_of("mens_generation_attempt_v1", {**ATTEMPT, "latency_ms": value})
    assert list(tally.fields["latency_ms"].wrong) == [got]


def test_another_name_of_a_field_is_told_as_that():
    row = {**ATTEMPT, "input_tokens": 7, "duration_ms": "x"}
    del row["prompt_tokens"], row["latency_ms"]
    tally = tally_of("mens_generation_attempt_v1", row)
    prompt, latency = tally.fields["prompt_tokens"], tally.fields["latency_ms"]
    assert list(prompt.aliased) == ["input_tokens"] and prompt.missing.count == 0 and not tally.unknown
    assert list(latency.aliased) == ["duration_ms"] and list(latency.wrong) == ["text"]
    both = tally_of("mens_generation_attempt_v1", {**ATTEMPT, "input_tokens": 7})
    assert not both.fields["prompt_tokens"].aliased and list(both.unknown) == ["input_tokens"] and not both.faults


def test_a_name_much_like_one_that_is_missing_has_drifted():
    row = {**ATTEMPT, "openingmoves": "x", "colour": 1}
    del row["opening_move"]
    tally = tally_of("mens_generation_attempt_v1", row)
    drifted, plain = tally.unknown["openingmoves"], tally.unknown["colour"]
    assert (drifted.nearest, drifted.instead, plain.instead) == ("opening_move", True, False)
    assert tally.faults == 1
    kept = tally_of("mens_generation_attempt_v1", {**ATTEMPT, "openingmoves": "x"})
    assert kept.unknown["openingmoves"].nearest == "opening_move" and not kept.faults


def test_a_closed_contract_refuses_what_it_does_not_know():
    tally = tally_of("vox_runtime_generation_kpi_v1", {**KPI, "lane": "code"})
    assert tally.unknown["lane"].refused and tally.faults == 1


def test_what_lies_inside_lists_and_maps():
    row = json.loads(json.dumps(EVENT))
    row["attempts"][0]["duration_ms"] = -1
    row["attempts"][0]["diagnostics"] = {"type_mismatch": "three"}
    del row["attempts"][1]["start_ms"]
    tally = tally_of("mens_generation_event_v1", row)
    assert tally.fields["attempts[].duration_ms"].wrong["out of range"].count == 1
    assert tally.fields["attempts[].diagnostics.*"].wrong["text"].count == 1
    assert tally.fields["attempts[].start_ms"].missing.count == 1 and tally.fields["attempts[].start_ms"].objects == 2


def test_names_without_end_are_counted_together():
    rows = [{**ATTEMPT, f"field-{number:05}": 1} for number in range(MOST_UNKNOWN + 50)]
    tally = tally_of("mens_generation_attempt_v1", *rows)
    assert len(tally.unknown) == MOST_UNKNOWN and tally.unlisted == 50
    assert tally.fields["run_id"].objects == len(rows)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(8)))
def test_the_order_of_rows_changes_no_count(order):
    rows = [{key: value for i, (key, value) in enumerate(ATTEMPT.items()) if i % 8 != skipped} for skipped in range(8)]
    one = tally_of("mens_generation_attempt_v1", *rows)
    other = tally_of("mens_generation_attempt_v1", *(rows[i] for i in order))
    counts = [{path: (f.objects, f.missing.count) for path, f in tally.fields.items()} for tally in (one, other)]
    assert counts[0] == counts[1]


def test_a_schema_that_says_more_is_refused_when_it_is_read():
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "date"}}}
    with pytest.raises(UnsupportedSchemaError, match="format"):
        Compiled(schema, "x", Tally(), lambda holder, key: 0)

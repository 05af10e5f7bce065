"""What a row type promises to have in every row is there, and counts do not depend on what it promises."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from mens_console.health.attempt import ABSENT, PLACES, Layout
from mens_console.health.fold import counts, fold
from mens_console.health.rows import RowReader

FULL = {
    "ts": "2026-01-31T14:32:01Z", "run_id": "r", "persona_id": "p", "stage": "B", "attempt": 1, "status": "success",
    "latency_ms": 12.5, "prompt_tokens": 4, "completion_tokens": 3, "repairs": ["a"], "opening_move": "hook",
    "validator_scores": {"x": 0.5, "y": 1}, "constraint_categories": [], "anchors_used": ["ș"], "error": None,
}  # fmt: skip


def without(gone, nulls, scores, run):
    row = {**FULL, "run_id": run, "validator_scores": scores}
    row |= dict.fromkeys(nulls)
    return {name: value for name, value in row.items() if name not in gone}


names = st.sets(st.sampled_from(sorted(set(FULL) - {"status"})), max_size=2)
rows = st.builds(
    without,
    names,
    names,
    st.none() | st.dictionaries(st.sampled_from(["x", "y", "z"]), st.none() | st.floats(0, 1), max_size=3),
    st.sampled_from(["r", "r", "r", "s", 7]),
)
logs = st.lists(st.lists(st.just(FULL) | rows, min_size=1, max_size=4), min_size=1, max_size=5)


def text(some):
    return b"".join(json.dumps(row).encode() + b"\n" for row in some)


def counted(blocks):
    """Return what each block's attempts come to, group by group, as text; validators come in any order."""
    found = []
    for block in blocks:
        for group, partial in sorted(fold(block, "f", {}, batch_size=100), key=lambda one: one.group):
            partial.scores = dict(sorted(partial.scores.items()))
            found.append(repr((group, structs.asdict(partial))))
    return found


@given(logs)
def test_what_a_type_promises_is_there_and_counts_are_those_of_rows_that_promise_nothing(log):
    reader = RowReader()
    blocks = [reader.decode(text(some), 0) for some in log]
    for block in blocks:
        for name in block.layout.full_fields:
            column = [structs.astuple(row)[PLACES[name]] for row in block.rows]
            assert all(value is not ABSENT and value is not UNSET for value in column)
            assert name == "error" or None not in column
        for row in block.rows:
            scores = row.f10
            if scores is not None:
                told = zip(block.layout.validators, structs.astuple(scores), strict=True)
                assert not [name for name, score in told if score is None and name in block.layout.full_scores]
        if block.layout.run is not None:
            assert set(counts(block.rows)) <= {block.layout.run}
    unsure = [RowReader(Layout()).decode(text(some), 0) for some in log]
    for block in unsure:  # nobody may rely on anything
        block.layout.full_fields = block.layout.full_scores = frozenset()
        block.layout.run = None
    assert counted(blocks) == counted(unsure)


def test_a_log_that_lacks_nothing_is_looked_at_for_nothing_and_a_gap_is_remembered():
    reader = RowReader()
    reader.decode(text([FULL, FULL]), 0)
    assert reader.layout.full_fields == frozenset(FULL)
    assert (reader.layout.full_scores, reader.layout.run, reader.layout.telling) == ({"x", "y"}, "r", True)
    lacking = {**FULL, "latency_ms": None, "validator_scores": {"y": 1}}
    block = reader.decode(text([FULL, lacking]), 0)
    assert len(block.rows) == 2
    assert frozenset(FULL) - reader.layout.full_fields == {"latency_ms"}
    assert reader.layout.full_scores == {"y"}
    before = reader.layout
    reader.decode(text([lacking, FULL]), 0)
    assert reader.layout is before

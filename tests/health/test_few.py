import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.attempt_logs import SCENARIOS, write_attempts

from mens_console.health.attempt import FIELDS, PLACES
from mens_console.health.few import FewReader
from mens_console.health.rows import RowReader

NAMES = [name for name in FIELDS if name not in ("validator_scores", "constraint_categories", "error")]


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True), st.sampled_from(SCENARIOS), st.data())
def test_a_few_fields_are_those_of_whole_rows(tmp_path_factory, names, scenario, data):
    path = tmp_path_factory.mktemp("few") / "a.jsonl"
    write_attempts(path, rows=60, seed=data.draw(st.integers(0, 50)), scenario=scenario, torn=False)
    reader, whole = FewReader(names), RowReader()
    text = path.read_bytes()
    half = text.index(b"\n", len(text) // 2) + 1
    for part in (text[:half], text[half:], text[:half]):
        rows = whole.decode(part, 1).rows
        assert reader.read(part) == [tuple(getattr(row, f"f{PLACES[name]}") for name in names) for row in rows]
    assert reader.read(b"") == []


def test_a_field_under_another_name_is_read_as_in_whole_rows():
    text = b'{"run":"r","status":"success"}\n{"run_id":"s","status":"fail"}\n{"status":"fail"}\n'
    assert FewReader(["run_id"]).read(text) == [("r",), ("s",), (None,)]
    assert FewReader(["run_id"]).read(b'{"status":"fail"}\n') == [(None,)]


@pytest.mark.parametrize("name", ["validator_scores", "model", ""])
def test_what_is_no_field_by_itself_is_refused(name):
    with pytest.raises(ValueError, match="no field that can be read by itself"):
        FewReader(["status", name])

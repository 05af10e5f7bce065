"""Spans of logs give what reading the logs gives, wherever they are cut."""

import gzip
import json

import pytest
from health.spanned import differences, on_spans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.attempt_logs import SCENARIOS, write_attempts

from mens_console.health.aggregate import aggregate
from mens_console.health.spans import ChangedError, cut, survey
from mens_console.health.tally import Options


def locally(paths, options):
    return aggregate(paths, batch_size=options.batch_size, usd_per_1000=options.usd_per_1000, by=options.by)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("length", [50_000, 333_333, 10_000_000])
def test_any_cut_gives_the_same(tmp_path, scenario, length):
    path = tmp_path / "a.jsonl"
    write_attempts(path, rows=3000, seed=5, scenario=scenario)
    options = Options(200)
    assert differences(locally([path], options), on_spans([path], options, length)) == {}


@pytest.mark.parametrize("by", ["persona", "run", "tier"])
def test_other_groups_are_the_same_too(tmp_path, by):
    path = tmp_path / "a.jsonl"
    write_attempts(path, rows=2000, seed=2, scenario="interleaved")
    options = Options(by=by)
    assert differences(locally([path], options), on_spans([path], options, 100_000)) == {}


def row(run, persona, **more):
    return json.dumps({"run_id": run, "persona_id": persona, "status": "success", **more})


def test_runs_that_go_on_in_the_next_log(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text("".join(row("r", f"p{i}", latency_ms=i) + "\n" for i in range(25)))
    packed.write_bytes(gzip.compress("".join(row("r", f"q{i}", latency_ms=i) + "\n" for i in range(25)).encode()))
    options = Options(10)
    report = on_spans([plain, packed], options, 400)
    assert [one.batch.n for one in report.batches] == [10] * 5
    assert differences(locally([plain, packed], options), report) == {}


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", "[]\n", '{"status": "success"}', '{"status": "success"'])
def test_little_or_nothing(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    assert differences(locally([path], Options()), on_spans([path], Options(), 1)) == {}


LINES = st.sampled_from(
    [
        row("a", 1, latency_ms=5, ts="2026-01-31T14:32:01Z", repairs=[], anchors_used=["gară"]),
        row("a", 2, latency_ms=5.5, ts="2026-01-31T14:31:01Z", repairs=["format"], validator_scores={"x": 0.1}),
        row("b", "ș", latency_ms=1e300, validator_scores={"x": 0.2, "y": 0.3}, opening_move="letter"),
        row("", None, stage="B", attempt=2),
        '{"persona_id": 3}',
        "not JSON",
        "",
        '{"status": NaN, "latency_ms": "12"}',
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=40), length=st.integers(1, 400), batch=st.integers(1, 7), torn=st.booleans())
def test_any_lines_in_any_spans(tmp_path, lines, length, batch, torn):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n" * (not torn and bool(lines)))
    options = Options(batch)
    assert differences(locally([path], options), on_spans([path], options, length)) == {}


def test_bad_lines_are_numbered_from_the_logs_first(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f"{row('a', i)}\nbad {i}\n" for i in range(30)))
    report = on_spans([path], Options(), 200)
    lines = path.read_text().split("\n")
    assert report.bad_rows == 30
    assert [lines[one.line - 1] for one in report.bad] == [f"bad {i}" for i in range(30)]
    assert [path.read_bytes()[one.offset :].split(b"\n")[0].decode() for one in report.bad] == [
        f"bad {i}" for i in range(30)
    ]


def test_a_log_that_changes_between_the_passes_is_noticed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(row("a", i) + "\n" for i in range(50)))
    with pytest.raises(ChangedError, match="changed while it was read"):
        on_spans([path], Options(10), 500, between=lambda: path.write_text(path.read_text().replace('"a"', '"b"')))
    path.write_text("".join(row("a", i) + "\n" for i in range(50)))
    with pytest.raises(ChangedError, match="changed while it was read"):
        on_spans([path], Options(10), 500, between=lambda: path.write_text(path.read_text().replace(row("a", 7), "x")))


def test_what_is_appended_while_it_is_read_is_left_for_the_next_time(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(row("a", i) + "\n" for i in range(50)))
    wanted = locally([path], Options(10))

    def append():
        with path.open("a") as file:
            file.write(row("a", 51) + "\n")

    assert differences(wanted, on_spans([path], Options(10), 500, between=append)) == {}


def test_a_span_that_cannot_be_read_says_so(tmp_path):
    (span,) = cut([(0, str(tmp_path / "missing.jsonl"), 10)], 100)
    found = survey(span)
    assert "missing.jsonl: a worker of Spark cannot open" in found.problem
    assert found.counts == {} and found.rows == 0

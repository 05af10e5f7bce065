"""The figures of generated logs against SQL that was written by hand and runs in another engine."""

import json
import math
from pathlib import Path

import duckdb
import pytest
from support.attempt_logs import SCENARIOS, write_attempts

from mens_console.health.aggregate import aggregate

SQL = Path(__file__).with_name("attempts.sql").read_text()
SPELLINGS = (
    ("\r\n", "\n"),  # a carriage return ends a line of CSV, and spaces after an object are nothing
    (r"\ud800", r"\ufffd"),  # a lone surrogate makes DuckDB refuse the row; it is read as U+FFFD
    (r"\u0000", r"\u2400"),  # NUL ends a text in DuckDB's JSON
)


def last_key_counts(line):
    """Return a row that names a field twice with the last one alone: DuckDB takes the first, Python the last."""
    if line.count('"status"') < 2:
        return line
    return json.dumps(json.loads(line), ensure_ascii=False)


def by_sql(path, size):
    """Return (run, batch) → figures by name."""
    text = path.read_bytes().decode(errors="replace")
    for ours, theirs in SPELLINGS:
        text = text.replace(ours, theirs)
    text = "\n".join(map(last_key_counts, text.split("\n")))
    path = path.with_suffix(".utf8")
    path.write_text(text, newline="")
    with duckdb.connect(config={"threads": 1}) as connection:
        found = connection.execute(SQL, {"log": str(path), "size": size})
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {(row.pop("run"), row.pop("batch")): row for row in rows}


def near(value):
    return pytest.approx(math.nan if value is None else value, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("size", [97, 1000])
def test_sql_counts_the_same(tmp_path, scenario, size):
    path = tmp_path / "attempts.jsonl"
    write_attempts(path, rows=3000, seed=size, scenario=scenario, torn=False)
    report = aggregate([path], batch_size=size)
    expected = by_sql(path, size)
    assert {(judged.batch.run_id, judged.batch.index) for judged in report.batches} == expected.keys()
    for judged in report.batches:
        got, want = judged.batch, expected[judged.batch.run_id, judged.batch.index]
        for name in ("n", "personas", "success", "success_or_repaired", "repaired", "latency_n", "prompt_tokens",
                     "completion_tokens", "duplicates"):  # fmt: skip
            assert getattr(got, name) == want[name], name
        for name in ("latency_mean", "latency_p95", "latency_deviation", "opening_entropy"):
            assert getattr(got, name) == near(want[name]), name
        assert (got.anchors, got.anchor_mentions) == (want["anchors"] or 0, want["anchor_mentions"] or 0)
        assert got.anchor_diversity == near((want["anchors"] or 0) / want["n"])
        assert dict(got.repairs) == (want["repairs"] or {})
        assert dict(got.openings) == (want["openings"] or {})
        assert {name: (s.n, s.mean, s.deviation) for name, s in got.scores.items()} == {
            name: (n, near(mean), near(deviation)) for name, (n, mean, deviation) in (want["scores"] or {}).items()
        }

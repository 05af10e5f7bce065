"""The generator of attempt logs makes what it says it made."""

import gzip
import json
from collections import Counter

import pytest
from support.attempt_logs import SCENARIOS, write_attempts


def objects(data):
    """Return the whole lines that are JSON objects, and how many whole lines are not."""
    rows, bad = [], 0
    for line in data.split(b"\n")[:-1]:
        try:
            row = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad += 1
    return rows, bad


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_counted_is_there_and_a_seed_says_all(tmp_path, scenario):
    written = write_attempts(tmp_path / "a.jsonl", rows=3000, seed=3, scenario=scenario)
    write_attempts(tmp_path / "b.jsonl", rows=3000, seed=3, scenario=scenario)
    data = (tmp_path / "a.jsonl").read_bytes()
    rows, bad = objects(data)
    assert (len(rows), bad, len(data)) == (written.rows, written.bad, written.size)
    assert data == (tmp_path / "b.jsonl").read_bytes()
    assert data.endswith(b"\n") == (scenario != "oddities")
    if scenario != "oddities":
        assert written.bad == 0
        assert Counter(row["run_id"] for row in rows) == written.runs
        assert 450 < len(data) / len(rows) < 600


def test_size_and_gzip(tmp_path):
    written = write_attempts(tmp_path / "a.jsonl.gz", size_bytes=1_000_000, scenario="interleaved")
    data = gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())
    assert 1_000_000 <= len(data) == written.size < 1_001_000
    assert Counter(row["run_id"] for row in objects(data)[0]) == written.runs


def test_drift_is_in_the_end_and_not_in_the_beginning(tmp_path):
    write_attempts(tmp_path / "a.jsonl", rows=10_000, scenario="drifting")
    rows, _ = objects((tmp_path / "a.jsonl").read_bytes())
    early, late = rows[:1000], rows[-1000:]

    def repaired(batch):
        return sum(bool(row["repairs"]) for row in batch) / len(batch)

    def tone(batch):
        return sum(row["validator_scores"]["pollyanna"] for row in batch) / len(batch)

    assert repaired(early) < 0.1 < 0.2 < repaired(late)
    assert 0.5 < tone(early) < 0.7 < 0.85 < tone(late) <= 1.0
    assert len({row["persona_id"] for row in early}) < 400

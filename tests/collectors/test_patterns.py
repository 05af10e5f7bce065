"""Answers counted by pattern and length, as the contract has them."""

import pytest

from mens_console.collectors.patterns import PatternTracker
from mens_contracts.telemetry import PatternHeatmap


def test_heatmap():
    tracker = PatternTracker((4, 8))
    assert tracker.heatmap() is None
    tracker.update("sum", 3, True)
    tracker.update("sum", 9, False)
    tracker.update("call", 5, 1)
    found = tracker.heatmap()
    assert found == {
        "patterns": ["sum", "call"],
        "lengths": ["≤4", "5-8", ">8"],
        "correct": [[1, 0, 0], [0, 1, 0]],
        "n": [[1, 0, 1], [0, 1, 0]],
    }
    PatternHeatmap.model_validate(found)
    assert tracker.n == 3


def test_many_and_odd_patterns():
    tracker = PatternTracker()
    for i in range(300):
        tracker.update(f"{i}" + "x" * 500, i, i % 2 == 0)
    found = tracker.heatmap()
    assert len(found["patterns"]) == 65
    assert found["patterns"][-1] == "other"
    assert max(map(len, found["patterns"])) == 80
    assert sum(map(sum, found["n"])) == 300
    tracker.update(None, 3, True)
    assert tracker.n == 301
    with pytest.raises(TypeError):
        tracker.update("a", None, True)

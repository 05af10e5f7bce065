"""The arithmetic of the overhead benchmark, and that it says so where there is nothing to train with."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import overhead
from bench.anchors import Anchors
from bench.context import Context


def blocks(rounds, factor, noise=0.0, drift=0.0):
    chance = random.Random(3)
    found = []
    for i in range(4 * rounds):
        on = i % 4 in {0, 3}
        step = 0.2 * (1 + drift * i) * (factor if on else 1.0)
        found.append({"on": on, "wall": [step * math.exp(chance.gauss(0, noise)) for _ in range(5)]})
    return found


def test_what_steps_take_longer_is_found_and_a_steady_drift_is_not():
    middle, half = overhead.longer(blocks(10, 1.03, drift=0.001), "wall")
    assert middle == pytest.approx(3.0, abs=0.01)
    assert half < 0.01


def test_the_interval_is_students():
    data = blocks(12, 1.02, noise=0.05)
    ratios = []
    for at in range(0, 48, 4):
        on = [s for block in data[at : at + 4] if block["on"] for s in block["wall"]]
        off = [s for block in data[at : at + 4] if not block["on"] for s in block["wall"]]
        ratios.append(math.log((sum(on) / 10) / (sum(off) / 10)))
    low, high = stats.t.interval(0.95, 11, loc=sum(ratios) / 12, scale=stats.sem(ratios))
    middle, half = overhead.longer(data, "wall")
    assert math.log1p(middle / 100) == pytest.approx((low + high) / 2)
    assert half == pytest.approx(100 * (1 + middle / 100) * (high - low) / 2, rel=1e-3)


@pytest.mark.parametrize("degrees", [1, 5, 15, 16, 30, 99])
def test_students_t_to_a_percent(degrees):
    assert overhead._t(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=0.01)


def test_one_round_makes_no_interval():
    with pytest.raises(ValueError, match="two rounds"):
        overhead.longer(blocks(1, 1.0), "wall")


def test_without_torch_nothing_is_claimed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overhead, "find_spec", lambda name: None if name == "torch" else object())
    assert list(overhead.bench_overhead(Context(tmp_path, Anchors(tmp_path)))) == []
    assert "torch is not installed" in capsys.readouterr().err


@pytest.mark.training
def test_blocks_are_on_off_off_on_and_only_those_that_are_on_are_recorded(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from bench import finetune

    monkeypatch.setattr(finetune, "batch_size", lambda _model: 1)
    found = finetune.train(str(tmp_path), "every", 1, 2)
    assert [block["on"] for block in found["blocks"]] == [True, False, False, True]
    assert all(seconds > 0 for block in found["blocks"] for seconds in (*block["wall"], *block["cpu"]))
    looks = (tmp_path / "telemetry.jsonl").read_text().count('"event":"lora",')
    assert looks == finetune.WARM + 4 + 1  # the last step only tells when the last block ended

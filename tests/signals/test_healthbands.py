"""Bands on their edges, beside them, and without evidence."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals.madebatches import batch

from mens_console.signals import healthbands as bands
from mens_console.signals.diversity import miller_madow
from mens_console.signals.generation import Slope
from mens_console.signals.ladders import LADDERS, describe
from mens_console.signals.patterns import wilson

BESIDE = [
    ("repair_rate", 0.10, "healthy", "warning", "warning"),
    ("repair_rate", 0.20, "warning", "warning", "critical"),
    ("repair_rate_trend", 5.0, "healthy", "warning", "warning"),
    ("repair_rate_trend", 10.0, "warning", "critical", "critical"),
    ("opening_entropy", 1.5, "critical", "warning", "warning"),
    ("opening_entropy", 2.0, "warning", "warning", "healthy"),
    ("pollyanna", 0.5, "below_range", "healthy", "healthy"),
    ("pollyanna", 0.7, "healthy", "healthy", "warning"),
    ("pollyanna", 0.85, "warning", "warning", "critical"),
    ("anchor_diversity", 0.6, "critical", "warning", "warning"),
    ("anchor_diversity", 0.8, "warning", "warning", "healthy"),
    ("mean_latency", 0.2, "healthy", "warning", "warning"),
    ("mean_latency", 0.5, "warning", "critical", "critical"),
]


@pytest.mark.parametrize(("indicator", "edge", "below", "on", "above"), BESIDE)
def test_the_edges_of_the_table(indicator, edge, below, on, above):
    ladder = LADDERS[indicator]
    near = 1e-6
    assert [ladder.band(edge - near), ladder.band(edge), ladder.band(edge + near)] == [below, on, above]
    assert ladder.band(math.fsum([edge / 3] * 3)) == on, "what rounding leaves of an edge is the edge"
    assert ladder.band(math.nan) == "nodata"


@pytest.mark.parametrize(
    ("share", "band", "point"),
    [
        (0.0, "healthy", "healthy"),
        (0.05, "healthy", "healthy"),
        (0.081, "healthy", "healthy"),
        (0.099, "undecided", "healthy"),
        (0.10, "undecided", "warning"),
        (0.15, "warning", "warning"),
        (0.20, "undecided", "warning"),
        (0.201, "undecided", "critical"),
        (0.23, "critical", "critical"),
        (1.0, "critical", "critical"),
    ],
)
def test_repair_rate_of_a_thousand(share, band, point):
    found = bands.repair_rate(batch(repairs=share))
    assert (found.band, found.point, found.n) == (band, point, 1000)
    assert found.value == pytest.approx(share)
    assert found.interval == wilson(1000 * share, 1000)
    assert f"lies in {point}" in found.reason
    assert ("but its interval" in found.reason) == (band == "undecided")


@given(st.integers(1, 5000), st.floats(0, 1))
def test_a_band_counts_only_where_wilsons_interval_clears_the_edges(n, share):
    made = batch(n=n, repaired=round(n * share))
    found = bands.repair_rate(made)
    low, high = wilson(made.repaired, n)
    across = [edge for edge in (0.10, 0.20) if low < edge < high]
    if across:
        assert found.band == "undecided"
    elif min(abs(end - edge) for end in (low, high) for edge in (0.10, 0.20)) > 1e-8:
        assert found.band == found.point


def test_undecided_says_what_would_decide():
    found = bands.repair_rate(batch(repairs=0.09))
    assert found.band == "undecided"
    n = int(found.reason.split("some ")[1].split(" attempts")[0].replace(",", ""))
    assert wilson(0.09 * n, n)[1] <= 0.10, "so many do decide"
    assert wilson(0.09 * n / 1.2, n / 1.2)[1] > 0.10, "and hardly fewer"
    assert "no number of attempts would decide" in bands.repair_rate(batch(repairs=0.10)).reason
    assert bands.repair_rate(batch(n=20, repaired=0)).band == "undecided", "twenty without a repair are no evidence"


def test_what_was_not_measured_is_no_data():
    bare = replace(
        batch(), measured={"repairs": 0}, openings={}, opening_entropy_corrected=math.nan, scores={},
        anchor_diversity=math.nan, latency_n=0, latency_mean=math.nan,
    )  # fmt: skip
    for found in (
        bands.repair_rate(bare), bands.opening_entropy(bare), bands.pollyanna(bare), bands.anchor_diversity(bare),
        bands.mean_latency(bare, 1000.0), bands.repair_rate_trend(Slope()), bands.mean_latency(batch(), math.nan),
    ):  # fmt: skip
        assert found.band == "nodata"
        assert math.isnan(found.value)
        assert found.reason
    some = bands.repair_rate(batch(measured={"repairs": 990}))
    assert "10 of 1000 attempts tell of no repairs" in some.reason


def entropy_of(counts):
    return bands.opening_entropy(batch(n=sum(counts), openings={str(i): c for i, c in enumerate(counts)}))


def test_entropy_is_judged_by_the_corrected_value():
    counts = [215, 190, 150, 140, 120, 80, 58, 35, 12]
    found = entropy_of(counts)
    assert found.seed < 2.0 < found.value == miller_madow(counts)
    assert found.band == "healthy"
    assert found.interval[0] < 2.0 < found.interval[1]
    assert "reaches over 2.000 nats" in found.reason


@pytest.mark.parametrize(
    ("counts", "band"),
    [([7] * 7, "nodata"), ([10] * 5, "warning"), ([100] * 8, "healthy"), ([250] * 4, "critical"), ([1000], "critical")],
)
def test_entropy_needs_fifty_attempts(counts, band):
    found = entropy_of(counts)
    assert found.band == band
    assert found.n == sum(counts)
    assert found.value == pytest.approx(math.log(len(counts)) + (len(counts) - 1) / (2 * sum(counts)))


@pytest.mark.parametrize(
    ("score", "band"),
    [
        ((1000, 0.7, 0.0), "healthy"),
        ((1000, 0.7, 0.2), "healthy"),
        ((1000, 0.701, 0.1), "warning"),
        ((1000, 0.85, 0.1), "warning"),
        ((1000, 0.86, 0.1), "critical"),
        ((1000, 0.3, 0.1), "below_range"),
        ((10, 0.6, 0.05), "healthy"),
        ((10, 0.69, 0.1), "undecided"),
        ((10, 0.52, 0.05), "healthy"),
        ((1, 0.6, math.nan), "undecided"),
    ],
)
def test_pollyanna(score, band):
    found = bands.pollyanna(batch(pollyanna=score))
    assert (found.band, found.n, found.value) == (band, score[0], score[1])
    assert (found.interval is None) == (score[0] == 1)


def test_anchor_ratio_decides_and_tells_what_it_would_read_at_a_thousand():
    ratio = {"anchor_diversity": 0.81, "anchors": 405, "anchor_mentions": 1000, "rarefied_to": 250}
    small = batch(n=500, anchor_rarefied=405 / 250 * 0.5, **ratio)  # twice the kinds of four times the mentions
    found = bands.anchor_diversity(small, 500)
    assert found.band == "healthy"
    assert "at S1's batch of 1000 it would read about 0.573" in found.reason
    growing = bands.anchor_diversity(replace(small, complete=False), 1000)
    assert (growing.band, growing.point) == ("undecided", "healthy")
    assert bands.anchor_diversity(batch(n=10, anchor_diversity=1.0)).band == "undecided"
    assert bands.anchor_diversity(batch(n=10, anchor_diversity=0.8)).band == "warning"
    assert bands.anchor_diversity(batch(anchor_diversity=1.7)).band == "healthy"
    for value, band in ((0.8, "warning"), (0.801, "healthy"), (0.6, "warning"), (0.599, "critical")):
        assert bands.anchor_diversity(batch(anchor_diversity=value)).band == band


def test_latency_against_its_baseline():
    for mean, band in ((1199, "healthy"), (1200, "warning"), (1499, "warning"), (1500, "critical"), (500, "healthy")):
        found = bands.mean_latency(batch(latency=mean), 1000.0, told="median of batches 0–4, pinned")
        assert found.band == band
        assert found.seed == mean
        assert found.value == pytest.approx(mean / 1000 - 1)
        assert "against 1000 ms (median of batches 0–4, pinned)" in found.reason
    assert bands.mean_latency(batch(latency=(20, 1190.0, 300.0)), 1000.0).band == "undecided"


@pytest.mark.parametrize(
    ("slope", "interval", "band"),
    [
        (0.05, (0.05, 0.05), "warning"),
        (0.0499, (0.0499, 0.0499), "healthy"),
        (0.1, (0.1, 0.1), "critical"),
        (0.0, (-0.02, 0.03), "healthy"),
        (0.06, (0.02, 0.11), "warning"),
        (0.06, (-0.01, 0.11), "undecided"),
        (0.02, (-0.06, 0.12), "undecided"),
        (0.5, None, "nodata"),
    ],
)
def test_repair_trend(slope, interval, band):
    found = bands.repair_rate_trend(Slope(slope, slope, interval, 6 if interval else 5), 0.01)
    assert found.band == band
    assert found.value == pytest.approx(100 * slope)
    assert (found.unit, found.seed) == ("pp/batch", pytest.approx(1.0))


def test_every_band_is_documented():
    text = describe()
    for name, ladder in LADDERS.items():
        assert f"`{name}`" in text
        assert ladder.definition in text

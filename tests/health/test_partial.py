import json
import math
import random
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from health import oracle
from hypothesis import given
from hypothesis import strategies as st

from mens_console.health import figures as figures_module
from mens_console.health import partial as partial_module
from mens_console.health.figures import figures
from mens_console.health.fold import Group, counts, fold
from mens_console.health.partial import Partial, exact_sum
from mens_console.health.rows import RowReader
from mens_console.health.tally import Options, Tally

rows = st.lists(
    st.fixed_dictionaries(
        {
            "run_id": st.sampled_from(["25K_a", "b", ""]),
            "persona_id": st.sampled_from(["p1", "p2", "p3", "p4"]),
            "stage": st.sampled_from(["B", "C"]),
            "attempt": st.integers(1, 2),
            "status": st.sampled_from(["success", "repair", "fail", "other"]),
            "latency_ms": st.integers(0, 5000) | st.floats(0, 5000),
            "prompt_tokens": st.integers(0, 900),
            "completion_tokens": st.integers(0, 900),
            "repairs": st.lists(st.sampled_from(["a", "b", "ș"]), max_size=3),
            "validator_scores": st.dictionaries(st.sampled_from(["x", "y"]), st.floats(0, 1), max_size=2),
            "opening_move": st.sampled_from(["hook", "quote", "疑"]),
            "anchors_used": st.lists(st.sampled_from(["Cahul", "zacuscă", "市场", "via"]), max_size=3),
        }
    ),
    min_size=1,
    max_size=40,
)


def blocks(given, cuts=()):
    """Decode rows in pieces that end before the rows `cuts`."""
    reader, offset, out = RowReader(), 0, []
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(given)}), len(given)]
    for begin, end in pairwise(edges):
        data = b"".join(json.dumps(row).encode() + b"\n" for row in given[begin:end])
        out.append(reader.decode(data, offset))
        offset += len(data)
    return out


def partials(given, cuts, size):
    """Count pieces apart, each knowing only how many attempts came before; group → the counts of its pieces."""
    phases, found = {}, {}
    for block in blocks(given, cuts):
        for group, counted in fold(block, "log", phases, batch_size=size):
            found.setdefault(group, []).append(counted)
        for name, times in counts(block.rows).items():
            phases[name] = phases.get(name, 0) + times
    return found


def merged(parts):
    whole = Partial()
    for part in parts:
        whole.merge(msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=Partial))
    return whole


@given(rows, st.integers(1, 12))
def test_the_figures_are_those_of_s1s_code(given, size):
    expected = oracle.batches(given, size)
    found = partials(given, (), size)
    assert [tuple(group) for group in sorted(found)] == sorted(expected)
    for (run, index), parts in found.items():
        got = figures(merged(parts), run, index, batch_size=size)
        want = oracle.figures(expected[run, index])
        scores = want.pop("scores")
        assert {name: (s.n, s.mean, s.deviation) for name, s in got.scores.items()} == {
            name: (n, pytest.approx(mean, abs=1e-12), pytest.approx(deviation, abs=1e-9, nan_ok=True))
            for name, (n, mean, deviation) in scores.items()
        }
        for name, value in want.items():
            approximately = pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True) if type(value) is float else value
            assert getattr(got, name) == approximately, name
        assert got.complete == (want["n"] == size)
        assert got.cost_usd == pytest.approx((want["prompt_tokens"] + want["completion_tokens"]) * 0.00045 / 1000)


@given(rows, st.lists(st.integers(0, 40), max_size=5), st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_split_and_any_order_of_merging_gives_the_same_bits(given, cuts, size, order):
    apart, whole = partials(given, cuts, size), partials(given, (), size)
    assert apart.keys() == whole.keys()
    for group, parts in apart.items():
        straight = figures(merged(parts), *group, batch_size=size)
        assert repr(straight) == repr(figures(merged(whole[group]), *group, batch_size=size))
        order.shuffle(parts)
        shuffled = figures(merged(parts), *group, batch_size=size)
        unordered = {"first", "clock_back"}  # these two are about order
        assert {n: repr(getattr(shuffled, n)) for n in shuffled.__slots__ if n not in unordered} == {
            n: repr(getattr(straight, n)) for n in straight.__slots__ if n not in unordered
        }


@given(rows, st.lists(st.integers(0, 40), max_size=5), st.sampled_from(["persona", "run", "tier"]))
def test_groups_of_any_kind_do_not_depend_on_the_split(given, cuts, by):
    def told(cuts):
        tally = Tally(Options(5, by=by))
        for block in blocks(given, cuts):
            tally.read(block, "log")
        return {judged.batch.run_id: repr(judged) for judged in tally.report(1).batches}

    assert told(cuts) == told(())
    key = {"persona": lambda r: r["persona_id"], "run": lambda r: r["run_id"], "tier": lambda r: r["run_id"][:3]}[by]
    assert len(told(())) == len({key(row) for row in given})


@given(st.lists(st.floats(-1e15, 1e15), max_size=30), st.randoms(use_true_random=False))
def test_exact_sums_are_exact_and_know_no_order(values, order):
    parts = exact_sum(values)
    assert math.fsum(parts) == math.fsum(values)
    assert math.fsum([*parts, *(-value for value in values)]) == 0.0
    order.shuffle(values)
    assert exact_sum(values) == parts
    assert exact_sum([*exact_sum(values[:7]), *exact_sum(values[7:])]) == parts


def one(given, **options):
    (found,) = partials([{"status": "success", **row} for row in given], (), 1000).items()
    return figures(merged(found[1]), *found[0], batch_size=1000, **options)


def test_what_no_row_tells_is_nan_or_empty_and_never_zero():
    got = one([{}, {"repairs": None, "validator_scores": {}}])
    for name in ("latency_mean", "latency_p95", "latency_deviation", "opening_entropy", "opening_entropy_corrected",
                 "anchor_diversity", "anchor_rarefied", "cost_usd", "started", "ended", "repair_rate"):  # fmt: skip
        assert math.isnan(getattr(got, name)), name
    assert got.scores == got.openings == got.repairs == {}
    assert (got.n, got.success_rate, got.latency_n, got.personas, got.duplicates) == (2, 1.0, 0, 0, 0)
    assert got.measured["status"] == 2
    assert got.measured["repairs"] == got.measured["latency_ms"] == got.measured["persona_id"] == 0


def test_means_are_over_the_rows_that_tell_and_rates_over_all_attempts():
    got = one([{"latency_ms": 10, "repairs": ["a"]}, {"latency_ms": 20}, {}, {"repairs": []}])
    assert (got.latency_n, got.latency_mean, got.latency_p95) == (2, 15.0, 20.0)
    assert got.repair_rate == 0.25
    assert got.measured["repairs"] == 2


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (19, 19), (20, 19), (21, 20), (100, 95), (101, 96), (1000, 950)])
def test_the_percentile_is_of_the_nearest_rank(n, rank):
    values = list(range(1, n + 1))
    random.Random(n).shuffle(values)
    assert one([{"latency_ms": value} for value in values]).latency_p95 == rank


def test_a_mean_of_equal_scores_is_that_score_and_has_no_spread():
    score = one([{"validator_scores": {"pollyanna": 0.7}}] * 999).scores["pollyanna"]
    assert (score.n, score.mean, score.deviation) == (999, 0.7, 0.0)


def test_ids_are_the_same_whether_they_are_numbers_or_their_digits():
    got = one([{"persona_id": 7, "attempt": 1}, {"persona_id": "7", "attempt": 1}, {"persona_id": 8}, {"attempt": 1}])
    assert (got.personas, got.duplicates, got.measured["persona_id"]) == (2, 1, 3)


TIMES = [
    "2026-01-31T10:00:00Z",
    "2026-01-31T10:00:05",
    None,
    1769853604,
    "2026-01-31T12:00:03+02:00",
    "x",
    1769853602000,
]


def test_clocks_that_run_backwards_are_noticed_across_kinds_of_times_and_across_pieces():
    given = [{"status": "fail", "ts": ts} for ts in TIMES]
    for cut in range(len(given)):
        (parts,) = partials(given, (cut,), 100).values()
        got = figures(merged(parts), "", 0, batch_size=100)
        assert (got.clock_back, got.measured["ts"]) == (3, 5)
        assert (got.started, got.ended) == (1769853600.0, 1769853605.0)
    for cut in range(len(given)):
        tally = Tally(Options(2))
        for block in blocks(given, (cut,)):
            tally.read(block, "log")
        assert [judged.batch.clock_back for judged in tally.report(1).batches] == [0, 1, 1, 1]


def test_interleaved_runs_have_batches_of_their_own_and_know_where_they_begin():
    given = [{"status": "fail", "run_id": run, "latency_ms": n} for n, run in enumerate("aabbbaabab")]
    found = partials(given, (3, 6), 3)
    assert sorted(found) == [Group("a", 0), Group("a", 1), Group("b", 0), Group("b", 1)]
    assert [merged(found[group]).latencies for group in sorted(found)] == [[0, 1, 5], [6, 8], [2, 3, 4], [7, 9]]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in given)
    for group, parts in found.items():
        path, offset = merged(parts).first
        row = json.loads(data[offset : data.index(b"\n", offset)])
        assert (path, row["run_id"], row["latency_ms"]) == ("log", group.name, merged(parts).latencies[0])


def test_very_many_values_are_compacted_and_give_the_same(monkeypatch):
    latencies = [n % 37 + (0.5 if n % 5 == 0 else 0) for n in range(1000)]
    given = [
        {"status": "fail", "run_id": "r", "latency_ms": latency, "validator_scores": {"x": n / 1000}}
        for n, latency in enumerate(latencies)
    ]
    (straight,) = partials(given, (), 1000).values()
    plain = figures(merged(straight), "r", 0, batch_size=1000)
    monkeypatch.setattr(partial_module, "MANY", 64)
    monkeypatch.setattr(figures_module, "MANY", 64)
    (parts,) = partials(given, range(0, 1000, 50), 1000).values()
    compact = merged(parts)
    assert len(compact.latencies) <= 64
    assert len(compact.scores["x"].values) <= 64
    got = figures(compact, "r", 0, batch_size=1000)
    assert (got.latency_mean, got.latency_p95, got.latency_deviation) == (
        plain.latency_mean, plain.latency_p95, plain.latency_deviation,
    )  # fmt: skip
    assert got.scores["x"].mean == plain.scores["x"].mean
    assert got.scores["x"].deviation == pytest.approx(plain.scores["x"].deviation, rel=1e-12)


def test_what_is_too_much_to_tell_apart_is_given_up_and_said(monkeypatch):
    monkeypatch.setattr(partial_module, "CROWD", 10)
    monkeypatch.setattr(partial_module, "MOST_VALIDATORS", 10)
    given = [
        {"status": "fail", "persona_id": n, "anchors_used": [str(n)], "validator_scores": {f"v{n}": 1}}
        for n in range(20)
    ]
    for cuts in ((), (8,), (5, 10, 15)):
        (parts,) = partials(given, cuts, 1000).values()
        got = figures(merged(parts), "", 0, batch_size=1000)
        assert math.isnan(got.anchor_diversity)
        assert (got.scores, got.duplicates, len(got.limits)) == ({}, 0, 4)


def test_runs_that_ended_are_packed_and_go_on_where_they_were(monkeypatch):
    monkeypatch.setattr("mens_console.health.tally._IDLE", 20)
    given = [{"status": "fail", "run_id": run, "persona_id": n} for n, run in enumerate("a" * 5 + "b" * 60 + "a" * 9)]
    tally, plain = Tally(Options(10)), Tally(Options(10))
    for block in blocks(given, range(0, 80, 4)):
        tally.read(block, "log")
        if tally.attempts == 64:
            assert tally.runs["a"]._packed
    for block in blocks(given):
        plain.read(block, "log")
    assert repr(tally.report(1)) == repr(plain.report(1))


def test_personas_beyond_the_bound_are_counted_together(monkeypatch):
    monkeypatch.setattr("mens_console.health.tally.MOST_PERSONAS", 3)
    tally = Tally(Options(10, by="persona"))
    for block in blocks([{"status": "fail", "persona_id": n % 6} for n in range(30)]):
        tally.read(block, "log")
    got = {judged.batch.run_id: judged.batch.n for judged in tally.report(1).batches}
    assert got == {"0": 5, "1": 5, "2": 5, "(other personas)": 15}


@pytest.mark.parametrize("by", ["batch", "run", "tier"])
def test_runs_beyond_the_bound_are_counted_together_wherever_a_log_is_cut(monkeypatch, by):
    monkeypatch.setattr("mens_console.health.tally.MOST_RUNS", 3)
    runs = [f"{letter}-1" for letter in "abacdaedbfcdegha" * 3]
    given = [{"status": "fail", "run_id": run, "latency_ms": n} for n, run in enumerate(runs)]
    reports = []
    for cuts in ((), (5,), range(0, len(given), 1), (1, 2, 30)):
        tally = Tally(Options(4, by=by))
        for block in blocks(given, cuts):
            tally.read(block, "log")
        assert len(tally.runs) == 4
        reports.append(tally.report(1))
    assert {repr(report.batches) for report in reports} == {repr(reports[0].batches)}
    together = "(other tiers)" if by == "tier" else "(other runs)"
    counted = Counter(run if run in ("a-1", "b-1", "c-1") else "" for run in runs)
    assert sum(judged.batch.n for judged in reports[0].batches) == len(runs)
    assert sum(j.batch.n for j in reports[0].batches if j.batch.run_id == together) == counted[""]


def test_a_batch_holds_at_least_one_attempt():
    with pytest.raises(ValueError, match="at least one attempt, not 0"):
        Options(0)

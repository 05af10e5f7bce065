import json
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.formats.support import read

from mens_console.ingest.formats.jsonl import JsonlDecoder, claims
from mens_console.ingest.formats.lines import MAX_LINE


def lines(*rows):
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def decode(*rows, **options):
    return read(lines(*rows), JsonlDecoder(), **options)


def test_flat_rows_value_by_value():
    rows = [{"step": i, "loss": 2.0 / (i + 1), "lr": 1e-4 * i, "ts": 1.7e9 + i} for i in range(500)]
    got = decode(*rows)
    assert got.series("loss") == [(row["step"], row["loss"]) for row in rows]
    assert got.series("learning_rate") == [(row["step"], row["lr"]) for row in rows]
    assert got.walls["loss", None] == [row["ts"] for row in rows]
    assert (got.rows, got.bad_rows, len(got.columns)) == (500, 0, 1)


def test_shapes_interleave_in_order():
    got = decode(
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.9},
        {"epoch": 1, "step": 2, "val_loss": 2.1},
        {"step": 3, "loss": 1.8},
    )
    assert [columns.names for columns in got.columns] == [("loss",), ("epoch", "eval_loss"), ("loss",)]
    assert got.series("eval_loss") == [(2, 2.1)]


def test_epoch_rows_of_a_source_with_its_own_loss_are_not_points_of_it():
    got = decode({"step": 1, "loss": 2.0}, {"epoch": 1, "step": 2, "train_loss": 4.0, "val_loss": 2.1})
    assert got.series("loss") == [(1, 2.0)]
    assert got.series("train_loss") == [(2, 4.0)]
    assert decode({"step": 1, "train_loss": 4.0}).series("loss") == [(1, 4.0)]


def test_a_final_summary_is_never_loss():
    got = decode(
        {"step": 9, "train_loss": 3.6, "train_runtime": 20.3, "total_flos": 1e9, "train_steps_per_second": 7.0}
    )
    assert got.series("loss") == []
    assert got.series("train_loss") == [(9, 3.6)]
    assert got.series("steps_per_sec") == []


def test_nan_in_every_spelling():
    got = decode(
        b'{"step": 1, "loss": NaN, "lr": 1e-4}',
        b'{"step": 2, "loss": "nan", "lr": 1e-4}',
        b'{"step": 3, "loss": null, "lr": 1e-4}',
        b'{"step": 4, "loss": -Infinity, "lr": 1e-4}',
        b'{"step": 5, "loss": "inf", "lr": 1e-4}',
        b'{"step": 6, "loss": 1e400, "lr": 1e-4}',
    )
    assert got.values("loss") == ["nan", "nan", "nan", -math.inf, math.inf, math.inf]
    assert got.bad_rows == 0


def test_null_is_absent_where_no_training_step_is_reported():
    got = decode(
        {"step": 1, "loss": None, "eval_loss": 2.0, "lr": 1e-4},
        {"step": 2, "loss": None, "val_acc": None},
        {"step": 3, "loss": 2.0, "val_acc": None, "lr": None},
        {"step": 4, "grad_norm": {"a": None, "b": 0.5}, "loss": 1.0},
        {"step": 5, "loss": 2.0, "grad_norm": None},
    )
    assert got.series("loss") == [(3, 2.0), (4, 1.0), (5, 2.0)]
    assert got.series("grad_norm/a") == []
    assert got.series("grad_norm/b") == [(4, 0.5)]
    assert got.series("grad_norm") == [(5, "nan")]


@pytest.mark.parametrize("hole", [1, 5_000, 3 << 20])
@pytest.mark.parametrize("before", [b"", b'{"step": 1, "loss": 2.0}\n'])
def test_the_hole_that_a_truncated_writer_leaves_costs_no_row(hole, before):
    data = before + b"\0" * hole + b'{"step": 9, "loss": 1.0}\nx\n'
    decoder, at, found, bad = JsonlDecoder(), 0, [], []
    while at < len(data):
        consumed, batch = decoder.feed(data[at : at + (1 << 18)], 0.0)
        found += [step for columns in batch.columns for step in columns.steps]
        bad += batch.bad
        assert consumed
        at += consumed
    assert found == ([1, 9] if before else [9])
    assert [(b.line, b.offset) for b in bad] == [(3 if before else 2, data.index(b"x"))]
    assert claims("metrics.jsonl", data[: 64 << 10]) or hole > 60_000


def test_valid_tokens_are_no_validation():
    payload = {"step": 1, "loss": None, "tokens_per_sec": 90.0, "valid_tokens": 512}
    assert decode({"ts_ms": 1_700_000_000_000, "event": "step", "payload": payload}).series("loss") == [(1, "nan")]


def test_a_row_of_nothing_but_a_null_loss_is_a_nan():
    got = decode({"step": 1, "loss": 2.0}, {"step": 2, "loss": None})
    assert got.series("loss") == [(1, 2.0), (2, "nan")]


def test_what_a_restarted_writer_appends_to_a_torn_row_is_read():
    got = decode(
        b'{"step": 50, "loss": 1.5}',
        b'{"step": 51, "lo{"step": 41, "loss": 2.5}',
        b'{"step": 51, "loss":{"step": 42, "loss": 2.4}',
        b'{"step": 52, "norms": {"loss": 7}',
        b'{"step": 53, "norms": {"a": 7}{"step": 43, "loss": 2.3}',
    )
    assert got.series("loss") == [(50, 1.5), (41, 2.5), (42, 2.4), (43, 2.3)]
    assert got.bad_rows == 4
    assert [line for line, *_ in got.bad] == [2, 3, 4, 5]


def test_epochs_are_steps_only_where_they_tell_the_rows_apart():
    whole = decode(*({"epoch": e, "train_loss": 3 - e / 10, "val_loss": 3.0} for e in (1, 2, 3, 2, 3)))
    assert [step for step, _ in whole.series("loss")] == [1, 2, 3, 2, 3]
    parts = decode(*({"epoch": e / 10, "loss": 1.0} for e in range(1, 21)))
    assert [step for step, _ in parts.series("loss")] == list(range(1, 21))
    batches = decode(*({"epoch": e, "loss": 1.0} for e in (0, 0, 0, 1, 1, 1)))
    assert [step for step, _ in batches.series("loss")] == [0, 1, 2, 3, 4, 5]
    split = decode(*(row for e in (1, 2) for row in ({"epoch": e, "train_loss": 1.0}, {"epoch": e, "val_loss": 2.0})))
    assert split.series("eval_loss") == [(1, 2.0), (2, 2.0)]


def test_a_null_among_many_clean_rows_costs_no_row():
    rows = [{"step": i, "loss": None if i == 777 else 1.0 + i, "lr": 0.1} for i in range(1500)]
    got = decode(*rows)
    assert got.series("loss") == [(i, "nan" if i == 777 else 1.0 + i) for i in range(1500)]


def test_llama_factory_text():
    got = decode(
        {
            "current_steps": 10, "total_steps": 8660, "loss": 2.4, "learning_rate": 5e-7, "epoch": 0.1,
            "elapsed_time": "0:00:24", "remaining_time": "4 days, 7:19:52", "throughput": "0.00", "total_tokens": 0,
        },
        {
            "current_steps": 20, "total_steps": 8660, "loss": 2.3, "learning_rate": 5e-7, "epoch": 0.2,
            "elapsed_time": "0:00:48", "remaining_time": "0:01:00", "throughput": "812.5", "total_tokens": 9,
        },
    )  # fmt: skip
    assert got.series("elapsed_s") == [(10, 24.0), (20, 48.0)]
    assert got.series("tokens_per_sec") == [(20, 812.5)]
    assert got.series("num_tokens") == [(10, 0.0), (20, 9.0)]
    assert got.fact("total_steps") == [8660]
    assert got.latest["eta_s"] == 60.0
    assert not any("time" in name for name, _ in got.points)


def test_which_of_two_spellings_wins():
    got = decode({"step": 100, "optimizer_step": 25, "lr": 1e-3, "learning_rate": 2e-3})
    assert got.series("learning_rate") == [(100, 2e-3)]
    assert got.series("lr") == [(100, 1e-3)]
    assert got.series("optimizer_step") == [(100, 25.0)]
    assert decode({"global_step": 500, "step": 3, "loss": 1.0}).series("loss") == [(500, 1.0)]


def test_two_ranks_stay_apart():
    rows = [{"step": i // 2, "rank": i % 2, "loss": float(i)} for i in range(300)]
    got = decode(*rows)
    assert got.series("loss", 0) == [(r["step"], r["loss"]) for r in rows if r["rank"] == 0]
    assert got.series("loss", 1) == [(r["step"], r["loss"]) for r in rows if r["rank"] == 1]
    assert len(got.columns) == 2


def test_nested_metrics_are_flattened_with_bounds():
    layers = {f"layer{i}": float(i) for i in range(300)}
    got = decode({"step": 1, "grad_norm": layers, "a": {"b": {"c": 3, "d": {"e": 4}}}, "list": [1, 2], "flag": True})
    assert got.series("grad_norm/layer7") == [(1, 7.0)]
    assert len(got.points) == 256
    small = decode({"step": 1, "a": {"b": {"c": 3, "d": {"e": 4}}}, "list": [1, 2], "flag": True})
    assert dict(small.points) == {("a/b/c", None): [(1, 3.0)]}


def test_bools_are_not_metrics():
    assert decode({"step": 1, "ok": True}, {"step": 2, "ok": False}).points == {}
    assert decode({"step": True, "loss": 1.0}).bad_rows == 1


@pytest.mark.parametrize("step", [-1, 1.5, 2**63, 10**30, "x", math.inf])
def test_unusable_steps_are_bad_rows(step):
    got = decode({"step": 1, "loss": 1.0}, {"step": step, "loss": 2.0}, {"step": 3, "loss": 3.0})
    assert got.series("loss") == [(1, 1.0), (3, 3.0)]
    assert got.bad_rows == 1
    assert got.bad[0][0] == 2


def test_steps_as_floats_and_text():
    assert decode({"step": 7.0, "loss": 1.0}, {"step": "8", "loss": 2.0}).series("loss") == [(7, 1.0), (8, 2.0)]


def test_huge_integers_do_not_crash():
    got = decode(b'{"step": 1, "loss": 1' + b"0" * 5000 + b', "x": NaN}')
    assert got.series("loss") == [(1, math.inf)]


def test_bom_crlf_and_blank_lines_are_fine():
    data = b"\xef\xbb\xbf\r\n" + b'{"step": 1, "loss": 1.0}\r\n\r\n   \r\n{"step": 2, "loss": 2.0}\r\n'
    got = read(data, JsonlDecoder())
    assert (got.series("loss"), got.bad_rows) == ([(1, 1.0), (2, 2.0)], 0)
    got = read(b"\xef\xbb\xbf" + lines({"step": 1, "loss": 1.0}), JsonlDecoder())
    assert (got.rows, got.bad_rows) == (1, 0)


def test_bad_lines_are_placed_and_cost_no_good_row():
    got = decode({"step": 1, "loss": 1.0}, b"oops \x1b[2J", b"[1, 2]", b"\xff\xfe\x00", {"step": 2, "loss": 2.0})
    assert got.values("loss") == [1.0, 2.0]
    assert [bad[:2] for bad in got.bad] == [(2, 25), (3, 35), (4, 42)]
    assert got.bad_rows == 3


def test_samples_are_bounded_but_counts_are_not():
    got = decode(*[b"junk"] * 500)
    assert (got.bad_rows, len(got.bad)) == (500, 20)


def test_two_writers_on_one_line():
    got = decode(b'{"step": 1, "loss": 1.0}{"step": 2, "loss": 2.0}', b'{"step": 3, "loss": 3.0} trailing')
    assert got.values("loss") == [1.0, 2.0, 3.0]
    assert got.bad_rows == 1


def test_joined_blocks_never_glue_torn_lines():
    got = decode(b'{"step": 1, "x": [1', b'{"b": 2}]}', {"step": 2, "loss": 2.0})
    assert got.values("loss") == [2.0]
    assert got.bad_rows >= 1


def test_deep_nesting_is_a_bad_row():
    assert decode(b'{"a":' * 100_000, {"step": 1, "loss": 1.0}).rows == 1


def test_an_unterminated_whole_object_is_read_at_once():
    decoder = JsonlDecoder()
    data = b'{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 2.0}'
    consumed, batch = decoder.feed(data, math.nan)
    assert (consumed, batch.rows) == (len(data), 2)
    consumed, batch = decoder.feed(b'\nbad\n{"step": 3, "loss": 3', math.nan)
    assert (consumed, batch.rows, batch.bad_rows) == (5, 0, 1)
    assert batch.bad[0].line == 3


def test_a_torn_tail_waits_and_a_final_one_is_bad():
    decoder = JsonlDecoder()
    assert decoder.feed(b'{"step": 1, "lo', math.nan)[0] == 0
    consumed, batch = decoder.feed(b'{"step": 1, "lo', math.nan, final=True)
    assert (consumed, batch.bad_rows) == (15, 1)


def test_an_oversize_line_is_skipped_in_pieces():
    huge = b'{"step": 5, "x": "' + b"y" * (3 * MAX_LINE) + b'"}\n'
    data = lines({"step": 1, "loss": 1.0}) + huge + lines({"step": 2, "loss": 2.0}, b"junk")
    whole = read(data, JsonlDecoder())
    pieces = read(data, JsonlDecoder(), cuts=range(0, len(data), 300_000))
    assert whole.same() == pieces.same()
    assert whole.values("loss") == [1.0, 2.0]
    assert [bad[:2] for bad in whole.bad] == [(2, 25), (4, len(data) - 5)]
    assert str(len(huge) - 1) in whole.bad[0][2]


def test_an_oversize_tail_is_not_held():
    decoder = JsonlDecoder()
    data = b"z" * (MAX_LINE + 10)
    assert decoder.feed(data, math.nan)[0] == len(data)
    consumed, batch = decoder.feed(b"zz", math.nan, final=True)
    assert (consumed, batch.bad_rows) == (2, 1)


def test_times_of_every_kind():
    got = decode(
        {"step": 1, "loss": 1.0, "timestamp": "2026-03-19T19:40:08Z"},
        {"step": 2, "loss": 1.0, "timestamp": 1773949209},
        {"step": 3, "loss": 1.0, "timestamp": 1773949210_000},
        {"step": 4, "loss": 1.0, "timestamp": None},
        at=5.0,
    )
    assert got.walls["loss", None] == [1773949208.0, 1773949209.0, 1773949210.0, 5.0]
    assert decode({"step": 1, "loss": 1.0}, at=7.0).walls["loss", None] == [7.0]
    assert decode({"step": 1, "loss": 1.0}).walls["loss", None] == ["nan"]


def test_rows_without_a_step():
    got = decode({"loss": 3.0}, {"loss": 2.0})
    assert got.series("loss") == [(1, 3.0), (2, 2.0)]
    assert len(got.fact("steps_inferred")) == 1
    assert decode({"epoch": 4, "loss": 3.0}).series("loss") == [(4, 3.0)]
    after = decode({"step": 10, "loss": 3.0}, {"eval_loss": 2.5})
    assert after.series("eval_loss") == [(10, 2.5)]
    assert "steps_inferred" not in after.kinds()


def test_the_first_row_may_introduce_the_run():
    got = decode({"model": "llama", "lr": 1e-4, "seed": 7}, {"step": 1, "loss": 1.0, "note": "x"})
    assert got.fact("config") == [{"model": "llama", "lr": "0.0001", "seed": "7"}]
    assert got.rows == 1


def test_envelopes():
    def envelope(event, payload, ts=1773949208_000):
        return {"ts_ms": ts, "event": event, "payload": payload}

    got = decode(
        envelope("train_start", {"model": "qwen", "total_steps": 100, "epochs": 3}),
        envelope(
            "step", {"step": 1, "loss": 2.0, "lr": 1e-4, "eta_seconds_remaining": None, "steps_per_sec_ema": None}
        ),
        envelope(
            "step", {"step": 2, "loss": None, "lr": 1e-4, "eta_seconds_remaining": 33.5, "steps_per_sec_ema": 2.0}
        ),
        envelope("routing_efficiency", {"ratio": 0.5}),
        envelope("epoch_complete", {"epoch": 1, "val_loss": 1.5, "steps": 2, "global_step": 2, "checkpoint": "ck/1"}),
        envelope("gpu_fallback", {"reason": "no \x1b[2J device"}),
        envelope("train_complete", {}),
        {"event": "step", "payload": 7},
        {"step": 3, "loss": 1.0},
    )
    assert got.series("loss") == [(1, 2.0), (2, "nan"), (3, 1.0)]
    assert got.walls["loss", None][0] == 1773949208.0
    assert got.series("eval_loss") == [(2, 1.5)]
    assert got.series("routing_efficiency/ratio") == [(2, 0.5)]
    assert got.series("steps_per_sec") == [(2, 2.0)]
    assert got.fact("total_steps") == [100]
    assert got.fact("total_epochs") == [3.0]
    assert got.fact("started") == ["train_start"]
    assert got.fact("finished") == ["train_complete"]
    assert got.fact("checkpoint") == ["ck/1"]
    assert {"gpu_fallback": "no ␛[2J device"} in got.fact("config")
    assert got.latest["eta_s"] == 33.5
    assert got.bad_rows == 1


def test_flat_events_mark_the_ends():
    got = decode(
        {"type": "train_begin", "model": "m"}, {"step": 1, "loss": 1.0}, {"type": "training_complete", "loss": 0.9}
    )
    assert got.fact("started") == ["train_begin"]
    assert got.fact("finished") == ["training_complete"]
    assert got.series("loss") == [(1, 1.0), (1, 0.9)]


def test_hostile_names_are_made_visible():
    got = decode({"step": 1, "\x1b[2Jx": 1.0, "y" * 500: 2.0})
    assert all(name.isprintable() and len(name) <= 200 for name, _ in got.points)
    assert len(got.points) == 2


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"step": 1, "loss": 2.0}\n', True),
        (b'\xef\xbb\xbf\r\n{"step": 1, "loss": 2.0}\r\n', True),
        (b'{"global_step": 5, "whatever": 1}\n{"glo', True),
        (b'{"ts_ms": 1, "event": "train_start", "payload": {}}\n', True),
        (b'{"ts_ms": 1, "event": "custom", "payload": {"step": 4, "loss": 1.0}}\n', True),
        (b'{"epoch": 1, "loss": 2.0}\n', True),
        (b'{"iteration": 3, "words": 100}\n', False),
        (b'{"attempts": 3, "success": true, "tokens": 12}\n', False),
        (b'{"level": "info", "msg": "hi", "step": 3}\n', False),
        (b'{"level": "info", "msg": "hi", "step": 3, "loss": 2.0}\n', True),
        (b'{"step": "three", "loss": "high"}\n', False),
        (b"plain text\n", False),
        (b"[1, 2, 3]\n", False),
        (b"", False),
    ],
)
def test_claims(head, expected):
    assert claims("x.jsonl", head) is expected


numbers = st.one_of(
    st.floats(), st.integers(-5, 10**20), st.none(), st.booleans(), st.sampled_from(["1.5", "nan", "x", "0:01:02"])
)
metric_rows = st.dictionaries(
    st.sampled_from(
        ["step", "loss", "lr", "grad_norm", "eval_loss", "elapsed_time", "rank", "ts", "note", "throughput"]
    ),
    st.one_of(numbers, st.dictionaries(st.sampled_from("ab"), numbers, max_size=2)),
    max_size=6,
)
good_rows = st.fixed_dictionaries({"step": st.integers(0, 50), "loss": st.floats(0, 9)})
garbage = st.sampled_from(
    [b"", b"  ", b"junk", b"[1]", b"\xff\xff", b'{"step": 1,', b'{"step": 2, "loss": 1}{"step": 3}x', b"\r"]
)
texts = st.lists(st.one_of(metric_rows, good_rows, garbage), max_size=25).map(
    lambda rows: lines(*rows).replace(b"\n", b"\r\n" if len(rows) % 2 else b"\n")
)


@settings(max_examples=150, deadline=None)
@given(texts, st.lists(st.integers(0, 2000), max_size=12))
def test_cutting_the_bytes_changes_nothing(data, cuts):
    assert read(data, JsonlDecoder(), cuts=cuts).same() == read(data, JsonlDecoder()).same()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "loss"]), st.floats(allow_nan=False, allow_infinity=False), min_size=1
        ),
        max_size=200,
    )
)
def test_values_are_those_of_the_json_module(rows):
    data = b"".join(orjson.dumps({"step": at, **row}) + b"\n" for at, row in enumerate(rows))
    got = read(data, JsonlDecoder())
    for name in ("a", "b", "loss"):
        parsed = [json.loads(line) for line in data.splitlines()]
        assert got.series(name) == [(row["step"], row[name]) for row in parsed if row.get(name) is not None]

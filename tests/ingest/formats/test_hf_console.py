import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.formats.support import read

from mens_console.ingest.formats.hf_console import MAX_DICT, HfConsoleDecoder, claims, read_dict

CLEAR = "\r" + " " * 40 + "\r"


def bar(count, total, title="", up=False, postfix=""):
    return f"\r{title}{count * 100 // total:3d}%|{'█' * 3:10}| {count}/{total} [00:10<01:17,  4.1it/s{postfix}]" + (
        "\x1b[A" if up else ""
    )


def train(step, epoch, loss="2.5"):
    return f"{{'loss': '{loss}', 'grad_norm': '0.5', 'learning_rate': '1e-05', 'epoch': '{epoch}'}}\n"


def decode(*parts, **options):
    return read("".join(parts).encode(), HfConsoleDecoder(), **options)


def session():
    parts = [bar(1, 1, "Loading weights: "), "\n", bar(0, 30)]
    for step in range(1, 31):
        if step % 3:
            parts.append(bar(step, 30))
        if step % 5 == 0:
            parts += [CLEAR, train(step, round(step / 10, 3), f"{3 - step / 20:.4g}"), "\r", bar(step, 30)]
        if step % 15 == 0:
            parts += ["\n", bar(0, 6, up=True), "\n", bar(4, 6, up=True), CLEAR]
            parts += [f"{{'eval_loss': '2.1', 'eval_runtime': '0.2', 'epoch': '{step / 10}'}}\n", "\r", bar(step, 30)]
    parts += [
        CLEAR,
        "{'train_runtime': '20.3', 'train_loss': '2.2', 'train_steps_per_second': '7.8', 'epoch': '3.0'}\n",
    ]
    return "".join([*parts, bar(30, 30), "\n***** train metrics *****\n  epoch = 3.0\n"])


def test_steps_come_from_the_redrawn_bar():
    got = decode(session())
    assert got.series("loss") == [(step, float(f"{3 - step / 20:.4g}")) for step in range(5, 31, 5)]
    assert got.series("eval_loss") == [(15, 2.1), (30, 2.1)]
    assert got.series("train_loss") == [(30, 2.2)]
    assert got.fact("total_steps") == [30]
    assert got.fact("finished") == ["train_runtime"]
    assert "steps_inferred" not in got.kinds()
    assert got.fact("phase")[:3] == ["training", "evaluating", "training"]
    assert got.bad_rows == 0


def test_without_a_bar_rows_are_numbered_and_that_is_said():
    got = decode(*(train(step, step / 10) for step in (1, 2, 3)), "{'eval_loss': 2.0, 'epoch': 0.3}\n")
    assert [step for step, _ in got.series("loss")] == [1, 2, 3]
    assert got.series("eval_loss") == [(3, 2.0)]
    assert len(got.fact("steps_inferred")) == 1


def test_a_burst_from_a_buffer_takes_its_steps_from_the_epoch():
    got = decode(bar(10, 40), train(10, 1.0), bar(10, 40), train(20, 2.0), train(30, 3.0), bar(38, 40))
    assert [step for step, _ in got.series("loss")] == [10, 20, 30]
    assert "steps_inferred" not in got.kinds()


def test_a_resumed_run_starts_where_its_bar_does():
    got = decode(bar(0, 360), bar(201, 360), CLEAR, train(201, 0.1354), "\r", bar(201, 360), final=True)
    assert got.series("epoch") == [(201, 0.1354)]


def test_a_row_printed_behind_a_bar():
    got = decode(bar(0, 9), bar(1, 9), train(1, 0.1), bar(2, 9), train(2, 0.2), bar(3, 9), "\n")
    assert got.rows == 2
    assert got.bad_rows == 0


def test_the_last_row_of_a_killed_run_is_kept():
    got = decode(bar(0, 10), bar(3, 10), CLEAR, train(3, 0.3))
    assert got.series("loss") == [(3, 2.5)]


def test_a_row_waits_for_its_bar_and_no_longer():
    decoder = HfConsoleDecoder()
    text = (bar(0, 10) + CLEAR + train(1, 0.1)).encode()
    consumed, batch = decoder.feed(text, math.nan)
    assert (consumed, batch.rows) == (len(text), 0)
    assert decoder.feed((bar(1, 10) + "\r").encode(), math.nan)[1].rows == 1


def test_another_total_after_the_first_bar():
    got = decode(bar(5, 5), "\n", bar(0, 40), CLEAR, train(1, 0.1), bar(1, 40), "\n")
    assert got.fact("total_steps") == [5, 40]
    assert got.series("loss") == [(1, 2.5)]


def test_numbers_behind_a_bar():
    got = decode(
        bar(1, 9, "pretrain: "),
        bar(2, 9, "pretrain: ", postfix=", loss=7.6"),
        bar(3, 9, "pretrain: ", postfix=", loss=7.6"),
        bar(4, 9, "pretrain: ", postfix=", loss=7.5, lr=1e-4, host=a"),
    )
    assert got.series("loss") == [(2, 7.6), (4, 7.5)]
    assert got.series("learning_rate") == [(4, 1e-4)]


def test_facts_of_the_log_between():
    got = decode(
        "***** Running training *****\n  Total optimization steps = 1,234\n", train(1, 0.1),
        "Saving model checkpoint to out/checkpoint-500\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 1\ntorch.OutOfMemoryError: CUDA out of memory\n",
    )  # fmt: skip
    assert got.fact("total_steps") == [1234]
    assert got.fact("checkpoint") == ["out/checkpoint-500"]
    assert [fact[3] for fact in got.facts if fact[0] == "error"] == ["oom"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'loss': 2.5, 'x': '1'}", {"loss": 2.5, "x": "1"}),
        ("{'loss': nan, 'b': -inf, 'c': inf}", {"loss": "nan", "b": "-inf", "c": "inf"}),
        ("prefix {'loss': 1.0} suffix", {"loss": 1.0}),
        ("{'a': __import__('os')}", None),
        ("{'a': " + "[" * 5000, None),
        ("{'a': '" + "x" * MAX_DICT + "'}", None),
        ("{'a': 1, 2: 3}", None),
        ("{'a'}", None),
        ("nothing", None),
    ],
)
def test_read_dict(text, expected):
    assert read_dict(text) == expected


def test_nan_rows():
    got = decode("{'loss': nan, 'grad_norm': inf, 'learning_rate': 0.1}\n")
    assert got.series("loss") == [(1, "nan")]
    assert got.series("grad_norm") == [(1, math.inf)]


def test_a_row_that_does_not_parse_is_bad_and_other_dicts_are_nobodys():
    got = decode("x\n{'loss': oops(), 'b': 1}\n{'config': 'x'}\n{'eval_accuracy': 0.5}\n")
    assert [bad[:2] for bad in got.bad] == [(2, 2)]
    assert got.rows == 1


def test_an_endless_line_is_not_held():
    assert HfConsoleDecoder().feed(b"x" * (2 << 20), 0.0)[0] == 2 << 20


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (train(1, 0.1).encode(), True),
        (b"\r{'eval_loss': 1.0}", True),
        (bar(3, 10).encode(), True),
        (b"just a log\n", False),
        (b"{'config': 3}\n", False),
        (bytes(range(256)) * 8 + b"{'loss': 1}", False),
        (b"", False),
        (b"a" + b"\n" * 65_535, False),
        (b"a" + b"\n" * 65_535 + b" {'loss': 1}", True),
    ],
    ids=lambda value: str(value[:24]) if isinstance(value, bytes) else None,
)
def test_claims(head, expected):
    assert claims("train.log", head) is expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6000), max_size=25), st.booleans())
def test_cutting_the_bytes_changes_nothing(cuts, crlf):
    text = session() + train(31, 3.1) + "Traceback (most recent call last):\n  f\nValueError: x\n"
    data = (text.replace("\n", "\r\n") if crlf else text).encode()
    assert read(data, HfConsoleDecoder(), cuts=cuts).same() == read(data, HfConsoleDecoder()).same()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([bar(1, 9), train(1, 0.1), "{'loss': ", "\r", "\n", "x%|", "'}", "Killed\n"]), max_size=30)
)
def test_junk_never_crashes(parts):
    decode(*parts)


def test_an_evaluation_between_two_logged_steps_has_its_own_step():
    """Logged every 7 steps, evaluated every 20; the bar is at the evaluation, or stale, or comes as a whole before."""
    row = "{{'loss': '2.0', 'epoch': '{:.2f}'}}\n{}".format
    evaluation = "{'eval_loss': '3.0', 'epoch': '0.59'}\n"
    logged = [row(step / 34, bar(step, 110)) for step in (7, 14)]
    shown = decode(bar(0, 110), *logged, bar(20, 110), evaluation, bar(21, 110))
    stale = decode(bar(0, 110), *logged, bar(17, 110), evaluation, bar(22, 110))
    assert shown.series("eval_loss") == [(20, 3.0)]
    assert stale.series("eval_loss") == [(20, 3.0)]

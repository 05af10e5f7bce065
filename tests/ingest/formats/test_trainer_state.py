import json
import math

import pytest
from ingest.formats.support import read

from mens_console.ingest.formats.trainer_state import TrainerStateDecoder, claims

HISTORY = [
    {"epoch": 0.1, "grad_norm": 1.5, "learning_rate": 1e-4, "loss": 2.5, "step": 5, "train_runtime": 1.0},
    {"epoch": 0.2, "grad_norm": math.nan, "learning_rate": 5e-5, "loss": 0.0, "step": 10, "train_runtime": 2.0},
    {"epoch": 0.2, "eval_loss": math.nan, "eval_runtime": 0.2, "step": 10},
    {
        "epoch": 0.2,
        "step": 10,
        "total_flos": 6e20,
        "train_loss": 1.9,
        "train_runtime": 8.5,
        "train_steps_per_second": 3.0,
    },
]


def state(history=HISTORY, **more):
    return {
        "epoch": 0.2, "global_step": 10, "log_history": history, "logging_steps": 5, "max_steps": 50,
        "num_train_epochs": 1, "is_world_process_zero": True, **more,
    }  # fmt: skip


def decode(document):
    assert TrainerStateDecoder().feed(json.dumps(document, indent=2).encode(), 9.0)[1].replace
    return read(json.dumps(document).encode(), TrainerStateDecoder(), final=False)


def test_rows_value_by_value():
    got = decode(state())
    assert got.series("loss") == [(5, 2.5), (10, 0.0)]
    assert got.series("grad_norm") == [(5, 1.5), (10, "nan")]
    assert got.series("eval_loss") == [(10, "nan")]
    assert got.series("train_loss") == [(10, 1.9)]
    assert got.series("steps_per_sec") == []
    assert (got.rows, got.bad_rows) == (4, 0)


def test_facts():
    got = decode(state(best_model_checkpoint="out/checkpoint-10", best_global_step=10))
    assert got.fact("total_steps") == [50]
    assert got.fact("total_epochs") == [1.0]
    assert got.latest["epoch"] == 0.2
    assert got.fact("finished") == ["train_runtime"]
    assert got.fact("checkpoint") == ["out/checkpoint-10"]
    assert got.fact("config")[0]["logging_steps"] == "5"


def test_a_checkpoint_of_a_running_run_is_not_finished():
    assert "finished" not in decode(state(HISTORY[:3])).kinds()


def test_unusable_rows_are_counted():
    got = decode(state([{"loss": 1.0, "step": -4}, "junk", {}, {"loss": 2.0, "step": 1}]))
    assert got.series("loss") == [(1, 2.0)]
    assert got.bad_rows == 1
    assert "log_history[0]" in got.bad[0][2]


def test_a_torn_document_waits_unless_final():
    data = json.dumps(state()).encode()
    decoder = TrainerStateDecoder()
    for cut in (1, 10, len(data) - 1):
        consumed, batch = decoder.feed(data[:cut], 0.0)
        assert (consumed, batch.rows, batch.bad_rows, batch.replace) == (0, 0, 0, False)
    consumed, batch = decoder.feed(data[:-1], 0.0, final=True)
    assert (consumed, batch.bad_rows) == (len(data) - 1, 1)
    assert decoder.feed(b"", 0.0, final=True)[1].bad_rows == 0


def test_a_document_that_became_something_else_says_nothing():
    consumed, batch = TrainerStateDecoder().feed(b"[1]", 0.0)
    assert (consumed, batch.rows, batch.replace) == (3, 0, True)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (json.dumps(state(), indent=2).encode(), True),
        (json.dumps(state(), indent=2).encode()[:160], True),
        (b'{"log_history": [], "something": 1}', False),
        (b'{"global_step": 4}', False),
        (b"log_history", False),
    ],
)
def test_claims(head, expected):
    assert claims("trainer_state.json", head) is expected

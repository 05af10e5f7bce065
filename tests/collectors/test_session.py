"""The session as a training loop uses it, and everything that may go wrong around it."""

import math
import os
import random
import shutil
import time
import warnings
from array import array
from itertools import pairwise

import pytest
from collectors.written import Clock, document, events, program, rows, wait_for
from ingest.formats.support import Read

from mens_console.collectors.cadence import LookCadence
from mens_console.collectors.guard import CollectorWarning
from mens_console.collectors.layers import EVERY_ROWS
from mens_console.collectors.session import Session
from mens_console.ingest.formats.jsonl import JsonlDecoder
from mens_console.signals.pairs import LayerRow, PairTable

NAMES = ("layers.0.q_proj", "layers.0.v_proj")


def look(step, clock, n=2, **values):
    given = {name: array("d", [value] * n) for name, value in values.items()}
    return LayerRow(step, clock.now, given or {"grad_a": array("d", [0.5] * n), "grad_b": array("d", [0.5] * n)})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(tmp_path, clock):
    session = Session(tmp_path / "run", total_steps=100, clock=clock)
    yield session
    session.finish()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "telemetry.jsonl"


# ------------------------------------------------------------------ what is written


def test_a_run_from_start_to_end(tmp_path, clock, path):
    session = Session(
        tmp_path / "run", total_steps=3, total_epochs=1, config={"lr": 1e-4, "hub_token": "secret"},
        base_model="tiny", dataset_version="v1", world_size=2, clock=clock,
    )  # fmt: skip
    session.start()
    for step in (1, 2, 3):
        clock.now += 1.0
        session.step(
            step, loss=3.0 - step, learning_rate=1e-4, grad_norm=1.0, epoch=step / 3, tokens=512, extra={"margin": 2.0}
        )
    session.finish()
    assert [row["event"] for row in rows(path)] == ["train_start", "step", "step", "step", "train_end"]
    (start,) = events(path, "train_start")
    assert start["lr"] == 1e-4
    assert start["hub_token"] == "***"
    assert (start["total_steps"], start["base_model"], start["world_size"]) == (3, "tiny", 2)
    assert (start["pid"], start["host"]) == (os.getpid(), os.uname().nodename)
    last = events(path, "step")[-1]
    assert last["step"] == 3
    assert (last["loss"], last["num_tokens"], last["margin"]) == (0.0, 1536, 2.0)
    assert last["streaming_ce"] == pytest.approx((2 * 0.81 + 1 * 0.9) / (0.81 + 0.9 + 1))
    assert next(row["ts_ms"] for row in rows(path) if row["event"] == "step") == int((clock.now - 2) * 1000)
    assert events(path, "train_end") == [{"status": "completed", "step": 3}]
    summary = document(tmp_path / "run" / "run_summary.json")
    assert (summary["status"], summary["last_step"], summary["final_metrics"]["loss"]) == ("completed", 3, 0.0)
    assert summary["run_id"] == start["run_id"]
    assert {p["path"]: p["bytes"] for p in summary["pointers"]}["telemetry.jsonl"] == path.stat().st_size
    assert document(tmp_path / "run" / "training_status.json")["status"] == "completed"


def test_the_console_reads_what_was_written(session, clock, path):
    losses = [3.0, math.nan, 2.5, 2.25]
    for step, loss in enumerate(losses, 1):
        clock.now += 1.0
        session.step(step, loss=loss, learning_rate=1e-4, grad_norm=0.1 + 0.2, token_entropy=1.5, accuracy=0.25)
    session.evaluation(4, {"eval_loss": 1.5, "loss": 9.0, "accuracy": 0.5})
    session.evaluation(5, {"loss": 1.25})
    session.evaluation(6, {"val_loss": 1.0})
    session.finish()
    decoder, got = JsonlDecoder(), Read()
    data = path.read_bytes()
    consumed, batch = decoder.feed(data, 0.0)
    got.add(batch)
    assert consumed == len(data)
    assert got.bad == []
    assert got.series("loss") == [(1, 3.0), (2, "nan"), (3, 2.5), (4, 2.25)]
    assert got.values("grad_norm") == [0.30000000000000004] * 4
    assert got.values("entropy") == [1.5] * 4
    assert got.series("eval_loss") == [(4, 1.5), (5, 1.25), (6, 1.0)]
    assert got.series("eval_accuracy") == [(4, 0.5)]
    assert got.walls["loss", None][0] == pytest.approx(clock.now - 3.0, abs=1e-3)
    assert got.fact("total_steps") == [100]


def test_a_step_of_which_nothing_is_measured_leaves_no_row(session, clock, path):
    session.start(PairTable(NAMES))
    session.step(1)
    session.step(2, tokens=512, learning_rate=1e-4, epoch=0.1)
    session.step(3, layers=look(3, clock))
    session.step(4, grad_norm=1.0)
    session.step(5, extra={"margin": None})
    session.step(6, extra={"margin": 1.0})
    session.finish()
    assert [row["step"] for row in events(path, "step")] == [4, 6]


def test_accuracy_over_the_last_steps(session, path):
    for step in range(1, 61):
        session.step(step, accuracy=1.0 if step > 40 else 0.0)
    session.finish()
    last, early = events(path, "step")[-1], events(path, "step")[18]
    assert (last["accuracy_last_20"], last["accuracy_last_50"]) == (1.0, 0.4)
    assert "accuracy_last_20" not in early


def test_looks_and_their_table(session, clock, path):
    described = [{"name": name, "r": 4, "scaling": 2.0, "trainable_a": True, "trainable_b": True, "size": 64}
                 for name in NAMES]  # fmt: skip
    session.start(PairTable(NAMES, (False, False), (4, 4)), described)
    for step in range(1, EVERY_ROWS + 2):
        session.step(step, learning_rate=1e-4, layers=look(step, clock, grad_a=math.nan, grad_b=math.inf, ratio=0.1))
    session.start(PairTable(NAMES, (False, True), (4, 4)))
    session.step(EVERY_ROWS + 2, layers=look(EVERY_ROWS + 2, clock), update_steps=3)
    session.finish()
    kinds = [row["event"] for row in rows(path) if row["event"].startswith("lora")]
    assert [i for i, kind in enumerate(kinds) if kind == "lora_pairs"] == [0, EVERY_ROWS + 1, EVERY_ROWS + 3]
    first, again, other = events(path, "lora_pairs")
    assert first == again == {"id": first["id"], "pairs": described}
    assert other["id"] != first["id"]
    assert [pair["trainable_b"] for pair in other["pairs"]] == [True, False]
    row, last = events(path, "lora")[0], events(path, "lora")[-1]
    assert row == {
        "step": 1, "pairs": first["id"], "grad_a": [None, None], "grad_b": ["Infinity", "Infinity"],
        "ratio": [0.1, 0.1], "update_steps": 1, "learning_rate": 1e-4,
    }  # fmt: skip
    assert (last["pairs"], last["update_steps"]) == (other["id"], 3)
    decoder = JsonlDecoder()
    batch = decoder.feed(path.read_bytes(), 0.0)[1]
    assert batch.bad_rows == 0
    assert sum(isinstance(part, LayerRow) for part in batch.layers) == EVERY_ROWS + 2


@pytest.mark.parametrize("pairs", [None, PairTable(("one",))])
def test_a_look_that_fits_no_table_switches_looks_off_alone(session, clock, path, pairs):
    session.start(pairs)
    with pytest.warns(CollectorWarning, match="'lora' is off") as told:
        for step in range(1, 6):
            assert session.wants_layers(step) is (step == 1)
            session.step(step, loss=1.0, layers=look(step, clock))
    assert len(told) == 1
    session.finish()
    assert len(events(path, "step")) == 5
    assert events(path, "lora") == []


def test_alerts_are_told_when_they_change(session, clock, path, tmp_path):
    for step in range(1, 200):
        clock.now += 2.0
        session.step(step, loss=3.0 - step / 100, grad_norm=900.0 if 50 <= step < 55 else 1.0)
    session.step(200, loss=math.nan)
    clock.now += 10.0
    session.step(201, loss=1.0)
    session.finish("crashed", "ValueError: nan")
    told = [(a["rule"], a["severity"], a["state"]) for a in events(path, "alert")]
    assert told == [
        ("grad_exploding", "warning", "firing"), ("grad_exploding", "warning", "recovering"),
        ("grad_exploding", "warning", "resolved"), ("nan_loss", "critical", "firing"),
    ]  # fmt: skip
    assert events(path, "alert")[0]["step"] in range(50, 55)
    found = document(tmp_path / "run" / "training_status.json")
    assert [a["rule"] for a in found["active_alerts"]] == ["nan_loss"]
    assert found["alert_summary"]["critical"] == 1
    assert document(tmp_path / "run" / "run_summary.json")["alerts"]["resolved"] == 1


def test_evaluations_checkpoints_and_patterns(session, clock, path, tmp_path):
    for step in range(1, 41):
        clock.now += 1.0
        session.step(step, loss=1.0)
        session.pattern("sum", 3, step % 2 == 0)
        if step % 10 == 0:
            session.evaluation(step, {"eval_loss": abs(step - 20) / 10, "f1": 0.5})
            session.fixed_eval(step, em=0.5, ece=math.nan, n=10)
            session.checkpoint(step, tmp_path / "run" / f"checkpoint-{step}")
    session.finish()
    assert events(path, "eval")[1] == {"eval_loss": 0.0, "eval_f1": 0.5, "step": 20}
    assert events(path, "fixed_eval")[0] == {
        "step": 10, "em": 0.5, "ce": None, "ece": None, "ece_expected": None, "n": 10, "trend": "unknown",
    }  # fmt: skip
    assert events(path, "checkpoint")[-1] == {"step": 40, "path": str(tmp_path / "run" / "checkpoint-40")}
    heatmap = events(path, "pattern_heatmap")[-1]
    assert (heatmap["patterns"], heatmap["correct"][0][0], heatmap["n"][0][0]) == (["sum"], 20, 40)
    assert 1 < len(events(path, "pattern_heatmap")) < 10
    assert document(tmp_path / "run" / "run_summary.json")["best_eval"] == {"step": 20, "eval_loss": 0.0}
    assert document(tmp_path / "run" / "training_status.json")["fixed_eval_em"] == 0.5


def test_phases(session, clock, tmp_path, path):
    session.step(1, loss=1.0, tokens=10)
    session.phase("evaluating")
    session.phase("dancing")
    assert session._attempt.status._status == "evaluating"
    session.step(2, loss=1.0, tokens=10)
    assert session._attempt.status._status == "training"


# ------------------------------------------------------------------ when to look


def test_cadence_needs_steps_and_seconds():
    cadence = LookCadence(10, 10.0)
    granted = [step for step in range(1, 180) if cadence.due(step, step * 0.6)]
    assert granted == [1, 2, 3, 13, 23, 34, 51, 68, 85, 102, 119, 136, 153, 170]
    assert cadence.due(170, 1e9)
    slow = LookCadence(10, 10.0)
    assert [step for step in range(1, 40) if slow.due(step, step * 60.0)] == [1, 2, 3, 13, 23, 33]


def test_quick_steps_are_looked_at_early_and_ever_more_seldom():
    cadence = LookCadence(10, 10.0)
    granted = [step for step in range(1, 100_001) if cadence.due(step, step * 1e-6)]
    assert granted[:8] == [1, 2, 3, 13, 23, 34, 51, 76]  # the adapters can be judged at step 13
    assert all(later - 1 >= 1.5 * (step - 1) for step, later in pairwise(granted[4:]))
    assert len(granted) < 30


def test_cadence_after_a_resume_and_a_clock_that_goes_back():
    cadence = LookCadence(10, 10.0)
    assert [step for step in range(5000, 5012) if cadence.due(step, 0.0)] == [5000, 5001, 5002]
    assert not cadence.due(5011, 5.0)
    assert cadence.due(5012, 5.0)
    assert cadence.due(5022, 6.0)
    assert not cadence.due(5032, 7.0)
    assert cadence.due(5032, -3600.0)
    assert cadence.due(4000, -3000.0)
    assert not cadence.due(4001, 1000.0)
    assert not cadence.due(4015, -2999.0)


def test_asking_twice_gives_the_same_answer(session, clock):
    for step in range(1, 60):
        clock.now += 1.0
        assert session.wants_layers(step) == session.wants_layers(step)
        assert session.wants_text(step) == session.wants_layers(step)


# ------------------------------------------------------------------ what may go wrong


def test_other_ranks_do_nothing(tmp_path):
    session = Session(tmp_path / "run", rank=1, world_size=2)
    session.start(PairTable(NAMES))
    session.step(1, loss=1.0)
    session.evaluation(1, {"eval_loss": 1.0})
    session.fixed_eval(1, em=1.0)
    session.pattern("a", 1, True)
    session.checkpoint(1, "x")
    session.phase("saving")
    assert not session.wants_layers(1)
    assert not session.wants_text(1)
    session.finish()
    assert list(tmp_path.iterdir()) == []


def test_steps_after_the_end_are_told_once_and_not_written(session, path):
    session.step(1, loss=1.0)
    session.finish()
    session.finish("crashed")
    with pytest.warns(CollectorWarning, match="is finished") as told:
        for step in range(2, 5):
            session.step(step, loss=1.0)
        session.evaluation(5, {"eval_loss": 1.0})
    assert len(told) == 1
    assert not session.wants_layers(50)
    assert events(path, "train_end") == [{"status": "completed", "step": 1}]


def test_another_start_begins_another_attempt(session, path, tmp_path):
    session.step(1, loss=1.0)
    session.finish("interrupted")
    first = document(tmp_path / "run" / "run_summary.json")
    session.start()
    session.step(2, loss=1.0)
    session.finish()
    assert [row["event"] for row in rows(path)] == ["train_start", "step", "train_end"] * 2
    assert document(tmp_path / "run" / "run_summary.json")["previous"]["run_id"] == first["run_id"]


def test_nan_everywhere(session, clock, path, tmp_path):
    bad = [math.nan, math.inf, -math.inf]
    session.start(PairTable(NAMES))
    for step in range(1, 31):
        clock.now += 1.0
        x = bad[step % 3]
        session.step(
            step, loss=x, learning_rate=x, grad_norm=x, epoch=x, tokens=x, token_entropy=x, accuracy=x,
            layers=look(step, clock, grad_a=x, grad_b=x, update=x, ratio=x, rank=x), extra={"y": x},
        )  # fmt: skip
        session.evaluation(step, {"eval_loss": x})
        session.fixed_eval(step, em=x, ce=x, ece=x, n=3, ece_expected=x)
    session.finish("crashed", "nan")
    assert len(events(path, "step")) == 30
    assert {row["loss"] for row in events(path, "step")} == {"NaN", "Infinity", "-Infinity"}
    assert events(path, "alert")[0]["rule"] == "nan_loss"
    assert document(tmp_path / "run" / "training_status.json")["streaming_ce"] is None
    assert document(tmp_path / "run" / "run_summary.json")["best_eval"] is None


class Odd:
    def __float__(self):
        raise RuntimeError("no float")

    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.filterwarnings("ignore::mens_console.collectors.guard.CollectorWarning")
def test_arguments_of_any_kind(session, path):
    for bad in ("x", Odd(), None, [], {}, b"1", object(), 10**400):
        session.start(bad, bad) if bad is not None else session.start()
        session.step(bad, loss=1.0)
        session.step(1, loss=bad, learning_rate=bad, grad_norm=bad, epoch=bad, tokens=bad, token_entropy=bad,
                     accuracy=bad, layers=bad, update_steps=bad, extra=bad)  # fmt: skip
        session.step(2, loss=1.0, extra={Odd: bad, "step": 5, "ts_ms": 7, "self": 1.0, "lr": 1.0, "total_steps": 1})
        session.evaluation(bad, {"eval_loss": 1.0})
        session.evaluation(1, bad)
        session.fixed_eval(1, em=bad, n=bad)
        session.pattern(bad, bad, bad)
        session.checkpoint(1, bad)
        session.phase(str(bad) if not isinstance(bad, Odd) else "x")
    session.finish("completed", None)
    assert {row["step"] for row in events(path, "step")} >= {2}
    assert all(row["ts_ms"] > 1e12 for row in rows(path))
    JsonlDecoder().feed(path.read_bytes(), 0.0)


def test_a_config_of_any_kind(tmp_path):
    loop = {}
    loop["self"] = loop
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = Session(tmp_path, config={"a": loop, Odd(): Odd(), 3: {1, 2}, "n": math.nan})
        session.step(1, loss=1.0)
        session.finish()
    (start,) = events(tmp_path / "telemetry.jsonl", "train_start")
    assert (start["3"], start["n"]) == ("1, 2", "NaN")


def test_a_collector_that_breaks_is_off_and_the_rest_goes_on(session, path, monkeypatch):
    session.step(1, loss=1.0)
    monkeypatch.setattr(session._attempt.streaming, "update_loss", lambda *_: 1 / 0)
    monkeypatch.setattr(session._attempt.alerts, "feed", lambda *_: 1 / 0)
    with pytest.warns(CollectorWarning) as told:
        for step in range(2, 6):
            session.step(step, loss=1.0, tokens=5)
    assert sorted(str(w.message).split("'")[1] for w in told) == ["alerts", "streaming"]
    assert session.off("streaming")
    assert not session.off("telemetry")
    session.finish()
    assert len(events(path, "step")) == 5


def test_steps_that_go_back_are_a_resume(session, clock, path, tmp_path):
    for step in [*range(1, 101), *range(51, 121)]:
        clock.now += 1.0
        session.step(step, loss=2.0 - step / 200, accuracy=0.5)
    session.finish()
    steps = [row["step"] for row in events(path, "step")]
    assert steps == [*range(1, 101), *range(51, 121)]
    history = document(tmp_path / "run" / "training_status.json")["train_loss_history"]
    assert [row["step"] for row in history] == list(range(1, 121))
    assert events(path, "alert") == []


def test_a_clock_that_goes_back(session, clock, path, tmp_path):
    for step in range(1, 40):
        clock.now += -1000.0 if step == 20 else 1.0
        session.wants_layers(step)
        session.step(step, loss=1.0 / step, tokens=10)
    session.finish()
    assert len(events(path, "step")) == 39
    assert document(tmp_path / "run" / "training_status.json")["current_step"] == 39


def test_a_run_directory_that_vanishes(session, clock, path, tmp_path):
    session.step(1, loss=1.0)
    names = ("telemetry.jsonl", "training_status.json", "run_summary.json")
    wait_for(lambda: all((tmp_path / "run" / name).exists() for name in names))
    shutil.rmtree(tmp_path / "run")
    with pytest.warns(CollectorWarning, match="the directory is gone") as told:
        for step in range(2, 20):
            clock.now += 2.0
            session.step(step, loss=1.0)
        session.finish()
    assert len(told) == 1  # three files, one cause
    assert not (tmp_path / "run").exists()


def test_ten_thousand_pairs(tmp_path, clock):
    n = 10_000
    rng = random.Random(0)
    names = tuple(f"model.layers.{i // 14}.self_attn.m{i % 14}" for i in range(n))
    session = Session(tmp_path, clock=clock)
    session.start(PairTable(names, (False,) * n, (8,) * n))
    for step in range(1, 15):
        clock.now += 10.0
        values = {name: array("d", [rng.random() + 0.1 for _ in range(n)]) for name in ("grad_a", "grad_b", "update")}
        values["update"][7] = 0.0
        session.step(step, loss=1.0, learning_rate=1e-4, layers=LayerRow(step, clock.now, values))
    session.finish()
    assert [len(row["grad_a"]) for row in events(tmp_path / "telemetry.jsonl", "lora")] == [n] * 14
    found = document(tmp_path / "training_status.json")
    assert found["lora_summary"]["dead_layers"] == 1
    assert len(found["lora_stats"]) == 512
    assert found["lora_stats"][names[7]]["state"] == "dead"
    assert (tmp_path / "training_status.json").stat().st_size < 300_000


def test_a_forked_child_writes_nothing(session, path):
    session.step(1, loss=1.0)
    child = os.fork()
    if child == 0:
        session.step(2, loss=1.0)
        session.evaluation(2, {"eval_loss": 1.0})
        session.finish("crashed", "child")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    session.step(3, loss=1.0)
    session.finish()
    assert [row["step"] for row in events(path, "step")] == [1, 3]
    assert len(events(path, "train_end")) == 1


ENDS = """
import os, sys
from mens_console.collectors.session import Session
session = Session(sys.argv[1], total_steps=5)
for step in range(1, 6 if sys.argv[2] == "whole" else 4):
    session.step(step, loss=1.0)
if sys.argv[2] == "ctrl-c":
    raise KeyboardInterrupt
if sys.argv[2] == "raise":
    raise ValueError("bad batch")
if sys.argv[2] == "child":
    if os.fork() == 0:
        sys.exit()
    os.wait()
    session.step(4, loss=1.0)
    session.finish()
"""


@pytest.mark.parametrize(
    ("how", "status", "step"),
    [("ctrl-c", "interrupted", 3), ("raise", "crashed", 3), ("leave", "interrupted", 3), ("whole", "completed", 5),
     ("child", "completed", 4)],
)  # fmt: skip
def test_a_program_that_ends_without_finish(tmp_path, how, status, step):
    program(ENDS, tmp_path, how, check=False)
    (end,) = events(tmp_path / "telemetry.jsonl", "train_end")
    assert (end["status"], end["step"]) == (status, step)
    assert end.get("error") == ("ValueError: bad batch" if how == "raise" else None)
    assert document(tmp_path / "training_status.json")["status"] == status
    assert document(tmp_path / "run_summary.json")["status"] == status


READ_ONLY = """
import os, sys
from mens_console.collectors.session import Session
from mens_console.collectors import provenance
provenance.environment_digest(), provenance.commit(".")  # what nobody may load that the interpreter belongs to
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
session = Session(sys.argv[1])
for step in range(1, 200):
    session.step(step, loss=1.0)
session.finish()
print("trained")
"""


def test_a_read_only_run_directory(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    done = program(READ_ONLY, folder)
    assert done.stdout.strip() == "trained"
    assert done.stderr.count("cannot be written") == 1  # telemetry, status and summary have one cause
    assert list(folder.iterdir()) == []


IMPORTS = """
import sys
from mens_console.collectors.session import Session
import mens_console.collectors.evaluation
heavy = ("torch", "numpy", "orjson", "pydantic", "psutil", "textual", "rich", "watchdog")
print([name for name in heavy if name in sys.modules])
"""


def test_a_trainer_is_burdened_with_nothing():
    assert program(IMPORTS).stdout.strip() == "[]"


def test_a_step_costs_little(tmp_path):
    """The target is 200 µs; what fails here is an order of magnitude more, on a busy machine."""
    session = Session(tmp_path)
    costs = []
    for step in range(1, 500):
        begun = time.perf_counter()
        session.step(step, loss=1.0 / step, learning_rate=1e-4, grad_norm=1.0, epoch=0.1, tokens=512, accuracy=0.5)
        costs.append(time.perf_counter() - begun)
    session.finish()
    assert sorted(costs)[len(costs) // 2] < 2e-3

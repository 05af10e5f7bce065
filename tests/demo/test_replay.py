"""The recorded runs through the real engine: the same conclusions at any speed, and every value as it was written."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest

from mens_console.config import Settings
from mens_console.demo.recording import Recording, shipped
from mens_console.demo.replay import Replay
from mens_console.signals.alerts import Silence
from mens_console.signals.eta import EtaEstimator
from mens_console.store.report import status_document
from mens_contracts.status import Status


def alerts(snapshot):
    return {
        run.name: [(a.rule, str(a.state), a.since, a.since_step, a.count, a.message) for a in run.alerts]
        for run in snapshot.runs
    }


@pytest.fixture(scope="module")
def played():
    replay = Replay([Recording.open(path) for path in shipped()], Settings(), speed=math.inf)
    snapshot = replay.run()
    states = {path.relative_to(replay.roots[0]).parts[0]: path for path in replay.roots[0].glob("*/trainer_state.json")}
    truth = {name: json.loads(path.read_text())["log_history"] for name, path in states.items()}
    yield snapshot, truth
    replay.stop()


def test_the_diagnosis_of_each_recorded_run(played) -> None:
    snapshot, _ = played
    states = {run.name: run.diagnosis.state for run in snapshot.runs}
    assert states == {
        "llama-lora-r8": "finished",
        "qwen-lora-r16": "finished",
        "llama-lora-r4-lr1e-3": "stalled",
        "llama-lora-r16-lr2e-1": "diverged",
        "qwen-lora-r4": "finished",
        "qwen-lora-r8-lr5e-1": "diverged",
        "llama-lora-r8-watched": "finished",
        "llama-lora-r8-two-dead": "finished",
        "qwen-lora-r8-alpha4096": "finished",
        "qwen-lora-r8-lr1e-6": "finished",
        "llama-lora-r8-overfit": "finished",
    }
    firing = {run.name: {a.rule for a in run.alerts if a.state == "firing"} for run in snapshot.runs}
    assert firing["llama-lora-r16-lr2e-1"] == {"hidden_nan", "nan_grad"}
    assert firing["qwen-lora-r8-lr5e-1"] == {"nan_loss", "nan_grad"}
    assert firing["llama-lora-r4-lr1e-3"] >= {"stall"}
    assert not firing["llama-lora-r8"]


def test_every_value_of_the_trainers_own_history_is_there(played) -> None:
    snapshot, truth = played
    assert len(truth) == 10
    for run in snapshot.runs:
        for name in ("loss", "eval_loss", "grad_norm", "learning_rate"):
            wanted = {row["step"]: row[name] for row in truth.get(run.name, ()) if name in row}
            if not wanted:
                continue
            series = run.series[name]
            got = dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))
            assert got.keys() == wanted.keys()
            np.testing.assert_equal([got[s] for s in wanted], [float(v) for v in wanted.values()])


def test_three_sources_of_one_run_are_one_line(played) -> None:
    snapshot, _ = played
    run = next(r for r in snapshot.runs if r.name == "qwen-lora-r16")
    assert {source.format for source in run.sources} == {"hf_console", "tfevents", "trainer_state"}
    assert [(s.start_step, s.end_step) for s in run.segments] == [(1, 250), (201, 400)]
    loss = run.series["loss"]
    assert loss.steps.tolist() == list(range(1, 401))
    assert [piece.steps.tolist() for piece in loss.rewound] == [list(range(201, 251))]
    # resumed with the random state of the checkpoint, the trainer went the same way again
    np.testing.assert_allclose(loss.rewound[0].values, loss.values[200:250], rtol=2e-3)


def test_the_status_document_keeps_its_contract(played) -> None:
    snapshot, _ = played
    document = json.loads(json.dumps(status_document(snapshot), allow_nan=False))
    status = Status.model_validate(document)
    assert status.schema_ == "mens-status/1"
    by_name = {run["name"]: run for run in document["runs"]}
    assert by_name["qwen-lora-r8-lr5e-1"]["loss"] == "NaN"
    assert by_name["llama-lora-r8"]["progress"] == 1.0


def test_the_same_alerts_at_any_speed(played) -> None:
    recordings = [Recording.open(path) for path in shipped() if path.stem in ("stalled", "diverged")]
    ends = []
    for speed in (60.0, math.inf):
        replay = Replay(recordings, Settings(), speed=speed)
        done = threading.Event()
        replay.start(lambda snapshot: None)
        while not replay.player.finished:
            done.wait(0.05)
        replay.stop()
        ends.append(alerts(replay.snapshot))
    assert ends[0] == ends[1]
    assert ends[0]["llama-lora-r4-lr1e-3"]


@pytest.mark.parametrize("speed", [1e-6, 1e6, math.inf])
def test_an_order_is_carried_out_at_any_speed_and_after_the_end_too(speed) -> None:
    recordings = [Recording.open(path) for path in shipped() if path.stem == "diverged-unfiltered"]
    replay = Replay(recordings, Settings(), speed=speed, skip=recordings[0].header.duration * 0.9)
    news = threading.Event()
    replay.start(lambda snapshot: news.set())

    def seen(true):
        while not true():
            assert news.wait(20), "nothing was published"
            news.clear()

    def nan_loss():
        return next((a for run in replay.snapshot.runs for a in run.alerts if a.rule == "nan_loss"), None)

    seen(lambda: nan_loss() is not None)
    if speed > 1:
        while not replay.player.finished:
            news.wait(0.05)
    replay.silence(Silence("s1", "*", "*", "ada", "", 0.0, math.inf))
    seen(lambda: nan_loss().silenced_until == math.inf)
    replay.unsilence("s1")
    seen(lambda: math.isnan(nan_loss().silenced_until))
    run_id = next(run.id for run in replay.snapshot.runs)
    replay.acknowledge(run_id, nan_loss().fingerprint, "seen")
    seen(lambda: nan_loss().acknowledged)
    assert nan_loss().note == "seen"
    replay.stop()


def test_a_stopped_replay_leaves_nothing_behind() -> None:
    replay = Replay([Recording.open(shipped()[0])], Settings(), speed=1.0)
    replay.start(lambda snapshot: None)
    root = replay.roots[0]
    replay.stop()
    assert not root.exists()


def test_the_interval_of_the_time_left_covers_the_true_finish_of_recorded_runs(played) -> None:
    """80 to 99 % of the 90 % intervals, over cuts all along every recorded run that made its last step.

    The box was full while they were recorded, and paces changed whenever one of them ended.
    """
    snapshot, _ = played
    covered = cuts = 0
    for run in snapshot.runs:
        loss = run.series["loss"]
        total, finish = int(loss.steps[-1]), float(loss.walls[-1])
        if total != run.total_steps:
            continue
        for k in range(20, len(loss.steps) - 5, 7):
            if loss.steps[k] < run.segments[-1].start_step:
                continue  # nobody can foresee being killed
            estimator = EtaEstimator()
            estimator.update_many(loss.steps[: k + 1].tolist(), loss.walls[: k + 1].tolist())
            now = float(loss.walls[k])
            eta = estimator.eta(total, now)
            if not math.isnan(eta.seconds):
                cuts += 1
                covered += eta.low <= finish - now <= eta.high
    assert cuts > 200
    assert 0.80 <= covered / cuts <= 0.99

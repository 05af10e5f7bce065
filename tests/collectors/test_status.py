"""The status document: every field, at its pace, recognised by the console, yielding to a living writer."""

import json
import os
import subprocess
import sys
import threading

import pytest
from collectors.written import Clock, document, program, still, wait_for
from ingest.formats.support import Read

from mens_console.collectors.guard import CollectorWarning
from mens_console.collectors.status import FIELDS, HISTORY, StatusWriter
from mens_console.ingest.formats.training_status import TrainingStatusDecoder, claims
from mens_contracts.training_status import TrainingStatus

SEED = {
    "fixed_eval_em": 0.5, "fixed_eval_ce": 1.2, "fixed_eval_ece": 0.1, "fixed_eval_trend": "improving",
    "accuracy_last_20": 0.6, "accuracy_last_50": 0.5, "accuracy_trend": "stable",
    "pattern_heatmap": {"patterns": ["a"], "lengths": ["≤8"], "correct": [[1]], "n": [[2]]},
    "lora_stats": {"layers.0.q": {"grad_norm": 0.1, "state": "active"}},
    "lora_summary": {"total_layers": 1, "active_layers": 1, "dead_layers": 0},
    "streaming_ce": 1.3, "loss_variance": 0.01, "token_entropy": 2.0, "loss_trend": "improving",
    "alert_summary": {"critical": 0, "warning": 1, "info": 0, "active": 1, "resolved": 2},
    "tokens_per_sec": 900.0, "tokens_per_sec_avg": 950.0, "throughput_trend": "stable",
}  # fmt: skip
ALERT = {
    "severity": "warning", "rule": "plateau", "message": "m", "recommendation": "r", "state": "firing",
    "since_step": 3, "count": 1,
}  # fmt: skip


def writer_of(path, clock, **more):
    return still(StatusWriter(path, clock=clock, **more))


def test_every_field_of_the_seed_is_there_and_valid(tmp_path):
    path, clock = tmp_path / "run" / "training_status.json", Clock()
    writer = writer_of(path, clock)
    writer.update_advanced_metrics(7, 100, 0.5, 1.25, 1e-4, alerts=[ALERT], **SEED)
    writer._write()
    found = document(path)
    assert {name: found[name] for name in SEED} == SEED
    assert found["active_alerts"] == [ALERT]
    assert (found["current_step"], found["total_steps"], found["epoch"]) == (7, 100, 0.5)
    assert (found["loss"], found["learning_rate"], found["status"]) == (1.25, 1e-4, "training")
    assert (found["pid"], found["timestamp"]) == (os.getpid(), clock.now)
    assert found["train_loss_history"] == [{"step": 7, "loss": 1.25, "lr": 1e-4}]
    TrainingStatus.model_validate(found)
    assert set(FIELDS) <= set(found)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    current = os.umask(0)
    os.umask(current)
    return current


def test_the_console_reads_it(tmp_path):
    path = tmp_path / "training_status.json"
    writer = writer_of(path, Clock())
    for step in range(1, 5):
        writer.note_loss(step, 3.0 / step, 1e-4)
    writer.update_advanced_metrics(4, 10, 0.4, 0.75, 1e-4, **SEED)
    writer._write()
    data = path.read_bytes()
    assert claims(path.name, data)
    decoder, got = TrainingStatusDecoder(), Read()
    got.add(decoder.feed(data, 5.0)[1])
    assert got.series("loss") == [(1, 3.0), (2, 1.5), (3, 1.0), (4, 0.75)]
    assert got.series("entropy") == [(4, 2.0)]
    assert got.series("fixed_eval_em") == [(4, 0.5)]
    assert got.series("tokens_per_sec") == [(4, 900.0)]
    assert got.fact("total_steps") == [10]
    assert got.fact("pid") == [os.getpid()]
    writer.finish("interrupted")
    got.add(decoder.feed(path.read_bytes(), 6.0)[1])
    assert [(fact[1], fact[3]) for fact in got.facts if fact[0] == "error"] == [("status interrupted", "killed")]
    assert claims(path.name, path.read_bytes()[:200])


def test_an_unknown_loss_is_left_out_and_nan_is_told(tmp_path):
    path = tmp_path / "s.json"
    writer = writer_of(path, Clock())
    writer.update_advanced_metrics(1, 10, None, None, None)
    writer._write()
    assert "loss" not in document(path)
    assert document(path)["streaming_ce"] is None
    writer.update_advanced_metrics(2, 10, None, float("nan"), None)
    writer.finish()
    assert document(path)["loss"] == "NaN"
    TrainingStatus.model_validate(document(path))


def test_at_most_every_five_seconds_and_once_at_the_end(tmp_path):
    path, clock = tmp_path / "s.json", Clock()
    writer, seen = writer_of(path, clock), []
    for step in range(1, 13):
        writer.update_advanced_metrics(step, 12, None, 1.0, None)
        writer._write()
        if path.exists() and (not seen or seen[-1] != document(path)["current_step"]):
            seen.append(document(path)["current_step"])
        clock.now += 1.0
    assert seen == [1, 6, 11]
    assert writer.finish()
    assert document(path)["current_step"] == 12
    assert document(path)["status"] == "completed"
    writer.update_advanced_metrics(13, 12, None, 1.0, None)
    writer._write()
    assert document(path)["current_step"] == 12


def test_a_clock_that_goes_back_does_not_silence_it(tmp_path):
    path, clock = tmp_path / "s.json", Clock()
    writer = writer_of(path, clock)
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    writer._write()
    clock.now -= 3600.0
    writer.update_advanced_metrics(2, 12, None, 1.0, None)
    writer._write()
    assert document(path)["current_step"] == 2


def test_a_phase_is_told_at_once(tmp_path):
    path = tmp_path / "s.json"
    writer = writer_of(path, Clock())
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    for phase in ("evaluating", "saving", "training"):
        writer.phase(phase)
        writer._write()
        assert document(path)["status"] == phase
    writer.phase("dancing")
    writer._write()
    assert document(path)["status"] == "training"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ("torch.cuda.OutOfMemoryError: CUDA out of memory", "torch.cuda.OutOfMemoryError", "CUDA out of memory"),
        ("it just broke: badly", "", "it just broke: badly"),
    ],
)
def test_a_crash(tmp_path, error, kind, message):
    path = tmp_path / "s.json"
    writer = writer_of(path, Clock())
    writer.update_advanced_metrics(3, 12, None, 1.0, None)
    writer.finish("crashed", error)
    found = document(path)
    assert (found["status"], found["error_type"], found["error_message"]) == ("crashed", kind, message)


def test_an_end_before_the_first_step_is_told_too(tmp_path):
    writer = writer_of(tmp_path / "s.json", Clock())
    writer.finish("crashed", "no data")
    assert document(tmp_path / "s.json")["current_step"] == 0


def test_the_history_is_short_and_a_resume_voids_its_end(tmp_path):
    path = tmp_path / "s.json"
    writer = writer_of(path, Clock())
    for step in range(500):
        writer.note_loss(step, float(step))
    writer.note_loss(400, -1.0)
    writer.update_advanced_metrics(400, None, None, -1.0, None)
    writer._write()
    history = document(path)["train_loss_history"]
    assert [row["step"] for row in history] == list(range(300, 401))
    assert history[-1]["loss"] == -1.0
    assert HISTORY == 200


# ------------------------------------------------------------------ two writers


def another(path, clock, pid, **more):
    path.write_text(
        json.dumps({"status": "training", "current_step": 900, "pid": pid, "host": os.uname().nodename,
                    "timestamp": clock.now, **more})
    )  # fmt: skip


@pytest.fixture
def neighbour():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child.pid
    child.stdin.close()
    child.wait(10)


def test_the_second_writer_leaves_it_alone_until_the_first_is_silent(tmp_path, neighbour):
    path, clock = tmp_path / "s.json", Clock()
    another(path, clock, neighbour)
    writer = writer_of(path, clock)
    with pytest.warns(CollectorWarning, match=f"kept by process {neighbour}") as told:
        for step in range(12):
            writer.update_advanced_metrics(step, 12, None, 1.0, None)
            writer._write()
            assert document(path)["pid"] == neighbour
            clock.now += 4.9
        assert not writer_of(path, clock).finish()
    assert [str(w.message) for w in told].count(str(told[0].message)) == 2  # one of each writer
    clock.now += 5.0
    writer.update_advanced_metrics(12, 12, None, 1.0, None)
    writer._write()
    assert document(path)["pid"] == os.getpid()


@pytest.mark.parametrize("more", [{"pid": 2**22 + 5}, {"status": "completed"}, {"pid": "x"}, {"timestamp": "old"}])
def test_a_dead_or_finished_writer_keeps_nobody_away(tmp_path, neighbour, more):
    path, clock = tmp_path / "s.json", Clock()
    another(path, clock, **{"pid": neighbour, **more})
    writer = writer_of(path, clock)
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    writer._write()
    assert document(path)["pid"] == os.getpid()


def test_a_writer_on_another_host_is_taken_at_its_word(tmp_path):
    path, clock = tmp_path / "s.json", Clock()
    another(path, clock, 2**22 + 5, host="elsewhere")
    writer = writer_of(path, clock)
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    with pytest.warns(CollectorWarning, match="kept by process"):
        writer._write()
    assert document(path)["host"] == "elsewhere"


# ------------------------------------------------------------------ disks


def test_no_reader_ever_sees_half_a_document(tmp_path):
    path = tmp_path / "s.json"
    writer = StatusWriter(path, every_s=0.0)
    stop, seen, torn = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            if path.exists():
                try:
                    seen.add(document(path)["current_step"])
                except ValueError as error:
                    torn.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    step = 0
    while len(seen) < 20:
        step += 1
        writer.update_advanced_metrics(step, None, None, 1.0, None, lora_stats={"x" * 50_000: {"state": "active"}})
        assert step < 1_000_000
    stop.set()
    reader.join()
    writer.finish()
    assert torn == []
    assert list(tmp_path.iterdir()) == [path]


LIMITED = """
import os, resource, sys
from mens_console.collectors.status import StatusWriter
w = StatusWriter(sys.argv[1], every_s=0.0)
w._background.wake = lambda: None
w.update_advanced_metrics(1, 9, None, 1.0, None)
w._write()
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for step in range(2, 9):
    w.update_advanced_metrics(step, 9, None, 1.0, None)
    w._write()
print(w.finish())
"""


def test_a_full_disk_keeps_the_older_document_whole(tmp_path):
    path = tmp_path / "s.json"
    done = program(LIMITED, path)
    assert done.stdout.strip() == "False"
    assert done.stderr.count("cannot be written") == 1
    assert document(path)["current_step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_deleted_is_not_made_again(tmp_path):
    path, clock, monotonic = tmp_path / "run" / "s.json", Clock(), Clock()
    writer = writer_of(path, clock, monotonic=monotonic)
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    writer._write()
    path.unlink()
    path.parent.rmdir()
    clock.now += 6.0
    writer.update_advanced_metrics(2, 12, None, 1.0, None)
    with pytest.warns(CollectorWarning, match="the directory is gone"):
        writer._write()
    assert not path.parent.exists()
    path.parent.mkdir()
    monotonic.now += 31.0
    writer._write()
    assert document(path)["current_step"] == 2


def test_the_thread_writes_by_itself(tmp_path):
    writer = StatusWriter(tmp_path / "s.json")
    writer.update_advanced_metrics(1, 12, None, 1.0, None)
    wait_for((tmp_path / "s.json").exists)
    writer.finish()

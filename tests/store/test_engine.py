"""The engine on real files that real writers grow, truncate, rotate, replace and abandon."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mens_console.config import Settings
from mens_console.store.engine import Engine
from mens_console.store.probe import Look, NoProbe, ProcessFact


class Clock:
    """A clock that only the test moves."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def __call__(self) -> float:
        return self.now


class FakeProbe:
    """Says what the test says."""

    def __init__(self) -> None:
        self.alive_now: dict[str, tuple[ProcessFact, ...]] = {}

    def boot_time(self) -> float:
        return 0.0

    def alive(self, process) -> bool:
        return any(p.pid == process.pid for facts in self.alive_now.values() for p in facts)

    def look(self, runs) -> Look:
        return Look({run: self.alive_now.get(run.name, ()) for run in runs}, complete=True, at=0.0)


class Bench:
    """An engine that the test steps by hand."""

    def __init__(self, root: Path, probe=None, **settings) -> None:
        self.clock = Clock()
        self.engine = Engine([root], Settings(**settings), clock=self.clock, probe=probe or NoProbe(), watch=False)
        self.snapshots = []
        self.engine.subscribe(self.snapshots.append)

    def settle(self, seconds: float = 3.0):
        """Let the clock pass and the engine read all there is."""
        beats = [seconds, 0.3, 0.3, 0.3] if seconds else [0.0]
        for beat in beats:
            self.clock.now += beat
            for _ in range(2000):
                if not self.engine.step(self.clock()) and not self.engine.snapshot.scanning:
                    break
            else:
                raise AssertionError("the engine never settles")
        return self.engine.snapshot

    def run(self, name: str | None = None):
        runs = self.settle().runs
        return runs[0] if name is None else next(r for r in runs if r.name == name)


def rows(first: int, last: int, **more) -> str:
    return "".join(json.dumps({"step": s, "loss": 10.0 / (s + 1), **more}) + "\n" for s in range(first, last))


def line(run, metric: str = "loss") -> dict[int, float]:
    series = run.series[metric]
    return dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def write(path: Path, text: str, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(text)
    return path


def test_history_then_live_rows(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 50))
    bench = Bench(tmp_path)
    run = bench.run()
    assert (run.step, run.series["loss"].points) == (49, 50)
    write(log, rows(50, 60), "a")
    run = bench.run()
    assert line(run) == {s: 10.0 / (s + 1) for s in range(60)}


def test_a_new_run_appears_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.settle().runs == ()
    write(tmp_path / "b" / "metrics.jsonl", rows(0, 3))
    assert bench.run().name == "b"


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 5) + '{"step": 5, "lo')
    bench = Bench(tmp_path)
    assert bench.run().step == 4
    write(log, 'ss": 2.5}\n', "a")
    run = bench.run()
    assert line(run)[5] == 2.5
    assert run.sources[0].bad_rows == 0


def test_truncated_and_rewritten(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 100))
    bench = Bench(tmp_path)
    assert bench.run().step == 99
    write(log, rows(0, 7))
    run = bench.run()
    assert line(run) == {s: 10.0 / (s + 1) for s in range(7)}
    assert run.sources[0].rows == 7


def test_rotated_rows_are_not_lost(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 10))
    bench = Bench(tmp_path)
    bench.run()
    write(log, rows(10, 15), "a")
    log.rename(log.with_name("metrics.jsonl.1"))
    write(log, rows(15, 20))
    run = bench.run()
    assert line(run) == {s: 10.0 / (s + 1) for s in range(20)}


def test_replaced_by_rename_with_more(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 10))
    bench = Bench(tmp_path)
    bench.run()
    fresh = write(tmp_path / "a" / ".tmp", rows(0, 30))
    fresh.replace(log)
    run = bench.run()
    assert line(run) == {s: 10.0 / (s + 1) for s in range(30)}
    assert run.sources[0].rows == 30


def test_resumed_run_is_one_run_with_two_segments(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 45))
    bench = Bench(tmp_path)
    bench.run()
    write(log, rows(30, 60), "a")
    run = bench.run()
    assert [(s.start_step, s.end_step) for s in run.segments] == [(0, 44), (30, 59)]
    assert run.series["loss"].points == 60
    assert [len(p.steps) for p in run.series["loss"].rewound] == [15]
    assert [m.step for m in run.marks if m.kind == "resume"] == [30]


def test_killed_writer_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    log.parent.mkdir()
    code = (
        "import json,sys\nf=open(sys.argv[1],'w')\ni=0\n"
        "while True:\n f.write(json.dumps({'step':i,'loss':1.0/(i+1),'pad':'x'*50})+'\\n'); i+=1\n"
        " if i%100==0: f.flush(); print(i, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(log)], stdout=subprocess.PIPE, text=True)
    bench = Bench(tmp_path)
    while int(writer.stdout.readline()) < 3000:
        bench.engine.step(bench.clock())
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    truth = [json.loads(text) for text in log.read_text().split("\n")[:-1]]
    run = bench.run()
    assert line(run) == {row["step"]: row["loss"] for row in truth}
    assert run.sources[0].rows == len(truth)


def test_nan_rings_live_and_stays(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 20))
    bench = Bench(tmp_path)
    assert bench.run().alerts == ()
    write(log, '{"step": 20, "loss": NaN}\n{"step": 21, "loss": NaN}\n', "a")
    run = bench.run()
    alert = next(a for a in run.alerts if a.rule == "nan_loss")
    assert (alert.state, alert.severity, alert.since_step) == ("firing", "critical", 20)
    assert np.isnan(run.last("loss"))


def test_a_loss_that_hides_a_nan_is_kept_as_logged_and_read_as_nan(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 20, grad_norm=1.0))
    bench = Bench(tmp_path)
    assert bench.run().read("loss") == bench.run().last("loss") == 0.5
    write(log, '{"step": 20, "loss": 0.0, "grad_norm": NaN}\n', "a")
    run = bench.run()
    assert run.last("loss") == 0.0 and np.isnan(run.read("loss")) and line(run)[20] == 0.0
    assert run.read("lr") is None


def test_stall_fires_and_resolves(tmp_path: Path) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    probe = FakeProbe()
    probe.alive_now = {"a": (ProcessFact(77, "python", True, "sleeping", 0.0, "writes a file of the run", 0.0),)}
    bench = Bench(tmp_path, probe)
    begin = bench.clock.now
    for i in range(40):
        write(log, rows(i, i + 1), "a")
        bench.clock.now = begin + 2.0 * i
        os.utime(log, (bench.clock.now, bench.clock.now))
        bench.settle(0.0)
    assert bench.engine.snapshot.runs[0].diagnosis.state == "running"
    bench.settle(100.0)
    run = bench.settle(100.0).runs[0]
    assert run.diagnosis.state == "stalled"
    assert any("77" in text for text in run.diagnosis.evidence)
    assert any(a.rule == "stall" and a.state == "firing" for a in run.alerts)
    write(log, rows(40, 41), "a")
    os.utime(log, (bench.clock.now, bench.clock.now))
    run = bench.settle(1.0).runs[0]
    assert run.diagnosis.state == "running"
    assert not any(a.rule == "stall" and a.active for a in run.alerts)


def test_a_cold_run_is_read_again_when_wanted(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 60_000, lr=0.1))
    write(tmp_path / "b" / "metrics.jsonl", rows(0, 60_000, lr=0.1))
    bench = Bench(tmp_path, memory_budget_mb=3)
    bench.settle()
    snapshot = bench.settle()
    assert any(r.cold for r in snapshot.runs)
    cold = next(r for r in snapshot.runs if r.cold)
    assert cold.series["loss"].points == 60_000
    assert len(cold.series["loss"].steps) < 2_000
    bench.engine.want(cold.id)
    bench.settle()
    warm = bench.engine.snapshot.get(cold.id)
    assert not warm.cold
    assert len(warm.series["loss"].steps) == 60_000


def test_an_idle_engine_publishes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 50) + '{"step": 50, "train_runtime": 3.2, "train_loss": 1.0}\n')
    bench = Bench(tmp_path)
    bench.settle()
    bench.settle(30.0)
    before = len(bench.snapshots)
    for _ in range(20):
        bench.settle(3.0)
    assert len(bench.snapshots) - before <= 1


@pytest.mark.parametrize("junk", [b"\x00\xff" * 500, b"", b"\xef\xbb\xbf", b"not json\n" * 10])
def test_junk_is_no_run_or_an_empty_one(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "metrics.jsonl").write_bytes(junk)
    for run in Bench(tmp_path).settle().runs:
        assert run.step is None


def test_watching_never_writes(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 50))
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    Bench(tmp_path).settle()
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_thresholds_are_the_operators(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 20) + '{"step": 20, "loss": 1.5}\n')
    usual = Bench(tmp_path)
    assert "loss_spike" not in {a.rule for a in usual.run().alerts}
    strict = Bench(tmp_path, thresholds={"loss_spike": {"entry": 1.05, "exit": 1.01}, "los_spike": {"entry": 2}})
    assert "loss_spike" in {a.rule for a in strict.run().alerts}
    assert any("did you mean loss_spike" in problem for problem in strict.engine.snapshot.problems)


def test_two_files_of_one_format_are_one_line_and_no_resume(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(1, 201))
    write(tmp_path / "a" / "train_log.jsonl", "".join(f'{{"step": {s}, "loss": 99}}\n' for s in range(5, 201, 5)))
    run = Bench(tmp_path).run()
    assert line(run) == {s: 10.0 / (s + 1) for s in range(1, 201)}
    assert [(s.start_step, s.end_step) for s in run.segments] == [(1, 200)]
    assert run.series["loss"].rewound == ()


def test_long_files_of_one_format_are_read_in_the_order_they_were_lived(tmp_path: Path) -> None:
    """The later file sorts first by name, and both are longer than one turn."""
    first = write(tmp_path / "a" / "train_log.jsonl", rows(0, 12_000, ts=1.7e9))
    os.utime(first, (1.7e9, 1.7e9))
    write(tmp_path / "a" / "metrics.jsonl", rows(9_000, 20_000, ts=1.8e9))
    run = Bench(tmp_path).run()
    assert [(s.start_step, s.end_step) for s in run.segments] == [(0, 11_999), (9_000, 19_999)]
    assert run.series["loss"].points == 20_000
    assert sum(piece.points for piece in run.series["loss"].rewound) == 3_000
    assert [source.path.name for source in run.sources] == ["metrics.jsonl", "train_log.jsonl"]


def test_a_console_is_read_after_the_files_that_tell_the_time(tmp_path: Path) -> None:
    """Written first and by name before them; its repeat at the resume must not swallow what follows."""
    bars = "  0%|#| 0/400 [00:01<00:01]\n"
    bars += "".join(
        f"{{'loss': {s}, 'epoch': {s / 100}}}\n  1%|#| {s}/400 [00:01<00:01]\n" for s in (10, 20, 20, 30, 40)
    )
    os.utime(write(tmp_path / "a" / "console.log", bars), (1.6e9, 1.6e9))
    log = "".join(f'{{"step": {s}, "lr": 0.1, "loss": {-s}, "ts": {1.7e9 + s}}}\n' for s in (10, 20))
    log += "".join(f'{{"step": {s}, "lr": 0.2, "loss": {-s}, "ts": {1.8e9 + s}}}\n' for s in (15, 20, 25))
    write(tmp_path / "a" / "metrics.jsonl", log)
    run = Bench(tmp_path).run()
    assert line(run) == {10: -10, 15: -15, 20: -20, 25: -25, 30: 30, 40: 40}
    assert [(s.start_step, s.end_step) for s in run.segments] == [(10, 20), (15, 40)]


@pytest.mark.parametrize("content", [rows(0, 7), rows(50, 260)])
def test_what_was_rewritten_is_read_at_once_and_not_a_beat_later(tmp_path: Path, content: str) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 100))
    bench = Bench(tmp_path)
    bench.run()
    write(log, content)
    bench.engine.hint([log])
    while bench.engine.step(bench.clock()):
        pass
    (run,) = bench.engine.snapshot.runs
    assert run.series["loss"].points == run.sources[0].rows == content.count("\n")


def test_what_follows_a_rotation_is_read_at_once(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 10))
    bench = Bench(tmp_path)
    bench.run()
    write(log, rows(10, 15), "a")
    log.rename(log.with_name("metrics.jsonl.1"))
    write(log, rows(15, 20))
    bench.engine.hint([log])
    while bench.engine.step(bench.clock()):
        pass
    assert bench.engine.snapshot.runs[0].series["loss"].points == 20


def test_a_document_read_again_counts_its_own_rows(tmp_path: Path) -> None:
    def state(last: int) -> str:
        history = [{"step": s, "loss": 1.0} for s in range(last)]
        return json.dumps({"log_history": history, "global_step": last, "max_steps": 100})

    document = write(tmp_path / "a" / "trainer_state.json", state(5))
    bench = Bench(tmp_path)
    assert bench.run().sources[0].rows == 5
    write(document, state(9))
    assert bench.run().sources[0].rows == 9


def test_a_clock_that_is_set_back_puts_nothing_off(tmp_path: Path) -> None:
    log = write(tmp_path / "a" / "metrics.jsonl", rows(0, 10))
    torn = write(tmp_path / "d" / "trainer_state.json", '{"log_history": [{"step": 1, "loss": 1}], "global_step": 1, ')
    bench = Bench(tmp_path)
    bench.settle()
    bench.clock.now -= 86_400
    write(log, rows(10, 20), "a")
    write(tmp_path / "b" / "metrics.jsonl", rows(0, 3))
    write(torn, '"max_steps": 3}', "a")
    log.chmod(0o600)
    runs = {run.name: run for run in bench.settle().runs}
    assert {name: run.step for name, run in runs.items()} == {"a": 19, "b": 2, "d": 1}
    assert not any(run.diagnosis.state == "waiting" for run in runs.values())


def test_a_one_shot_answer_has_the_last_row_of_a_file_without_its_newline(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.csv", "step,loss\n1,2.5\n2,2.25")
    write(tmp_path / "b" / "metrics.jsonl", rows(0, 5) + '{"step": 5, "lo')
    snapshot = Engine([tmp_path], Settings(), probe=NoProbe(), watch=False).load()
    runs = {run.name: run for run in snapshot.runs}
    assert line(runs["a"]) == {1: 2.5, 2: 2.25}
    assert (runs["b"].step, runs["b"].sources[0].bad_rows) == (4, 1)


def test_a_file_that_its_decoder_cannot_stand_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TypeError("unforeseen")

    monkeypatch.setattr("mens_console.ingest.formats.csv_metrics.CsvDecoder.feed", refuse)
    write(tmp_path / "a" / "metrics.csv", "step,loss\n1,2.5\n")
    write(tmp_path / "b" / "metrics.jsonl", rows(0, 5))
    runs = {run.name: run for run in Bench(tmp_path).settle().runs}
    assert runs["b"].step == 4
    assert "unforeseen" in (runs["a"].sources[0].problem or "")


def test_a_process_that_its_own_files_name_is_missed_at_the_first_look(tmp_path) -> None:
    """One look is enough: nobody has to have seen it alive."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = tmp_path / "run"
    run.mkdir()
    start = {"pid": gone.pid, "host": socket.gethostname(), "total_steps": 100}
    now = time.time() - 30
    lines = [("train_start", start), *(("step", {"step": s, "loss": 1.0}) for s in range(1, 9))]
    (run / "telemetry.jsonl").write_text(
        "".join(
            json.dumps({"ts_ms": int((now + i) * 1000), "event": event, "payload": payload}) + "\n"
            for i, (event, payload) in enumerate(lines)
        )
    )
    os.utime(run / "telemetry.jsonl", (now + 9, now + 9))
    (found,) = Engine([tmp_path], Settings(), watch=False).load().runs
    assert found.diagnosis.state == "killed"
    assert any(str(gone.pid) in line for line in found.diagnosis.evidence)


def stages(*events) -> str:
    return "".join(
        json.dumps({"ts_ms": 1000, "event": f"stage_{kind}", "payload": said}) + "\n" for kind, said in events
    )


def test_a_stage_that_was_killed_stops_running_without_another_word(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 20))
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        begun = {"stage": "train", "id": "t", "pid": child.pid, "host": os.uname().nodename, "started": time.time()}
        write(tmp_path / "a" / "stages.jsonl", stages(("start", begun)))
        bench = Bench(tmp_path)
        states = {stage.id: stage.state for stage in bench.run().stages}
        assert states["train"] == "running"
    finally:
        child.kill()
        child.communicate()
    states = {stage.id: stage.state for stage in bench.run().stages}
    assert states["train"] == "failed"


def test_many_facts_of_one_stage_do_not_displace_how_others_went(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 20))
    named = {"stage": "train", "id": "t"}
    first = {"stage": "dataset", "id": "d"}
    events = [("start", first), ("end", {**first, "exit_code": 0, "met": True, "measured": "0 parse errors"})]
    events += [("start", named), *(("step", {**named, "facts": {"i": i}}) for i in range(1000))]
    write(tmp_path / "a" / "stages.jsonl", stages(*events, ("end", {**named, "exit_code": 3})))
    states = {stage.id: stage.state for stage in Bench(tmp_path).run().stages}
    assert (states["dataset"], states["train"]) == ("done", "failed")


def test_a_configuration_that_is_changed_meanwhile_is_told_and_no_more_once_it_is_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "a" / "metrics.jsonl", rows(0, 50))
    file = write(tmp_path / "config.toml", "[thresholds.stall]\nentry = 60\n")
    bench = Bench(tmp_path / "runs", files=(file,))
    assert bench.settle().problems == ()
    os.utime(file)
    assert bench.settle(6.0).problems == (), "saved again as it was"
    file.write_text("[thresholds.stall]\nentry = 90\n")
    (problem,) = bench.settle(6.0).problems
    assert problem == f"{file} was changed: what it says now holds from the next start of this program"
    file.unlink()
    assert bench.settle(6.0).problems == (problem,)
    file.write_text("[thresholds.stall]\nentry = 60\n")
    assert bench.settle(6.0).problems == ()

"""The engine on its own thread, with kernel hints, worker processes and accidents."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from mens_console.config import Settings
from mens_console.store.engine import Engine
from mens_console.store.probe import NoProbe


class Watch:
    """An engine that runs, and a way to wait for what it publishes."""

    def __init__(self, root: Path, *, watch: bool = True, **settings) -> None:
        self.engine = Engine([root], Settings(**settings), probe=NoProbe(), watch=watch)
        self._changed = threading.Condition()
        self.seen = []

    def __enter__(self) -> Watch:
        self.engine.start(self._published)
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()

    def _published(self, snapshot) -> None:
        with self._changed:
            self.seen.append(snapshot)
            self._changed.notify_all()

    def until(self, condition, timeout: float = 20.0):
        with self._changed:
            assert self._changed.wait_for(lambda: self.seen and condition(self.seen[-1]), timeout), self.seen[-1:]
            return self.seen[-1]


def rows(first: int, last: int, width: int = 0) -> str:
    pad = {f"m{i}": i / 7 for i in range(width)}
    return "".join(json.dumps({"step": s, "loss": 5.0 / (s + 1), **pad}) + "\n" for s in range(first, last))


def write(path: Path, text: str, mode: str = "a") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(text)


@pytest.mark.parametrize("hints", [True, False])
def test_runs_appear_and_grow_by_themselves(tmp_path: Path, hints: bool) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    with Watch(tmp_path, watch=hints) as watch:
        watch.until(lambda s: not s.scanning)
        write(log, rows(0, 10))
        watch.until(lambda s: s.runs and s.runs[0].step == 9)
        write(log, rows(10, 12))
        final = watch.until(lambda s: s.runs[0].step == 11)
        assert final.runs[0].series["loss"].points == 12
        log.unlink()
        log.parent.rmdir()
        watch.until(lambda s: not s.runs or s.runs[0].sources[0].problem is not None)
    assert not [t for t in threading.enumerate() if t.name in ("engine", "backlog")]


def test_a_long_history_is_read_by_a_worker_behind_a_preview(tmp_path: Path) -> None:
    log = tmp_path / "long" / "metrics.jsonl"
    write(log, rows(0, 20_000, width=20))
    assert log.stat().st_size > 4 << 20
    with Watch(tmp_path) as watch:
        final = watch.until(lambda s: s.runs and not s.scanning and s.runs[0].step == 19_999)
        while_reading = [s.runs[0] for s in watch.seen if s.runs and s.runs[0].backlog is not None]
        assert any(r.preview.get("loss") == 5.0 / 20_000 for r in while_reading)
        (run,) = final.runs
        assert run.backlog is None
        assert run.series["loss"].points == 20_000
        assert run.sources[0].rows == 20_000
        write(log, rows(20_000, 20_005, width=20))
        watch.until(lambda s: s.runs[0].step == 20_004)
        write(log, rows(0, 30, width=20), "w")
        watch.until(lambda s: s.runs[0].step == 29 and s.runs[0].series["loss"].points == 30)


def test_a_worker_that_fails_costs_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "long" / "metrics.jsonl"
    write(log, rows(0, 20_000, width=20))
    monkeypatch.setattr("mens_console.ingest.backlog._command", lambda: ["/bin/false"])
    with Watch(tmp_path) as watch:
        final = watch.until(lambda s: s.runs and not s.scanning and s.runs[0].step == 19_999)
        assert final.runs[0].series["loss"].points == 20_000


def test_one_shot_answers_hold_every_run(tmp_path: Path) -> None:
    for i in range(60):
        write(tmp_path / f"run-{i:02}" / "metrics.jsonl", rows(0, 5))
    write(tmp_path / "long" / "metrics.jsonl", rows(0, 20_000, width=20))
    told = []
    engine = Engine([tmp_path], Settings(), probe=NoProbe(), watch=False)
    snapshot = engine.load(lambda done, size: told.append((done, size)))
    assert len(snapshot.runs) == 61
    assert {run.series["loss"].points for run in snapshot.runs} == {5, 20_000}
    assert told


def test_many_moving_runs_are_all_refreshed_in_the_end(tmp_path: Path) -> None:
    logs = [tmp_path / f"run-{i:03}" / "metrics.jsonl" for i in range(120)]
    for log in logs:
        write(log, rows(0, 5))
    with Watch(tmp_path) as watch:
        watch.until(lambda s: len(s.runs) == 120 and not s.scanning)
        chosen = watch.seen[-1].runs[77].id
        watch.engine.want(chosen, [run.id for run in watch.seen[-1].runs[:5]])
        for log in logs:
            write(log, rows(5, 8))
        watch.until(lambda s: s.get(chosen).step == 7)
        watch.until(lambda s: all(run.step == 7 for run in s.runs), 40.0)


def test_nothing_is_published_before_the_next_frame_may_come(tmp_path: Path) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    write(log, rows(0, 3))
    with Watch(tmp_path) as watch:
        watch.until(lambda s: not s.scanning and s.runs and s.runs[0].step == 2)
        not_before = time.monotonic() + 0.6
        watch.engine.pace(not_before)
        known = len(watch.seen)
        for step in range(3, 8):
            write(log, rows(step, step + 1))
        final = watch.until(lambda s: s.runs[0].step == 7)
        assert time.monotonic() >= not_before
        assert [s.runs[0].step for s in watch.seen[known:]] == [7]
        assert final.runs[0].series["loss"].points == 8


def test_an_accident_is_told_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    write(log, rows(0, 3))
    with Watch(tmp_path, watch=False) as watch:
        watch.until(lambda s: s.runs and s.runs[0].step == 2)

        def explode(*_: object, **__: object) -> bool:
            raise RuntimeError("boom")

        monkeypatch.setattr(watch.engine, "_read", explode)
        told = watch.until(lambda s: s.problems)
        assert "internal error" in told.problems[0]
        assert "boom" in told.problems[0]
        monkeypatch.undo()
        write(log, rows(3, 6))
        watch.until(lambda s: s.runs[0].step == 5)

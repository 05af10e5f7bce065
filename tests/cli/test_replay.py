import json
import sys

import pytest
from cli.runs import broken, healthy, resumed, rows, write

from mens_console.cli.errors import CommandError
from mens_console.cli.reenact import reenact
from mens_console.config import Settings
from mens_console.demo.recording import shipped
from mens_console.demo.replay import Replay
from mens_console.store.engine import Engine


def load(folder):
    (run,) = Engine([folder], Settings(), watch=False).load().runs
    return run


def replayed(run):
    replay = Replay([reenact(run)], Settings(), speed=float("inf"))
    try:
        (again,) = replay.run().runs
        return again
    finally:
        replay.stop()


@pytest.mark.parametrize("make", [healthy, broken, resumed])
def test_a_run_played_again_says_the_same(box, make):
    run = load(make(box))
    again = replayed(run)
    assert again.step == run.step
    assert [(s.start_step, s.end_step) for s in again.segments] == [(s.start_step, s.end_step) for s in run.segments]
    for name, series in run.series.items():
        assert again.series[name].steps.tolist() == series.steps.tolist()
        assert repr(again.series[name].values.tolist()) == repr(series.values.tolist())
    fired = [{alert.rule for alert in view.alerts if alert.rule in {"nan_loss", "loss_spike"}} for view in (again, run)]
    assert fired[0] == fired[1]


def test_bytes_come_when_their_rows_were_logged(box):
    run = load(healthy(box))
    recording = reenact(run)
    data = (run.path / "metrics.jsonl").read_bytes()
    assert b"".join(event.data for event in recording.events()) == data
    assert recording.header.duration == pytest.approx(198.0)
    for event in recording.events():
        last = [row for row in map(json.loads, event.data.strip().splitlines()) if "ts" in row]
        if last:
            assert event.t == pytest.approx(last[-1]["ts"] - recording.header.started_at)
        assert event.data.endswith((b"\n", b"}"))


def test_without_times_a_row_a_second(box):
    bare = write(box / "bare", ({k: v for k, v in row.items() if k != "ts"} for row in rows(range(1, 61))))
    recording = reenact(load(bare))
    assert recording.header.duration == pytest.approx(60.0)
    assert [event.t for event in recording.events()] == sorted(event.t for event in recording.events())


def test_documents_come_whole(box):
    folder = healthy(box)
    history = [{"step": s, "loss": 1.0 / s, "epoch": s / 10} for s in range(1, 11)]
    (folder / "trainer_state.json").write_text(
        json.dumps({"global_step": 10, "max_steps": 10, "log_history": history, "epoch": 1.0})
    )
    events = {event.path: event for event in reenact(load(folder)).events()}
    assert events["trainer_state.json"].kind == "write"
    assert json.loads(events["trainer_state.json"].data)["global_step"] == 10


def test_a_hostile_name_stays_a_name(box):
    run = load(healthy(box, "..x\x1b[31m"))
    assert reenact(run).header.name == "x␛[31m"
    assert replayed(run).step == run.step


def test_too_large_or_gone_is_said(box, monkeypatch):
    run = load(healthy(box))
    monkeypatch.setattr("mens_console.cli.reenact.MAX_BYTES", 100)
    with pytest.raises(CommandError, match="keeps its files in memory"):
        reenact(run)
    (run.path / "metrics.jsonl").unlink()
    with pytest.raises(CommandError, match=r"metrics\.jsonl: it is gone"):
        reenact(run)


@pytest.fixture
def shown(monkeypatch):
    """Stand in for the screens: note what would be shown, and that it was stopped afterwards."""
    seen = []

    class App:
        return_code = 0

        def __init__(self, engine, settings, *, pins):
            self.engine = engine
            seen.append(engine)

        def exit(self, *_):
            """Would leave at once."""

        def run(self, **_):
            self.folder = self.engine.roots[0].parent
            seen.append((self.engine.speed, len(self.engine.player.processes()), self.folder.exists()))

    module = type(sys)("app")
    module.ConsoleApp = App
    monkeypatch.setitem(sys.modules, "mens_console.screens.app", module)
    monkeypatch.setattr("mens_console.cli.replay.need_terminal", lambda: None)
    return seen


def test_demo_plays_the_shipped_recordings(cli, shown):
    assert cli("demo", "--speed", "max")[0] == 0
    engine, (speed, _, existed) = shown
    assert speed == float("inf")
    assert existed
    assert not engine.roots[0].parent.exists()
    assert len(shipped()) >= 5


def test_replay_takes_a_run_or_a_recording(cli, shown, box):
    healthy(box)
    assert cli("replay", "good", "--in", box, "--speed", 60)[0] == 0
    assert cli("replay", shipped()[0])[0] == 0
    assert [entry[0] for entry in shown[1::2]] == [60.0, 1.0]
    (box / "torn.mrec").write_bytes(b"no recording")
    code, _, err = cli("replay", box / "torn.mrec")
    assert code == 2
    assert "torn.mrec" in err


def test_without_recordings_there_is_no_demo(cli, shown, monkeypatch):
    monkeypatch.setattr("mens_console.cli.replay.shipped", list)
    code, _, err = cli("demo")
    assert code == 2
    assert "recordings are not installed" in err

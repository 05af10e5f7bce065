"""Logs of no run: found below the roots, told of in the snapshot, and gone when they are gone."""

from mens_console.config import Settings
from mens_console.ingest.found import FoundRecord
from mens_console.store import straylogs
from mens_console.store.engine import Engine
from mens_console.store.straylogs import StrayLogs


def test_a_servers_log_is_told_of_and_a_list_is_none(tmp_path):
    server = tmp_path / "server"
    server.mkdir()
    (server / "vllm.log").write_text("INFO 01-31 14:32:00 [core.py:1] ready\n")
    (server / "requirements.txt").write_text("torch\n")
    run = tmp_path / "lora"
    run.mkdir()
    (run / "train.log").write_text("INFO start\n")
    engine = Engine([tmp_path], Settings(), watch=False)
    engine.step(1000.0)
    (stray,) = engine.snapshot.strays
    assert (stray.owner, stray.path, stray.size) == ("server", server / "vllm.log", 38)
    assert [one.path.name for one in engine.snapshot.runs] == ["lora"]


def test_growth_is_news_and_what_is_gone_is_left_out(tmp_path, monkeypatch):
    path = tmp_path / "a.log"
    path.write_text("one\n")
    logs, found = StrayLogs(), [FoundRecord("x", path, "log"), FoundRecord("x", tmp_path / "gone.log", "log")]
    assert logs.admit(found) and not logs.admit(found)
    assert [view.size for view in logs.views] == [4]
    with path.open("a") as file:
        file.write("two\n")
    assert logs.admit(found) and logs.views[0].size == 8
    monkeypatch.setattr(straylogs, "MOST", 0)
    assert logs.admit(found) and logs.views == ()

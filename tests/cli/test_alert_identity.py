"""An alert is the same one whichever folders are searched: its fingerprint, what was said of it, and what was told."""

import json
import os

import pytest
from cli.runs import broken
from notify.alarms import service
from support.attempt_logs import write_attempts


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MENS_NOTIFY", raising=False)
    return tmp_path / "state" / "mens-console"


def write_nan(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"step": i, "loss": 2.0 if i < 20 else float("nan"), "learning_rate": 1e-4} for i in range(25)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def shelf(box):
    """A box with a run in a folder, two runs that share one, and an attempt log."""
    broken(box)
    write_nan(box / "jobs" / "left.jsonl")
    write_nan(box / "jobs" / "right.jsonl")
    (box / "gen").mkdir()
    write_attempts(box / "gen" / "attempts.jsonl", rows=2000, scenario="collapsed")
    return box


def listed(cli, *words):
    return {(one["path"], one["run"].rpartition("/")[2], one["rule"]): one for one in json.loads(cli(
        "alerts", "list", "--json", "--all", *words)[1])["alerts"]}  # fmt: skip


def names(alerts):
    return {key: one["fingerprint"] for key, one in alerts.items() if one["rule"] != "stall"}


def test_fingerprints_do_not_depend_on_where_one_looks_from(cli, shelf, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(shelf)
    seen = names(listed(cli, shelf))
    assert {path for path, _, _ in seen} == {str(shelf / "nan"), str(shelf / "jobs"), str(shelf / "gen")}
    assert len(set(seen.values())) == len(seen), "runs that share a folder have alerts of their own"
    for roots in ([shelf.parent], [link], [shelf / "nan", shelf / "jobs", shelf / "gen"]):
        found = names(listed(cli, *roots))
        assert set(found.values()) == set(seen.values()), roots
    assert set(names(listed(cli, shelf / "jobs")).values()) < set(seen.values())
    assert set(names(listed(cli, shelf / "jobs" / "left.jsonl")).values()) < set(seen.values())


@pytest.mark.parametrize("folder", ["nan", "jobs", "gen"])
def test_what_was_said_holds_wherever_one_looks_from(cli, shelf, folder):
    seen = [one for (path, _, _), one in listed(cli, shelf).items() if path == str(shelf / folder)]
    on = next(one for one in seen if one["state"] == "firing")
    assert cli("alerts", "ack", on["fingerprint"], "--in", shelf)[0] == 0
    for root in (shelf / folder, shelf.parent):
        said = {one["fingerprint"] for one in listed(cli, root).values() if one["acknowledged"]}
        assert said == {on["fingerprint"]}, root


def test_a_silence_of_a_run_in_a_shared_folder_is_about_that_run(cli, shelf):
    run = ("--run", "jobs/left", "--in", shelf)
    assert cli("alerts", "silence", "nan_loss", *run, "--for", "2h", "--comment", "known")[0] == 0
    for root in (shelf, shelf / "jobs"):
        hushed = {key[1] for key, one in listed(cli, root).items() if one["silenced_until"] is not None}
        assert hushed == {"left"}, root


def test_books_of_earlier_versions_are_read(cli, shelf, state):
    found = {key[1]: one for key, one in listed(cli, shelf).items() if one["rule"] in ("nan_loss", "repairs_high")}
    log = next(one for one in listed(cli, shelf).values() if one["entity"].startswith("generation:"))
    acks = [
        {"place": str(shelf / "jobs" / "left"), "rule": "nan_loss", **episode(found["left"])},
        {"place": log["entity"], "rule": log["rule"], **episode(log)},
    ]
    hush = {"id": "81c2aaaa", "rule": "*", "place": log["entity"], "author": "ada", "comment": "", "start": 0.0}
    state.mkdir(parents=True)
    old = {"schema": "mens-alerts/1", "acks": acks, "silences": [{**hush, "end": 4e9}], "left": {}}
    (state / "alerts.json").write_text(json.dumps(old))
    now = listed(cli, shelf)
    assert {key[1:] for key, one in now.items() if one["acknowledged"]} >= {("left", "nan_loss")}
    same = next(one for one in now.values() if one["fingerprint"] == log["fingerprint"])
    assert (same["acknowledged"], same["silenced_until"]) == (log["state"] == "firing", 4e9)


def episode(alert):
    kept = {"since": alert["since"], "since_step": alert["since_step"], "severity": "critical"}
    return {**kept, "by": "ada", "at": 1.7e9, "note": ""}


def test_a_watch_that_goes_on_with_a_memory_of_earlier_versions_tells_nothing_twice(cli, shelf, state, monkeypatch):
    with service() as chat:
        monkeypatch.setenv("MENS_NOTIFY", f"json://127.0.0.1:{chat.port}/")
        once = ("watch", "--notify", "--once", shelf)
        for path in shelf.rglob("*.jsonl"):
            os.utime(path)
        cli(*once)
        assert chat.told, "what is wrong for the first time is told"
        (memory,) = state.glob("notified-*.json")
        document = json.loads(memory.read_text())
        owners = {str(shelf / "jobs" / name): str(shelf / "jobs") for name in ("left", "right")}
        rows = {(row["place"], row["rule"]): row for row in document["entries"]}
        for row in rows.values():
            row["place"] = owners.get(row["place"], row["place"]).replace(f"generation:{shelf}/", "generation:")
        memory.write_text(json.dumps({**document, "entries": list(rows.values())}))
        count = len(chat.told)
        cli(*once)
        assert len(chat.told) == count

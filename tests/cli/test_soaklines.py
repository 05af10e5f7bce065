"""`mens-console status` of a box with soaks: a line each, the document, and what the exit status rests on."""

import fcntl
import json
import socket
import time

import pytest
from screens import soakbox
from support.soaks import Scene, Trouble, write_soak

from mens_console.cli.main import main
from mens_console.cli.soaklines import soak_lines
from mens_console.cli.status import plain
from mens_console.soak.control import boot_id
from mens_console.soak.glance import glance
from mens_console.store.snapshot import SoakView
from mens_console.store.soakreport import soak_document
from mens_contracts.status import Status


def lines(*views):
    return soak_lines(views, plain)


def test_a_line_tells_state_progress_and_verdicts():
    young, failing, long, died, foreign = lines(*soakbox.several()[1:2], *soakbox.several()[:1], *soakbox.several()[2:])
    assert young.startswith("● running  soak young  9m24s of 72h  up 99.91 % ◐ undecided")
    assert "✖ FAIL" in failing
    assert "1 incident (one is open)" in failing
    assert "72h of 72h" in long
    assert "3 incidents" in long
    assert "resume it with" in died
    assert "up 96.15 %" in foreign
    assert "incidents —" in foreign, "nobody looked"


def test_incidents_that_nobody_looked_for_are_null():
    assert soak_document(soakbox.view(soakbox.imported()))["incidents"] is None
    assert soak_document(soakbox.view(soakbox.young()))["incidents"] == 0


def test_what_cannot_be_read_is_said():
    (line,) = lines(SoakView("bad", soakbox.Path("/r/bad"), None, 1, problem="plan.json line 1: no rate\x1b["))
    assert line.startswith("? unknown  soak bad  plan.json line 1: no rate")
    assert "\x1b" not in line


@pytest.fixture
def box(tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    root = tmp_path / "box"
    root.mkdir()
    return root


def test_a_box_with_nothing_but_a_soak_is_no_empty_box(box, capsys):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0))
    assert main(["status", str(box)]) == 0
    shown = capsys.readouterr()
    assert "✔ finished  soak soak  12m of 12m" in shown.out
    assert "no runs" not in shown.err
    assert main(["status", "--json", str(box)]) == 0
    document = Status.model_validate_json(capsys.readouterr().out)
    (soak,) = document.model_dump()["soaks"]
    assert (soak["id"], soak["state"], soak["requests"]) == ("soak", "finished", 720)
    assert soak["verdicts"]["failures"]["band"] == "undecided"
    assert soak["ttft_ms"]["n"] == 720


def test_a_soak_that_failed_and_ended_leaves_an_alert_that_is_held(box, capsys):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0, troubles=(Trouble(120.0, 360.0),)))
    assert main(["status", "--json", str(box)]) == 0, "it is over: nobody can mend it any more"
    document = json.loads(capsys.readouterr().out)
    assert document["soaks"][0]["verdicts"]["uptime"]["band"] == "fail"
    held = {alert["rule"]: alert["held"] for alert in document["box_alerts"]}
    assert held == {"soak_uptime": True, "soak_errors": True}


def test_alerts_about_a_soak_name_it(box, capsys):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0, troubles=(Trouble(120.0, 360.0),)))
    main(["alerts", "list", "--all", str(box)])
    shown = capsys.readouterr().out
    assert "soak_uptime  soak" in shown
    assert ", threshold 99.5 %" in shown, "a share is told in percent"
    assert "seen once" in shown


def test_one_look_at_a_box_with_nothing_but_a_soak_tells_figures(box, capsys):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0, until=500.0, finished=False, troubles=(Trouble(120.0, 360.0),)))
    assert main(["watch", "--once", str(box)]) == 1
    shown = capsys.readouterr()
    assert "no runs" not in shown.err
    assert "error rate of the soak is 48 %, above 0.5 % (240 of 500)" in shown.out
    assert "uptime of the soak is 52.00 %, below 99.50 % (24 of 50 failed)" in shown.out


def test_the_short_line_of_a_box_with_nothing_but_a_soak(box, capsys, monkeypatch):
    read = []
    monkeypatch.setattr("mens_console.soak.follow.SoakFollower", read.append)
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0))
    assert main(["status", "--line", str(box)]) == 0
    assert capsys.readouterr().out == "soak soak ✔ finished 12m/12m\n"
    assert not read, "a status bar waits for no minute to be read"


def drives(folder, now_s, minute, **facts):
    """Write what a driver of this box tells that holds its lock; return the lock."""
    (folder / "driver.json").write_text(json.dumps({"state": "running", "now_s": now_s, "pid": 7} | facts))
    lines = (folder / "minutes.ndjson").read_text().splitlines()
    (folder / "minutes.ndjson").write_text("\n".join(lines[: minute + 1]) + "\n")
    lock = (folder / "driver.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@pytest.fixture
def run(box):
    (box / "tiny").mkdir()
    rows = [json.dumps({"step": step, "loss": 2.0}) for step in range(5)]
    (box / "tiny" / "metrics.jsonl").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("minute", "status", "said"),
    [(1, 0, "soak ● 2m30s/12m"), (4, 1, "soak ✖ 5m30s/12m 100 % fail")],
)
def test_beside_runs_the_short_line_has_room_for_a_soak_that_goes_on(box, run, capsys, minute, status, said):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0, troubles=(Trouble(240.0, 360.0),)))
    with drives(box / "soak", minute * 60 + 90, minute):
        assert main(["status", "--line", str(box)]) == status
    shown = capsys.readouterr().out.rstrip("\n")
    assert shown.endswith(f"  {said}")
    assert "tiny" in shown
    assert len(shown) <= 60


def test_a_soak_that_died_is_on_the_short_line_and_one_that_is_over_is_not(box, run, capsys):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0))
    assert main(["status", "--line", str(box)]) == 0
    assert "soak" not in capsys.readouterr().out
    facts = {"host": socket.gethostname(), "boot_id": boot_id(), "process_start": 1.0}
    drives(box / "soak", 130.0, 1, **facts, beat=time.time() - 80_000).close()
    assert main(["status", "--line", str(box)]) == 1
    assert "  soak ✖ died 2m10s/12m" in capsys.readouterr().out
    drives(box / "soak", 130.0, 1, **facts, beat=time.time() - 100_000).close()
    assert main(["status", "--line", str(box)]) == 0, "a day later it is no news"
    assert "soak" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", [b"", b"{", b"[]\n", b'{"i":3}\n', b'{"i":3,"ended":"x","failed":{},"probes":[]}\n'])
def test_a_glance_at_damage_says_what_it_can(box, damage):
    write_soak(box / "soak", Scene(hours=0.2, rate=1.0))
    (box / "soak" / "minutes.ndjson").write_bytes(damage)
    seen = glance(box / "soak", 0.0)
    assert (seen.state, seen.target_s, seen.failed, seen.failing) == ("finished", 720.0, None, False)
    (box / "soak" / "plan.json").write_bytes(damage)
    (box / "soak" / "driver.json").write_bytes(damage)
    seen = glance(box / "soak", 0.0)
    assert (seen.state, seen.now_s, seen.target_s) == ("unknown", None, None)


def test_a_soak_that_was_resumed_after_its_end_is_no_longer_than_planned(box, capsys):
    written = write_soak(box / "soak", Scene(hours=0.05, rate=1.0, until=100.0, finished=False))
    journal = max(written.folder.glob("journal-*.ndjson"))
    with journal.open("a") as file:
        for kind, at in (("resume", 900.0), ("end", 900.5)):
            file.write(json.dumps({"k": "e", "t": at, "kind": kind, "text": kind}) + "\n")
    assert main(["soak", "status", str(box / "soak")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("finished") and "0:03:00 / 0:03:00" in shown

import json
import math
import os
import time

import pytest
from cli.runs import broken, healthy
from notify.alarms import service
from support.attempt_logs import write_attempts

from mens_console.signals.rules import RULES


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MENS_NOTIFY", raising=False)
    return tmp_path / "state" / "mens-console"


def settings(tmp_path, text):
    folder = tmp_path / "xdg" / "mens-console"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def listed(cli, box, *words):
    return json.loads(cli("alerts", "list", box, "--json", *words)[1])["alerts"]


def test_the_list_says_what_fires_and_what_to_do(cli, box):
    broken(box)
    healthy(box)
    code, out, err = cli("alerts", "list", box)
    assert (code, err) == (1, "")
    first = out.splitlines()[0].split()
    assert first[:3] == ["✖", "critical", "latched"]
    assert first[4:] == ["nan_loss", "nan"]
    assert "    → Stop the run" in out
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "nan_loss"]
    assert alert["fingerprint"] == first[3]
    assert alert["path"] == str(box / "nan")
    assert (alert["state"], alert["value"]) == ("firing", "NaN")


def test_nothing_wrong_is_fine(cli, box):
    healthy(box)
    assert cli("alerts", "list", box) == (0, "no alert is on in 1 run\n", "")


def test_an_acknowledgement_is_kept_and_stays_in_sight(cli, box, state):
    broken(box)
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "nan_loss"]
    code, out, _ = cli("alerts", "ack", alert["fingerprint"][:5], "--note", "known", "--in", box)
    assert (code, out.split(" (")[0]) == (0, "acknowledged: nan_loss of nan")
    (kept,) = json.loads((state / "alerts.json").read_text())["acks"]
    assert (kept["place"], kept["rule"], kept["note"]) == (str(box / "nan"), "nan_loss", "known")
    (now,) = [a for a in listed(cli, box, "--all") if a["rule"] == "nan_loss"]
    assert now["acknowledged"]
    assert now["state"] == "firing", "the loss still is NaN"
    assert now["note"] == "known"
    out = cli("alerts", "list", "--all", box)[1]
    assert f"    acknowledged by {kept['by']}: known\n" in out


@pytest.mark.parametrize(("name", "said"), [("ffffffffffff", "no such alert is on"), ("ab", "at least 4 characters")])
def test_a_wrong_fingerprint_is_told_with_those_there_are(cli, box, name, said):
    broken(box)
    code, _, err = cli("alerts", "ack", name, "--in", box)
    assert code == 2
    assert said in err


def test_a_fingerprint_of_other_folders_is_told_where_to_look(cli, box):
    broken(box)
    (here,) = [one["fingerprint"] for one in listed(cli, box) if one["rule"] == "nan_loss"]
    (box / "nothing").mkdir()
    assert "`--in PATH` says where to look" in cli("alerts", "ack", here, "--in", box / "nothing")[2]


def test_nothing_to_acknowledge(cli, box):
    healthy(box)
    assert "no alert is on in 1 run" in cli("alerts", "ack", "ffffffff", "--in", box)[2]


def test_silences_are_made_listed_and_lifted(cli, box):
    broken(box)
    code, out, _ = cli("alerts", "silence", "nan_loss", "--run", "nan", "--for", "2h", "--comment", "test", "--in", box)
    assert code == 0
    name = out.split()[0]
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "nan_loss"]
    assert 7000 < alert["silenced_until"] - time.time() <= 7200
    code, out, _ = cli("alerts", "list", box)
    assert code == 0, "a silenced critical alert is no no"
    assert "silenced until " in out
    (one,) = json.loads(cli("alerts", "silences", "--json")[1])
    assert (one["id"], one["rule"], one["entity"], one["comment"]) == (name, "nan_loss", str(box / "nan"), "test")
    assert name in cli("alerts", "silences")[1]
    assert cli("alerts", "unsilence", name)[0] == 0
    assert cli("alerts", "silences") == (0, "nothing is silenced\n", "")
    assert cli("alerts", "unsilence", name)[0] == 2
    assert cli("alerts", "list", box)[0] == 1


def test_silence_everything_everywhere(cli, box):
    broken(box)
    assert cli("alerts", "silence", "*", "--for", "30m", "--comment", "moving house")[0] == 0
    assert cli("alerts", "list", box)[0] == 0
    assert "every rule everywhere until " in cli("alerts", "silences")[1]


@pytest.mark.parametrize("time_", ["0m", "-1h", "soon", "", "2y", "nan", "inf", "400d"])
def test_a_silence_ends(cli, time_):
    code, _, err = cli("alerts", "silence", "stall", "--for", time_, "--comment", "x")
    assert code == 2
    assert "30m, 2h or 1d" in err or "expected one argument" in err


@pytest.mark.parametrize("action", [["silence", "nan_los", "--for", "1h", "--comment", "x"], ["test", "nan_los"]])
def test_an_unknown_rule_has_a_near_one(cli, action):
    code, _, err = cli("alerts", *action)
    assert code == 2
    assert "did you mean nan_loss?" in err


def test_a_book_that_cannot_be_written_is_no_success(cli, box, state):
    state.parent.mkdir()
    state.write_text("in the way")
    code, _, err = cli("alerts", "silence", "stall", "--for", "1h", "--comment", "x")
    assert code == 2
    assert "it could not be kept: " in err


def test_an_exit_beyond_the_entry_is_told(cli, box, tmp_path):
    healthy(box)
    settings(tmp_path, "[thresholds.loss_spike]\nentry = 2\nexit = 3\n")
    for action in (["rules"], ["list", box]):
        status, _, err = cli("alerts", *action)
        assert status == 0
        assert err.count("thresholds.loss_spike: exit 3 is on the wrong side of entry 2") == 1


def test_the_rules_in_force_are_those_configured(cli, tmp_path):
    settings(
        tmp_path,
        "[thresholds.stall]\nentry = 99\nseverity = 'info'\n[thresholds.lr_jump]\nenabled = false\n"
        "[[rules]]\nid = 'reward_low'\nmetric = 'reward'\nbelow = 0.1\nrecommendation = 'Look at the reward model.'\n",
    )
    rules = {rule["id"]: rule for rule in json.loads(cli("alerts", "rules", "--json")[1])}
    assert set(rules) == {*RULES, "reward_low"}
    assert (rules["stall"]["entry"], rules["stall"]["severity"]) == (99, "info")
    assert rules["lr_jump"]["enabled"] is False
    assert (rules["reward_low"]["custom"], rules["nan_loss"]["custom"]) == (True, False)
    out = cli("alerts", "rules")[1]
    assert len(out.splitlines()) == len(rules)
    assert any(line.startswith("lr_jump ") and " off " in line for line in out.splitlines())


# ---------------------------------------------------------------------- the drill


def test_a_drill_goes_through_every_route(cli, tmp_path, state):
    with service() as good, service(500) as bad:
        settings(tmp_path, f'[notify]\napprise = ["{good.url}/secret", "{bad.url}/secret", "json://${{NOPE}}"]\n')
        code, out, err = cli("alerts", "test", "nan_loss")
        ((_, told),) = good.told
    assert told["title"].startswith("DRILL nan_loss: ")
    assert code == 1
    shown = out.splitlines()
    assert shown[0] == "bell: not configured (standard output is no terminal)"
    assert shown[1] == "osc 9: not configured ([notify] osc9 = true turns it on)"
    assert shown[2].endswith(": delivered")
    assert shown[3].endswith(": failed: the service answered 500")
    assert "$NOPE is not set" in shown[4]
    assert "secret" not in out + err
    kept = [json.loads(line) for line in (state / "deliveries.jsonl").read_text().splitlines()]
    assert sorted((d["kind"], d["ok"]) for d in kept) == [("drill", False), ("drill", True)]


def test_a_drill_that_arrives_is_fine(cli, monkeypatch):
    with service() as chat:
        monkeypatch.setenv("MENS_NOTIFY", chat.url)
        assert cli("alerts", "test", "oom")[0] == 0
        assert len(chat.told) == 1


def test_a_drill_without_routes_says_so(cli):
    code, out, err = cli("alerts", "test", "oom")
    assert code == 0
    assert "apprise: not configured" in out
    assert "nobody would be told" in err


def test_a_drill_without_the_extra_fails_with_the_command(cli, monkeypatch):
    monkeypatch.setenv("MENS_NOTIFY", "json://localhost")
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    code, out, _ = cli("alerts", "test", "oom")
    assert code == 1
    assert "apprise: failed: Apprise is not installed: pip install 'mens-console[notify]'" in out


def test_a_terminal_hears_the_drill(cli, monkeypatch, tmp_path):
    settings(tmp_path, "[notify]\nosc9 = true\n")
    leader, follower = os.openpty()
    with open(follower, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        from mens_console.cli.main import main

        assert main(["alerts", "test", "oom"]) == 0
        shown = b""
        while b"osc 9: delivered" not in shown:
            shown += os.read(leader, 1000)
    os.close(leader)
    assert b"\x07" in shown
    assert b"\x1b]9;DRILL oom: " in shown


def test_hostile_names_are_shown_as_text(cli, box):
    broken(box, "x\x1b[31m[bold]evil\u202e")
    out = cli("alerts", "list", box)[1]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert all(math.isfinite(a["since"]) for a in listed(cli, box) if a["rule"] == "nan_loss")


def test_alerts_of_generation_are_listed_and_acknowledged_like_those_of_runs(cli, box):
    (box / "personas").mkdir()
    write_attempts(box / "personas" / "log.jsonl", rows=12_000, scenario="collapsed")
    healthy(box)
    code, out, err = cli("alerts", "list", box)
    assert (code, err) == (1, "")
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "openings_collapse"]
    assert alert["run"].startswith("personas/25K")
    assert alert["path"] == str(box / "personas")
    assert ", batch " in out
    code, out, _ = cli("alerts", "ack", alert["fingerprint"], "--note", "seen", "--in", box)
    assert code == 0
    assert "openings_collapse of personas/25K" in out
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "openings_collapse"]
    assert (alert["acknowledged"], alert["note"]) == (True, "seen")


def test_who_acknowledges_a_second_time_wipes_nothing_out(cli, box, state):
    broken(box)
    (alert,) = [a for a in listed(cli, box) if a["rule"] == "nan_loss"]
    assert cli("alerts", "ack", alert["fingerprint"], "--note", "known", "--in", box)[0] == 0
    before = (state / "alerts.json").read_bytes()
    code, out, _ = cli("alerts", "ack", alert["fingerprint"], "--in", box)
    assert code == 0
    assert "nan_loss of nan was acknowledged by " in out and ": known;" in out
    assert (state / "alerts.json").read_bytes() == before
    cli("alerts", "ack", alert["fingerprint"], "--note", "it is fixed", "--in", box)
    assert json.loads((state / "alerts.json").read_text())["acks"][0]["note"] == "it is fixed"

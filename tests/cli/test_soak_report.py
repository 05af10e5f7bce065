"""`soak report` on real directories and on files of other tools: exit statuses, faces, and what cannot be read."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from rich.cells import cell_len
from support.soaks import Scene, Trouble, write_soak

HOUR = Scene(hours=0.2, rate=5.0, raw_s=120.0)
BAD = Scene(hours=0.2, rate=5.0, raw_s=120.0, troubles=(Trouble(200, 260),), gaps=((400, 430),))


@pytest.fixture(scope="module")
def soaks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soaks")
    return {"good": write_soak(folder / "good", HOUR), "bad": write_soak(folder / "bad", BAD)}


def test_a_soak_that_went_well(cli, soaks):
    status, out, err = cli("soak", "report", soaks["good"].folder)
    assert (status, err) == (0, "")
    assert out.startswith("Soak of tiny\n✔ finished, 12 m of 12 m")
    assert max(map(cell_len, out.splitlines())) <= 80


def test_numbers_are_those_that_were_written(cli, soaks):
    status, out, _ = cli("soak", "report", soaks["bad"].folder, "--json")
    told, truth = json.loads(out), soaks["bad"]
    assert status == 1  # 8 % down
    assert told["requests"] == truth.ended
    assert told["errors"] == dict(truth.failed)
    assert told["availability"]["probes"] == truth.probes
    assert told["availability"]["probes_failed"] == truth.probes_failed
    assert told["availability"]["unobserved_s"] == truth.unobserved_s
    assert (told["lost"], told["skipped"]) == (truth.lost, truth.skipped)
    (incident,) = told["incidents"]
    assert (incident["opened"] - told["started"], incident["duration_s"]) == (200, 60)
    assert len(told["minutes"]) == 12


def test_markdown_and_html_go_to_files(cli, soaks, tmp_path):
    for option, name, begin in (
        ("--markdown", "soak.md", "# Soak of tiny"),
        ("--html", "soak.html", "<!DOCTYPE html>"),
    ):
        status, out, _ = cli("soak", "report", soaks["good"].folder, option, tmp_path / name)
        assert (status, out) == (0, "")
        assert (tmp_path / name).read_text().startswith(begin)
    status, out, _ = cli("soak", "report", soaks["good"].folder, "--markdown", "-")
    assert out == (tmp_path / "soak.md").read_text()


def test_a_report_that_cannot_be_written_is_said_to_be(cli, soaks, tmp_path):
    status, _, err = cli("soak", "report", soaks["good"].folder, "--html", tmp_path / "none" / "soak.html")
    assert status == 2
    assert "name a file that can be written" in err


@pytest.mark.parametrize("harm", ["nowhere", "empty", "no plan", "newer plan", "not a result", "evidence"])
def test_what_cannot_be_read_is_2_with_a_cure(cli, soaks, tmp_path, harm):
    path = tmp_path / "soak"
    if harm == "empty":
        path.mkdir()
    elif harm in ("no plan", "newer plan"):
        shutil.copytree(soaks["good"].folder, path)
        plan = (path / "plan.json").read_text()
        (path / "plan.json").unlink() if harm == "no plan" else (path / "plan.json").write_text(
            plan.replace("mens-soak-plan/1", "mens-soak-plan/2")
        )
    elif harm == "not a result":
        path.write_text("hello\n")
    elif harm == "evidence":
        path.write_text('{"schema": "mens-soak/1"}')
    status, out, err = cli("soak", "report", path)
    assert (status, out) == (2, "")
    assert str(path) in err
    assert "Traceback" not in err


def test_a_soak_that_was_cut_says_what_it_lacks(cli, soaks, tmp_path):
    shutil.copytree(soaks["good"].folder, tmp_path / "cut")
    file = tmp_path / "cut" / "minutes.ndjson"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    status, out, _ = cli("soak", "report", tmp_path / "cut", "--json")
    told = json.loads(out)
    assert status in (0, 1)
    assert told["availability"]["unobserved_s"] > 0
    assert told["notes"]
    assert told["requests"] < soaks["good"].ended


def test_a_driver_that_died_is_not_fine(cli, tmp_path):
    scene = Scene(hours=0.2, rate=5.0, raw_s=120.0, finished=False, until=300.0)
    write_soak(tmp_path / "dead", scene)
    driver = json.loads((tmp_path / "dead" / "driver.json").read_text())
    driver["host"] = os.uname().nodename
    (tmp_path / "dead" / "driver.json").write_text(json.dumps(driver))
    status, out, _ = cli("soak", "report", tmp_path / "dead", "--json")
    assert json.loads(out)["state"] == "died"
    assert status == 1


def test_nothing_measured_is_not_fine(cli, tmp_path):
    write_soak(tmp_path / "new", Scene(hours=1.0, rate=5.0, raw_s=60.0, finished=False, until=0.0))
    assert cli("soak", "report", tmp_path / "new")[0] == 1


def test_follow_ends_with_the_soak(cli, soaks):
    status, out, _ = cli("soak", "report", soaks["good"].folder, "--json", "--follow")
    assert status == 0
    assert json.loads(out)["state"] == "finished"
    assert len(out.splitlines()) == 1


def test_follow_goes_on_until_it_is_interrupted(tmp_path):
    write_soak(tmp_path / "going", Scene(hours=1.0, rate=5.0, raw_s=60.0, finished=False, until=100.0))
    words = [sys.executable, "-m", "mens_console", "soak", "report", str(tmp_path / "going"), "--follow"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        assert first == "Soak of tiny\n"
        if process.poll() is None:
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode in (1, 130)
    assert "Traceback" not in err

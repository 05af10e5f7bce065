import json
import os
import socket
import sys
import time
from dataclasses import replace

import pytest
from cli.runs import healthy
from support.attempt_logs import write_attempts

from mens_console.cli import doctor
from mens_console.config import Settings
from mens_console.config.settings import NotifySettings
from mens_console.ingest.aliases import describe
from mens_console.notify.heartbeat import Beat, process_start, root_names, write_beat
from mens_console.notify.routes import AppriseRoute


def levels(findings):
    return {finding.text: finding.level for finding in findings}


def test_findings_are_told_with_cures(cli, box):
    healthy(box)
    code, out, err = cli("doctor", box, box / "good")
    assert (code, err) == (0, "")
    for topic in ("terminal", "program", "watching", "configuration", "folders", "notifications", "GPU", "fields"):
        assert f"\n{topic}\n" in f"\n{out}"
    assert f"{box}: readable" in out
    assert f"Python {sys.version.split()[0]}" in out
    for alias in describe():
        assert f"{alias.name} " in out


def test_who_feeds_generation_is_read_from_its_logs(cli, box):
    (box / "feel").mkdir()
    write_attempts(box / "feel" / "generation.log", rows=1200, scenario="collapsed")
    code, out, _ = cli("doctor", box)
    assert code == 0
    assert "Health · repair rate: fed by repairs (feel, 1.20k points)" in out
    assert "nothing feeds their readers" not in out


def test_json_holds_the_same(cli, box):
    code, out, _ = cli("doctor", box, "--json")
    assert code == 0
    found = json.loads(out)
    assert {"topic", "level", "text", "cure"} == set(found[0])
    assert any(f"{box}: readable" == item["text"] for item in found)


def test_a_broken_configuration_is_a_finding_not_an_end(cli, box, tmp_path):
    (tmp_path / "xdg/mens-console").mkdir(parents=True)
    (tmp_path / "xdg/mens-console/config.toml").write_text("max_depth = 0\n")
    code, out, err = cli("doctor", box)
    assert (code, err) == (1, "")
    assert "✖" in out
    assert "config.toml:1: max_depth: " in out


def test_an_ignored_setting_is_a_warning(cli, box):
    (box / "mens-console.toml").write_text("bell = false\n")
    code, out, _ = cli("doctor", box)
    assert code == 0
    assert f"▲ ignored: {box}/mens-console.toml:1: bell: " in out
    assert f"read {box}/mens-console.toml" in out


@pytest.mark.parametrize(
    ("environ", "said", "level"),
    [
        ({"TERM": "dumb"}, "TERM=dumb cannot place a cursor", "fail"),
        ({"NO_COLOR": "1", "TERM": "xterm"}, "NO_COLOR is set: states show by glyph and word alone", "note"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "24-bit colours", "ok"),
        ({"TERM": "xterm-256color"}, "256 colours", "note"),
    ],
)
def test_colours(environ, said, level):
    assert levels(doctor.terminal(environ))[said] == level


def test_size_and_character_set(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(doctor.shutil, "get_terminal_size", lambda: os.terminal_size((60, 20)))
    monkeypatch.setattr(doctor.locale, "getpreferredencoding", lambda **_: "ANSI_X3.4-1968")
    found = levels(doctor.terminal({"TERM": "linux"}))
    assert found["60×20 cells, TERM=linux"] == "warn"
    assert found["character set ANSI_X3.4-1968"] == "fail"


def test_kernel_limits(tmp_path):
    (tmp_path / "max_user_watches").write_text("100\n")
    (tmp_path / "max_user_instances").write_text("512\n")
    found = list(doctor.watcher(tmp_path))
    assert [finding.level for finding in found] == ["warn", "ok"]
    assert "sysctl fs.inotify.max_user_watches=8192" in found[0].cure
    assert [finding.level for finding in doctor.watcher(tmp_path / "none")] == ["note", "note"]


def test_folders(tmp_path, monkeypatch):
    assert next(doctor.roots([tmp_path / "gone"])).level == "warn"
    monkeypatch.setattr("mens_console.ingest.watch.network_filesystem", lambda path: "nfs4")
    assert "on nfs4" in next(doctor.roots([tmp_path])).text
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert next(doctor.roots([tmp_path])).level == "fail"


def test_gpu(tmp_path):
    from hardware.documented import TRACES, replay

    def without_driver():
        return replay(TRACES / "no_driver.json")

    found = next(doctor.gpu(tmp_path / "none", without_driver))
    assert (found.level, found.text.partition(";")[0]) == ("note", "no NVIDIA driver: libnvidia-ml.so.1 was not found")
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1\nGCC\n")
    assert next(doctor.gpu(tmp_path / "version", without_driver)).level == "warn"


def test_gpus_and_what_they_do_not_tell(tmp_path):
    from hardware.documented import TRACES, replay

    found = levels(doctor.gpu(tmp_path / "none", lambda: replay(TRACES / "consumer.json")))
    assert found["driver 550.90.07, CUDA 12.4, 1 found"] == "ok"
    assert found["GPU 0 NVIDIA GeForce RTX 4090 00000000:01:00.0"] == "ok"
    silent = next(text for text in found if "does not tell" in text)
    assert "ecc (not supported by this GPU)" in silent
    assert "no second sample" not in silent


def test_a_missing_package_fails(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    assert [finding.level for finding in doctor.program()] == ["ok", "ok", "fail"]


def test_what_some_commands_need_beside_is_told_with_its_cure(monkeypatch):
    here = ("load", "pytest", "`soak run` makes requests")
    monkeypatch.setattr(doctor, "EXTRAS", (here, ("exporter", "no-such-package", "`exporter` publishes metrics")))
    there, missing = doctor.extras()
    assert there.level == "ok" and there.text.startswith("pytest ")
    assert (missing.level, missing.cure) == ("note", "pip install 'mens-console[exporter]'")


def told(findings, level=None):
    return " | ".join(f"{one.text} → {one.cure}" for one in findings if level in (None, one.level))


def test_notifications_are_counted_and_never_shown(monkeypatch):
    monkeypatch.setattr("mens_console.notify.routes.is_installed", lambda: True)
    secret = "json://user:hunter2@example.invalid"
    usable = AppriseRoute(secret)
    monkeypatch.setattr("mens_console.notify.routes.apprise_routes", lambda *_: ([usable], ["notify address 2: bad"]))
    settings = Settings(notify=NotifySettings(apprise=(secret, "hunter2")))
    found = list(doctor.notifications(settings, {"MENS_NOTIFY": f"{secret} hunter2"}))
    assert "1 of 2 addresses in $MENS_NOTIFY can be used" in told(found, "ok")
    assert "notify address 2: bad" in told(found, "warn") and "hunter2" not in told(found)
    assert "no address in [notify] apprise" in told(doctor.notifications(Settings(), {}), "note")


def test_addresses_without_apprise_are_a_fault_and_none_are_not(monkeypatch):
    monkeypatch.setattr("mens_console.notify.routes.is_installed", lambda: False)
    assert "pip install" in told(doctor.notifications(Settings(), {}), "note")
    settings = Settings(notify=NotifySettings(apprise=("json://hunter2@x",)))
    found = list(doctor.notifications(settings, {}))
    assert "Apprise is not installed" in told(found, "fail") and "1 address in [notify] apprise" in told(found)
    assert "hunter2" not in told(found)


def test_who_watches_and_who_did(tmp_path):
    path, here = tmp_path / "watch.json", socket.gethostname()
    assert "nobody watches" in told(doctor.daemon(path, [tmp_path]), "note")
    started = process_start(os.getpid())
    beat = Beat(os.getpid(), here, started, time.time(), root_names([tmp_path]), "", "1")
    write_beat(path, beat)
    assert f"watch: daemon alive, now (process {os.getpid()} on {here})" in told(doctor.daemon(path, [tmp_path]), "ok")
    write_beat(path, replace(beat, beat_at=time.time() - 600))
    (silent,) = doctor.daemon(path, [tmp_path])
    assert silent.level == "warn" and "daemon silent" in silent.text and "watch --notify" in silent.cure

"""The server and the file: who gets an answer, who is refused, and what the command says when it cannot."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from cli.runs import healthy, write
from exporter.boxes import full
from support.attempt_logs import write_attempts

from mens_console.cli.main import main

pytest.importorskip("prometheus_client", reason="the extra `exporter` is not installed")

from mens_console.exporter.collect import SnapshotCollector, registry_of
from mens_console.exporter.server import AddressError, address_of, names_this_machine, server_of


@pytest.fixture(autouse=True)
def _nobody_elses_settings(tmp_path, monkeypatch):
    for name in ("MENS_RUNS", "MENS_CONFIG", "MENS_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def serve():
    servers = []

    def start(token="", view=full):
        server = server_of(registry_of(SnapshotCollector(view)), ("127.0.0.1", 0), token)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(port, path="/metrics", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_a_scrape_is_answered_in_the_form_it_asks_for(serve):
    port = serve()
    answer, body = ask(port)
    assert answer.status == 200 and answer.getheader("Content-Type").startswith("text/plain")
    assert 'mens_run_step{run="qwen-lora-r16"} 200.0' in body
    answer, body = ask(port, Accept="application/openmetrics-text; version=1.0.0")
    assert answer.getheader("Content-Type").startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_every_scrape_tells_the_newest(serve):
    views = [full(), full()]
    port = serve(view=lambda: views[-1])
    assert "mens_exporter_scanning 0.0" in ask(port)[1]
    views.append(full(rev=2))
    views.append(replace(views[-1], scanning=True))
    assert "mens_exporter_scanning 1.0" in ask(port)[1]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost.evil:1"]
)
def test_another_machines_name_is_refused(serve, host):
    answer, body = ask(serve(), Host=host)
    assert answer.status == 403 and "mens_run" not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9464", "127.0.0.1:80", "[::1]:9464", "::1", "127.8.9.1"])
def test_loopback_by_any_name_is_answered(serve, host):
    assert names_this_machine(host)
    assert ask(serve(), Host=host)[0].status == 200


def test_a_token_is_asked_for(serve):
    port = serve(token="s3cret")
    answer, body = ask(port)
    assert answer.status == 401 and answer.getheader("WWW-Authenticate") == "Bearer" and "mens_run" not in body
    assert ask(port, Authorization="Bearer wrong")[0].status == 401
    assert ask(port, Authorization="Basic s3cret")[0].status == 401
    assert ask(port, Authorization="Bearer s3cret")[0].status == 200


def test_only_metrics_are_there_and_only_to_read(serve):
    port = serve()
    assert ask(port, "/")[0].status == 404
    assert ask(port, "/metrics/../etc/passwd")[0].status == 404
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, method=method)[0].status == 405


@pytest.mark.parametrize("text", ["127.0.0.1:9464", "localhost:9464", "[::1]:9464", "127.3.4.5:0"])
def test_loopback_addresses(text):
    host, port = address_of(text)
    assert host in {"127.0.0.1", "::1", "127.3.4.5"} and port in {9464, 0}


@pytest.mark.parametrize("text", ["0.0.0.0:9464", "[::]:9464", "192.168.1.4:9464", "10.1.2.3:1", "[2001:db8::1]:80"])
def test_other_addresses_are_refused_with_a_cure(text, capsys):
    with pytest.raises(AddressError, match=r"loopback only.*--textfile"):
        address_of(text)
    assert main(["exporter", "--listen", text]) == 2
    assert "loopback only" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ":9464"])
def test_what_is_no_address_is_said(text):
    with pytest.raises(AddressError, match=r"127\.0\.0\.1:9464"):
        address_of(text)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--listen 127.0.0.1:9464"),
        (["--once", "--listen", "127.0.0.1:0"], "exclude each other"),
        (["--once", "--token-file", "t"], "is for --listen"),
        (["--once", "--textfile", "a.txt"], ".prom"),
        (["--once", "--textfile", "no/such/folder/a.prom"], "no such file"),
        (["--listen", "127.0.0.1:0", "--token-file", "missing"], "no such file"),
    ],
)
def test_wrong_use_is_one_line(words, why, tmp_path, capsys):
    healthy(tmp_path)
    assert main(["exporter", str(tmp_path), *words]) == 2
    err = capsys.readouterr().err
    assert why in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [("s\n", 0o644, "chmod 600"), ("", 0o600, "openssl"), ("a b", 0o600, "openssl"), ("é", 0o600, "openssl")],
)
def test_a_token_that_is_no_secret_is_refused(text, mode, why, tmp_path, capsys):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    assert main(["exporter", str(tmp_path), "--listen", "127.0.0.1:0", "--token-file", str(path)]) == 2
    assert why in capsys.readouterr().err


def test_the_library_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mens_console.cli.exporter.find_spec", lambda _: None)
    assert main(["exporter", str(tmp_path), "--once"]) == 2
    assert "pip install 'mens-console[exporter]'" in capsys.readouterr().err


def test_once_prints_what_the_runs_say(tmp_path, capsys):
    healthy(tmp_path)
    assert main(["exporter", str(tmp_path), "--once"]) == 0
    assert 'mens_run_step{run="good"} 100.0' in capsys.readouterr().out
    assert main(["exporter", str(tmp_path), "--once", "--openmetrics"]) == 0
    assert capsys.readouterr().out.endswith("# EOF\n")


def test_once_reads_attempt_logs_to_their_end(tmp_path, capsys):
    healthy(tmp_path)
    write_attempts(tmp_path / "generation" / "attempts.jsonl", rows=3000, scenario="healthy")
    assert main(["exporter", str(tmp_path), "--once"]) == 0
    out = capsys.readouterr().out
    found = dict(line.rsplit(" ", 1) for line in out.splitlines() if line.startswith("mens_"))
    attempts = [float(value) for name, value in found.items() if name.startswith("mens_health_attempts_total")]
    assert sum(attempts) == 3000
    assert found["mens_exporter_engine_up"] == "1.0" and found["mens_exporter_scanning"] == "0.0"
    size = (tmp_path / "generation" / "attempts.jsonl").stat().st_size
    (read,) = [float(value) for name, value in found.items() if name.startswith("mens_health_log_read_bytes")]
    assert read == size


def test_a_torn_last_line_keeps_nobody_waiting(tmp_path, capsys):
    log = tmp_path / "generation.log"
    write_attempts(log, rows=1100)
    with log.open("ab") as file:
        file.write(b'{"ts": "2026-01-31T14:32:01Z", "run_')
    assert main(["exporter", str(tmp_path), "--once"]) == 0
    assert 'mens_health_attempts_total{log="' in (out := capsys.readouterr().out)
    assert " 1100.0\n" in out


def test_a_file_is_replaced_whole(tmp_path, capsys):
    healthy(tmp_path / "box")
    path = tmp_path / "mens.prom"
    path.write_text("old")
    before = path.stat().st_ino
    assert main(["exporter", str(tmp_path / "box"), "--once", "--textfile", str(path)]) == 0
    assert 'mens_run_step{run="good"} 100.0' in path.read_text()
    assert path.stat().st_ino != before
    assert [one.name for one in tmp_path.glob("mens.prom*")] == ["mens.prom"]
    assert capsys.readouterr().out == ""


def test_the_command_serves_what_grows_and_ends_by_a_signal(tmp_path):
    box = tmp_path / "box"
    healthy(box)
    command = [sys.executable, "-P", "-m", "mens_console", "exporter", str(box), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            line = child.stderr.readline()
            port = int(line.rpartition(":")[2].partition("/")[0])
            write(box / "second", [{"step": 7, "loss": 1.5, "ts": time.time()}])
            until = time.monotonic() + 60
            while 'mens_run_step{run="second"} 7.0' not in (body := ask(port)[1]):
                assert time.monotonic() < until, body
                time.sleep(0.2)
            assert "mens_exporter_engine_up 1.0" in body
            child.send_signal(signal.SIGTERM)
            assert child.wait(30) == 0
        finally:
            child.kill()


def test_the_command_keeps_a_file_current(tmp_path):
    box, path = tmp_path / "box", tmp_path / "mens.prom"
    healthy(box)
    command = [
        sys.executable,
        "-P",
        "-m",
        "mens_console",
        "exporter",
        str(box),
        "--textfile",
        str(path),
        "--every",
        "0.2s",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            until = time.monotonic() + 60
            while not path.exists() or 'mens_run_step{run="good"} 100.0' not in path.read_text():
                assert time.monotonic() < until and child.poll() is None
                time.sleep(0.1)
            path.unlink()
            while not path.exists():
                assert time.monotonic() < until
                time.sleep(0.1)
            os.kill(child.pid, signal.SIGINT)
            assert child.wait(30) == 0
            assert child.stderr.read() == ""
        finally:
            child.kill()

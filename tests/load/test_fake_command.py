"""`mens-console soak fake-server`: it says where it is, serves, and ends when told."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys

import pytest

pytest.importorskip("aiohttp", reason="the extra `load` is not installed")

from mens_console.cli.main import main
from mens_console.load.client import Client
from mens_console.load.endpoint import endpoint_of


@contextlib.contextmanager
def running(*words):
    command = [sys.executable, "-P", "-m", "mens_console", "soak", "fake-server", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)


def ask(told, count=1, **more):
    async def asked():
        async with Client(endpoint_of(told["url"]), told["model"], **more) as client:
            return [await client.ask("a b", max_tokens=3, id=f"r-{n}") for n in range(count)], await client.models()

    return asyncio.run(asked())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_keeps_its_record_and_ends_when_told(tmp_path, number):
    script, log, key = tmp_path / "s.toml", tmp_path / "log", tmp_path / "key"
    script.write_text('[knobs]\nmodel = "from-script"\ngap_ms = 1\n[[at]]\nfrom = 1000\nto = 2000\nwhat = "down"\n')
    key.write_text("sk-right\n")
    words = ("--script", script, "--log", log, "--ttft-ms", 1, "--key-file", key, "--seed", 4)
    with running(*words) as (told, process):
        assert (told["model"], told["pid"]) == ("from-script", process.pid)
        assert told["api"] == told["url"] + "/v1"
        (outcome, _), models = ask(told, 2, key="sk-right")
        assert (outcome.error, outcome.output_tokens) == (None, 3)
        assert models == ["from-script"]
        assert ask(told)[0][0].status == 401
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row.get("id") for row in rows if str(row.get("path", "")).endswith("completions")] == ["r-0", "r-1", "r-0"]


def test_options_come_before_the_script(tmp_path):
    script = tmp_path / "s.toml"
    script.write_text("[knobs]\ncut = 1.0\n")
    with running("--script", script, "--cut", 0, "--errors", "503=1", "--no-usage") as (told, _):
        assert ask(told)[0][0].status == 503


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached from elsewhere; use 127.0.0.1"),
        (["--port", "70000"], "at most 65535"),
        (["--cut", "2"], "--cut: cut is 2.0; give a number between 0 and 1"),
        (["--errors", "500"], "--errors: errors is {'500': ''}"),
        (["--errors", "20=1"], "a status from 300 to 599"),
        (["--script", "/nowhere/s.toml"], "/nowhere/s.toml: no such file"),
        (["--log", "/nowhere/log"], "--log /nowhere/log: no such file"),
        (["--key-file", "/nowhere/key"], "--key-file /nowhere/key: no such file"),
    ],
)
def test_what_it_cannot_do_is_said_in_a_line(words, says, capsys):
    assert main(["soak", "fake-server", *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken(capsys):
    with running() as (told, _):
        assert main(["soak", "fake-server", "--port", told["url"].rpartition(":")[2]]) == 2
    assert "address already in use; choose another --host or --port" in capsys.readouterr().err

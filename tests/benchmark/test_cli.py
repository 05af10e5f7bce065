"""`mens-console bench` on the command line: what it prints, writes, refuses and says when it is ended early."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from benchmark.benched import Requests, plan, served
from benchmark.test_measured import answered

from mens_console.benchmark.asking import Progress
from mens_console.benchmark.bench import Bench
from mens_console.cli.benchmeter import BenchMeter
from mens_console.cli.main import main

FAST = ["--runs", "2", "--tokens", "10", "--requests", "5", "--answer-tokens", "6", "--warmup", "1", "--items", "2"]
SHORT = [*FAST, "--batches", "1", "--context", "none"]


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    for name in ("MENS_API_KEY", "OPENAI_API_KEY", "MENS_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(server, *words):
        url = server if isinstance(server, str) else server.url
        status = main(["bench", "--url", url, "--model", "fake-model", *map(str, words)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture(scope="module")
def server():
    with served() as made:
        yield made


def test_it_prints_each_figure_beside_the_lines_and_writes_the_report(cli, server, tmp_path):
    path = tmp_path / "one.json"
    status, out, _ = cli(server, *FAST, "--batches", "1,4", "--context", "1024", "--gpus", "1", "--out", path)
    assert status == 0
    document = json.loads(path.read_text())
    assert document["schema"] == "mens-bench/1"
    assert document["target"] == {"url": f"{server.url}/v1/chat/completions", "model": "fake-model", "gpus": 1}
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    mean, sd = (document["throughput"][0][name] for name in ("mean", "sd"))
    assert f"1.1 batch 1    {mean:.1f} ± {sd:.2f} tok/s" in out
    row = next(line for line in lines if line.startswith("1.1"))
    assert row.split()[-4:] == ["2", "runs", ">=120", ">=115"]
    assert next(line for line in lines if "gap P99" in line).split()[-2:] == ["<50", "<50"]
    assert "2 items" in next(line for line in lines if line.startswith("1.7"))
    assert lines[-1] == f"written to {path}"
    assert "PASS" not in out


def test_without_out_the_report_is_named_after_model_and_time(cli, server, tmp_path):
    status, _, _ = cli(server, *SHORT)
    assert status == 0
    (path,) = (tmp_path / "here").iterdir()
    assert path.name.startswith("bench-fake-model-")
    assert path.suffix == ".json"


def test_json_is_the_report_and_leaves_no_file(cli, server, tmp_path):
    status, out, _ = cli(server, *SHORT, "--json", "--tag", "quantization=fp8", "--parameters", "7B")
    assert status == 0
    document = json.loads(out)
    assert document["tags"] == {"quantization": "fp8"}
    assert (document["target"]["parameters"], document["target"]["quantization"]) == (7_000_000_000, "fp8")
    assert document["target"]["gpus"] is None
    assert any("--gpus" in note for note in document["notes"])
    assert not list((tmp_path / "here").iterdir())


def test_no_two_benchmarks_ask_the_same_so_that_no_cache_helps(cli, server):
    def seed(*words):
        _, out, _ = cli(server, *SHORT, "--json", *words)
        return next(note for note in json.loads(out)["notes"] if "--seed" in note)

    assert seed() != seed()
    assert seed("--seed", "7") == "prompts were drawn with --seed 7"


def test_it_writes_over_nothing_unless_told(cli, server, tmp_path):
    path = tmp_path / "one.json"
    path.write_text("mine")
    status, _, err = cli(server, *SHORT, "--out", path)
    assert (status, path.read_text()) == (2, "mine")
    assert "--force" in err
    assert cli(server, *SHORT, "--out", path, "--force")[0] == 0
    assert json.loads(path.read_text())["schema"] == "mens-bench/1"
    assert not list(tmp_path.glob("*.partial"))


def test_quick_is_small_and_says_that_it_decides_nothing(cli, server):
    status, out, _ = cli(server, "--quick", "--tokens", "10", "--answer-tokens", "6", "--context", "none", "--json")
    document = json.loads(out)
    assert status == 0
    assert [(one["batch"], one["n"]) for one in document["throughput"]] == [(1, 2), (4, 2)]
    assert document["latency"][0]["requests"] == 20
    assert any("quick look" in note for note in document["notes"])


def test_efficiency_is_told_against_an_earlier_report(cli, server, tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert cli(server, *SHORT, "--gpus", "1", "--out", one)[0] == 0
    status, out, _ = cli(server, *SHORT, "--gpus", "2", "--single-gpu", one, "--out", two)
    assert status == 0
    first, second = (json.loads(path.read_text())["throughput"][0] for path in (one, two))
    assert second["efficiency"] == pytest.approx(second["mean"] / (2 * first["mean"]))
    assert f"{100 * second['efficiency']:.0f} % efficiency" in out
    assert ">=185" in next(line for line in out.splitlines() if line.startswith("1.2"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--batches", "0"], "'0' is none of batch sizes"),
        (["--batches", "1;4"], "'1;4' is none of batch sizes"),
        (["--context", "12"], "no lengths such as 4096,8192"),
        (["--context", "4k,x"], "no lengths such as 4096,8192"),
        (["--runs", "0"], "at least 1"),
        (["--parameters", "lots"], "no number of parameters"),
        (["--watch-gpu=a"], "none of indexes"),
        (["--timeout", "600"], "no time with its unit"),
        (["--single-gpu", "x.json"], "--gpus N"),
        (["--gpus", "2", "--single-gpu", "absent.json"], "absent.json: no such file"),
        (["--batches", "none", "--requests", "0", "--context", "none"], "nothing to measure"),
        (["--batches", "4", "--watch-gpu"], "during the runs at batch 1"),
        (["--out", "no/such/folder.json"], "nothing can be written there"),
        (["--out", "."], "it is a folder"),
        (["--key-file", "absent"], "absent: no such file"),
    ],
)
def test_wrong_use_is_one_sentence(cli, words, told):
    status, out, err = cli("http://127.0.0.1:9", *words)
    assert (status, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "it is no JSON"),
        ("[1]", "it is no mens-bench/1"),
        ('{"schema": "mens-soak/1"}', "it is no mens-bench/1"),
        ('{"schema": "mens-bench/1", "throughput": [{"batch": 1, "gpus": 1, "mean": 9, "tokenizer": "whitespace"}]}',
         "no throughput on one GPU whose tokens the server counted"),
        ('{"schema": "mens-bench/1", "throughput": [{"batch": 1, "gpus": 2, "mean": 9, "tokenizer": "server"}, 7]}',
         "no throughput on one GPU"),
    ],
)  # fmt: skip
def test_what_is_no_earlier_report_is_refused(cli, tmp_path, content, told):
    path = tmp_path / "earlier.json"
    path.write_text(content)
    status, _, err = cli("http://127.0.0.1:9", "--gpus", "2", "--single-gpu", path)
    assert status == 2
    assert f"{path}: " in err
    assert told in err


def test_a_url_that_is_none_is_wrong_use(cli):
    status, _, err = cli("127.0.0.1:8000")
    assert status == 2
    assert "did you mean http://127.0.0.1:8000" in err


def test_nobody_there_is_a_failure_without_a_report(cli, tmp_path):
    status, out, err = cli("http://127.0.0.1:9", *SHORT, "--out", tmp_path / "one.json")
    assert (status, out) == (1, "")
    assert "given up: the server fails" in err
    assert "no report was written" in err
    assert not (tmp_path / "one.json").exists()


def test_a_model_that_is_unknown_is_told_by_the_servers_own_words_and_with_what_it_has(cli, server):
    status, _, err = cli(server, "--model", "fake-modell", *SHORT)
    assert status == 1
    assert "HTTP 404: The model `fake-modell` does not exist." in err
    assert "fake-modell is no model of the server, which has fake-model; did you mean --model fake-model?" in err


def test_a_server_that_fails_under_the_right_name_is_asked_for_no_other(cli):
    with served(errors={500: 1.0}) as failing:
        status, _, err = cli(failing, *SHORT)
    assert status == 1
    assert "did you mean" not in err


def test_failed_requests_are_measured_around_and_exit_with_one(cli, tmp_path):
    with served(errors={500: 0.34}) as failing:
        path = tmp_path / "one.json"
        status, out, err = cli(failing, *SHORT, "--runs", "6", "--requests", "20", "--out", path)
    assert status == 1
    document = json.loads(path.read_text())
    assert 0 < document["latency"][0]["failed"] < 20
    assert "requests failed" in err
    assert "HTTP 500: it went wrong, as told" in out


class Screen(io.StringIO):
    """A terminal that keeps what was written to it."""

    def isatty(self):
        return True


def test_progress_tells_part_count_and_what_is_left_of_all():
    screen, now = Screen(), [0.0]
    with BenchMeter(screen, {"warm-up": 100.0, "batch 1": 500.0, "latency": 400.0}, lambda: now[0]) as meter:
        meter.tell(Progress("warm-up", 0, 10))
        assert screen.getvalue() == ""  # what is done at once shows nothing
        now[0] = 30.0
        meter.tell(Progress("batch 1", 1, 5))
        assert screen.getvalue() == "\rbatch 1: 1 of 5 · part 2 of 3 · about 2 m left\x1b[K"
        meter.tell(Progress("batch 1", 2, 5))
        assert screen.getvalue().count("\r") == 1  # not oftener than can be read
    assert screen.getvalue().endswith("\r\x1b[2K")
    assert meter.part == "batch 1"


async def test_every_part_that_is_told_of_is_in_the_plan_and_in_its_order():
    told = []
    made = plan(batches=(1, 4), context=(1024,), requests=3)
    bench = Bench(made, lambda progress: told.append(progress.part))
    await bench.run(
        Requests(lambda number, id, prompt, tokens: answered(id, tokens, prompt_tokens=len(prompt.split())))
    )
    assert list(dict.fromkeys(told)) == list(made.parts())


def started(server, path, *words):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("API_KEY")}
    command = [sys.executable, "-m", "mens_console", "bench", "--url", server.url, "--model", "fake-model", *words]
    return subprocess.Popen([*command, "--out", str(path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env=environment)  # fmt: skip


def wait_for(condition):
    """Wait until it holds, at most half a minute."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(("name", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_what_ends_it_early_leaves_what_was_finished(server, tmp_path, name, status):
    path = tmp_path / "partial.json"
    words = [*FAST, "--batches", "1,4", "--context", "none", "--tokens", "10", "--runs", "2", "--requests", "100000"]
    before = len(server.truth.requests)
    process = started(server, path, *words)
    for line in process.stderr:  # a line for each part that is finished
        if line.startswith("batch 1: "):
            break
    wait_for(lambda: any(str(row["id"]).startswith("latency-") for row in server.truth.requests[before:]))
    process.send_signal(name)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == status
    document = json.loads(path.read_text())
    assert [one["batch"] for one in document["throughput"]] == [1]
    assert (document["latency"], document["context"]) == ([], [])
    word = "interrupted" if name == signal.SIGINT else "terminated"
    assert f"{word} during latency: what was not finished is not here" in document["notes"]
    assert f"written to {path}" in out


def test_interrupted_before_anything_was_finished_there_is_no_report(server, tmp_path):
    path = tmp_path / "partial.json"
    process = started(server, path, *SHORT, "--requests", "0", "--warmup", "2", "--runs", "1000000")
    for line in process.stderr:
        if line.startswith("warm-up: "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "no report was written" in err
    assert not path.exists()


def test_without_the_extra_it_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from mens_console.cli.main import main\n"
        "sys.exit(main(['bench', '--url', 'http://127.0.0.1:9', '--model', 'x', '--out', sys.argv[1]]))"
    )
    path = tmp_path / "one.json"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'mens-console[load]'" in done.stderr


def test_secrets_of_the_address_are_nowhere_in_the_report(cli, server):
    url = server.url.replace("http://", "http://user:hunter22@") + "/v1?token=s3cr3ttoken"
    status, out, err = cli(url, *SHORT, "--json")
    assert status == 0
    assert json.loads(out)["target"]["url"] == f"{server.url}/v1/chat/completions"
    assert "hunter22" not in out + err
    assert "s3cr3ttoken" not in out + err

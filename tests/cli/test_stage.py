"""`mens-console stage`: the command runs as if alone, and what it took is on record."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from mens_console.collectors.stage import time_line
from mens_contracts.stage import StageEvent

STAGE = [sys.executable, "-m", "mens_console.cli.main", "stage"]

ECHO_SIGNALS = """
import os, signal, sys
wanted = [getattr(signal, "SIG" + name) for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "CONT")]
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("ready", os.getpid(), flush=True)
while True:
    number = signal.sigwait(wanted)
    print(signal.Signals(number).name, flush=True)
    if number in (signal.SIGTERM, signal.SIGQUIT):
        sys.exit(7)
"""

BY_HANDLER = (
    "import signal, sys; del signal.sigtimedwait; from mens_console.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def stage(*words, cwd=None, **options):
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        [*STAGE, *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        timeout=60,
        env=environment,
        **options,
    )


def events(folder):
    return [json.loads(line) for line in (Path(folder) / "stages.jsonl").read_text().splitlines()]


def ending(folder):
    return next(row["payload"] for row in reversed(events(folder)) if row["event"] == "stage_end")


def python(code, *words):
    return ["--", sys.executable, "-c", code, *words]


def test_output_input_and_exit_code_pass_through(box):
    done = stage(
        "dataset", "--run", box, *python("import sys; print(input()); print('e', file=sys.stderr); sys.exit(5)"),
        input="hello\n",
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (5, "hello\n", "e\n")
    begun, ended = events(box)
    assert begun["payload"]["stage"] == "dataset" and begun["payload"]["argv"][0] == sys.executable
    assert ended["payload"]["exit_code"] == 5 and ended["payload"]["met"] is None


def test_every_line_is_what_the_contract_says(box):
    tell = "import os; open(os.environ['MENS_STAGE_FACTS'], 'w').write('{\"q\": 4}\\n')"
    stage("export", "--run", box, *python(tell))
    stage("export", "--run", box, "--", "no-such-command")
    stage("mini", "--run", box, *python("import os; os.kill(os.getpid(), 9)"))
    kinds = [StageEvent.model_validate(row).root.event for row in events(box)]
    assert kinds == ["stage_start", "stage_step", "stage_end", *["stage_start", "stage_end"] * 2]


def test_figures_are_those_of_the_command_and_its_children(box):
    # More than this process ever was: what a program forked from is in its peak.
    most = 150_000_000 + 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    burn = f"import time\nx = bytearray({most})\nend = time.process_time() + .2\nwhile time.process_time() < end: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    done = stage("dryrun", "--run", box, "--time", *python(nested))
    took = ending(box)
    assert 0.2 <= took["user_s"] + took["system_s"] < took["wall_s"] + 5
    assert most < took["max_rss_bytes"] < most + 250_000_000 and not took["max_rss_is_bound"]
    assert took["cpu_percent"] == pytest.approx(100 * (took["user_s"] + took["system_s"]) / took["wall_s"], rel=0.01)
    assert done.stderr.strip() == took["time"]


@pytest.mark.skipif(not Path("/usr/bin/time").exists(), reason="GNU time is not installed")
def test_the_line_reads_as_gnu_time_writes_it():
    args = ["/usr/bin/time", "-f", "wall=%E cpu=%P mem=%MKB", "true"]
    theirs = subprocess.run(args, capture_output=True, text=True).stderr
    assert theirs.split("=")[0] == time_line(0.01, 0.0, 1024).split("=")[0]


def test_the_line_of_gnu_time():
    assert time_line(83.456, 41.7, 2_048_000) == "wall=1:23.45 cpu=49% mem=2000KB"
    assert time_line(3725.9, 7451.8, 1024) == "wall=1:02:05 cpu=200% mem=1KB"
    assert time_line(0.0, 0.0, 0) == "wall=0:00.00 cpu=?% mem=0KB"


def test_a_command_that_cannot_start_is_told_and_recorded(box):
    done = stage("export", "--run", box, "--", "no-such-command")
    assert done.returncode == 127 and "no-such-command: no such file" in done.stderr
    assert ending(box)["error"] == "no such file or directory"
    assert stage("export", "--run", box, "--", str(box)).returncode == 126


def test_the_fate_of_the_command_is_ours(box):
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        done = stage("mini", "--run", box, *python(f"import os; os.kill(os.getpid(), {int(number)})"))
        assert done.returncode == -number
        assert ending(box)["signal"] == number.name and ending(box)["exit_code"] == 128 + number


def told(box, sent, *, by_handler=False):
    """Send signals to the wrapper, one after the other was told by the command; return what it told, and the code."""
    head = [sys.executable, "-c", BY_HANDLER, "stage"] if by_handler else STAGE
    command = [*head, "train", "--run", str(box), *python(ECHO_SIGNALS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as wrapper:
        assert wrapper.stdout.readline().startswith("ready")
        names = []
        for number in sent:
            wrapper.send_signal(number)
            names.append(wrapper.stdout.readline().strip())
        return names, wrapper.wait(30)


@pytest.mark.parametrize("by_handler", [False, True])
def test_signals_are_passed_on_once_each(box, by_handler):
    sent = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT, signal.SIGINT, signal.SIGTERM]
    names, code = told(box, sent, by_handler=by_handler)
    assert names == [number.name for number in sent]
    assert code == 7  # the command caught it and chose its own code
    assert ending(box)["exit_code"] == 7 and ending(box)["signal"] is None


class Terminal:
    """A command as the foreground job of a terminal of its own."""

    def __init__(self, words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)
        # By itself a terminal throws away output that is on its way when Ctrl-C is typed.
        modes = termios.tcgetattr(self.fd)
        modes[3] |= termios.NOFLSH
        termios.tcsetattr(self.fd, termios.TCSANOW, modes)
        self.text = b""

    def until(self, wanted, times=1):
        while self.text.count(wanted) < times:
            data = os.read(self.fd, 4096)
            assert data, self.text
            self.text += data

    def type(self, text):
        os.write(self.fd, text)

    def status(self, options=0):
        return os.waitpid(self.pid, options)[1]


def test_a_terminal_stays_one_and_its_interrupt_arrives_once(box):
    code = "import sys; assert sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()\n" + ECHO_SIGNALS
    job = Terminal([*STAGE, "train", "--run", str(box), *python(code)])
    job.until(b"ready")
    os.kill(job.pid, signal.SIGINT)  # by hand, to the wrapper alone
    job.until(b"SIGINT")
    job.type(b"\x03")
    job.until(b"SIGINT", 2)
    job.type(b"\x1c")
    job.until(b"SIGQUIT")
    assert os.waitstatus_to_exitcode(job.status()) == 7
    assert job.text.count(b"SIGINT") == 2 and job.text.count(b"SIGQUIT") == 1
    os.close(job.fd)


SHELL = """
import os, signal, sys
# A job-control parent, so that the job's group is not orphaned and may stop.
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    os.execv(sys.argv[1], sys.argv[1:])
print("job", pid, flush=True)
_, status = os.waitpid(pid, os.WUNTRACED)
assert os.WIFSTOPPED(status), status
stat = "/proc/" + open(sys.argv[-1]).read() + "/stat"
while open(stat).read().split()[2] != "T":
    os.sched_yield()  # the stop reached the whole group at once, but each takes it when it next runs
print("stopped", os.WSTOPSIG(status), "T", flush=True)
os.killpg(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
def test_a_stop_from_the_terminal_stops_both_and_a_continue_wakes_them(box, tmp_path):
    code = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "print('ready', flush=True)\n"
        "signal.sigwait([signal.SIGCONT])\n"
        "print('awake', flush=True)\n"
        "sys.exit(4)\n"
    )
    job = Terminal(
        [sys.executable, "-c", SHELL, *STAGE, "train", "--run", str(box), *python(code, str(tmp_path / "pid"))]
    )
    job.until(b"ready")
    job.type(b"\x1a")
    job.until(b"ended 4")
    assert f"stopped {int(signal.SIGTSTP)} T".encode() in job.text and job.text.count(b"awake") == 1
    assert os.waitstatus_to_exitcode(job.status()) == 0
    os.close(job.fd)


def test_recording_that_fails_never_stops_the_command(box):
    (box / "stages.jsonl").mkdir()
    done = stage("train", "--run", box, "--", "echo", "hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert done.stderr.count("\n") == 1 and "is not recorded" in done.stderr


def test_a_folder_that_cannot_be_written_and_a_pipe_in_its_place(box):
    if os.geteuid():
        box.chmod(0o500)
        assert "permission denied" in stage("train", "--run", box / "below", "--", "true").stderr
        box.chmod(0o700)
    os.mkfifo(box / "stages.jsonl")
    done = stage("export", "--run", box, "--", "echo", "hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert "not a regular file" in done.stderr


def test_a_full_disk_costs_the_record_only(box):
    """A limit on file sizes cuts the write short, as a full disk does; the next record begins on a line of its own."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = stage("export", "--run", box, "--", "echo", "hi", preexec_fn=limit)
    assert (done.returncode, done.stdout) == (0, "hi\n") and done.stderr.count("not recorded") == 1
    stage("export", "--run", box, "--", "true")
    torn, *whole = (box / "stages.jsonl").read_text().splitlines()
    assert len(torn) == 100
    assert [json.loads(line)["event"] for line in whole] == ["stage_start", "stage_end"]


def test_two_at_once_are_both_recorded(box):
    wrappers = [subprocess.Popen([*STAGE, "export", "--run", str(box), "--", "true"]) for _ in range(6)]
    assert {wrapper.wait(60) for wrapper in wrappers} == {0}
    rows = events(box)
    assert len(rows) == 12 and len({row["payload"]["id"] for row in rows}) == 6


def test_secrets_are_not_written_down(box):
    stage("export", "--run", box, "--", "echo", "--hub-token", "hf_abcdefghijklmnop", "API_KEY=x1y2z3")
    text = (box / "stages.jsonl").read_text()
    assert "abcdefghijkl" not in text and "x1y2z3" not in text and "***" in text
    assert (box / "stages.jsonl").stat().st_mode & 0o077 == 0


def test_hostile_words_do_not_break_the_record(box):
    done = stage("export", "--run", box, "--", "echo", "a\x1b[31m", os.fsdecode(b"\xff"))
    assert done.returncode == 0
    assert events(box)[0]["payload"]["argv"][1] == "a\x1b[31m"


def test_the_run_directory_comes_from_the_environment(box, tmp_path):
    stage("export", "--", "true", env={"MENS_RUN_DIR": str(box / "new")})
    assert ending(box / "new")["stage"] == "export"
    stage("export", "--", "true", cwd=tmp_path, env={"MENS_RUN_DIR": ""})
    assert ending(tmp_path)["stage"] == "export"


def test_a_step_inside_a_stage_is_recorded_with_it(box, tmp_path, cli):
    inner = f"{sys.executable} -m mens_console.cli.main stage export."
    script = f"cd {tmp_path} && {inner}merge -- true && {inner}quantize -- sh -c 'printf GGUF > $MENS_RUN_DIR/m.gguf'"
    assert stage("quantize", "--run", box, "--", "sh", "-c", script).returncode == 0
    status, out, _ = cli("stage", "--list", "--json", "--run", box)
    export = next(one for one in json.loads(out)["stages"] if one["id"] == "export")
    assert status == 0 and export["state"] == "done" and export["measured"] == "m.gguf, 4 B"
    assert [line.split(" ")[0] for line in export["detail"]] == ["merge", "quantize"]


@pytest.mark.parametrize("option", ["--data", "--facts"])
def test_a_report_that_is_missing_is_named(box, option):
    done = stage("dataset", "--run", box, option, "no\x1b[31mwhere.json", "--", "true")
    assert done.returncode == 0
    assert ending(box)["measured"] == "measuring failed: no\x1b[31mwhere.json: no such file or directory"
    assert "where.json: no such file or directory" in done.stderr and "\x1b" not in done.stderr


def test_facts_are_recorded_while_they_are_told_and_bad_ones_counted(box):
    code = (
        "import os; f = open(os.environ['MENS_STAGE_FACTS'], 'a')\n"
        'f.write(\'{"json_validity": 0.97, "deep": {"a": 1}, "text": "\\\\ud800"}\\nnonsense\\n[1]\\n{"lint": 0.93}\')'
    )
    stage("evaluation", "--run", box, *python(code))
    assert ending(box)["met"] is True
    assert ending(box)["measured"] == "JSON 97 %, lint 93 %; 2 lines of facts could not be read"
    told = [row["payload"]["facts"] for row in events(box) if row["event"] == "stage_step"]
    assert told == [{"json_validity": 0.97, "text": "?"}, {"lint": 0.93}]


@pytest.mark.parametrize(
    ("rows", "met", "text"),
    [
        ('{"a": 1}\n\n{"b": NaN}\n', True, "0 parse errors in 2 rows"),
        ('{"a": 1}\n{"b"\n', False, "1 parse errors in 2 rows, first data.jsonl:2"),
        ("", False, "the data has no rows"),
    ],
)
def test_the_data_is_counted(box, rows, met, text):
    (box / "data.jsonl").write_text(rows)
    stage("dataset", "--run", box, "--data", box / "data.jsonl", "--", "true")
    assert (ending(box)["met"], ending(box)["measured"]) == (met, text)


def test_data_that_is_not_there_is_no_evidence(box):
    done = stage("dataset", "--run", box, "--data", box / "none.jsonl", "--", "true")
    assert done.returncode == 0 and ending(box)["met"] is None and "no such file" in ending(box)["measured"]


TRAIN = """
import json, math, sys, time
folder, floor, timed, total = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "timed", 100
now = time.time()
with open(folder + "/metrics.jsonl", "a") as f:
    for step in range(1, 101):
        row = {"step": step, "loss": floor + (3 - floor) * math.exp(-step / 15), "total_steps": total}
        f.write(json.dumps(row | ({"ts": now + step * 0.001} if timed else {})) + "\\n")
"""


@pytest.mark.parametrize("timed", ["timed", "untimed"])
def test_a_dry_run_is_done_when_the_loss_dropped(box, timed):
    stage("dryrun", "--run", box, *python(TRAIN, str(box), "1.0", timed))
    assert ending(box)["met"] is True, ending(box)
    assert ending(box)["values"]["drop"] > 0.5 and ending(box)["values"]["n"] == 100


def test_losses_of_before_are_not_this_stage(box):
    subprocess.run([sys.executable, "-c", TRAIN, str(box), "1.0", "untimed"], check=True)
    stage("dryrun", "--run", box, "--", "true")
    assert ending(box)["met"] is None and "no metrics were logged" in ending(box)["measured"]
    stage("mini", "--run", box, "--", "sh", "-c", f"echo >> {box}/metrics.jsonl")
    assert ending(box)["met"] is None and "carry no times" in ending(box)["measured"]


def test_device_errors_in_the_log_veto_a_dry_run(box):
    (box / "train.log").write_text("CUDA error: of yesterday\n")
    script = f"{TRAIN}\nopen(folder + '/train.log', 'a').write('RuntimeError: CUDA error: an illegal access\\n')"
    stage("dryrun", "--run", box, *python(script, str(box), "1.0", "timed"))
    assert ending(box)["met"] is False and ending(box)["values"]["device_errors"] == 1


def test_training_is_done_with_an_adapter_and_all_steps(box):
    stage("train", "--run", box, *python(TRAIN, str(box), "1.0", "timed"))
    assert ending(box)["met"] is None and ending(box)["measured"] == "no new adapter file"
    save = "import os; os.makedirs(folder + '/lora'); open(folder + '/lora/adapter_model.safetensors', 'w').write('x')"
    script = f"{TRAIN}\n{save}"
    stage("train", "--run", box, *python(script, str(box), "1.0", "timed"))
    assert ending(box)["met"] is True, ending(box)
    assert ending(box)["measured"] == "lora/adapter_model.safetensors, 1 B; all 100 steps made"


def test_an_old_file_is_no_result(box):
    (box / "m.gguf").write_text("GGUF")
    os.utime(box / "m.gguf", (time.time() - 100,) * 2)
    stage("export", "--run", box, "--", "true")
    assert ending(box)["measured"] == "no new .gguf file (m.gguf is older than this stage)"


def test_a_report_of_the_command_is_read_unless_it_is_old(box):
    report = box / "report.json"
    report.write_text('{"json_validity": 0.99, "lint": 0.95}')
    os.utime(report, (time.time() - 100,) * 2)
    stage("eval", "--run", box, "--facts", report, "--", "true")
    assert ending(box)["met"] is None
    stage("eval", "--run", box, "--facts", report, "--", "touch", str(report))
    assert ending(box)["met"] is True


@pytest.mark.parametrize(("probe", "met"), [("echo hello", True), ("true", False), ("exit 3", False)])
def test_the_probe_asks_the_model(box, probe, met):
    stage("deploy", "--run", box, "--probe", probe, "--", "true")
    assert ending(box)["met"] is met


def test_an_interrupt_while_measuring_keeps_the_record_and_the_exit_code(box, tmp_path):
    """The probe tells that it runs; only then Ctrl-C comes."""
    os.mkfifo(tmp_path / "ready")
    probe = f"echo > {tmp_path}/ready; exec sleep 60"
    command = [*STAGE, "deployment", "--run", str(box), "--probe", probe, "--", "true"]
    with subprocess.Popen(command, start_new_session=True) as wrapper:
        (tmp_path / "ready").read_text()
        wrapper.send_signal(signal.SIGINT)
        assert wrapper.wait(30) == 0
    assert ending(box)["measured"] == "measuring was interrupted"


def test_wrong_use_runs_nothing(box, cli):
    assert cli("stage", "tran", "--", "true")[0] == 2
    assert "did you mean train?" in cli("stage", "tran", "--", "true")[2]
    assert "a command to run follows `--`" in cli("stage", "train", "true")[2]
    assert cli("stage", "train")[0] == 2 and cli("stage")[0] == 2
    assert cli("stage", "--list", "--run", box)[0] == 2


def test_the_list_says_how_each_went(box, cli):
    stage("dataset", "--run", box, *python("raise SystemExit(3)"))
    stage("export", "--run", box, "--", "sh", "-c", f"printf GGUF > {box}/m.gguf")
    with (box / "stages.jsonl").open("a") as file:
        file.write(
            'nonsense\n{"event": "stage_start", "payload": {"stage": "mini", "id": "x", "pid": 999999999}}\n{"torn'
        )
    status, out, err = cli("stage", "--list", "--run", box)
    assert status == 1 and "1 lines could not be read" in err
    words = {line.split()[2]: line for line in out.splitlines() if line[:1] in "✖✔·◐●"}
    assert words["dataset"].startswith("✖ failed") and "exit 3" in words["dataset"]
    assert words["export"].startswith("✔ done") and "m.gguf, 4 B" in words["export"]
    assert "ended without a record" in words["mini"]
    assert words["train"].startswith("· pending")


def test_the_schema_says_the_same(box):
    from jsonschema import Draft202012Validator

    stage("export", "--run", box, "--", "true")
    schema = json.loads((Path(__file__).parents[2] / "contracts/run/mens-stage-1.schema.json").read_text())
    validator = Draft202012Validator(schema)
    assert [list(validator.iter_errors(row)) for row in events(box)] == [[], []]
    assert list(validator.iter_errors({"ts_ms": 1, "event": "stage_end", "payload": {}}))


@pytest.mark.parametrize("module", ["mens_console.collectors.stage", "mens_console.cli.stage"])
def test_the_command_waits_for_nothing_heavy(module):
    heavy = ("numpy", "orjson", "pydantic", "rich", "textual", "json", "subprocess")
    code = f"import sys, {module}; print(*[n for n in {heavy} if n in sys.modules])"
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True).stdout.split() == []

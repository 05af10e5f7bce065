import errno
import io
import json
import os
import re
import subprocess
import sys

import pytest
from cli.runs import healthy

from mens_console.cli import main as entry
from mens_console.cli.console import draw_in_utf8
from mens_console.cli.parser import COMMANDS

CODE = "import sys; from mens_console.cli.main import main; sys.exit(main(sys.argv[1:]))"


def spawn(*words, code=CODE, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_examples_and_exit_codes(cli, name):
    status, out, err = cli(name, "--help")
    assert (status, err) == (0, "")
    assert f"mens-console {name}" in out
    assert "examples:" in out
    told = [line for line in out.splitlines() if line.startswith("exit status")]
    assert len(told) == 1 and told[0].startswith("exit status: 0 ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "--foo"), "unrecognized arguments: --foo"),
        (("soak", "run", "--rate", "0"), "'0' is no rate"),
        (("gate", "chek"), "invalid choice: 'chek'"),
        (("alerts", "silence"), "the following arguments are required"),
        (("status", "--foo\x1b[2J"), "unrecognized arguments"),
    ],
)
def test_wrong_use_is_told_in_one_line_that_names_the_help(cli, words, said):
    status, out, err = cli(*words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err
    assert "--help` tells its options" in err
    assert "\x1b" not in err


def test_a_misspelt_command_is_told_of_where_there_is_no_terminal(cli):
    status, _, err = cli("stauts")
    assert status == 2
    assert "did you mean `mens-console status`?" in err


def test_help_lists_every_command(cli):
    status, out, _ = cli("--help")
    assert status == 0
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} .*{re.escape(command.summary)}$", out, re.MULTILINE)


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["somewhere", "--version"]])
def test_version(cli, words):
    status, out, _ = cli(*words)
    assert status == 0
    assert re.fullmatch(r"mens-console \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status", "--jsn"], "unrecognized arguments: --jsn"),
        (["status", "--json", "--line"], "not allowed with"),
        (["plot", "run"], "METRIC"),
        (["plot", "run", "loss", "--width", "0"], "not at least 1"),
        (["demo", "--speed", "-1"], "not a positive number"),
        (["completion", "tcsh"], "invalid choice"),
    ],
)
def test_wrong_use_exits_2_and_says_what(cli, words, said):
    status, out, err = cli(*words)
    assert (status, out) == (2, "")
    assert said in err


def test_a_mistyped_command_is_recognised(cli, monkeypatch):
    monkeypatch.setattr("mens_console.cli.console.need_terminal", lambda: None)
    status, _, err = cli("statsu")
    assert status == 2
    assert err == "mens-console: statsu: no such file or folder; did you mean `mens-console status`?\n"
    status, _, err = cli("status", "soka")
    assert status == 2 and "did you mean" not in err


def test_no_terminal_no_console(cli):
    status, _, err = cli()
    assert status == 2
    assert "use `mens-console status`" in err


def test_the_console_is_opened_on_the_paths(cli, monkeypatch, box):
    opened = []

    class App:
        return_code = 0

        def __init__(self, engine, settings, *, pins):
            opened.append((engine.snapshot.roots, settings.theme, settings.max_depth))

        def exit(self, *_):
            """Would leave at once."""

        def run(self, **_):
            opened.append("ran")

    monkeypatch.setattr("mens_console.cli.console.need_terminal", lambda: None)
    monkeypatch.setitem(sys.modules, "mens_console.screens.app", type(sys)("app"))
    sys.modules["mens_console.screens.app"].ConsoleApp = App
    assert cli(box, "--theme", "mens-light", "--max-depth", 3)[0] == 0
    assert opened == [((box,), "mens-light", 3), "ran"]


def test_configuration_errors_are_one_line_each(cli, tmp_path):
    (tmp_path / "xdg/mens-console").mkdir(parents=True)
    path = tmp_path / "xdg/mens-console/config.toml"
    path.write_text("themee = 1\nbel = 2\n")
    status, _, err = cli("status")
    assert status == 2
    assert err.splitlines() == [
        f"mens-console: {path}:1: themee: unknown key; did you mean theme?",
        f"  {path}:2: bel: unknown key; did you mean bell?",
    ]


def test_an_untrusted_file_is_told_of_and_never_stops_a_command(cli, box):
    healthy(box)
    (box / "mens-console.toml").write_text('roots = ["/"]\n')
    status, out, err = cli("status", box)
    assert status == 0
    assert "good" in out
    assert err == (
        f"mens-console: {box}/mens-console.toml:1: roots: a file beside the runs may not set this, so it is ignored; "
        "set it in your own config.toml\n"
    )


def test_a_fault_is_one_line_and_a_traceback_only_on_request(cli, monkeypatch):
    def fault(_):
        raise ZeroDivisionError("by \x1b[31mred")

    monkeypatch.setattr("mens_console.cli.completion.run", fault)
    status, _, err = cli("completion", "bash")
    assert status == 2
    assert err == (
        "mens-console: ZeroDivisionError: by ␛[31mred (this is a fault of the program; MENS_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("MENS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli("completion", "bash")


def test_a_file_error_names_the_file(cli, monkeypatch):
    def fault(_):
        raise PermissionError(13, "Permission denied", "/x/y")

    monkeypatch.setattr("mens_console.cli.completion.run", fault)
    assert cli("completion", "bash")[2] == "mens-console: /x/y: permission denied\n"


def test_ctrl_c_is_quiet(cli, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mens_console.cli.completion.run", interrupted)
    assert cli("completion", "bash") == (130, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_what_a_closed_stream_would_have_shown_is_nowhere(box, closed):
    (box / "mens-console.toml").write_text("nonsense = 1\n")  # told on standard error
    shell = f'exec "$0" -m mens_console status --json "$1" {closed}'
    done = subprocess.run(["sh", "-c", shell, sys.executable, str(box)], capture_output=True, text=True)
    assert done.returncode == 2  # no runs here
    if closed == "2>&-":
        assert json.loads(done.stdout)["schema"] == "mens-status/1"


def test_a_full_disk_under_the_answer_is_no_fault_of_the_program(cli, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mens_console.cli.main._dispatch", full)
    code, _, told = cli("status")
    assert (code, told) == (2, "mens-console: the answer could not be written: no space left on device\n")


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-c", CODE, "completion", "bash"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_is_imported_from_the_working_directory(box):
    healthy(box)
    for name in ("orjson", "numpy", "argparse", "rich"):
        (box / f"{name}.py").write_text("open('EVIL', 'w'); raise SystemExit('evil')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["", "."])}
    inside = {"cwd": box, "env": environment}
    for words in (["-c", CODE], ["-m", "mens_console"]):
        # `-c` puts the folder first as "" and `-m` as its path; only what is imported before us could see it.
        done = subprocess.run(
            [sys.executable, *words, "status", "."], capture_output=True, text=True, timeout=60, check=False, **inside
        )
        assert done.returncode == 0, done.stderr
        assert "good" in done.stdout
    assert not (box / "EVIL").exists()


def test_watching_writes_nothing_beside_the_runs(cli, box):
    healthy(box)
    before = sorted(box.rglob("*"))
    cli("status", box)
    assert sorted(box.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--version"], ["textual", "rich", "numpy", "pydantic", "orjson", "plotext", "psutil", "argparse"]),
        (["--help"], ["textual", "rich", "numpy", "pydantic", "orjson", "plotext", "psutil"]),
        (["status", "."], ["textual", "pydantic", "plotext"]),
    ],
)
def test_commands_load_only_what_they_need(words, absent, box):
    healthy(box)
    code = (
        "import sys; from mens_console.cli.main import main; status = main(sys.argv[1:]);"
        f"print([name for name in {absent} if name in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = spawn(*words, code=code, cwd=box)
    assert done.returncode == 0
    assert done.stderr == "[]\n"


def test_progress_shows_on_a_terminal_only_after_a_while(monkeypatch):
    from mens_console.cli import common

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    now = [0.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    stream = Terminal()
    with common.Meter(stream) as meter:
        meter.tell(1, 10)
        assert stream.getvalue() == ""
        now[0] = 0.6
        meter.tell(5_000_000, 10_000_000)
        meter.tell(6_000_000, 10_000_000)
        now[0] = 0.8
        meter.tell(0, 0)
    assert stream.getvalue() == "\rreading …  50 % of 10 MB\x1b[K\rreading …  of 0 MB\x1b[K\r\x1b[2K"
    with common.Meter(io.StringIO()) as quiet:
        now[0] = 9.0
        quiet.tell(1, 2)


def test_argv_is_the_default(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mens-console", "--version"])
    assert entry.main() == 0
    assert capsys.readouterr().out.startswith("mens-console ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_the_screen_is_drawn_in_utf_8_whatever_the_locale_says(monkeypatch, encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "__stderr__", stream)
    monkeypatch.setattr(sys, "__stdout__", None)  # closed by whoever started it
    draw_in_utf8()
    stream.write("✖ ▁")
    stream.flush()
    assert raw.getvalue().decode() == "✖ ▁"


@pytest.mark.parametrize("words", [["kpi"], ["soak", "status"], ["status"]])
def test_a_folder_that_may_not_be_listed_is_told_with_its_cure(cli, tmp_path, monkeypatch, words):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "no", str(path))
        return real(path)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    status, _, err = cli(*words, tmp_path)
    assert status == 2
    assert f"{tmp_path / 'closed'}: permission denied: make it readable (chmod a+rx)" in err

import shutil
import subprocess

import pytest

from mens_console.cli.completion import bash, fish, grammars, zsh
from mens_console.cli.parser import COMMANDS
from mens_contracts.registry import CONTRACTS


def complete(words, cwd):
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"{bash()}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n_mens_console\n"
    script += "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    done = subprocess.run(
        ["bash", "--norc", "--noprofile"], input=script, capture_output=True, text=True, cwd=cwd, timeout=20, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mens-console", "st"], {"stage", "status"}),
        (["mens-console", ""], {*COMMANDS, "a run", "$(touch x)"}),
        (["mens-console", "--th"], {"--theme"}),
        (["mens-console", "status", "--j"], {"--json"}),
        (["mens-console", "status", ""], {"a run", "$(touch x)"}),
        (["mens-console", "plot", "a", "--x", ""], {"step", "relative", "wall"}),
        (["mens-console", "plot", "a", "--x", "w"], {"wall"}),
        (["mens-console", "completion", "z"], {"zsh"}),
        (["mens-console", "alerts", "s"], {"silence", "silences", "since"}),
        (["mens-console", "alerts", "silence", "stall", "--co"], {"--comment"}),
        (["mens-console", "alerts", "silence", "disk_f"], {"disk_full"}),
        (["mens-console", "contracts", "sh"], {"show"}),
        (["mens-console", "contracts", "show", ""], set(CONTRACTS)),
        (["mens-console", "contracts", "check", ""], {"a run", "$(touch x)"}),
        (["mens-console", "contracts", "check", "--contract", "mens_generation_att"], {"mens_generation_attempt_v1"}),
        (["mens-console", "gate", "show", "phase3-r"], {"phase3-release"}),
        (["mens-console", "gate", "check", "a "], {"a run"}),
        (["mens-console", "gate", "check", "web4-ship", ""], {"a run", "$(touch x)"}),
        (["mens-console", "watch", "--on"], {"--once"}),
        (["mens-console", "soak", "st"], {"status", "stop"}),
        (["mens-console", "soak", "stop", "--"], {"--help", "--now", "--json"}),
        (["mens-console", "soak", "report", "d", "--h"], {"--help", "--html"}),
        (["mens-console", "soak", "run", "--arrivals", "p"], {"poisson"}),
        (["mens-console", "export", "a", "-o", "a"], {"a run"}),
    ],
)
def test_bash_completes(box, words, expected):
    (box / "a run").mkdir()
    (box / "$(touch x)").mkdir()
    assert complete(words, box) == expected
    assert not (box / "x").exists()


@pytest.mark.parametrize(("shell", "script"), [("zsh", zsh), ("fish", fish)])
def test_other_shells_accept_the_script(shell, script, cli):
    assert cli("completion", shell) == (0, script(), "")
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n", "/dev/stdin"], input=script(), text=True, check=True, timeout=20)


def test_fish_knows_every_word():
    text = fish()
    for name, grammar in grammars().items():
        assert f"-a {name} " in text or not name
        for action, words in grammar.after.items():
            assert f"and __fish_seen_subcommand_from {action}' -f -a '{' '.join(words)}'" in text or not words
        for option in grammar.options:
            assert all(f"-l {flag[2:]}" in text for flag in option.flags if flag.startswith("--"))
    assert "a run\\'s series" in text

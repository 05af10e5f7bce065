"""A release is signed off in a pseudo-terminal, with a real agent, by keys that come as slowly as fingers."""

import os
import re
import time
from pathlib import Path

import pytest
from e2e.terminal import Terminal
from gate.signing import needs_openssh
from screens.gatebox import COVERAGE, MANUAL, Release

from gate import signing
from mens_console.gate import ledger, signers, verify

pytestmark = pytest.mark.e2e


def typed(terminal: Terminal, text: str) -> None:
    for char in text:
        terminal.send(char)
        terminal.pump(0.03)


@needs_openssh
def test_a_go_at_a_terminal(tmp_path: Path) -> None:
    release = Release(tmp_path)
    release.profile(COVERAGE, MANUAL)
    os.rename(tmp_path / "release.toml", release.evidence / "small.toml")
    release.coverage()
    now = time.time()
    os.utime(release.evidence / "coverage.json", (now - 60, now - 60))
    config = tmp_path / "config" / "mens-console"
    config.mkdir(parents=True)
    key = signing.make_key(tmp_path, "ada")
    (config / "allowed_signers").write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    with signing.agent() as agent:
        agent.add(key)
        env = {
            "SSH_AUTH_SOCK": agent.socket, "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }  # fmt: skip
        with Terminal(str(release.evidence), columns=80, rows=24, cwd=tmp_path, env=env) as terminal:
            terminal.wait_for("? Help")
            terminal.send("9")
            terminal.wait_for("No profile chosen yet")
            terminal.send("p")
            terminal.wait_for("(of a watched")
            typed(terminal, "k\r")
            terminal.wait_for("□ TO MARK")
            typed(terminal, "g ")
            terminal.wait_for("What is released")
            typed(terminal, "1.2\r")
            terminal.wait_for("What did you look at?")
            typed(terminal, "read it\r")
            terminal.wait_for("nothing stands in the way of a GO")
            terminal.send("s")
            terminal.wait_for("What do you say?")
            terminal.send("\r")
            terminal.wait_for("Who signs it")
            typed(terminal, "j\r")
            phrase = re.search(r"GO 1\.2 [0-9a-f]{6}", terminal.wait_for("Type this"))
            assert phrase
            terminal.pump(0.5)
            terminal.send(f"{phrase[0]}\r")
            terminal.wait_for("faster than anybody types")
            terminal.send(f"\x1b[200~{phrase[0]}\x1b[201~\r")
            terminal.pump(0.8)
            assert not (tmp_path / "state" / "mens-console" / "gate" / "ledger.jsonl").exists()
            typed(terminal, f"{phrase[0]}\r")
            shown = terminal.wait_for("SIGNED  GO  1.2 by ada@example.org")
    chain = ledger.load(tmp_path / "state" / "mens-console" / "gate" / "ledger.jsonl")
    assert chain.head in shown
    assert verify.verify(chain, signers.load(config / "allowed_signers"), root=tmp_path).holds

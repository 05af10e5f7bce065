"""Real agents, keys and evidence for the tests of sign-off: everything is made anew in a folder of the test."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mens_console.gate import ledger, signers, signoff, ssh
from mens_console.gate.types import (
    Criterion,
    Evaluation,
    EvidenceFile,
    Judgement,
    Manifest,
    Mark,
    Profile,
)

NOW = 1_780_000_000.25
MISSING = [tool for tool in ("ssh-keygen", "ssh-agent", "ssh-add") if not shutil.which(tool)]
needs_openssh = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (openssh-client)")


def make_key(folder, name):
    """Make an ed25519 key without a passphrase; return its path."""
    path = Path(folder) / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


@dataclass
class Agent:
    """An ssh-agent of its own, and the environment that leads to it."""

    socket: str
    pid: int
    environ: dict = field(default_factory=dict)

    def add(self, key, *options):
        environ = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | self.environ
        subprocess.run(["ssh-add", "-q", *options, str(key)], check=True, env=environ, capture_output=True)


@contextmanager
def agent():
    # A socket's path holds about 100 characters, and pytest's folders are longer.
    folder = tempfile.mkdtemp(prefix="agent-", dir="/tmp")
    path = f"{folder}/s"
    out = subprocess.run(["ssh-agent", "-s", "-a", path], check=True, capture_output=True, text=True).stdout
    pid = int(out.split("SSH_AGENT_PID=")[1].split(";")[0])
    try:
        yield Agent(path, pid, {"SSH_AUTH_SOCK": path})
    finally:
        os.kill(pid, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def silent_agent():
    """A socket that takes connections and never answers."""
    folder = tempfile.mkdtemp(prefix="agent-", dir="/tmp")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/s")
        listening.listen(8)
        taken, stop = [], threading.Event()

        def take():
            listening.settimeout(0.05)
            while not stop.is_set():
                try:
                    taken.append(listening.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield {"SSH_AUTH_SOCK": f"{folder}/s"}
        finally:
            stop.set()
            thread.join()
            for one in taken:
                one.close()
            shutil.rmtree(folder, ignore_errors=True)


def judged(folder, *, release="1.2.0", verdict="PASS", approvals=1, unsigned=False, blockers=(), conditional=False):
    """Return an evaluation of the evidence files in `folder`, by a profile of one criterion."""
    files = []
    for path in sorted(Path(folder).iterdir()):
        data = path.read_bytes()
        files.append(EvidenceFile(str(path), hashlib.sha256(data).hexdigest(), len(data), path.stat().st_mtime))
    evidence = hashlib.sha256("".join(one.sha256 for one in files).encode()).hexdigest()
    rules = f"profile {approvals} {unsigned} {conditional}"
    criterion = Criterion("4.1", "coverage", "engineering", metric="coverage", unit="%")
    manual = Criterion("notes", "release notes final", "engineering", manual=True)
    profile = Profile(
        "test-release", "a profile of tests", (criterion, manual), approvals=approvals, unsigned=unsigned,
        conditional_passes=conditional, sha256=hashlib.sha256(rules.encode()).hexdigest(),
    )  # fmt: skip
    mark = Mark("notes", True, "read them", "ada@example.org", NOW - 60)
    judgements = (
        Judgement(criterion, verdict, "coverage is 93 %", value=93.0, unit="%"),
        Judgement(manual, "PASS", "marked", mark=mark),
    )
    blocked = tuple(blockers) or (() if verdict == "PASS" else (f"4.1 {verdict}: coverage is 93 %",))
    digest = hashlib.sha256(f"{profile.sha256}{evidence}{release}".encode()).hexdigest()
    manifest = Manifest(tuple(files), (), evidence, NOW)
    return Evaluation(profile, release, manifest, judgements, verdict, blocked, not blocked, NOW, digest)


class Desk:
    """A release with its evidence, two people with keys in one agent, and a ledger."""

    def __init__(self, folder, agent):
        self.folder, self.agent = Path(folder), agent
        self.evidence = self.folder / "evidence"
        self.evidence.mkdir()
        (self.evidence / "coverage.json").write_text('{"totals": {"percent_covered": 93.0}}')
        (self.evidence / "junit.xml").write_text("<testsuite tests='3' failures='0'/>")
        self.keys = {name: make_key(self.folder, name) for name in ("ada", "bob")}
        self.allowed = self.folder / "allowed_signers"
        self.allow(ada="", bob="")
        for key in self.keys.values():
            agent.add(key)
        self.ledger = self.folder / "ledger.jsonl"
        self.rules = {}

    def public(self, name):
        return (self.folder / f"{name}.pub").read_text().strip()

    def allow(self, **options):
        """Write who may sign, each with the options of their key."""
        lines = [f"{name}@example.org {option} {self.public(name)}\n" for name, option in options.items()]
        self.allowed.write_text("# who may sign\n\n" + "".join(lines))

    def signers(self):
        return signers.load(self.allowed)

    def key(self, name="ada"):
        return ssh.key_of(self.public(name))

    def head(self):
        return hashlib.sha256(self.ledger.read_bytes()).hexdigest()

    def judged(self, **rules):
        return judged(self.evidence, **{**self.rules, **rules})

    def draft(self, decision="GO", who="ada", *, evaluation=None, now=NOW, **more):
        evaluation = evaluation or self.judged()
        if decision == "GO":
            more.setdefault("typed", f"GO {evaluation.release} {evaluation.digest[:6]}")
        else:
            more.setdefault("reason", "the notes are wrong")
        key = self.key(who) if who else None
        chain = ledger.load(self.ledger)
        return signoff.draft(evaluation, decision, chain=chain, now=now, key=key, signers=self.signers(), **more)

    def sign(self, decision="GO", who="ada", *, again=None, **more):
        made = self.draft(decision, who, **more)
        again = again or self.judged
        if not who:
            return signoff.record(made, None, None, self.ledger, again=again)
        return signoff.sign_off(
            made, self.key(who), self.signers(), self.ledger, again=again, environ=self.agent.environ
        )

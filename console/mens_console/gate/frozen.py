"""Sign-off before a screen: the evidence frozen when it opens, whether it moved since, and each way to a record.

All of it waits for disks, agents or people: call it from a worker. The order of signing is `signoff`'s alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mens_console.gate import desk, elsewhere, signoff, ssh
from mens_console.gate.desk import DeskError
from mens_console.gate.ledger import LedgerError
from mens_console.gate.signers import SignersError
from mens_console.gate.signoff import SignOffError
from mens_console.gate.ssh import Key, SshError
from mens_console.gate.subprocesses import ToolError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mens_console.gate.desk import Judged, Question
    from mens_console.gate.ledger import Chain
    from mens_console.gate.signers import Signers
    from mens_console.gate.signoff import Draft, Recorded
    from mens_console.gate.statements import Decision
    from mens_console.gate.types import Evaluation

EXPECTED: Final = (SignOffError, SshError, ToolError, LedgerError, DeskError, SignersError)
"""What is raised with a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What is decided on: one judging, the ledger's place for it, and whose signatures count."""

    judged: Judged
    chain: Chain
    signers: Signers | None
    signers_problem: str = ""

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation."""
        return self.judged.evaluation

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What stands in the way of a GO."""
        return signoff.obstacles(self.evaluation)


@dataclass(frozen=True, slots=True)
class Said:
    """What the operator said: the phrase as typed (GO), or the reason (NO-GO)."""

    decision: Decision
    typed: str = ""
    reason: str = ""


def freeze(question: Question, now: float) -> Frozen:
    """Read everything once more. Raises one of `EXPECTED`; who may sign may be missing, and why is told then."""
    judged = desk.judge(question, now)
    chain = desk.chain_of()
    if chain.problems:
        raise SignOffError(
            f"{chain.problems[0]}; nothing is added to a ledger that is not whole (mens-console gate verify): restore "
            "it from a copy, or name another ($MENS_LEDGER)"
        )
    try:
        signers = desk.signers_of(judged.evaluation.profile)
    except SignersError as error:
        return Frozen(judged, chain, None, str(error))
    problem = "" if signers else (
        "nobody says whose signatures count: put people and their public keys into allowed_signers beside the "
        "configuration, or name such a file in the profile"
    )  # fmt: skip
    return Frozen(judged, chain, signers, problem)


def disturbed(frozen: Frozen, now: float) -> tuple[str, Frozen]:
    """Say which file is not what was frozen, "" where all are; with the same, its stamps renewed."""
    moved = desk.changed(frozen.judged, appeared=True)
    if not moved:
        return "", frozen
    try:
        again = desk.judge(frozen.judged.question, now)
    except DeskError as error:
        return error.lines[0], frozen
    return difference(frozen.evaluation, again.evaluation), replace(frozen, judged=_renewed(frozen.judged, again))


def difference(before: Evaluation, after: Evaluation) -> str:
    """Say which file of evidence, or that the profile, changed between two judgings."""
    if before.profile.sha256 != after.profile.sha256:
        return f"the profile changed: {safe_text(before.profile.path, 200)}"
    was = {one.path: one.sha256 for one in before.manifest.files}
    now = {one.path: one.sha256 for one in after.manifest.files}
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            word = "is new" if path not in was else "is gone" if path not in now else "changed"
            return f"evidence {word}: {safe_text(path, 200)}"
    return "" if before.digest == after.digest else "what is judged changed: evidence, marks or waivers"


def _renewed(judged: Judged, again: Judged) -> Judged:
    return replace(judged, stamps=again.stamps, seen=again.seen)


def known_keys(
    frozen: Frozen, environ: Mapping[str, str] | None = None, cancel: threading.Event | None = None
) -> tuple[tuple[Key, str], ...]:
    """Return the agent's keys that may sign, each with whose it is. Raises one of `EXPECTED` where there is none."""
    signers = _signers(frozen)
    held = ssh.agent_keys(environ, cancel=cancel)
    fitting = tuple((key, signers.principals[key.fingerprint]) for key in held if key.fingerprint in signers.principals)
    if not fitting:
        raise SignOffError(
            f"the agent holds {len(held)} keys, and none of them may sign: {safe_text(signers.path, 200)} lists none; "
            "add yours to it, or sign on your laptop"
        )
    return fitting


def people(frozen: Frozen) -> tuple[tuple[Key, str], ...]:
    """Return the keys that may sign wherever they are, each with whose it is."""
    if frozen.signers is None:
        return ()
    return tuple((Key("", print_, name), name) for print_, name in frozen.signers.principals.items())


def draft(frozen: Frozen, said: Said, key: Key | None, now: float) -> Draft:
    """Return what is to be signed. Raises `SignOffError`."""
    return signoff.draft(
        frozen.evaluation, said.decision, chain=frozen.chain, now=now, key=key, signers=frozen.signers,
        typed=said.typed, reason=said.reason,
    )  # fmt: skip


def sign_here(
    frozen: Frozen,
    said: Said,
    key: Key,
    clock: Callable[[], float],
    *,
    environ: Mapping[str, str] | None = None,
    limit_s: float = ssh.SIGN_LIMIT_S,
    cancel: threading.Event | None = None,
) -> Recorded:
    """Sign with a key of the agent and record. Raises one of `EXPECTED`."""
    made = draft(frozen, said, key, clock())
    return signoff.sign_off(
        made, key, _signers(frozen), _ledger(frozen), again=_again(frozen, clock), environ=environ, limit_s=limit_s,
        cancel=cancel,
    )  # fmt: skip


def unsigned(frozen: Frozen, said: Said, clock: Callable[[], float]) -> Recorded:
    """Record without a signature, where the profile lets that in. Raises one of `EXPECTED`."""
    made = draft(frozen, said, None, clock())
    return signoff.record(made, None, None, _ledger(frozen), again=_again(frozen, clock))


def export(frozen: Frozen, said: Said, key: Key, path: Path, clock: Callable[[], float]) -> tuple[str, ...]:
    """Write what is to be signed elsewhere; return the commands that sign it. Raises one of `EXPECTED`."""
    desk.apart(path, frozen.judged.question.paths, "what is exported")
    return elsewhere.export(draft(frozen, said, key, clock()), path)


def take_back(frozen: Frozen, signature: Path, clock: Callable[[], float]) -> Recorded:
    """Record what was signed elsewhere. Raises one of `EXPECTED`."""
    signers = _signers(frozen)
    returned = elsewhere.read(signature)
    made = elsewhere.matched(returned, frozen.evaluation, frozen.chain, signers)
    return signoff.record(made, returned.signatures, signers, _ledger(frozen), again=_again(frozen, clock))


def _again(frozen: Frozen, clock: Callable[[], float]) -> Callable[[], Evaluation]:
    return lambda: desk.judge(frozen.judged.question, clock()).evaluation


def _ledger(frozen: Frozen) -> Path:
    path = desk.ledger_path()
    desk.apart(path, frozen.judged.question.paths, "the ledger")
    return path


def _signers(frozen: Frozen) -> Signers:
    if frozen.signers is None:
        raise SignOffError(frozen.signers_problem)
    return frozen.signers

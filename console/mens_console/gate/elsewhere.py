"""Signing where the key is: what is signed goes out as two files, and comes back with a signature beside each.

The exported files are PAEs; what comes back is believed only as far as it is byte for byte what would be signed here
now. Recording it is `signoff.record`'s alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.gate import signoff, ssh
from mens_console.gate.dsse import DsseError, unpae
from mens_console.gate.signoff import Draft, SignOffError
from mens_console.gate.ssh import Key
from mens_console.gate.statements import StatementError, Word, read_decision
from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.gate.ledger import Chain
    from mens_console.gate.signers import Signers
    from mens_console.gate.types import Evaluation
    from mens_contracts.gate_records import GateDecision

_MOST: Final = 64 << 20
"""Bytes of an exported file: hundreds of thousands of evidence files."""
_RESULTS, _SIG = ".results", ".sig"


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back: both payloads and their signatures, not checked yet."""

    decision: GateDecision
    payload: bytes
    results: bytes
    signatures: tuple[bytes, bytes]


def export(draft: Draft, path: Path) -> tuple[str, ...]:
    """Write what is to be signed to `path` and `path`.results; return the commands that sign it. Raises `SignOffError`.

    A signature that already lies beside is refused: ssh-keygen would leave it as it is and say nothing.
    """
    names = (path, path.with_name(path.name + _RESULTS))
    for one in names:
        signature = one.with_name(one.name + _SIG)
        if os.path.lexists(signature):
            raise SignOffError(f"{signature}: an old signature lies there; move it away, or export to another name")
    for one, pae in zip(names, draft.paes, strict=True):
        _write(one, pae)
    decision, results = (shlex.quote(one.name) for one in names)
    return (
        f"rm -f {decision}{_SIG} {results}{_SIG}",
        f"ssh-keygen -Y sign -n {ssh.NAMESPACE} -f ~/.ssh/id_ed25519 {decision} {results}",
    )


def read(signature: Path) -> Returned:
    """Return what `export` wrote and what signs it, by the name of the decision's signature. Raises `SignOffError`."""
    name = signature.name.removesuffix(_SIG)
    if name == signature.name:
        raise SignOffError(f"{signature}: the signature of an exported FILE is called FILE{_SIG}: name that")
    name = name.removesuffix(_RESULTS)
    decision = signature.with_name(name)
    results = signature.with_name(name + _RESULTS)
    payload, told = _payload(decision), _payload(results)
    try:
        made = read_decision(payload)
    except StatementError as error:
        raise SignOffError(f"{decision}: {error}; export it again") from None
    if hashlib.sha256(told).hexdigest() != made.results:
        raise SignOffError(f"{results}: it does not belong to {decision.name}; export both again")
    signatures = (_bytes(decision.with_name(name + _SIG)), _bytes(results.with_name(results.name + _SIG)))
    return Returned(made, payload, told, signatures)


def matched(returned: Returned, evaluation: Evaluation, chain: Chain, signers: Signers) -> Draft:
    """Return the draft that was signed, where it is still what would be signed now. Raises `SignOffError`."""
    made = returned.decision
    if (made.release, made.profile.id) != (evaluation.release, evaluation.profile.id):
        raise SignOffError(
            f"what was signed is {safe_text(made.release, 80)} under {safe_text(made.profile.id, 80)}, not "
            f"{safe_text(evaluation.release, 80)} under {safe_text(evaluation.profile.id, 80)}"
        )
    if made.by.key is None:
        raise SignOffError("what came back is an unsigned record, which needs no signature: export it again")
    if made.ledger.head != chain.following:
        raise SignOffError(
            f"{chain.path}: the ledger is not where it was when this was exported, and a signature holds for one place "
            "alone; look at it (gate ledger), export again and sign that"
        )
    if made.decision == "GO" and made.digest != evaluation.digest:
        raise SignOffError("the evidence, the profile, marks or waivers changed since this was exported; look again, "
                           "export again and sign that")  # fmt: skip
    if made.decision == "NO-GO":  # it says what was seen then, and stands whatever became of it
        return Draft(evaluation, _word(made), returned.payload, returned.results)
    again = signoff.draft(
        evaluation,
        made.decision,
        chain=chain,
        now=_time(made.decided_at),
        key=Key("", made.by.key),
        signers=signers,
        typed=made.phrase,
        reason=made.reason,
    )
    if (again.decision, again.results) != (returned.payload, returned.results):
        raise SignOffError(
            "what was signed is not what would be signed now: the evidence, the verdict or who may sign changed, the "
            "file was edited, or this is another folder than that of the export; look again, export again and sign that"
        )
    return again


def _word(made: GateDecision) -> Word:
    return Word(
        decision=made.decision,
        principal=made.by.principal,
        key=made.by.key,
        at=_time(made.decided_at),
        head=made.ledger.head,
        entries=made.ledger.entries,
        reason=made.reason,
        supersedes=tuple(made.supersedes),
        allowed_signers=made.allowed_signers,
    )


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise SignOffError(f"{safe_text(text, 40)} is no time; export it again") from None


def _payload(path: Path) -> bytes:
    try:
        return unpae(_bytes(path))
    except DsseError as error:
        raise SignOffError(f"{path}: {error}; export it again") from None


def _bytes(path: Path) -> bytes:
    try:
        data = read_small(str(path), _MOST + 1, follow=True)
    except FileNotFoundError:
        raise SignOffError(f"{path}: it is not there; what was exported and both signatures lie side by side") from None
    except OSError as error:
        raise SignOffError(f"{path}: {explain(error)}") from None
    if len(data) > _MOST:
        raise SignOffError(f"{path}: it is over {_MOST >> 20} MiB, which nothing that was exported is")
    return data


def _write(path: Path, data: bytes) -> None:
    """Write an export, new or over an earlier one; nothing else is ever overwritten. Raises `SignOffError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        if path.exists() and path.stat().st_size and not _exported(path):
            raise SignOffError(f"{path}: something else is there; export to another name")
        fd = os.open(path, flags, 0o600)
        with open(fd, "wb") as file:  # noqa: PTH123 (a descriptor)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SignOffError(f"{path}: it is no regular file; export to another name")
            file.truncate(0)
            file.write(data)
            file.flush()
            os.fsync(fd)
    except OSError as error:
        raise SignOffError(f"{path}: it could not be written: {explain(error)}") from None


def _exported(path: Path) -> bool:
    with contextlib.suppress(OSError, DsseError):
        unpae(read_small(str(path), _MOST + 1))
        return True
    return False

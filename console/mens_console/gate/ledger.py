"""The ledger of decisions: JSON lines, each of which holds the SHA-256 of all bytes before it.

So the head is `sha256sum` of the file, and whoever keeps a head elsewhere can tell later that nothing before it was
edited, dropped or moved. Lines are added in `append`, signatures are checked in `verify`; what the decisions come to is
told in `standing`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.gate.dsse import DsseError, Envelope, envelope
from mens_console.gate.statements import StatementError, canonical, read_decision, read_results, subjects
from mens_console.ingest.safeopen import explain, open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mens_contracts.gate_records import GateDecision, LedgerLine

MOST: Final = 256 << 20
"""Bytes; a decision on a thousand evidence files takes about 400 KB."""
TORN: Final = b" <torn>\n"
"""Ends a line that its writer could not finish, so that it never turns into a record by chance."""


class LedgerError(Exception):
    """Nothing was recorded, or nothing can be read; the message names the file and the cure."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record. `prev` and `head` are the ledger's head before and after it; `line` counts from 1."""

    line: int
    number: int
    prev: str
    head: str
    decision: GateDecision
    decided: Envelope
    results: Envelope

    @property
    def signed(self) -> bool:
        """Whether it carries signatures; whether they hold is another question."""
        return bool(self.decided.signatures)


@dataclass(frozen=True, slots=True)
class Chain:
    """A ledger as it was read. `problems` break it, `notes` do not; `tail` is a last line that was not finished.

    `head` is the SHA-256 of the file, `following` what the next record must name as the head before it.
    """

    path: str
    entries: tuple[Entry, ...]
    head: str
    following: str
    tail: bytes
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problems


def line_of(number: int, prev: str, decided: Envelope, results: Envelope, torn: int = 0) -> bytes:
    """Return a record as the ledger holds it, with its newline."""
    record = {
        "schema": "mens-gate-ledger/1",
        "entry": number,
        "prev": prev,
        "torn": torn,
        "status": "SIGNED" if decided.signatures else "UNSIGNED",
        "envelopes": {"decision": decided.document(), "results": results.document()},
    }
    return canonical(record) + b"\n"


def load(path: Path) -> Chain:
    """Read a ledger; one that is not there is empty. Raises `LedgerError` where it cannot be read."""
    try:
        fd, _ = open_regular(str(path), follow=True)
    except FileNotFoundError:
        return chain(b"", str(path))
    except OSError as error:
        raise LedgerError(f"{path}: {explain(error)}") from None
    try:
        return chain(whole(fd, path), str(path))
    except OSError as error:
        raise LedgerError(f"{path}: {explain(error)}") from None
    finally:
        os.close(fd)


def chain(data: bytes, path: str) -> Chain:
    """Return what a ledger's bytes hold: every record in its place, and every line that is out of it."""
    hasher = hashlib.sha256()
    entries: list[Entry] = []
    problems: list[str] = []
    notes: list[str] = []
    torn: bytes | None = None
    tail = b""
    for number, raw in enumerate(_lines(data), 1):
        prev = hasher.hexdigest()
        hasher.update(raw)
        where = f"{path}:{number}"
        if not raw.endswith(b"\n"):
            tail = raw
            notes.append(f"{where}: the last line was not finished (its writer was stopped, or the disk is full): "
                         "it is no record, and nothing was decided by it")  # fmt: skip
        elif raw.endswith(TORN) and torn is None:
            torn = raw[: -len(TORN)]
        else:
            try:
                entries.append(_entry(raw, number, prev, hasher.hexdigest(), len(entries) + 1, torn))
            except (StatementError, DsseError) as error:
                problems.append(f"{where}: {error}")
            else:
                if torn is not None:
                    notes.append(f"{path}:{number - 1}: a line of {len(torn)} bytes was not finished and is no record")
            torn = None
    if torn is not None:
        problems.append(f"{path}: its last line is marked torn, and no record follows that says so: it was edited")
    head = hasher.hexdigest()
    if tail:
        hasher.update(TORN)
    return Chain(path, tuple(entries), head, hasher.hexdigest(), tail, tuple(problems), tuple(notes))


def _entry(raw: bytes, line: int, prev: str, head: str, number: int, torn: bytes | None) -> Entry:
    """Return the record in a line; raise `StatementError` or `DsseError` where it is none, or out of its place."""
    record = _record(raw)
    decided = envelope(record.envelopes.decision.model_dump())
    results = envelope(record.envelopes.results.model_dump())
    if record.prev != prev:
        raise StatementError(
            "the lines before it are not those it was recorded after: one of them was edited, dropped, added or moved"
        )
    if record.entry != number or record.torn != len(torn or b""):
        raise StatementError(f"it calls itself record {record.entry}, and it is the {number}. here")
    decision = read_decision(decided.payload)
    if (decision.ledger.head, decision.ledger.entries) != (prev, number - 1):
        raise StatementError("its decision was made for another place of a ledger: it was copied here")
    _agree(record.status, decision, decided, results)
    return Entry(line, number, prev, head, decision, decided, results)


def _agree(status: str, decision: GateDecision, decided: Envelope, results: Envelope) -> None:
    """Raise `StatementError` where the parts of a record do not belong together."""
    read_results(results.payload)
    if hashlib.sha256(results.payload).hexdigest() != decision.results:
        raise StatementError("the results beside its decision are not those that were decided on")
    if subjects(results.payload) != subjects(decided.payload):
        raise StatementError("its results are about other evidence than its decision")
    keys = [one.keyid for one in (*decided.signatures, *results.signatures)]
    wanted = [] if decision.by.key is None else [decision.by.key] * 2
    if keys != wanted or (len(decided.signatures) != len(results.signatures)):
        raise StatementError("its signatures are not by the key that its decision names, one on each Statement")
    if status != ("SIGNED" if keys else "UNSIGNED"):
        raise StatementError(f"it calls itself {status} and carries {len(keys)} signatures")
    if not keys and not decision.profile.unsigned:
        raise StatementError("it is UNSIGNED, which its profile does not let in")


def _record(raw: bytes) -> LedgerLine:
    from pydantic import ValidationError

    from mens_contracts.gate_records import LedgerLine

    try:
        return LedgerLine.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StatementError(
            f"it is no record of mens-gate-ledger/1: {where}: {first['msg']}".replace(": :", ":")
        ) from None


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield lines by newline alone; a carriage return is a byte like any other."""
    parts = data.split(b"\n")
    yield from (part + b"\n" for part in parts[:-1])
    if parts[-1]:
        yield parts[-1]


def whole(fd: int, path: Path) -> bytes:
    """Return all bytes of a ledger. Raises `LedgerError` where it is too large, OSError."""
    size = os.fstat(fd).st_size
    if size > MOST:
        raise LedgerError(f"{path}: {size >> 20} MiB, ledgers are read up to {MOST >> 20} MiB: begin another")
    return read_at(fd, 0, size)

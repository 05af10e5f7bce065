"""Whether a ledger holds: its chain, every signature against who may sign now, and the evidence that is still on disk.

Everything is checked as a stranger would, from the ledger's bytes and a file of allowed signers alone; it may take a
while (one ssh-keygen for each signature, and every evidence file is read): call it from a worker.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_console.gate import ssh
from mens_console.gate.standing import Standing, standings
from mens_console.gate.statements import subjects
from mens_console.ingest.safeopen import open_regular, read_at
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mens_console.gate.ledger import Chain, Entry
    from mens_console.gate.signers import Signers

Evidence = Literal["same", "changed", "gone"]
State = Literal["holds", "does not hold", "UNSIGNED", "not checked"]
_BLOCK: Final = 1 << 20
_WORKERS: Final = 4
_HEAD: Final = re.compile(r"[0-9a-f]{12,64}")
EMPTY: Final = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class Checked:
    """A record: how its signatures are, `problem` why that will not do, and how its evidence files are today."""

    entry: Entry
    state: State
    problem: str
    evidence: tuple[tuple[str, Evidence], ...]

    def files(self, state: Evidence) -> tuple[str, ...]:
        """Return the evidence files in that state."""
        return tuple(path for path, one in self.evidence if one == state)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `problems` mean that it does not hold; `notes` are to be known; `standings` rest on what holds.

    Where there are problems no standing is to be believed: what was cut off or changed may have said otherwise.
    """

    chain: Chain
    checked: tuple[Checked, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    standings: tuple[Standing, ...]

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return not self.problems


def verify(
    chain: Chain, signers: Signers | None, *, root: Path, expect_head: str = "", unsigned: bool = False
) -> Report:
    """Check a ledger. Evidence with relative paths is looked for below `root`; `unsigned` lets UNSIGNED records pass.

    Evidence that changed is a problem of the release that was decided on last, and a note on earlier ones: builds
    overwrite their reports.
    `expect_head` is a head that somebody kept elsewhere: it must be the ledger's, or one it has had since. Raises
    `ToolError` where ssh-keygen is missing.
    """
    problems = list(chain.problems)
    notes = list(chain.notes)
    if chain.tail:
        problems.append(notes.pop())
    if not chain.entries and not problems:
        problems.append(f"{chain.path}: it holds no record: nothing was decided, or all of it was cut off")
    hashes: dict[str, str | None] = {}
    with ThreadPoolExecutor(_WORKERS) as workers:  # ssh-keygen is a process of its own for each signature
        states = list(workers.map(lambda entry: signatures(entry, signers, unsigned=unsigned), chain.entries))
    checked = tuple(
        Checked(entry, *state, tuple(_evidence(entry, root, hashes)))
        for entry, state in zip(chain.entries, states, strict=True)
    )
    problems += [f"{chain.path}:{one.entry.line}: {one.problem}" for one in checked if one.problem]
    standing = standings([one.entry for one in checked if not one.problem])
    counted = set(standing[0].counted) if standing else set()
    for one in checked:
        _tell_evidence(one, chain, problems if one.entry.head in counted else notes, notes)
    if any(state != "same" and not os.path.isabs(path) for one in checked for path, state in one.evidence):  # noqa: PTH117
        notes.append(f"evidence was looked for below {root.resolve()}; --evidence DIR names another folder")
    _expect(expect_head, chain, problems, notes)
    notes += [
        f"{chain.path}:{one.line}: UNSIGNED: whoever can write the file can have written it"
        for one in chain.entries
        if not one.signed
    ]
    return Report(chain, checked, tuple(problems), tuple(notes), standing)


def signatures(entry: Entry, signers: Signers | None, *, unsigned: bool) -> tuple[State, str]:
    """Return how a record's signatures are, and why that will not do, "" where it will."""
    if not entry.signed:
        told = "" if unsigned else "the record is UNSIGNED: nobody vouches for it (--allow-unsigned lets it pass)"
        return "UNSIGNED", told
    if signers is None:
        return "not checked", "its signatures were not checked: name the people who may sign (--allowed-signers FILE)"
    for what, envelope in (("decision", entry.decided), ("results", entry.results)):
        try:
            ssh.verify(envelope.pae, envelope.signatures[0].sig, entry.decision.by.principal, signers)
            made = ssh.parse(envelope.signatures[0].sig)
        except ssh.SshError as error:
            return "does not hold", f"the signature of its {what} does not hold: {error}"
        if made.fingerprint != entry.decision.by.key:
            wrong = f"the signature of its {what} is by {made.fingerprint}, and it names {entry.decision.by.key}"
            return "does not hold", wrong
    return "holds", ""


def _evidence(entry: Entry, root: Path, hashes: dict[str, str | None]) -> Iterable[tuple[str, Evidence]]:
    for one in subjects(entry.decided.payload)[1:]:
        path = os.path.join(root, one.name)  # noqa: PTH118 (names may hold any bytes)
        if path not in hashes:
            hashes[path] = _digest(path)
        found = hashes[path]
        yield one.name, "gone" if found is None else "same" if found == one.sha256 else "changed"


def _digest(path: str) -> str | None:
    """Return a file's SHA-256, None where there is none to be read."""
    try:
        fd, _ = open_regular(path, follow=True)
    except (OSError, ValueError):
        return None
    try:
        hasher, at = hashlib.sha256(), 0
        while block := read_at(fd, at, _BLOCK):
            hasher.update(block)
            at += len(block)
    except OSError:
        return None
    finally:
        os.close(fd)
    return hasher.hexdigest()


def _tell_evidence(one: Checked, chain: Chain, changed_to: list[str], notes: list[str]) -> None:
    where = f"{chain.path}:{one.entry.line}"
    for state, sink in (("changed", changed_to), ("gone", notes)):
        paths = one.files("changed" if state == "changed" else "gone")
        if paths:
            said = "is not what was decided on any more" if state == "changed" else "is not on disk any more"
            more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
            sink.append(f"{where}: evidence {safe_text(paths[0], 200)}{more} {said}")


def _expect(expected: str, chain: Chain, problems: list[str], notes: list[str]) -> None:
    """Look for a head that was kept elsewhere."""
    if not expected:
        return
    if not _HEAD.fullmatch(expected):
        problems.append(f"{safe_text(expected, 80)} is no head: give 12 to 64 hexadecimal digits of one")
        return
    if chain.head.startswith(expected):
        return
    heads = [one.head for one in chain.entries]
    later = next((len(heads) - number for number, head in enumerate(heads, 1) if head.startswith(expected)), None)
    if later is None and EMPTY.startswith(expected):
        later = len(heads)
    if later is None:
        problems.append(
            f"{chain.path}: it never had the head {expected}: records were cut off, or it was written anew or replaced"
        )
    else:
        notes.append(f"{chain.path}: {later} record(s) were added after the head {expected}")

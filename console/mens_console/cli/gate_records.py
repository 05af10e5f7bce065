"""What `gate sign`, `gate verify` and `gate ledger` share: where ledger and signers lie, and how records are told.

Whether signatures hold is found out in `gate.verify`; here it is only said.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mens_console.cli.errors import CommandError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mens_console.gate.ledger import Chain, Entry
    from mens_console.gate.signers import Signers
    from mens_console.gate.standing import Standing
    from mens_console.gate.verify import Checked, Report


def ledger_option(parser: argparse.ArgumentParser, *, positional: bool) -> None:
    """Declare where the ledger is: as `--ledger` everywhere, and by its name alone where there is no other file."""
    told = "the ledger (default: $MENS_LEDGER, or gate/ledger.jsonl in the user's state folder)"
    if positional:
        parser.add_argument("named_ledger", nargs="?", type=Path, metavar="LEDGER", help=told)
        told = "the same"
    parser.add_argument("--ledger", type=Path, metavar="FILE", help=told)


def signers_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare whose signatures count."""
    parser.add_argument(
        "--allowed-signers",
        type=Path,
        metavar="FILE",
        help=f"people and their public keys, as OpenSSH has it ({default})",
    )
    parser.add_argument(
        "--revoked", type=Path, metavar="FILE", help="revoked keys or a KRL (default: revoked_keys beside that file)"
    )


def ledger_path(arguments: argparse.Namespace) -> Path:
    """Return where the ledger is, or would be. Raises `CommandError` where two are named."""
    from mens_console.gate import desk

    named: Path | None = getattr(arguments, "named_ledger", None)
    if named and arguments.ledger and named != arguments.ledger:
        raise CommandError(f"two ledgers are named, {named} and {arguments.ledger}: name one")
    chosen: Path | None = arguments.ledger or named
    return chosen.expanduser() if chosen else desk.ledger_path()


def existing(path: Path) -> Path:
    """Return the path of a ledger that is there. Raises `CommandError`."""
    if not os.path.lexists(path):
        raise CommandError(f"{path}: there is no ledger; name one, or record a decision first (gate sign)")
    return path


def loaded(path: Path) -> Chain:
    """Read a ledger. Raises `CommandError` where it cannot be read."""
    from mens_console.gate.ledger import LedgerError, load

    try:
        return load(path)
    except LedgerError as error:
        raise CommandError(str(error)) from None


def signers_of(arguments: argparse.Namespace, named: Path | None = None) -> Signers | None:
    """Return who may sign: by the option, by the profile (`named`), or the user's own file; None where nothing says.

    Raises `CommandError` for a file that cannot be trusted.
    """
    from mens_console.config.loader import user_file
    from mens_console.gate.signers import SignersError, load

    own = user_file(os.environ).with_name("allowed_signers")
    path = arguments.allowed_signers or named or (own if own.exists() else None)
    if path is None:
        return None
    try:
        return load(path.expanduser(), arguments.revoked)
    except SignersError as error:
        raise CommandError(str(error)) from None


def record_lines(entry: Entry, ink: Callable[[str, str], str], checked: Checked | None = None) -> list[str]:
    """Return the lines on one record."""
    made = entry.decision
    status = "SIGNED" if entry.signed else "UNSIGNED"
    if entry.signed and checked is not None:
        status = f"SIGNED, signature {checked.state}"
    good = checked is not None and checked.state == "holds"
    colour = "good" if made.decision == "GO" and good else "bad" if made.decision == "NO-GO" else "warn"
    who = safe_text(made.by.principal, 80)
    lines = [
        f"{entry.number:>3}  {ink(f'{made.decision:<5}', colour)}  {safe_text(made.release, 100)}  "
        f"{safe_text(made.profile.id, 60)}  {safe_text(made.decided_at, 40)}  {who}",
        f"     {ink(status, 'good' if good else 'warn' if checked is None and entry.signed else 'bad')}  "
        f"on {made.digest[:12]}  verdict {made.verdict}  head {entry.head[:16]}",
    ]
    if made.reason:
        lines.append(f"     {safe_text(made.reason, 400)}")
    if checked is not None and checked.evidence:
        counts = [f"{count} {state}" for state, count in evidence_counts(checked).items() if count]
        lines.append(f"     evidence: {', '.join(counts)} of {len(checked.evidence)}")
    return lines


def standing_line(one: Standing, ink: Callable[[str, str], str], *, verified: bool = True) -> str:
    """Return where a release stands, in a line; what was not `verified` is what the file says."""
    colour = {"GO": "good", "NO-GO": "bad", "PENDING": "warn"}[one.outcome]
    said = [f"GO by {', '.join(safe_text(name, 80) for name in one.approved)}"] if one.approved else []
    said += [f"NO-GO by {', '.join(safe_text(name, 80) for name in one.against)}"] if one.against else []
    good = verified and one.signed
    text = ink(f"{'' if verified else 'says '}{one.text}", colour if good or one.outcome != "GO" else "warn")
    return f"{safe_text(one.release, 100)}  {safe_text(one.profile, 60)}  {text}  {'; '.join(said)}".rstrip()


def evidence_counts(checked: Checked) -> dict[str, int]:
    """Return how many evidence files are the same, changed and gone."""
    return {
        "same": len(checked.files("same")),
        "changed": len(checked.files("changed")),
        "gone": len(checked.files("gone")),
    }


def document(chain: Chain, standings: tuple[Standing, ...], report: Report | None = None) -> dict[str, Any]:
    """Return the document `mens-gate-records/1`."""
    checked = {one.entry.number: one for one in report.checked} if report else {}
    return {
        "schema": "mens-gate-records/1",
        "ledger": safe_text(chain.path),
        "head": chain.head,
        "verified": report is not None,
        "holds": report.holds if report else None,
        "problems": [safe_text(one) for one in (report.problems if report else chain.problems)],
        "notes": [safe_text(one) for one in (report.notes if report else chain.notes)],
        "records": [_record(one, checked.get(one.number)) for one in chain.entries],
        "standings": [_standing(one) for one in standings],
    }


def _record(entry: Entry, checked: Checked | None) -> dict[str, Any]:
    made = entry.decision
    signature = checked.state if checked else "not checked"
    return {
        "entry": entry.number,
        "line": entry.line,
        "head": entry.head,
        "status": "SIGNED" if entry.signed else "UNSIGNED",
        "decision": made.decision,
        "profile": safe_text(made.profile.id),
        "release": safe_text(made.release),
        "digest": made.digest,
        "verdict": made.verdict,
        "by": {"principal": safe_text(made.by.principal), "key": made.by.key},
        "decided_at": safe_text(made.decided_at),
        "reason": safe_text(made.reason),
        "supersedes": list(made.supersedes),
        "signature": signature if entry.signed else "UNSIGNED",
        "problem": safe_text(checked.problem) if checked else "",
        "evidence": evidence_counts(checked) if checked else None,
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "profile": safe_text(one.profile),
        "release": safe_text(one.release),
        "digest": one.digest,
        "outcome": one.outcome,
        "signed": one.signed,
        "approved": [safe_text(name) for name in one.approved],
        "needed": one.needed,
        "against": [safe_text(name) for name in one.against],
    }

"""`mens-console gate sign`: one person's GO or NO-GO on a release, signed with a key of the agent or elsewhere.

The flow is `gate.signoff`'s; here the operator sees what is decided, is asked for the phrase, and told what came of it.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.common import complain
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.gate_key import key_of, needed
from mens_console.cli.gate_records import ledger_option, ledger_path, loaded, signers_of, signers_options, standing_line
from mens_console.cli.gate_show import loaded as profile_of
from mens_console.cli.values import positive
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mens_console.gate.ledger import Chain
    from mens_console.gate.signers import Signers
    from mens_console.gate.signoff import Draft, Recorded
    from mens_console.gate.ssh import Key
    from mens_console.gate.types import Evaluation, Profile


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from mens_console.cli.gate_judging import options as judging

    judging(parser)
    ledger_option(parser, positional=False)
    signers_options(parser, "default: the profile's, or allowed_signers beside the configuration")
    parser.add_argument("--no-go", metavar="REASON", help="record a NO-GO, which is always possible, and why")
    parser.add_argument("--note", default="", metavar="TEXT", help="a remark that is signed with a GO")
    parser.add_argument(
        "--key", metavar="KEY", help="fingerprint SHA256:…, a .pub file, or the person's name in the file of signers"
    )
    parser.add_argument(
        "--timeout", type=positive, default=60, metavar="S", help="seconds to wait for a signature (default 60)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--export-pae", type=Path, metavar="FILE", help="write what is to be signed, to sign it elsewhere")
    how.add_argument(
        "--import", dest="returned", type=Path, metavar="FILE.sig", help="record what was signed elsewhere"
    )
    how.add_argument(
        "--unsigned", action="store_true", help="record without a signature, where the profile lets that in"
    )


def run(arguments: argparse.Namespace) -> int:
    """Sign and record, or say why not: 1 where nothing was recorded, 2 for wrong use."""
    from mens_console.gate.ledger import LedgerError
    from mens_console.gate.signoff import SignOffError
    from mens_console.gate.ssh import SshError
    from mens_console.gate.subprocesses import ToolError

    try:
        return _sign(arguments)
    except (SignOffError, SshError, LedgerError, ToolError) as error:
        complain(str(error))
        return NO


def _sign(arguments: argparse.Namespace) -> int:
    from mens_console.cli.gate_judging import judged
    from mens_console.gate.types import UNNAMED

    if arguments.release == UNNAMED:
        raise CommandError("a decision is on a release: name it (--release 1.2.0)")
    profile = profile_of(arguments.profile)
    path = ledger_path(arguments)
    _apart(path, arguments, "the ledger")
    chain = loaded(path)
    signers = signers_of(arguments, _profiles_signers(profile))

    def again() -> Evaluation:
        with contextlib.redirect_stderr(io.StringIO()):  # what it complains of was told the first time
            return judged(arguments)

    evaluation = judged(arguments)
    if arguments.returned is not None:
        return _import(arguments, evaluation, chain, needed(signers), path, again)
    if arguments.export_pae is not None:
        _apart(arguments.export_pae, arguments, "what is exported")
    elsewhere = arguments.export_pae is not None
    key = None if arguments.unsigned else key_of(arguments.key, needed(signers), elsewhere=elsewhere)
    draft = _draft(arguments, evaluation, chain, key, signers)
    if arguments.export_pae is not None:
        return _export(draft, arguments.export_pae)
    from mens_console.gate import signoff

    if key is None:
        done = signoff.record(draft, None, None, path, again=again)
    else:
        complain(f"signing with {key.fingerprint}; confirm or touch it where it asks (twice)")
        done = signoff.sign_off(draft, key, needed(signers), path, again=again, limit_s=arguments.timeout)
    return _tell(done, path)


def _draft(
    arguments: argparse.Namespace, evaluation: Evaluation, chain: Chain, key: Key | None, signers: Signers | None
) -> Draft:
    """Show what is decided, ask for the phrase of a GO, and return what is to be signed."""
    from mens_console.cli.gate_phrase import typed
    from mens_console.gate import signoff
    from mens_console.gate.statements import phrase

    print("\n".join(_shown(evaluation, chain, key, signers)), file=sys.stderr)
    if arguments.no_go is not None:
        if arguments.note:
            raise CommandError("--note goes with a GO; say all of a NO-GO in --no-go REASON")
        return signoff.draft(
            evaluation, "NO-GO", chain=chain, now=time.time(), key=key, signers=signers, reason=arguments.no_go
        )
    if blocked := signoff.obstacles(evaluation):
        for one in blocked:
            complain(one)
        raise signoff.SignOffError("no GO; a NO-GO is always possible: --no-go REASON")
    said = typed(f"Type  {safe_text(phrase(evaluation), 200)}\n    > ")
    return signoff.draft(
        evaluation, "GO", chain=chain, now=time.time(), key=key, signers=signers, typed=said, reason=arguments.note
    )


def _shown(evaluation: Evaluation, chain: Chain, key: Key | None, signers: Signers | None) -> list[str]:
    from mens_console.gate.standing import alive

    profile = evaluation.profile
    principal = signers.principals.get(key.fingerprint, "unknown") if signers and key else "UNSIGNED"
    counts = dict.fromkeys(("PASS", "CONDITIONAL", "FAIL", "UNDERFED"), 0)
    for one in evaluation.judgements:
        counts[one.verdict] += 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    release = f"{safe_text(evaluation.release, 100)} under {safe_text(profile.id, 80)}"
    lines = [
        f"release   {release}: {evaluation.verdict} ({told})",
        f"evidence  {len(evaluation.manifest.files)} file(s), evaluation {evaluation.digest[:12]}",
        f"by        {safe_text(principal, 80)}" + (f" ({key.fingerprint})" if key else ""),
    ]
    for entry in alive(chain.entries, profile.id, evaluation.release):
        made = entry.decision
        on = "this evaluation" if made.digest == evaluation.digest else f"another one ({made.digest[:12]})"
        lines.append(f"so far    {made.decision} of {safe_text(made.by.principal, 80)} on {on}")
    return lines


def _export(draft: Draft, path: Path) -> int:
    from mens_console.gate.elsewhere import export

    commands = export(draft, path)
    who = safe_text(draft.word.principal, 80)
    print(f"written: {path} and {path.name}.results; nothing is recorded yet.")
    print(f"Copy both to where the key of {who} is ({draft.word.key}), and sign them there:\n")
    print("".join(f"  {one}\n" for one in commands))
    print(f"Copy {path.name}.sig and {path.name}.results.sig back beside them, and in this folder run the same command")
    print(f"with  --import {path}.sig  in place of  --export-pae {path}")
    return OK


def _import(
    arguments: argparse.Namespace,
    evaluation: Evaluation,
    chain: Chain,
    signers: Signers,
    path: Path,
    again: Callable[[], Evaluation],
) -> int:
    from mens_console.gate import elsewhere, signoff

    returned = elsewhere.read(arguments.returned)
    draft = elsewhere.matched(returned, evaluation, chain, signers)
    return _tell(signoff.record(draft, returned.signatures, signers, path, again=again), path)


def _tell(done: Recorded, path: Path) -> int:
    from mens_console.cli.common import colour
    from mens_console.cli.status import paint, plain

    ink = paint if colour(sys.stdout) else plain
    made = done.entry.decision
    tint = "good" if done.entry.signed and made.decision == "GO" else "bad" if made.decision == "NO-GO" else "warn"
    by = safe_text(made.by.principal, 80)
    print(f"{ink(f'{done.status}  {made.decision}  {safe_text(made.release, 100)}', tint)}  by {by}")
    print(f"recorded as {done.entry.number} of {safe_text(str(path))}")
    print(f"release   {standing_line(done.standing, ink)}")
    print(f"head      {done.head}")
    print(
        "keep the head elsewhere: mens-console gate verify --expect-head HEAD finds a ledger that was cut or rewritten"
    )
    return OK


def _apart(path: Path, arguments: argparse.Namespace, what: str) -> None:
    """Raise `CommandError` where a file that this command writes lies among the evidence, and would change it."""
    whole = path.expanduser().resolve()
    for one in arguments.paths:
        folder = one.expanduser().resolve()
        if folder in whole.parents or folder == whole:
            raise CommandError(f"{path}: {what} lies in the evidence {one} and would change it; put it elsewhere")


def _profiles_signers(profile: Profile) -> Path | None:
    """Return the file that the profile names, relative to itself."""
    return Path(profile.path).parent / profile.allowed_signers if profile.allowed_signers else None

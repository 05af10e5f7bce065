"""Sign-off: from a judged release to a record that is signed, checked again, on disk, and only then called SIGNED.

The order never changes: draft → (evidence unchanged) → sign → evidence unchanged still → signatures verified →
appended and synced. `record` is the only way into the ledger, for the agent's and for the laptop's signatures alike.
All of it may wait: call it from a worker.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.gate import ledger, ssh, standing, statements
from mens_console.gate.append import append
from mens_console.gate.dsse import Envelope, Signature
from mens_console.gate.evaluate import unmarked
from mens_console.gate.statements import Word
from mens_console.gate.verify import signatures
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mens_console.gate.ledger import Chain, Entry
    from mens_console.gate.signers import Signers
    from mens_console.gate.ssh import Key
    from mens_console.gate.standing import Standing
    from mens_console.gate.statements import Decision
    from mens_console.gate.types import Evaluation

MOST_RELEASE: Final = 100
"""Characters of a release's name."""
_MOST_REASON: Final = 4000


class SignOffError(Exception):
    """Nothing is recorded; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that is about to be signed: both Statements as bytes, frozen."""

    evaluation: Evaluation
    word: Word
    decision: bytes
    results: bytes

    @property
    def paes(self) -> tuple[bytes, bytes]:
        """What is signed: of the decision, and of the results."""
        return Envelope(self.decision).pae, Envelope(self.results).pae


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision that is on disk: where, and what the release stands at now. `head` is to be kept elsewhere."""

    entry: Entry
    head: str
    standing: Standing

    @property
    def status(self) -> str:
        """SIGNED or UNSIGNED."""
        return "SIGNED" if self.entry.signed else "UNSIGNED"


def obstacles(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what stands in the way of a GO, in sentences; nothing where only people's word is missing."""
    found = list(evaluation.blockers)
    passing = evaluation.verdict == "PASS" or (
        evaluation.verdict == "CONDITIONAL" and evaluation.profile.conditional_passes
    )
    found += [
        f"{one.criterion.id} waits for a person's mark: {one.criterion.title}"
        for one in evaluation.judgements
        if one.criterion.decides and unmarked(one)
    ]
    if not passing and not found:
        found.append(f"the verdict is {evaluation.verdict}")
    if not evaluation.ready and not found:
        found.append("the evaluation is not ready for a decision")
    if not evaluation.judgements:
        found.append("the profile judges nothing")
    return tuple(found)


def draft(
    evaluation: Evaluation,
    decision: Decision,
    *,
    chain: Chain,
    now: float,
    key: Key | None,
    signers: Signers | None,
    typed: str = "",
    reason: str = "",
) -> Draft:
    """Return the decision to sign, for its one place in the ledger. Raises `SignOffError`.

    GO: nothing may stand in its way, and `typed` must be the phrase to the letter. NO-GO: always, with a `reason`.
    `key` None is an UNSIGNED record, which the profile must let in.
    """
    _release(evaluation.release)
    if decision == "GO":
        if blocked := obstacles(evaluation):
            more = f" (and {len(blocked) - 1} more)" if len(blocked) > 1 else ""
            raise SignOffError(f"no GO: {blocked[0]}{more}; a NO-GO is always possible")
        if typed != statements.phrase(evaluation):
            raise SignOffError(f"no GO: that is not the phrase; it is, to the letter: {statements.phrase(evaluation)}")
    elif not reason.strip():
        raise SignOffError("a NO-GO needs a reason: say in a sentence why")
    if len(reason) > _MOST_REASON:
        raise SignOffError(f"the reason has {len(reason)} characters; {_MOST_REASON} are kept: shorten it")
    principal = _principal(evaluation, key, signers)
    _usable(chain)
    lapsing = standing.superseded(
        chain.entries,
        evaluation.profile.id,
        evaluation.release,
        principal,
        evaluation.digest,
        signed=key is not None,
    )
    word = Word(
        decision=decision,
        principal=principal,
        key=key.fingerprint if key else None,
        at=now,
        head=chain.following,
        entries=len(chain.entries),
        phrase=typed if decision == "GO" else "",
        reason=reason.strip(),
        supersedes=tuple(one.head for one in lapsing),
        allowed_signers=signers.sha256 if signers and key else None,
    )
    return composed(evaluation, word)


def composed(evaluation: Evaluation, word: Word) -> Draft:
    """Return the two Statements of a word. Raises `SignOffError` where there is nothing to put a name to."""
    try:
        return Draft(evaluation, word, statements.decision(evaluation, word), statements.results(evaluation))
    except statements.StatementError as error:
        raise SignOffError(f"nothing can be signed: {error}") from None


def unchanged(shown: Evaluation, again: Evaluation) -> None:
    """Raise `SignOffError` where the evidence, the profile or the verdict is not what was decided on."""
    before = {one.path: one.sha256 for one in shown.manifest.files}
    after = {one.path: one.sha256 for one in again.manifest.files}
    moved = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if moved:
        more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
        raise SignOffError(
            f"the evidence changed since it was shown: {safe_text(moved[0], 200)}{more}; nothing was recorded: look at "
            "it again and begin anew"
        )
    if again.profile.sha256 != shown.profile.sha256:
        raise SignOffError("the profile changed since it was shown; nothing was recorded: look again and begin anew")
    if blocked := obstacles(again):
        raise SignOffError(f"it is not ready any more: {blocked[0]}; nothing was recorded: look again and begin anew")
    same = (shown.digest, shown.manifest.digest, shown.verdict, shown.release)
    if (again.digest, again.manifest.digest, again.verdict, again.release) != same:
        raise SignOffError(
            "evidence, marks or waivers changed since they were shown; nothing was recorded: look again and begin anew"
        )


def sign_off(
    draft: Draft,
    key: Key,
    signers: Signers,
    path: Path,
    *,
    again: Callable[[], Evaluation],
    environ: Mapping[str, str] | None = None,
    limit_s: float = ssh.SIGN_LIMIT_S,
    cancel: threading.Event | None = None,
) -> Recorded:
    """Sign both Statements through the agent and record them. Raises `SignOffError` or what `ssh`, `ledger` raise.

    `again` gathers the evidence and judges it anew; it is called before anybody is asked to touch a key, and once
    more before the record is written.
    """
    if draft.word.decision == "GO":
        unchanged(draft.evaluation, again())
    decided, results = (ssh.sign(pae, key, environ, limit_s=limit_s, cancel=cancel) for pae in draft.paes)
    return record(draft, (decided, results), signers, path, again=again, cancel=cancel)


def record(
    draft: Draft,
    signatures: tuple[bytes, bytes] | None,
    signers: Signers | None,
    path: Path,
    *,
    again: Callable[[], Evaluation],
    cancel: threading.Event | None = None,
) -> Recorded:
    """Check everything once more and append: the one way into the ledger. Errors as `sign_off`."""
    word = draft.word
    if word.decision == "GO":
        unchanged(draft.evaluation, again())
    decided, results = Envelope(draft.decision), Envelope(draft.results)
    if word.key is not None:
        if signatures is None or signers is None:
            raise SignOffError("it is to be signed, and there is no signature; nothing was recorded")
        for pae, made in zip(draft.paes, signatures, strict=True):
            ssh.verify(pae, made, word.principal, signers)
        decided, results = _sealed(decided, word.key, signatures[0]), _sealed(results, word.key, signatures[1])
    if cancel is not None and cancel.is_set():
        raise SignOffError("the sign-off was given up; nothing was recorded")
    before = ledger.load(path)
    line = ledger.line_of(word.entries + 1, word.head, decided, results, torn=len(before.tail))
    after = append(path, line, word.head)
    mine = after.entries[word.entries]
    return Recorded(mine, after.head, _standing(after, mine, signers))


def _standing(chain: Chain, mine: Entry, signers: Signers | None) -> Standing:
    """Return where the release stands: a GO before this one counts only where its signatures hold, a NO-GO anyhow.

    Signatures are checked of what could count and of what could make it lapse, from the newest back: a release may have
    hundreds of words, most of which lapsed by the newest.
    """
    own = [
        one
        for one in chain.entries[: mine.number]
        if (one.decision.profile.id, one.decision.release) == (mine.decision.profile.id, mine.decision.release)
    ]
    known: dict[str, bool] = {mine.head: True}

    def believed(one: Entry) -> bool:
        if one.head not in known:
            known[one.head] = one.decision.decision == "NO-GO" or not signatures(one, signers, unsigned=True)[1]
        return known[one.head]

    counting = [
        one
        for place, one in enumerate(own)
        if not any(standing.lapses(one, newer) and believed(newer) for newer in reversed(own[place + 1 :]))
        and believed(one)
    ]
    return standing.standings(counting)[0]


def _sealed(envelope: Envelope, key: str, made: bytes) -> Envelope:
    return Envelope(envelope.payload, (Signature(key, made),), envelope.payload_type)


def _principal(evaluation: Evaluation, key: Key | None, signers: Signers | None) -> str:
    """Return the name that the word is recorded under. Raises `SignOffError`."""
    if key is None:
        if not evaluation.profile.unsigned:
            raise SignOffError(
                f"the profile {safe_text(evaluation.profile.id, 80)} lets in no unsigned record: sign it here with a "
                "key of the agent, or where the key is (--export-pae FILE)"
            )
        return _login()
    if signers is None:
        raise SignOffError("nobody says whose signatures count: name the file (--allowed-signers FILE)")
    principal = signers.principals.get(key.fingerprint)
    if principal is None:
        raise SignOffError(
            f"the key {key.fingerprint} is unknown: {signers.path} does not list it; add the line there, or choose "
            "another key (--key)"
        )
    return principal


def _login() -> str:
    """Return the login name by the user's number: the environment may say any."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no such user, as in many containers
        return f"uid {os.getuid()}"


def release_problem(name: str) -> str:
    """Say why a release's name cannot be typed and read without doubt, "" where it can."""
    if not name or len(name) > MOST_RELEASE or not name.isprintable() or name != name.strip() or "  " in name:
        return (
            f"the release {safe_text(name, 40)!r} cannot be signed: a name has 1 to {MOST_RELEASE} printable "
            "characters, with no blanks around it"
        )
    return ""


def _release(name: str) -> None:
    """Raise `SignOffError` for a name that cannot be signed."""
    if problem := release_problem(name):
        raise SignOffError(problem)


def _usable(chain: Chain) -> None:
    if chain.problems:
        raise SignOffError(
            f"{chain.problems[0]}; nothing is added to a ledger that is not whole (gate verify): restore it from a "
            "copy, or begin another (--ledger FILE)"
        )

"""What is signed: two in-toto v1 Statements, the results of the criteria and one person's decision on them.

Both name the same subjects: the release as it was judged, and every evidence file by digest. Pure: nothing is signed,
read or written here.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from mens_console.gate.types import Evaluation, Mark, Waiver
    from mens_contracts.gate_records import GateDecision

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
RESULTS_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"
DECISION_TYPE: Final = "urn:mens-console:gate-decision:v1"
"""`mens_contracts.gate_records.PREDICATE_TYPE`, without loading the models."""
Decision = Literal["GO", "NO-GO"]
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_RESULT: Final = {"PASS": "PASSED", "CONDITIONAL": "WARNED", "FAIL": "FAILED", "UNDERFED": "FAILED"}


class StatementError(ValueError):
    """The Statement cannot be made of this, or is not one of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class Word:
    """One person's word: who, when (s since the epoch), why, and at which place of the ledger.

    `key` is None where the record will be unsigned. `supersedes` are heads of earlier records that cease to count.
    """

    decision: Decision
    principal: str
    key: str | None
    at: float
    head: str
    entries: int
    phrase: str = ""
    reason: str = ""
    supersedes: tuple[str, ...] = ()
    allowed_signers: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A file, or the release, that a Statement is about."""

    name: str
    sha256: str


def canonical(document: object) -> bytes:
    """Return JSON with sorted keys, no blanks and ASCII alone: one text for one document. Raises `StatementError`."""
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StatementError(f"it cannot be written as JSON: {error}") from None
    return text.encode("ascii")


def phrase(evaluation: Evaluation) -> str:
    """Return what must be typed for a GO."""
    return f"GO {evaluation.release} {evaluation.digest[:6]}"


def results(evaluation: Evaluation) -> bytes:
    """Return the Statement of the criteria's results, predicate test-result v0.1: UNDERFED counts as failed there."""
    named: dict[str, list[str]] = {"PASSED": [], "WARNED": [], "FAILED": []}
    for one in evaluation.judgements:
        named[_RESULT[one.verdict]].append(one.criterion.id)
    profile = evaluation.profile
    predicate = {
        "result": _RESULT[evaluation.verdict],
        "configuration": [{"name": profile.id, "digest": {"sha256": _hex(profile.sha256, "the profile")}}],
        "passedTests": named["PASSED"],
        "warnedTests": named["WARNED"],
        "failedTests": named["FAILED"],
    }
    return _statement(evaluation, RESULTS_TYPE, predicate)


def decision(evaluation: Evaluation, word: Word) -> bytes:
    """Return the Statement of one person's decision, our own predicate `mens-gate-decision/1`."""
    profile = evaluation.profile
    judged = evaluation.judgements
    predicate = {
        "schema": "mens-gate-decision/1",
        "decision": word.decision,
        "release": evaluation.release,
        "phrase": word.phrase,
        "reason": word.reason,
        "by": {"principal": word.principal, "key": word.key},
        "decided_at": iso(word.at),
        "verdict": evaluation.verdict,
        "ready": evaluation.ready,
        "blockers": list(evaluation.blockers),
        "digest": _hex(evaluation.digest, "the evaluation"),
        "evidence_digest": _hex(evaluation.manifest.digest, "the evidence"),
        "profile": {
            "id": profile.id,
            "sha256": _hex(profile.sha256, "the profile"),
            "approvals": profile.approvals,
            "conditional_passes": profile.conditional_passes,
            "unsigned": profile.unsigned,
        },
        "marks": [_mark(one.mark) for one in judged if one.mark is not None],
        "waivers": [_waiver(one.waived) for one in judged if one.waived is not None],
        "results": hashlib.sha256(results(evaluation)).hexdigest(),
        "ledger": {"head": word.head, "entries": word.entries},
        "supersedes": list(word.supersedes),
        "allowed_signers": word.allowed_signers,
    }
    return _statement(evaluation, DECISION_TYPE, predicate)


def read_decision(payload: bytes) -> GateDecision:
    """Return the decision in a Statement. Raises `StatementError` where it is none, or contradicts itself."""
    from pydantic import ValidationError

    from mens_contracts.gate_records import GateDecision

    document = _read(payload, DECISION_TYPE)
    try:
        made = GateDecision.model_validate(document["predicate"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StatementError(f"its decision does not fit mens-gate-decision/1: {where}: {first['msg']}") from None
    if made.decision == "GO" and not made.ready:
        raise StatementError("it says GO where blockers stood")
    if made.decision == "GO" and made.phrase != f"GO {made.release} {made.digest[:6]}":
        raise StatementError("it says GO without the phrase that a GO asks for")
    if made.decision == "NO-GO" and not made.reason.strip():
        raise StatementError("it says NO-GO without a reason")
    if subjects(payload)[:1] != (Subject(f"release:{made.release}", made.digest),):
        raise StatementError("its first subject is not the release that it decides on")
    return made


def read_results(payload: bytes) -> str:
    """Return the result (PASSED, WARNED, FAILED) in a Statement of results. Raises `StatementError`."""
    predicate = _read(payload, RESULTS_TYPE)["predicate"]
    result = predicate.get("result") if isinstance(predicate, dict) else None
    if result not in ("PASSED", "WARNED", "FAILED"):
        raise StatementError("its result is none of PASSED, WARNED, FAILED")
    return str(result)


def subjects(payload: bytes) -> tuple[Subject, ...]:
    """Return what a Statement is about: first the release, then the evidence files. Raises `StatementError`."""
    listed = _document(payload).get("subject")
    made = []
    for one in listed if isinstance(listed, list) else ():
        name, digest = (one.get("name"), one.get("digest")) if isinstance(one, dict) else (None, None)
        sha256 = digest.get("sha256") if isinstance(digest, dict) else None
        if not isinstance(name, str) or not isinstance(sha256, str) or not _HEX.fullmatch(sha256):
            raise StatementError("a subject of it has no name, or no SHA-256")
        made.append(Subject(name, sha256))
    if not made:
        raise StatementError("it is about nothing: it has no subjects")
    return tuple(made)


def iso(at: float) -> str:
    """Return a time (s since the epoch) as text, UTC to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _statement(evaluation: Evaluation, kind: str, predicate: dict[str, Any]) -> bytes:
    release = {"name": f"release:{evaluation.release}", "digest": {"sha256": _hex(evaluation.digest, "the evaluation")}}
    files = {one.path: one.sha256 for one in evaluation.manifest.files if one.sha256}
    evidence = [
        {"name": path, "digest": {"sha256": _hex(sha256, path)}}
        for path, sha256 in sorted(files.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass"))
    ]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [release, *evidence],
        "predicateType": kind,
        "predicate": predicate,
    }
    return canonical(statement)


def _document(payload: bytes) -> dict[str, Any]:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise StatementError("it is not JSON") from None
    if not isinstance(document, dict):
        raise StatementError("it is not a JSON object")
    return document


def _read(payload: bytes, kind: str) -> dict[str, Any]:
    document = _document(payload)
    if document.get("_type") != STATEMENT_TYPE or document.get("predicateType") != kind:
        raise StatementError(f"it is not an in-toto v1 Statement of the type {kind}")
    if "predicate" not in document:
        raise StatementError("it has no predicate")
    return document


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "criterion": mark.criterion,
        "passed": mark.passed,
        "note": mark.note,
        "by": mark.by,
        "at": _when(mark.at),
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "criterion": waiver.criterion,
        "owner": waiver.owner,
        "due": _when(waiver.due),
        "reason": waiver.reason,
        "by": waiver.by,
        "at": _when(waiver.at),
    }


def _when(at: float) -> str | None:
    return iso(at) if math.isfinite(at) else None


def _hex(value: str, what: str) -> str:
    if not _HEX.fullmatch(value):
        raise StatementError(f"{what} has no SHA-256 digest, so nothing can be signed about it")
    return value

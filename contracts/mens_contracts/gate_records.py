"""What the gate keeps of a decision: the signed predicate `mens-gate-decision/1`, the ledger line `mens-gate-ledger/1`.

Both are written once and never edited; `mens-gate-records/1` tells of them. Fields are only added; unknown ones are
ignored by readers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel

PREDICATE_TYPE = "urn:mens-console:gate-decision:v1"
"""Type of the predicate in an in-toto Statement; a new major version gets a new one."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]
Time = Annotated[str, Field(description="ISO 8601 in UTC, such as 2026-01-31T14:32:01.234Z")]


class Signer(OpenModel):
    """Who decided."""

    principal: str = Field(description="as allowed_signers names the person; of an unsigned record the login name")
    key: str | None = Field(description="fingerprint of the key, SHA256:…; null where the record is unsigned")


class DecidedProfile(OpenModel):
    """The profile, and the rules of it that a decision rests on."""

    id: str
    sha256: Sha256
    approvals: Count = Field(description="distinct people whose GO the release needs")
    conditional_passes: bool = Field(description="whether CONDITIONAL may pass with an owner and a due date")
    unsigned: bool = Field(description="whether a record without a signature is let in")


class LedgerPlace(OpenModel):
    """Where in the ledger the record belongs; it is valid nowhere else."""

    head: Sha256 = Field(description="SHA-256 of all bytes of the ledger before the record")
    entries: Count = Field(description="records before it")


class DecidedMark(OpenModel):
    """What a person said of a manual criterion."""

    criterion: str
    passed: bool
    note: str
    by: str
    at: Time | None


class DecidedWaiver(OpenModel):
    """A CONDITIONAL that somebody let through."""

    criterion: str
    owner: str
    due: Time | None
    reason: str
    by: str
    at: Time | None


class GateDecision(OpenModel):
    """GO or NO-GO of one person on one release, as judged on one state of the evidence."""

    schema_: Literal["mens-gate-decision/1"] = Field(alias="schema")
    decision: Literal["GO", "NO-GO"]
    release: str
    phrase: str = Field(description='what was typed for a GO: "GO <release> <first 6 of digest>"; "" for NO-GO')
    reason: str = Field(description="why; never empty for NO-GO")
    by: Signer
    decided_at: Time
    verdict: Literal["PASS", "CONDITIONAL", "FAIL", "UNDERFED"]
    ready: bool = Field(description="whether nothing but people's GO was missing; always so for GO")
    blockers: list[str]
    digest: Sha256 = Field(description="over profile, evidence, marks and waivers: what was decided on")
    evidence_digest: Sha256 = Field(description="over the digests of the evidence files")
    profile: DecidedProfile
    marks: list[DecidedMark]
    waivers: list[DecidedWaiver]
    results: Sha256 = Field(description="SHA-256 of the in-toto Statement of the results, signed beside this one")
    ledger: LedgerPlace
    supersedes: list[Sha256] = Field(description="records that no longer count: the ledger's head right after each")
    allowed_signers: Sha256 | None = Field(description="digest of the file of signers at that time; null if unsigned")


class Sealed(OpenModel):
    """One signature of a DSSE envelope."""

    keyid: str
    sig: str = Field(description="the armoured SSH signature over the PAE, namespace mens-gate, in base64")


class DsseEnvelope(OpenModel):
    """A DSSE envelope of an in-toto Statement."""

    payload: str = Field(description="the Statement in base64")
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815 (DSSE's own name)
    signatures: list[Sealed] = Field(description="one; none where the record is unsigned")


class Envelopes(OpenModel):
    """The two Statements of a record."""

    decision: DsseEnvelope
    results: DsseEnvelope


class LedgerLine(OpenModel):
    """One line of the ledger."""

    schema_: Literal["mens-gate-ledger/1"] = Field(alias="schema")
    entry: Annotated[int, Field(ge=1)]
    prev: Sha256 = Field(description="SHA-256 of all bytes of the file before this line")
    torn: Count = Field(default=0, description="bytes of a torn line, written out of turn, that stand before this one")
    status: Literal["SIGNED", "UNSIGNED"]
    envelopes: Envelopes


class RecordedDecision(OpenModel):
    """One record as `gate ledger` and `gate verify` tell of it."""

    entry: Annotated[int, Field(ge=1)]
    line: Annotated[int, Field(ge=1, description="line of the file")]
    head: Sha256 = Field(description="the ledger's head right after it")
    status: Literal["SIGNED", "UNSIGNED"]
    decision: Literal["GO", "NO-GO"]
    profile: str
    release: str
    digest: Sha256
    verdict: str
    by: Signer
    decided_at: Time
    reason: str
    supersedes: list[Sha256]
    signature: Literal["holds", "does not hold", "UNSIGNED", "not checked"]
    problem: str = Field(description='why it does not hold; "" otherwise')
    evidence: dict[str, Count] | None = Field(
        description="files that are the same, changed and gone; null: not checked"
    )


class ReleaseStanding(OpenModel):
    """What the records on a release come to."""

    profile: str
    release: str
    digest: Sha256
    outcome: Literal["GO", "NO-GO", "PENDING"]
    signed: bool = Field(description="whether everything that counts is signed")
    approved: list[str]
    needed: Count
    against: list[str]


class GateRecords(OpenModel):
    """The document. Where it was not verified, or does not hold, its standings are claims of the file alone."""

    schema_: Literal["mens-gate-records/1"] = Field(alias="schema")
    ledger: str
    head: Sha256 = Field(description="SHA-256 of the file: keep it elsewhere")
    verified: bool = Field(description="whether signatures and evidence were checked")
    holds: bool | None = Field(description="whether everything that was checked holds; null: not verified")
    problems: list[str]
    notes: list[str]
    records: list[RecordedDecision]
    standings: list[ReleaseStanding]

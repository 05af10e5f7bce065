"""What the records of a ledger come to: GO, NO-GO, or how many people's GO a release still waits for.

A person's newest word counts. A word on other evidence lapses once somebody speaks on newer; any NO-GO that stands
means NO-GO; a GO needs as many distinct people as the profile asks for. What is UNSIGNED never makes a signed word
lapse. Pure: who really signed is found out in `verify`, and only what holds is passed in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mens_console.gate.people import person

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.gate.ledger import Entry

Outcome = Literal["GO", "NO-GO", "PENDING"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a release stands under a profile. `approved` and `against` are people; `signed`: all that counts is."""

    profile: str
    release: str
    digest: str
    outcome: Outcome
    approved: tuple[str, ...]
    needed: int
    against: tuple[str, ...]
    signed: bool
    counted: tuple[str, ...]
    """Heads right after the records that count."""

    @property
    def text(self) -> str:
        """The outcome in words, with UNSIGNED wherever something that counts is not signed."""
        unsigned = "" if self.signed else " (UNSIGNED)"
        if self.outcome == "PENDING":
            return f"{len(self.approved)} of {self.needed} GO{unsigned}"
        return f"{self.outcome}{unsigned}"


def alive(entries: Iterable[Entry], profile: str, release: str) -> tuple[Entry, ...]:
    """Return the records on a release that still count, in the ledger's order."""
    standing: list[Entry] = []
    for entry in entries:
        made = entry.decision
        if (made.profile.id, made.release) == (profile, release):
            lapsing = _lapsing(standing, made.by.principal, made.digest, signed=entry.signed)
            standing = [one for one in standing if one.head not in lapsing] + [entry]
    return tuple(standing)


def superseded(
    entries: Iterable[Entry], profile: str, release: str, principal: str, digest: str, *, signed: bool
) -> tuple[Entry, ...]:
    """Return the records that a new word would make lapse: the person's own, and those on other evidence."""
    standing = alive(entries, profile, release)
    lapsing = _lapsing(standing, principal, digest, signed=signed)
    return tuple(one for one in standing if one.head in lapsing)


def lapses(older: Entry, newer: Entry) -> bool:
    """Whether a word ceases to count by a later one: by the same person's, or by one on other evidence."""
    made = newer.decision
    return _lapses(older, made.by.principal, made.digest, signed=newer.signed)


def standings(entries: Sequence[Entry]) -> tuple[Standing, ...]:
    """Return where each release stands, the one that was decided on last first."""
    last = {(one.decision.profile.id, one.decision.release): one.number for one in entries}
    ordered = sorted(last, key=lambda key: -last[key])
    return tuple(_standing(alive(entries, *key)) for key in ordered)


def approvals(entries: Iterable[Entry], profile: str, release: str, digest: str) -> tuple[str, ...]:
    """Return the people whose GO on exactly this evaluation counts."""
    return _approved(alive(entries, profile, release), digest)


def _standing(counted: Sequence[Entry]) -> Standing:
    newest = counted[-1].decision
    approved = _approved(counted, newest.digest)
    against = tuple(dict.fromkeys(one.decision.by.principal for one in counted if one.decision.decision == "NO-GO"))
    needed = max(1, *(one.decision.profile.approvals for one in counted if one.decision.digest == newest.digest), 1)
    outcome: Outcome = "NO-GO" if against else "GO" if len(approved) >= needed else "PENDING"
    return Standing(
        profile=newest.profile.id,
        release=newest.release,
        digest=newest.digest,
        outcome=outcome,
        approved=approved,
        needed=needed,
        against=against,
        signed=all(one.signed for one in counted),
        counted=tuple(one.head for one in counted),
    )


def _approved(counted: Iterable[Entry], digest: str) -> tuple[str, ...]:
    """Return who said GO on `digest`: a person once, and all that is UNSIGNED as one, for nobody tells them apart."""
    going = [one for one in counted if one.decision.decision == "GO" and one.decision.digest == digest]
    named = {person(one.decision.by.principal) if one.signed else "": one for one in going}
    return tuple(one.decision.by.principal + ("" if one.signed else " (UNSIGNED)") for one in named.values())


def _lapsing(standing: Iterable[Entry], principal: str, digest: str, *, signed: bool) -> set[str]:
    """Return the heads of what a word of `principal` on `digest` makes lapse."""
    return {one.head for one in standing if _lapses(one, principal, digest, signed=signed)}


def _lapses(older: Entry, principal: str, digest: str, *, signed: bool) -> bool:
    if older.signed and not signed:
        return False
    return older.decision.digest != digest or person(older.decision.by.principal) == person(principal)

"""The verdict on a profile: every criterion judged, people's marks and waivers counted, the worst of all. Pure.

The same profile, evidence, words and moment give the same evaluation in whatever order they come. FAIL and UNDERFED
both block, and listed evidence that is taken away leaves UNDERFED at best: nothing is won by removing it. Nor by
damaging it: evidence that cannot be read blocks as a whole.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.choose import AHEAD_S, RESTS_ON, unread
from mens_console.gate.judge import judge_metric, worst
from mens_console.gate.people import person
from mens_console.gate.types import VERDICTS, Evaluation, Judgement
from mens_console.gate.wording import age
from mens_console.ingest.text import safe_text
from mens_console.signals.human import some

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mens_console.gate.types import Criterion, Manifest, Mark, Profile, Verdict, Waiver

_DIGESTED: Final = "mens-gate-evaluation/1"
_CURE: Final = "it is evidence that nobody can read: repair it, or take it away"


def evaluate(
    profile: Profile,
    manifest: Manifest,
    *,
    release: str,
    now: float,
    marks: Sequence[Mark] = (),
    waivers: Sequence[Waiver] = (),
    approvals: Sequence[str] = (),
) -> Evaluation:
    """Judge `manifest` by `profile` at `now` (s since the epoch).

    `approvals` are the principals who said GO, each counted once. `ready` says that only people's words are missing:
    marks of manual checks, and approvals; a mark that says no is a word, and blocks.
    """
    pinned = frozenset(one.baseline.sha256 for one in profile.criteria if one.baseline and one.baseline.sha256)
    judgements = tuple(
        _with_waiver(_judge(one, manifest, now, pinned, marks), profile, waivers, now) for one in profile.criteria
    )
    deciding = [one for one in judgements if one.criterion.decides]
    blockers = tuple(_blocker(one, profile, waivers, now) for one in _worst_first(deciding) if blocks(one))
    damaged = tuple(f"{safe_text(path)} UNDERFED: {why}; {_CURE}" for path, why in unread(manifest, _asked(profile)))
    blockers = (*blockers, *damaged)
    if profile.template:
        blockers = (f"{profile.id} is a template: fill in what it leaves open before it judges", *blockers)
    if not deciding:
        blockers = (*blockers, f"{profile.id} has no criterion that decides")
    said = principals(approvals)
    return Evaluation(
        profile,
        release,
        manifest,
        judgements,
        "UNDERFED" if profile.template else worst([*(one.verdict for one in deciding), *_underfed(damaged)]),
        blockers,
        ready=not blockers,
        at=now,
        digest=digest(profile, manifest, release, marks, waivers),
        pending=(*_unmarked(judgements), *_unapproved(profile, said)),
        approvals=said,
        marks=tuple(marks),
        waivers=tuple(waivers),
    )


def _asked(profile: Profile) -> frozenset[str]:
    """Return the metrics that criteria which decide ask for, and what those are derived of."""
    deciding = [one for one in profile.criteria if one.decides]
    named = {name for one in deciding for name in (one.metric, *(part[0] for part in one.requires)) if name}
    return frozenset(named.union(*(RESTS_ON.get(name, ()) for name in named)))


def _underfed(damaged: Sequence[str]) -> tuple[Verdict, ...]:
    return ("UNDERFED",) if damaged else ()


def with_approvals(evaluation: Evaluation, approvals: Sequence[str]) -> Evaluation:
    """Return the evaluation with those who said GO to its digest, which approvals are no part of."""
    said = principals(approvals)
    pending = (*_unmarked(evaluation.judgements), *_unapproved(evaluation.profile, said))
    return replace(evaluation, approvals=said, pending=pending)


def unmarked(judgement: Judgement) -> bool:
    """Say whether a criterion lacks nothing but a person's mark."""
    if not judgement.criterion.manual or judgement.mark is not None:
        return False
    return all(one.verdict == "PASS" for one in judgement.also)


def blocks(judgement: Judgement) -> bool:
    """Say whether a criterion stands in the way of a GO: it is not passed, not waived, and not merely unmarked."""
    if judgement.verdict == "PASS" or judgement.waived is not None or not judgement.criterion.decides:
        return False
    return not unmarked(judgement)


def _judge(
    criterion: Criterion, manifest: Manifest, now: float, pinned: Collection[str], marks: Sequence[Mark]
) -> Judgement:
    if criterion.manual:
        return _manual(criterion, manifest, now, pinned, marks)
    return _measured(criterion, manifest, now, pinned)


def _measured(criterion: Criterion, manifest: Manifest, now: float, pinned: Collection[str]) -> Judgement:
    """Judge the criterion's metric and all that it requires besides; the worst of them is its verdict."""
    own = judge_metric(criterion, manifest, now, pinned)
    if not criterion.requires:
        return own
    also = tuple(judge_metric(criterion, manifest, now, pinned, part) for part in criterion.requires)
    named = [(criterion.metric, own), *((part[0], one) for part, one in zip(criterion.requires, also, strict=True))]
    named.sort(key=lambda pair: VERDICTS.index(pair[1].verdict))
    needed = [one.needed_n for _, one in named if one.verdict != "PASS" and one.needed_n is not None]
    return replace(
        own,
        verdict=worst([one.verdict for _, one in named]),
        reason="; ".join(f"{name}: {one.reason}" for name, one in named),
        needed_n=max(needed, default=own.needed_n if named[0][1].verdict == "PASS" else None),
        items=tuple({id(item): item for one in (own, *also) for item in one.items}.values()),
        also=also,
    )


def _manual(
    criterion: Criterion, manifest: Manifest, now: float, pinned: Collection[str], marks: Sequence[Mark]
) -> Judgement:
    """Judge by the newest mark, and by the evidence too where the criterion states a condition on it."""
    measured = _measured(criterion, manifest, now, pinned) if criterion.metric and criterion.passes else None
    mark = _mark_of(criterion, marks, now)
    also = () if measured is None else (measured,)
    besides = "" if measured is None else f"; {measured.reason}"
    blank = Judgement(criterion, "UNDERFED", "", statistic="manual", also=also)
    if measured is not None:
        blank = replace(
            blank, value=measured.value, unit=measured.unit, n=measured.n, interval=measured.interval,
            items=measured.items, needed_n=measured.needed_n,
        )  # fmt: skip
    if mark is None:
        verdict: Verdict = worst(("UNDERFED", *(one.verdict for one in also)))
        return replace(blank, verdict=verdict, reason=f"{_nobody(criterion, marks)}{besides}")
    verdict = worst(("PASS" if mark.passed else "FAIL", *(one.verdict for one in also)))
    word = "passed" if mark.passed else "failed"
    return replace(blank, verdict=verdict, reason=f"{mark.by} marked it {word}: {mark.note}{besides}", mark=mark)


def _dated(mark: Mark) -> float:
    """Return when a mark was made; one without a date is the newest, for it is believed only where it fails."""
    return math.inf if math.isnan(mark.at) else mark.at


def _nobody(criterion: Criterion, marks: Sequence[Mark]) -> str:
    """Say that no mark counts, and where there are some, why not."""
    ignored = [one for one in marks if one.criterion == criterion.id]
    if not ignored:
        return "a person has to check it, and nobody marked it"
    newest = max(ignored, key=lambda one: (_dated(one), one.by))
    named = newest.by.strip() and newest.note.strip()
    why = "is dated ahead of this clock" if named else "lacks a name or a note"
    return f"a person has to check it, and the mark of {newest.by.strip() or 'nobody'} {why}"


def _mark_of(criterion: Criterion, marks: Sequence[Mark], now: float) -> Mark | None:
    """Return the newest mark that has a name and a note and is not from the future; of two at once, the one that fails.

    A mark without them is nobody's word. One that fails counts whatever its date: clocks differ, and no is no.
    """
    own = [
        one
        for one in marks
        if one.criterion == criterion.id
        and one.by.strip()
        and one.note.strip()
        and (one.at <= now + AHEAD_S or not one.passed)
    ]
    return max(own, key=lambda one: (_dated(one), not one.passed, one.by, one.note), default=None)


def _with_waiver(judgement: Judgement, profile: Profile, waivers: Sequence[Waiver], now: float) -> Judgement:
    if judgement.verdict != "CONDITIONAL" or not profile.conditional_passes:
        return judgement
    valid = [
        one for one in waivers if one.criterion == judgement.criterion.id and not waiver_problem(one, profile, now)
    ]
    best = max(valid, key=lambda one: (one.due, one.at, one.owner, one.reason, one.by), default=None)
    return judgement if best is None else replace(judgement, waived=best)


def waiver_problem(waiver: Waiver, profile: Profile, now: float) -> str:
    """Say why a waiver does not count, "" where it does."""
    if not profile.conditional_passes:
        return f"{profile.id} lets no CONDITIONAL through"
    if not waiver.owner.strip():
        return "the waiver names no owner"
    if not math.isfinite(waiver.due):
        return "the waiver has no due date"
    if waiver.due <= now:
        return f"the waiver of {waiver.owner} was due {age(now - waiver.due)} ago"
    if not waiver.at <= now + AHEAD_S:
        return "the waiver is dated ahead of this clock"
    return ""


def _blocker(judgement: Judgement, profile: Profile, waivers: Sequence[Waiver], now: float) -> str:
    """Return the sentence on what blocks, and why no waiver helps where one was tried."""
    criterion = judgement.criterion
    text = f"{criterion.id} {judgement.verdict}: {judgement.reason}"
    own = sorted((one for one in waivers if one.criterion == criterion.id), key=lambda one: (one.due, one.owner))
    if not own:
        return text
    if judgement.verdict != "CONDITIONAL":
        return f"{text}; a waiver lets no {judgement.verdict} through"
    return f"{text}; {waiver_problem(own[-1], profile, now)}"


def _worst_first(judgements: Sequence[Judgement]) -> list[Judgement]:
    return sorted(judgements, key=lambda one: VERDICTS.index(one.verdict))


def _unmarked(judgements: Sequence[Judgement]) -> tuple[str, ...]:
    return tuple(
        f"{one.criterion.id} is to be marked: {one.criterion.title}"
        for one in judgements
        if unmarked(one) and one.criterion.decides
    )


def _unapproved(profile: Profile, said: tuple[str, ...]) -> tuple[str, ...]:
    missing = profile.approvals - len(said)
    return (f"{some(missing, 'approval')} of {profile.approvals} missing",) if missing > 0 else ()


def principals(approvals: Sequence[str]) -> tuple[str, ...]:
    """Return who said GO: each once, however spelt; a principal that stands for anybody stands for nobody."""
    named = {person(one): one.strip() for one in sorted(approvals, reverse=True)}
    return tuple(named[key] for key in sorted(named) if key and "*" not in key and "?" not in key)


def digest(
    profile: Profile, manifest: Manifest, release: str, marks: Sequence[Mark] = (), waivers: Sequence[Waiver] = ()
) -> str:
    """Return the SHA-256 over what is judged: the profile's digest, the evidence's, what was listed, and the words.

    Taken over JSON with sorted keys and no spaces, so that anybody can compute it again. Approvals are not in it:
    they are given to it.
    """
    content = {
        "schema": _DIGESTED,
        "profile": {"id": profile.id, "sha256": profile.sha256},
        "evidence": manifest.digest,
        "listed": sorted(map(list, manifest.listed)),
        "release": release,
        "marks": _rows(marks),
        "waivers": _rows(waivers),
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def _rows(told: Sequence[Mark] | Sequence[Waiver]) -> list[dict[str, Any]]:
    rows = [
        {key: repr(value) if isinstance(value, float) else value for key, value in asdict(one).items()} for one in told
    ]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def canonical(content: object) -> bytes:
    """Return JSON with sorted keys, no spaces, in UTF-8; a lone surrogate is escaped."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def checklist(evaluation: Evaluation) -> tuple[tuple[str, Verdict | None], ...]:
    """Return the items of the profile's checklist, each with its worst criterion; None: the sign-off settles it."""
    by_id = {one.criterion.id: one for one in evaluation.judgements}
    return tuple(
        (
            check.title,
            worst([by_id[name].verdict if name in by_id else "UNDERFED" for name in check.criteria])
            if check.criteria
            else None,
        )
        for check in evaluation.profile.checklist
    )

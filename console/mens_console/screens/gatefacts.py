"""What a verdict rests on, in lines: figures, evidence with its digests, what would decide, remedy, profile text.

Pure functions from an evaluation to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.gate.evaluate import waiver_problem
from mens_console.gate.wording import bounds, condition, edges
from mens_console.gate.words import due_text
from mens_console.ingest.text import safe_text
from mens_console.screens.gaterows import approvals_text, called, shown_as, value_text
from mens_console.screens.sheet import Line, fact, heading, prose
from mens_console.screens.words import age
from mens_console.signals.human import size, span, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.gate.desk import Judged
    from mens_console.gate.types import Evaluation, EvidenceFile, Item, Judgement

DIGEST: Final = 16
"""Characters of a digest on screen; `gate check --json` has all of them."""
MOST_ITEMS: Final = 20
MOST_LINES: Final = 40
"""Lines of the profile's text that are shown."""


def detail_lines(judged: Judgement, evaluation: Evaluation, now: float, width: int) -> list[Line]:
    """Return everything about one criterion."""
    look, one = shown_as(judged), judged.criterion
    lines: list[Line] = [*prose(called(one), width, "strong")]
    aside = "" if one.decides else "  decides nothing"
    lines.append(((f"{look.glyph} {look.word}", look.ink), (aside, "muted")))
    lines += prose(safe_text(judged.reason, 2000), width)
    lines += _figures(judged, width)
    lines += _words(judged, now, width)
    lines += _waivers(judged, evaluation, now, width)
    lines += _evidence(judged, {file.path: file for file in evaluation.manifest.files}, now, width)
    if one.remedy:
        lines += [*heading("Remedy"), *prose(safe_text(one.remedy, 2000), width)]
    if one.note:
        lines += [*heading("Reading taken"), *prose(safe_text(one.note, 2000), width, "muted")]
    if one.text:
        lines += heading("In the profile")
        for text in one.text.splitlines()[:MOST_LINES]:
            lines += prose(safe_text(text, 1000), width, "muted")
    return lines


def _figures(judged: Judgement, width: int) -> list[Line]:
    one = judged.criterion
    lines: list[Line] = [()]
    if math.isfinite(judged.value):
        lines.append(fact("value", value_text(judged), "", safe_text(judged.statistic, 20)))
    if judged.interval is not None:
        ends = edges(one.passes, one.conditional)
        lines.append(fact("interval", bounds(judged.interval, ends), "", safe_text(judged.unit, 20)))
    if judged.n is not None and judged.n >= 0:
        least = f"at least {step(one.min_n)} asked" if one.min_n > 1 else ""
        lines.append(fact("n", step(judged.n), "", least))
    if judged.needed_n is not None and judged.verdict != "PASS":
        lines.append(fact("would decide", f"n={step(judged.needed_n)}", "accent"))
    if one.passes is not None:
        lines.append(fact("PASS", safe_text(condition(one.passes), 60), "", f"decides on the {one.decide_on}"))
    if one.conditional is not None:
        lines.append(fact("CONDITIONAL", safe_text(condition(one.conditional), 60)))
    if one.baseline is not None:
        pinned = one.baseline.sha256[:DIGEST] or "not pinned"
        lines += prose(f"against {safe_text(one.baseline.path, 200)} ({pinned})", width, "muted")
    for metric, passes, _ in one.requires:
        lines.append(fact("also", f"{safe_text(metric, 60)} {safe_text(condition(passes), 40)}"))
    if math.isfinite(one.max_age_s):
        lines.append(fact("not older", f"than {age(1.0, 1.0 + one.max_age_s)}"))
    return lines if len(lines) > 1 else []


def _words(judged: Judgement, now: float, width: int) -> list[Line]:
    """Return what people said of it."""
    lines: list[Line] = []
    if judged.mark is not None:
        mark = judged.mark
        word, ink = ("marked as holding", "good") if mark.passed else ("marked as not holding", "bad")
        by = safe_text(mark.by, 80)
        lines += [*heading("Mark"), ((f"{word} by {by}, {age(mark.at, now)}", ink),)]
        lines += prose(safe_text(mark.note, 1000), width)
    elif judged.criterion.manual:
        lines += [(), *prose("space marks it as holding, x as not holding; both ask for a note", width, "accent")]
    return lines


def _waivers(judged: Judgement, evaluation: Evaluation, now: float, width: int) -> list[Line]:
    """Return who answers for a CONDITIONAL, which waivers count for nothing and why, and what can be done."""
    counts, profile = judged.waived, evaluation.profile
    lines: list[Line] = []
    if counts is not None:
        lines += heading("Waived")
        who = f"{safe_text(counts.owner, 80)} answers for it until {due_text(counts.due)}"
        lines += prose(f"{who}, in {span(counts.due - now)}: {safe_text(counts.reason, 400)}", width, "warn")
        lines += prose(f"noted by {safe_text(counts.by, 80)}, {age(counts.at, now)}; w takes it back", width, "muted")
    for one in evaluation.waivers:
        if one.criterion == judged.criterion.id and one is not counts:
            why = waiver_problem(one, profile, evaluation.at) or f"it lets no {judged.verdict} through"
            why = "another one counts" if counts is not None and judged.verdict == "CONDITIONAL" else why
            lines += prose(f"waiver that counts for nothing: {safe_text(why, 200)}", width, "bad", "! ")
    if counts is None and judged.verdict == "CONDITIONAL" and judged.criterion.decides:
        open_, shut = "w lets it through, with an owner and a due date", "this profile lets no CONDITIONAL through"
        may = profile.conditional_passes
        lines += [(), *prose(open_ if may else shut, width, "accent" if may else "muted")]
    return lines


def _evidence(judged: Judgement, files: Mapping[str, EvidenceFile], now: float, width: int) -> list[Line]:
    if not judged.items:
        return []
    lines = heading(f"Evidence ({len(judged.items)})")
    for item in judged.items[:MOST_ITEMS]:
        lines += _item(item, files, now, width)
    if len(judged.items) > MOST_ITEMS:
        lines.append(((f"and {len(judged.items) - MOST_ITEMS} more: mens-console gate check --json", "muted"),))
    return lines


def _item(item: Item, files: Mapping[str, EvidenceFile], now: float, width: int) -> list[Line]:
    value = f"{item.value:g} {safe_text(item.unit, 30)}".rstrip() if math.isfinite(item.value) else "no value"
    n = f"  n={step(item.n)}" if item.n is not None and item.n >= 0 else ""
    lines: list[Line] = [
        ((safe_text(item.metric, 60), "strong"), (f"  {value}{n}", ""), (f"  {age(item.at, now)}", "muted"))
    ]
    for path, sha256, pointer in item.sources or ((item.path, item.sha256, item.pointer),):
        lines += prose(safe_text(path, 400), width, "", "  ")
        file = files.get(path)
        told = f"{safe_text(pointer, 200) or 'whole file'}  sha256 {sha256[:DIGEST]}"
        lines += prose(f"{told}  {size(file.size)}" if file is not None else told, width, "muted", "  ")
    tags = ", ".join(f"{safe_text(name, 30)}={safe_text(text, 60)}" for name, text in sorted(item.tags.items()))
    lines += prose(f"by {safe_text(item.tool, 60)}" + (f"; {tags}" if tags else ""), width, "muted", "  ")
    for text, ink in ((item.note, "muted"), (item.trouble, "warn")):
        lines += prose(safe_text(text, 600), width, ink, "  ") if text else []
    return lines


def whole_lines(judged: Judged, now: float, width: int) -> list[Line]:
    """Return what concerns the judging as a whole: profile, release, evidence, what people said, what is odd."""
    evaluation = judged.evaluation
    profile, manifest = evaluation.profile, evaluation.manifest
    lines: list[Line] = [
        *prose(safe_text(profile.title, 200), width, "strong"),
        *prose(safe_text(profile.path, 400), width, "muted"),
        fact("digest", evaluation.digest[:DIGEST], "", "of all that is judged"),
        fact("evidence", f"{len(manifest.files)} files", "", manifest.digest[:DIGEST]),
        fact("approvals", approvals_text(evaluation), "", "may go UNSIGNED" if profile.unsigned else "signed only"),
    ]
    for name in evaluation.approvals:
        lines += prose(f"{safe_text(name, 80)} said GO to this evaluation", width, "good", "✔ ")
    for entry in judged.words:
        made = entry.decision
        on = "this evaluation" if made.digest == evaluation.digest else f"another ({made.digest[:12]})"
        ink = "bad" if made.decision == "NO-GO" else "good" if made.digest == evaluation.digest else "warn"
        status = "" if entry.signed else " UNSIGNED"
        lines += prose(f"{made.decision}{status} of {safe_text(made.by.principal, 80)} on {on}", width, ink, "· ")
    if judged.ledger_problem:
        lines += prose(safe_text(judged.ledger_problem, 400), width, "bad", "! ")
    odd = [f"{one.path}: {one.problem}" for one in manifest.files if one.problem]
    told = list(dict.fromkeys((*manifest.problems, *odd, *judged.hints)))
    if told:
        lines += heading(f"Odd ({len(told)})")
        for text in told[:MOST_ITEMS]:
            lines += prose(safe_text(text, 400), width, "warn", "· ")
    return lines


def trouble_lines(texts: Sequence[str], width: int) -> list[Line]:
    """Return why nothing was judged."""
    lines: list[Line] = [(), (("Nothing is judged.", "bad"),), ()]
    for text in texts:
        lines += prose(safe_text(text, 600), width, "warn", "· ")
    return [*lines, (), *prose("p chooses another profile, e other evidence, r tries again.", width, "accent")]

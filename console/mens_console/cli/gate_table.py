"""A judged release as lines of at most 80 columns: worst first, what blocks last. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.report import GLYPHS, verdict_text, worst_first
from mens_console.gate.wording import numbers, quantity
from mens_console.ingest.text import safe_text
from mens_console.signals.human import some, step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Ink = Callable[[str, str], str]
    Document = Mapping[str, Any]

WIDTH: Final = 80
_INKS: Final = {"FAIL": "bad", "UNDERFED": "warn", "CONDITIONAL": "warn", "PASS": "good"}
_CHANGES: Final = {
    "worse": ("▼ worse", "bad"), "removed": ("✖ gone", "bad"), "added": ("+ new", "accent"),
    "better": ("▲ better", "good"), "same": ("= same", "muted"),
}  # fmt: skip
_INDENT: Final = 15
_REASON: Final = 4
"""Lines of a reason before it is cut; the document has all of it."""


def check_lines(document: Document, ink: Ink, *, verbose: bool = False) -> list[str]:
    """Return the lines of a `mens-gate/1` document; `verbose` tells the reason of what passes too, uncut."""
    title = f"{document['profile_title']} ({document['profile']})"
    lines = [ink(_cut(f"{title}, release {document['release']}"), "strong")]
    lines += [f"digest {document['digest'][:12]}, evidence {document['evidence_digest'][:12]}", ""]
    for one in worst_first(document["criteria"]):
        lines += _criterion(one, ink, verbose=verbose)
    lines += _section("problems of the evidence", document["problems"], ink)
    lines += _checklist(document["checklist"], ink)
    lines += _section("people still have to say", document["pending"], ink)
    lines += _section("blockers", document["blockers"], ink, cut=None if verbose else 2)
    return [*lines, "", *_end(document, ink)]


def _criterion(one: Document, ink: Ink, *, verbose: bool) -> list[str]:
    verdict = one["verdict"]
    head = ink(f"{GLYPHS[verdict]} {verdict:<12}", _INKS[verdict])
    name = f"{one['id']} {one['title']}" if one["id"] != one["title"] else one["id"]
    extra = "" if one["decides"] else " (decides nothing)"
    lines = [f"{head} {_cut(safe_text(name + extra), WIDTH - _INDENT)}"]
    told = [] if one["value"] is None else [quantity(one["value"], one["unit"], numbers(one["pass"]))]
    told += [f"asked {one['pass']}"] if one["pass"] else []
    told += [f"n={step(one['n'])}"] if one["n"] is not None else []
    if verdict == "PASS" and not verbose:
        return [*lines, *(ink(part, "muted") for part in _wrapped("  ".join(told), _INDENT, 1))] if told else lines
    lines += _wrapped(one["reason"], _INDENT, None if verbose else _REASON)
    if one["waived"]:
        lines += _wrapped("waived", _INDENT)
    if one["remedy"] and verdict != "PASS":
        lines += [ink(part, "muted") for part in _wrapped(f"remedy: {one['remedy']}", _INDENT, None)]
    return lines


def _section(title: str, texts: Sequence[str], ink: Ink, cut: int | None = 2) -> list[str]:
    if not texts:
        return []
    lines = ["", ink(title, "accent")]
    for text in texts:
        first, *rest = _wrapped(text, 4, cut) or [""]
        lines += [f"  - {first.strip()}", *rest]
    return lines


def _checklist(checks: Sequence[Document], ink: Ink) -> list[str]:
    if not checks:
        return []
    lines = ["", ink("checklist", "accent")]
    for one in checks:
        shown = ink(f"{verdict_text(one['verdict']):<14}", _INKS.get(one["verdict"] or "", "muted"))
        lines.append(f"  {shown} {_cut(one['title'], WIDTH - 17)}")
    return lines


def _end(document: Document, ink: Ink) -> list[str]:
    verdict = document["verdict"]
    if document["decision_ready"]:
        left = (
            some(len(document["pending"]), "word") + " of people missing"
            if document["pending"]
            else "nothing is missing"
        )
        return _wrapped(f"{GLYPHS[verdict]} {verdict}: ready for a decision, {left}", 0, ink=lambda t: ink(t, "good"))
    blockers = some(len(document["blockers"]), "blocker")
    return [ink(f"{GLYPHS[verdict]} {verdict}: not ready, {blockers}", "bad")]


def diff_lines(document: Document, ink: Ink) -> list[str]:
    """Return the lines of a `mens-gate-diff/1` document; what stayed the same is only counted."""
    lines = [ink(_cut(f"old  {document['old']}"), "strong"), ink(_cut(f"new  {document['new']}"), "strong"), ""]
    same = [one for one in document["changes"] if one["change"] == "same" and one["old_value"] == one["new_value"]]
    for one in document["changes"]:
        if one in same and one["old_verdict"] == one["new_verdict"]:
            continue
        word, colour = _CHANGES[one["change"]]
        lines.append(f"{ink(f'{word:<10}', colour)} {_cut(one['id'] + ' ' + one['title'], WIDTH - 11)}")
        lines += _wrapped(one["text"], 11)
    if same:
        lines.append(
            ink(f"{some(len(same), 'criterion').replace('criterions', 'criteria')} with the same value", "muted")
        )
    lines += _section("what changed besides", document["notes"], ink)
    lines += _section("evidence", document["evidence"], ink, cut=1)
    old, new = document["verdict"]
    ready = "ready" if document["ready"][1] else "not ready"
    word = "worse" if document["worse"] else "not worse"
    return [*lines, "", ink(f"{old} → {new}, {ready}: {word}", "bad" if document["worse"] else "good")]


def _wrapped(
    text: str, indent: int, most: int | None = None, ink: Callable[[str], str] = lambda text: text
) -> list[str]:
    """Return text in lines of at most `WIDTH` columns, at most `most` of them, the last one ending in … where cut."""
    from rich.cells import cell_len, chop_cells

    room, rows = WIDTH - indent, [""]
    for word in safe_text(text).split():
        for part in chop_cells(word, room):
            if not rows[-1]:
                rows[-1] = part
            elif cell_len(rows[-1]) + 1 + cell_len(part) <= room:
                rows[-1] += f" {part}"
            else:
                rows.append(part)
    if most is not None and len(rows) > most:
        last = rows[most - 1]
        while cell_len(last) > room - 2 and " " in last:
            last = last.rpartition(" ")[0]
        rows = [*rows[: most - 1], _cut(f"{last} …", room)]
    return [ink(" " * indent + row) for row in rows if row]


def _cut(text: str, width: int = WIDTH) -> str:
    """Return at most `width` columns of a text; wide characters count twice."""
    from rich.cells import cell_len, set_cell_size

    safe = safe_text(text)
    return safe if cell_len(safe) <= width else set_cell_size(safe, width - 1) + "…"

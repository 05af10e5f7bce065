"""A report on a file in lines for people, and as the document `mens-contract-check/1`. Foreign text is made safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mens_console.ingest.checking.check import FileReport
    from mens_contracts.tally import Field, Spot, Tally, Unknown

_NAME = 60
_SAMPLE = 80
_UNKNOWN_SHOWN = 20


def verdict(report: FileReport) -> str:
    """Return `fits`, `does not fit` or `unreadable`."""
    if report.problem:
        return "unreadable"
    return "fits" if report.fits else "does not fit"


def lines_of(report: FileReport, ink: Callable[[str, str], str]) -> list[str]:
    """Return the report: a headline, then what does not fit, then what is merely worth knowing."""
    said = verdict(report)
    glyph, tone = {"fits": ("✓", "good"), "does not fit": ("✗", "bad"), "unreadable": ("!", "bad")}[said]
    facts = [report.contract.id] if report.contract else []
    facts += [f"{report.rows:,} object{'s' * (report.rows != 1)}"] if report.rows else []
    lines = [ink(f"{glyph} {said}", tone) + f"  {safe_text(report.path, 300)}  {' · '.join(facts)}".rstrip()]
    if report.problem:
        lines.append(f"  {safe_text(report.problem, 300)}")
    for why, spot in report.bad.items():
        lines.append(f"  {ink('✗', 'bad')} {safe_text(why, _SAMPLE)} in {_places(spot, 'line')}{_quoted(spot)}")
    for name, tally in report.tallies.items():
        if len(report.tallies) > 1:
            lines.append(f"  {name}: {tally.objects:,} objects")
        lines += (f"  {ink(glyph, tone)} {text}" for glyph, tone, text in _findings(tally))
    return lines + [f"  · {safe_text(note, 200)}" for note in report.notes]


def _findings(tally: Tally) -> Iterator[tuple[str, str, str]]:
    fields = tally.fields.values()
    rows = [row for one in fields for row in _of_field(one)] + [_of_unknown(one) for one in tally.unknown.values()]
    bad = [row for row in rows if row[1] == "bad"]
    rest = [row for row in rows if row[1] != "bad"]
    yield from bad
    never = [safe_text(one.path, _NAME) for one in fields if _is_never(one)]
    if never:
        yield "·", "muted", f"optional, and in none of them: {', '.join(never)}"
    yield from rest[:_UNKNOWN_SHOWN]
    if len(rest) > _UNKNOWN_SHOWN:
        yield "·", "muted", f"… and {len(rest) - _UNKNOWN_SHOWN} more (--json lists all)"
    if tally.unlisted:
        yield "?", "warn", f"further unknown names, {tally.unlisted:,} times"


def _of_field(one: Field) -> Iterator[tuple[str, str, str]]:
    path = safe_text(one.path, _NAME)
    for name, spot in one.aliased.items():
        yield "✗", "bad", f"{path}: comes as {safe_text(name, _NAME)} in {_places(spot, 'object')}{_quoted(spot)}"
    for got, spot in one.wrong.items():
        yield "✗", "bad", f"{path}: {got} in {_places(spot)}{_quoted(spot)}; wants {one.want}"
    if one.missing.count and one.required:
        yield "✗", "bad", f"{path}: missing in {_share(one)}{_at(one.missing)}"
    elif one.missing.count and not _is_never(one):
        yield "·", "muted", f"{path}: absent in {_share(one)}{_at(one.missing)}; it is optional"


def _is_never(one: Field) -> bool:
    return not one.required and 0 < one.objects == one.missing.count


def _of_unknown(one: Unknown) -> tuple[str, str, str]:
    near = f"; {safe_text(one.nearest, _NAME)} is missing there: is it that?" if one.instead and one.nearest else ""
    near = near or (f"; nearest known field: {safe_text(one.nearest, _NAME)}" if one.nearest else "")
    closed = "; the contract is closed" if one.refused else ""
    text = f"{safe_text(one.path, _NAME)}: unknown, in {_places(one.spot, 'object')}{_quoted(one.spot)}{near}{closed}"
    return ("✗", "bad", text) if one.instead or one.refused else ("?", "warn", text)


def _share(one: Field) -> str:
    return f"{one.missing.count:,} of {one.objects:,} object{'s' * (one.objects != 1)}"


def _places(spot: Spot, what: str = "value") -> str:
    return f"{spot.count:,} {what}{'s' * (spot.count != 1)}{_at(spot)}"


def _at(spot: Spot) -> str:
    lines = [str(line) for line in spot.lines if line]
    more = ", …" if spot.count > len(spot.lines) else ""
    return f" (line {', '.join(lines)}{more})" if lines else ""


def _quoted(spot: Spot) -> str:
    return f", such as {safe_text(spot.sample, _SAMPLE)}" if spot.sample else ""


# ---------------------------------------------------------------------- the document


def report_document(report: FileReport) -> dict[str, Any]:
    """Return one entry of `files` in the document."""
    return {
        "path": safe_text(report.path),
        "contract": report.contract.id if report.contract else None,
        "verdict": verdict(report),
        "problem": safe_text(report.problem),
        "rows": report.rows,
        "bad_lines": [_named(why, spot) for why, spot in report.bad.items()],
        "notes": [safe_text(note) for note in report.notes],
        "contracts": [
            {
                "contract": name,
                "objects": tally.objects,
                "fields": [_field(one) for one in tally.fields.values()],
                "unknown": [_unknown(one) for one in tally.unknown.values()],
                "unknown_unlisted": tally.unlisted,
            }
            for name, tally in report.tallies.items()
        ],
    }


def _field(one: Field) -> dict[str, Any]:
    return {
        "field": one.path,
        "wants": one.want,
        "required": one.required,
        "objects": one.objects,
        "present": one.present,
        "missing": {"count": one.missing.count, "lines": one.missing.lines},
        "aliased": [_named(name, spot) for name, spot in one.aliased.items()],
        "wrong": [_named(got, spot) for got, spot in one.wrong.items()],
    }


def _unknown(one: Unknown) -> dict[str, Any]:
    told = {"nearest": safe_text(one.nearest), "drifted": one.instead, "refused": one.refused}
    return {**_named(one.path, one.spot), **told}


def _named(name: str, spot: Spot) -> dict[str, Any]:
    return {"name": safe_text(name), "count": spot.count, "lines": spot.lines, "sample": safe_text(spot.sample)}

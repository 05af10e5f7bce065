"""The report on a judged release for its release notes, made from the document `mens-gate/1`.

It is put together of blocks (headings, paragraphs, lists, tables) that `rendering` writes as Markdown or HTML; whatever
the document says is text, never markup.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.rendering import Block, Bullets, Heading, Paragraph, Table
from mens_console.gate.types import VERDICTS
from mens_console.gate.wording import bounds, figure, numbers, quantity
from mens_console.signals.human import step

if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, Any]

GLYPHS: Final = {"FAIL": "✖", "UNDERFED": "∅", "CONDITIONAL": "▲", "PASS": "✔"}
_DIGEST: Final = 16
"""Characters of a digest in a table; the document has all of them."""


def report(document: Document) -> list[Block]:
    """Return the blocks of the report on a `mens-gate/1` document."""
    return [
        *_head(document),
        *_listed("What blocks", document["blockers"]),
        *_listed("What people still have to say", document.get("pending", [])),
        *_checklist(document),
        *_criteria(document),
        *_words(document),
        *_files(document),
    ]


def verdict_text(verdict: str | None) -> str:
    """Return glyph and word of a verdict."""
    return "— at sign-off" if verdict is None else f"{GLYPHS.get(verdict, '?')} {verdict}"


def _head(document: Document) -> list[Block]:
    ready = "ready: only people's GO is missing" if document["decision_ready"] else "not ready"
    digest = document.get("digest") or "none"
    return [
        Heading(1, f"{document.get('profile_title') or document['profile']}: {document['release']}"),
        Paragraph(f"{verdict_text(document['verdict'])}, {ready}."),
        Bullets(
            [
                f"profile {document['profile']}, SHA-256 {document.get('profile_sha256') or 'unknown'}",
                f"evaluated {when(document.get('generated_at'))}, digest {digest}",
                f"evidence digest {document['evidence_digest']}",
                f"approvals: {', '.join(document['approvals']) or 'none'} of {document.get('approvals_needed', '?')}",
            ]
        ),
        Paragraph("Bounds are one-sided at 95 % on either end. This report is no signature."),
    ]


def _listed(title: str, texts: list[str]) -> list[Block]:
    return [Heading(2, title), Bullets(texts)] if texts else []


def _checklist(document: Document) -> list[Block]:
    rows = [[verdict_text(one["verdict"]), one["title"]] for one in document.get("checklist", [])]
    return [Heading(2, "Checklist"), Table(["verdict", "item"], rows)] if rows else []


def worst_first(criteria: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return criteria worst first, those that do not decide last."""
    return sorted(criteria, key=lambda one: (not one.get("decides", True), VERDICTS.index(one["verdict"])))


def _criteria(document: Document) -> list[Block]:
    dimensions = dict.fromkeys(one["dimension"] for one in worst_first(document["criteria"]))
    blocks: list[Block] = []
    for dimension in dimensions:
        own = [one for one in worst_first(document["criteria"]) if one["dimension"] == dimension]
        rows = [
            [
                verdict_text(one["verdict"]) + (" (waived)" if one.get("waived") else ""),
                one["title"] if one.get("decides", True) else f"{one['title']} (decides nothing)",
                value_text(one),
                one["pass"] or "a person's mark",
                "—" if one["n"] is None else step(one["n"]),
            ]
            for one in own
        ]
        blocks += [
            Heading(2, dimension or "criteria"),
            Table(["verdict", "criterion", "value", "asked for", "n"], rows),
        ]
        blocks += [Bullets([_reason(one) for one in own])]
    return blocks


def _reason(one: Document) -> str:
    remedy = f" Remedy: {one['remedy']}" if one["remedy"] and one["verdict"] != "PASS" else ""
    return f"{one['id']}: {one['reason']}.{remedy}"


def value_text(one: Document) -> str:
    """Return the value of a criterion with its unit and bounds, — where it has none."""
    if one["value"] is None:
        return "—"
    asked = numbers(one["pass"], one["conditional"])
    told = quantity(one["value"], one["unit"], asked)
    ends = one["interval"]
    if ends is None or ends[0] == ends[1]:
        return told
    low, high = (float("-inf") if ends[0] is None else ends[0]), (float("inf") if ends[1] is None else ends[1])
    return f"{told} ({bounds((low, high), asked)})"


def _words(document: Document) -> list[Block]:
    marks = [
        [one["criterion"], "passed" if one["passed"] else "failed", one["by"], when(one["at"]), one["note"]]
        for one in document.get("marks", [])
    ]
    waivers = [
        [one["criterion"], one["owner"], when(one["due"]), "yes" if one["counts"] else "no", one["reason"]]
        for one in document["waivers"]
    ]
    blocks: list[Block] = []
    if marks:
        blocks += [Heading(2, "Marks"), Table(["check", "mark", "by", "at", "note"], marks)]
    if waivers:
        blocks += [Heading(2, "Waivers"), Table(["criterion", "owner", "due", "counts", "reason"], waivers)]
    return blocks


def _files(document: Document) -> list[Block]:
    seen: dict[tuple[str, str], list[str]] = {}
    for criterion in document["criteria"]:
        for one in criterion["evidence"]:
            row = [one["path"], one["sha256"][:_DIGEST], when(one["mtime"]), one.get("tool", "")]
            seen.setdefault((one["path"], one["sha256"]), row)
    blocks: list[Block] = [Heading(2, "Evidence")]
    rows = [seen[key] for key in sorted(seen)]
    blocks += [Table(["file", "SHA-256 begins", "written", "by"], rows)] if rows else [Paragraph("None was read.")]
    return [*blocks, *_listed("What could not be read", document.get("problems", []))]


def when(at: float | None) -> str:
    """Return a moment in UTC, to the second."""
    if at is None:
        return "unknown"
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return figure(at)

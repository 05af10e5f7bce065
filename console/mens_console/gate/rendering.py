"""Blocks of a report as Markdown or as a static HTML page. All text is foreign: it is escaped here, once.

HTML is built as a tree and serialised by the standard library, so that nothing can be left unescaped by oversight;
the page holds no script and allows none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1, 2 or 3."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without order."""

    texts: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one line of heads."""

    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as a tree of SVG, which is shared and never changed; where none can be shown, lines stand for it."""

    title: str
    picture: ElementTree.Element
    lines: list[str]


Block = Heading | Paragraph | Bullets | Table | Drawing
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]|~>!$])")
"""What Markdown may read as markup anywhere."""
_LEADING: Final = re.compile(r"^([-+#=]|\d+(?=[.)](?:\s|$)))")
"""What it reads as markup at the beginning of a line."""
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#1b1f24;"
    "background:#fff}table{border-collapse:collapse;margin:.6em 0}th,td{border:1px solid #c9d0d8;padding:.25em .6em;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eef1f4}"
    "figure{margin:.8em 0}svg{max-width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){body{background:#16191d;color:#dfe3e8}th{background:#23282e}"
    "th,td{border-color:#3b434c}}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def markdown(blocks: Sequence[Block]) -> str:
    """Return the blocks as Markdown (CommonMark with tables)."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escaped(text)}"
        case Paragraph(text):
            return escaped(text)
        case Bullets(texts):
            return "\n".join(f"- {escaped(text)}" for text in texts)
        case Table(head, rows):
            lines = [head, ["---"] * len(head)]
            told = [[escaped(cell) for cell in row] for row in rows]
            return "\n".join(f"| {' | '.join(line)} |" for line in (*lines, *told))
        case Drawing(title, _, drawn):
            return "\n".join([escaped(title), "", *(f"    {safe_text(line)}" for line in drawn)])


def escaped(text: str) -> str:
    """Return foreign text that Markdown shows as it is, on one line; addresses in it do not become links."""
    plain = safe_text(text).replace("&", "&amp;").replace("<", "&lt;")
    plain = _SPECIAL.sub(r"\\\1", plain).replace("://", "&#58;//").replace("www.", "www&#46;")
    return _LEADING.sub(_entity, plain.strip())


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[1][0])};" + match[1][1:]


def html(blocks: Sequence[Block], title: str) -> str:
    """Return the blocks as one HTML page."""
    page = ElementTree.Element("html", lang="en")
    head = ElementTree.SubElement(page, "head")
    ElementTree.SubElement(head, "meta", charset="utf-8")
    ElementTree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    ElementTree.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _text(head, "title", title)
    ElementTree.SubElement(head, "style").text = _STYLE
    body = ElementTree.SubElement(page, "body")
    for block in blocks:
        _html(body, block)
    return "<!DOCTYPE html>\n" + ElementTree.tostring(page, encoding="unicode", method="html") + "\n"


def _html(body: ElementTree.Element, block: Block) -> None:
    match block:
        case Heading(level, text):
            _text(body, f"h{level}", text)
        case Paragraph(text):
            _text(body, "p", text)
        case Bullets(texts):
            listed = ElementTree.SubElement(body, "ul")
            for text in texts:
                _text(listed, "li", text)
        case Table(head, rows):
            table = ElementTree.SubElement(body, "table")
            _row(table, "th", head)
            for row in rows:
                _row(table, "td", row)
        case Drawing(title, picture, _):
            figure = ElementTree.SubElement(body, "figure")
            _text(figure, "figcaption", title)
            figure.append(picture)


def _row(table: ElementTree.Element, tag: str, cells: list[str]) -> None:
    row = ElementTree.SubElement(table, "tr")
    for cell in cells:
        _text(row, tag, cell)


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = safe_text(text)

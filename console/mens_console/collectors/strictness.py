"""What an output that should be nothing but code holds beside it: fences, prose around it, narration within it.

It looks at lines, knows no language's grammar, and leaves alone what stands in comments and quoted text. What was
generated is untrusted: the work is linear in its length, and only its first megabyte is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

FENCE: Final = "markdown_fence"
PROSE: Final = "prose"
NARRATION: Final = "narration"
MOST: Final = 1 << 20

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_NAMED: Final = r"</?(?:think|thinking|reasoning|scratchpad|answer|reflection)>|<\|\w{1,40}\|>"
_TAG: Final = re.compile(rf"^\s*({_NAMED})|({_NAMED})\s*$", re.IGNORECASE)
_COMMENT: Final = re.compile(r"^\s*(#|//|--|;;|%|/\*|<!--|\"\"\"|''')")
_LEADS: Final = (
    r"here(?:['’]s| is| are)", r"sure\b", r"certainly\b", r"of course\b", r"below is", r"the following",
    r"this (?:code|function|program|module|implementation|version|snippet|solution)\b", r"note(?: that|:)",
    r"explanation\b", r"i(?:['’](?:ve|ll|m)| have| will| am| can| cannot)\b", r"let me\b", r"let['’]s\b",
    r"hope (?:this|that)", r"you can\b", r"to use\b", r"in this\b", r"(?:first|next|then|finally|now), ",
    r"(?:now )?we (?:can|will|need|now|use|define)\b", r"step \d+", r"as an ai\b", r"sorry\b",
    r"if you (?:need|want|have)", r"feel free\b", r"(?:output|answer|usage|example):", r"here (?:you go|it is)\b",
    r"(?:ok(?:ay)?|alright|understood|great|done),", r"wait, ",
    r"(?:updated|fixed|corrected|revised|improved|final|complete|full) (?:code|version|implementation|solution)\b",
)  # fmt: skip
_LEAD: Final = re.compile(rf"^\W{{0,4}}(?:{'|'.join(_LEADS)})", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"^\W{0,4}(?:[^\W\d_a-z][^\W\d_A-Z]\S*|I|A)(?:\s+\S+){3,}[.!?:…]\W{0,4}$")
_WORDS: Final = re.compile(r"^\W{0,4}(?:[^\W\d_a-z][^\W\d_A-Z]*,?)(?:\s+[^\W\d_]+,?){4,}$")
_ALONE: Final = re.compile(
    r"(?i:sure|certainly|ok(?:ay)?|alright|absolutely|of course|understood|great|done)[!.…]+"
    r"|(?:Sure|Certainly|Okay|Alright|Absolutely|Of course),?"
)
"""What an answer says before or after its code, in a line of its own."""
_NUMBERED: Final = re.compile(r"^\d{1,2}[.)]\s+[^\W\d_]+(?:\s+\S+){2,}$")
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Of scripts that write no blanks between words, or few."""
_CODE: Final = re.compile(r"[={}\[\]<>|\\;@$&]|::|->|\w\(|^\s*(?:import|from|def|class|fn|let|return|use|pub)\s\S+\s*$")
_WRITTEN: Final = re.compile(
    r"[={};]$|\s=\s|\w=[\w\"']|^\w+\s*:\s*[\"\d\[{(]|^\w+:\s*\w+(\s*=|,?$)|^[\"'(\[].*[,)\]]$|^\w?[\"'].*[\"'][,)\]:]*$"
)
"""What code has and sentences have not, even those with brackets and backquotes in them."""
_INLINE: Final = re.compile(r"`[^`\n]{0,200}`")
_QUOTES: Final = re.compile(r"\"\"\"|'''|/\*|\*/")


@dataclass(frozen=True, slots=True)
class Extras:
    """What an output holds beside code (`kinds`, in a fixed order), and the bytes of its code, blank lines left out."""

    kinds: tuple[str, ...]
    code_bytes: int


def extras(output: str) -> Extras:
    """Look through one output of a code lane.

    `markdown_fence`: a line of ``` or ~~~. `prose`: sentences before the first or after the last line of code, or
    instead of any. `narration`: sentences between lines of code, and marks of reasoning such as `<think>`.
    """
    lines = output[:MOST].splitlines()
    marks = _marks(lines)
    first = next((place for place, mark in enumerate(marks) if mark == "code"), len(marks))
    last = next((place for place in range(len(marks) - 1, -1, -1) if marks[place] == "code"), -1)
    found = set()
    for place, mark in enumerate(marks):
        if mark == FENCE:
            found.add(FENCE)
        elif mark == "tag":
            found.add(NARRATION)
        elif mark == "words":
            found.add(NARRATION if first < place < last else PROSE)
    code = sum(
        len(line.encode("utf-8", "replace")) + 1 for line, mark in zip(lines, marks, strict=True) if mark == "code"
    )
    return Extras(tuple(kind for kind in (PROSE, FENCE, NARRATION) if kind in found), code)


def _marks(lines: list[str]) -> list[str]:
    """Return what each line is: code, words, a fence, a tag, or "" for blank."""
    fenced = any(_FENCE.match(line) for line in lines)
    inside, quoted, thinking = False, "", False
    marks = []
    for line in lines:
        if not quoted and _FENCE.match(line):
            inside = not inside
            mark = FENCE
        elif not quoted and (tag := _TAG.search(line)):
            thinking = _still_thinking(thinking, tag)
            mark = "tag"
        elif not line.strip():
            mark = ""
        elif thinking:
            mark = "words"
        else:
            mark = "code" if _is_code(line, quoted, outside=fenced and not inside) else "words"
            quoted = _quoted_after(line, quoted)
        marks.append(mark)
    return _with_markup(lines, marks)


def _with_markup(lines: list[str], marks: list[str]) -> list[str]:
    """Return the marks, the words between tags of markup being the program's own."""
    places = [place for place, mark in enumerate(marks) if mark]
    for before, place, after in zip(places, places[1:], places[2:], strict=False):
        held = lines[before].rstrip().endswith(">") and lines[after].lstrip().startswith("<")
        if marks[place] == "words" and held and marks[before] == marks[after] == "code":
            marks[place] = "code"
    return marks


def _still_thinking(thinking: bool, tag: re.Match[str]) -> bool:
    """Say whether what follows a line with a tag is inside of a pair of reasoning tags."""
    name = (tag.group(1) or tag.group(2)).lower()
    if "answer" in name or "|" in name:
        return thinking
    return (not name.startswith("</") and tag.group(2) is None) or (thinking and not name.startswith("</"))


def _quoted_after(line: str, quoted: str) -> str:
    """Return what ends the quotation or block comment that is open after the line, "" for none."""
    if not quoted and line.lstrip().startswith(("#", "//", "--")):
        return ""
    for mark in _QUOTES.findall(line):
        if quoted:
            if mark == quoted:
                quoted = ""
        elif mark != "*/":
            quoted = "*/" if mark == "/*" else mark
    return quoted


def _is_code(line: str, quoted: str, *, outside: bool) -> bool:
    """Say whether a line that is not blank is code, a comment or quoted text rather than words.

    Outside of an output's fences only what looks like code is code; elsewhere only what reads as a sentence is not.
    """
    if quoted or _COMMENT.match(line):
        return True
    words = _INLINE.sub("x", line[:2000]).strip()
    if _LEAD.match(words) and " " in words and not _WRITTEN.search(words):
        return False
    if _ALONE.fullmatch(words):
        return False
    if outside or _SENTENCE.match(words) or _WORDS.match(words) or _NUMBERED.match(words) or _is_unspaced(words):
        return (_CODE.search(words) or (_WRITTEN.search(words) and not outside)) is not None
    return True


def _is_unspaced(words: str) -> bool:
    """Say whether a line ends as a sentence of a script without blanks between words does."""
    signs = len(_IDEOGRAPHS.findall(words))
    return (signs >= 3 and words.endswith(("。", "：", "！", "？"))) or (
        signs >= 6 and words.endswith((".", ":", "!", "?"))
    )

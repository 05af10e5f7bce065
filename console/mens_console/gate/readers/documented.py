"""The share of documented public objects: the text that interrogate prints, and Sphinx's `python.txt`.

Text in, one value out. Both count objects; where the table of a report is there, its counts are the n.
"""

from __future__ import annotations

import re
from typing import Final

from mens_console.gate.readers.sheet import Sheet

_RESULT: Final = re.compile(r"RESULT: (PASSED|FAILED) \(minimum: ([\d.]+)%, actual: ([\d.]+)%\)")
_TOTAL: Final = re.compile(r"^\|\s*TOTAL\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*([\d.]+)%\s*\|", re.MULTILINE)
_SPHINX: Final = re.compile(r"^\|\s*TOTAL\s*\|\s*([\d.]+|nan|-)\s*%?\s*\|\s*(\d+)\s*\|", re.MULTILINE)
_ROW: Final = re.compile(r"^\|\s*(?!Module\b)[\w.]+\s*\|", re.MULTILINE)
_NAMED: Final = re.compile(r"^ \* [\w.]+(?: -- .*)?$", re.MULTILINE)
_SPHINX_HEAD: Final = "Undocumented Python objects"


def claims_interrogate(text: str) -> bool:
    """Whether interrogate printed it: a result, a table, or a traceback of its own."""
    return bool(_RESULT.search(text)) or ("interrogate" in text and "Traceback (most recent call last)" in text)


def read_interrogate(text: str, sheet: Sheet) -> None:
    """Read the share of its last result line; a crash is no result."""
    sheet.tags["measure"] = "interrogate"
    results = list(_RESULT.finditer(text))
    if not results:
        sheet.problem = (
            "interrogate ended with a traceback instead of a result: run it again after the error in it is cured"
        )
        return
    if "Traceback (most recent call last)" in text:
        sheet.problem = "interrogate ended with a traceback: its result is not whole"
        return
    if len({one[3] for one in results}) > 1:
        told = " and ".join(f"{one[3]} %" for one in results[:3])
        sheet.problem = f"it holds several results ({told}): keep one"
        return
    line = text.count("\n", 0, results[-1].start()) + 1
    share = float(results[-1][3])
    n = successes = None
    trouble = ""
    table = _TOTAL.search(text)
    if table:
        n, successes = int(table[1]), int(table[3])
        if n and abs(100 * successes / n - share) > 0.06:
            trouble = f"its table says {successes} of {n}, its result {share:g} %"
        elif n:
            share = 100 * successes / n  # the result line is rounded to one digit
    sheet.add("documented", share, "%", f"line {line}", n=n, successes=successes, trouble=trouble)


def claims_sphinx(text: str) -> bool:
    """Whether Sphinx's coverage builder wrote it."""
    return text.lstrip("\ufeff \r\n").startswith(_SPHINX_HEAD)


def read_sphinx(text: str, sheet: Sheet) -> None:
    """Read the share of its total. It tells how many are undocumented, so that n follows where it is not 100 %."""
    sheet.tags["measure"] = "sphinx"
    total = _SPHINX.search(text)
    if total is None:
        sheet.problem = (
            "it has no table of statistics: set coverage_statistics_to_report = True in conf.py (Sphinx 7.2 and newer)"
        )
        return
    line = text.count("\n", 0, total.start()) + 1
    share = float(total[1]) if total[1] not in {"-", "nan"} else float("nan")
    missing = int(total[2])
    n = successes = None
    if missing and share < 100:
        n = round(missing / (1 - share / 100))
        successes = n - missing
        if abs(100 * successes / n - share) > 0.006:
            n = successes = None
    trouble = ""
    if missing and share >= 100:
        trouble = f"it says 100 %, and {missing} undocumented"
    absent = _absent(text)
    if absent:
        # Sphinx counts what it could not import as nothing, and calls nothing 100 %.
        trouble = f"modules could not be imported, so that their objects are missing: {absent}"
    elif not _ROW.search(text[: total.start()]):
        trouble = trouble or "it looked at no module: set coverage_modules in conf.py"
    named = len(_NAMED.findall(text[total.end() :]))
    note = f"it names {named} undocumented objects and counts {missing}" if named > missing and not absent else ""
    sheet.add("documented", share, "%", f"line {line}", n=n, successes=successes, trouble=trouble, note=note)


def _absent(text: str) -> str:
    """Return the modules that Sphinx could not import, the first of them."""
    _, found, rest = text.partition("Modules that failed to import")
    lines = [line.strip().removeprefix("* ") for line in rest.splitlines() if line.strip().startswith("* ")]
    return ", ".join(lines[:2]) or ("untold ones" if found else "")

"""Coverage, complexity and tests of a project: coverage.py's JSON, radon's `cc -j`.

Read from parsed JSON; what JUnit and the documentation tools write is read in `junit` and `documented`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, garbled, number, pointer
from mens_console.gate.readers.sheet import Sheet

_FUNCTIONS: Final = ("function", "method")
COMPLEX: Final = 8
"""Functions more complex than this are named."""
_NAMED: Final = 12


def claims_coverage(document: Any) -> bool:
    """Whether it is what `coverage json` or pytest-cov writes, or its totals alone."""
    totals = at(document, "totals")
    return isinstance(totals, dict) and "percent_covered" in totals


def read_coverage(document: Any, sheet: Sheet) -> None:
    """Read the share of covered statements (and branches, where they were measured)."""
    totals = document["totals"]
    sheet.taken(at(document, "meta", "timestamp"))
    statements, branches = count(totals.get("num_statements")), count(totals.get("num_branches")) or 0
    covered = count(totals.get("covered_lines"))
    covered_branches = count(totals.get("covered_branches")) if branches else 0
    n = successes = None
    told = number(totals.get("percent_covered"))
    trouble = ""
    if statements is not None and covered is not None and covered_branches is not None:
        n, successes = statements + branches, covered + covered_branches
        if n and abs(100 * successes / n - told) > 0.01:
            trouble = f"it says {told:g} %, and {successes} of {n} covered, which is {100 * successes / n:.2f} %"
    odd = [name for name in ("num_statements", "covered_lines", "num_branches", "covered_branches")
           if garbled(totals.get(name))]  # fmt: skip
    if odd:
        trouble = f"its {odd[0]} is no count: {str(totals[odd[0]])[:40]!r}"
    files = document.get("files")
    if files == {} and statements is None:
        trouble = trouble or "no file was measured"
    sheet.add("coverage", told, "%", "/totals/percent_covered", n=n, successes=successes, trouble=trouble,
              note="statements and branches" if branches else "statements")  # fmt: skip
    every = files.values() if isinstance(files, dict) else ()
    empty = sum(1 for one in every if at(one, "summary", "num_statements") == 0)
    if empty:
        sheet.note(f"files without a statement, which coverage's own table calls 100 %, count as nothing: {empty}")


def claims_radon(document: Any) -> bool:
    """Whether it is what `radon cc -j` writes: lists of blocks by file, or errors."""
    return isinstance(document, dict) and bool(document) and all(map(_blocks_or_error, document.values()))


def _blocks_or_error(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"error"}
    return isinstance(value, list) and bool(value) and all(at(one, "complexity") is not None for one in value)


def read_radon(document: Any, sheet: Sheet) -> None:
    """Read the mean over functions and methods. A class is no function; its methods stand beside it in the list."""
    broken = [file for file, blocks in document.items() if isinstance(blocks, dict)]
    seen: dict[tuple[str, ...], tuple[float, str]] = {}
    for file, blocks in document.items():
        for block in _functions(blocks if isinstance(blocks, list) else ()):
            where = (file, *(str(block.get(key)) for key in ("lineno", "col_offset", "name")))
            seen[where] = (number(block.get("complexity")), str(block.get("name", "?")))
    values = [value for value, _ in seen.values()]
    if any(not value >= 1 for value in values):
        trouble = "a function with a complexity below 1, which no function has"
    elif broken:
        named = ", ".join(broken[:3]) + (" …" if len(broken) > 3 else "")
        trouble = f"what radon could not parse is missing ({len(broken)} of {len(document)} files): {named}"
    else:
        trouble = "" if values else "it holds no function"
    mean = sum(values) / len(values) if values else None
    sheet.add("complexity", mean, "per function", pointer(), n=len(values), trouble=trouble,
              note=_worst(seen))  # fmt: skip


def _functions(blocks: Any) -> Iterator[dict[str, Any]]:
    """Yield functions and methods, also those listed in their class only; closures count in their function already."""
    for block in blocks:
        if not isinstance(block, dict):
            continue
        if block.get("type") in _FUNCTIONS:
            yield block
        nested = block.get("methods")
        if isinstance(nested, list):
            yield from _functions(nested)


def _worst(seen: dict[tuple[str, ...], tuple[float, str]]) -> str:
    """Name the functions that are more complex than `COMPLEX`, the worst first."""
    over = sorted(((value, name, where[0]) for where, (value, name) in seen.items() if value > COMPLEX), reverse=True)
    if not over:
        return f"no function over {COMPLEX}"
    named = ", ".join(f"{file}:{name} {value:g}" for value, name, file in over[:_NAMED])
    return f"{len(over)} functions over {COMPLEX}: {named}"

"""Which contract a file is of: by the id that its objects name, else by their fields."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.formats.jsontext import objects
from mens_contracts.registry import CONTRACTS, by_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_contracts.registry import Contract

SAMPLED: Final = 200
"""Rows that are looked at to tell what a file is."""


class UnknownContractError(ValueError):
    """Nobody knows what this is; the message says what it looks like, and what to do."""


def sample(head: bytes, *, whole: bool) -> list[dict[str, Any]]:
    """Return the first objects of a file of JSON lines; none where it is one document over several lines.

    A document that is printed with one object a line is told apart by its first line, which is none.
    """
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[: SAMPLED + 1] if line.strip()]
    if not whole and len(lines) > 1 and not head.endswith(b"\n"):
        lines.pop()
    found = [objects(line)[0] for line in lines[:SAMPLED]]
    readable = sum(1 for one in found if one)
    if not found or lines[0].lstrip()[:1] == b"[" or (not found[0] and readable * 2 <= len(found)):
        return []
    return [row for one in found for row in one]


def recognise(rows: Sequence[dict[str, Any]]) -> Contract:
    """Return the contract that objects are of. Raises `UnknownContractError`."""
    ids = Counter(row["schema"] for row in rows if isinstance(row.get("schema"), str))
    known = [name for name, _ in ids.most_common() if name in CONTRACTS]
    if known:
        return CONTRACTS[known[0]]
    names = {name for row in rows for name in row}
    found = by_fields(names, (row.get("event") for row in rows))
    if found is not None and not (found.tagged and ids):
        return found
    if ids:
        name = ids.most_common(1)[0][0][:100]
        raise UnknownContractError(f"it says it is {name}, which is not known here{_near(name)}")
    few = ", ".join(sorted(names, key=len)[:6])
    raise UnknownContractError(
        f"it names no contract, and its fields ({few or 'none'}) are of none that is known by fields; "
        "say which it should be with --contract ID (`mens-console contracts list`)"
    )


def named(name: str) -> Contract:
    """Return the contract of an id. Raises `UnknownContractError` with the nearest one."""
    if name in CONTRACTS:
        return CONTRACTS[name]
    raise UnknownContractError(f"{name[:100]}: no such contract{_near(name)}")


def _near(name: str, known: Iterable[str] = CONTRACTS) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; the nearest is {near[0]}" if near else "; `mens-console contracts list` prints those that are"

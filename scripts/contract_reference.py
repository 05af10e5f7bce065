"""The generated parts of docs/contracts.md, and all of docs/contract-reference.md: from the registry and the models."""

from __future__ import annotations

import reference

from mens_contracts.aliases import BY_CONTRACT
from mens_contracts.diagnostics import CATEGORIES
from mens_contracts.registry import CONTRACTS, Contract

ELSEWHERE = {
    "mens-telemetry/1": "telemetry.md#telemetryjsonl",
    "mens-stage/1": "telemetry.md#stagesjsonl",
    "mens-training-status/1": "telemetry.md#training_statusjson",
    "mens-run-summary/1": "telemetry.md#run_summaryjson",
}
"""Contracts whose fields another page tells."""


def contracts() -> str:
    """Return the table of all contracts."""
    lines = ["| contract | what | where | form | recognised by | schema |", "|---|---|---|---|---|---|"]
    for one in CONTRACTS.values():
        form = "JSON lines" if one.form == "rows" else "one document"
        schema = f"[schema](../contracts/{one.schema_file})"
        lines.append(f"| [`{one.id}`]({_place(one)}) | {one.title} | {one.files} | {form} | {_known(one)} | {schema} |")
    return "\n".join(lines)


def _known(one: Contract) -> str:
    if one.tagged:
        return "its field `schema`"
    names = ", ".join(f"`{name}`" for name in one.known_by)
    return f"the fields {names}" + (f"; `event` is {', '.join(one.events)}" if one.events else "")


def _place(one: Contract) -> str:
    return ELSEWHERE.get(one.id, f"contract-reference.md#{_anchor(one.id)}")


def _anchor(name: str) -> str:
    """Return what a heading of that name is linked by."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "-_")


def aliases() -> str:
    """Return the table of other names of fields."""
    lines = ["| contract | field | other names, best first | in another unit |", "|---|---|---|---|"]
    for contract, table in BY_CONTRACT.items():
        for one in table:
            names = ", ".join(f"`{name}`" for name in one.names)
            scaled = ", ".join(f"`{name}` × {factor:g}" for name, factor in one.factored)
            note = f" ({one.note})" if one.note else ""
            lines.append(f"| `{contract}` | `{one.field}`{note} | {names} | {scaled} |")
    return "\n".join(lines)


def taxonomy() -> str:
    """Return the table of classes of diagnostics."""
    lines = ["| category | what | other names |", "|---|---|---|"]
    for one in CATEGORIES:
        names = ", ".join(f"`{name}`" for name in one.aliases)
        lines.append(f"| `{one.id}` | {one.title}: {one.description} | {names} |")
    return "\n".join(lines)


def page() -> str:
    """Return docs/contract-reference.md."""
    parts = [
        "# Contracts, field by field",
        "Written by `scripts/generate_docs.py` from the models in `contracts/mens_contracts`. What a contract is,\n"
        "how it may change and how files are checked: [contracts.md](contracts.md).",
    ]
    for one in CONTRACTS.values():
        if one.id in ELSEWHERE:
            continue
        head = f"## `{one.id}`\n\n{one.title[0].upper()}{one.title[1:]}. Found as {one.files}. "
        parts += [f"{head}Schema: `contracts/{one.schema_file}`.", reference.document(one.load()).strip()]
    return "\n\n".join(parts) + "\n"

"""`mens-console contracts list|show|check|export`: what producers and the console agree on, and who keeps to it.

Files are looked at in `ingest.checking`; this module prints what was found.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from mens_console.cli.common import Meter, colour, output
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.status import paint, plain
from mens_console.ingest.checking.recognise import UnknownContractError, named
from mens_console.ingest.text import safe_text
from mens_contracts.aliases import BY_CONTRACT
from mens_contracts.registry import CONTRACTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mens_console.ingest.checking.check import FileReport
    from mens_contracts.registry import Contract


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked of the contracts."""
    return _ACTIONS[arguments.action](arguments)


def _named(name: str) -> Contract:
    try:
        return named(name)
    except UnknownContractError as error:
        raise CommandError(str(error)) from None


def _list(arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(_json([_facts(one) for one in CONTRACTS.values()]))
        return OK
    width = max(map(len, CONTRACTS))
    for one in CONTRACTS.values():
        print(f"{one.id:<{width}}  {one.title}  ({one.files.replace('`', '')})")
    return OK


def _facts(one: Contract) -> dict[str, Any]:
    known = {"tagged": one.tagged, "known_by": list(one.known_by), "events": list(one.events)}
    return {"id": one.id, "title": one.title, "form": one.form, "files": one.files, "schema": one.schema_file, **known}


def _show(arguments: argparse.Namespace) -> int:
    contract = _named(arguments.id)
    if arguments.json:
        print(_json(contract.schema()))
        return OK
    from mens_contracts.shapes import Compiled
    from mens_contracts.tally import Tally

    ink = paint if colour(sys.stdout) else plain
    tally = Tally()
    Compiled(contract.schema(), contract.id, tally, lambda holder, key: 0)
    print(ink(f"{contract.id}: {contract.title}", "accent"))
    shape = "one JSON object a line" if contract.form == "rows" else "one JSON document"
    tag = "each names it in its field `schema`" if contract.tagged else f"known by {', '.join(contract.known_by)}"
    print(f"{shape}; {tag}\nfound as {contract.files}; JSON Schema contracts/{contract.schema_file}\n")
    shown = [one for one in tally.fields.values() if not one.path.endswith(("[]", ".*"))]
    width = min(max(len(one.path) for one in shown), 44)
    for one in shown:
        must = "required" if one.required else "optional"
        print(f"{one.path:<{width}}  {must}  {one.want}{ink(f'  {one.about}', 'muted') if one.about else ''}")
    aliases = BY_CONTRACT.get(contract.id, ())
    if aliases:
        print("\nother names that are known to mean the same")
    for alias in aliases:
        scaled = [f"{name} (× {factor:g})" for name, factor in alias.factored]
        print(f"{alias.field:<{width}}  {', '.join((*alias.names, *scaled))}")
    return OK


# ---------------------------------------------------------------------- check


def _check(arguments: argparse.Namespace) -> int:
    from mens_console.ingest.checking.check import check_file
    from mens_console.ingest.checking.words import lines_of, report_document

    contract = _named(arguments.contract) if arguments.contract else None
    reports: list[FileReport] = []
    ink = paint if colour(sys.stdout) else plain
    for path in arguments.files:
        with Meter(sys.stderr) as meter:
            reports.append(check_file(str(path), contract, meter.tell))
        if not arguments.json:
            print("\n".join(lines_of(reports[-1], ink)))
    if arguments.json:
        print(_json({"schema": "mens-contract-check/1", "files": [report_document(one) for one in reports]}))
    if any(report.problem for report in reports):
        return WRONG
    return OK if all(report.fits for report in reports) else NO


# ---------------------------------------------------------------------- export


def _export(arguments: argparse.Namespace) -> int:
    chosen = [_named(arguments.contract)] if arguments.contract else list(CONTRACTS.values())
    made = _TARGETS[arguments.target](chosen)
    if not made:
        raise CommandError(f"{chosen[0].id} is one document, no rows: it makes no table for {arguments.target}")
    folder = arguments.folder.expanduser()
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with output(path) as file:
            file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        print(safe_text(str(path)))
    return OK


def _schemas(chosen: list[Contract]) -> dict[str, Any]:
    return {one.schema_file: one.schema() for one in chosen}


def _bigquery(chosen: list[Contract]) -> dict[str, Any]:
    from mens_contracts.targets import bigquery

    return {_table(one, "bigquery"): bigquery(one.schema()) for one in chosen if _is_table(one)}


def _elasticsearch(chosen: list[Contract]) -> dict[str, Any]:
    from mens_contracts.targets import elasticsearch

    return {_table(one, "elasticsearch"): elasticsearch(one.schema()) for one in chosen if _is_table(one)}


def _is_table(contract: Contract) -> bool:
    """Whether rows of it have columns: events of several kinds, whose payloads differ, have none."""
    return contract.form == "rows" and "payload" not in contract.known_by


def _table(contract: Contract, target: str) -> str:
    name = contract.schema_file.rpartition("/")[2].removesuffix(".schema.json")
    return f"{name}.{target}.json"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


_TARGETS: dict[str, Callable[[list[Contract]], dict[str, Any]]] = {
    "jsonschema": _schemas,
    "bigquery": _bigquery,
    "elasticsearch": _elasticsearch,
}
_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "check": _check,
    "export": _export,
}

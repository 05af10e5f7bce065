"""Reading back what `gate check --json` printed, checked against its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.cli.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def read_gate_document(path: Path) -> dict[str, Any]:
    """Return a `mens-gate/1` document. Raises `CommandError` where the file holds none."""
    from pydantic import ValidationError

    from mens_console.gate.words import WordsError, read_document
    from mens_contracts.gate import GateDocument

    try:
        document = read_document(path)
    except WordsError as error:
        raise CommandError(str(error)) from None
    if not isinstance(document, dict) or document.get("schema") != "mens-gate/1":
        raise CommandError(f"{path}: it is no mens-gate/1; name what `mens-console gate check --json` printed")
    try:
        checked = GateDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CommandError(f"{path}: it does not fit mens-gate/1: {where}: {first['msg']}; print it anew") from None
    return checked.model_dump(by_alias=True)

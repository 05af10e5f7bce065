"""Write the JSON Schemas of all contracts under contracts/; `--check` only compares and fails on a difference."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mens_console.config.model import UserConfig
from mens_contracts import taxonomy
from mens_contracts.gate_profile import ProfileTable
from mens_contracts.registry import CONTRACTS, DIALECT

ROOT = Path(__file__).resolve().parent.parent / "contracts"


def rendered() -> dict[str, str]:
    """Return what each file below contracts/ should read."""
    documents = {one.schema_file: one.schema() for one in CONTRACTS.values()}
    documents["run/mens-config-1.schema.json"] = {"$schema": DIALECT, **UserConfig.model_json_schema(by_alias=True)}
    documents["gate/mens-gate-profile-1.schema.json"] = {
        "$schema": DIALECT,
        **ProfileTable.model_json_schema(by_alias=True),
    }
    documents["eval/diagnostic-taxonomy.json"] = taxonomy.document()
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def main() -> int:
    stale = []
    files = rendered()
    for name, text in files.items():
        path = ROOT / name
        if "--check" in sys.argv:
            stale += [name] if not path.exists() or path.read_text(encoding="utf-8") != text else []
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"contracts/{name} is not what the models say; run python scripts/export_schemas.py", file=sys.stderr)
    there = {
        str(path.relative_to(ROOT)) for folder in ("run", "eval", "gate") for path in (ROOT / folder).glob("*.json")
    }
    for name in sorted(there - set(files)):
        print(f"contracts/{name} is of no contract; remove it, or register its contract", file=sys.stderr)
    return 1 if stale or there - set(files) else 0


if __name__ == "__main__":
    raise SystemExit(main())

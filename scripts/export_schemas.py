"""Write the JSON Schemas of all contracts under contracts/; `--check` only compares and fails on a difference."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mens_console.config.model import UserConfig
from mens_contracts.run_summary import RunSummary
from mens_contracts.stage import StageEvent
from mens_contracts.status import Status
from mens_contracts.telemetry import TelemetryRow
from mens_contracts.training_status import TrainingStatus

ROOT = Path(__file__).resolve().parent.parent / "contracts"
SCHEMAS = {
    "run/mens-status-1.schema.json": Status,
    "run/mens-config-1.schema.json": UserConfig,
    "run/mens-stage-1.schema.json": StageEvent,
    "run/mens-telemetry-1.schema.json": TelemetryRow,
    "run/mens-training-status-1.schema.json": TrainingStatus,
    "run/mens-run-summary-1.schema.json": RunSummary,
}


def render(model: type) -> str:
    schema = model.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def main() -> int:
    stale = []
    for name, model in SCHEMAS.items():
        path = ROOT / name
        text = render(model)
        if "--check" in sys.argv:
            stale += [name] if not path.exists() or path.read_text() != text else []
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        print(f"contracts/{name} is not what the models say; run python scripts/export_schemas.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Write the Grafana dashboards from their table; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from mens_console.exporter.boards import documents, text_of

FOLDER = Path(__file__).resolve().parent.parent / "console/mens_console/exporter/dashboards"


def main() -> int:
    wanted = {name: text_of(document) for name, document in documents().items()}
    known = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv[1:]:
        stale = sorted(name for name in wanted.keys() | known.keys() if wanted.get(name) != known.get(name))
        for name in stale:
            print(f"{name} is out of date: run scripts/export_dashboards.py", file=sys.stderr)
        return bool(stale)
    FOLDER.mkdir(exist_ok=True)
    for name in known.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

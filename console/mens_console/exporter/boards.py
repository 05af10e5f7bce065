"""Three Grafana dashboards as JSON: performance, reliability and quality of what runs on a box.

`BOARDS` is all there is to say of them; the files under `dashboards/` are made from it. A query may name only metrics
of the table in `metrics`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from mens_console.exporter.boardtable import BOARDS, choose

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.exporter.boardtable import Board, Panel

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _ROW = 8, 8, 24


def documents() -> dict[str, dict[str, Any]]:
    """Return the dashboards as Grafana imports them, by file name."""
    return {f"{board.name}.json": _dashboard(board) for board in BOARDS}


def text_of(document: dict[str, Any]) -> str:
    """Return a dashboard as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_dashboards(folder: Path) -> list[Path]:
    """Copy the dashboards that came with the package into `folder`; return what was written."""
    written = []
    for name in documents():
        path = folder / name
        path.write_bytes(files("mens_console.exporter").joinpath("dashboards", name).read_bytes())
        written.append(path)
    return written


def _dashboard(board: Board) -> dict[str, Any]:
    return {
        "uid": f"mens-{board.name}",
        "title": f"mens · {board.title}",
        "description": board.description,
        "tags": ["mens-console"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(*one) for one in board.variables)]},
        "panels": [_panel(i, panel) for i, panel in enumerate(board.panels)],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _variable(name: str, metric: str) -> dict[str, Any]:
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "variable"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(i: int, panel: Panel) -> dict[str, Any]:
    per_row = _ROW // _WIDTH
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {}}
    if panel.steps:
        colours = ("green", "yellow", "red") if panel.rising else ("red", "yellow", "green")
        values = (None, *panel.steps)
        used = colours if len(values) == len(colours) else (colours[0], colours[-1])
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for colour, value in zip(used, values, strict=True)],
        }
    return {
        "id": i + 1,
        "title": panel.title,
        "description": panel.description,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {"x": i % per_row * _WIDTH, "y": i // per_row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {} if panel.kind != "table" else {"showHeader": True},
        "targets": [
            {
                "refId": chr(ord("A") + j),
                "datasource": _SOURCE,
                "expr": choose(expr),
                "legendFormat": legend,
                **({"format": "table", "instant": True} if panel.kind == "table" else {}),
            }
            for j, (expr, legend) in enumerate(panel.queries)
        ],
    }

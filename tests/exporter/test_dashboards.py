"""The dashboards: made from their table, and asking only for what is exported."""

import json
import re
from pathlib import Path

import pytest

from mens_console.cli.main import main
from mens_console.exporter.boards import documents, text_of
from mens_console.exporter.boardtable import BOARDS, choose
from mens_console.exporter.metrics import METRICS

QUERIES = [
    (board.name, panel.title, choose(query)) for board in BOARDS for panel in board.panels for query, _ in panel.queries
]
FOLDER = Path(__file__).resolve().parents[2] / "console/mens_console/exporter/dashboards"


@pytest.mark.parametrize(("board", "panel", "query"), QUERIES)
def test_a_query_names_only_what_is_exported(board, panel, query):
    names = re.findall(r"\bmens_\w+", query)
    assert names and set(names) <= set(METRICS)
    for name, selector in re.findall(r"\b(mens_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= set(METRICS[name].labels), query
    for name in names:
        function = re.search(rf"(\w+)\(\s*{name}\b", query)
        rated = function is not None and function[1] in {"rate", "increase", "irate"}
        assert not rated or METRICS[name].kind == "counter", query


def test_legends_name_labels_of_their_metric():
    for board in BOARDS:
        for panel in board.panels:
            for query, legend in panel.queries:
                labels = {name for metric in re.findall(r"\bmens_\w+", query) for name in METRICS[metric].labels}
                assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels, panel.title


def test_variables_are_labels():
    for board in BOARDS:
        for name, metric in board.variables:
            assert name in METRICS[metric].labels
        used = {
            word
            for panel in board.panels
            for query, _ in panel.queries
            for word in re.findall(r"\$(\w+)", choose(query))
        }
        assert used <= {name for name, _ in board.variables}, board.name


def test_the_files_are_the_tables():
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == {
        name: text_of(document) for name, document in documents().items()
    }
    assert len(documents()) == 3


def test_ids_and_places_are_distinct():
    for document in documents().values():
        panels = document["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert len({document["uid"] for document in documents().values()}) == 3


def test_they_are_written_out(tmp_path, capsys):
    assert main(["exporter", "--dashboards", str(tmp_path / "new" / "folder")]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    for name, document in documents().items():
        assert json.loads((tmp_path / "new" / "folder" / name).read_text()) == document

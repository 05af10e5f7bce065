"""Options of the commands that read records of generations and of products."""

from __future__ import annotations

import argparse
from pathlib import Path

from mens_console.cli.options import actions, search
from mens_console.cli.values import natural, positive, price


def health(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `health`."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="LOG",
        help="attempt logs in the order they were written (.gz too), folders that hold some, or - for standard input",
    )
    parser.add_argument(
        "--batch-size", type=positive, default=1000, metavar="N", help="attempts of a run in a batch (default 1000)"
    )
    parser.add_argument(
        "--by",
        choices=("batch", "persona", "tier", "run"),
        default="batch",
        help="what attempts are counted together (default batch)",
    )
    parser.add_argument("--follow", action="store_true", help="go on, and tell what is new as the logs grow")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the document mens-health/1; one a line with --follow")
    form.add_argument("--csv", action="store_true", help="print one row a batch")
    parser.add_argument(
        "--cost",
        type=price,
        default=0.00045,
        metavar="USD",
        help="price of 1000 tokens in US dollars (default 0.00045)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "spark"),
        default="local",
        help="who counts: this program, or Spark (default local)",
    )
    parser.add_argument(
        "--workers",
        type=natural,
        metavar="N",
        help="processes that count a long backlog (default: one a core; at most 64)",
    )
    search(parser)


def kpi(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `kpi`."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files of KPI records, or folders that hold some (default: the current directory)",
    )
    parser.add_argument("--json", action="store_true", help="print the document mens-kpi/1")
    parser.add_argument("--model", metavar="NAME", help="only this model, or a unique beginning of its name")
    parser.add_argument(
        "--against", metavar="PATH|MODEL", help="compare with the model of that file or folder, or of that name"
    )
    parser.add_argument("--force", action="store_true", help="compare even where the sets of tasks differ")


def contracts(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `contracts`."""
    action = actions(parser)
    one = action("list", "print every contract, and where files of it are found")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    one = action("show", "print the fields of a contract, and the other names they are known under")
    one.add_argument("id", metavar="ID", help="what `list` names it by, such as mens_generation_attempt_v1")
    one.add_argument("--json", action="store_true", help="print its JSON Schema")
    one = action("check", "say field by field how files differ from their contracts")
    one.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="JSON lines of any size or a JSON document, plain or gzip"
    )
    one.add_argument("--contract", metavar="ID", help="the contract they should be of (default: each is recognised)")
    one.add_argument("--json", action="store_true", help="print the document mens-contract-check/1")
    one = action("export", "write contracts as JSON Schemas, or their rows as tables of a data store")
    one.add_argument("folder", type=Path, metavar="DIR", help="where to write; it is made where it is not there")
    one.add_argument(
        "--target",
        choices=("jsonschema", "bigquery", "elasticsearch"),
        default="jsonschema",
        help="what to write: schemas, BigQuery table schemas, or Elasticsearch indexes (default jsonschema)",
    )
    one.add_argument("--contract", metavar="ID", help="only this one (default: all that the target can hold)")

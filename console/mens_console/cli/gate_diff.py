"""`mens-console gate diff OLD NEW`, or `gate diff OLD PROFILE PATH…`: what changed since an earlier evaluation.

OLD and NEW are what `gate check --json` printed. Exit status: 0 nothing got worse · 1 something did · 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mens_console.cli.common import colour
from mens_console.cli.errors import NO, OK
from mens_console.cli.gate_documents import read_gate_document
from mens_console.cli.gate_judging import judged, judged_options
from mens_console.cli.status import paint, plain


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("old", type=Path, metavar="OLD", help="an earlier mens-gate/1 document")
    parser.add_argument("profile", metavar="NEW|PROFILE", help="a later document; or a profile to judge by now")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="evidence, where a profile is named")
    judged_options(parser)
    parser.add_argument("--json", action="store_true", help="print the document mens-gate-diff/1")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    from mens_console.cli.gate_table import diff_lines
    from mens_console.gate.diff import gate_diff
    from mens_console.gate.document import gate_document

    old = read_gate_document(arguments.old)
    new = gate_document(judged(arguments)) if arguments.paths else read_gate_document(Path(arguments.profile))
    document = gate_diff(old, new)
    if arguments.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(diff_lines(document, paint if colour(sys.stdout) else plain)))
    return NO if document["worse"] else OK

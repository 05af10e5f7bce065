"""`mens-console gate diff OLD NEW`, or `gate diff OLD PROFILE PATH…`: what changed since an earlier evaluation.

OLD and NEW are what `gate check --json` printed; OLD may be a ledger too: its newest decision under the same profile is
meant. Exit status: 0 nothing got worse · 1 something did · 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mens_console.cli.common import colour, complain
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.gate_documents import read_gate_document
from mens_console.cli.gate_judging import judged, judged_options
from mens_console.cli.status import paint, plain
from mens_console.ingest.safeopen import read_small

_BEGINS = b'{"entry":'


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "old", type=Path, metavar="OLD", help="an earlier mens-gate/1 document, or a ledger: its newest decision"
    )
    parser.add_argument("profile", metavar="NEW|PROFILE", help="a later document; or a profile to judge by now")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="evidence, where a profile is named")
    judged_options(parser)
    parser.add_argument("--json", action="store_true", help="print the document mens-gate-diff/1")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    from mens_console.cli.gate_table import diff_lines
    from mens_console.gate.diff import gate_diff
    from mens_console.gate.document import gate_document

    new = gate_document(judged(arguments)) if arguments.paths else read_gate_document(Path(arguments.profile))
    document = gate_diff(_old(arguments.old, new["profile"]), new)
    if arguments.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(diff_lines(document, paint if colour(sys.stdout) else plain)))
    return NO if document["worse"] else OK


def _old(path: Path, profile: str) -> dict[str, Any]:
    """Return what is compared with: a document, or the newest decision of a ledger under `profile`."""
    if not _is_ledger(path):
        return read_gate_document(path)
    from mens_console.cli.gate_records import loaded
    from mens_console.gate.decided import decided_document, newest

    chain = loaded(path)
    for problem in chain.problems:
        complain(problem)
    if not chain.whole:
        raise CommandError(f"{path}: the ledger does not hold (gate verify tells why); name another")
    entry = newest(chain, profile)
    if entry is None:
        raise CommandError(f"{path}: no decision under {profile} is in it; name an earlier mens-gate/1 document")
    return decided_document(entry)


def _is_ledger(path: Path) -> bool:
    """Say whether a file is called as a ledger, or begins as one does."""
    try:
        return path.suffix == ".jsonl" or read_small(str(path), len(_BEGINS), follow=True) == _BEGINS
    except (OSError, ValueError):
        return False

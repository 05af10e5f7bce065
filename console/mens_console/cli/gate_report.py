"""`mens-console gate report DOCUMENT`, or `gate report PROFILE PATH…`: the report for the release notes.

Exit status as of `gate check`: the report is written whatever the verdict.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mens_console.cli.common import output
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.gate_documents import read_gate_document
from mens_console.cli.gate_judging import judged, judged_options


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("profile", metavar="DOCUMENT|PROFILE", help="a mens-gate/1 document; or a profile to judge by")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="evidence, where a profile is named")
    judged_options(parser)
    parser.add_argument("--html", action="store_true", help="write a static HTML page (default: Markdown)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE instead of standard output")


def run(arguments: argparse.Namespace) -> int:
    """Write the report."""
    from mens_console.gate.document import gate_document
    from mens_console.gate.rendering import html, markdown
    from mens_console.gate.report import report

    document = gate_document(judged(arguments)) if arguments.paths else read_gate_document(Path(arguments.profile))
    blocks = report(document)
    title = f"{document['profile']} {document['release']}"
    text = html(blocks, title) if arguments.html else markdown(blocks)
    try:
        with output(arguments.output) as file:
            file.write(text)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise CommandError(f"{arguments.output}: {told}; name a file that can be written") from None
    return OK if document["decision_ready"] else NO

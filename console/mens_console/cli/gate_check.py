"""`mens-console gate check PROFILE PATH…`: the verdict on a release, without a sign-off.

Exit status: 0 nothing but people's GO is missing (marks of manual checks included) · 1 something else is · 2 wrong use,
or a broken profile. Evidence that cannot be read leaves its criteria UNDERFED, which is 1.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mens_console.cli.common import colour
from mens_console.cli.errors import NO, OK
from mens_console.cli.gate_judging import judged
from mens_console.cli.gate_judging import options as judging_options
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    judging_options(parser)
    parser.add_argument("--json", action="store_true", help="print the document mens-gate/1")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every reason, uncut")


def run(arguments: argparse.Namespace) -> int:
    """Judge and print."""
    from mens_console.cli.gate_table import check_lines
    from mens_console.gate.document import gate_document

    evaluation = judged(arguments)
    document = gate_document(evaluation)
    if arguments.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(check_lines(document, paint if colour(sys.stdout) else plain, verbose=arguments.verbose)))
    return OK if evaluation.ready else NO

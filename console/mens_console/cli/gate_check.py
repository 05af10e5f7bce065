"""`mens-console gate check PROFILE PATH…`: the verdict on a release, without a sign-off.

Exit status: 0 nothing but people's GO is missing (marks of manual checks included) · 1 something else is · 2 wrong use,
or a broken profile. Evidence that cannot be read leaves its criteria UNDERFED, which is 1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.common import colour, complain
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.gate_judging import judged
from mens_console.cli.gate_judging import options as judging_options
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse

    from mens_console.gate.types import Evaluation


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from mens_console.cli.gate_records import ledger_option, signers_options

    judging_options(parser)
    ledger_option(parser, positional=False)
    signers_options(parser, "default: the profile's, or allowed_signers beside the configuration")
    parser.add_argument("--json", action="store_true", help="print the document mens-gate/1")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every reason, uncut")


def run(arguments: argparse.Namespace) -> int:
    """Judge and print."""
    from mens_console.cli.gate_table import check_lines
    from mens_console.gate.document import gate_document

    evaluation = judged(arguments)
    try:
        evaluation = _approved(evaluation, arguments)
    except CommandError as error:
        if arguments.ledger is not None:
            raise
        complain(f"no approval counts: {error}")  # nobody asked for that ledger, so the verdict stands without it
    document = gate_document(evaluation)
    if arguments.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(check_lines(document, paint if colour(sys.stdout) else plain, verbose=arguments.verbose)))
    return OK if evaluation.ready else NO


def _approved(evaluation: Evaluation, arguments: argparse.Namespace) -> Evaluation:
    """Count who said GO to this very evaluation, where the ledger is there and all of it holds; else nobody did."""
    from mens_console.cli.gate_records import ledger_path, loaded, signers_of
    from mens_console.gate.approved import approved
    from mens_console.gate.subprocesses import ToolError

    path = ledger_path(arguments)
    if not os.path.lexists(path):
        if arguments.ledger is not None:
            complain(f"{path}: no ledger yet, so no approval counts; gate sign makes it")
        return evaluation
    chain = loaded(path)
    profile = evaluation.profile
    named = Path(profile.path).parent / profile.allowed_signers if profile.allowed_signers else None
    try:
        evaluation, told = approved(evaluation, chain, lambda: signers_of(arguments, named))
    except ToolError as error:
        raise CommandError(str(error)) from None
    for one in told:
        complain(one)
    return evaluation

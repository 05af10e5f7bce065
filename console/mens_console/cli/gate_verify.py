"""`mens-console gate verify`: whether a ledger holds, as a stranger finds it out.

The chain, every signature against who may sign now, and the evidence that is still on disk.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.gate_records import (
    document,
    existing,
    ledger_option,
    ledger_path,
    loaded,
    record_lines,
    signers_of,
    signers_options,
    standing_line,
)
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mens_console.gate.verify import Report


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    ledger_option(parser, positional=True)
    signers_options(parser, "default: allowed_signers beside the configuration")
    parser.add_argument(
        "--expect-head", default="", metavar="HEAD", help="a head that was kept elsewhere (12 digits will do)"
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where relative paths of evidence begin (default .)",
    )
    parser.add_argument("--allow-unsigned", action="store_true", help="let UNSIGNED records pass; they still say so")
    parser.add_argument("--json", action="store_true", help="print the document mens-gate-records/1")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print what was found; 1 where anything does not hold."""
    from mens_console.cli.common import colour
    from mens_console.cli.status import paint, plain
    from mens_console.gate.subprocesses import ToolError
    from mens_console.gate.verify import verify

    chain = loaded(existing(ledger_path(arguments)))
    try:
        report = verify(
            chain,
            signers_of(arguments),
            root=arguments.evidence.expanduser(),
            expect_head=arguments.expect_head.strip().lower(),
            unsigned=arguments.allow_unsigned,
        )
    except ToolError as error:
        raise CommandError(str(error)) from None
    if arguments.json:
        standings = report.standings if report.holds else ()
        print(json.dumps(document(chain, standings, report), indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines(report, paint if colour(sys.stdout) else plain)))
    return OK if report.holds else NO


def lines(report: Report, ink: Callable[[str, str], str]) -> list[str]:
    """Return what was found, what is wrong last; without a word on releases where something is."""
    made = [line for one in report.checked for line in record_lines(one.entry, ink, one)]
    made += [ink(f"note: {safe_text(one, 600)}", "muted") for one in report.notes]
    if report.holds:
        made += [standing_line(one, ink) for one in report.standings]
    made.append(f"head {report.chain.head}")
    made += [ink(f"✗ {safe_text(one, 600)}", "bad") for one in report.problems]
    if report.problems:
        made.append(ink("DOES NOT HOLD: no decision of it is to be relied on", "bad"))
    else:
        signed = sum(one.entry.signed for one in report.checked)
        told = f"{signed} signed record(s) hold"
        unsigned = len(report.checked) - signed
        made.append(ink(told, "good") + (ink(f", {unsigned} UNSIGNED", "warn") if unsigned else ""))
    return made

"""`mens-console gate ACTION`: one table of the actions, each with a module of its own.

A module of an action offers `options(parser)`, which is called to build its help, and `run(arguments) -> int`. What
either needs beyond argparse is imported inside them, so that help and completion stay quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from mens_console.cli.options import Terse


@dataclass(frozen=True, slots=True)
class Action:
    """One action: `name` on the command line, what it does in a line, and the module that does it."""

    name: str
    summary: str
    module: str


_TABLE: Final[tuple[Action, ...]] = (
    Action("list", "print the profiles that are shipped", "mens_console.cli.gate_list"),
    Action("show", "print a profile: its criteria, thresholds and remedies", "mens_console.cli.gate_show"),
    Action("lint", "say what is wrong with profiles", "mens_console.cli.gate_lint"),
    Action("sign", "sign and record one person's GO or NO-GO on a release", "mens_console.cli.gate_sign"),
    Action("verify", "say whether a ledger of decisions holds", "mens_console.cli.gate_verify"),
    Action("ledger", "print the decisions of a ledger, and its head", "mens_console.cli.gate_ledger"),
    Action(
        "evidence", "say what is read from files of evidence, and write a manifest", "mens_console.cli.gate_evidence"
    ),
    Action("check", "judge evidence by a profile", "mens_console.cli.gate_check"),
    Action("diff", "say what changed since an earlier evaluation", "mens_console.cli.gate_diff"),
    Action("report", "write a report for the release notes, Markdown or HTML", "mens_console.cli.gate_report"),
)
ACTIONS: Final = {action.name: action for action in _TABLE}
"""In the order that help shows."""


def options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` every action with its own options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Terse, title="actions")
    for action in ACTIONS.values():
        one = actions.add_parser(
            action.name,
            help=action.summary,
            description=action.summary[0].upper() + action.summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        import_module(action.module).options(one)


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for, and return its exit status."""
    return int(import_module(ACTIONS[arguments.action].module).run(arguments))

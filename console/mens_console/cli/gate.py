"""`mens-console gate ACTION`: the table of its actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.cli.actions import Action, offer, table

if TYPE_CHECKING:
    import argparse

ACTIONS: Final = table(
    Action("list", "print the profiles that are shipped", "gate_list"),
    Action("show", "print a profile: its criteria, thresholds and remedies", "gate_show"),
    Action("lint", "say what is wrong with profiles", "gate_lint"),
    Action("sign", "sign and record one person's GO or NO-GO on a release", "gate_sign"),
    Action("verify", "say whether a ledger of decisions holds", "gate_verify"),
    Action("ledger", "print the decisions of a ledger, and its head", "gate_ledger"),
    Action("evidence", "say what is read from files of evidence, and write a manifest", "gate_evidence"),
    Action("check", "judge evidence by a profile", "gate_check"),
    Action("diff", "say what changed since an earlier evaluation", "gate_diff"),
    Action("report", "write a report for the release notes, Markdown or HTML", "gate_report"),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` every action with its own options."""
    offer(parser, ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for, and return its exit status."""
    return int(ACTIONS[arguments.action].load().run(arguments))

"""A command of several actions: one table of them, each with a module of its own.

A module of an action offers `options(parser)`, which is called to build its help, and `run(arguments) -> int`. What
either needs beyond argparse is imported inside them, so that help and completion stay quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mens_console.cli.options import Terse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Action:
    """One action: `name` on the command line, what it does in a line, and the module of this package that does it."""

    name: str
    summary: str
    module: str

    def load(self) -> ModuleType:
        """Return its module."""
        return import_module(f"mens_console.cli.{self.module}")


def table(*actions: Action) -> dict[str, Action]:
    """Return the actions by name, in the order that help shows."""
    return {action.name: action for action in actions}


def offer(parser: argparse.ArgumentParser, actions: Mapping[str, Action]) -> None:
    """Give `parser` every action with its own options."""
    offered = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Terse, title="actions")
    for action in actions.values():
        one = offered.add_parser(
            action.name,
            help=action.summary,
            description=action.summary[0].upper() + action.summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        action.load().options(one)

"""`mens-console soak ACTION`: one table of the actions, each with a module of its own.

A module of an action offers `options(parser)`, which is called to build its help, and `run(arguments) -> int`. What
either needs beyond argparse is imported inside them, so that help and completion stay quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from mens_console.cli.options import Terse

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Action:
    """One action: `name` on the command line, what it does in a line, and the module that does it."""

    name: str
    summary: str
    module: str


_TABLE: Final[tuple[Action, ...]] = (
    Action("run", "put steady load on a model server for hours, and record what comes of it", "soak_run"),
    Action("status", "say how soaks are doing, and what that rests on", "soak_status"),
    Action("stop", "stop a soak; it can be resumed", "soak_stop"),
    Action("report", "say what a soak came to: availability, errors, latencies, leaks", "soak_report"),
    Action("fake-server", "serve made-up answers on loopback, with faults to order", "soak_fake"),
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
        _module(action).options(one)


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for, and return its exit status."""
    return int(_module(ACTIONS[arguments.action]).run(arguments))


def _module(action: Action) -> ModuleType:
    return import_module(f"mens_console.cli.{action.module}")

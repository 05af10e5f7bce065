"""`mens-console soak ACTION`: the table of its actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.cli.actions import Action, offer, table

if TYPE_CHECKING:
    import argparse

ACTIONS: Final = table(
    Action("run", "put steady load on a model server for hours, and record what comes of it", "soak_run"),
    Action("status", "say how soaks are doing, and what that rests on", "soak_status"),
    Action("stop", "stop a soak; it can be resumed", "soak_stop"),
    Action("report", "say what a soak came to: availability, errors, latencies, leaks", "soak_report"),
    Action("fake-server", "serve made-up answers on loopback, with faults to order", "soak_fake"),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` every action with its own options."""
    offer(parser, ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for, and return its exit status."""
    return int(ACTIONS[arguments.action].load().run(arguments))

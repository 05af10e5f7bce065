"""The grammar of the command line, from the table of commands; help, completion and dispatch are read from it.

Only argparse is loaded here.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from mens_console.cli.commands import COMMANDS, CONSOLE, Command
from mens_console.cli.options import Terse
from mens_console.cli.runoptions import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("COMMANDS", "CONSOLE", "PROG", "STAGES", "Parser", "parser_of")

PROG: Final = "mens-console"


class Parser(Terse):
    """An argument parser that never abbreviates options and fails in one line."""

    def __init__(self, command: Command) -> None:
        epilog = f"examples:\n{command.examples}\n\n{command.exits}" if command.examples else command.exits
        super().__init__(
            prog=f"{PROG} {command.name}".strip(),
            description=command.summary[0].upper() + command.summary[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.options(self)
        self._wraps = command.wraps
        if command.wraps:
            self.usage = f"{self.prog} NAME [options] -- COMMAND …\n       {self.prog} --list [--json] [--run DIR]"

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse; what follows the first `--` of a wrapping command is not looked at."""
        if not self._wraps:
            return super().parse_args(args)
        cut = args.index("--") if "--" in args else len(args)
        found, odd = self.parse_known_args(args[:cut])
        if odd:
            self.error(f"unrecognized arguments: {' '.join(odd)} (a command to run follows `--`)")
        found.argv = list(args[cut + 1 :])
        return found


def parser_of(command: Command) -> Parser:
    """Return the parser of one command."""
    parser = Parser(command)
    if command is CONSOLE:
        width = max(len(f"{c.name} {c.words}") for c in COMMANDS.values()) + 2
        listing = "\n".join(f"  {f'{c.name} {c.words}'.strip():<{width}}{c.summary}" for c in COMMANDS.values())
        parser.usage = f"{PROG} [PATH …] [options]\n       {PROG} COMMAND …"
        parser.description = "Watch every training run of this box: how it is doing, and what is wrong with it and why."
        parser.epilog = (
            f"commands (each has its own --help):\n{listing}\n\n"
            "examples:\n  mens-console                  watch the runs below the current directory\n"
            "  mens-console ~/runs /data/ft  watch these folders\n"
            f"  mens-console demo             see it at work on recorded runs\n\n{command.exits}"
        )
    return parser

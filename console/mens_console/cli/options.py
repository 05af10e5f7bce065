"""Options that several commands share, and how actions of a command are declared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.values import positive

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


class Terse(argparse.ArgumentParser):
    """An argument parser that complains in one line, which names the help, instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on standard error, and leave with 2."""
        from mens_console.ingest.text import safe_text

        self.exit(2, f"mens-console: {safe_text(message, 2000)}; `{self.prog} --help` tells its options\n")


def paths(parser: argparse.ArgumentParser) -> None:
    """Where runs are looked for, as arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="folders or files to look for runs in (default: $MENS_RUNS, the configuration, the current directory)",
    )


def search(parser: argparse.ArgumentParser) -> None:
    """Options that say how runs are looked for."""
    parser.add_argument(
        "--follow-symlinks",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="follow links that lead outside the folders searched",
    )
    parser.add_argument("--max-depth", type=positive, metavar="N", help="folders searched below each PATH (default 8)")


def looks(parser: argparse.ArgumentParser) -> None:
    """Options that say how a screen looks."""
    parser.add_argument("--theme", metavar="NAME", help="colour theme, such as mens-dark, mens-light or textual-ansi")
    parser.add_argument(
        "--slow-link",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="repaint at most once a second, for a thin connection",
    )


def run_in(parser: argparse.ArgumentParser) -> None:
    """One run by name, and where it is looked for."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, its id or name, or a unique beginning of one")
    search_in(parser)


def search_in(parser: argparse.ArgumentParser) -> None:
    """Options that say where runs are looked for by name."""
    parser.add_argument(
        "--in",
        dest="paths",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="where to look for RUN (may be given again; default as for `status`)",
    )
    search(parser)


def actions(parser: argparse.ArgumentParser) -> Callable[[str, str], argparse.ArgumentParser]:
    """Let `parser` take an action; what is returned declares one, by its name and what it does in a line."""
    declared = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=Terse, title="actions"
    )

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        return declared.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )

    return action

"""The entry point: chooses the command, runs it, and turns what went wrong into one line and an exit status.

Everything a command needs is imported by the command; `--help` and `--version` load next to nothing.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from mens_console.cli.errors import INTERRUPTED, OK, WRONG, CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit status."""
    _forget_working_directory()
    _replace_closed_streams()
    _replace_what_cannot_be_written()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left (`| head`): that is no error, and the flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if os.environ.get("MENS_DEBUG"):
            raise
        return _fail(error)
    return status


def _replace_closed_streams() -> None:
    """Let what is written to a stream that the shell closed (`2>&-`) vanish, instead of landing in the other one."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (open as long as the process)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123


def _replace_what_cannot_be_written() -> None:
    """Write a question mark for a glyph that the locale's encoding lacks, instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _forget_working_directory() -> None:
    """Take the current directory off the path, unless we ourselves lie there.

    A folder of runs may hold an `orjson.py`: nothing is ever imported from the working directory.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 (pathlib would be all that `--version` loads)
    except FileNotFoundError:
        here = ""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
    sys.path[:] = [entry for entry in sys.path if entry == ours or entry not in {"", ".", here}]


def _dispatch(words: list[str]) -> int:
    if words[:1] in (["--version"], ["-V"]):
        from importlib.metadata import version

        print(f"mens-console {version('mens-console')}")
        return OK
    from importlib import import_module

    from mens_console.cli.parser import COMMANDS, CONSOLE, parser_of

    command = COMMANDS.get(words[0], CONSOLE) if words else CONSOLE
    try:
        arguments = parser_of(command).parse_args(words if command is CONSOLE else words[1:])
    except SystemExit as leaving:  # argparse has printed help or its complaint
        return int(leaving.code or 0)
    arguments.command = command.name
    if command is CONSOLE and arguments.version:
        return _dispatch(["--version"])
    return int(import_module(command.module).run(arguments))


def _fail(error: Exception) -> int:
    """Print what went wrong on standard error, one line with its cure."""
    from mens_console.config import ConfigError
    from mens_console.ingest.text import safe_text

    if isinstance(error, CommandError):
        lines = [str(error), *error.lines]
    elif isinstance(error, ConfigError):
        lines = [str(problem) for problem in error.problems]
    elif isinstance(error, OSError) and error.filename is not None:
        lines = [f"{os.fsdecode(error.filename)}: {(error.strerror or str(error)).lower()}"]
    elif isinstance(error, OSError):
        lines = [f"the answer could not be written: {(error.strerror or str(error)).lower()}"]
    else:
        lines = [f"{type(error).__name__}: {error} (this is a fault of the program; MENS_DEBUG=1 shows where)"]
    for number, line in enumerate(lines):
        print(("mens-console: " if not number else "  ") + safe_text(line, 2000), file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    raise SystemExit(main())

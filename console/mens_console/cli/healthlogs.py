"""Which attempt logs a command means: files as named, those of folders found by content, standard input spooled."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import complain, settings_from
from mens_console.cli.errors import CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mens_console.ingest.discover import Discovery

SPOOL: Final = "mens-health.standard-input"
"""The name of the file that standard input was written to."""
CURE: Final = (
    "an attempt log has one JSON object a line, with fields such as persona_id, status, repairs and latency_ms; "
    "`mens-console contracts check FILE` says what a file lacks"
)


class Logs:
    """The attempt logs that were named; those of folders may become others while they are followed."""

    def __init__(self, named: list[Path], arguments: argparse.Namespace) -> None:
        self._named, self._arguments = named, arguments
        self._folders: dict[Path, Discovery] = {}

    def files(self) -> tuple[list[Path], list[str]]:
        """Return the logs that are there now, in the order they were written, and what is wrong or left out."""
        from mens_console.ingest.twins import packed_copies

        problems: list[str] = []
        paths: list[Path] = []
        for path in self._named:
            found = self._search(path, problems) if path.is_dir() else [path]
            paths += [one.absolute() for one in found]  # workers have a working directory of their own
        copies = packed_copies(paths)
        problems += [f"{path}: left out, a packed copy of {other.name}" for path, other in copies.items()]
        return [path for path in dict.fromkeys(paths) if path not in copies], problems

    def _search(self, folder: Path, problems: list[str]) -> list[Path]:
        from mens_console.ingest.formats.elsewhere import ATTEMPTS
        from mens_console.store.generation import in_order

        discovery = self._folders.get(folder) or self._folders.setdefault(folder, self._discovery(folder))
        discovery.scan()
        while not discovery.complete:
            discovery.scan()
        problems += discovery.problems
        found = list(in_order(record.path for record in discovery.records if record.kind == ATTEMPTS))
        if not found:
            problems.append(f"{folder}: holds no attempt log; {CURE}")
        return found

    def _discovery(self, folder: Path) -> Discovery:
        from mens_console.ingest.discover import Discovery
        from mens_console.ingest.formats import recognise

        settings = settings_from(self._arguments, paths=[folder])
        return Discovery(
            [folder], recognise=recognise, follow_outside=settings.follow_symlinks, max_depth=settings.max_depth
        )


@contextlib.contextmanager
def named(arguments: argparse.Namespace) -> Iterator[Logs]:
    """Give the logs that `arguments.paths` name; raises `CommandError` where a path is not there."""
    paths: list[Path] = []
    with contextlib.ExitStack() as stack:
        for path in arguments.paths:
            if path == Path("-"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mens-health-")))
                paths.append(_spooled(folder / SPOOL))
            elif os.path.lexists(path):
                paths.append(path)
            else:
                raise CommandError(f"{path}: no such file or folder; name an attempt log, or a folder that holds some")
        yield Logs(paths, arguments)


def first_files(logs: Logs) -> list[Path]:
    """Return the logs there are, and tell of what is wrong; raises `CommandError` where there is none."""
    paths, problems = logs.files()
    for problem in problems:
        complain(problem)
    if not paths:
        raise CommandError("there is no attempt log to read: name a file, or a folder that holds some")
    return paths


def _spooled(path: Path) -> Path:
    """Write standard input to a file, which can be read in pieces, and return it."""
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return path

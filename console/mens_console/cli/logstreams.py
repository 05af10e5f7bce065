"""Which log streams a command means: those of runs by name, of folders found by content, and files as named.

Nothing of a log is read here but its first bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.cli.common import complain, settings_from
from mens_console.cli.errors import CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mens_console.ingest.found import FoundFile, FoundRun

TEXT: Final = ("log", "hf_console")
"""Formats of what a program prints."""
_LISTED: Final = 12


class Named(NamedTuple):
    """A stream: its file, and the id of the run, or the folder, that it belongs to."""

    path: Path
    owner: str


class _Found(NamedTuple):
    runs: tuple[FoundRun, ...]
    strays: tuple[Named, ...]
    problems: tuple[str, ...]
    roots: tuple[Path, ...]


def streams(arguments: argparse.Namespace) -> list[Named]:
    """Return the streams that `arguments.names` mean, of all runs and folders where it is empty.

    The one written to last comes first. Raises `CommandError` where a name means nothing, or nothing is there.
    """
    found: list[Named] = []
    everything: _Found | None = None
    for name in arguments.names or [None]:
        path = Path(name).expanduser() if name is not None else None
        if path is not None and path.is_dir():
            here = _search(arguments, [path])
            found += _some([*_of(here.runs), *here.strays], here)
        elif path is not None and os.path.lexists(path):
            found.append(Named(Path(os.path.abspath(path)), path.parent.name))  # noqa: PTH100 (links stay)
        else:
            everything = everything or _search(arguments, None)
            all_of_them = [*_of(everything.runs), *everything.strays]
            found += _some(all_of_them if name is None else _called(name, everything), everything)
    unique = {stream.path: stream for stream in found}
    return sorted(unique.values(), key=lambda stream: -_written(stream.path))


def _search(arguments: argparse.Namespace, paths: Sequence[Path] | None) -> _Found:
    from mens_console.ingest.discover import Discovery
    from mens_console.ingest.formats import recognise

    settings = settings_from(arguments, paths=paths)
    discovery = Discovery(
        settings.roots, recognise=recognise, follow_outside=settings.follow_symlinks, max_depth=settings.max_depth
    )
    runs = discovery.scan()
    while not discovery.complete:
        runs = discovery.scan()
    strays = tuple(Named(record.path, record.id) for record in discovery.strays)
    return _Found(runs, strays, discovery.problems, tuple(settings.roots))


def _of(runs: Sequence[FoundRun]) -> Iterator[Named]:
    return (Named(file.path, run.id) for run in runs for file in run.files if _is_text(file))


def _is_text(file: FoundFile) -> bool:
    return file.format_name in TEXT


def _some(found: list[Named], among: _Found) -> list[Named]:
    if not found:
        where = ", ".join(map(str, among.roots)) or "nowhere"
        raise CommandError(f"no log stream is there (searched {where}); name a log file, or a folder that holds some")
    for problem in among.problems[:3]:
        complain(problem)
    return found


def _called(name: str, among: _Found) -> list[Named]:
    """Return the streams of the run of that id or name, or the only one that begins so; else files of that name."""
    for matches in (
        [run for run in among.runs if run.id == name],
        [run for run in among.runs if name in (run.name, run.path.name)],
        [run for run in among.runs if any(known.startswith(name) for known in (run.id, run.name, run.path.name))],
    ):
        if len(matches) > 1:
            raise CommandError(f"{name} is ambiguous; it could be:", tuple(run.id for run in matches[:_LISTED]))
        if matches:
            found = list(_of(matches))
            if not found:
                raise CommandError(f"{name}: the run has no log stream; write one with `… 2>&1 | tee run/train.log`")
            return found
    every = [*_of(among.runs), *among.strays]
    files = [stream for stream in every if name in (stream.owner, stream.path.name)]
    if files:
        return files
    from difflib import get_close_matches

    known = {word: run.id for run in among.runs for word in (run.path.name, run.name, run.id)}
    known |= {stream.path.name: stream.path.name for stream in every}
    near = dict.fromkeys(known[word] for word in get_close_matches(name, known, n=3, cutoff=0.4))
    listed = tuple(near or dict.fromkeys(stream.owner for stream in every))[:_LISTED]
    what = "the nearest:" if near else "there are:"
    raise CommandError(f"{name}: no such run, folder or file; {what}", listed or ("(none)",))


def _written(path: Path) -> float:
    """Return when a file was written to last, in seconds since the epoch; 0 where that cannot be told."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

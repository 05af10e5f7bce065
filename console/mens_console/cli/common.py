"""What the one-shot commands share: settings from arguments, a loaded snapshot, one run by name, progress.

Nothing of Textual enters, and nothing is printed on standard output here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.errors import CommandError
from mens_console.cli.parser import COMMANDS
from mens_console.config.loader import load_settings
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from mens_console.config import Settings
    from mens_console.store.snapshot import RunView, Snapshot

PATIENCE_S: Final = 0.5
"""A command that is done sooner shows no progress."""
_LISTED: Final = 12
_OVERRIDES: Final = ("theme", "slow_link", "follow_symlinks", "max_depth")


def settings_from(arguments: argparse.Namespace, *, paths: Sequence[Path] | None = None) -> Settings:
    """Return the settings that the command line asks for, and tell on stderr what was ignored of untrusted files."""
    chosen: Sequence[Path] = getattr(arguments, "paths", ()) if paths is None else paths
    for path in chosen:
        _must_exist(path, alone=not getattr(arguments, "command", ""))
    overrides: dict[str, Any] = {name: getattr(arguments, name, None) for name in _OVERRIDES}
    settings = load_settings(chosen, overrides)
    for problem in settings.problems:
        complain(problem)
    for root in settings.roots:
        if not root.exists():
            complain(f"{root}: no such file or folder; it is watched for all the same")
    return settings


def _must_exist(path: Path, *, alone: bool) -> None:
    """Raise `CommandError` where nothing is there; a word that stands `alone` may be a command that was mistyped."""
    if os.path.lexists(path.expanduser()):
        return
    word = str(path)
    if alone and os.sep not in word and (near := get_close_matches(word, COMMANDS, n=1)):
        raise CommandError(f"{word}: no such file or folder; did you mean `mens-console {near[0]}`?")
    raise CommandError(f"{word}: no such file or folder; name one that exists, or none to search the current directory")


def complain(text: str) -> None:
    """Print one line on standard error."""
    print(f"mens-console: {safe_text(text, 2000)}", file=sys.stderr)


def load(settings: Settings, *, machine: bool = False, soaks: bool | None = False) -> Snapshot:
    """Find, read and judge every run once, with progress on a terminal's standard error.

    What the operator acknowledged and silenced counts. With `machine` GPUs, host and volumes are sampled too, with
    `soaks` these are read; None names them only.
    """
    from mens_console.config.state import state_folder
    from mens_console.hardware.sampler import Sampler
    from mens_console.store.alertbook import AlertBook
    from mens_console.store.engine import Engine

    roots = settings.roots
    book = AlertBook(state_folder() / "alerts.json", clock=time.time, roots=roots, attended=False)
    sampler = Sampler() if machine else None
    with Meter(sys.stderr) as meter:
        return Engine(roots, settings, watch=False, book=book, machine=sampler).load(meter.tell, soaks=soaks)


class Meter:
    """Shows how much was read, on a terminal, once it takes longer than `PATIENCE_S`; wipes its line at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shows = stream.isatty()
        self._next = time.monotonic() + PATIENCE_S
        self._shown = False

    def __enter__(self) -> Meter:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe what was shown."""
        if self._shown:
            self._write("\r\x1b[2K")

    def tell(self, done: int, total: int) -> None:
        """Take in the bytes done, of how many."""
        if not self._shows or (now := time.monotonic()) < self._next:
            return
        self._next = now + 0.1
        self._shown = True
        share = f"{100 * done / total:3.0f} %" if total else ""
        self._write(f"\rreading … {share} of {total / 1e6:,.0f} MB\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def one_run(arguments: argparse.Namespace) -> RunView:
    """Return the run that the arguments name, with all of its points.

    A path that exists is read alone; anything else is an id, a name, or the unique beginning of one among the runs
    below the roots. Raises `CommandError` with candidates where it is ambiguous, with the nearest where unknown.
    """
    name: str = arguments.run
    path = Path(name).expanduser()
    if os.path.lexists(path):
        snapshot = load(settings_from(arguments, paths=[path]))
        run = _only(snapshot, path)
    else:
        settings = settings_from(arguments)
        snapshot = load(settings)
        run = _named(snapshot, name)
    if run.cold:  # many runs shared the memory: read this one again, alone
        alone = load(settings_from(arguments, paths=[run.path]))
        run = next((other for other in alone.runs if other.place == run.place), run)
    return run


def _only(snapshot: Snapshot, path: Path) -> RunView:
    """Return the one run at `path`."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (links stay)
    exact = [run for run in snapshot.runs if run.path == absolute]
    runs = exact if len(exact) == 1 else snapshot.runs
    if not runs:
        raise CommandError(f"{path}: no run is there; {why_none(snapshot)}")
    if len(runs) > 1:
        raise CommandError(f"{path} holds {len(runs)} runs; name one of them:", _candidates(runs))
    return runs[0]


def _named(snapshot: Snapshot, name: str) -> RunView:
    """Return the run of that id, name or folder name, or the only one that begins so."""
    if not snapshot.runs:
        raise CommandError(f"{name}: no runs were found; {why_none(snapshot)}")
    for matches in (
        [run for run in snapshot.runs if run.id == name],
        [run for run in snapshot.runs if name in (run.name, run.path.name)],
        [run for run in snapshot.runs if any(n.startswith(name) for n in (run.id, run.name, run.path.name))],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise CommandError(f"{name} is ambiguous; it could be:", _candidates(matches))
    known = {word: run.id for run in snapshot.runs for word in (run.path.name, run.name, run.id)}
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    if near:
        raise CommandError(f"{name}: no such run; the nearest:", tuple(dict.fromkeys(known[word] for word in near)))
    raise CommandError(f"{name}: no such run; there are:", _candidates(snapshot.runs))


def _candidates(runs: Sequence[RunView]) -> tuple[str, ...]:
    listed = tuple(run.id for run in runs[:_LISTED])
    return listed if len(runs) <= _LISTED else (*listed, f"… and {len(runs) - _LISTED} more")


def why_none(snapshot: Snapshot) -> str:
    """Say where runs were looked for in vain, and what to do."""
    where = ", ".join(map(str, snapshot.roots)) or "nowhere"
    told = f" ({'; '.join(snapshot.problems[:3])})" if snapshot.problems else ""
    if snapshot.unread:
        return f"searched {where}{told}; there are {unread(snapshot)}"
    return f"searched {where}{told}; name a folder that a trainer writes to, or try `mens-console demo`"


def unread(snapshot: Snapshot) -> str:
    """Say which files of generation were left unread, and which commands read them."""
    files = "1 file" if snapshot.unread == 1 else f"{snapshot.unread} files"
    return f"{files} of generation, which `mens-console health` and `mens-console kpi` read"


def colour(stream: TextIO) -> bool:
    """Say whether `stream` may be coloured: a terminal that is not dumb, and no NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """Open what a command writes to: standard output, or a file that appears whole or not at all."""
    if path is None:
        yield sys.stdout
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise

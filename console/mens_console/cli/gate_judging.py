"""What the actions of the gate that judge share: their options, and the evaluation that they ask for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mens_console.cli.common import complain
from mens_console.cli.errors import CommandError
from mens_console.gate.types import UNNAMED

if TYPE_CHECKING:
    import argparse

    from mens_console.gate.types import Evaluation, Profile


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what says which release is judged, by what, on which evidence."""
    parser.add_argument("profile", metavar="PROFILE", help="id of a shipped profile, or a TOML file")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders of evidence")
    judged_options(parser)


def judged_options(parser: argparse.ArgumentParser) -> None:
    """Declare what goes with profile and paths."""
    parser.add_argument("--release", metavar="R", default=UNNAMED, help="what is released, such as a version")
    parser.add_argument("--marks", type=Path, metavar="FILE", help="marks of manual checks, JSON or TOML")
    parser.add_argument(
        "--waivers", type=Path, metavar="FILE", help="who answers for what is CONDITIONAL, JSON or TOML"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="evidence that has to be there: mens-manifest/1, or an earlier mens-gate/1",
    )


def judged(arguments: argparse.Namespace) -> Evaluation:
    """Gather and judge. Raises `CommandError` where profile, marks, waivers or manifest are wrong."""
    from mens_console.gate import desk
    from mens_console.gate.evaluate import evaluate
    from mens_console.gate.evidence import gather
    from mens_console.gate.words import WordsError, read_marks, read_waivers

    profile = usable_profile(arguments.profile)
    try:
        marks = read_marks(arguments.marks) if arguments.marks else ()
        waivers = read_waivers(arguments.waivers) if arguments.waivers else ()
        paths, listed = _promised(arguments.manifest)
    except WordsError as error:
        raise CommandError(str(error)) from None
    _of_the_profile(profile, [one.criterion for one in marks], [one.criterion for one in waivers])
    now = time.time()
    manifest = gather([*arguments.paths, *paths, *desk.baselines(profile)], now=now, listed=listed)
    return evaluate(profile, manifest, release=arguments.release, now=now, marks=marks, waivers=waivers)


def usable_profile(name: str) -> Profile:
    """Return a profile that may judge, and tell the linter's hints. Raises `CommandError` with what is wrong."""
    from mens_console.gate import desk

    try:
        profile, hints = desk.usable(name)
    except desk.DeskError as error:
        first, *rest = error.lines
        raise CommandError(first, tuple(rest)) from None
    for one in hints:
        complain(one)
    return profile


def _of_the_profile(profile: Profile, marked: list[str], waived: list[str]) -> None:
    """Complain of words that count for nothing: on criteria that are not there, and marks of what is measured."""
    known = {one.id: one for one in profile.criteria}
    for name in dict.fromkeys((*marked, *waived)):
        if name not in known:
            complain(f"{profile.id} has no criterion {name}: what was said of it counts for nothing")
    for name in dict.fromkeys(marked):
        if name in known and not known[name].manual:
            complain(f"{name} is measured: a mark of it counts for nothing")


def _promised(path: Path | None) -> tuple[list[Path], list[tuple[str, str]]]:
    """Return the manifest file to gather with, or what an earlier evaluation rested on."""
    from mens_console.gate.words import WordsError, read_document

    if path is None:
        return [], []
    document = read_document(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == "mens-manifest/1":
        return [path], []
    if schema != "mens-gate/1" or not isinstance(document, dict):
        raise WordsError(f"{path}: neither mens-manifest/1 nor mens-gate/1; name one of them")
    try:
        return [], _rested_on(document)
    except (KeyError, TypeError, AttributeError):
        raise WordsError(f"{path}: it is not what `gate check --json` prints; name another") from None


def _rested_on(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (metric, path) of the evidence in a `mens-gate/1` document, paths as they were seen from here."""
    found = {
        (str(one["metric"]), str(one["path"])) for criterion in document["criteria"] for one in criterion["evidence"]
    }
    return sorted(found)

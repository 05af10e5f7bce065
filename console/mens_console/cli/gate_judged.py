"""A release judged from the command line: the options that say what, and the evaluation of it, each time anew."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.gate_show import loaded as profile_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from mens_console.gate.ledger import Entry
    from mens_console.gate.types import Evaluation


def options(parser: argparse.ArgumentParser) -> None:
    """Declare profile, evidence and release."""
    parser.add_argument("profile", metavar="PROFILE", help="id of a shipped profile, or a TOML file")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders of evidence")
    parser.add_argument("--release", required=True, metavar="NAME", help="what is decided on, such as 1.2.0")


def judge(arguments: argparse.Namespace, entries: Iterable[Entry]) -> Evaluation:
    """Read the profile and all evidence anew and judge them now, with the approvals that a ledger holds."""
    from mens_console.gate.evaluate import evaluate
    from mens_console.gate.evidence import gather
    from mens_console.gate.standing import approvals

    now = time.time()
    profile = profile_of(arguments.profile)
    manifest = gather(arguments.paths, now=now)
    judged = evaluate(profile, manifest, release=arguments.release, now=now)
    said = approvals(entries, profile.id, arguments.release, judged.digest)
    return evaluate(profile, manifest, release=arguments.release, now=now, approvals=said) if said else judged

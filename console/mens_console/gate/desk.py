"""The gate as a person sits before it: which profiles there are, one judging, and whether its files are as they were.

All of it reads files and may take long: call it from a worker. Nothing here is asked of an operator or shown.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.config.loader import user_file
from mens_console.config.state import state_folder
from mens_console.gate import files, ledger, signers, standing
from mens_console.gate.approved import approved
from mens_console.gate.evaluate import evaluate
from mens_console.gate.evidence import gather
from mens_console.gate.lint import lint
from mens_console.gate.profiles import ProfileError, load, shipped
from mens_console.gate.subprocesses import ToolError
from mens_console.gate.types import UNNAMED
from mens_console.gate.wording import summary
from mens_console.ingest.safeopen import read_small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mens_console.gate.ledger import Chain, Entry
    from mens_console.gate.signers import Signers
    from mens_console.gate.types import Evaluation, Mark, Profile, Waiver

Stamp = tuple[int, int, int, int]
"""Inode, times of the last change of content and of anything (ns), and size of a file; zeros where it is gone.

The second time cannot be set back, so that a change that hides is seen too."""
_SCHEMA: Final = b"mens-gate-profile/"
_HEAD: Final = 64 << 10
_MOST_PROFILES: Final = 200


class DeskError(Exception):
    """Nothing was judged. `lines` say why, each with file, line and cure."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged: a profile (id or path), on which files and folders, for which release; what was said."""

    profile: str
    paths: tuple[Path, ...]
    release: str = UNNAMED
    marks: tuple[Mark, ...] = ()
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One judging. `stamps` are those of its files from before they were read; `hints` are of the linter."""

    question: Question
    evaluation: Evaluation
    stamps: Mapping[str, Stamp]
    hints: tuple[str, ...] = ()
    words: tuple[Entry, ...] = ()
    """Earlier words on this release that still count; whether their signatures hold is told by its approvals alone."""
    ledger_problem: str = ""
    """What is odd of the ledger, or why somebody's GO does not count."""
    seen: frozenset[str] = frozenset()
    """All files that were looked at, evidence or not."""


def available(roots: Iterable[Path]) -> list[tuple[str, str]]:
    """Return (name, where it comes from) of the profiles that can be chosen: shipped, the user's own, of the roots."""
    found = [(name, "shipped") for name in shipped()]
    own = user_file(os.environ).parent
    for folder, origin in [(own, "yours"), (own / "gate", "yours"), *((root, "of a watched folder") for root in roots)]:
        found += [(str(path), origin) for path in _profiles_in(folder)]
    return list(dict.fromkeys(found))[:_MOST_PROFILES]


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile to choose: the id or path that names it, its title or what is wrong with it, and what it asks."""

    name: str
    told: str
    about: str = ""
    usable: bool = True


def choices(roots: Iterable[Path]) -> list[Choice]:
    """Return the profiles that can be chosen, each with what it asks; one that cannot be read says why."""
    return [_choice(name, origin) for name, origin in available(roots)]


def _choice(name: str, origin: str) -> Choice:
    own = "" if origin == "shipped" else f" ({origin})"
    try:
        profile = load(name)
    except ProfileError as error:
        return Choice(name, f"cannot be used{own}: {error.problems[0]}", usable=False)
    told = f"{profile.title}{', a template' if profile.template else ''}{own}"
    return Choice(name, told, f"{summary(profile)}. {profile.description}", usable=not profile.template)


def _profiles_in(folder: Path) -> list[Path]:
    try:
        names = sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(".toml"))[:_MOST_PROFILES]
    except OSError:
        return []
    return [Path(name) for name in names if _is_profile(name)]


def _is_profile(path: str) -> bool:
    try:
        return _SCHEMA in read_small(path, _HEAD, follow=True)
    except OSError:
        return False


def usable(name: str) -> tuple[Profile, tuple[str, ...]]:
    """Return a profile that may judge, and the linter's hints. Raises `DeskError` with what is wrong.

    What no sample of `min_n` can show is a hint: it reads undecided.
    """
    try:
        profile = load(name)
    except ProfileError as error:
        raise DeskError(*map(str, error.problems)) from None
    problems = lint(profile)
    broken = [str(one) for one in problems if one.key.rsplit(".", 1)[-1] != "min_n"]
    if profile.template:
        raise DeskError(f"{name} is a template and judges nothing: copy it and fill in what it leaves open", *broken)
    if broken:
        raise DeskError(f"{name}: the profile is broken, so it judges nothing", *broken)
    return profile, tuple(map(str, problems))


def baselines(profile: Profile) -> list[Path]:
    """Return the baseline files that lie beside the profile: they are evidence too, whatever paths are named."""
    folder = Path(profile.path).parent
    paths = (folder / Path(one.baseline.path).expanduser() for one in profile.criteria if one.baseline)
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]  # noqa: PTH113 (no error for odd names)


def judge(question: Question, now: float, *, counted: Callable[[int], None] = lambda _: None) -> Judged:
    """Gather and judge at `now` (s since the epoch); `counted` hears how many files there are to look at.

    Raises `DeskError` where the profile may not judge, or nothing is named.
    """
    profile, hints = usable(question.profile)
    missing = [str(path) for path in question.paths if not os.path.lexists(path)]
    if missing:
        raise DeskError(f"{missing[0]}: there is no such file or folder of evidence; name another (e)")
    paths = [*question.paths, *baselines(profile)]
    before = stamps(question.paths, profile)
    counted(len(before))
    manifest = gather(paths, now=now)
    evaluation = evaluate(
        profile, manifest, release=question.release, now=now, marks=question.marks, waivers=question.waivers
    )
    known = {one.path for one in manifest.files}
    known.add(profile.path)
    evaluation, words, problem = _with_words(evaluation)
    # What only a manifest file names is first known now; digests tell whether it changed before this.
    kept = {path: before.get(path) or stamp(path) for path in known}
    return Judged(question, evaluation, kept, hints, words, problem, frozenset(before))


def _with_words(evaluation: Evaluation) -> tuple[Evaluation, tuple[Entry, ...], str]:
    """Return the evaluation with its approvals, the words on its release that still count, and what is odd of them."""
    words: tuple[Entry, ...] = ()
    try:
        chain = ledger.load(ledger_path())
        words = standing.alive(chain.entries, evaluation.profile.id, evaluation.release)
        if chain.problems:
            return evaluation, words, chain.problems[0]
        evaluation, told = approved(evaluation, chain, lambda: signers_of(evaluation.profile))
        return evaluation, words, next(iter(told), "")
    except (ledger.LedgerError, signers.SignersError, ToolError) as error:
        return evaluation, words, str(error)


def stamps(paths: Sequence[Path], profile: Profile) -> dict[str, Stamp]:
    """Return the stamp of every file that would be looked at, and of the profile, by name as evidence has it."""
    named = [os.fspath(path) for path in (*paths, *baselines(profile))]
    found = {files.shown(one.path): stamp(one.path) for one in files.find(named)}
    return found | {profile.path: stamp(profile.path)}


def stamp(path: str) -> Stamp:
    """Return what changes when a file does."""
    try:
        status = os.stat(path)  # noqa: PTH116 (no error for odd names)
    except (OSError, ValueError):
        return (0, 0, 0, 0)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def changed(judged: Judged, *, appeared: bool = False) -> tuple[str, ...]:
    """Return which of the files that were judged are not as they were; with `appeared`, also candidates that are new.

    By stamps alone, so that it is cheap; what a file holds is not asked.
    """
    moved = [path for path, before in judged.stamps.items() if stamp(path) != before]
    if appeared and not moved:
        now = stamps(judged.question.paths, judged.evaluation.profile)
        moved = [path for path in now if path not in judged.seen]
    return tuple(sorted(moved))


def ledger_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the ledger is, or would be: `$MENS_LEDGER`, or a file in the user's state folder."""
    named = (os.environ if environ is None else environ).get("MENS_LEDGER")
    return Path(named).expanduser() if named else state_folder() / "gate" / "ledger.jsonl"


def chain_of() -> Chain:
    """Return the ledger. Raises `LedgerError`."""
    return ledger.load(ledger_path())


def signers_of(profile: Profile) -> Signers | None:
    """Return whose signatures count: by the profile, or by the user's own file; None where nothing says.

    Raises `SignersError` for a file that cannot be trusted.
    """
    if profile.allowed_signers:
        return signers.load(Path(profile.path).parent / profile.allowed_signers)
    own = user_file(os.environ).with_name("allowed_signers")
    return signers.load(own) if own.exists() else None


def apart(path: Path, paths: Iterable[Path], what: str) -> None:
    """Raise `DeskError` where a file that is about to be written lies among the evidence, and would change it."""
    whole = path.expanduser().resolve()
    for one in paths:
        folder = one.expanduser().resolve()
        if folder in whole.parents or folder == whole:
            raise DeskError(f"{path}: {what} lies in the evidence {one} and would change it; name a place elsewhere")


def login() -> str:
    """Return the login name by the user's number: the environment may say any."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no such user, as in many containers
        return f"uid {os.getuid()}"

"""Which files make one run: the layouts of trainers and loggers, undone by names and by what stands beside.

Decides from a listing that was already made; opens and lists nothing itself.
"""

# Names may hold any bytes and are taken apart by the ten thousand: strings, not `Path`s.
# ruff: noqa: PTH118, PTH119, PTH120, PTH122

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.ingest.found import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MARKERS: Final = frozenset(
    {"trainer_state.json", "adapter_config.json", "training_args.bin", "run_summary.json", "adapter_manifest.json"}
)
"""Files by which a folder is a trainer's output directory."""

_INNER: Final = frozenset({"tb", "tensorboard", "tb_logs", "tensorboard_logs", "logs", "log", "events", "metrics"})
_SPLITS: Final = frozenset({"train", "eval", "val", "valid", "validation", "test"})
_HF_DATE: Final = re.compile(r"[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_.+")
_HPARAMS: Final = re.compile(r"\d{10}\.\d+")
"""The folder into which TensorBoard's hyperparameter writer puts its own event file."""
_WANDB_RUN: Final = re.compile(r"(offline-)?run-\d{8}_\d{6}-\w+")
_LIGHTNING: Final = re.compile(r"version_\d+")
_RANK: Final = re.compile(r"[._-](rank|local_rank|proc|worker)[._-]?\d+")
_METRIC_STEM: Final = re.compile(
    r"(train(er|ing)?[_-]?)?(metrics?|telemetry|logs?|log_history|history|loss(es)?|progress|events?|scalars|stages)"
    r"|train(er|ing)?"
)
_CONSOLE_STEM: Final = re.compile(
    r"(train(er|ing)?|run|job|std)?[_.-]?(log|live|out|output|err|error|stdout|stderr|console|nohup|train|run)"
)
_RUN_LOG: Final = re.compile(r"train|slurm-\d|nohup|^std(out|err)$|^output\.log$")
_SERIES: Final = frozenset({"jsonl", "csv"})
_TEXT: Final = frozenset({"log", "hf_console"})
"""Formats of what a program prints."""
_STREAMS: Final = frozenset({"stdout", "stderr", "out", "err", "output", "error"})
"""Stems by which the two streams of one job are told apart."""


@dataclass(slots=True, frozen=True)
class Listed:
    """A recognised file: path, name of its format, and whether it is a link that may be followed."""

    path: str
    format_name: str
    link: bool = False

    @property
    def folder(self) -> str:
        """The folder that holds it."""
        return os.path.dirname(self.path)

    @property
    def stem(self) -> str:
        """Its name without its last suffix and without a rank."""
        return _RANK.sub("", os.path.splitext(os.path.basename(self.path))[0])


@dataclass(slots=True, frozen=True)
class Draft:
    """A run before its details are read: files of all checkpoints are still in it.

    `stem` names the log of a run that shares its folder with others, "" where the folder is the run's.
    """

    id: str
    path: str
    name: str
    files: tuple[Listed, ...]
    stem: str = ""


class Grouping:
    """One grouping of `files` into runs.

    `markers` maps each folder to the names in it that are `MARKERS` or checkpoint folders; `trains` says whether a
    metrics file carries a training loss of its own (asked only where it matters, since it must be read for that).
    """

    def __init__(
        self, files: Iterable[Listed], markers: Mapping[str, Iterable[str]], trains: Callable[[Listed], bool]
    ) -> None:
        self._files = tuple(files)
        self._trains = trains
        self._strong = {folder for folder, names in markers.items() if any(True for _ in names)}
        self._sources = {file.folder for file in self._files}
        self._inner = Counter(os.path.dirname(f) for f in self._sources if os.path.basename(f) in _INNER)
        self.strays: list[Listed] = []
        """Logs of which no run was made, such as a server's; filled by `runs`."""

    def runs(self, roots: Sequence[str]) -> list[Draft]:
        """Return the runs under `roots` (folders, none inside another), sorted by id."""
        owned: defaultdict[tuple[str, str], list[Listed]] = defaultdict(list)
        for file in self._files:
            root = next((r for r in roots if file.path.startswith(r.rstrip(os.sep) + os.sep)), None)
            if root is not None:
                owned[root, self.owner(file.folder, root)].append(file)
        self._attach_logs(owned)
        labels = root_labels(roots)
        drafts: list[Draft] = []
        taken: set[str] = set()
        for (root, folder), files in sorted(owned.items()):
            for stem, members in sorted(self._split(folder, files).items()):
                relative = os.path.relpath(os.path.join(folder, stem), root)
                top = os.path.basename(root) or root
                parts = [part for part in (labels[root], relative) if part != "."]
                run_id = _unique("/".join(parts) or top, taken)
                name = top if relative == "." else relative
                drafts.append(Draft(run_id, folder, name, tuple(sorted(members, key=lambda f: f.path)), stem))
        return sorted(drafts, key=lambda draft: draft.id)

    def _attach_logs(self, owned: dict[tuple[str, str], list[Listed]]) -> None:
        """Give a trainer's console output that lies beside its output folder (`train.log`, `out/`) to that run.

        Only where nothing but such output lies there and one run alone may be meant: the one that is called like the
        file, or the only one there, of the only job whose output this is.
        """
        inside: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for (root, folder), files in owned.items():
            if folder in self._strong or any(file.format_name not in _TEXT for file in files):
                inside[root, os.path.dirname(folder)].append(folder)
        for root, folder in [place for place in owned if place in inside]:
            files = owned[root, folder]
            if folder in self._strong or any(f.format_name not in _TEXT or f.folder != folder for f in files):
                continue
            stems = {file.stem.lower() for file in files}
            alone = len(stems) == 1 or stems <= _STREAMS
            kept: list[Listed] = []
            for file in files:
                runs = inside[root, folder]
                named = [run for run in runs if os.path.basename(run) == file.stem]
                meant = named or (runs if alone and _is_console(file) else [])
                (owned[root, meant[0]] if len(meant) == 1 else kept).append(file)
            owned[root, folder] = kept
            if not kept:
                del owned[root, folder]

    def owner(self, folder: str, root: str) -> str:
        """Return the run directory to which a source in `folder` belongs: `folder` or one of its parents in `root`."""
        while folder != root:
            outer = self._outer(folder)
            if outer is None or not (outer == root or outer.startswith(root.rstrip(os.sep) + os.sep)):
                return folder
            folder = outer
        return folder

    def _outer(self, folder: str) -> str | None:
        """Return the folder one layout further out, or None where `folder` is a run's own."""
        parent, name = os.path.split(folder)
        above, parent_name = os.path.split(parent)
        if CHECKPOINT.fullmatch(name) or _HPARAMS.fullmatch(name):
            return parent
        if _LIGHTNING.fullmatch(name) and parent_name == "lightning_logs":
            return None
        if parent_name == "runs" and _HF_DATE.fullmatch(name):
            return above if self._marked(above) else None
        if name in {"files", "logs"} and _WANDB_RUN.fullmatch(parent_name):
            beside = os.path.dirname(above) if os.path.basename(above) == "wandb" else ""
            return beside if self._marked(beside) else parent
        if name in _INNER:
            return parent if self._marked(parent) or self._inner[parent] > 1 else None
        if name in _SPLITS:
            return parent if parent in self._strong or parent_name in _INNER else None
        return None

    def _marked(self, folder: str) -> bool:
        return folder in self._strong or folder in self._sources

    def _split(self, folder: str, files: list[Listed]) -> dict[str, list[Listed]]:
        """Split the files of one run directory into its own ("") and those that are runs by their stem."""
        stems = self._own_trainings(folder, files)
        runs: defaultdict[str, list[Listed]] = defaultdict(list)
        for file in files:
            runs[file.stem if file.folder == folder and file.stem in stems else ""].append(file)
        if all(file.format_name == "log" for file in runs[""]) and not self._is_run_of_logs(folder, runs[""]):
            self.strays += runs.pop("")
        return runs

    def _own_trainings(self, folder: str, files: list[Listed]) -> set[str]:
        if folder in self._strong:
            return set()
        here = [file for file in files if file.folder == folder]
        series = [file for file in here if file.format_name in _SERIES]
        foreign = [file for file in series if not _METRIC_STEM.fullmatch(file.stem.lower())]
        if not series:  # several jobs' console output side by side, as a batch queue leaves it
            foreign = [
                file
                for file in here
                if file.format_name == "hf_console" and not _CONSOLE_STEM.fullmatch(file.stem.lower())
            ]
            stems = {file.stem for file in foreign}
        elif len({file.stem for file in foreign}) > 1:
            stems = {file.stem for file in foreign if self._trains(file)}
        else:
            stems = set()
        return stems if len(stems) > 1 else set()

    def _is_run_of_logs(self, folder: str, files: list[Listed]) -> bool:
        """Whether plain logs alone look like a run: one that died before its first metric must be seen."""
        names = (os.path.basename(file.path).lower() for file in files)
        return bool(files) and (folder in self._strong or any(_RUN_LOG.search(name) for name in names))


def own_stem(file: Listed) -> str:
    """Return what tells a file that was named alone from its neighbours, "" where it is called as a run's only log."""
    stem = file.stem.lower()
    return "" if _METRIC_STEM.fullmatch(stem) or _is_console(file) else file.stem


def _is_console(file: Listed) -> bool:
    """Whether a file is called as a trainer's console output usually is."""
    name = os.path.basename(file.path).lower()
    return bool(_CONSOLE_STEM.fullmatch(file.stem.lower()) or _RUN_LOG.search(name))


def _unique(run_id: str, taken: set[str]) -> str:
    candidate, number = run_id, 1
    while candidate in taken:
        number += 1
        candidate = f"{run_id}~{number}"
    taken.add(candidate)
    return candidate


def root_labels(roots: Sequence[str]) -> dict[str, str]:
    """Return what leads the ids of each root: nothing for a single one, else as few last folders as tell it apart."""
    if len(roots) == 1:
        return {roots[0]: "."}
    parts = {root: Path(root).parts for root in roots}
    labels = {}
    for root, own in parts.items():
        alone = (n for n in range(1, len(own) + 1) if sum(other[-n:] == own[-n:] for other in parts.values()) == 1)
        labels[root] = "/".join(own[-next(alone, len(own)) :]).lstrip("/")
    return labels

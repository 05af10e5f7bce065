"""What the files tell about a stage once its command ended well: the evidence that its done-signal is judged by.

It reads the run directory and what the operator named; judging is `signals.done`'s, recording `collectors.stage`'s.
"""

# Paths may hold any bytes, which `os` calls take as they are.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.stage import NAME, parsed
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.text import safe_text
from mens_console.signals.done import Evidence, FileFact, Measured, Training, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mens_console.store.series import SeriesView
    from mens_console.store.snapshot import RunView

TRAINING: Final = frozenset({"dryrun", "mini", "train"})
"""Stages whose done-signal is in what the run logged."""
ADAPTERS: Final = ("adapter_model.safetensors", "adapter_model.bin")
PROBE_S: Final = 60.0
_DEPTH: Final = 4
_REPORT_BYTES: Final = 1 << 22
_LOG_BYTES: Final = 8 << 20
_ANSWER: Final = 80
_SLACK_S: Final = 1.0
"""Some file systems and producers keep whole seconds."""
_DEVICE_ERROR: Final = re.compile(
    rb"(?i)CUDA error|CUDA out of memory|device-side assert|cuDNN error|cublas\w* error|CUBLAS_STATUS_(?!SUCCESS)"
    rb"|NCCL (?:WARN |INFO )?.{0,80}(?:error|failure)|HIP error|MPS backend out of memory|MPS.{0,40}error|NVRM: Xid"
)


@dataclass(frozen=True, slots=True)
class Looked:
    """Where to look: run directory, data files to count, a report of the command's, a probe for the shell.

    `known` are the sizes of the files that were there before the command, by path.
    """

    folder: str
    data: tuple[Path, ...] = ()
    report: Path | None = None
    probe: str | None = None
    known: Mapping[str, int] = field(default_factory=dict)


def known_files(folder: str) -> dict[str, int]:
    """Return the sizes of the regular files below a folder, by path, as far down as files are looked for later."""
    return {path: status.st_size for path, status in _files(folder, _DEPTH)}


def measure(stage: str, looked: Looked, started: float, told: Mapping[str, Any]) -> Measured:
    """Return whether the stage's done-signal is met; `started` in seconds since the epoch, `told` the facts told.

    Raises `OSError` where a file that was named cannot be read.
    """
    facts = {**_report(looked.report, started), **told}
    found: dict[str, Any] = {}
    if stage == "dataset" and looked.data:
        found = _counted(looked.data)
    elif stage in TRAINING:
        found["training"] = _training(looked, started)
    elif stage == "deployment" and looked.probe:
        found = _asked(looked.probe)
    if stage in ("train", "export"):
        found |= _made(looked.folder, ADAPTERS if stage == "train" else (".gguf",), started)
    return judge(stage, Evidence(facts=facts, **found))


# ---------------------------------------------------------------------- files


def _files(folder: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files below a folder; links are not followed, hidden folders not entered."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # gone, or not ours to read: what else is there counts
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # deleted while we looked
        if stat.S_ISREG(status.st_mode):
            yield entry.path, status
        elif depth > 1 and stat.S_ISDIR(status.st_mode) and not entry.name.startswith("."):
            yield from _files(entry.path, depth - 1)


def _made(folder: str, names: tuple[str, ...], started: float) -> dict[str, Any]:
    """Return the files of these names (or endings): those made since the start, and the old or empty ones."""
    if not os.path.isdir(folder):  # noqa: PTH112
        return {"files": None}
    new: list[FileFact] = []
    stale: list[FileFact] = []
    for path, status in sorted(_files(folder, _DEPTH), key=lambda found: found[0]):
        if path.endswith(names):
            fact = FileFact(safe_text(os.path.relpath(path, folder), 200), status.st_size)
            (new if status.st_size and status.st_mtime >= started - _SLACK_S else stale).append(fact)
    return {"files": new, "stale": stale}


def _report(path: Path | None, started: float) -> dict[str, Any]:
    """Return the facts of a JSON report (or the last of its JSON lines) that was written since the start."""
    if path is None:
        return {}
    name = os.fspath(path)
    if os.stat(name).st_mtime < started - _SLACK_S:  # noqa: PTH116
        return {}  # an old report says nothing about this command
    text = read_small(name, _REPORT_BYTES, follow=True)
    whole = parsed(text)
    if whole is not None:
        return whole
    facts: dict[str, Any] = {}
    for line in text.splitlines():
        facts |= parsed(line) or {}
    return facts


def _counted(paths: Sequence[Path]) -> dict[str, Any]:
    """Count the rows of JSON-lines files, and those that are no JSON."""
    import orjson

    rows = errors = 0
    first = ""
    for path in paths:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                rows += 1
                try:
                    orjson.loads(line)
                except orjson.JSONDecodeError:
                    if _lenient(line):
                        continue
                    errors += 1
                    first = first or f"{safe_text(path.name, 80)}:{number}"
    return {"rows": rows, "parse_errors": errors, "first_error": first}


def _lenient(line: bytes) -> bool:
    """Say whether Python's own parser takes a line: it allows NaN and infinities."""
    import json

    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _asked(probe: str) -> dict[str, Any]:
    """Run the operator's probe; it answers by ending well and printing something."""
    import subprocess

    try:
        done = subprocess.run(
            ["/bin/sh", "-c", probe], stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"answered": False, "answer": f"the probe was silent for {PROBE_S:.0f} s"}
    lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode:
        return {"answered": False, "answer": f"the probe ended with exit {done.returncode}"}
    if not lines:
        return {"answered": False, "answer": "the probe printed nothing"}
    return {"answered": True, "answer": safe_text(lines[0], _ANSWER)}


# ---------------------------------------------------------------------- what the run logged


def _training(looked: Looked, started: float) -> Training:
    """Return the losses that were logged since the start, and what else the run tells about its end."""
    from mens_console.config.settings import Settings
    from mens_console.store.engine import Engine

    root = Path(os.path.abspath(looked.folder))  # noqa: PTH100 (links stay)
    snapshot = Engine((root,), Settings(roots=(root,), max_depth=_DEPTH), watch=False).load()
    # Only what grew since the start can be this stage's; of several runs the one that was written last.
    runs = [run for run in snapshot.runs if run.updated_at >= started - _SLACK_S or "loss" in run.series]
    runs = [run for run in runs if any(s.path.name != NAME and _grew(s.path, s.size, looked) for s in run.sources)]
    if not runs:
        return Training(problem="no metrics were logged in the run directory since the start")
    run = max(runs, key=lambda run: ("loss" in run.series, run.updated_at))
    errors = _device_errors(run, looked)
    series = run.series.get("loss")
    if series is None or not len(series.values):
        return Training(problem="the run logged no loss", step=run.step, device_errors=errors)
    steps, losses, problem = _since(run, series, looked, started)
    return Training(
        steps,
        losses,
        problem,
        run.step,
        run.total_steps,
        plateau=any(alert.rule == "plateau" and (alert.active or alert.held) for alert in run.alerts),
        device_errors=errors,
    )


def _grew(path: Path, size: int, looked: Looked) -> bool:
    """Say whether a file is new, or another size than before the command."""
    return looked.known.get(_as_known(path, looked)) != size


def _as_known(path: Path, looked: Looked) -> str:
    """Return a path as `known_files` names it."""
    return os.path.join(looked.folder, os.path.relpath(path, looked.folder))


def _since(run: RunView, series: SeriesView, looked: Looked, started: float) -> tuple[list[int], list[float], str]:
    """Return the points of this stage: by their times, or all of them where every file with numbers is new."""
    timed = series.walls == series.walls
    if timed.any():
        ours = timed & (series.walls >= started - _SLACK_S)
        return series.steps[ours].tolist(), series.values[ours].tolist(), ""
    numeric = [s for s in run.sources if s.rows and s.path not in run.logs and s.path.name != NAME]
    if all(_as_known(source.path, looked) not in looked.known for source in numeric or run.sources):
        return series.steps.tolist(), series.values.tolist(), ""
    return [], [], "the losses carry no times, so those of this stage cannot be told from earlier ones"


def _device_errors(run: RunView, looked: Looked) -> int | None:
    """Count the lines that tell of a device error in the logs written since the start; None without a log."""
    grown = [(str(path), looked.known.get(_as_known(path, looked), 0)) for path in run.logs]
    grown = [(path, before) for path, before in grown if Path(path).stat().st_size != before]
    if not grown:
        return None
    texts = [read_small(path, _LOG_BYTES, offset=before) for path, before in grown]
    return sum(1 for text in texts for line in text.splitlines() if _DEVICE_ERROR.search(line))

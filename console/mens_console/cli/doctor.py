"""`mens-console doctor`: what of this box helps or hinders the console, each finding with its cure.

It looks and never changes anything. Runs are read only for which of their fields feed which reader.
"""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.cli.common import colour, settings_from
from mens_console.cli.errors import NO, OK
from mens_console.cli.status import paint, plain
from mens_console.config import ConfigError
from mens_console.config.state import state_folder
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mens_console.config import Settings

Level = Literal["ok", "note", "warn", "fail"]
GLYPHS: Final[dict[Level, tuple[str, str]]] = {
    "ok": ("✔", "good"),
    "note": ("·", "muted"),
    "warn": ("▲", "warn"),
    "fail": ("✖", "bad"),
}
PACKAGES: Final = (
    "mens-console", "textual", "rich", "numpy", "orjson", "msgspec", "pydantic", "psutil", "watchdog", "plotext",
    "jsonschema", "ddsketch", "nvidia-ml-py",
)  # fmt: skip
EXTRAS: Final = (
    ("load", "aiohttp", "`soak run` and `bench` make requests"),
    ("exporter", "prometheus-client", "`exporter` publishes metrics"),
)
"""Extras by name, the package that each brings, and what needs it; that of notifications is looked at with them."""
_INOTIFY: Final = Path("/proc/sys/fs/inotify")
_ENOUGH_WATCHES: Final = 8192
_ENOUGH_INSTANCES: Final = 128
_DRIVER: Final = Path("/proc/driver/nvidia/version")
_GPU_PATIENCE_S: Final = 20.0
"""A driver that nobody keeps open takes some seconds a GPU to wake up."""
_FIRST_SAMPLE: Final = "no second sample yet"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `cure` says what to do, empty where nothing need be done."""

    topic: str
    level: Level
    text: str
    cure: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Print all findings; 1 if one of them keeps the console from working."""
    findings = [*terminal(os.environ), *program(), *extras(), *watcher(_INOTIFY)]
    try:
        settings = settings_from(arguments)
    except ConfigError as error:
        findings += [Finding("configuration", "fail", str(problem)) for problem in error.problems]
    else:
        findings += [*configuration(settings), *roots(settings.roots), *fed(settings)]
        findings += [*notifications(settings, os.environ), *daemon(state_folder() / "watch.json", settings.roots)]
    findings += [*gpu(_DRIVER), *readers()]
    if arguments.json:
        import orjson

        print(orjson.dumps([_safe(finding) for finding in findings], option=orjson.OPT_INDENT_2).decode())
    else:
        print(report(findings, painted=colour(sys.stdout)))
    return NO if any(finding.level == "fail" for finding in findings) else OK


def _safe(finding: Finding) -> dict[str, str]:
    return {key: safe_text(value) for key, value in asdict(finding).items()}


def report(findings: Sequence[Finding], *, painted: bool) -> str:
    """Return the findings by topic."""
    ink = paint if painted else plain
    lines: list[str] = []
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines.append(ink(topic, "strong"))
        glyph, name = GLYPHS[finding.level]
        lines.append(f"  {ink(glyph, name)} {safe_text(finding.text)}")
        if finding.cure:
            lines.append(f"      → {safe_text(finding.cure)}")
    return "\n".join(lines)


def terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at size, colours and character set."""
    term = environ.get("TERM", "")
    if not sys.stdout.isatty():
        yield Finding("terminal", "note", "standard output is no terminal; size and colours are not checked")
    else:
        size = shutil.get_terminal_size()
        small = size.columns < 80 or size.lines < 24
        cure = "80×24 is the least size at which everything fits" if small else ""
        yield Finding(
            "terminal", "warn" if small else "ok", f"{size.columns}×{size.lines} cells, TERM={term or '?'}", cure
        )
    if environ.get("NO_COLOR"):
        yield Finding("terminal", "note", "NO_COLOR is set: states show by glyph and word alone")
    elif term == "dumb":
        yield Finding(
            "terminal", "fail", "TERM=dumb cannot place a cursor", "use mens-console status, or another terminal"
        )
    elif environ.get("COLORTERM") in {"truecolor", "24bit"}:
        yield Finding("terminal", "ok", "24-bit colours")
    else:
        known = "256 colours" if "256" in term else "16 colours, as far as TERM tells"
        yield Finding("terminal", "note", known, "export COLORTERM=truecolor if the terminal can do it")
    encoding = locale.getpreferredencoding(do_setlocale=False)
    utf8 = encoding.lower().replace("-", "") == "utf8"
    cure = "" if utf8 else "export LC_ALL=C.UTF-8, or charts and glyphs will not show"
    yield Finding("terminal", "ok" if utf8 else "fail", f"character set {encoding}", cure)


def program() -> Iterator[Finding]:
    """Look at Python and the packages it runs on."""
    yield Finding("program", "ok", f"Python {platform.python_version()} at {sys.executable}, {platform.platform()}")
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Finding("program", "ok", ", ".join(found))
    if missing:
        yield Finding("program", "fail", f"not installed: {', '.join(missing)}", "install mens-console again")


def extras() -> Iterator[Finding]:
    """Look at what some commands need beside; without it everything else works."""
    for extra, package, use in EXTRAS:
        try:
            yield Finding("program", "ok", f"{package} {version(package)}: {use}")
        except PackageNotFoundError:
            cure = f"pip install 'mens-console[{extra}]'"
            yield Finding("program", "note", f"{package} is not installed, and only with it {use}", cure)


def watcher(limits: Path) -> Iterator[Finding]:
    """Look at the kernel's limits for change hints. Without hints everything is still found, by polling."""
    for name, enough in (("max_user_watches", _ENOUGH_WATCHES), ("max_user_instances", _ENOUGH_INSTANCES)):
        try:
            value = int((limits / name).read_text())
        except (OSError, ValueError):
            yield Finding("watching", "note", f"fs.inotify.{name} is not known here: files are polled where hints fail")
            continue
        low = value < enough
        cure = f"sysctl fs.inotify.{name}={enough}; beyond the limit files are polled" if low else ""
        yield Finding("watching", "warn" if low else "ok", f"fs.inotify.{name} = {value}", cure)


def configuration(settings: Settings) -> Iterator[Finding]:
    """Tell which files set what, and what of them was ignored."""
    from mens_console.config.loader import user_file

    for path in settings.files:
        yield Finding("configuration", "ok", f"read {path}")
    own = user_file(os.environ)
    if own not in settings.files:
        yield Finding("configuration", "note", f"no {own}; everything has its default")
    for problem in settings.problems:
        yield Finding("configuration", "warn", f"ignored: {problem}")


def roots(paths: Sequence[Path]) -> Iterator[Finding]:
    """Look at every folder that is searched."""
    from mens_console.ingest.watch import network_filesystem

    for path in paths:
        if not path.exists():
            yield Finding("folders", "warn", f"{path}: no such file or folder", "create it, or name another")
        elif not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            yield Finding(
                "folders", "fail", f"{path}: not readable", "chmod a+rX it, or start the console as its owner"
            )
        elif kind := network_filesystem(os.path.realpath(path)):
            yield Finding("folders", "note", f"{path}: on {kind}; the kernel tells no changes there, so it is polled")
        else:
            yield Finding("folders", "ok", f"{path}: readable")


def fed(settings: Settings) -> Iterator[Finding]:
    """Say which field feeds which reader of the runs found, and what nothing feeds."""
    from mens_console.cli.feeds import drift

    for level, text in drift(settings):
        yield Finding("contract drift", level, text)


def notifications(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at where notifications go, without sending one. Addresses are secrets: they are counted, never shown."""
    from mens_console.notify.routes import apprise_routes, is_installed
    from mens_console.notify.sender import INSTALL

    wanted = settings.notify.apprise
    source = "$MENS_NOTIFY" if "MENS_NOTIFY" in environ else "[notify] apprise"
    many = f"{len(wanted)} address{'es' * (len(wanted) != 1)}"
    if is_installed():
        yield Finding("notifications", "ok", f"Apprise {_version('apprise')} is installed")
    else:
        problem, _, cure = INSTALL.partition(": ")
        yield Finding("notifications", "fail" if wanted else "note", problem, cure)
        if wanted:
            yield Finding("notifications", "note", f"{many} in {source} wait for it")
        return
    if not wanted:
        yield Finding("notifications", "note", f"no address in {source}: nothing is sent (docs/alerts.md)")
        return
    routes, problems = apprise_routes(wanted, environ)
    if routes:
        yield Finding("notifications", "ok", f"{len(routes)} of {many} in {source} can be used")
    for problem in problems:
        yield Finding("notifications", "warn", problem, "`mens-console alerts test RULE` tries them all")


def daemon(heartbeat: Path, paths: Sequence[Path]) -> Iterator[Finding]:
    """Say whether somebody watches these folders and notifies, and since when nobody does."""
    from mens_console.notify.heartbeat import read_heartbeat
    from mens_console.screens.alertfacts import notifier_line

    beat = read_heartbeat(heartbeat, paths)
    text, ink = notifier_line(beat, time.time())
    if beat is None:
        text = "nobody watches these folders and notifies"
    start = "mens-console watch --notify, as a service where it must not end (docs/alerts.md)"
    level: Level = "ok" if ink == "good" else "note" if beat is None else "warn"
    where = f" (process {beat.pid} on {beat.host})" if beat is not None else ""
    yield Finding("notifications", level, f"watch: {text}{where}", "" if ink == "good" else start)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def gpu(driver: Path, binding: Callable[[], Any] | None = None) -> Iterator[Finding]:
    """Say which GPUs the driver shows, or why none; and which sensors stay N/A. A driver that hangs is left."""
    from mens_console.hardware.session import GpuSession
    from mens_console.hardware.worker import HangsError, Worker
    from mens_console.sensors.nvml import load

    worker, session = Worker("mens-nvml"), GpuSession(binding or load)
    try:
        found = worker.ask(lambda: session.read(time.time()), _GPU_PATIENCE_S)
    except HangsError:
        yield Finding("GPU", "warn", "the NVIDIA driver does not answer", "see whether nvidia-smi hangs too")
        return
    finally:
        worker.close()
    if found.problem:
        installed = driver.exists()
        yield Finding("GPU", "warn" if installed else "note", f"{found.problem}; runs are judged without GPU evidence")
        return
    yield Finding("GPU", "ok", f"driver {found.driver}, CUDA {found.cuda or '?'}, {len(found.gpus)} found")
    for one in found.gpus:
        lost = one.lost and f": {one.lost}"
        yield Finding("GPU", "warn" if lost else "ok", f"GPU {one.index} {one.name} {one.bus_id}{lost}")
        silent = ", ".join(f"{name} ({why})" for name, why in one.missing if why != _FIRST_SAMPLE)
        if silent:
            yield Finding("GPU", "note", f"GPU {one.index} does not tell: {silent}")


def readers() -> Iterator[Finding]:
    """Say which fields of producers feed which reading."""
    from mens_console.ingest.aliases import describe

    for alias in describe():
        unit = f" [{alias.unit}]" if alias.unit else ""
        note = f" ({alias.note})" if alias.note else ""
        yield Finding("fields", "note", f"{alias.name}{unit} ← {', '.join(alias.spellings)}{note}")

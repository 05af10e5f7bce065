"""Write the generated parts of README.md and docs/ from the tables that the code uses; `--check` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import contract_reference
import gate_reference
import reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import Binding
    from textual.dom import DOMNode

ROOT = Path(__file__).resolve().parent.parent

MODALS = {
    "choose": "A choice (Gate)",
    "ask": "A question (Gate)",
    "sign": "Sign-off (`s` on Gate)",
    "silence": "Silence (`s` on Alerts)",
    "digest": "Since you left",
    "help": "Help",
}
"""Windows that stand over a screen, by the first part of their bindings' ids."""

FILES = {
    "jsonl": (
        "`*.jsonl`: `metrics`, `telemetry`, `train_log`, `trainer_log` and any other",
        "rows that are JSON objects with a step and a number, or `{ts_ms, event, payload}`",
    ),
    "trainer_state": (
        "`trainer_state.json`, at the top or in the newest checkpoint",
        "a JSON object with a `log_history` and the trainer's counters",
    ),
    "csv": ("`*.csv`, such as `metrics.csv`", "a header that names a step and a metric"),
    "tfevents": ("`*tfevents*`", "a TFRecord that frames an event, its length checksum right"),
    "training_status": ("`training_status.json`, `status.json`", "a JSON object with a status and the current step"),
    "hf_console": ("console output of the HF Trainer", "lines such as `{'loss': 2.1, …}`, or its progress bars"),
    "log": (
        "`*.log`, `*.out`, `*.err`, `stdout`, `nohup.out`, `train*.txt`, …",
        "any other text: shown, searched and read for errors, but no series",
    ),
}


def formats() -> str:
    """Return the table of formats, in order of precedence."""
    from mens_console.ingest.formats import FORMATS

    lines = ["| format | files | recognised by | precedence |", "|---|---|---|---|"]
    for entry in sorted(FORMATS, key=lambda one: one.precedence):
        files, content = FILES[entry.name]
        lines.append(f"| `{entry.name}` | {files} | {content} | {entry.precedence} |")
    return "\n".join(lines)


def nodes() -> list[type[DOMNode]]:
    """Return everything that has keys, screens before what stands on them."""
    from mens_console.screens.alerts import AlertsScreen
    from mens_console.screens.app import ConsoleApp
    from mens_console.screens.compare import CompareScreen
    from mens_console.screens.digest import DigestScreen
    from mens_console.screens.fleet import FleetScreen
    from mens_console.screens.gate import GateScreen
    from mens_console.screens.gateasks import AskScreen, ChooseScreen
    from mens_console.screens.gatesign import SignScreen
    from mens_console.screens.hardware import HardwareScreen
    from mens_console.screens.health import HealthScreen
    from mens_console.screens.help import HelpScreen
    from mens_console.screens.kpi import KpiScreen
    from mens_console.screens.logs import LogsScreen
    from mens_console.screens.lora import LoraScreen
    from mens_console.screens.run import RunScreen
    from mens_console.screens.silence import SilenceScreen
    from mens_console.screens.soak import SoakScreen
    from mens_widgets.chart import Chart
    from mens_widgets.grid import Grid
    from mens_widgets.heatmap import Heatmap
    from mens_widgets.logview import LogView
    from mens_widgets.matrix import Matrix

    return [
        ConsoleApp, HelpScreen, FleetScreen, Grid, RunScreen, Chart, CompareScreen, LoraScreen, Heatmap, Matrix,
        HealthScreen, KpiScreen, SoakScreen, HardwareScreen, AlertsScreen, SilenceScreen, DigestScreen, GateScreen,
        SignScreen, ChooseScreen, AskScreen, LogsScreen, LogView,
    ]  # fmt: skip


def bound() -> list[Binding]:
    """Return the bindings of all of them that can be rebound, by what they stand on."""
    from textual.binding import Binding

    return [b for node in nodes() for b in node.__dict__.get("BINDINGS", ()) if isinstance(b, Binding) and b.id]


def keys() -> str:
    """Return the keys by where they work, from the bindings themselves."""
    from mens_console.screens.help import GROUPS

    *places, everywhere = GROUPS
    return key_table((everywhere, *places, *MODALS))


def first_keys() -> str:
    """Return the keys that a first look needs."""
    return key_table(("app", "grid", "chart", "fleet", "run", "logs"))


def key_table(places: Iterable[str]) -> str:
    """Return a row of keys for each of these places."""
    from mens_console.screens.help import GROUPS, key_name

    rows = []
    for place in places:
        listed = [one for one in bound() if one.id.partition(".")[0] == place]
        told = [f"{names_of(key_name(one.key))} {one.description.lower()}" for one in listed]
        rows.append(f"| {(GROUPS | MODALS)[place]} | {' · '.join(told)} |")
    return "\n".join(["| where | keys |", "|---|---|", *rows])


def names_of(keys: str) -> str:
    """Return keys as code, one by one."""
    return " ".join(f"`{name}`" for name in keys.split(" "))


def bindings() -> str:
    """Return every binding's id with its default keys."""
    rows = [f"| `{binding.id}` | `{binding.key}` | {binding.description} |" for binding in bound()]
    return "\n".join(["| id | keys | what |", "|---|---|---|", *rows])


def commands() -> str:
    """Return the help of every command."""
    from mens_console.cli.parser import COMMANDS, parser_of

    parts = []
    for command in COMMANDS.values():
        parser = parser_of(command)
        parser.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=100)
        parts.append(f"### `mens-console {command.name}`\n\n```\n{parser.format_help().rstrip()}\n```")
        for name, action in actions_of(parser).items():
            action.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
            parts.append(f"#### `mens-console {command.name} {name}`\n\n```\n{action.format_help().rstrip()}\n```")
    return "\n\n".join(parts)


def actions_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of a command's actions by name; none where it has none."""
    found = (one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return dict(next(found, None) or {})


def telemetry() -> str:
    """Return the events of `telemetry.jsonl`."""
    from mens_contracts.telemetry import TelemetryRow

    return reference.events(TelemetryRow)


def stage_events() -> str:
    """Return the events of `stages.jsonl`."""
    from mens_contracts.stage import StageEvent

    return reference.events(StageEvent)


def training_status() -> str:
    """Return the fields of `training_status.json`."""
    from mens_contracts.training_status import TrainingStatus

    return reference.document(TrainingStatus)


def run_summary() -> str:
    """Return the fields of `run_summary.json`."""
    from mens_contracts.run_summary import RunSummary

    return reference.document(RunSummary)


def done_signals() -> str:
    """Return the stages with what must be measured for each to be done."""
    from mens_console.signals.stages import STAGES

    lines = ["| stage | also | what | scale | done when | measured from |", "|---|---|---|---|---|---|"]
    for one in STAGES:
        also = ", ".join(f"`{alias}`" for alias in one.aliases)
        lines.append(f"| `{one.id}` | {also} | {one.title} | {one.scale} | {one.signal} | {one.how} |")
    return "\n".join(lines)


def fields() -> str:
    """Return the table of field names."""
    from mens_console.ingest.aliases import describe

    lines = ["| series | unit | fields that feed it, best first | note |", "|---|---|---|---|"]
    for alias in describe():
        spellings = ", ".join(f"`{name}`" for name in alias.spellings)
        lines.append(f"| `{alias.name}` | {alias.unit} | {spellings} | {alias.note} |")
    return "\n".join(lines)


def environment() -> str:
    """Return the table of settings."""
    from dataclasses import fields as fields_of

    from mens_console.config.loader import ENVIRONMENT
    from mens_console.config.model import RunsConfig, UserConfig
    from mens_console.config.settings import Settings

    variables = {name: variable for variable, name in ENVIRONMENT.items()} | {"roots": "MENS_RUNS"}
    defaults = {f.name: getattr(Settings(), f.name) for f in fields_of(Settings)}
    lines = ["| key | default | environment | beside the runs | what |", "|---|---|---|---|---|"]
    for name, field in UserConfig.model_fields.items():
        default = defaults[name]
        shown = (
            f"`{str(default).lower() if isinstance(default, bool) else default}`" if default or default is False else ""
        )
        variable = f"`{variables[name]}`" if name in variables else ""
        beside = "yes" if name in RunsConfig.model_fields else ""
        lines.append(f"| `{name}` | {shown} | {variable} | {beside} | {field.description} |")
    return "\n".join(lines)


def exported() -> str:
    """Return the table of exported metrics."""
    from mens_console.exporter.metrics import describe

    return describe()


def bands() -> str:
    """Return the bands of generation health."""
    from mens_console.signals.ladders import describe

    return describe()


def shifts() -> str:
    """Return the figures of generation that are watched for drift."""
    from mens_console.signals.drift import describe

    return describe()


def between(text: str, name: str, body: str) -> str:
    """Return `text` with what stands between the markers of `name` replaced."""
    begin, end = f"<!-- {name}: generated by scripts/generate_docs.py -->", f"<!-- end of {name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"the markers of {name} are missing")
    return f"{head}{begin}\n{body}\n{end}{tail}"


def pages() -> dict[Path, str]:
    """Return what every page with a generated part should read."""
    from mens_console.signals.rules import describe

    parts = {
        "README.md": {"formats": formats, "keys": first_keys},
        "docs/keys.md": {"keys": keys},
        "docs/contracts.md": {
            "contracts": contract_reference.contracts,
            "aliases": contract_reference.aliases,
            "taxonomy": contract_reference.taxonomy,
        },
        "docs/formats.md": {"formats": formats, "fields": fields},
        "docs/headless.md": {"commands": commands, "settings": environment, "bindings": bindings},
        "docs/gate-profiles.md": {
            "keys": gate_reference.keys,
            "metrics": gate_reference.metrics,
            "criteria": gate_reference.criteria,
        },
        "docs/generation-health.md": {"bands": bands, "shifts": shifts},
        "docs/stages.md": {"done-signals": done_signals},
        "docs/exporter.md": {"metrics": exported},
        "docs/telemetry.md": {
            "events": telemetry,
            "stage-events": stage_events,
            "training-status": training_status,
            "run-summary": run_summary,
        },
    }
    more = "## Bands of generation health\n\nWhat they mean: [generation-health.md](generation-health.md)."
    made = {ROOT / "docs/thresholds.md": f"{describe()}\n{more}\n\n{bands()}\n"}
    made[ROOT / "docs/contract-reference.md"] = contract_reference.page()
    for page, names in parts.items():
        text = (ROOT / page).read_text()
        for name, body in names.items():
            text = between(text, name, body())
        made[ROOT / page] = text
    return made


def main() -> int:
    """Write the pages, or with `--check` name those that differ."""
    stale = []
    for path, text in pages().items():
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in sys.argv:
            stale.append(path)
        else:
            path.write_text(text)
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not current; run python scripts/generate_docs.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

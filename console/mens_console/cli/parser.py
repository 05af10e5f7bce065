"""The grammar of the command line: every command with its options, and where its work is done.

Only argparse is loaded here; help, completion and dispatch are all read from this one table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROG: Final = "mens-console"
STAGES: Final = ("dataset", "dryrun", "mini", "train", "evaluation", "export", "deployment", "iteration")
"""Ids of `signals.stages.STAGES`, without loading them."""
EXIT_CODES: Final = (
    "exit status: 0 fine · 1 the answer is no (a critical alert fires) · 2 wrong use or nothing readable"
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `module` is imported when it runs; its `run(arguments) -> int` does the work."""

    name: str
    summary: str
    module: str
    options: Callable[[argparse.ArgumentParser], None]
    examples: str = ""
    words: str = ""
    """Usage of the positional arguments, for the list of commands."""
    completes: tuple[str, ...] = ()
    """What the shell offers for the first argument, besides its choices."""
    wraps: bool = False
    """Whether what follows `--` is another program's command line, given as `arguments.argv` untouched."""


def _paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="folders or files to look for runs in (default: $MENS_RUNS, the configuration, the current directory)",
    )


def _search(parser: argparse.ArgumentParser) -> None:
    """Options that say how runs are looked for."""
    parser.add_argument(
        "--follow-symlinks",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="follow links that lead outside the folders searched",
    )
    parser.add_argument("--max-depth", type=positive, metavar="N", help="folders searched below each PATH (default 8)")


def _looks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--theme", metavar="NAME", help="colour theme, such as mens-dark, mens-light or textual-ansi")
    parser.add_argument(
        "--slow-link",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="repaint at most once a second, for a thin connection",
    )


def _run_in(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's folder, its id or name, or a unique beginning of one")
    _search_in(parser)


def _search_in(parser: argparse.ArgumentParser) -> None:
    """Options that say where runs are looked for by name."""
    parser.add_argument(
        "--in",
        dest="paths",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="where to look for RUN (may be given again; default as for `status`)",
    )
    _search(parser)


def _console(parser: argparse.ArgumentParser) -> None:
    _paths(parser)
    _looks(parser)
    _search(parser)
    parser.add_argument("--version", action="store_true", help="print the version and leave")


def _status(parser: argparse.ArgumentParser) -> None:
    _paths(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the document mens-status/1")
    form.add_argument("--line", action="store_true", help="print one short line, at most 60 columns, for a status bar")
    _search(parser)


def _plot(parser: argparse.ArgumentParser) -> None:
    _run_in(parser)
    parser.add_argument("metrics", nargs="+", metavar="METRIC", help="names of series, such as loss or grad_norm")
    parser.add_argument("--width", type=positive, metavar="N", help="columns (default: the terminal's)")
    parser.add_argument("--height", type=positive, metavar="N", help="rows of each chart (default: fits the terminal)")
    parser.add_argument("--log", action="store_true", help="logarithmic value axis; values that are not positive drop")
    parser.add_argument(
        "--x",
        choices=("step", "relative", "wall"),
        default="step",
        help="x axis: step, seconds from the start, or time",
    )


def _export(parser: argparse.ArgumentParser) -> None:
    _run_in(parser)
    parser.add_argument(
        "--csv", action="store_true", help="comma-separated values, one row a step (the only format so far)"
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        dest="metrics",
        metavar="NAME",
        help="only this series (may be given again)",
    )
    parser.add_argument("--long", action="store_true", help="one row a value instead, with what resumes went back over")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE (default: standard output)")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders, ids or names of the runs, at least two")
    parser.add_argument("--json", action="store_true", help="print the document mens-compare/1")
    parser.add_argument("--all", action="store_true", help="settings that are the same, or only name the runs, too")
    _search_in(parser)


def _stage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"{', '.join(STAGES)}, or a step such as export.merge")
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the run's directory (default: $MENS_RUN_DIR, the current directory)"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="JSON lines whose parse errors are counted (dataset; may be given again)",
    )
    parser.add_argument("--facts", type=Path, metavar="FILE", help="a JSON report of the command's with its facts")
    parser.add_argument("--probe", metavar="COMMAND", help="shell command that the deployed model answers (deployment)")
    parser.add_argument("--time", action="store_true", help="print GNU time's line on standard error at the end")
    parser.add_argument("--list", action="store_true", help="list the stages of the run and how they went")
    parser.add_argument("--json", action="store_true", help="the list as the document mens-stages/1")


def _watch(parser: argparse.ArgumentParser) -> None:
    _paths(parser)
    parser.add_argument("--notify", action="store_true", help="send messages about alerts to the configured routes")
    parser.add_argument("--once", action="store_true", help="look once and leave, for cron")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line (mens-watch-event/1)")
    parser.add_argument("--utc", action="store_true", help="print times in UTC (default: local time)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append what happens to FILE, one JSON object a line")
    _search(parser)


def _alerts(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser, title="actions"
    )

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        return actions.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )

    one = action("list", "print what fires, the worst first")
    _paths(one)
    one.add_argument("--json", action="store_true", help="print the document mens-alert-list/1")
    one.add_argument("--all", action="store_true", help="what is pending or resolved, too")
    _search(one)
    one = action("ack", "acknowledge an alert; it stays in sight")
    one.add_argument(
        "fingerprint", metavar="FINGERPRINT", help="what `list` names it by, or a unique beginning of that"
    )
    one.add_argument("--note", default="", metavar="TEXT", help="why, for whoever reads it later")
    _search_in(one)
    one = action("silence", "hear nothing of a rule for a while")
    one.add_argument("rule", metavar="RULE", help="the rule's id, or '*' for all")
    one.add_argument("--run", metavar="RUN", help="only in this run (folder, id or name)")
    one.add_argument("--for", required=True, dest="seconds", type=duration, metavar="TIME", help="30m, 2h, 1d …")
    one.add_argument("--comment", required=True, metavar="TEXT", help="why, for whoever reads it later")
    _search_in(one)
    one = action("silences", "print what is silenced")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    action("unsilence", "end a silence").add_argument("id", metavar="ID", help="what `silences` names it by")
    one = action("rules", "print the rules in force")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    action("test", "send a drill through every route").add_argument("rule", metavar="RULE", help="the rule's id")


def _speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed", type=speed, default=None, metavar="N", help="times real time, or `max` for as fast as it reads"
    )


def _replay(parser: argparse.ArgumentParser) -> None:
    _run_in(parser)
    _speed(parser)
    _looks(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    _speed(parser)
    _looks(parser)


def _contracts(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser, title="actions"
    )

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        return actions.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )

    one = action("list", "print every contract, and where files of it are found")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    one = action("show", "print the fields of a contract, and the other names they are known under")
    one.add_argument("id", metavar="ID", help="what `list` names it by, such as mens_generation_attempt_v1")
    one.add_argument("--json", action="store_true", help="print its JSON Schema")
    one = action("check", "say field by field how files differ from their contracts")
    one.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="JSON lines of any size or a JSON document, plain or gzip"
    )
    one.add_argument("--contract", metavar="ID", help="the contract they should be of (default: each is recognised)")
    one.add_argument("--json", action="store_true", help="print the document mens-contract-check/1")
    one = action("export", "write contracts as JSON Schemas, or their rows as tables of a data store")
    one.add_argument("folder", type=Path, metavar="DIR", help="where to write; it is made where it is not there")
    one.add_argument(
        "--target",
        choices=("jsonschema", "bigquery", "elasticsearch"),
        default="jsonschema",
        help="what to write: schemas, BigQuery table schemas, or Elasticsearch indexes (default jsonschema)",
    )
    one.add_argument("--contract", metavar="ID", help="only this one (default: all that the target can hold)")


def _health(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="LOG",
        help="attempt logs in the order they were written (.gz too), folders that hold some, or - for standard input",
    )
    parser.add_argument(
        "--batch-size", type=positive, default=1000, metavar="N", help="attempts of a run in a batch (default 1000)"
    )
    parser.add_argument(
        "--by",
        choices=("batch", "persona", "tier", "run"),
        default="batch",
        help="what attempts are counted together (default batch)",
    )
    parser.add_argument("--follow", action="store_true", help="go on, and tell what is new as the logs grow")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the document mens-health/1; one a line with --follow")
    form.add_argument("--csv", action="store_true", help="print one row a batch")
    parser.add_argument(
        "--cost",
        type=price,
        default=0.00045,
        metavar="USD",
        help="price of 1000 tokens in US dollars (default 0.00045)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "spark"),
        default="local",
        help="who counts: this program, or Spark (default local)",
    )
    parser.add_argument(
        "--workers",
        type=natural,
        metavar="N",
        help="processes that count a long backlog (default: one a core; at most 64)",
    )
    _search(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    _paths(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    _search(parser)


def _exporter(parser: argparse.ArgumentParser) -> None:
    _paths(parser)
    parser.add_argument("--listen", metavar="ADDRESS", help="serve /metrics on loopback, such as 127.0.0.1:9464")
    parser.add_argument("--textfile", type=Path, metavar="FILE", help="keep FILE.prom current, for a node_exporter")
    parser.add_argument("--once", action="store_true", help="print the metrics (or write --textfile) once and leave")
    parser.add_argument("--dashboards", type=Path, metavar="DIR", help="write the Grafana dashboards to DIR and leave")
    parser.add_argument("--every", type=duration, default=15.0, metavar="TIME", help="how often to write (default 15s)")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the bearer token that --listen asks for")
    parser.add_argument("--runs", type=positive, default=50, metavar="N", help="runs published at most (default 50)")
    parser.add_argument("--openmetrics", action="store_true", help="print as OpenMetrics (default: Prometheus text)")
    _search(parser)


def _kpi(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files of KPI records, or folders that hold some (default: the current directory)",
    )
    parser.add_argument("--json", action="store_true", help="print the document mens-kpi/1")
    parser.add_argument("--model", metavar="NAME", help="only this model, or a unique beginning of its name")
    parser.add_argument(
        "--against", metavar="PATH|MODEL", help="compare with the model of that file or folder, or of that name"
    )
    parser.add_argument("--force", action="store_true", help="compare even where the sets of tasks differ")


def _eval(parser: argparse.ArgumentParser) -> None:
    from mens_console.cli.eval import options

    options(parser)


def _gate(parser: argparse.ArgumentParser) -> None:
    from mens_console.cli.gate import options

    options(parser)


def _soak(parser: argparse.ArgumentParser) -> None:
    from mens_console.cli.soak import options

    options(parser)


def _bench(parser: argparse.ArgumentParser) -> None:
    from mens_console.cli.benchoptions import add

    add(parser)


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell to complete in")


CONSOLE: Final = Command("", "open the console", "mens_console.cli.console", _console, words="[PATH …]")
COMMANDS: Final = {
    command.name: command
    for command in (
        Command(
            "status",
            "say how every run is doing, worst first",
            "mens_console.cli.status",
            _status,
            "  mens-console status ~/runs\n  mens-console status --json | jq '.runs[].state'\n"
            "  set -g status-right '#(mens-console status --line ~/runs)'   # in tmux.conf",
            "[PATH …]",
        ),
        Command(
            "plot",
            "draw series in the plain terminal",
            "mens_console.cli.plot",
            _plot,
            "  mens-console plot llama-r16 loss eval_loss --log\n  mens-console plot ./runs/a grad_norm --x relative",
            "RUN METRIC…",
        ),
        Command(
            "replay",
            "watch what a run wrote as if it happened now",
            "mens_console.cli.replay",
            _replay,
            "  mens-console replay ./runs/llama-r16 --speed 60",
            "RUN",
        ),
        Command(
            "demo",
            "watch recorded real runs; needs no GPU and no network",
            "mens_console.cli.replay",
            _demo,
            "  mens-console demo --speed 10",
        ),
        Command(
            "export",
            "write a run's series as CSV",
            "mens_console.cli.export",
            _export,
            "  mens-console export llama-r16 --csv -o llama.csv\n"
            "  mens-console export ./runs/a --csv --long --metric loss",
            "RUN --csv",
        ),
        Command(
            "compare",
            "put runs side by side: settings that differ, and how they did",
            "mens_console.cli.compare",
            _compare,
            "  mens-console compare llama-r8 llama-r16\n  mens-console compare --json ./runs/*",
            "RUN RUN…",
        ),
        Command(
            "kpi",
            "product KPIs of models, with n and interval; compare two models",
            "mens_console.cli.kpi",
            _kpi,
            "  mens-console kpi eval/events.jsonl\n"
            "  mens-console kpi eval --model r16 --against r8   # 1 where a KPI of tier 1 is worse\n"
            "  mens-console kpi new/summary.json --against shipped/summary.json --json",
            "[PATH …]",
        ),
        Command(
            "eval",
            "score a model on a versioned set: tool use, style, guardrails",
            "mens_console.cli.eval",
            _eval,
            "  mens-console eval predictions.jsonl --gold eval_v1.1/gold.jsonl --style reports/\n"
            "  mens-console eval q4.jsonl --gold eval_v1.1/gold.jsonl --before f16.eval.json\n"
            "  mens-console eval new.jsonl --gold eval_v1.1/gold.jsonl --against eval_log.jsonl --json\n\n"
            "exit status here: 0 every required target is met · 1 one is missed or has no value · 2 wrong use, or\n"
            "something cannot be read, or is of another version of the set",
            "PREDICTIONS --gold FILE",
        ),
        Command(
            "gate",
            "may this release ship? profiles, evidence, verdicts and signed decisions",
            "mens_console.cli.gate",
            _gate,
            "  mens-console gate list\n  mens-console gate show phase3-release\n"
            "  mens-console gate lint ./release.toml\n  mens-console gate check phase3-release ./evidence\n\n"
            "`mens-console gate ACTION --help` tells the options of one action.\n\n"
            "exit status here: 0 nothing but a person's word is missing, and nothing is wrong · 1 it may not ship, or\n"
            "something is wrong with a profile · 2 wrong use, or a profile that cannot be read or judges nothing",
            "ACTION",
        ),
        Command(
            "bench",
            "measure a model server: throughput, latency, memory, context length",
            "mens_console.cli.bench",
            _bench,
            "  mens-console bench --url http://localhost:8000 --model llama --gpus 1 --watch-gpu --out 1.json\n"
            "  mens-console bench --url http://localhost:8000 --model llama --gpus 2 --single-gpu 1.json --out 2.json\n"
            "  mens-console bench --url http://localhost:8000 --model llama --quick --json | jq '.throughput[].mean'\n"
            "  mens-console gate check phase3-release 1.json 2.json\n\n"
            "exit status here: 0 measured · 1 something failed, and the report tells what was measured · 2 wrong use\n"
            "· 130 interrupted: what was finished is written",
            "--url URL --model NAME",
        ),
        Command(
            "soak",
            "hours of load on a model server: run, look at, stop and report",
            "mens_console.cli.soak",
            _soak,
            "  mens-console soak run --url http://127.0.0.1:8000 --model llama-r16 --rate 10 --duration 72h \\\n"
            "      --out soak-r16 --watch-pid 4711 --limit rss=80G --detach\n"
            "  mens-console soak status soak-r16\n"
            "  mens-console soak stop soak-r16\n"
            "  mens-console soak run --resume soak-r16   # after a crash, a reboot or a stop\n\n"
            "`mens-console soak ACTION --help` tells the options of one action.\n\n"
            "exit status here: 0 fine · 1 a soak died or is failing · 2 wrong use, or nothing of a soak is there",
            "ACTION",
        ),
        Command(
            "stage",
            "run a command as a stage of the pipeline, and record what it took",
            "mens_console.cli.stage",
            _stage,
            "  mens-console stage dataset --data train.jsonl -- python check.py train.jsonl\n"
            "  mens-console stage train --run outputs/r16 -- python train.py\n"
            "  mens-console stage export.merge -- python merge.py\n"
            "  mens-console stage --list\n\n"
            "The command's signals, output and exit status pass through. It may tell facts, one JSON object a line,\n"
            "in the file that $MENS_STAGE_FACTS names: parse_errors, rows, json_validity, lint, ast, answered, …",
            "NAME -- COMMAND…",
            STAGES,
            wraps=True,
        ),
        Command(
            "watch",
            "watch without a screen, and send notifications",
            "mens_console.cli.watch",
            _watch,
            "  mens-console watch ~/runs --notify\n"
            "  mens-console watch ~/runs --notify --once   # from cron\n"
            "  nohup mens-console watch ~/runs --notify --log ~/watch.jsonl >/dev/null 2>&1 &",
            "[PATH …]",
        ),
        Command(
            "health",
            "judge generation health from attempt logs: repairs, variety, tone, latency, drift",
            "mens_console.cli.health",
            _health,
            "  mens-console health runs/25K/generation.log\n"
            "  mens-console health runs/25K --follow\n"
            "  mens-console health attempts.jsonl --json | jq .tier.drift_reasons\n"
            "  mens-console health logs/*.gz --by run --csv > runs.csv\n\n"
            "exit status here: 1 a run drifts, or a critical band holds in the newest batch of a run · 2 nothing\n"
            "could be read or judged",
            "LOG…",
        ),
        Command(
            "alerts",
            "list, acknowledge and silence alerts; test how they reach you",
            "mens_console.cli.alerts",
            _alerts,
            "  mens-console alerts list ~/runs\n  mens-console alerts ack 3f2a91c0 --note 'restarting it'\n"
            "  mens-console alerts silence stall --run llama-r16 --for 2h --comment 'long evaluation'\n"
            "  mens-console alerts test nan_loss",
            "ACTION",
        ),
        Command(
            "exporter",
            "publish metrics for Prometheus, on loopback or as a file",
            "mens_console.cli.exporter",
            _exporter,
            "  mens-console exporter ~/runs --listen 127.0.0.1:9464\n"
            "  mens-console exporter ~/runs --textfile /var/lib/node_exporter/mens.prom\n"
            "  mens-console exporter ~/runs --once | promtool check metrics\n"
            "  mens-console exporter --dashboards ./grafana",
            "[PATH …]",
        ),
        Command(
            "contracts",
            "list, show, check and export the contracts of files",
            "mens_console.cli.contracts",
            _contracts,
            "  mens-console contracts list\n  mens-console contracts show mens_generation_attempt_v1\n"
            "  mens-console contracts check generation.log\n"
            "  mens-console contracts check --json runs/*/attempts.jsonl.gz | jq '.files[].verdict'\n"
            "  mens-console contracts export tables --target bigquery --contract mens_generation_attempt_v1\n\n"
            "`check` exits with 0 where every file fits, 1 where one does not, 2 where one cannot be read or is of no\n"
            "contract known here.",
            "ACTION",
        ),
        Command(
            "doctor",
            "check terminal, limits, folders, configuration and readers",
            "mens_console.cli.doctor",
            _doctor,
            "  mens-console doctor ~/runs",
            "[PATH …]",
        ),
        Command(
            "completion",
            "print a completion script",
            "mens_console.cli.completion",
            _completion,
            "  source <(mens-console completion bash)\n"
            "  mens-console completion fish > ~/.config/fish/completions/mens-console.fish",
            "bash|zsh|fish",
        ),
    )
}


class Parser(argparse.ArgumentParser):
    """An argument parser that never abbreviates options and fails in one line."""

    def __init__(self, command: Command) -> None:
        epilog = f"examples:\n{command.examples}\n\n{EXIT_CODES}" if command.examples else EXIT_CODES
        super().__init__(
            prog=f"{PROG} {command.name}".strip(),
            description=command.summary[0].upper() + command.summary[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.options(self)
        self._wraps = command.wraps
        if command.wraps:
            self.usage = f"{self.prog} NAME [options] -- COMMAND …\n       {self.prog} --list [--json] [--run DIR]"

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse; what follows the first `--` of a wrapping command is not looked at."""
        if not self._wraps:
            return super().parse_args(args)
        cut = args.index("--") if "--" in args else len(args)
        found, odd = self.parse_known_args(args[:cut])
        if odd:
            self.error(f"unrecognized arguments: {' '.join(odd)} (a command to run follows `--`)")
        found.argv = list(args[cut + 1 :])
        return found


def parser_of(command: Command) -> Parser:
    """Return the parser of one command."""
    parser = Parser(command)
    if command is CONSOLE:
        width = max(len(f"{c.name} {c.words}") for c in COMMANDS.values()) + 2
        listing = "\n".join(f"  {f'{c.name} {c.words}'.strip():<{width}}{c.summary}" for c in COMMANDS.values())
        parser.usage = f"{PROG} [PATH …] [options]\n       {PROG} COMMAND …"
        parser.description = "Watch every training run of this box: how it is doing, and what is wrong with it and why."
        parser.epilog = (
            f"commands (each has its own --help):\n{listing}\n\n"
            "examples:\n  mens-console                  watch the runs below the current directory\n"
            "  mens-console ~/runs /data/ft  watch these folders\n"
            f"  mens-console demo             see it at work on recorded runs\n\n{EXIT_CODES}"
        )
    return parser


def positive(text: str) -> int:
    """Return a whole number of at least 1; the function's name is what argparse calls a bad one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def price(text: str) -> float:
    """Return US dollars, at least 0."""
    value = float(text)
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no price in US dollars such as 0.00045")
    return value


def duration(text: str) -> float:
    """Return seconds: a positive number with s, m, h, d or w behind it; minutes where there is no letter."""
    sizes = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
    size = sizes.get(text[-1:], 0.0)
    try:
        value = float(text[:-1]) * size if size else float(text) * 60.0
    except ValueError:
        value = 0.0
    if not 0 < value <= 366 * 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 2h or 1d, of a year at most")
    return value


def speed(text: str) -> float:
    """Return a positive factor; infinity for `max`."""
    if text == "max":
        return float("inf")
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number or `max`")
    return value

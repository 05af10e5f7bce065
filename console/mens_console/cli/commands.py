"""Every command: what it does, its options, its examples, and where its work is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.cli import recordoptions, runoptions, watchoptions

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

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
    exits: str = EXIT_CODES
    """What its exit status means."""


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


CONSOLE: Final = Command("", "open the console", "mens_console.cli.console", runoptions.console, words="[PATH …]")
COMMANDS: Final = {
    command.name: command
    for command in (
        Command(
            "status",
            "say how every run is doing, worst first",
            "mens_console.cli.status",
            runoptions.status,
            "  mens-console status ~/runs\n  mens-console status --json | jq '.runs[].state'\n"
            "  set -g status-right '#(mens-console status --line ~/runs)'   # in tmux.conf",
            "[PATH …]",
        ),
        Command(
            "plot",
            "draw series in the plain terminal",
            "mens_console.cli.plot",
            runoptions.plot,
            "  mens-console plot llama-r16 loss eval_loss --log\n  mens-console plot ./runs/a grad_norm --x relative",
            "RUN METRIC…",
        ),
        Command(
            "replay",
            "watch what a run wrote as if it happened now",
            "mens_console.cli.replay",
            runoptions.replay,
            "  mens-console replay ./runs/llama-r16 --speed 60",
            "RUN",
        ),
        Command(
            "demo",
            "watch recorded real runs; needs no GPU and no network",
            "mens_console.cli.replay",
            runoptions.demo,
            "  mens-console demo --speed 10",
        ),
        Command(
            "export",
            "write a run's series as CSV",
            "mens_console.cli.export",
            runoptions.export,
            "  mens-console export llama-r16 --csv -o llama.csv\n"
            "  mens-console export ./runs/a --csv --long --metric loss",
            "RUN --csv",
        ),
        Command(
            "compare",
            "put runs side by side: settings that differ, and how they did",
            "mens_console.cli.compare",
            runoptions.compare,
            "  mens-console compare llama-r8 llama-r16\n  mens-console compare --json ./runs/*",
            "RUN RUN…",
        ),
        Command(
            "logs",
            "print log streams, merged by time: of runs, folders or files",
            "mens_console.cli.logs",
            runoptions.logs,
            "  mens-console logs llama-r16\n"
            "  mens-console logs ~/runs /var/log/vllm --since 10m --level warning\n"
            "  mens-console logs llama-r16 --grep 'nan|overflow' -n 20\n"
            "  mens-console logs llama-r16 --follow --json | jq -r 'select(.level == \"error\").text'",
            "[RUN …]",
            exits="exit status: 0 lines were printed · 1 none passed · 2 wrong use, or nothing readable\n"
            "· 130 interrupted",
        ),
        Command(
            "kpi",
            "product KPIs of models, with n and interval; compare two models",
            "mens_console.cli.kpi",
            recordoptions.kpi,
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
            "  mens-console eval new.jsonl --gold eval_v1.1/gold.jsonl --against eval_log.jsonl --json",
            "PREDICTIONS --gold FILE",
            exits="exit status: 0 every required target is met · 1 one is missed or has no value · 2 wrong use, or\n"
            "something cannot be read, or is of another version of the set",
        ),
        Command(
            "gate",
            "may this release ship? profiles, evidence, verdicts and signed decisions",
            "mens_console.cli.gate",
            _gate,
            "  mens-console gate list\n  mens-console gate show phase3-release\n"
            "  mens-console gate lint ./release.toml\n  mens-console gate check phase3-release ./evidence\n\n"
            "`mens-console gate ACTION --help` tells the options of one action.",
            "ACTION",
            exits="exit status: 0 nothing but a person's word is missing, and nothing is wrong · 1 it may not ship,\n"
            "or something is wrong with a profile · 2 wrong use, or a profile that cannot be read or judges nothing",
        ),
        Command(
            "bench",
            "measure a model server: throughput, latency, memory, context length",
            "mens_console.cli.bench",
            _bench,
            "  mens-console bench --url http://localhost:8000 --model llama --gpus 1 --watch-gpu --out 1.json\n"
            "  mens-console bench --url http://localhost:8000 --model llama --gpus 2 --single-gpu 1.json --out 2.json\n"
            "  mens-console bench --url http://localhost:8000 --model llama --quick --json | jq '.throughput[].mean'\n"
            "  mens-console gate check phase3-release 1.json 2.json",
            "--url URL --model NAME",
            exits="exit status: 0 measured · 1 something failed, and the report tells what was measured · 2 wrong use\n"
            "· 130 interrupted: what was finished is written",
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
            "`mens-console soak ACTION --help` tells the options of one action.",
            "ACTION",
            exits="exit status: 0 fine · 1 a soak died or is failing · 2 wrong use, or nothing of a soak is there",
        ),
        Command(
            "stage",
            "run a command as a stage of the pipeline, and record what it took",
            "mens_console.cli.stage",
            runoptions.stage,
            "  mens-console stage dataset --data train.jsonl -- python check.py train.jsonl\n"
            "  mens-console stage train --run outputs/r16 -- python train.py\n"
            "  mens-console stage export.merge -- python merge.py\n"
            "  mens-console stage --list\n\n"
            "The command's signals, output and exit status pass through. It may tell facts, one JSON object a line,\n"
            "in the file that $MENS_STAGE_FACTS names: parse_errors, rows, json_validity, lint, ast, answered, …",
            "NAME -- COMMAND…",
            runoptions.STAGES,
            wraps=True,
        ),
        Command(
            "watch",
            "watch without a screen, and send notifications",
            "mens_console.cli.watch",
            watchoptions.watch,
            "  mens-console watch ~/runs --notify\n"
            "  mens-console watch ~/runs --notify --once   # from cron\n"
            "  nohup mens-console watch ~/runs --notify --log ~/watch.jsonl >/dev/null 2>&1 &",
            "[PATH …]",
        ),
        Command(
            "health",
            "judge generation health from attempt logs: repairs, variety, tone, latency, drift",
            "mens_console.cli.health",
            recordoptions.health,
            "  mens-console health runs/25K/generation.log\n"
            "  mens-console health runs/25K --follow\n"
            "  mens-console health attempts.jsonl --json | jq .tier.drift_reasons\n"
            "  mens-console health logs/*.gz --by run --csv > runs.csv",
            "LOG…",
            exits="exit status: 0 fine · 1 a run drifts, or a critical band holds in the newest batch of a run\n"
            "· 2 wrong use, or nothing could be read or judged",
        ),
        Command(
            "alerts",
            "list, acknowledge and silence alerts; test how they reach you",
            "mens_console.cli.alerts",
            watchoptions.alerts,
            "  mens-console alerts list ~/runs\n  mens-console alerts ack 3f2a91c0 --note 'restarting it'\n"
            "  mens-console alerts silence stall --run llama-r16 --for 2h --comment 'long evaluation'\n"
            "  mens-console alerts test nan_loss",
            "ACTION",
        ),
        Command(
            "exporter",
            "publish metrics for Prometheus, on loopback or as a file",
            "mens_console.cli.exporter",
            watchoptions.exporter,
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
            recordoptions.contracts,
            "  mens-console contracts list\n  mens-console contracts show mens_generation_attempt_v1\n"
            "  mens-console contracts check generation.log\n"
            "  mens-console contracts check --json runs/*/attempts.jsonl.gz | jq '.files[].verdict'\n"
            "  mens-console contracts export tables --target bigquery --contract mens_generation_attempt_v1",
            "ACTION",
            exits="exit status: 0 every file fits its contract · 1 one does not · 2 wrong use, or one cannot be read\n"
            "or is of no contract known here",
        ),
        Command(
            "doctor",
            "check terminal, limits, folders, configuration and readers",
            "mens_console.cli.doctor",
            watchoptions.doctor,
            "  mens-console doctor ~/runs",
            "[PATH …]",
            exits="exit status: 0 fine · 1 a check fails · 2 wrong use",
        ),
        Command(
            "completion",
            "print a completion script",
            "mens_console.cli.completion",
            watchoptions.completion,
            "  source <(mens-console completion bash)\n"
            "  mens-console completion fish > ~/.config/fish/completions/mens-console.fish",
            "bash|zsh|fish",
        ),
    )
}

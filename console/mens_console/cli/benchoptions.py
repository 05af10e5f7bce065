"""What `mens-console bench` may be told, and the plan that follows from it. Nothing is looked up here."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli import serveroptions
from mens_console.cli.errors import CommandError
from mens_console.cli.values import natural, positive

if TYPE_CHECKING:
    from mens_console.benchmark.plan import Plan

_LENGTH: Final = re.compile(r"(\d{1,9})(k?)", re.IGNORECASE)
_SIZES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_MOST: Final = 512
"""Of requests at the same time."""
_SHORTEST: Final = 1024
"""Of a rung: its needles and question are some hundred tokens, its answer 1 %."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _server(parser)
    _measured(parser)
    _written(parser)


def _server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the server")
    group.add_argument("--url", required=True, metavar="URL", help=serveroptions.URL)
    serveroptions.model(group, required=True)
    serveroptions.api(group)
    serveroptions.gpus(group, "GPUs that serve, in tensor parallel (else: 1)")
    group.add_argument(
        "--single-gpu", type=Path, metavar="FILE", help="an earlier report on one GPU, for the efficiency of several"
    )
    group.add_argument("--parameters", type=amount, metavar="N", help="of the model, such as 7B, for the record")
    serveroptions.tags(group)
    serveroptions.key_file(group)
    serveroptions.timeout(group, 600.0, "600s")


def _measured(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is measured")
    group.add_argument("--warmup", type=natural, metavar="N", help="generations before anything is (default 10)")
    group.add_argument("--batches", type=batches, metavar="N,…", help="requests at once, or none (default 1,4,8,16)")
    group.add_argument("--runs", type=positive, metavar="N", help="at each batch size (default 5)")
    group.add_argument("--tokens", type=positive, metavar="N", help="of each request of a run (default 1000)")
    group.add_argument("--requests", type=natural, metavar="N", help="one by one, for latencies (default 100)")
    group.add_argument("--answer-tokens", type=positive, metavar="N", help="of each of those (default 128)")
    group.add_argument(
        "--prompt-tokens", type=positive, metavar="N", help="of every prompt but the ladder's (default 50)"
    )
    group.add_argument(
        "--context", type=ladder, metavar="N,…", help="lengths to climb, or none (default 4096,8192,16384,32768)"
    )
    group.add_argument("--items", type=positive, metavar="N", help="questions at each length (default 20)")
    group.add_argument(
        "--seed", type=natural, metavar="N", help="of the prompts (default: a new one, so that no cache knows them)"
    )
    group.add_argument(
        "--watch-gpu",
        type=indexes,
        nargs="?",
        const=(),
        metavar="INDEX,…",
        help="GPU memory of this box, of these GPUs or of all: where the server runs here",
    )
    group.add_argument("--quick", action="store_true", help="a look in minutes: too little of everything for a verdict")


def _written(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is written")
    group.add_argument("--out", type=Path, metavar="FILE", help="the report (default: bench-MODEL-TIME.json here)")
    group.add_argument("--force", action="store_true", help="write over FILE where it is there")
    group.add_argument("--json", action="store_true", help="print the document mens-bench/1; no file without --out")


def plan_of(arguments: argparse.Namespace, url: str, api: Any) -> Plan:
    """Return what is to be done. Raises `CommandError`."""
    import secrets

    from mens_console.benchmark.plan import Plan, quick

    names = ("warmup", "batches", "runs", "tokens", "requests", "answer_tokens", "prompt_tokens", "context", "items")
    told = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.single_gpu is not None and (arguments.gpus or 1) < 2:
        raise CommandError("--single-gpu compares several GPUs with one; say how many with --gpus N")
    settings: dict[str, Any] = quick(told) if arguments.quick else told
    plan = Plan(
        url=url,
        model=arguments.model,
        api=api,
        gpus=arguments.gpus or 1,
        gpus_told=arguments.gpus is not None,
        seed=secrets.randbelow(10**9) if arguments.seed is None else arguments.seed,
        watch_gpu=arguments.watch_gpu is not None,
        gpu_indexes=arguments.watch_gpu or (),
        parameters=arguments.parameters,
        quick=arguments.quick,
        tags=dict(arguments.tags),
        **settings,
    )
    if not (plan.batches or plan.requests or plan.context):
        raise CommandError("--batches none --requests 0 --context none leave nothing to measure; give one of them")
    if plan.watch_gpu and 1 not in plan.batches:
        raise CommandError("GPU memory is watched during the runs at batch 1; give --batches with 1, or no --watch-gpu")
    return plan


def batches(text: str) -> tuple[int, ...]:
    """Return numbers of requests at the same time."""
    if text == "none":
        return ()
    return tuple(
        sorted({_whole(part, 1, _MOST, f"batch sizes such as 1,4,8,16, {_MOST} at most") for part in text.split(",")})
    )


def ladder(text: str) -> tuple[int, ...]:
    """Return lengths in tokens; 16k are 16384."""
    if text == "none":
        return ()
    found = set()
    for part in text.split(","):
        matched = _LENGTH.fullmatch(part.strip())
        tokens = int(matched[1]) * (1024 if matched[2] else 1) if matched else 0
        if tokens < _SHORTEST:
            raise argparse.ArgumentTypeError(f"{text!r} are no lengths such as 4096,8192 or 4k,8k, from {_SHORTEST} on")
        found.add(tokens)
    return tuple(sorted(found))


def indexes(text: str) -> tuple[int, ...]:
    """Return indexes of GPUs."""
    return tuple(sorted({_whole(part, 0, 1023, "indexes of GPUs such as 0,1") for part in text.split(",")}))


def amount(text: str) -> int:
    """Return a whole number, such as of 7B."""
    value = serveroptions.amount(text, _SIZES)
    if not 1 <= value <= 10**15:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of parameters such as 7B or 500M")
    return round(value)


def _whole(text: str, least: int, most: int, wanted: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {wanted}")
    return int(text)

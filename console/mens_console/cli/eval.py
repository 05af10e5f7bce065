"""`mens-console eval PREDICTIONS --gold GOLD`: scores of a model on a versioned set, logged, with a verdict.

Exit status: 0 every required target is met · 1 one is missed or has no value · 2 wrong use, or something unreadable.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mens_console.cli.common import colour
from mens_console.cli.errors import NO, OK, CommandError
from mens_console.cli.status import paint, plain
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import argparse

ROLES = ("candidate", "shipped", "baseline", "quantized", "qlora")
"""As `mens-eval/1` has them."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="answers of the model, JSON Lines")
    parser.add_argument("--gold", type=Path, required=True, metavar="FILE", help="the set with its gold answers")
    parser.add_argument("--style", type=Path, metavar="DIR", help="reports of style tools: ESLint JSON, tsc, scores")
    parser.add_argument("--tools", type=Path, metavar="FILE", help="JSON Schemas of the tools' arguments, by tool")
    parser.add_argument("--against", type=Path, metavar="FILE", help="the last shipped evaluation, or a log with it")
    parser.add_argument("--before", type=Path, metavar="FILE", help="the same model's evaluation before quantization")
    parser.add_argument("--eval-set", default="", metavar="NAME@VERSION", help="the set's version, where it tells none")
    parser.add_argument("--model", metavar="NAME", help="name of the model (default: as the predictions tell it)")
    parser.add_argument("--base-model", metavar="NAME", help="what it was fine-tuned from, for the log")
    parser.add_argument("--dataset-version", metavar="VERSION", help="of the data it was trained on, for the log")
    parser.add_argument("--role", choices=ROLES, help="what it stands for in comparisons")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to log and write (default: beside PREDICTIONS)")
    parser.add_argument("--no-log", action="store_true", help="write and log nothing")
    parser.add_argument("--json", action="store_true", help="print the document mens-eval/1")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write, log and print."""
    from mens_console.cli.evaltable import lines
    from mens_console.evaluation.document import document
    from mens_console.evaluation.evaluate import Request, evaluate
    from mens_console.evaluation.log import append
    from mens_console.evaluation.rows import UnreadableError

    facts = {"id": arguments.model, "base": arguments.base_model, "dataset_version": arguments.dataset_version}
    request = Request(
        arguments.predictions, arguments.gold, arguments.style, arguments.against, arguments.before, arguments.tools,
        arguments.eval_set, arguments.role, {key: safe_text(value, 120) for key, value in facts.items() if value},
    )  # fmt: skip
    written = ""
    try:
        done = evaluate(request, time.time())
        if not arguments.no_log:
            folder: Path = arguments.out or arguments.predictions.parent
            append(folder, done)
            written = str(_write(folder / f"{arguments.predictions.stem}.eval.json", document(done)))
    except UnreadableError as error:
        raise CommandError(str(error)) from None
    if arguments.json:
        print(json.dumps(document(done), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines(done, paint if colour(sys.stdout) else plain, written)))
    return OK if done.good else NO


def _write(path: Path, content: dict[str, Any]) -> Path:
    """Write the document; it appears whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CommandError(f"{path}: it could not be written ({error.strerror}); give another --out DIR") from None
    return path

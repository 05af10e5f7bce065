"""What both `soak run` and `bench` may be told of a model server and of the record, and how amounts are read.

Nothing is looked up here; a bad word is refused with what it should look like.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from mens_console.cli.values import duration, positive

URL: Final = "http://host:port, …/v1, or a whole endpoint"
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def model(group: argparse._ArgumentGroup, *, required: bool) -> None:
    """Declare the model's name."""
    group.add_argument("--model", required=required, metavar="NAME", help="the model's name, as the server calls it")


def api(group: argparse._ArgumentGroup) -> None:
    """Declare the endpoint."""
    group.add_argument(
        "--api", choices=("chat", "completions"), help="which endpoint (default: as URL says, else chat)"
    )


def key_file(group: argparse._ArgumentGroup) -> None:
    """Declare the file of the API key."""
    group.add_argument(
        "--key-file", type=Path, metavar="FILE", help="the API key (default: $MENS_API_KEY, $OPENAI_API_KEY)"
    )


def gpus(group: argparse._ArgumentGroup, says: str) -> None:
    """Declare on how many GPUs the server runs."""
    group.add_argument("--gpus", type=positive, metavar="N", help=says)


def tags(group: argparse._ArgumentGroup) -> None:
    """Declare what else is to be known of a measurement."""
    group.add_argument(
        "--tag",
        type=tag,
        action="append",
        default=[],
        dest="tags",
        metavar="K=V",
        help="for the record, such as quantization=fp8 (may be given again)",
    )


def timeout(group: argparse._ArgumentGroup, default: float | None, says: str) -> None:
    """Declare after which time a request failed; `says` is the default in words."""
    help_ = f"after which a request failed (default {says})"
    group.add_argument("--timeout", type=wait, default=default, metavar="TIME", help=help_)


def wait(text: str) -> float:
    """Return seconds; the unit (ms, s, m, h) must be there, for 200 may be meant as either."""
    if text.lower().endswith("ms"):
        value = real(text[:-2]) / 1000.0
        if 0 < value < 86_400:
            return value
    elif text[-1:].isalpha():
        return duration(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no time with its unit, such as 200ms, 60s or 10m")


def tag(text: str) -> tuple[str, str]:
    """Return a name and its value."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no tag such as gpus=2")
    return name, value


def amount(text: str, sizes: dict[str, float]) -> float:
    """Return a number times its unit, one of `sizes` in small letters; 0 where it is none."""
    matched = _AMOUNT.fullmatch(text.strip())
    return float(matched[1]) * sizes.get(matched[2].lower(), 0.0) if matched else 0.0


def real(text: str) -> float:
    """Return a number, -1 where it is none."""
    try:
        value = float(text)
    except ValueError:
        return -1.0
    return value if value == value else -1.0

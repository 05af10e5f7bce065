"""What `mens-console soak run` may be told, and how amounts are read: sizes, waits, limits and tags.

Nothing is looked up here; a bad word is refused with what it should look like. What belongs to the plan has no default
here, so that what was said can be told from what was not.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Final

from mens_console.cli.values import duration, natural, positive

URL_VARIABLE: Final = "MENS_SOAK_URL"
"""For an address with a password, which has no place in a list of processes."""
LIMITS: Final = ("rss", "gpu_memory", "kv_cache")
NEEDED: Final = ("url", "model", "rate", "duration", "out")
"""What a new soak cannot do without, by the names of the arguments."""
_SIZES: Final = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", re.IGNORECASE)
_MOST_RATE: Final = 10_000.0


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _what(parser)
    _requests(parser)
    _seen(parser)
    _driver(parser)


def _what(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is run")
    group.add_argument(
        "--url",
        metavar="URL",
        default=os.environ.get(URL_VARIABLE),
        help=f"the server: http://host:port, …/v1, or a whole endpoint (default: ${URL_VARIABLE})",
    )
    group.add_argument("--model", metavar="NAME", help="the model's name, as the server calls it")
    group.add_argument("--rate", type=rate, metavar="N", help="requests a second, by schedule")
    group.add_argument("--duration", type=duration, metavar="TIME", help="how long: 90s, 70m, 72h, 3d")
    group.add_argument(
        "--out", type=Path, metavar="DIR", help="the soak's directory; one that is there is gone on with"
    )
    group.add_argument("--resume", type=Path, metavar="DIR", help="go on with the soak of DIR by its own plan")


def _requests(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("requests")
    group.add_argument(
        "--arrivals",
        choices=("constant", "poisson"),
        help="evenly spaced, or at random times (default constant)",
    )
    group.add_argument("--seed", type=natural, metavar="N", help="of random arrivals and prompts (default 0)")
    group.add_argument(
        "--api", choices=("chat", "completions"), help="which endpoint (default: as URL says, else chat)"
    )
    group.add_argument("--max-tokens", type=positive, metavar="N", help="of an answer (default 128)")
    group.add_argument("--prompt-tokens", type=positive, metavar="N", help="of a prompt (default 64)")
    group.add_argument("--key-file", type=Path, metavar="FILE", help="the API key (default: of the environment)")
    group.add_argument(
        "--no-usage", action="store_const", const=False, dest="ask_usage", help="do not ask the server to count tokens"
    )
    group.add_argument("--prompts", type=Path, metavar="FILE", help="prompts of your own, JSON Lines or one a line")
    group.add_argument("--timeout", type=wait, metavar="TIME", help="after which a request failed (default 60s)")


def _seen(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is looked at")
    group.add_argument("--probe-path", metavar="PATH", help="where health is looked at (default: /health, or models)")
    group.add_argument(
        "--watch-pid", type=positive, metavar="PID", help="the server's process here: its memory, and its children's"
    )
    group.add_argument(
        "--limit",
        type=limit,
        action="append",
        default=[],
        dest="limits",
        metavar="LEVEL=AMOUNT",
        help="where a level ends: rss=80G, gpu_memory=79G, kv_cache=95%% (may be given again)",
    )
    group.add_argument("--slo-ttft", type=wait, metavar="TIME", help="first token of a good answer (default 200ms)")
    group.add_argument("--slo-itl", type=wait, metavar="TIME", help="mean gap of a good answer (default 60ms)")
    group.add_argument("--uptime-target", type=share, metavar="SHARE", help="of the error budget (default 99.9%%)")
    group.add_argument("--gpus", type=positive, metavar="N", help="GPUs that the server runs on, for the record")
    group.add_argument(
        "--tag",
        type=tag,
        action="append",
        default=[],
        dest="tags",
        metavar="K=V",
        help="for the record, as often as needed",
    )


def _driver(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the driver")
    group.add_argument("--detach", action="store_true", help="leave the driver running by itself, and return")
    group.add_argument("--wait", type=wait, default=0.0, metavar="TIME", help="for a server that is not up yet")
    group.add_argument("--no-preflight", action="store_true", help="do not try one request before it begins")
    group.add_argument(
        "--max-in-flight",
        type=positive,
        default=10_000,
        metavar="N",
        help="requests that may be open at once; what is due beyond is skipped and told (default 10000)",
    )
    group.add_argument(
        "--max-disk",
        type=size,
        default=4 * 2**30,
        metavar="SIZE",
        help="of single requests, the oldest of which are discarded; minutes stay (default 4Gi)",
    )
    group.add_argument("--json", action="store_true", help="print one JSON object a line instead")


def rate(text: str) -> float:
    """Return requests a second."""
    value = _number(text)
    if not 0 < value <= _MOST_RATE:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: requests a second, above 0, {_MOST_RATE:.0f} at most")
    return value


def wait(text: str) -> float:
    """Return seconds; the unit (ms, s, m, h) must be there, for 200 may be meant as either."""
    if text.lower().endswith("ms"):
        value = _number(text[:-2]) / 1000.0
        if 0 < value < 86_400:
            return value
    elif text[-1:].isalpha():
        return duration(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no time with its unit, such as 200ms, 60s or 10m")


def size(text: str) -> int:
    """Return bytes: a number with k, M, G or T (decimal), or Ki, Mi, Gi or Ti (binary)."""
    matched = _SIZE.fullmatch(text.strip())
    if (
        matched is None
        or matched[2].lower() not in _SIZES
        or not (bytes_ := float(matched[1]) * _SIZES[matched[2].lower()])
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 80G, 512M or 4Gi")
    return int(bytes_)


def share(text: str) -> float:
    """Return a share in (0, 1): a number, or one with a percent sign."""
    value = _number(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 0.999 or 99.9%")
    return value


def limit(text: str) -> tuple[str, float]:
    """Return a level's name and where it ends."""
    name, _, amount = text.partition("=")
    if name not in LIMITS or not amount:
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; give one of {', '.join(LIMITS)} as rss=80G")
    if name != "kv_cache":
        return name, float(size(amount))
    return name, 1.0 if amount in ("1", "1.0", "100%") else share(amount)


def tag(text: str) -> tuple[str, str]:
    """Return a name and its value."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no tag such as gpus=2")
    return name, value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return -1.0
    return value if value == value else -1.0

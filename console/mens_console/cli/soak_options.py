"""What `mens-console soak run` may be told, and how amounts are read: sizes, waits, limits and tags.

Nothing is looked up here; a bad word is refused with what it should look like. What belongs to the plan has no default
here, so that what was said can be told from what was not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from mens_console.cli import serveroptions
from mens_console.cli.serveroptions import real, wait
from mens_console.cli.values import duration, natural, positive

URL_VARIABLE: Final = "MENS_SOAK_URL"
"""For an address with a password, which has no place in a list of processes."""
LIMITS: Final = ("rss", "gpu_memory", "kv_cache")
NEEDED: Final = ("url", "model", "rate", "duration", "out")
"""What a new soak cannot do without, by the names of the arguments."""
_SIZES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_MOST_RATE: Final = 10_000.0
_MOST_BYTES: Final = 1e18


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
        help=f"the server: {serveroptions.URL} (default: ${URL_VARIABLE})",
    )
    serveroptions.model(group, required=False)
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
    serveroptions.api(group)
    group.add_argument("--max-tokens", type=positive, metavar="N", help="of an answer (default 128)")
    group.add_argument("--prompt-tokens", type=positive, metavar="N", help="of a prompt (default 64)")
    serveroptions.key_file(group)
    group.add_argument(
        "--no-usage", action="store_const", const=False, dest="ask_usage", help="do not ask the server to count tokens"
    )
    group.add_argument("--prompts", type=Path, metavar="FILE", help="prompts of your own, JSON Lines or one a line")
    serveroptions.timeout(group, None, "60s")


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
    serveroptions.gpus(group, "GPUs that the server runs on, for the record")
    serveroptions.tags(group)


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
    value = real(text)
    if not 0 < value <= _MOST_RATE:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: requests a second, above 0, {_MOST_RATE:.0f} at most")
    return value


def size(text: str) -> int:
    """Return bytes: a number with k, M, G or T (decimal), or Ki, Mi, Gi or Ti (binary)."""
    bytes_ = serveroptions.amount(text.strip().removesuffix("B").removesuffix("b"), _SIZES)
    if not 1 <= bytes_ <= _MOST_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 80G, 512M or 4Gi")
    return int(bytes_)


def share(text: str) -> float:
    """Return a share in (0, 1): a number, or one with a percent sign."""
    value = real(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
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

"""What numbers and times on the command line may be; the function's name is what argparse calls a bad one."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
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

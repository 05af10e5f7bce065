"""Colours that look evenly spaced: a ramp of equal steps of lightness through given hues.

Björn Ottosson's OKLab (2020), because equal steps in its lightness look equal. Numbers only; no style, no theme.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Rgb: TypeAlias = tuple[int, int, int]


def ramp(stops: Sequence[Rgb], count: int, low: float, high: float) -> list[Rgb]:
    """Return `count` colours through the hues of `stops`, their OKLab lightness even from `low` to `high` (0 … 1)."""
    points = np.array([to_oklab(stop) for stop in stops])
    at = np.linspace(0.0, len(stops) - 1, count)
    colours = np.stack([np.interp(at, np.arange(len(stops)), points[:, i]) for i in range(3)], axis=1)
    colours[:, 0] = np.linspace(low, high, count)
    return [from_oklab(*colour) for colour in colours.tolist()]


def lightness(colour: Rgb) -> float:
    """Return the OKLab lightness of a colour, 0 black to 1 white."""
    return to_oklab(colour)[0]


def to_oklab(colour: Rgb) -> tuple[float, float, float]:
    """Return (lightness, green–red, blue–yellow) of an sRGB colour."""
    r, g, b = (c / 3294.6 if c <= 10.31475 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    l = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)  # noqa: E741
    m = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    )


def from_oklab(lightness: float, a: float, b: float) -> Rgb:
    """Return the sRGB colour; one that no screen can show loses colour until it can be shown."""
    for keep in (1.0, 0.85, 0.7, 0.5, 0.3):
        linear = _linear(lightness, a * keep, b * keep)
        if all(-1e-3 <= c <= 1.001 for c in linear):
            break
    else:
        linear = _linear(lightness, 0.0, 0.0)
    red, green, blue = (_gamma(c) for c in linear)
    return red, green, blue


def _linear(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )


def _gamma(c: float) -> int:
    c = min(max(c, 0.0), 1.0)
    return round(255 * (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055))

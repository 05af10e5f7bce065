"""The two looks of the console, dark and light: calm surfaces, and saturated colour only where something is wrong.

Colours are named here and nowhere else; everything else asks for a meaning.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="mens-dark",
    dark=True,
    primary="#5fb3d9",
    secondary="#a99be0",
    accent="#d9a65f",
    success="#7cc48a",
    warning="#e8b339",
    error="#f2706b",
    foreground="#d7dde3",
    background="#11161b",
    surface="#161c22",
    panel="#1f2830",
    variables={"block-cursor-background": "#2a4152", "block-cursor-foreground": "#ffffff", "border": "#33414d"},
)
LIGHT: Final = Theme(
    name="mens-light",
    dark=False,
    primary="#11638c",
    secondary="#5b4aa8",
    accent="#8a5a0c",
    success="#23713a",
    warning="#8f5a00",
    error="#b3261e",
    foreground="#1d252c",
    background="#fbfbf9",
    surface="#f1f2f0",
    panel="#e3e6e6",
    variables={"block-cursor-background": "#c4dbe8", "block-cursor-foreground": "#0d1317", "border": "#b7c0c6"},
)
THEMES: Final = (DARK, LIGHT)
DEFAULT: Final = DARK.name
SHORT: Final = {"dark": DARK.name, "light": LIGHT.name}


def theme_name(wanted: str | None, known: set[str]) -> str:
    """Return the theme to use: ours by its short name, any known one by its own, else the default."""
    name = SHORT.get(wanted or "", wanted or DEFAULT)
    return name if name in known else DEFAULT

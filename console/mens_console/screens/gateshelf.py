"""The gate before a profile is chosen: what can be asked of a release, one of it under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.gate import desk
from mens_console.ingest.text import safe_text
from mens_console.screens.gateasks import choice_line, name_room
from mens_console.screens.sheet import Line, heading, prose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mens_console.gate.desk import Choice
    from mens_console.screens.words import Ink

_WIDE: Final = 96


class Shelf:
    """The profiles to choose from, and the place of the cursor among them."""

    def __init__(self) -> None:
        self.choices: tuple[Choice, ...] = ()
        self._place = 0

    def look(self, roots: Sequence[Path]) -> None:
        """Read the profiles anew; the cursor stays on its own."""
        before = self.chosen
        self.choices = tuple(desk.choices(roots))
        names = [one.name for one in self.choices]
        self._place = names.index(before.name) if before is not None and before.name in names else 0

    @property
    def chosen(self) -> Choice | None:
        """The profile under the cursor."""
        return self.choices[self._place] if self._place < len(self.choices) else None

    def move(self, by: int) -> None:
        """Go to another profile."""
        self._place = min(max(self._place + by, 0), max(len(self.choices) - 1, 0))

    def lines(self, roots: Sequence[Path], width: int) -> list[Line]:
        """Return the page."""
        width = min(width, _WIDE)
        lines: list[Line] = [(("No profile chosen yet: nothing is judged.", "strong"),)]
        lines += prose(
            "↑↓ and ⏎ choose what is asked of a release; e names the evidence, R the release.", width, "accent"
        )
        lines.append(())
        room = name_room((one.name for one in self.choices), width)
        for place, one in enumerate(self.choices):
            ink: Ink = "muted" if one.usable else "warn"
            lines.append(choice_line(one.name, one.told, room, width, here=place == self._place, ink=ink))
        if (chosen := self.chosen) is not None:
            lines += [(), *prose(safe_text(chosen.about or chosen.told, 800), width, "" if chosen.usable else "warn")]
        lines += heading("Evidence is looked for below")
        lines += [((f"  {safe_text(str(root), width)}", ""),) for root in roots] or [(("  nothing", "warn"),)]
        lines += prose(
            "Results of lm-eval, vLLM, guidellm, aiperf, coverage.json, radon, interrogate, JUnit XML, and this "
            "console's own records count. Your own profiles lie beside the configuration or in a watched folder, as "
            "*.toml. The same without a screen: mens-console gate list", width, "muted",
        )  # fmt: skip
        return lines

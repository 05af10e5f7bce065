"""Steps of a process side by side: where it stands in one line, or two where the line is too short.

It knows titles, glyphs and words; what a step is and when it is done is decided by whoever fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment

from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.geometry import Size
    from textual.strip import Strip

LINES: Final = 2
GAP: Final = "  "


class Step(NamedTuple):
    """One step: its title, its state as glyph and word, and its tone ("", good, warning, critical, info, muted).

    `current` is where the process stands. A `plain` step's word says no more than its glyph and gives way first.
    """

    title: str
    glyph: str
    word: str
    tone: str = ""
    current: bool = False
    plain: bool = False


class Stepper(Canvas):
    """The steps in their order; words of plain steps, then all words but the current one's, then titles give way."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stepper--good", "stepper--warning", "stepper--critical", "stepper--info", "stepper--muted",
        "stepper--current",
    }  # fmt: skip
    DEFAULT_CSS = """
    Stepper {
        height: auto;
        width: 1fr;
        & .stepper--good { color: $text-success; }
        & .stepper--warning { color: $text-warning; }
        & .stepper--critical { color: $text-error; text-style: bold; }
        & .stepper--info { color: $text-primary; }
        & .stepper--muted { color: $text-muted; }
        & .stepper--current { background: $surface-lighten-1; text-style: bold; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._steps: tuple[Step, ...] = ()
        self._height = 0

    def show(self, steps: Sequence[Step]) -> None:
        """Show these steps. Cheap when nothing changed."""
        self._steps = tuple(steps)
        width = self.size.width
        if width and len(layout(self._steps, width)) != self._height and self.styles.is_auto_height:
            self.refresh(layout=True)
        self.redraw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines that the steps take at this width: none without steps, two at most."""
        self._height = len(layout(self._steps, width))
        return self._height

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw the steps, each whole on its line."""
        blank = self.style_for()
        return [strip_of(self._line(line), width, blank) for line in layout(self._steps, width)[:height]]

    def _line(self, line: Sequence[tuple[Step, str]]) -> list[Segment]:
        segments = []
        for step, text in line:
            style = self.style_for(f"stepper--{step.tone}") if step.tone else self.style_for()
            if step.current:
                style += self.style_for("stepper--current").background_style
                style += self.style_for("stepper--current").without_color
            segments += [Segment(text, style), Segment(GAP, self.style_for())]
        return segments


def layout(steps: Sequence[Step], width: int) -> list[list[tuple[Step, str]]]:
    """Return the lines, one or two, as steps with their texts; [] without steps or room.

    One line is taken where everything fits; else two with as much of the words as fits, and then shorter titles.
    """
    if not steps or width < 2:
        return []
    whole = [(step, _text(step)) for step in steps]
    if _cells(whole) <= width:
        return [whole]
    for texts in (
        [_text(step) for step in steps],
        [_text(step, word=not step.plain) for step in steps],
        [_text(step, word=step.current) for step in steps],
    ):
        lines = _broken(list(zip(steps, texts, strict=True)), width)
        if len(lines) <= LINES:
            return lines
    half = -(-len(steps) // LINES)
    room = max(1, (width + len(GAP)) // half - len(GAP))
    cut = [(step, fit(_text(step, word=False), room)) for step in steps]
    return [cut[:half], cut[half:]] if len(cut) > half else [cut]


def _text(step: Step, *, word: bool = True) -> str:
    return clean(f"{step.glyph} {step.title} {step.word}" if word and step.word else f"{step.glyph} {step.title}")


def _cells(line: Sequence[tuple[Step, str]]) -> int:
    return sum(cell_len(text) for _, text in line) + len(GAP) * (len(line) - 1)


def _broken(steps: Sequence[tuple[Step, str]], width: int) -> list[list[tuple[Step, str]]]:
    """Return the steps broken into lines: as even as they fit on two, or more lines than that."""
    for at in sorted(range(1, len(steps)), key=lambda i: abs(i - (len(steps) + 1) // 2)):
        lines = [list(steps[:at]), list(steps[at:])]
        if all(_cells(line) <= width for line in lines):
            return lines
    return [[step] for step in steps] + [[]] * LINES

"""Small questions of the gate: one of a list, or a line of text. They return the answer, None where it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.modal import OnceScreen
from mens_console.screens.sheet import Line, Sheet, prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult

    from mens_console.screens.words import Ink


def name_room(names: Iterable[str], width: int) -> int:
    """Return the cells that names take beside what is told of them."""
    return min(max((len(safe_text(name)) for name in names), default=0), width // 2)


def choice_line(name: str, told: str, room: int, width: int, *, here: bool, ink: Ink = "muted") -> Line:
    """Return one of a list to choose from."""
    text = safe_text(name)
    text = text if len(text) <= room else f"…{text[1 - room :]}"  # a path is known by its end
    rest = safe_text(told, max(width - 4 - room, 8))
    return ((f"{'›' if here else ' '} {text:<{room}}", "accent" if here else ""), (f"  {rest}", ink))


class ChooseScreen(OnceScreen[str | None]):
    """Asks for one of a list of (answer, what it is)."""

    AUTO_FOCUS = ""
    CSS = """
    ChooseScreen { align: center middle; background: $background 60%; }
    ChooseScreen VerticalScroll {
        width: 90%; max-width: 100; height: auto; max-height: 80%; scrollbar-size-vertical: 1;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    ChooseScreen Sheet { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="choose.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="choose.up"),
        Binding("enter", "take", "Take it", show=False, id="choose.take"),
        Binding("escape,q", "leave", "Leave it", show=False, id="choose.leave"),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], chosen: str = "") -> None:
        super().__init__()
        self._title, self._choices = title, tuple(choices)
        names = [name for name, _ in choices]
        self._place = names.index(chosen) if chosen in names else 0

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with VerticalScroll(can_focus=False) as box:
            box.border_title = self._title
            box.border_subtitle = "Enter takes it · Esc leaves it"
            yield Sheet(self._write)

    def _write(self, width: int) -> list[Line]:
        room = name_room((name for name, _ in self._choices), width)
        lines = [
            choice_line(name, note, room, width, here=i == self._place) for i, (name, note) in enumerate(self._choices)
        ]
        return lines or prose("There is nothing to choose from.", width)

    def action_move(self, rows: int) -> None:
        """Go to another one."""
        if self._choices:
            self._place = (self._place + rows) % len(self._choices)
            self.query_one(Sheet).write(self._write)
            self.query_one(VerticalScroll).scroll_to(y=max(self._place - 5, 0), animate=False)

    def action_take(self) -> None:
        """Answer with the one under the cursor."""
        self.dismiss(self._choices[self._place][0] if self._choices else None)

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss(None)


class AskScreen(OnceScreen[str | None]):
    """Asks for a line of text; `wrong` says what is wrong with one, "" where it may be taken."""

    AUTO_FOCUS = "Input"
    CSS = """
    AskScreen { align: center middle; background: $background 60%; }
    AskScreen Vertical {
        width: 90%; max-width: 90; height: auto; max-height: 90%;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    AskScreen Sheet { background: $surface; }
    AskScreen Input { height: 1; border: none; background: $panel; padding: 0 1; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave it", show=False, id="ask.leave"),
    ]

    def __init__(
        self, title: str, question: str, value: str = "", *, wrong: Callable[[str], str] = lambda _: ""
    ) -> None:
        super().__init__()
        self._title, self._question, self._value, self._wrong = title, question, value, wrong
        self._told = ""

    def compose(self) -> ComposeResult:
        """Lay out question and line."""
        with Vertical() as box:
            box.border_title = self._title
            box.border_subtitle = "Enter takes it · Esc leaves it"
            yield Sheet(self._write)
            yield Input(self._value, max_length=4000)

    def _write(self, width: int) -> list[Line]:
        told = prose(self._told, width, "warn") if self._told else []
        return [*prose(safe_text(self._question, 1000), width), *told]

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        self._told = self._wrong(text)
        if self._told:
            self.query_one(Sheet).write(self._write)
        else:
            self.dismiss(text)

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss(None)

"""One-line surfaces: a changing number that repaints only itself, and the keys that work right now.

They know labels and bindings; what a number means is the screen's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip

from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.screen import Screen
    from textual.widget import Widget


class StatLine(Canvas):
    """``label      value unit``: the value stands at a fixed place, so that a new one repaints a few cells."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stat--label", "stat--unit", "stat--good", "stat--warning", "stat--critical", "stat--muted",
    }  # fmt: skip
    DEFAULT_CSS = """
    StatLine {
        height: 1;
        & .stat--label { color: $text-muted; }
        & .stat--unit { color: $text-muted; }
        & .stat--good { color: $text-success; }
        & .stat--warning { color: $text-warning; }
        & .stat--critical { color: $text-error; text-style: bold; }
        & .stat--muted { color: $text-muted; }
    }
    """

    def __init__(
        self, label: str, unit: str = "", *, label_width: int = 14,
        name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.label, self.unit, self.label_width = label, unit, label_width
        self._value, self._tone = "—", "muted"

    def show(self, value: str, tone: str = "", unit: str | None = None) -> None:
        """Show a value; `tone` is "", good, warning, critical or muted. The value itself must say the state."""
        self._value, self._tone = value, tone
        self.unit = self.unit if unit is None else unit
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw the line; where it is too narrow the label gives way before the value does."""
        value, unit = clean(self._value), clean(f" {self.unit}" if self.unit else "")
        label = max(0, min(self.label_width, width - len(value) - 1))
        style = self.style_for(f"stat--{self._tone}") if self._tone else self.style_for()
        parts = [
            Segment(fit(self.label, label) + " " * (label > 0), self.style_for("stat--label")),
            Segment(value, style),
            Segment(unit, self.style_for("stat--unit")),
        ]
        return [strip_of(parts, width, self.style_for())]


_END_TYPING: Final = ("enter", "escape")


class Keys(Canvas):
    """The keys of the focused widget and its screen, on one line: as many as fit, those of the focus first.

    Bindings are shown where they say `show`, in the order of focus, screen, app; `last` keys (by action) keep their
    place at the right end however narrow the line is. While something is typed, only what ends the typing is.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--text"}
    DEFAULT_CSS = """
    Keys {
        dock: bottom;
        height: 1;
        & .keys--key { color: $text-accent; text-style: bold; }
        & .keys--text { color: $text-muted; }
    }
    """

    def __init__(
        self, *, last: Sequence[str] = (), name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.last = tuple(last)
        self._items: list[tuple[str, str, bool]] = []

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)
        self._bindings_changed(self.screen)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if not screen.app.app_focus:
            return
        seen: dict[tuple[Widget | object, str], tuple[str, str, bool]] = {}
        typing = screen.focused is not None and screen.focused.check_consume_key("a", "a")
        for pressed, active in screen.active_bindings.items():
            binding = active.binding
            shown = pressed in _END_TYPING if typing else binding.show
            if shown and active.enabled and not binding.system and (active.node, binding.action) not in seen:
                key = self.app.get_key_display(binding)
                key = key.capitalize() if typing else key
                pinned = binding.action.rpartition(".")[2].partition("(")[0] in self.last
                seen[active.node, binding.action] = (key, binding.description, pinned)
        items = list(seen.values())
        if items != self._items:
            self._items = items
            self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw as many keys as fit, and the pinned ones."""
        pinned = [item for item in self._items if item[2]]
        room = width - sum(self._cells(item) for item in pinned)
        shown = []
        for item in (item for item in self._items if not item[2]):
            room -= self._cells(item)
            if room < 0:
                break
            shown.append(item)
        key, text = self.style_for("keys--key"), self.style_for("keys--text")
        parts = []
        for name, description, _ in [*shown, *pinned]:
            parts += [Segment(f" {clean(name)}", key), Segment(f" {clean(description)} ", text)]
        return [strip_of(parts, width, self.style_for())]

    @staticmethod
    def _cells(item: tuple[str, str, bool]) -> int:
        return Segment(f" {clean(item[0])} {clean(item[1])} ").cell_length

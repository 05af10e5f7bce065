"""The help overlay and the key table of the documentation, both generated from the bindings themselves.

Nothing here names a key or a glyph: what is bound is what is shown, and glyphs are those of the tables of words.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from mens_console.screens.modal import OnceScreen
from mens_console.screens.sheet import Line, Sheet
from mens_console.screens.words import legend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.dom import DOMNode
    from textual.screen import Screen

GROUPS: Final = {
    "grid": "Table", "chart": "Chart", "heatmap": "Heatmap", "matrix": "Cells", "log": "Log",
    "fleet": "Fleet", "run": "Run", "compare": "Compare", "lora": "LoRA", "health": "Health",
    "kpi": "KPIs", "soak": "Soak", "hardware": "Hardware", "alerts": "Alerts", "gate": "Gate", "logs": "Logs",
    "app": "Everywhere",
}  # fmt: skip
"""Groups by the first part of a binding's id, in the order they are shown."""

Key = tuple[str, str, str]
"""Group, keys, description."""

_NAMES: Final = {
    "question_mark": "?", "slash": "/", "colon": ":", "ampersand": "&", "left_square_bracket": "[",
    "right_square_bracket": "]", "plus": "+", "equals_sign": "=", "minus": "-", "up": "↑", "down": "↓", "left": "←",
    "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc", "enter": "Enter", "tab": "Tab",
    "space": "Space", "home": "Home", "end": "End",
}  # fmt: skip


def key_name(keys: str) -> str:
    """Return how keys of a binding (``left,h``) are written for people (``← h``)."""
    return " ".join(_one(key.strip()) for key in keys.split(","))


def _one(key: str) -> str:
    *modifiers, name = key.split("+") if key != "+" else ["+"]
    return "-".join([part.capitalize() for part in modifiers] + [_NAMES.get(name, name)])


def _group(binding_id: str | None) -> str:
    return GROUPS.get((binding_id or "").partition(".")[0], "")


def described(nodes: Sequence[type[DOMNode]]) -> list[Key]:
    """Return the default keys of these classes, grouped; bindings without an id of ours are left out."""
    rows = [
        (_group(binding.id), key_name(binding.key), binding.description)
        for node in nodes
        for binding in node.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding) and _group(binding.id)
    ]
    return _ordered(rows)


def active(screen: Screen[Any]) -> list[Key]:
    """Return the keys that work now on a screen, with the operator's keymap applied."""
    keys: dict[tuple[str, str], list[str]] = {}
    for entry in screen.active_bindings.values():
        group = _group(entry.binding.id)
        if group and entry.binding.description:
            names = keys.setdefault((group, entry.binding.description), [])
            if (name := key_name(entry.binding.key)) not in names:
                names.append(name)
    return _ordered([(group, " ".join(names), text) for (group, text), names in keys.items()])


def _ordered(rows: Iterable[Key]) -> list[Key]:
    order = list(GROUPS.values())
    return sorted(dict.fromkeys(rows), key=lambda row: order.index(row[0]))


def write(keys: Sequence[Key], width: int) -> list[Line]:
    """Return the keys as lines, in two columns where they fit."""
    blocks: list[list[Line]] = []
    for group in dict.fromkeys(key[0] for key in keys):
        rows = [key for key in keys if key[0] == group]
        pad = max(cell_len(names) for _, names, _ in rows)
        block: list[Line] = [((group, "accent"),)]
        block += [((names.rjust(pad), "strong"), (f"  {text}", "")) for _, names, text in rows]
        blocks.append([*block, ()])
    lines = [line for block in blocks for line in block]
    if width < 64 or len(lines) < 16:
        return lines
    half, column = width // 2, list[Line]()
    while (blocks and len(column) + len(blocks[0]) <= (len(lines) + 7) // 2) or not column:
        column += blocks.pop(0)
    rest = [line for block in blocks for line in block]
    return [_beside(left or (), right or (), half) for left, right in zip_longest(column, rest)]


def _beside(left: Line, right: Line, half: int) -> Line:
    used = sum(cell_len(text) for text, _ in left)
    return (*left, (" " * max(1, half - used), ""), *right)


def signs(width: int) -> list[Line]:
    """Return what the glyphs mean, as many beside each other as fit."""
    lines: list[Line] = []
    for title, found in legend():
        lines.append(((title, "accent"),))
        line: Line = ()
        for glyph, ink, text in found:
            sign: Line = ((f" {glyph} ", ink), (f"{text} ", ""))
            if line and sum(cell_len(piece) for piece, _ in (*line, *sign)) > width:
                lines.append(line)
                line = ()
            line = (*line, *sign)
        lines.append(line)
    return lines


class HelpScreen(OnceScreen[None]):
    """The keys of the screen beneath, and the glyphs of all."""

    CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen VerticalScroll {
        width: 90%; max-width: 100; height: auto; max-height: 90%;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", show=False, id="help.close"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="help.up"),
    ]

    def __init__(self, title: str, keys: Sequence[Key]) -> None:
        super().__init__()
        self._name, self._keys = title, keys

    def compose(self) -> ComposeResult:
        """Lay out the keys."""
        with VerticalScroll() as box:
            box.border_title = f"Keys and signs · {self._name}"
            box.border_subtitle = "Esc closes"
            yield Sheet(lambda width: write(self._keys, width) + signs(width))

    def action_scroll(self, lines: int) -> None:
        """Scroll the list."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

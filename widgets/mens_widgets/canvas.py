"""The surface under every hot widget: whole lines in, and only the cells that changed are repainted.

It knows styles and strips; it knows neither data nor keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style
    from textual.color import Color


def strip_of(segments: Iterable[Segment], width: int, blank: Style) -> Strip:
    """Return a strip of exactly `width` cells: equal neighbours merged, the rest filled with `blank`.

    Merging is what keeps a repainted line short on the wire: each segment costs some forty bytes of colour codes.
    Blanks take the style of what stands before them wherever that looks the same.
    """
    merged: list[Segment] = []
    for segment in segments:
        if not segment.text:
            continue
        if merged and (
            merged[-1].style == segment.style or (segment.text.isspace() and _blank_alike(merged[-1], segment))
        ):
            merged[-1] = Segment(merged[-1].text + segment.text, merged[-1].style)
        elif merged and merged[-1].text.isspace() and _blank_alike(segment, merged[-1]):
            merged[-1] = Segment(merged[-1].text + segment.text, segment.style)
        else:
            merged.append(segment)
    return Strip(merged).adjust_cell_length(width, blank)


def _blank_alike(inked: Segment, other: Segment) -> bool:
    """Return whether a blank drawn in the style of `inked` looks like one in the style of `other`."""
    a, b = inked.style, other.style
    if a is None or b is None:
        return False
    return a.bgcolor == b.bgcolor and not (
        a.underline or a.reverse or a.strike or b.underline or b.reverse or b.strike or a.link or b.link
    )


def changed_span(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Return the columns [first, last) in which two strips differ, or None where they look the same."""
    if old is new or old == new:
        return None
    left = _common_cells(zip(old, new, strict=False), 1)
    right = _common_cells(zip(reversed(old), reversed(new), strict=False), -1)
    width = max(old.cell_length, new.cell_length)
    first, last = left, max(width - right, left + 1)
    if len(new.text) != width:
        # Beside wide or combining characters a cell more is repainted, so that none is cut in two.
        first, last = max(0, first - 2), min(width, last + 2)
    return first, last


def _common_cells(pairs: Iterable[tuple[Segment, Segment]], direction: int) -> int:
    """Return the cells that segments have in common, read forwards (1) or backwards (-1)."""
    cells = 0
    for a, b in pairs:
        if a is b or a == b:
            cells += _cells(a.text)
            continue
        if a.style == b.style:
            both = zip(a.text[::direction], b.text[::direction], strict=False)
            same = next((i for i, (x, y) in enumerate(both) if x != y), min(len(a.text), len(b.text)))
            cells += _cells(a.text[::direction][:same])
        return cells
    return cells


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


class Canvas(Widget):
    """A widget drawn line by line.

    A subclass implements `draw`, and calls `redraw` when what it shows may have changed: the new lines are compared
    with those on screen, and only the differing cells are refreshed; equal lines paint nothing. While the widget has
    no size nothing is drawn. Component styles are looked up once and kept until the styles change, because Textual
    forgets them at every refresh.
    """

    ALLOW_SELECT = False

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None, disabled: bool = False
    ) -> None:
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self._strips: list[Strip] = []
        self._drawn_size: tuple[int, int] | None = None
        self._palette: dict[str, Style] = {}
        self._bare: bool | None = None
        self._shown: dict[int, tuple[Strip, Strip]] = {}
        """Of each line the strip that was drawn, and what the filters of now make of it."""
        self._filters: tuple[object, ...] = ()

    def draw(self, width: int, height: int) -> Sequence[Strip]:
        """Return `height` strips of `width` cells (fewer are filled with blanks)."""
        raise NotImplementedError

    def style_for(self, component: str = "") -> Style:
        """Return the style of a component class, or the widget's own for the empty name."""
        style = self._palette.get(component)
        if style is None:
            style = self.get_component_rich_style(component) if component else self.rich_style
            self._palette[component] = style
        return style

    def redraw(self) -> None:
        """Draw now, and repaint what differs from the screen."""
        width, height = self.size
        if not (width and height and self.is_attached):
            self._drawn_size = None  # what was drawn is old by the time that there is a size again
            return
        if self._drawn_size != (width, height):
            self.refresh()  # the first frame of this size is drawn, whole, when it is asked for
            return
        old, self._strips = self._strips, self._draw(width, height)
        regions = [
            Region(span[0], y, span[1] - span[0], 1)
            for y, (before, after) in enumerate(zip(old, self._strips, strict=True))
            if (span := changed_span(before, after)) is not None
        ]
        if regions:
            self.refresh(*regions)

    def _draw(self, width: int, height: int) -> list[Strip]:
        strips = list(self.draw(width, height)[:height])
        if len(strips) < height:
            strips += [Strip.blank(width, self.style_for())] * (height - len(strips))
        return strips

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the content, drawing a frame first where the size or the styles changed."""
        width, height = self.size
        if self._drawn_size != (width, height):
            self._strips = self._draw(width, height)
            self._drawn_size = (width, height)
        return self._strips[y] if y < len(self._strips) else Strip.blank(width, self.style_for())

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines of the whole widget: those of the content wherever CSS puts nothing around or over it.

        Textual would go through border, padding, outline and tint for each line; most of a small repaint is that.
        """
        width, height = self.size
        if not self._is_bare or self.opacity != 1.0:
            return super().render_lines(crop)
        if self._drawn_size != (width, height):
            self._strips = self._draw(width, height)
            self._drawn_size = (width, height)
        background = self.background_colors[1]
        filters = (background, *self.get_line_filters())
        if filters != self._filters:
            self._filters, self._shown = filters, {}
        lines = [self._filtered(y, background, width) for y in crop.line_range]
        first, last = crop.column_span
        return lines if (first, last) == (0, width) else [line.crop(first, last) for line in lines]

    def _filtered(self, y: int, background: Color, width: int) -> Strip:
        strip, known = self._strips[y], self._shown.get(y)
        if known is None or known[0] is not strip:
            shown = strip.adjust_cell_length(width, self.style_for())
            for one in self.get_line_filters():
                shown = shown.apply_filter(one, background)
            known = self._shown[y] = (strip, shown)
        return known[1]

    @property
    def _is_bare(self) -> bool:
        """Whether the styles of now put nothing around the content and change no colour of it."""
        if self._bare is None:
            styles = self.styles
            around = (*styles.gutter, *(edge for edge, _ in (*styles.border, *styles.outline)))
            over = styles.tint.a or styles.text_opacity != 1.0 or styles.hatch not in (None, "none")
            self._bare = not any(around) and not over
        return self._bare

    def forget(self) -> None:
        """Drop everything that was built with styles (subclasses: their strip caches too)."""
        self._palette.clear()
        self._bare = None

    def notify_style_update(self) -> None:
        """Draw again with the new styles: a theme, the focus or a class changed them."""
        super().notify_style_update()
        self.forget()
        if self._drawn_size is not None and self.is_attached:
            # Later, because the styles of other widgets around this one may still be about to change.
            self.call_later(self.redraw)

    @property
    def lines(self) -> list[str]:
        """The text on the canvas, one string a line (what a test or a copy command wants)."""
        return [self.render_line(y).text for y in range(self.size.height)]

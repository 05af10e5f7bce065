"""Screen 9: may it ship? Every criterion with its verdict and evidence, what stands in the way, and sign-off.

What it says comes from `gaterows` and `gatefacts`, what is judged from `gatebench`; what it asks is in `gatekeys`. Here
is only what is shown, and the keys that move.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from mens_console.gate.signoff import obstacles
from mens_console.ingest.text import safe_text
from mens_console.screens.gatefacts import detail_lines, trouble_lines, whole_lines
from mens_console.screens.gatekeys import AskingRoom
from mens_console.screens.gaterows import Rows, criteria_rows, ids, ready_lines
from mens_console.screens.gatework import Finished
from mens_console.screens.sheet import Line, Sheet
from mens_console.screens.words import age
from mens_console.signals.human import duration, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.gate.types import Evaluation, Judgement
    from mens_console.store.snapshot import Snapshot

WIDE: Final = 110
"""Columns from which on the evidence stands beside the criteria."""
BEAT_S: Final = 4.0
"""How often files are looked at for changes."""
PULSE_S: Final = 0.5
"""How often it is told how long a judging takes already."""


class GateScreen(AskingRoom):
    """The gate of one release."""

    MODE = "gate"
    CSS = """
    GateScreen #title { height: 1; }
    GateScreen #page { height: 1fr; }
    GateScreen #listing { width: 3fr; height: 1fr; scrollbar-size-vertical: 1; background: $background; }
    GateScreen #aside { width: 2fr; height: 1fr; border-left: solid $border; padding-left: 1; display: none;
        scrollbar-size-vertical: 1; background: $background; }
    GateScreen.-wide #aside { display: block; }
    GateScreen.-detail #listing { display: none; }
    GateScreen.-detail #aside { display: block; width: 1fr; border-left: none; }
    GateScreen #ready { height: 5; border-top: solid $border; }
    GateScreen.-tall #ready { height: 9; }
    GateScreen #status { height: 1; }
    GateScreen #none { display: none; margin: 0 2; }
    GateScreen.-empty #none { display: block; }
    GateScreen.-empty #page, GateScreen.-empty #ready { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sign", "Sign off", id="gate.sign"),
        Binding("space", "mark", "Mark", id="gate.mark"),
        Binding("p", "profile", "Profile", id="gate.profile"),
        Binding("e", "evidence", "Evidence", id="gate.evidence"),
        Binding("R", "release", "Release", id="gate.release"),
        Binding("w", "waive", "Waive", id="gate.waive"),
        Binding("r", "judge", "Judge again", id="gate.judge"),
        Binding("x", "mark_against", "Does not hold", show=False, id="gate.mark_against"),
        Binding("enter", "detail", "Evidence of it", show=False, id="gate.detail"),
        Binding("j,down", "move(1)", "Next criterion", show=False, id="gate.down"),
        Binding("k,up", "move(-1)", "Previous criterion", show=False, id="gate.up"),
        Binding("g,home", "end(-1)", "First criterion", show=False, id="gate.first"),
        Binding("G,end", "end(1)", "Last criterion", show=False, id="gate.last"),
        Binding("i", "whole", "About the judging", show=False, id="gate.whole"),
        Binding("J,pagedown", "read(1)", "Evidence down", show=False, id="gate.facts_down"),
        Binding("K,pageup", "read(-1)", "Evidence up", show=False, id="gate.facts_up"),
        Binding("escape", "back", "Back", show=False, id="gate.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._looking = False

    def body(self) -> ComposeResult:
        """Lay out title, criteria, evidence and readiness."""
        yield Sheet(id="title")
        yield Sheet(id="none")
        with Horizontal(id="page"):
            with VerticalScroll(id="listing", can_focus=False):
                yield Sheet(id="criteria")
            with VerticalScroll(id="aside", can_focus=False):
                yield Sheet(id="facts")
        with Vertical(id="ready"):
            yield Sheet(id="readiness")
        yield Sheet(id="status")

    def on_mount(self) -> None:
        """Look for changes of the evidence now and then, while somebody looks."""
        self.set_interval(BEAT_S, self._beat, name="beat")
        self.set_interval(PULSE_S, self._pulse, name="pulse")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return when the evidence was measured, and when it was judged."""
        judged = self.bench.judged
        if judged is None:
            return []
        times = [item.at for one in judged.evaluation.judgements for item in one.items]
        return [judged.evaluation.at, *times]

    def on_screen_resume(self) -> None:
        """Look again (the base class paints)."""
        self._looking = True
        self._beat()

    def on_screen_suspend(self) -> None:
        """Read nothing while nobody looks."""
        self._looking = self.app.screen_stack[-1] is not self and self in self.app.screen_stack

    def _beat(self) -> None:
        if self._looking:
            self.bench.beat()
            if self.bench.judged is None:
                self.shelf.look(self.console_app.snapshot.roots)

    def _pulse(self) -> None:
        if self._looking and self.bench.busy_s is not None:
            self.again()

    @on(Finished)
    def _finished(self, message: Finished) -> None:
        message.stop()
        message.take()

    # ------------------------------------------------------------------ showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the last judging, or why there is none."""
        bench = self.bench
        bench.open(snapshot.roots, replay=snapshot.replay)
        judged = bench.judged
        self.set_class(judged is None, "-empty")
        self.set_class(self.size.width >= WIDE, "-wide")
        self.set_class(self.size.height >= 36, "-tall")
        self._write("#title", lambda _: [self._title()])
        self._write("#status", lambda _: [self._status(now, replay=snapshot.replay)])
        if judged is None:
            self._write("#none", partial(self._nothing, snapshot))
            return
        evaluation = judged.evaluation
        chosen = self._judgement(evaluation)
        self._show_list(evaluation, chosen, now)
        if self._whole or chosen is None:
            self._write("#facts", lambda width: whole_lines(judged, now, width))
        else:
            self._write("#facts", lambda width: detail_lines(chosen, evaluation, now, width))
        most = 8 if self.has_class("-tall") else 4
        odd = judged.ledger_problem
        self._write("#readiness", lambda width: ready_lines(evaluation, obstacles(evaluation), width, most, odd))

    def _nothing(self, snapshot: Snapshot, width: int) -> list[Line]:
        bench = self.bench
        if bench.trouble:
            return trouble_lines(bench.trouble, min(width, 100))
        if bench.busy_s is not None:
            return [(), (("Judging…", "strong"),)]
        return self.shelf.lines(snapshot.roots, width)

    def _show_list(self, evaluation: Evaluation, chosen: Judgement | None, now: float) -> None:
        shown = Rows([], {})
        key = chosen.criterion.id if chosen is not None else ""

        def write(width: int) -> list[Line]:
            nonlocal shown
            shown = criteria_rows(evaluation, key, now, width)
            return shown.lines

        self._write("#criteria", write)
        place, box = shown.places.get(key), self.query_one("#listing", VerticalScroll)
        if place is None or not box.size.height:
            return
        if place + 1 > box.scroll_y + box.size.height:
            box.scroll_to(y=place + 1 - box.size.height, animate=False)
        elif place < box.scroll_y + 1:
            box.scroll_to(y=0 if place < box.size.height // 2 else place - 1, animate=False)

    def _title(self) -> Line:
        bench = self.bench
        if not bench.profile:
            return ((" Gate", "strong"),)
        release = (safe_text(bench.release, 40), "strong") if bench.named else ("no release named (R)", "warn")
        name = safe_text(bench.profile if len(bench.profile) < 40 else f"…{bench.profile[-39:]}", 60)
        return ((f" {name}", "accent"), ("  release ", "muted"), release, ("  evidence ", "muted"), (bench.places, ""))

    def _status(self, now: float, *, replay: bool) -> Line:
        bench, told = self.bench, []
        if bench.busy_s is not None:
            files = f" {step(bench.counted)} files" if bench.counted else ""
            told.append((f" judging{files}, {duration(bench.busy_s)}", "accent"))
        elif bench.judged is not None:
            told.append((f" judged {age(bench.judged.evaluation.at, now)}", "muted"))
            if bench.stale:
                told.append((f"  ! {safe_text(bench.stale, 120)}", "warn"))
            digest = bench.judged.evaluation.digest[:12]
            told.append((f"  digest {digest}  ⏎ evidence  i about it", "muted"))
        if bench.trouble and bench.judged is not None:
            told.append((f"  ! {safe_text(bench.trouble[0], 200)}", "bad"))
        if replay:
            told.append(("  a replay is judged, and never signed", "warn"))
        return tuple(told)

    def _write(self, name: str, write: Callable[[int], list[Line]]) -> None:
        self.query_one(name, Sheet).write(write)

    # ------------------------------------------------------------------ keys

    def action_move(self, by: int) -> None:
        """Go to another criterion, or to another profile where none is chosen."""
        judged = self.bench.judged
        if judged is None:
            self.shelf.move(by)
            self.again()
        order = ids(judged.evaluation) if judged is not None else []
        if order:
            place = order.index(self._chosen) if self._chosen in order else 0
            self._chosen = order[min(max(place + by, 0), len(order) - 1)]
            self._whole = False
            self.query_one("#aside", VerticalScroll).scroll_home(animate=False)
            self.again()

    def action_end(self, side: int) -> None:
        """Go to the first or last criterion."""
        self.action_move(side * 100_000)

    def action_read(self, pages: int) -> None:
        """Scroll the evidence by half a page."""
        aside = self.query_one("#aside", VerticalScroll)
        aside.scroll_relative(y=pages * max(1, aside.size.height // 2), animate=False)

    def action_detail(self) -> None:
        """Give the evidence the whole width, or the list again; choose the profile where none is chosen."""
        chosen = self.shelf.chosen
        if self.bench.judged is None and chosen is not None and self.bench.busy_s is None:
            self._take_profile(chosen.name)
        elif self.bench.judged is not None:
            self.toggle_class("-detail")
            self.again()
            self.call_after_refresh(self.again)  # what was hidden has no size before it is laid out

    def action_whole(self) -> None:
        """Tell of the judging as a whole, or of the criterion again."""
        self._whole = not self._whole
        if self._whole and not self.has_class("-wide") and not self.has_class("-detail"):
            self.action_detail()
        self.again()

    def action_back(self) -> None:
        """Leave the evidence, then the screen."""
        if self._whole or self.has_class("-detail"):
            self._whole = False
            self.remove_class("-detail")
            self.again()
        else:
            self.console_app.action_room("fleet")

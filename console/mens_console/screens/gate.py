"""Screen 9: may it ship? Every criterion with its verdict and evidence, what stands in the way, and sign-off.

What it says comes from `gaterows` and `gatefacts`, what is judged from `gatebench`; here is only what is shown and
where keys go.
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from mens_console.gate import desk
from mens_console.gate.signoff import obstacles, release_problem
from mens_console.ingest.text import safe_text
from mens_console.screens import gatewaive
from mens_console.screens.gateasks import AskScreen, ChooseScreen
from mens_console.screens.gatebench import Bench
from mens_console.screens.gatefacts import detail_lines, nothing_lines, trouble_lines, whole_lines
from mens_console.screens.gaterows import Rows, criteria_rows, ids, ready_lines
from mens_console.screens.gatework import Finished
from mens_console.screens.room import Room
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
LEAST_NOTE: Final = 3


class GateScreen(Room):
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
        self.bench = Bench(self)
        self._chosen = ""
        self._whole = False
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

    def _pulse(self) -> None:
        if self._looking and self.bench.busy_s is not None:
            self.again()

    @on(Finished)
    def _finished(self, message: Finished) -> None:
        message.stop()
        message.take()

    # ------------------------------------------------------------------ showing

    def again(self) -> None:
        """Show what is known now."""
        if self.is_mounted and self.is_current:
            self.console_app.paint()

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
        self._write("#readiness", lambda width: ready_lines(evaluation, obstacles(evaluation), width, most))

    def _nothing(self, snapshot: Snapshot, width: int) -> list[Line]:
        bench = self.bench
        if bench.trouble:
            return trouble_lines(bench.trouble, min(width, 100))
        if bench.busy_s is not None:
            return [(), (("Judging…", "strong"),)]
        return nothing_lines(snapshot, len(desk.available(())), width)

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

    def _judgement(self, evaluation: Evaluation) -> Judgement | None:
        order = ids(evaluation)
        return evaluation.get(self._chosen if self._chosen in order else order[0]) if order else None

    # ------------------------------------------------------------------ keys

    def action_move(self, by: int) -> None:
        """Go to another criterion."""
        judged = self.bench.judged
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
        """Give the evidence the whole width, or the list again."""
        if self.bench.judged is not None:
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

    def action_judge(self) -> None:
        """Judge again."""
        if self.bench.profile:
            self.bench.judge()
            self.again()
        else:
            self.action_profile()

    def action_profile(self) -> None:
        """Choose a profile."""
        choices = desk.available(self.console_app.snapshot.roots)
        self.app.push_screen(ChooseScreen("Profile", choices, self.bench.profile), self._take_profile)

    def _take_profile(self, name: str | None) -> None:
        if name is not None:
            self._chosen, self._whole = "", False
            self.bench.choose(profile=name)
            self.again()

    def action_evidence(self) -> None:
        """Name files and folders of evidence."""
        text = shlex.join(str(path) for path in self.bench.paths)
        question = "Files and folders of evidence, with blanks between; nothing: what the console watches"
        self.app.push_screen(AskScreen("Evidence", question, text, wrong=_paths_problem), self._take_paths)

    def _take_paths(self, text: str | None) -> None:
        if text is not None:
            self.bench.choose(paths=tuple(Path(one).expanduser() for one in shlex.split(text)))
            self.again()

    def action_release(self, then: Callable[[], None] | None = None) -> None:
        """Name the release."""

        def take(name: str | None) -> None:
            if name is not None:
                self.bench.choose(release=name)
                self.again()
                if then is not None:
                    then()

        if not self.bench.profile:
            self.notify("Choose a profile first (p)", markup=False)
            return
        value = self.bench.release if self.bench.named else ""
        self.app.push_screen(
            AskScreen("Release", "What is released, such as 1.2.0", value, wrong=release_problem), take
        )

    def action_mark(self, *, passed: bool = True) -> None:
        """Mark a manual check with a note, or take the mark back."""
        judged = self.bench.judged
        chosen = self._judgement(judged.evaluation) if judged is not None else None
        if chosen is None:
            return
        one = chosen.criterion
        if not one.manual:
            self.notify("It is measured: evidence settles it, no mark does", markup=False)
        elif self.console_app.snapshot.replay:
            self.notify("A replay is only looked at: nothing is marked in it", markup=False)
        elif not self.bench.named:
            self.action_release(then=partial(self.action_mark, passed=passed))
        elif chosen.mark is not None and chosen.mark.passed == passed:
            self.bench.unmark(one.id)
        else:
            word = "holds" if passed else "does not hold"
            question = f"{safe_text(one.title, 300)}: it {word}. What did you look at?"
            take = partial(self._take_note, one.id, passed)
            self.app.push_screen(AskScreen("Mark", question, wrong=_note_problem), take)

    def action_mark_against(self) -> None:
        """Mark a manual check as not holding."""
        self.action_mark(passed=False)

    def _take_note(self, criterion: str, passed: bool, note: str | None) -> None:
        if note is not None:
            self.bench.mark(criterion, note, passed=passed)

    def action_waive(self) -> None:
        """Let a CONDITIONAL through with an owner and a due date, or take that back."""
        bench = self.bench
        chosen = self._judgement(bench.judged.evaluation) if bench.judged is not None else None
        if chosen is None or bench.judged is None:
            return
        evaluation, one = bench.judged.evaluation, chosen.criterion.id
        why = gatewaive.refused(chosen, evaluation.profile)
        if self.console_app.snapshot.replay:
            self.notify("A replay is only looked at: nothing is waived in it", markup=False)
        elif why:
            self.notify(why, markup=False)
        elif not bench.named:
            self.action_release(then=self.action_waive)
        elif chosen.waived is not None:
            bench.unwaive(one)
        else:
            before = next((waiver for waiver in evaluation.waivers if waiver.criterion == one), None)
            gatewaive.ask(self.app, chosen, before, self.console_app.now, partial(bench.waive, one))

    def action_sign(self) -> None:
        """Open sign-off on what is judged now."""
        bench = self.bench
        if self.console_app.snapshot.replay:
            self.notify("This is a replay: nothing is signed on it", severity="warning", markup=False)
        elif bench.judged is None or bench.busy_s is not None:
            self.notify("There is no judging to sign yet: p chooses a profile, r judges", markup=False)
        elif not bench.named:
            self.action_release(then=self._named)
        else:
            from mens_console.screens.gatesign import SignScreen

            judged = bench.judged
            self.app.push_screen(
                SignScreen(judged.question, judged.evaluation.digest, self.console_app.clock), self._signed
            )

    def _named(self) -> None:
        self.notify("It is judged for this release now; then press s again", markup=False)

    def _signed(self, told: str | None) -> None:
        """Tell what came of a sign-off, and judge anew: a record stands beside it now, or a file changed."""
        if told:
            recorded = told.startswith(("SIGNED", "UNSIGNED"))
            severity: Literal["information", "error"] = "information" if recorded else "error"
            self.notify(safe_text(told, 400), title="Sign-off", severity=severity, timeout=15, markup=False)
            self.bench.judge()
        self.again()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's actions to the palette."""
        return {
            "Gate: choose a profile": ("key p", self.action_profile),
            "Gate: name the evidence": ("key e", self.action_evidence),
            "Gate: name the release": ("key R", self.action_release),
            "Gate: judge again": ("key r", self.action_judge),
            "Gate: let a CONDITIONAL through": ("key w", self.action_waive),
            "Gate: sign off": ("key s", self.action_sign),
        }


def _note_problem(text: str) -> str:
    return "" if len(text) >= LEAST_NOTE else "a mark needs a note: what was looked at, in a few words"


def _paths_problem(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError:
        return "a quotation mark is not closed"
    return ""

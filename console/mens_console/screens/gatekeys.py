"""The keys of the gate's screen that ask or change something: what is judged, marks, waivers, and sign-off.

What is asked for is checked where it is typed; what comes of it is `gatebench`'s.
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mens_console.gate.signoff import release_problem
from mens_console.ingest.text import safe_text
from mens_console.screens import gatewaive
from mens_console.screens.gateasks import AskScreen, ChooseScreen
from mens_console.screens.gatebench import Bench
from mens_console.screens.gaterows import ids
from mens_console.screens.gateshelf import Shelf
from mens_console.screens.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.gate.types import Evaluation, Judgement

LEAST_NOTE: Final = 3


class AskingRoom(Room):
    """What the gate's screen asks and is told; how it looks is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self)
        self.shelf = Shelf()
        self._chosen = ""
        self._whole = False

    def again(self) -> None:
        """Show what is known now."""
        if self.is_mounted and self.is_current:
            self.console_app.paint()

    def _judgement(self, evaluation: Evaluation) -> Judgement | None:
        order = ids(evaluation)
        return evaluation.get(self._chosen if self._chosen in order else order[0]) if order else None

    def _nothing_yet(self) -> None:
        """Say why a key that is about what was judged does nothing, and which one helps."""
        if not self.bench.profile:
            why = "Nothing is judged yet: choose a profile first (p, or ↑↓ and Enter)"
        elif self.bench.busy_s is not None:
            why = "It is being judged: a moment, then press it again"
        else:
            why = "There is nothing judged: the screen says why; r tries again, e names the evidence"
        self.notify(why, markup=False)

    def action_judge(self) -> None:
        """Judge again."""
        if self.bench.profile:
            self.bench.judge()
            self.again()
        else:
            self.action_profile()

    def action_profile(self) -> None:
        """Choose a profile."""
        self.shelf.look(self.console_app.snapshot.roots)
        choices = [(one.name, one.told) for one in self.shelf.choices]
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
            self._nothing_yet()
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
            self._nothing_yet()
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
            self._nothing_yet()
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

"""The sign-off of one release: a person's GO or NO-GO on evidence that was frozen when this opened.

What is said on each step comes from `gatesteps`; how a record is made is `gate.frozen`'s. No key press means GO: a GO
is a phrase that is typed.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input

from mens_console.gate import frozen as acts
from mens_console.gate.frozen import EXPECTED, Said
from mens_console.gate.statements import phrase
from mens_console.ingest.text import safe_text
from mens_console.screens import gatesteps as steps
from mens_console.screens.gatephrase import Typed
from mens_console.screens.gatework import Finished, in_background
from mens_console.screens.modal import OnceScreen
from mens_console.screens.sheet import Line, Sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from mens_console.gate.desk import Question
    from mens_console.gate.frozen import Frozen
    from mens_console.gate.signoff import Recorded
    from mens_console.gate.ssh import Key
    from mens_console.gate.statements import Decision

WATCH_S: Final = 1.0
"""How often the frozen files are looked at."""
LEAST_REASON: Final = 10


class SignScreen(OnceScreen[str]):
    """One sign-off. Its answer is a sentence on what came of it, "" where it was left."""

    AUTO_FOCUS = ""
    CSS = """
    SignScreen { align: center middle; background: $background 60%; }
    SignScreen VerticalScroll {
        width: 96%; max-width: 104; height: auto; max-height: 96%; scrollbar-size-vertical: 1;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    SignScreen Sheet { background: $surface; }
    SignScreen Typed { display: none; background: $panel; margin-top: 1; }
    SignScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; margin-top: 1; }
    SignScreen.-typing Typed { display: block; }
    SignScreen.-writing Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="sign.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="sign.up"),
        Binding("enter", "take", "Go on", show=False, id="sign.take"),
        Binding("escape", "leave", "Back, or give up", show=False, id="sign.leave"),
        Binding("pagedown", "read(1)", "Read on", show=False, id="sign.read_down"),
        Binding("pageup", "read(-1)", "Read back", show=False, id="sign.read_up"),
    ]

    def __init__(self, question: Question, shown: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._question, self._digest, self._clock = question, shown, clock
        self._step = "freezing"
        self._frozen: Frozen | None = None
        self._decision: Decision = "NO-GO"
        self._how = ""
        self._key: Key | None = None
        self._place = 0
        self._options: tuple[steps.Option, ...] = ()
        self._said = Said("NO-GO")
        self._told: tuple[str, ...] = ()
        self._exported: tuple[Path, tuple[str, ...]] | None = None
        self._recorded: Recorded | None = None
        self._cancel = threading.Event()
        self._number = 0
        self._watching = False

    def compose(self) -> ComposeResult:
        """Lay out what is told, and the two lines that text goes into."""
        with VerticalScroll(can_focus=False) as box:
            box.border_title = "Sign-off"
            yield Sheet(self._write, id="step")
            yield Typed(id="typed")
            yield Input(id="text", max_length=4000)

    def on_mount(self) -> None:
        """Freeze the evidence, and watch it from then on."""
        self.set_interval(WATCH_S, self._watch, name="watch")
        self._to("freezing")
        self.call_after_refresh(self._freeze)  # an answer that came before the first layout would have no size

    def on_unmount(self) -> None:
        """Give up what still waits."""
        self._cancel.set()

    # ------------------------------------------------------------------ work

    def _freeze(self) -> None:
        self._work(lambda: partial(self._froze, acts.freeze(self._question, self._clock())))

    def _work(self, work: Callable[[], Callable[[], None]]) -> None:
        """Do something in the background; what comes of it is dropped where it was given up meanwhile."""
        self._number += 1
        number = self._number

        def run() -> Callable[[], None]:
            take = work()
            return lambda: take() if number == self._number else None

        in_background(self, "sign", run, lambda error: self._failed(error) if number == self._number else None)

    def _give_up(self) -> None:
        """End what waits, and expect nothing of it."""
        self._cancel.set()
        self._cancel = threading.Event()
        self._number += 1

    @on(Finished)
    def _finished(self, message: Finished) -> None:
        message.stop()
        message.take()

    def _failed(self, error: Exception) -> None:
        text = str(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {error}"
        self._told = tuple(text.splitlines()) or ("it failed, and nothing says why",)
        self._to("failed")

    def _froze(self, frozen: Frozen) -> None:
        if self._digest and frozen.evaluation.digest != self._digest:
            self._invalid("what is judged changed since it was shown: look at it again, then press s")
            return
        self._frozen = frozen
        self._to("decide")

    def _watch(self) -> None:
        """Look whether a frozen file moved; whatever is being signed is looked at once more on the way."""
        frozen = self._frozen
        if frozen is None or self._watching or self._step in ("signing", "done"):
            return
        self._watching = True

        def work() -> Callable[[], None]:
            try:
                moved, renewed = acts.disturbed(frozen, self._clock())
            except Exception as error:  # noqa: BLE001 (nobody can say that it is as it was)
                return partial(self._looked, f"the evidence could not be looked at again: {error}", frozen)
            return partial(self._looked, moved, renewed)

        in_background(self, "watch", work, lambda _: None)

    def _looked(self, moved: str, renewed: Frozen) -> None:
        self._watching = False
        if self._step in ("signing", "done"):
            return
        if moved:
            self._invalid(f"{moved}; sign-off is closed, nothing was recorded: look again, then press s")
        else:
            self._frozen = renewed

    def _invalid(self, why: str) -> None:
        self._cancel.set()
        if self.is_current:
            self.dismiss(why)

    # ------------------------------------------------------------------ steps

    def _to(self, step: str) -> None:
        """Go to a step: what is offered there, and which line takes the keys."""
        self._step, self._place = step, 0
        self._options = steps.options(step, self._frozen, self._decision) if step in ("decide", "how") else ()
        self.set_class(step == "phrase", "-typing")
        self.set_class(step in ("reason", "file", "signature"), "-writing")
        self._show()
        self.query_one(VerticalScroll).scroll_home(animate=False)
        if step == "phrase":
            typed = self.query_one(Typed)
            typed.open()
            typed.focus()
        elif self.has_class("-writing"):
            line = self.query_one(Input)
            line.value = self._proposed(step)
            line.focus()
        else:
            self.set_focus(None)

    def _proposed(self, step: str) -> str:
        if step == "file":
            release = "".join(char if char.isalnum() or char in "-_." else "_" for char in self._question.release)
            return str(Path("~") / f"gate-{release}-{self._decision.lower()}.pae")
        if step == "signature" and self._exported is not None:
            return f"{self._exported[0]}.sig"
        return ""

    def _show(self) -> None:
        box = self.query_one(VerticalScroll)
        box.border_subtitle = steps.subtitle(self._step)
        sheet = self.query_one("#step", Sheet)
        sheet.write(self._write)
        sheet.refresh(layout=True)  # a step may come before the sheet knows its size

    def _write(self, width: int) -> list[Line]:
        frozen = self._frozen
        if self._step == "done" and self._recorded is not None:
            return steps.done_lines(self._recorded, width)
        lines = steps.head_lines(frozen, width) if frozen is not None else []
        if self._step == "failed":
            return [*lines, *steps.failed_lines(self._told, width)]
        if self._step == "exported" and self._exported is not None:
            return [*lines, *steps.exported_lines(*self._exported, width)]
        if self._step == "phrase" and frozen is not None:
            return [*lines, *steps.phrase_lines(phrase(frozen.evaluation), self._by(), width)]
        return [*lines, *steps.step_lines(self._step, self._options, self._place, self._told, width)]

    def _by(self) -> str:
        key, frozen = self._key, self._frozen
        if key is None or frozen is None or frozen.signers is None:
            return "UNSIGNED"
        return frozen.signers.principals.get(key.fingerprint, "unknown")

    def action_move(self, by: int) -> None:
        """Go to another offer."""
        if self._options:
            self._place = (self._place + by) % len(self._options)
            self._show()

    def action_read(self, pages: int) -> None:
        """Scroll by half a page."""
        box = self.query_one(VerticalScroll)
        box.scroll_relative(y=pages * max(1, box.size.height // 2), animate=False)

    def action_take(self) -> None:
        """Go on with what is under the cursor."""
        if self._step == "failed":
            self._told = ()
            self._to("decide" if self._frozen is not None else "failed")
        elif self._step == "exported":
            self._to("signature")
        elif self._options:
            self._took(self._options[self._place])

    def _took(self, option: steps.Option) -> None:
        self._told = ()
        if option.name in ("GO", "NO-GO"):
            self._decision = "GO" if option.name == "GO" else "NO-GO"
            self._to("how")
        elif option.name == "import":
            self._to("signature")
        elif option.name == "agent":
            self._ask_agent()
        else:
            self._how, self._key = option.name, option.key
            self._to("phrase" if self._decision == "GO" else "reason")

    def _ask_agent(self) -> None:
        frozen = self._frozen
        if frozen is None:
            return
        self._to("asking")
        cancel = self._cancel
        self._work(lambda: partial(self._keys, acts.known_keys(frozen, cancel=cancel)))

    def _keys(self, keys: tuple[tuple[Key, str], ...]) -> None:
        if self._step != "asking":
            return
        self._step, self._place = "which", 0
        self._options = tuple(steps.Option("here", f"{name}  {key.fingerprint}", key) for key, name in keys)
        if len(keys) == 1:
            self._took(self._options[0])
        else:
            self._show()

    @on(Typed.Submitted)
    def _typed(self, event: Typed.Submitted) -> None:
        event.stop()
        if self._step != "phrase" or self._frozen is None:
            return
        if event.text != phrase(self._frozen.evaluation):
            self.query_one(Typed).tell("That is not the phrase: it is as above, to the letter.")
            return
        self._commit(Said("GO", typed=event.text))

    @on(Input.Submitted)
    def _wrote(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if self._step == "reason":
            if len(text) < LEAST_REASON:
                self._told = (f"a NO-GO needs a reason of at least {LEAST_REASON} characters: say why",)
                self._show()
            else:
                self._told = ()
                self._commit(Said("NO-GO", reason=text))
        elif text:
            path = Path(text).expanduser()
            self._export(path) if self._step == "file" else self._import(path)

    def _commit(self, said: Said) -> None:
        """Do with the word what was chosen: write it out, have it signed here, or record it unsigned."""
        self._said, frozen, key, clock = said, self._frozen, self._key, self._clock
        if frozen is None:
            return
        if self._how == "laptop":
            self._to("file")
        elif self._how == "here" and key is not None:
            self._sign(lambda: acts.sign_here(frozen, said, key, clock, cancel=self._cancel))
        elif self._how == "unsigned":
            self._sign(lambda: acts.unsigned(frozen, said, clock))

    def _sign(self, make: Callable[[], Recorded]) -> None:
        self._cancel = threading.Event()
        self._to("signing")
        self._work(lambda: partial(self._done, make()))

    def _export(self, path: Path) -> None:
        frozen, key, said, clock = self._frozen, self._key, self._said, self._clock
        if frozen is not None and key is not None:
            self._to("asking")
            self._work(lambda: partial(self._wrote_out, path, acts.export(frozen, said, key, path, clock)))

    def _wrote_out(self, path: Path, commands: tuple[str, ...]) -> None:
        self._exported = path, commands
        self._to("exported")

    def _import(self, path: Path) -> None:
        frozen, clock = self._frozen, self._clock
        if frozen is not None:
            self._sign(lambda: acts.take_back(frozen, path, clock))

    def _done(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._to("done")

    def action_leave(self) -> None:
        """Go a step back; give up what waits; leave at the beginning or the end."""
        if self._step == "signing":
            self._cancel.set()
            self._told = ("giving up…",)
            self._show()
        elif self._step == "done" and self._recorded is not None:
            self.dismiss(safe_text(steps.outcome(self._recorded), 200))
        elif self._step in ("how", "which", "phrase", "reason", "file", "signature", "asking"):
            self._told = ()
            self._give_up()
            self._to("exported" if self._step == "signature" and self._exported is not None else "decide")
        else:
            self.dismiss("")

"""What the gate's screen works on: the question that is put, its last answer, and the marks; judged in the background.

It shows nothing itself: it tells the screen to look again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mens_console.gate import desk, drafts
from mens_console.gate.desk import Question
from mens_console.gate.types import UNNAMED, Mark, Waiver
from mens_console.ingest.text import safe_text
from mens_console.screens.gatework import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mens_console.gate.desk import Judged
    from mens_console.screens.gatekeys import AskingRoom

REPLAYED: Final = "phase3-release"
"""What is asked of the release on a recorded box until another profile is chosen."""
REST: Final = 10.0
"""After a judging, changed files start the next by themselves only after a pause of so many times its length."""


class Bench:
    """The question, its answer, and the work between them. All methods are called on the screen's thread."""

    def __init__(self, screen: AskingRoom) -> None:
        self._screen = screen
        self.profile = ""
        self.paths: tuple[Path, ...] = ()
        self.releases: dict[str, str] = {}
        self.judged: Judged | None = None
        self.trouble: tuple[str, ...] = ()
        """Why the last judging, or the last change of what was said, failed."""
        self.stale = ""
        """What changed since it was judged, while it is not judged anew yet."""
        self.counted = 0
        """Files that the judging that runs looks at."""
        self._roots: tuple[Path, ...] = ()
        self._replay = False
        self._opened = False
        self._since: float | None = None
        self._number = 0
        self._looking = False
        self._next = float("-inf")

    @property
    def release(self) -> str:
        """The release that is judged."""
        return self.releases.get(self.profile, UNNAMED)

    @property
    def named(self) -> bool:
        """Whether the release has a name."""
        return self.profile in self.releases

    @property
    def places(self) -> str:
        """Where evidence is looked for, in words."""
        if not self.paths:
            return "what is watched"
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return safe_text(str(self.paths[0]), 60) + more

    @property
    def busy_s(self) -> float | None:
        """How long the judging that runs takes already (s), None where none runs."""
        return None if self._since is None else time.monotonic() - self._since

    def question(self) -> Question:
        """Return what is to be judged, without what was said of it."""
        return Question(self.profile, self.paths or self._roots, self.release)

    def open(self, roots: Sequence[Path], *, replay: bool) -> None:
        """Take up what was judged last, the first time; take what the console watches."""
        self._roots, self._replay = tuple(roots), replay
        if self._opened:
            return
        self._opened = True
        if replay:  # a recorded box is looked at with nothing of the operator's own
            self.profile = REPLAYED
            self.judge()
            return
        try:
            last = drafts.load_last()
        except drafts.DraftError as error:
            self.trouble = (str(error),)
            return
        from pathlib import Path

        self.profile, self.releases = last.profile, dict(last.releases)
        self.paths = tuple(map(Path, last.paths))
        if self.profile:
            self.judge()

    def choose(
        self, *, profile: str | None = None, paths: tuple[Path, ...] | None = None, release: str | None = None
    ) -> None:
        """Put another question."""
        if profile is not None:
            self.profile, self.judged = profile, None
        if paths is not None:
            self.paths = tuple(path.absolute() for path in paths)
        if release is not None:
            self.releases[self.profile] = release
        self.trouble = ()
        self._keep()
        if self.profile:
            self.judge()

    def _keep(self) -> None:
        if self._replay:
            return
        try:
            drafts.save_last(drafts.Last(self.profile, dict(self.releases), tuple(map(str, self.paths))))
        except drafts.DraftError as error:
            self._screen.notify(safe_text(str(error), 300), severity="warning", markup=False)

    # ------------------------------------------------------------------ judging

    def judge(self) -> None:
        """Judge in the background; an answer to an earlier question is dropped."""
        self._number += 1
        number, question, replay = self._number, self.question(), self._replay
        self._since, self.counted = time.monotonic(), 0
        now = self._screen.console_app.now()

        def counted(files: int) -> None:
            self.counted = files

        def work() -> Callable[[], None]:
            started = time.monotonic()
            # Words are kept by the profile's own id, which a path does not tell.
            profile, _ = desk.usable(question.profile)
            silent = replay or question.release == UNNAMED
            said = drafts.Words() if silent else drafts.load_words(profile.id, question.release)
            judged = desk.judge(replace(question, marks=said.marks, waivers=said.waivers), now, counted=counted)
            took = time.monotonic() - started
            return lambda: self._judged(number, judged, took)

        in_background(self._screen, "judge", work, lambda error: self._failed(number, error))

    def _judged(self, number: int, judged: Judged, took: float) -> None:
        if number != self._number:
            return
        self._since, self.judged, self.trouble, self.stale = None, judged, (), ""
        self._next = time.monotonic() + REST * took
        self._screen.again()

    def _failed(self, number: int, error: Exception) -> None:
        if number != self._number:
            return
        self._since, self.judged, self.stale = None, None, ""
        self.trouble = told(error)
        self._screen.again()

    def beat(self) -> None:
        """Look whether files changed, cheaply; judge anew where they did and the last judging is long enough ago."""
        judged = self.judged
        if judged is None or self._since is not None or self._looking:
            return
        self._looking = True

        def work() -> Callable[[], None]:
            moved = desk.changed(judged, appeared=True)
            return lambda: self._looked(judged, moved)

        in_background(self._screen, "look", work, self._look_failed)

    def _look_failed(self, error: Exception) -> None:
        self._looking = False
        self.trouble = told(error)
        self._screen.again()

    def _looked(self, judged: Judged, moved: tuple[str, ...]) -> None:
        self._looking = False
        if not moved or judged is not self.judged or self._since is not None:
            return
        if time.monotonic() >= self._next:
            self.judge()
        else:
            self.stale = f"changed since: {moved[0]}"
        self._screen.again()

    # ------------------------------------------------------------------ words

    def mark(self, criterion: str, note: str, *, passed: bool) -> None:
        """Keep a mark, and judge with it."""
        mark = Mark(criterion, passed, note, desk.login(), self._screen.console_app.clock())
        self._change(lambda profile, release: drafts.save_mark(profile, release, mark))

    def unmark(self, criterion: str) -> None:
        """Take a mark back, and judge without it."""
        self._change(lambda profile, release: drafts.drop_mark(profile, release, criterion))

    def waive(self, criterion: str, owner: str, due: float, reason: str) -> None:
        """Keep a waiver (`due` in seconds since the epoch), and judge with it."""
        waiver = Waiver(criterion, owner, due, reason, desk.login(), self._screen.console_app.clock())
        self._change(lambda profile, release: drafts.save_waiver(profile, release, waiver))

    def unwaive(self, criterion: str) -> None:
        """Take a waiver back, and judge without it."""
        self._change(lambda profile, release: drafts.drop_waiver(profile, release, criterion))

    def _change(self, change: Callable[[str, str], object]) -> None:
        if self.judged is None:
            return
        try:
            change(self.judged.evaluation.profile.id, self.release)
        except drafts.DraftError as error:
            self._screen.notify(safe_text(str(error), 300), severity="error", markup=False)
            return
        self.judge()
        self._screen.again()


def told(error: Exception) -> tuple[str, ...]:
    """Return what went wrong as sentences; what nobody foresaw is named with its kind."""
    if isinstance(error, desk.DeskError):
        return error.lines
    if isinstance(error, drafts.DraftError):
        return (str(error),)
    return (f"{type(error).__name__}: {error}",)

"""Letting a CONDITIONAL through on the gate's screen: who answers for it, until when, and why, one question each.

Whether a waiver counts is `mens_console.gate.evaluate`'s to say; what is refused here would count for nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from mens_console.gate.words import due_of, due_text
from mens_console.ingest.text import safe_text
from mens_console.screens.gateasks import AskScreen
from mens_console.signals.human import span

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from mens_console.gate.types import Judgement, Profile, Waiver

    Take = Callable[[str, float, str], None]

LEAST_OWNER: Final = 2
LEAST_REASON: Final = 3
_NOTHING_GAINED: Final = {
    "PASS": "It passes: there is nothing to let through",
    "FAIL": "It is FAIL: a waiver lets nothing but a CONDITIONAL through",
    "UNDERFED": "It is UNDERFED: a waiver lets nothing but a CONDITIONAL through; it needs evidence",
}


def refused(judged: Judgement, profile: Profile) -> str:
    """Return why a criterion takes no waiver, "" where it takes one."""
    if judged.verdict != "CONDITIONAL":
        return _NOTHING_GAINED[judged.verdict]
    if not judged.criterion.decides:
        return "It decides nothing: there is nothing to let through"
    if not profile.conditional_passes:
        return f"{safe_text(profile.id, 60)} lets no CONDITIONAL through (conditional_passes)"
    return ""


def ask(app: App[object], judged: Judgement, before: Waiver | None, clock: Callable[[], float], take: Take) -> None:
    """Ask the three questions, and hand the answers to `take` (the due date in s since the epoch).

    `before` is an earlier waiver whose answers are proposed. Who leaves a question leaves everything as it was.
    """
    title = safe_text(f"{judged.criterion.id} {judged.criterion.title}", 200)

    def owner(name: str | None) -> None:
        if name is not None:
            question = f"Until when does {safe_text(name, 80)} have it settled? A day counts to its end, in UTC."
            app.push_screen(AskScreen("Waiver 2 of 3: due", question, wrong=partial(due_problem, now=clock)),
                            partial(due, name))  # fmt: skip

    def due(name: str, text: str | None) -> None:
        moment = due_of(text) if text is not None else None
        if moment is None:
            return
        question = (
            f"{safe_text(name, 80)} answers for {title} until {due_text(moment)}, in {span(moment - clock())}. "
            "Why may it go through until then?"
        )
        reason = safe_text(before.reason, 400) if before is not None else ""
        app.push_screen(AskScreen("Waiver 3 of 3: reason", question, reason, wrong=reason_problem),
                        lambda why: take(name, moment, why) if why is not None else None)  # fmt: skip

    question = f"{title} is CONDITIONAL: {safe_text(judged.reason, 300)}. Who answers for it?"
    name = safe_text(before.owner, 80) if before is not None else ""
    app.push_screen(AskScreen("Waiver 1 of 3: owner", question, name, wrong=owner_problem), owner)


def owner_problem(text: str) -> str:
    """Return why a text names no owner."""
    if len(text) < LEAST_OWNER or not any(char.isalpha() for char in text):
        return "a waiver needs an owner: the name of who settles it"
    return ""


def due_problem(text: str, now: Callable[[], float]) -> str:
    """Return why a text is no day on which something can be due."""
    moment = due_of(text)
    if moment is None:
        return "write a day such as 2026-01-31"
    if moment <= now():
        return f"{due_text(moment)} is over: a waiver that is due counts for nothing"
    return ""


def reason_problem(text: str) -> str:
    """Return why a text is no reason."""
    return "" if len(text) >= LEAST_REASON else "a waiver needs a reason: what is still missing, in a few words"

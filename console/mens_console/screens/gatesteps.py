"""What the sign-off says on each of its steps, and what it offers there. Pure functions to lines."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.gate import desk, drafts
from mens_console.gate.frozen import people
from mens_console.ingest.text import safe_text
from mens_console.screens.gaterows import VERDICT_LOOKS, counts
from mens_console.screens.sheet import Line, fact, prose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mens_console.gate.frozen import Frozen
    from mens_console.gate.signoff import Recorded
    from mens_console.gate.ssh import Key
    from mens_console.gate.statements import Decision

MOST_BLOCKERS: Final = 4
MOST_PEOPLE: Final = 12


class Option(NamedTuple):
    """Something that can be chosen: its name, what it does, and the key that it means."""

    name: str
    text: str
    key: Key | None = None


def options(step: str, frozen: Frozen | None, decision: Decision) -> tuple[Option, ...]:
    """Return what is offered: the decision, or how it is signed. A GO only where nothing stands in its way."""
    if frozen is None:
        return ()
    if step == "decide":
        go = () if frozen.obstacles else (Option("GO", "GO: it ships; asks for a phrase to be typed"),)
        back = () if frozen.signers is None else (Option("import", "Take in what was signed elsewhere"),)
        return (*go, Option("NO-GO", "NO-GO: it does not, and why"), *back)
    told: list[Option] = []
    if frozen.signers is not None:
        known = people(frozen)
        told += [
            Option("laptop", f"On the laptop of {safe_text(name, 60)}: written to a file, signed there", key)
            for key, name in known[:MOST_PEOPLE]
        ]
        told.append(Option("agent", "Here, with a key of the agent (ssh -A)"))
    if frozen.evaluation.profile.unsigned:
        text = f"UNSIGNED, as {safe_text(desk.login(), 40)}: nobody can check who said {decision}"
        told.append(Option("unsigned", text))
    return tuple(told)


def head_lines(frozen: Frozen, width: int) -> list[Line]:
    """Return what is decided on."""
    evaluation = frozen.evaluation
    look = VERDICT_LOOKS[evaluation.verdict]
    files = len(evaluation.manifest.files)
    lines: list[Line] = [
        *prose(f"{safe_text(evaluation.release, 100)} under {safe_text(evaluation.profile.id, 80)}", width, "strong"),
        ((f"{look.glyph} {look.word}", look.ink), *counts(evaluation)),
        fact("frozen", f"{files} files", "", f"digest {evaluation.digest[:16]}"),
    ]
    for entry in frozen.judged.words:
        made = entry.decision
        on = "this" if made.digest == evaluation.digest else "another evaluation"
        status = "" if entry.signed else " UNSIGNED"
        lines += prose(f"so far {made.decision}{status} of {safe_text(made.by.principal, 80)} on {on}", width, "muted")
    obstacles = frozen.obstacles
    if obstacles:
        lines += [(), (("No GO: this stands in its way.", "bad"),)]
        for text in obstacles[:MOST_BLOCKERS]:
            lines += prose(safe_text(text, 240), width, "", "- ")
        if len(obstacles) > MOST_BLOCKERS:
            lines.append(((f"and {len(obstacles) - MOST_BLOCKERS} more", "muted"),))
    if frozen.signers_problem:
        lines += [(), *prose(safe_text(frozen.signers_problem, 400), width, "warn", "! ")]
    return [*lines, ()]


def step_lines(step: str, offered: Sequence[Option], place: int, told: Sequence[str], width: int) -> list[Line]:
    """Return what a step asks."""
    asked = {
        "freezing": "Reading the evidence once more, to freeze it…",
        "decide": "What do you say?",
        "how": "Who signs it, and where?" if offered else "There is no way to record it: see above.",
        "which": "Which key?",
        "asking": "Asking…",
        "signing": "Signing: confirm or touch the key where it asks (twice). Esc gives up.",
        "reason": "Why not? The reason is signed with it.",
        "file": "Where to write what is to be signed? Two files; not among the evidence.",
        "signature": "The signature that came back (FILE.sig; FILE and both .results files lie beside it):",
    }[step]
    lines = prose(asked, width, "accent")
    for i, option in enumerate(offered):
        here = i == place
        lines += prose(option.text, width, "strong" if here else "", "› " if here else "  ")
    for text in told:
        lines += prose(safe_text(text, 600), width, "warn", "! ")
    return lines


def phrase_lines(wanted: str, by: str, width: int) -> list[Line]:
    """Return what has to be typed for a GO, and in whose name."""
    name = safe_text(by, 80)
    loud: list[Line] = [(("UNSIGNED: nobody can check later who said this.", "bad"),)] if by == "UNSIGNED" else []
    lines = loud or prose(f"In the name of {name}.", width)
    return [*lines, *prose("Type this, key by key, then Enter:", width, "accent"), (("  " + wanted, "strong"),)]


def exported_lines(path: Path, commands: Sequence[str], width: int) -> list[Line]:
    """Return what to do with what was written."""
    lines: list[Line] = [(("Written; nothing is recorded yet.", "accent"),)]
    lines += prose(f"Copy {path} and {path.name}.results to where your key is, and there run:", width)
    for command in commands:
        lines += unbroken(command, width, "strong")
    lines += prose(f"Copy {path.name}.sig and {path.name}.results.sig back beside them, then Enter.", width)
    text = "It may take hours: Esc leaves it, and s takes it in later, as long as the evidence stays the same."
    return [*lines, (), *prose(text, width, "muted")]


def unbroken(text: str, width: int, ink: str) -> list[Line]:
    """Return a command or path broken at blanks alone, so that it can be copied."""
    return [((f"  {part}", ink),) for part in wrap(text, max(width - 2, 8), break_on_hyphens=False)]


def failed_lines(told: Sequence[str], width: int) -> list[Line]:
    """Return what went wrong."""
    lines: list[Line] = [(("Nothing was recorded.", "bad"),)]
    for text in told:
        lines += prose(safe_text(text, 1000), width, "warn")
    return [*lines, (), (("Enter goes back, Esc leaves.", "muted"),)]


def outcome(recorded: Recorded) -> str:
    """Return what was recorded, in a line."""
    made = recorded.entry.decision
    return f"{recorded.status}  {made.decision}  {made.release} by {made.by.principal}"


def done_lines(recorded: Recorded, width: int) -> list[Line]:
    """Return what is on disk now, what the release stands at, and what to keep."""
    made, standing = recorded.entry.decision, recorded.standing
    ink = "bad" if made.decision == "NO-GO" or not recorded.entry.signed else "good"
    lines: list[Line] = prose(safe_text(outcome(recorded), 300), width, ink)
    if not recorded.entry.signed:
        lines += prose("UNSIGNED: it proves nothing of who said it.", width, "bad")
    lines += prose(f"recorded as entry {recorded.entry.number} of {safe_text(str(desk.ledger_path()), 300)}", width)
    lines += [(), fact("stands at", safe_text(standing.text, 60), "accent")]
    if standing.outcome == "PENDING":
        text = (
            "It takes another person: who opens this same screen on the same evidence (9, then s), or runs "
            "mens-console gate sign with a key of their own, and from another account with this --ledger, and with "
            "--marks and --waivers:"
        )
        lines += prose(text, width, "warn")
        lines += unbroken(safe_text(str(drafts.path_of(made.profile.id, made.release)), 300), width, "")
    lines += [(), (("head", "muted"),), *prose(recorded.head, width, "strong")]
    text = "Keep the head elsewhere: mens-console gate verify --expect-head HEAD finds a ledger cut or rewritten."
    return [*lines, *prose(text, width, "muted")]


def subtitle(step: str) -> str:
    """Return the keys of a step."""
    return {
        "freezing": "Esc leaves it",
        "phrase": "typed by hand · Enter · Esc back",
        "reason": "Enter goes on · Esc back",
        "signing": "Esc gives up",
        "done": "Esc closes",
        "failed": "Enter back · Esc leaves it",
        "exported": "Enter takes the signatures in · Esc leaves it",
        "decide": "j k Enter · Esc leaves it",
    }.get(step, "Enter · Esc back")

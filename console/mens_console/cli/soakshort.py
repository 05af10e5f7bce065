"""What a status bar has room for of the soaks of a box: the one that needs looking at first, seen at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.text import safe_text
from mens_console.screens.soakwords import elapsed, state_look
from mens_console.soak.glance import glance
from mens_console.soak.wording import down

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.soak.glance import Glance
    from mens_console.store.snapshot import SoakView

_MOST: Final = 20
"""Soaks that are looked at."""
_RANKS: Final = {"died": 0, "running": 2, "starting": 3, "unknown": 4, "stopped": 5, "finished": 6}
_OVER: Final = frozenset({"stopped", "finished"})
_OLD_S: Final = 86_400.0
"""A driver that died longer ago is no news, and hides no soak that goes on."""
_FAILING: Final = 1


class Short(NamedTuple):
    """The soak that needs looking at first: its words, whether it is over, and whether something is wrong with it."""

    text: str
    over: bool
    wrong: bool


def short(views: Iterable[SoakView], now: float, *, named: bool) -> Short | None:
    """Return it, with its name where there is room for one; None without a soak of this console's own."""
    seen = [(view, glance(view.path, now)) for view in list(views)[:_MOST] if view.path.is_dir()]
    if not seen:
        return None
    view, first = min(seen, key=lambda pair: _rank(pair[1]))
    look = state_look(first.state)
    wrong = (first.state == "died" and not _is_old(first)) or (first.state == "running" and first.failing)
    glyph = "✖" if wrong else look.glyph
    name = [safe_text(view.id, 24)] if named else []
    state = [f"{glyph} {look.word}" if named or first.state != "running" else glyph]
    many = f"{len(seen)} soaks" if len(seen) > 1 else "soak"
    return Short(
        " ".join([many, *name, *state, _far(first), *_bad(first)]), first.state in _OVER or _is_old(first), wrong
    )


def _is_old(one: Glance) -> bool:
    return one.state == "died" and one.heard_s is not None and one.heard_s > _OLD_S


def _rank(one: Glance) -> int:
    if _is_old(one):
        return _RANKS["stopped"]
    return _FAILING if one.state == "running" and one.failing else _RANKS.get(one.state, 4)


def _far(one: Glance) -> str:
    return elapsed(one.now_s) + (f"/{elapsed(one.target_s)}" if one.target_s else "")


def _bad(one: Glance) -> list[str]:
    """Return what failed in the newest minute of one that runs."""
    if one.state != "running":
        return []
    if one.failed:
        return [f"{down(one.failed)} fail"]
    return [f"{down(one.down)} of probes fail"] if one.down else []

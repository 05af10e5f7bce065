"""Adapter pairs in words: metrics, states and why, a pair's figures, who does most, and the strip of a run.

Pure functions from views to lines; rows of the heatmap are in `lorarows`, and no widget enters here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, fact, heading, prose
from mens_console.signals.human import number, percent, step
from mens_console.signals.pairs import METRICS, PairState
from mens_console.signals.rules import RULES
from mens_widgets.bar import bar

if TYPE_CHECKING:
    from mens_console.screens.loraplaces import Place
    from mens_console.screens.words import Ink
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import LayersView


class Metric(NamedTuple):
    """How a metric of `signals.pairs.METRICS` reads: a sign, a title, and whether its shades are logarithmic."""

    sign: str
    title: str
    log: bool = True


WORDS: Final[Mapping[str, Metric]] = {
    "grad": Metric("|g|", "gradient norm"),
    "grad_a": Metric("|gA|", "gradient norm of A"),
    "grad_b": Metric("|gB|", "gradient norm of B"),
    "update": Metric("|Δ|", "update of one step"),
    "ratio": Metric("|Δ|/|W|", "update ratio"),
    "rank": Metric("rank", "effective rank", log=False),
}


class Look(NamedTuple):
    """How a state shows: a mark, its stand-in for poor fonts, ink, tone of the heatmap, rank with the worst first."""

    mark: str
    plain: str
    ink: Ink
    tone: str
    rank: int


LOOKS: Final[Mapping[PairState, Look]] = {
    PairState.DEAD: Look("×", "x", "bad", "critical", 0),
    PairState.EXPLODING: Look("!", "!", "bad", "critical", 1),
    PairState.VANISHING: Look("↓", "v", "warn", "warning", 2),
    PairState.UNUSED: Look("∅", "o", "warn", "warning", 3),
    PairState.UNKNOWN: Look("?", "?", "warn", "warning", 4),
    PairState.FROZEN: Look("❄", "*", "muted", "muted", 5),
    PairState.WARMING: Look("~", "~", "accent", "info", 6),
    PairState.ACTIVE: Look("", "", "good", "", 7),
}
TROUBLED: Final = frozenset(
    {PairState.DEAD, PairState.EXPLODING, PairState.VANISHING, PairState.UNUSED, PairState.UNKNOWN}
)
"""States that somebody should look at; frozen is meant, and warming passes."""

SEED_VANISHING: Final = 1e-5
SEED_EXPLODING: Final = 100.0
SEED_IMBALANCE: Final = 1000.0
"""The thresholds of the seed formula: S4's *Detects* list of `lora_monitor.py`."""

TOP: Final = 6
LISTED: Final = 8
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def plain_terminal() -> bool:
    """Return whether the terminal's font is poor: the console of Linux, which has no snowflake."""
    return os.environ.get("TERM") == "linux"


def metrics_of(layers: LayersView) -> list[str]:
    """Return the metrics that were measured, in the order that `m` goes through them."""
    return [name for name in METRICS if name in layers.values]


def mark_of(state: PairState, *, plain: bool) -> str:
    """Return the mark of a state, ASCII where the font is `plain`."""
    look = LOOKS[state]
    return look.plain if plain else look.mark


def latest(layers: LayersView, metric: str, pair: int) -> float:
    """Return the newest value of a pair, NaN where it was not measured."""
    column = layers.latest.get(metric)
    return float(column[pair]) if column is not None and pair < len(column) else math.nan


def figure(value: float) -> str:
    """Return a measured value; infinity stands for any that was not finite."""
    return "not measured" if math.isnan(value) else number(value, 3) if math.isfinite(value) else "NaN or infinite"


# What it is doing, and why


def why(layers: LayersView, pair: int, rules: Mapping[str, Rule] = RULES) -> str:
    """Return in a sentence or two why a pair is in its state, with the figures that decided."""
    g, update = latest(layers, "grad", pair), latest(layers, "update", pair)
    match layers.states[pair]:
        case PairState.DEAD if update == 0.0 and g != 0.0:
            return f"It does not move: update exactly 0, though its gradient norm is {figure(g)}."
        case PairState.DEAD if g == 0.0 and update != 0.0 and not math.isnan(update):
            return f"Nothing stands behind its movement: gradient exactly 0, update {figure(update)}."
        case PairState.DEAD if g == 0.0:
            return "It gets no gradient (exactly 0) and does not move, while others do."
        case PairState.DEAD:
            return "It did not move in the looks that decided."
        case PairState.VANISHING:
            rule = rules["lora_vanishing"]
            critical = f" (critical below {rule.critical:g})" if rule.critical is not None else ""
            return f"Its gradient norm of {figure(g)} is below {rule.entry:g}{critical}, look after look."
        case PairState.EXPLODING if math.isinf(g):
            return "Its gradient is not finite."
        case PairState.EXPLODING:
            rule = rules["lora_exploding"]
            return f"Its gradient norm of {figure(g)} is above {rule.entry:g}, or not yet back below {rule.exit:g}."
        case PairState.UNUSED:
            return "It is trainable, but no gradient has ever reached it: the loss does not depend on it."
        case PairState.FROZEN:
            return "Neither A nor B is trainable. That is how the run was set up, and no fault."
        case PairState.WARMING:
            return "Too early to tell: at the first step the gradient of A is exactly 0 because B begins at 0."
        case PairState.UNKNOWN:
            return "Nothing was measured of it that could tell."
        case _:
            moves = " and it moves" if update > 0.0 else "; whether it moves was not measured"
            return f"It gets a gradient{moves}." if g == g else "It moves; its gradient was not measured."


def seed_state(norm: float) -> str:
    """Return what S4's formula says of a pair, which looks at the newest gradient norm alone."""
    if math.isnan(norm):
        return "says nothing"
    if norm == 0.0:
        return "dead"
    return "vanishing" if norm < SEED_VANISHING else "exploding" if norm > SEED_EXPLODING else "active"


def seed_imbalance(layers: LayersView) -> float:
    """Return the largest over the smallest gradient norm of all pairs that have one, NaN under two (S4)."""
    column = layers.latest.get("grad")
    norms = column[np.isfinite(column) & (column > 0)] if column is not None else np.empty(0)
    return float(norms.max() / norms.min()) if len(norms) > 1 else math.nan


def rule_of(state: PairState, rules: Mapping[str, Rule]) -> str:
    """Return the definition that decides on a state, "" where no rule does."""
    rule = rules.get(f"lora_{state}")
    return rule.condition if rule is not None else ""


# Lines


def state_pieces(layers: LayersView, pair: int, *, plain: bool) -> Line:
    """Return ``× dead``: mark and word."""
    state = layers.states[pair]
    return ((f"{mark_of(state, plain=plain) or '●'} {state}", LOOKS[state].ink),)


def summary_line(layers: LayersView, width: int, rules: Mapping[str, Rule] = RULES, *, plain: bool = False) -> Line:
    """Return ``24/28 pairs active, 4 dead · imbalance 12``, troubles in colour, in as many words as fit."""
    ratio, limit = layers.summary.imbalance, rules["lora_imbalance"].entry
    value = (number(ratio, 3) if math.isfinite(ratio) else "—", "warn" if ratio > limit else "")
    apart: Line = ((" · imbalance ", "muted"), value)
    meant = (" (largest/smallest |g| of active pairs)", "muted")
    words = _counts(layers)
    marks = _counts_in_marks(layers, plain=plain)
    variants = ((*words, *apart, meant), (*words, *apart), (*marks, *apart), marks)
    return next((line for line in variants if sum(len(text) for text, _ in line) <= width), marks)


def _counts(layers: LayersView) -> Line:
    first, *rest = layers.summary.text().split(", ")
    pieces = [(text, LOOKS[PairState(text.rpartition(" ")[2])].ink) for text in rest]
    return ((first, _ink(layers)), *(piece for one in pieces for piece in ((", ", "muted"), one)))


def _counts_in_marks(layers: LayersView, *, plain: bool) -> Line:
    counts = layers.summary.counts
    others = [(LOOKS[state], n, state) for state, n in counts.items() if n and state is not PairState.ACTIVE]
    first = f"{counts.get(PairState.ACTIVE, 0)}/{layers.summary.total} active"
    return ((first, _ink(layers)), *((f" {mark_of(state, plain=plain)}{n}", look.ink) for look, n, state in others))


def _ink(layers: LayersView) -> Ink:
    return "good" if layers.summary.counts.get(PairState.ACTIVE, 0) == layers.summary.total else "strong"


def pair_lines(
    layers: LayersView, pair: int, width: int, rules: Mapping[str, Rule] = RULES, *, plain: bool = False
) -> list[Line]:
    """Return one pair: its full name, state and why, both definitions' verdicts, and its newest values."""
    state, g = layers.states[pair], latest(layers, "grad", pair)
    lines = _name_lines(safe_text(layers.table.names[pair], 300), width)
    lines.append(state_pieces(layers, pair, plain=plain))
    lines += prose(why(layers, pair, rules), width)
    if text := rule_of(state, rules):
        lines += prose(f"{state}: {text}", width, "muted", "· ")
    seed = seed_state(g)
    differs = seed not in (str(state), "says nothing")
    lines += prose(f"seed formula: {seed} (0 dead, < 1e-5 vanishing, > 100 exploding)", width, "muted", "· ")
    if differs and state is not PairState.WARMING:
        lines += prose("The two differ: one newest gradient cannot show whether a pair moves.", width, "muted", "  ")
    lines += [*heading(f"Newest, step {step(layers.summary.step)}"), *_values(layers, pair)]
    return lines


def _name_lines(name: str, width: int) -> list[Line]:
    """Return a module path broken after its dots."""
    lines = [""]
    for part in name.replace(".", ".\0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return [line for text in lines for line in prose(text, width, "strong")]


def _values(layers: LayersView, pair: int) -> list[Line]:
    lines: list[Line] = []
    r = layers.table.r[pair] if pair < len(layers.table.r) else 0
    for metric in metrics_of(layers):
        value, words = latest(layers, metric, pair), WORDS[metric]
        note = f"of r {r}" if metric == "rank" and r else words.title
        ink = "muted" if math.isnan(value) else "bad" if math.isinf(value) else "strong"
        lines.append(fact(words.sign, figure(value), ink, note))
    if "rank" not in layers.values and r:
        lines.append(fact("r", str(r)))
    lines.append(fact("share", _share(share_of(layers, pair)), "", "of all |g|²"))
    return lines


def _share(share: float) -> str:
    return "<0.01 %" if 0.0 < share < 1e-4 else percent(share)


def share_of(layers: LayersView, pair: int) -> float:
    """Return a pair's share of the squared gradient norm of all pairs, NaN where it was not measured."""
    column = layers.latest.get("grad")
    if column is None or not math.isfinite(column[pair]):
        return math.nan
    finite = column[np.isfinite(column)]
    largest = float(finite.max())  # squares of what is far from 1 leave the range of a float
    if largest == 0.0:
        return math.nan
    return float((column[pair] / largest) ** 2 / ((finite / largest) ** 2).sum())


def ranking_lines(layers: LayersView, places: Sequence[Place], *, plain: bool = False) -> list[Line]:
    """Return the pairs that do most with their shares, and beside them those in trouble."""
    lines = heading("Most active, share of |g|²")
    if not layers.summary.top:
        lines.append((("no gradient norm was measured", "muted"),))
    for pair, share in layers.summary.top[:TOP]:
        text = f"{share:6.1%} " if share >= 0.001 else "<0.1 % "
        lines.append(((bar(share, 6), "accent"), (text.replace("%", " %"), "strong"), (places[pair].name, "")))
    for state in sorted(TROUBLED | {PairState.FROZEN}, key=lambda state: LOOKS[state].rank):
        found = [i for i, one in enumerate(layers.states) if one is state]
        if not found:
            continue
        look = LOOKS[state]
        lines += [(), ((f"{str(state).capitalize()}, {len(found)}", look.ink),)]
        lines += [((f"{mark_of(state, plain=plain)} ", look.ink), (places[i].name, "")) for i in found[:LISTED]]
        if len(found) > LISTED:
            lines.append(((f"and {len(found) - LISTED} more (o: worst first)", "muted"),))
    return lines


def whole_lines(layers: LayersView, width: int) -> list[Line]:
    """Return what both definitions say of the model as a whole."""
    column = layers.latest.get("grad")
    said = [seed_state(float(g)) for g in column] if column is not None else []
    counts = [f"{said.count(word)} {word}" for word in ("active", "dead", "vanishing", "exploding") if word in said]
    seed, apart = seed_imbalance(layers), " (over 1000)"
    lines = [*heading("Seed formula, all pairs"), *prose(", ".join(counts) or "no gradient norm", width, "muted")]
    if math.isfinite(seed):
        text = f"imbalance {number(seed, 3)}{apart if seed > SEED_IMBALANCE else ''}, dead and frozen pairs left out"
        lines += prose(text, width, "muted")
    if "update" not in layers.values:
        text = "Movement was not measured: a pair that gets a gradient but stands still looks like one that learns."
        lines += prose(text, width, "warn", "! ")
    return lines


# The strip of the Run screen


def strip_line(layers: LayersView, width: int, *, plain: bool = False) -> Line:
    """Return the pairs of a run in one line: a block a layer (its height the gradient norm), troubles, the summary.

    A layer with a pair in trouble shows the mark of the worst instead of a block. Where layers do not fit, neighbours
    share a cell, and the worst of them is seen.
    """
    words = _counts(layers) if width >= 100 else _counts_in_marks(layers, plain=plain)
    room = width - 8 - sum(len(text) for text, _ in words)
    cells: list[tuple[str, Ink]] = []
    if room >= 8:
        cells = [*_layer_cells(layers, min(room, 120), plain=plain), ("  ", "")]
    return (("LoRA  ", "accent"), *cells, *words)


def _layer_cells(layers: LayersView, most: int, *, plain: bool) -> list[tuple[str, Ink]]:
    places = layers.table.places
    order = sorted(range(len(places)), key=lambda i: (places[i][0] < 0, places[i][0]))
    groups = [list(g) for _, g in groupby(order, key=lambda i: places[i][0] if places[i][0] >= 0 else -1 - i)]
    if len(groups) > most:
        parts = [groups[k * len(groups) // most : (k + 1) * len(groups) // most] for k in range(most)]
        groups = [[i for group in part for i in group] for part in parts]
    norms = [max((latest(layers, "grad", i) for i in group), default=math.nan) for group in groups]
    levels = [math.log10(n) for n in norms if 0.0 < n < math.inf]
    low, high = min(levels, default=0.0), max(levels, default=0.0)
    cells = [_layer_cell(layers, group, n, low, high, plain) for group, n in zip(groups, norms, strict=True)]
    return [("".join(text for text, _ in run), ink) for ink, run in groupby(cells, key=lambda cell: cell[1])]


def _layer_cell(
    layers: LayersView, group: list[int], norm: float, low: float, high: float, plain: bool
) -> tuple[str, Ink]:
    worst = min((layers.states[i] for i in group), key=lambda state: LOOKS[state].rank)
    if worst in TROUBLED:
        return mark_of(worst, plain=plain), LOOKS[worst].ink
    if not 0.0 < norm < math.inf:
        return mark_of(worst, plain=plain) or "·", LOOKS[worst].ink
    share = (math.log10(norm) - low) / (high - low) if high > low else 0.5
    return _BLOCKS[min(7, int(share * 8))], "good" if worst is PairState.ACTIVE else LOOKS[worst].ink

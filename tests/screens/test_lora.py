"""The LoRA screen: what it says of each state, every key, every page, and what it looks like."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from screens.adapters import ATTENTION, MLP, PATTERNS, layers_of, looks, lora_run, table
from screens.box import NOW, run, snapshot
from screens.conftest import settle, text_of
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.widgets import Input

from mens_console.screens.fleet import FleetScreen
from mens_console.screens.lora import LoraScreen
from mens_console.screens.loralines import (
    LOOKS,
    metrics_of,
    pair_lines,
    seed_state,
    share_of,
    strip_line,
    summary_line,
    why,
)
from mens_console.screens.lorapane import PairCharts, groups_from, traces_of
from mens_console.screens.loraplaces import places_of
from mens_console.screens.patterns import table_of
from mens_console.screens.run import RunScreen
from mens_console.screens.sheet import Header, Sheet
from mens_console.signals.pairs import PairState, PairTable
from mens_widgets.chart import Chart
from mens_widgets.heatmap import Heatmap
from mens_widgets.matrix import Matrix

SIZES = [(80, 24), (120, 40), (200, 50)]
DEAD, VANISHING, EXPLODING, UNUSED, FROZEN = (13, 41, 42, 107), 60, 77, 3, 0


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    """A terminal of 16 colours, so that shades are text; pictures ask for colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM", raising=False)


def words(lines):
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.fixture(scope="module")
def adapters():
    return lora_run()


@pytest.fixture
def lively(adapters):
    other = lora_run("mini-lora", table(4), looks(table(4), 30, seed=9), age=600)
    return snapshot([adapters, replace(other, patterns=None), run("plain", "finished")])


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def go(app, pilot, run_id="qwen-lora-r16"):
    app.chosen = run_id
    await press(pilot, "3")
    assert isinstance(app.screen, LoraScreen)
    return app.room.query_one(Heatmap)


# Words


def test_the_made_up_run_is_judged_as_it_was_made(adapters):
    states = adapters.layers.states
    assert {i for i, state in enumerate(states) if state is PairState.DEAD} == set(DEAD)
    assert states[VANISHING] is PairState.VANISHING and states[EXPLODING] is PairState.EXPLODING
    assert states[UNUSED] is PairState.UNUSED and states[FROZEN] is PairState.FROZEN
    assert adapters.layers.summary.text().startswith("103/112 pairs active")


@pytest.mark.parametrize(
    ("pair", "state", "reason", "seed"),
    [
        (13, "× dead", "gets no gradient (exactly 0) and does not move", "seed formula: dead"),
        (60, "↓ vanishing", "is below 1e-05 (critical below 1e-07)", "seed formula: vanishing"),
        (77, "! exploding", "is above 100", "seed formula: exploding"),
        (3, "∅ unused", "no gradient has ever reached it", "seed formula: says nothing"),
        (0, "❄ frozen", "Neither A nor B is trainable", "seed formula: says nothing"),
        (5, "● active", "It gets a gradient and it moves", "seed formula: active"),
    ],
)
def test_each_state_is_said_in_words_with_its_reason(adapters, pair, state, reason, seed):
    text = words(pair_lines(adapters.layers, pair, 200))
    assert adapters.layers.table.names[pair] in text
    assert state in text and reason in text and seed in text
    assert "|Δ|/|W|" in text and "of r 16" in text and "of all |g|²" in text
    plain = words(pair_lines(adapters.layers, pair, 200, plain=True))
    assert not set(plain) & set("×↓∅❄")


def test_a_pair_that_gets_gradients_but_stands_still_is_dead_and_the_seed_says_otherwise():
    pairs = table(2)
    rows = looks(pairs, 40)
    for row in rows:
        row.values["update"][5] = 0.0
    layers = layers_of(pairs, rows)
    assert layers.states[5] is PairState.DEAD and list(layers.states).count(PairState.DEAD) == 1
    text = words(pair_lines(layers, 5, 300))
    assert "It does not move: update exactly 0, though its gradient norm is 0.0" in text
    assert "seed formula: active" in text and "The two differ" in text


def test_a_pair_without_a_gradient_that_moves_has_nothing_behind_it():
    pairs = table(2)
    rows = looks(pairs, 40)
    for row in rows:
        for name in ("grad", "grad_a", "grad_b"):
            row.values[name][5] = 0.0
    layers = layers_of(pairs, rows)
    assert "Nothing stands behind its movement" in why(layers, 5)


def test_warming_is_no_death():
    pairs = table(2)
    layers = layers_of(pairs, looks(pairs, 2, every=1))
    assert set(layers.states) == {PairState.WARMING}
    assert "Too early to tell" in why(layers, 0)
    assert "dead" not in words([summary_line(layers, 200)])


def test_unknown_and_not_finite_have_words(adapters):
    layers = adapters.layers
    blank = {name: np.full(len(layers.table), math.nan) for name in layers.latest}
    blank["grad"] = np.full(len(layers.table), math.inf)
    odd = replace(layers, latest=blank, states=(PairState.UNKNOWN, PairState.EXPLODING, *layers.states[2:]))
    assert "Nothing was measured" in why(odd, 0) and "not finite" in why(odd, 1)
    assert "NaN or infinite" in words(pair_lines(odd, 1, 80)) and math.isnan(share_of(odd, 1))
    assert set(LOOKS) == set(PairState)


@pytest.mark.parametrize(
    ("norm", "said"),
    [(0.0, "dead"), (9e-6, "vanishing"), (1e-5, "active"), (100.0, "active"), (101.0, "exploding"),
     (math.inf, "exploding"), (math.nan, "says nothing")],
)  # fmt: skip
def test_the_seed_formula(norm, said):
    assert seed_state(norm) == said


def test_shares_are_of_the_squared_norm(adapters):
    g = adapters.layers.latest["grad"]
    want = g**2 / np.nansum(g**2)
    for i in (1, 5, 77, 13):
        assert share_of(adapters.layers, i) == pytest.approx(float(want[i]), nan_ok=True)
    for i, share in adapters.layers.summary.top:
        assert share_of(adapters.layers, i) == pytest.approx(share)


@pytest.mark.parametrize("width", [20, 40, 80, 100, 120, 200])
def test_summary_and_strip_fit_and_say_the_counts(adapters, width):
    for line in (summary_line(adapters.layers, width), strip_line(adapters.layers, width)):
        text = words([line])
        assert "103/112" in text and ("4 dead" in text or "×4" in text)
        assert len(text) <= max(width, 40)
    strip = words([strip_line(adapters.layers, 200)])
    cells = strip.split()[1]
    assert len(cells) == 28 and cells[3] == "×" and cells[19] == "!" and cells[15] == "↓" and cells[0] == "∅"
    assert set(cells) & set("▁▂▃▄▅▆▇█")


def test_a_strip_of_many_layers_keeps_the_worst():
    pairs = table(400, ATTENTION[:1])
    layers = layers_of(pairs, looks(pairs, 30, dead=(250,)))
    text = words([strip_line(layers, 80)])
    assert "×" in text.split()[1] and len(text) <= 80


def test_places_have_short_names_that_tell_apart():
    t5 = [f"{part}.block.{i}.layer.{j}.{m}" for part in ("encoder", "decoder") for i in range(2)
          for j, m in ((0, "SelfAttention.q"), (1, "EncDecAttention.q"))]  # fmt: skip
    odd = PairTable((*t5, "lm_head", "\x1b[31m.layers.7.evil\nname"))
    places = places_of(odd, short=True)
    assert len({place.name for place in places}) == len(odd)
    assert places[0].name == "encoder L00 layer.0.SelfAttention.q" and places[-2].name == "lm_head"
    assert "\x1b" not in places[-1].name and "\n" not in places[-1].name
    assert places_of(table(2), short=True)[5].name == "L01 k_proj"
    assert places_of(table(2), short=False)[5].name == "L01 self_attn.k_proj"


def test_curves_leave_out_what_was_not_measured_and_show_what_was_rewound():
    pairs = table(2)
    steps = [10, 20, 30, 40, 20, 30, 40, 50]
    rows = looks(pairs, 8, steps=steps)
    rows[1].values["grad"][0] = math.nan
    rows[6].values["grad"][0] = math.inf
    layers = layers_of(pairs, rows)
    old, new = traces_of(layers, 0, ("grad",))
    assert old.rewound and not new.rewound
    assert [old.curve.at(x, "step").x for x in (30, 40)] == [30, 40]
    assert old.curve.bounds("step") == (30, 40) and new.curve.bounds("step") == (10, 50)
    assert math.isinf(new.curve.at(40, "step").value)
    assert [group.metrics for group in groups_from(layers, "ratio")] == [
        ("ratio",), ("rank",), ("grad", "grad_a", "grad_b"), ("update",),
    ]  # fmt: skip


# Patterns


def test_pattern_table_counts_and_totals():
    got = table_of(PATTERNS)
    assert got.patterns[-1] == got.lengths[-1] == "all"
    assert got.n[-1][-1] == sum(map(sum, PATTERNS["n"])) and got.correct[0][-1] == 182
    cells = got.cells()
    assert cells[0][0].text == "98 %" and cells[0][0].note == "n=100" and 0.92 < cells[0][0].share < 0.94
    assert cells[3][3].text == "" and math.isnan(cells[3][3].share)
    assert cells[1][3].text == "0 %" and cells[1][3].share == pytest.approx(0.0, abs=1e-9)
    text = words(got.lines(3, 3, 60))
    assert "nothing is known, which is not 0 %" in text.replace("\n", " ")
    assert "Fewer than 20 answers" in words(got.lines(2, 2, 60))
    assert "61 of 70 right" in words(got.lines(0, 1, 60))


@pytest.mark.parametrize(
    "change",
    [
        {"n": [[1]]}, {"correct": None}, {"patterns": []}, {"lengths": "abc"}, {"n": [["x"] * 4] * 4},
        {"correct": [[999] * 4] * 4}, {"n": [[-1] * 4] * 4}, {"n": [[True] * 4] * 4}, {"correct": [[1.5] * 4] * 4},
    ],
)  # fmt: skip
def test_pattern_tables_that_do_not_fit_together_are_none(change):
    assert table_of({**PATTERNS, **change}) is None
    assert table_of(None) is None


# The screen


async def test_it_opens_on_the_run_and_says_what_is_what(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        await go(app, pilot)
        text = text_of(app)
        assert "103/112 pairs active" in text and "4 dead" in text and "imbalance" in text
        assert "L00 ┌ q_proj" in text and "❄" in text and "seed formula" in text
        assert "Most active, share of |g|²" in text and "Dead, 4" in text
        assert "run 1 of 2 with adapters" in text or "run 2 of 2 with adapters" in text
        assert "newest look at step 1 200, 10s ago" in text
        assert app.engine.wanted[-1][0] == "qwen-lora-r16"
        await press(pilot, "1")
        assert app.engine.wanted[-1][0] != "qwen-lora-r16" or isinstance(app.screen, FleetScreen)


async def test_without_a_choice_it_takes_a_run_with_adapters(console, lively):
    async with console(lively) as (app, pilot):
        app.chosen = None
        app.action_room("lora")
        await settle(pilot)
        assert app.chosen in {"qwen-lora-r16", "mini-lora"}


async def test_metric_keys_go_through_what_was_measured(console, lively):
    async with console(lively, (200, 50)) as (app, pilot):
        heatmap = await go(app, pilot)
        titles = []
        for _ in range(6):
            titles.append(heatmap.title)
            await press(pilot, "m")
        assert len(set(titles)) == 6 and heatmap.title == titles[0] == "|g| gradient norm"
        await press(pilot, "M")
        assert heatmap.title == "rank" or "effective rank" in heatmap.title
        assert not heatmap.log_scale and "linear" in heatmap.lines[0]
        await press(pilot, "M", "y")
        assert not heatmap.log_scale
        assert metrics_of(app.snapshot.get("qwen-lora-r16").layers)[-1] == "rank"


async def test_orders(console, lively):
    async with console(lively, (200, 50)) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "o")
        assert "by module" in text_of(app) and "self_attn.q_proj ┌ L00" in text_of(app)
        await press(pilot, "o")
        assert "worst first" in text_of(app) and "dead" in heatmap.lines[1] and heatmap.lines[1].startswith("›× dead")
        await press(pilot, "o")
        assert "most active first" in text_of(app) and "L19 self_attn.k_proj" in heatmap.lines[1]
        await press(pilot, "o")
        assert "by layer" in text_of(app)


async def test_filters(console, lively):
    async with console(lively, (200, 50)) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "f")
        assert "7 of 112 pairs" in text_of(app) and "troubled only" in text_of(app)
        await press(pilot, "slash", *"state:dead")
        assert "4 of 112 pairs" in text_of(app)
        await press(pilot, "enter")
        assert heatmap.has_focus and not app.room.query_one(Input).display
        await press(pilot, "slash", *" layer:L03")
        assert "1 of 112 pairs" in text_of(app)
        await press(pilot, *" zzz")
        assert "no pair is in trouble" in text_of(app)
        await press(pilot, "escape", "escape")
        assert "112 of 112 pairs" in text_of(app)
        await press(pilot, "slash", *"-module:attn", "enter")
        assert "0 of 112 pairs" in text_of(app) and "no pair matches" in text_of(app)
        await press(pilot, "enter", "j", "escape")
        assert "112 of 112 pairs" in text_of(app) and isinstance(app.screen, LoraScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_enter_shows_the_series_and_escape_leads_back(console, lively, size):
    async with console(lively, size) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "j", "j", "enter")
        pane = app.room.query_one(PairCharts)
        assert pane.display and app.focused is pane.first
        shown = [chart for chart in pane.query(Chart) if chart.display]
        assert len(shown) == {80: 1, 120: 1, 200: 3}[size[0]]
        assert {curve.name for curve in pane.first.live} == {"|g|", "|gA|", "|gB|"}
        assert pane.first.log_scale
        await press(pilot, "j")
        assert heatmap.cursor_key.endswith("0.self_attn.o_proj") and pane.first.live[0].bounds("step") is None
        await press(pilot, "k", "h", "h")
        assert heatmap.column is not None and heatmap.column == pane.first.live[0].at(pane.first.cursor, "step").x
        assert all(chart.cursor == pane.first.cursor for chart in shown)
        await press(pilot, "plus", "m")
        assert heatmap.cursor_key.endswith("0.self_attn.v_proj") and "v_proj" in text_of(app)
        await press(pilot, "escape")
        assert not pane.display and heatmap.has_focus
        await press(pilot, "escape")
        assert isinstance(app.screen, RunScreen)


async def test_enter_on_the_chart_closes_it(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "enter", "enter")
        assert not app.room.query_one(PairCharts).display and heatmap.has_focus


async def test_tab_shows_patterns(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "tab")
        text = text_of(app)
        assert app.room.query_one(Matrix).has_focus and "98 %" in text and "n=100" in text
        assert "[b]refusal[/b]" in text and "json␛[31m repair" in text
        assert "counted at step 1 200" in text and "Metric" not in text.splitlines()[-1]
        await press(pilot, "l")
        assert "61 of 70 right" in text_of(app)
        await press(pilot, "j", "j", "j", "l", "l")
        assert "not 0 %" in text_of(app)
        await press(pilot, "m", "o", "f")
        assert app.room.has_class("-patterns")
        await press(pilot, "tab")
        assert heatmap.has_focus and "by layer" in text_of(app)
        await press(pilot, "tab", "escape")
        assert heatmap.has_focus and isinstance(app.screen, LoraScreen)


async def test_runs_take_turns(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        await go(app, pilot)
        await press(pilot, "tab", "n")
        assert app.chosen == "mini-lora"
        assert "16/16 pairs active" in text_of(app) and not app.room.has_class("-patterns")
        await press(pilot, "tab")
        assert not app.room.has_class("-patterns") and "Patterns" not in text_of(app).splitlines()[-1]
        await press(pilot, "p")
        assert app.chosen == "qwen-lora-r16"
        app.chosen = "plain"
        await press(pilot, "n")
        assert app.chosen in {"mini-lora", "qwen-lora-r16"}


async def test_facts_scroll_and_the_log_opens(console, lively):
    async with console(lively, (120, 24)) as (app, pilot):
        await go(app, pilot)
        before = text_of(app)
        await press(pilot, "J")
        assert text_of(app) != before
        await press(pilot, "K")
        assert text_of(app) == before
        await press(pilot, "v")
        assert "no log stream" in text_of(app)


async def test_pages_for_runs_without_pairs(console):
    telling = run("s4", status={"lora_summary": {"active_layers": 24, "\x1b[2Jdead": "[red]4"}})
    waiting = run("fresh")
    waiting = replace(waiting, sources=(replace(waiting.sources[0], path=waiting.path / "telemetry.jsonl"),))
    none_yet = layers_of(table(2), looks(table(2), 3))
    none_yet = replace(none_yet, steps=none_yet.steps[:0], walls=none_yet.walls[:0])
    known = run("known", layers=none_yet)
    counted = run("counted", patterns=PATTERNS)
    async with console(snapshot([run("plain"), telling, waiting, known, counted])) as (app, pilot):
        app.chosen = "plain"
        await press(pilot, "3")
        text = text_of(app)
        assert "trainer.add_callback(MensCallback())" in text and "mens.backward_done()" in text
        assert "n: the next of 2 runs with adapters" in text
        for name, says in [
            ("s4", "active_layers: 24"), ("s4", "␛[2Jdead: [red]4"), ("fresh", "the first look at the adapters comes"),
            ("known", "8 adapter pairs are known, 0 of them frozen"), ("counted", "Tab shows the accuracy"),
        ]:  # fmt: skip
            app.chosen = name
            app.paint()
            await settle(pilot)
            assert says in text_of(app)
            await press(pilot, "enter", "m", "j", "f", "o", "y")
        await press(pilot, "tab")
        assert "98 %" in text_of(app)


async def test_gradient_norms_alone_say_that_movement_is_unknown(console):
    pairs = table(3)
    rows = [replace(row, values={"grad": row.values["grad"]}) for row in looks(pairs, 20)]
    async with console(snapshot([run("s4", layers=layers_of(pairs, rows))]), (120, 40)) as (app, pilot):
        await go(app, pilot, "s4")
        text = " ".join(" ".join(app.room.query_one("#facts", Sheet).lines).split())
        assert "whether it moves was not measured" in text and "Movement was not measured" in text
        await press(pilot, "m", "enter")
        assert app.room.query_one(Heatmap).title == "|g|"


async def test_no_runs_at_all(console):
    async with console(snapshot([])) as (app, pilot):
        await press(pilot, "3", "enter", "n", "tab", "m", "J", "v")
        assert "No training run found yet" in text_of(app)


async def test_hostile_names_never_reach_the_terminal(console):
    names = (
        "\x1b[31mlayers.3.q\x07",
        "base.layers.4.[red]k[/red]\n",
        "x" * 400,
        "\u202elayers.5.z",
        "",
        ".",
        "a.layers.6.",
    )
    pairs = PairTable(names)
    view = run("\x1b]0;evil\x07", layers=layers_of(pairs, looks(pairs, 20, dead=(2,), rank=False)))
    for size in SIZES:
        async with console(snapshot([view]), size) as (app, pilot):
            await go(app, pilot, view.id)
            for keys in (("o",), ("o",), ("o",), ("o", "G"), ("k", "enter"), ("j", "j")):
                await press(pilot, *keys)
                text = text_of(app)
                assert not any(ord(c) < 0x20 and c != "\n" for c in text) and "\u202e" not in text
                assert "x" * 301 not in text


async def test_every_key_is_described_and_none_is_deadly(console, lively):
    for node in (LoraScreen, Heatmap, Matrix):
        for binding in node.__dict__["BINDINGS"]:
            assert binding.id and binding.description, binding
    async with console(lively, (120, 40)) as (app, pilot):
        for prepare in ((), ("enter",), ("tab",)):
            await go(app, pilot)
            app.room.remove_class("-filtering", "-detail", "-patterns")
            await press(pilot, *prepare)
            keys = [key for key, entry in app.screen.active_bindings.items() if entry.binding.id]
            assert len(keys) > 20
            for key in keys:
                if key not in ("q", "ctrl+q", "ctrl+c"):
                    await pilot.press(key)
                    assert app.is_running, key
                    app.action_room("lora")
                    await settle(pilot, 1)
        assert {"lora", "heatmap"} <= {
            (entry.binding.id or "").partition(".")[0] for entry in app.screen.active_bindings.values()
        }


async def test_the_palette_offers_what_works(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        await go(app, pilot)
        for name, (_, action) in app.room.commands().items():
            action()
            await settle(pilot)
            assert app.is_running, name


async def test_a_new_look_repaints_little_and_keeps_the_cursor(console, adapters):
    pairs = adapters.layers.table
    rows = looks(pairs, 60)
    async with console(snapshot([replace(adapters, layers=layers_of(pairs, rows[:-1]))]), (120, 40)) as (app, pilot):
        heatmap = await go(app, pilot)
        await press(pilot, "j", "j", "j")
        key = heatmap.cursor_key
        app.engine.publish(snapshot([replace(adapters, rev=2, layers=layers_of(pairs, rows))], rev=2))
        await settle(pilot, 6)
        app.paint()
        assert heatmap.cursor_key == key and "step 600" in text_of(app)
        regions = []
        heatmap.refresh = lambda *given, **_: regions.extend(given) or heatmap
        app.paint()
        app.paint()
        assert regions == []


async def test_tiny_windows(console, lively):
    async with console(lively, (120, 40)) as (app, pilot):
        await go(app, pilot)
        for size in ((30, 9), (12, 5), (3, 2), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            await press(pilot, "j", "enter", "m", "tab", "l", "tab", "escape")
            assert app.is_running
            await go(app, pilot)
        assert "103/112" in text_of(app)


async def test_poor_fonts_get_plain_marks(console, lively, monkeypatch):
    monkeypatch.setenv("TERM", "linux")
    async with console(lively, (80, 24)) as (app, pilot):
        await go(app, pilot)
        text = text_of(app)
        assert "x4" in text and "*2" in text and not set(text) & set("×❄∅")


# What it looks like


class Screen(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class Picture(Screen):
    file_extension = "svg"


def many():
    pairs = table(72, (*ATTENTION, *MLP))
    return lora_run("llama-70b-lora", pairs, looks(pairs, 150, dead=range(100, 130), vanishing=(7,)))


def resumed():
    pairs = table(16, (*ATTENTION, *MLP))
    steps = [10 * (i + 1) for i in range(60)] + [400 + 10 * (i + 1) for i in range(50)]
    return lora_run("resumed-run", pairs, looks(pairs, 110, steps=steps, dead=(5,)))


VIEWS = {
    "layers": (lora_run, ()),
    "worst": (lora_run, ("o", "o", "j", "h")),
    "pair": (lora_run, ("j", "j", "enter", "h")),
    "patterns": (lora_run, ("tab", "l")),
    "many": (many, ("pagedown",)),
    "resumed": (resumed, ("o",)),
    "bare": (lambda: run("plain"), ()),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", VIEWS)
async def test_text(console, snapshot, view, size):
    from screens.box import snapshot as of

    make, keys = VIEWS[view]
    one = make()
    async with console(of([one]), size) as (app, pilot):
        await go(app, pilot, one.id)
        app.room.query_one(Header).display = False  # it has tests of its own
        await press(pilot, *keys)
        await settle(pilot, 5)
        assert text_of(app) == snapshot(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
@pytest.mark.parametrize("view", ["layers", "pair", "patterns"])
async def test_picture(console, snapshot, view, theme, monkeypatch):
    from screens.box import snapshot as of

    monkeypatch.setenv("COLORTERM", "truecolor")
    make, keys = VIEWS[view]
    one = make()
    async with console(of([one]), (120, 40), theme=theme) as (app, pilot):
        await go(app, pilot, one.id)
        app.room.query_one(Header).display = False
        await press(pilot, *keys)
        await settle(pilot, 5)
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == snapshot(extension_class=Picture)


def test_now_is_the_clock_of_the_box():
    assert lora_run().layers.walls[-1] < NOW

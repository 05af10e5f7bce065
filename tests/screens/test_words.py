"""How facts read: ages, states, queries, rows and panels."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from screens.box import NOW, box, run, series, snapshot
from screens.healthbox import holding
from screens.healthbox import view as health
from screens.kpibox import two

from mens_console.screens import empty, facts, rows
from mens_console.screens.curves import marks_of, panels_of, short, start_wall
from mens_console.screens.help import signs
from mens_console.screens.query import Query
from mens_console.screens.sheet import within
from mens_console.screens.spark import spark_of
from mens_console.screens.words import (
    CALM,
    LOOKS,
    SEVERITY_LOOKS,
    STANDINGS,
    TREND_GLYPHS,
    age,
    clock_text,
    eta_text,
    firing,
    legend,
    look,
    next_change,
    rate_of,
)
from mens_console.store.snapshot import LIVE_STATES, Mark
from mens_widgets.xaxis import MARK_GLYPHS


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (9.9, "now"), (10, "10s"), (59, "50s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (90_000, "1d")],
)
def test_ages_coarsen(seconds, text):
    assert age(NOW - seconds, NOW) == text


def test_unknown_ages_and_clocks_ahead():
    assert age(math.nan, NOW) == "—" and age(0.0, NOW) == "—" and age(NOW + 50, NOW) == "now"
    assert len(clock_text(NOW)) == 5


@given(st.floats(0, 200_000), st.floats(0, 59.9))
def test_nothing_reads_differently_before_the_next_change(seconds, offset):
    now = NOW + offset
    then = now - seconds
    wait = next_change([then], now)
    assert 0 < wait <= 60
    before = now + wait * 0.999 - 1e-6
    if seconds < 60 and before > now and wait > 0.05:  # a change that is closer is shown up to 50 ms late
        assert age(then, before) == age(then, now)


def test_every_state_has_a_look_and_live_ones_are_not_calmly_wrong():
    assert set(LOOKS) >= LIVE_STATES | CALM
    assert len({(one.glyph, one.word) for one in LOOKS.values()}) == len(LOOKS)
    assert look("from the future").word == "unknown"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"qwen-lora-r16", "mini-ft-07", "lr-3e-2", "resumed", "just-started", "long-history"}),
        ("qwen", {"qwen-lora-r16"}),
        ("state:stalled", {"mini-ft-07"}),
        ("state:live -name:qwen", {"mini-ft-07", "just-started", "long-history"}),
        ("alert:nan_loss", {"lr-3e-2"}),
        ("lora_r:16 state:finished", {"resumed"}),
        ("lora_r=16 diverged", {"lr-3e-2"}),
        ("format:jsonl path:/box/ name:resumed", {"resumed"}),
        ("lora_r:99", set()),
        ("-", set()),
    ],
)
def test_queries(text, names):
    query = Query(text)
    found = {one.name for one in box() if query.matches(one)}
    assert found == (names if text != "-" else {one.name for one in box() if query.matches(one)})
    assert bool(query) == bool(text.strip())


def test_the_worst_comes_first_and_reversing_turns_it_round():
    runs = box()
    order = [one.name for one in rows.ordered(runs, rows.ORDERS[0], reverse=False)]
    assert order[:2] == ["lr-3e-2", "mini-ft-07"] and order[-1] == "resumed"
    assert [one.name for one in rows.ordered(runs, rows.ORDERS[0], reverse=True)] == order[::-1]
    for order in rows.ORDERS:
        assert len(rows.ordered(runs, order, reverse=False)) == len(runs)


def test_a_row_is_the_same_until_the_run_or_its_age_changes():
    one = run("one", age=2)
    assert rows.row_of(one, NOW) == rows.row_of(one, NOW + 5)
    assert rows.row_of(one, NOW).rev != rows.row_of(one, NOW + 50).rev
    assert len(rows.row_of(one, NOW).cells) == len(rows.COLUMNS)


def test_figures_that_are_missing_are_a_dash_and_never_zero():
    empty = run("empty", "waiting", steps=0, total=None)
    texts = [cell if isinstance(cell, str) else cell.text for cell in rows.row_of(empty, NOW).cells]
    assert texts[2] == "—" and texts[4] == "—" and texts[3] == "" and texts[8] == "—"
    assert rate_of(empty) == (None, "") and eta_text(empty) == "—"


def test_throughput_falls_back_to_steps():
    one = run("steps")
    bare = replace(one.signals, tokens=replace(one.signals.tokens, n=0))
    assert rate_of(replace(one, signals=bare))[1] == "step/s"


def test_panels_come_in_order_and_parts_of_the_run_last():
    one = run("one")
    extra = {name: series(name, [1], [1.0]) for name in ("z/layer.0", "aux", "eval_runtime", "epoch", "steps_per_sec")}
    names = [panel.key for panel in panels_of(replace(one, series={**one.series, **extra}))]
    assert names == ["loss", "learning_rate", "grad_norm", "tokens_per_sec", "aux", "z/layer.0"]


def test_marks_stand_at_every_axis_they_have_a_place_on():
    one = run("one", marks=(Mark("resume", 5, NOW), Mark("nan", 7, math.nan)))
    first, second = marks_of(one)
    assert first.at["relative"] == NOW - start_wall(one) and set(second.at) == {"step"}
    assert math.isnan(start_wall(run("none", steps=0)))


def test_long_names_keep_their_end():
    assert short("short") == "short"
    long = "grad_norm/model.layers.0.mlp.down_proj.lora_A"
    assert long.endswith(short(long)[1:]) and len(short(long)) == 30


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), max_size=300), st.integers(1, 20))
def test_sparks_fit_and_never_hide_that_all_is_bad(values, width):
    text = spark_of(series("loss", range(1, len(values) + 1), values), width)
    assert len(text) == width
    if values and all(math.isnan(v) for v in values):
        assert "✖" in text


@pytest.mark.parametrize("width", [20, 44, 80])
def test_facts_fit_their_width_where_words_do(width):
    for one in box():
        lines = facts.side_lines(one, NOW, width)
        assert lines and all(isinstance(text, str) for line in lines for text, _ in line)
        assert len(facts.strip_lines(one, NOW, width)) == 2 or not one.diagnosis.evidence


def test_facts_tell_what_matters():
    def tell(one):
        return "\n".join("".join(text for text, _ in line) for line in facts.side_lines(one, NOW, 60))

    by_name = {one.name: tell(one) for one in box()}
    assert "Resumed 1×" in by_name["resumed"] and "201 … 400" in by_name["resumed"]
    assert "trainer_log.jsonl:17: not JSON: {␛[31mtorn" in by_name["resumed"]
    assert "permission denied" in by_name["resumed"]
    assert "48.0 MB" in by_name["qwen-lora-r16"] and "at 90%" in by_name["qwen-lora-r16"]
    assert "loss is NaN" in by_name["lr-3e-2"] and "→ Stop the run" in by_name["lr-3e-2"]
    assert "preview of the newest rows" in by_name["long-history"]
    assert "put away" in tell(run("cold", cold=True))


def test_many_alerts_are_counted():
    one = run("one", nan_from=60)
    many = tuple(replace(one.alerts[0], fingerprint=str(i)) for i in range(9))
    text = str(facts.alert_lines(replace(one, alerts=many), NOW, 60, 6))
    assert "and 3 more" in text
    assert len(firing(many)) == 9


def test_empty_pages_teach():
    looking = snapshot([], scanning=True)
    text = str(empty.no_runs(looking, 80))
    assert "Looking for runs" in text and "/box/runs" in text and "mens-console demo" in text
    refused = str(empty.no_runs(snapshot([], problems=("/box: permission denied",), roots=()), 80))
    assert "No training run found" in refused and "permission denied" in refused and "nothing" in refused
    elsewhere = snapshot([], health=(health(holding()),) * 2, kpi=two())
    found = str(empty.no_runs(elsewhere, 80))
    assert "Attempt logs found in 2 folders: 4 shows" in found and "KPI records found: 5 shows" in found
    assert "found" not in refused.replace("No training run found", "")
    assert "tee run/train.log" in str(empty.no_logs(snapshot([]), 80))
    assert "logging_steps" in str(empty.no_rows(80)) and "MensCallback" in str(empty.no_rows(80, text_alone=True))


def test_the_legend_has_every_glyph_and_fits():
    told = {(glyph, word) for _, group in legend() for glyph, _, words in group for word in words.split(", ")}
    assert told >= {(one.glyph, one.word) for one in LOOKS.values()}
    assert told >= {(glyph, word) for glyph, word, _ in (*STANDINGS.values(), *SEVERITY_LOOKS.values())}
    assert {glyph for glyph, _ in told} >= {*MARK_GLYPHS.values(), *TREND_GLYPHS.values()}
    for width in (60, 76, 98):
        lines = ["".join(text for text, _ in line) for line in signs(width)]
        assert max(map(cell_len, lines)) <= width
        assert all(any(f" {glyph} " in line and word in line for line in lines) for glyph, word in told)


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ((("state ", "muted"), ("running", "")), 13, "state running"),
        ((("state ", "muted"), ("running", "")), 12, "state runni…"),
        ((("state ", "muted"), ("running", ""), (" since", "")), 13, "state runnin…"),
        ((("state ", "muted"), ("running", ""), ("    ", "")), 13, "state running    "),
        ((("試験", ""), ("試験", "")), 7, "試験試…"),
        ((("試験", ""), ("試験", "")), 8, "試験試験"),
        ((("state", ""),), 1, "…"),
        ((), 5, ""),
    ],
)
def test_a_line_that_goes_on_beyond_its_panel_says_so(line, width, shown):
    assert "".join(text for text, _ in within(line, width)) == shown

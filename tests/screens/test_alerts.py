"""The alerts screen: every standing is shown, every key does what it says, nothing that was acknowledged is lost."""

import math
import re
from dataclasses import replace

import pytest
from screens.alertbox import SILENCE, alert, returned, troubled
from screens.box import NOW, box, run, snapshot
from screens.conftest import settle, text_of, until
from screens.test_app import HOSTILE, Painter
from textual.containers import VerticalScroll
from textual.widgets import Input

from mens_console.config.settings import NotifySettings
from mens_console.screens.alerts import AlertsScreen, rules_of
from mens_console.screens.charts import Charts
from mens_console.screens.digest import DigestScreen
from mens_console.screens.fleet import FleetScreen
from mens_console.screens.help import HelpScreen
from mens_console.screens.logs import LogsScreen
from mens_console.screens.run import RunScreen
from mens_console.screens.silence import SilenceScreen
from mens_console.signals.metricrules import MetricRule
from mens_console.signals.rules import RULES
from mens_widgets.chart import Chart
from mens_widgets.grid import Grid


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
    await settle(pilot, 4)


def table(app):
    """Return the lines of the table that hold a row, without the cursor's glyph and the scrollbar."""
    lines = [line[3:] for line in text_of(app).splitlines() if re.match(r"[ ›][ ☐☑] [✖▲i] ", line)]
    return [line.rstrip(" ┃│") for line in lines]


def rule_of(app):
    return app.room.selected.alert.rule


async def go(app, pilot, rule):
    """Put the cursor on the alert of a rule."""
    grid = app.room.query_one(Grid)
    grid.cursor_key = next(key for key, entry in app.room._shown.items() if entry.alert.rule == rule)
    await settle(pilot)


async def test_every_standing_has_glyph_word_and_place(console):
    async with console(troubled(), (200, 50)) as (app, pilot):
        await press(pilot, "8", "f")
        assert isinstance(app.screen, AlertsScreen)
        lines = table(app)
        words = [line[11:25].strip() for line in lines]
        assert words == [
            "■ latched", "↳ inhibited", "■ latched", "● firing", "✓ acknowledged", "? no data", "◑ recovering",
            "✓ acknowledged", "◔ pending", "⊘ silenced", "✔ resolved",
        ]  # fmt: skip
        assert "nan_loss" in lines[0] and "└ nan_grad" in lines[1] and "gpu:GPU-1f2e" in lines[2]
        assert re.search(r"stall +11m 1m +10m +10s +×40", lines[3]) and "3×" in lines[6]
        assert "Look at the process" in lines[3]


async def test_the_closer_look_says_everything(console):
    async with console(troubled(), (120, 50)) as (app, pilot):
        await press(pilot, "8")
        text = text_of(app)
        assert "■ latched · firing  lr-3e-2" in text and "holds back nan_grad" in text
        assert "since        08:58  1m ago, step 61" in text and "· seen at step 61: 3.4" in text
        assert "exit         latched  ends when acknowledged and over, or with a new run" in text
        await go(app, pilot, "nan_grad")
        assert "↳ follows from nan_loss, which is on too" in text_of(app)
        await go(app, pilot, "loss_explosion")
        text = text_of(app)
        assert "✓ acknowledged · firing" in text and "acknowledged ✓ ada" in text
        assert "value        14.2  × recent level" in text and "exit         2  after 1m of calm" in text
        await go(app, pilot, "plateau")
        assert "came back 3× within an hour" in text_of(app) and "for          50 points" in text_of(app)
        await go(app, pilot, "loss_spike")
        assert "⊘ silenced until 09:50 by ada: known bad shard" in text_of(app)
        await go(app, pilot, "grad_vanishing")
        assert "? no data · last known: firing" in text_of(app) and "critical at 1e-07" in text_of(app)
        await press(pilot, "f")
        await go(app, pilot, "grad_exploding")
        assert "resolved     08:59  1m ago" in text_of(app)


async def test_a_long_closer_look_scrolls(console):
    async with console(troubled(), (80, 24)) as (app, pilot):
        await press(pilot, "8")
        assert "fires when" not in text_of(app)
        await press(pilot, "J", "J", "J")
        assert "fires when" in text_of(app)
        await press(pilot, "K", "K", "K")
        assert "Loss is NaN or infinite" in text_of(app)
        await press(pilot, "J", "j")
        assert "follows from" in text_of(app)  # another alert is read from its beginning


async def test_acknowledging_goes_to_the_engine_with_a_note_and_hides_nothing(console):
    first = troubled()
    async with console(first, (120, 50)) as (app, pilot):
        await press(pilot, "8", "a")
        assert app.room.query_one(Input).placeholder.startswith("nan_loss of lr-3e-2: ")
        await press(pilot, *"bad", "enter")
        fingerprint = first.runs[2].alerts[0].fingerprint
        assert app.engine.orders == [("acknowledge", "lr-3e-2", fingerprint, "bad")]
        assert app.room.query_one(Grid).has_focus and not app.room.query_one(Input).display
        seen = replace(first.runs[2].alerts[0], acknowledged=True, acknowledged_by="me", state="resolved")
        broken = replace(first.runs[2], alerts=(seen, *first.runs[2].alerts[1:]))
        app.engine.publish(replace(first, rev=2, runs=(*first.runs[:2], broken)))
        await until(pilot, lambda: app.snapshot.rev == 2)
        await settle(pilot)
        assert any("✔ resolved" in line and "nan_loss" in line for line in table(app))
        await go(app, pilot, "nan_loss")
        await press(pilot, "a")
        await until(pilot, lambda: "Nothing here is left to acknowledge" in text_of(app))


async def test_a_note_may_be_left_out_or_left(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8", "a", "escape")
        assert app.engine.orders == [] and isinstance(app.screen, AlertsScreen)
        await press(pilot, "a", "enter")
        assert [order[3] for order in app.engine.orders] == [""]


async def test_all_that_is_marked_is_acknowledged(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8", "space", "space", "space")
        assert "☑" in text_of(app)
        await press(pilot, "a", "enter")
        assert [order[1] for order in app.engine.orders] == ["lr-3e-2", "lr-3e-2", ""]
        assert app.room.query_one(Grid).marked == ()


async def test_a_silence_has_span_scope_author_and_comment(console, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        await go(app, pilot, "plateau")
        await press(pilot, "s")
        assert isinstance(app.screen, SilenceScreen)
        assert "plateau of qwen-lora-r16" in text_of(app) and "until 10:00" in text_of(app)
        await press(pilot, "j", "enter", *"why", "enter")
        ((kind, silence),) = app.engine.orders
        assert kind == "silence" and (silence.rule, silence.entity) == ("plateau", "qwen-lora-r16")
        assert (silence.author, silence.comment) == ("ada", "why")
        assert (silence.start, silence.end) == (NOW, NOW + 4 * 3600)
        await press(pilot, "s", "tab", "4", "enter")
        silence = app.engine.orders[-1][1]
        assert (silence.rule, silence.entity, silence.end) == ("*", "qwen-lora-r16", math.inf)
        await press(pilot, "s", "tab", "tab", "3", "enter")
        silence = app.engine.orders[-1][1]
        assert (silence.rule, silence.entity, silence.end) == ("plateau", "*", NOW + 86_400)
        assert len({order[1].id for order in app.engine.orders}) == 3


async def test_a_silence_until_the_run_ends_is_offered_for_live_runs_only(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8", "s")
        assert "until the run ends" not in text_of(app)
        await press(pilot, "4")
        assert not app.screen.query_one(Input).display
        await press(pilot, "k", "enter", "escape", "escape")
        assert isinstance(app.screen, AlertsScreen) and app.engine.orders == []


async def test_a_silence_is_lifted(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8", "S")
        await until(pilot, lambda: "No silence holds here" in text_of(app))
        await go(app, pilot, "loss_spike")
        await press(pilot, "S")
        assert app.engine.orders == [("unsilence", SILENCE.id)]


async def test_filters_orders_and_words(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        assert "10 of 11 alerts · on now · worst first" in text_of(app)
        await press(pilot, "f")
        assert "11 of 11 alerts · all" in text_of(app)
        await press(pilot, "f")
        assert [line.split()[4] for line in table(app)] == ["qwen-lora-r16"] and "silenced" in text_of(app)
        await press(pilot, "f")
        assert "1 of 11 alerts · resolved" in text_of(app)
        await press(pilot, "f")
        assert "0 of 11 alerts · held to the end" in text_of(app)
        await press(pilot, "f", "slash", *"state:on -severity:warning")
        assert "4 of 11 alerts · on now · worst first · filter" in text_of(app)
        await press(pilot, "enter")
        assert app.room.query_one(Grid).has_focus
        await press(pilot, "slash", *"zzz")
        assert "no alert matches the filter; Esc clears it" in text_of(app)
        await press(pilot, "escape")
        assert "10 of 11" in text_of(app) and not app.room.query_one(Input).display
        orders = []
        for _ in range(5):
            await press(pilot, "o")
            orders.append(re.search(r"on now · ([a-z ]+?) ·", text_of(app))[1])
        assert orders == ["newest first", "run", "rule", "most often", "worst first"]
        grid = app.room.query_one(Grid)
        grid.post_message(Grid.HeaderClicked(grid, "rule"))
        await settle(pilot)
        assert "· rule ·" in text_of(app)


async def test_leaving_what_was_opened_leads_back_to_where_it_was_opened(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        await go(app, pilot, "nan_loss")
        await press(pilot, "enter")
        await until(pilot, lambda: app.current_mode == "run")
        await press(pilot, "escape")
        await until(pilot, lambda: app.current_mode == "alerts")
        await press(pilot, "2", "escape")  # a key that names a screen is no way that one came by
        await until(pilot, lambda: app.current_mode == "fleet")


@pytest.mark.parametrize("key", ["enter", "m"])
@pytest.mark.parametrize(("rule", "panel", "step"), [("nan_loss", "loss", 61), ("nan_grad", "grad_norm", 62)])
async def test_the_moment_on_the_chart(console, key, rule, panel, step):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        await go(app, pilot, rule)
        await press(pilot, key)
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.focused is not None)
        charts = app.room.query_one(Charts)
        await until(pilot, lambda: charts.current.key == panel and charts.current_chart.has_focus)
        assert app.chosen == "lr-3e-2" and {chart.cursor for chart in app.room.query(Chart)} == {float(step)}
        assert f"step {step}" in text_of(app) and app.moment is None


async def test_the_moment_is_found_by_its_time_on_any_axis_and_in_a_narrow_view(console):
    async with console(troubled()) as (app, pilot):
        app.chosen = "mini-ft-07"
        await press(pilot, "2", "x", "plus", "plus")
        chart = app.room.query_one(Charts).current_chart
        assert chart.axis == "relative" and chart.viewport.window is not None
        await press(pilot, "8")
        await go(app, pilot, "stall")
        early = replace(app.room.selected.alert, since=NOW - 860 + 10.4)  # between its 10th and 11th second
        await press(pilot, "1")
        one = app.snapshot.runs[1]
        app.engine.publish(replace(app.snapshot, rev=2, runs=(replace(one, alerts=(early,), rev=2),)))
        await until(pilot, lambda: app.snapshot.rev == 2)
        await press(pilot, "8", "m")
        chart = app.room.query_one(Charts).current_chart
        await until(pilot, lambda: chart.cursor is not None)
        x0, x1 = chart.viewport.shown()
        assert chart.cursor == 9.0 and x0 <= 9.0 <= x1


async def test_the_log_of_the_run_or_none(console, tmp_path):
    path = tmp_path / "train.log"
    path.write_text("INFO one\n")
    first = troubled()
    bad = first.runs[2]
    bad = replace(bad, logs=(path,), sources=(*bad.sources, replace(bad.sources[0], path=path, format="log")))
    async with console(replace(first, runs=(*first.runs[:2], bad))) as (app, pilot):
        await press(pilot, "8", "j", "j", "v")
        await until(pilot, lambda: "There is no log stream" in text_of(app))
        await press(pilot, "g", "v")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen) and "train.log · 1 line" in text_of(app))


async def test_what_is_about_the_machine_leads_to_the_machine(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        await go(app, pilot, "gpu_xid")
        await press(pilot, "m")
        there = app.room.MODE == "hardware"
        assert there or "about the machine" in text_of(app)


async def test_escape_leaves_filter_marks_and_screen_in_turn(console):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8", "space", "slash", *"nan", "enter", "escape")
        assert "filter" not in text_of(app).splitlines()[-2] and app.room.query_one(Grid).marked
        await press(pilot, "escape")
        assert not app.room.query_one(Grid).marked
        await press(pilot, "escape")
        assert isinstance(app.screen, FleetScreen)


async def test_the_header_counts_what_is_loud_and_says_what_was_seen(console):
    async with console(troubled(), (176, 40)) as (app, pilot):
        first = text_of(app).splitlines()[0]
        assert "▲ 3 warnings (1 ack)" in first and "✖ 4 critical (1 ack)" in first
        quiet = tuple(
            replace(one, alerts=tuple(replace(a, silenced_until=math.inf) for a in one.alerts))
            for one in app.snapshot.runs
        )
        app.engine.publish(replace(app.snapshot, rev=2, runs=quiet, box_alerts=()))
        await until(pilot, lambda: app.snapshot.rev == 2)
        await settle(pilot)
        assert "▲" not in text_of(app).splitlines()[0] and "✖" not in text_of(app).splitlines()[0]


@pytest.mark.parametrize(
    ("notifier", "words"),
    [
        ({}, "notifications: daemon alive, 10s ago"),
        ({"beat_at": NOW - 400}, "notifications: daemon silent, last beat 6m ago"),
        ({"beat_at": math.nan}, "notifications: daemon silent, last beat unknown"),
        ({"problem": "the mail route fails"}, "notifications: the mail route fails"),
        (None, "notifications: not running"),
    ],
)
async def test_the_daemon_that_notifies(console, notifier, words):
    first = troubled()
    beat = None if notifier is None else replace(first.notifier, **notifier)
    async with console(replace(first, notifier=beat), (140, 40)) as (app, pilot):
        await press(pilot, "8")
        assert words in text_of(app)


async def test_a_replay_says_nothing_of_daemons_and_of_leaving(console):
    async with console(troubled(replay=True, left_at=NOW - 9000)) as (app, pilot):
        await press(pilot, "8", "u")
        assert "notifications" not in text_of(app).splitlines()[-2] and isinstance(app.screen, AlertsScreen)
        await until(pilot, lambda: "never left here" in text_of(app))


async def test_a_box_without_alerts_says_what_could_not_have_fired(console):
    fine = replace(run("fine"), alerts=())
    async with console(snapshot([fine])) as (app, pilot):
        await press(pilot, "8")
        text = text_of(app)
        watching = sum(rule.enabled for rule in RULES.values())
        assert "No alert in 1 run." in text and f"{watching} rules watch" in text
        assert "lack their data" in text and re.search(r"lora_dead.*\n?.*needs lora", text)
        assert not re.search(r"^ +· .*nan_loss", text, re.MULTILINE)
        await press(pilot, *"jkgGamsSvofJK", "space", "enter", "escape", "8", "slash", "escape")
        assert app.is_running and isinstance(app.screen, AlertsScreen)


async def test_a_choice_without_alerts_says_where_they_are(console):
    one = replace(run("one"), alerts=(alert("plateau", "one", "resolved"),))
    async with console(snapshot([one])) as (app, pilot):
        await press(pilot, "8")
        assert "no alert is on now; f shows 1 all, 0 silenced, 1 resolved" in text_of(app)


def test_rules_are_the_operators():
    from screens.box import settings

    own = MetricRule("kl_high", "kl", above=10.0)
    rules = rules_of(settings(thresholds={"grad_exploding": {"entry": 7.0}}, rules=(own, replace(own, id="nan_loss"))))
    assert rules["grad_exploding"].entry == 7.0 and rules["kl_high"].entry == 10.0
    assert rules["nan_loss"] == RULES["nan_loss"]


async def test_idle_paints_nothing_and_a_row_little(console, monkeypatch):
    async with console(troubled()) as (app, pilot):
        await press(pilot, "8")
        painter = Painter(monkeypatch)
        app.paint()
        await settle(pilot)
        assert painter.frames == 1 and painter.regions == 0
        first = app.snapshot
        stall, *rest = first.runs[1].alerts
        changed = replace(first.runs[1], rev=2, alerts=(replace(stall, count=999), *rest))
        app.engine.publish(replace(first, rev=2, runs=(first.runs[0], changed, first.runs[2])))
        await until(pilot, lambda: "×999" in text_of(app))
        assert painter.regions <= 2


async def test_a_thousand_alerts(console):
    runs = [run(f"r{i}", steps=0, total=None, alerts=()) for i in range(100)]
    rules = list(RULES)[:10]
    runs = [replace(one, alerts=tuple(alert(r, one.id, ago=i) for i, r in enumerate(rules))) for one in runs]
    async with console(snapshot(runs)) as (app, pilot):
        await press(pilot, "8")
        assert "1000 of 1000 alerts" in text_of(app)
        await press(pilot, "G")
        assert len(table(app)) > 10 and "info" in table(app)[-1]
        await press(pilot, "o", "pageup", "pageup")
        assert len(table(app)) > 10


@pytest.mark.parametrize(
    ("by", "note", "told"),
    [("ada", "bad shard", "✓ ada: bad shard"), ("ada", "", "✓ ada"), ("", "bad shard", "✓ bad shard"), ("", "", "✓")],
)
async def test_the_note_of_an_acknowledgement_is_shown(console, by, note, told):
    one = run("one", alerts=(alert("plateau", "one", acknowledged=True, acknowledged_by=by, note=note),))
    async with console(snapshot([one]), (120, 50)) as (app, pilot):
        await press(pilot, "8")
        (line,) = [line for line in text_of(app).splitlines() if line.strip(" │┃").startswith("acknowledged ✓")]
        assert line.split("acknowledged")[-1].strip(" │┃") == told


async def test_hostile_words_are_shown_and_obeyed_nowhere(console):
    evil = alert("nan_loss", "evil", message=HOSTILE, evidence=(HOSTILE,), acknowledged=True, acknowledged_by=HOSTILE,
                 note=HOSTILE, recommendation=HOSTILE, unit=HOSTILE)  # fmt: skip
    other = replace(evil, fingerprint="f", rule=HOSTILE, inhibited_by=HOSTILE, entity=HOSTILE)
    one = replace(run("evil"), name=HOSTILE, alerts=(evil,))
    silence = replace(SILENCE, rule="*", entity="*", author=HOSTILE, comment=HOSTILE)
    left = {"left_at": NOW - 9000, "box_alerts": (other,), "silences": (silence,)}
    async with console(snapshot([one], **left), (120, 50)) as (app, pilot):
        for keys in ((), ("escape", "8"), ("j",), ("s",)):
            await press(pilot, *keys)
            text = text_of(app)
            assert not any(ord(char) < 32 and char != "\n" for char in text) and "\u202e" not in text
        assert "[bold red]" in text


# ---------------------------------------------------------------------- since you left


async def test_the_digest_greets_once_and_comes_back_with_u(console):
    async with console(returned()) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, DigestScreen))
        text = text_of(app)
        assert "You left 07:00, 2 h ago; this is what happened until 09:00." in text and "CUDA out of memory" in text
        assert "1 other run went on." in text and "1 alert from before still on." in text
        assert re.search(r"Nothing else[\s│]+happened\.", text)
        await press(pilot, "j", "k", "escape")
        assert isinstance(app.screen, FleetScreen)
        app.engine.publish(replace(app.snapshot, rev=2))
        await until(pilot, lambda: app.snapshot.rev == 2)
        assert isinstance(app.screen, FleetScreen)
        await press(pilot, "8", "u")
        assert isinstance(app.screen, DigestScreen)
        await press(pilot, "8")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))


async def test_a_long_digest_is_read_by_the_usual_keys(console):
    async with console(returned(), (80, 14)) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, DigestScreen))
        box = app.screen.query_one(VerticalScroll)
        assert box.max_scroll_y > box.size.height
        for key, expected in (("G", box.max_scroll_y), ("g", 0), ("j", 1), ("end", box.max_scroll_y), ("home", 0)):
            await press(pilot, key)
            assert round(box.scroll_y) == expected, key
        await press(pilot, "pagedown")
        assert round(box.scroll_y) == box.size.height - 1
        await press(pilot, "pageup")
        assert round(box.scroll_y) == 0


async def test_the_digest_leads_to_the_alerts(console):
    async with console(returned()) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, DigestScreen))
        await press(pilot, "8")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))


async def test_the_digest_waits_for_the_history(console):
    first = returned()
    async with console(replace(first, scanning=True)) as (app, pilot):
        await settle(pilot)
        assert isinstance(app.screen, FleetScreen)
        app.engine.publish(replace(first, rev=2))
        await until(pilot, lambda: isinstance(app.screen, DigestScreen))


async def test_the_digest_does_not_take_the_keys_from_who_types(console):
    first = returned()
    async with console(replace(first, scanning=True)) as (app, pilot):
        await press(pilot, "slash", *"qw")
        app.engine.publish(replace(first, rev=2))
        await until(pilot, lambda: "Something happened since you left" in text_of(app))
        await press(pilot, *"en")
        assert app.screen.query_one(Input).value == "qwen"


@pytest.mark.parametrize(
    "changes", [{"left_at": math.nan}, {"left_at": NOW - 200}, {"replay": True}, {"runs": ()}], ids=str
)
async def test_no_digest_without_an_absence_or_news(console, changes):
    async with console(replace(returned(), **changes)) as (app, pilot):
        await settle(pilot, 5)
        assert isinstance(app.screen, FleetScreen) and app._greeted


# ---------------------------------------------------------------------- the terminal


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_terminal_is_told_where_that_is_wanted(console, monkeypatch, wanted):
    monkeypatch.delenv("TMUX", raising=False)
    fine, broken = run("lr-3e-2"), run("lr-3e-2", "diverged", nan_from=60)
    rest = box()[:1]
    async with console(snapshot([*rest, fine]), notify=NotifySettings(osc9=wanted)) as (app, pilot):
        sent = []
        monkeypatch.setattr(app._driver, "write", sent.append)
        app.engine.publish(snapshot([*rest, broken], 2))
        await until(pilot, lambda: app.snapshot.rev == 2)
        await settle(pilot)
        told = [text for text in sent if text.startswith("\x1b]9;")]
        assert bool(told) == wanted
        if wanted:
            assert any(re.fullmatch(r"\x1b\]9;lr-3e-2: .*NaN.*\x07", text) for text in told)


# ---------------------------------------------------------------------- keys


def test_every_binding_has_an_id_and_a_description():
    for node in (AlertsScreen, SilenceScreen, DigestScreen):
        for binding in node.__dict__["BINDINGS"]:
            assert binding.id and binding.description, binding


async def test_no_key_is_dead_or_deadly_and_help_shows_them(console):
    async with console(troubled(left_at=NOW - 100)) as (app, pilot):
        await press(pilot, "8", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = text_of(app)
        assert "Alerts" in text and "Acknowledge" in text and "Lift a silence" in text and "Since you left" in text
        await press(pilot, "escape")
        keys = [key for key, entry in app.screen.active_bindings.items() if entry.binding.id]
        assert {"a", "s", "S", "m", "v", "o", "f", "slash", "u", "escape", "enter", "space"} <= set(keys)
        for key in keys:
            if key in ("q", "ctrl+q", "ctrl+c"):
                continue
            await pilot.press(key)
            await settle(pilot, 1)
            assert app.is_running, key
            app.action_room("alerts")
            await settle(pilot, 1)


async def test_the_palette_offers_what_works(console):
    async with console(troubled(left_at=NOW - 9000)) as (app, pilot):
        await press(pilot, "escape", "8")
        for name, (_, action) in app.room.commands().items():
            action()
            await settle(pilot, 2)
            assert app.is_running, name
            app.action_room("alerts")
            await settle(pilot, 1)


async def test_names_are_told_in_full_where_there_is_room(console):
    long = [run(f"{name}-experiment-of-tonight") for name in ("first", "second")]
    shown = [replace(one, alerts=(alert("disk_before_checkpoint", one.id),)) for one in long]
    async with console(snapshot(shown), (120, 40)) as (app, pilot):
        await press(pilot, "8")
        text = text_of(app)
        assert all(one.name in text for one in long) and "disk_before_checkpoint" in text
        assert "limit" in text and "since" in text
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "since" in text_of(app) and long[0].name not in "".join(table(app))

"""Screen 9: verdicts at three sizes, every key, marks and releases, files that change, and what is odd or missing."""

import os
import re
import threading

import pytest
from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until
from screens.gatebox import COVERAGE, MANUAL, Release, criterion, opened, shows
from screens.test_snapshots import SIZES, Picture, Screen
from textual.widgets import Input

from mens_console.gate import desk, drafts


@pytest.fixture
def release(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("MENS_LEDGER", "MENS_CONFIG", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    return Release(tmp_path)


def body(app):
    return "\n".join(text_of(app).split("\n")[1:])


# ---------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", ["list", "detail", "whole"])
async def test_text(console, release, size, view, request):
    saved = request.getfixturevalue("snapshot")
    release.all_verdicts()
    release.chosen(mark=False)
    async with console(release.snapshot(), size) as (app, pilot):
        await opened(app, pilot, *{"list": (), "detail": ("j", "enter"), "whole": ("i",)}[view])
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_text_without_a_profile(console, release, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(release.snapshot(), size) as (app, pilot):
        await pilot.press("9")
        await settle(pilot, 5)
        assert body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("theme", ["mens-dark", "mens-light"])
async def test_picture(console, release, theme, request):
    saved = request.getfixturevalue("snapshot")
    release.all_verdicts()
    release.chosen(mark=False)
    async with console(release.snapshot(), (120, 40), theme=theme) as (app, pilot):
        await opened(app, pilot)
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == saved(extension_class=Picture)


async def test_every_verdict_is_told_the_worst_first(console, release):
    release.all_verdicts()
    release.chosen(mark=False)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        shown = body(app)
        places = [shown.index(word) for word in ("✖ FAIL", "∅ UNDERFED", "▲ CONDITIONAL", "✔ PASS", "□ TO MARK")]
        assert places[:4] == sorted(places[:4])
        assert "no GO yet: 3 block, 1 to mark" in shown


# ---------------------------------------------------------------------- keys


async def test_keys_move_open_and_come_back(console, release):
    release.all_verdicts()
    release.chosen(mark=False)
    async with console(release.snapshot(), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        for key, name in (("j", "4.2"), ("down", "4.3"), ("k", "4.2"), ("up", "tests"), ("G", "notes"), ("g", "tests")):
            await pilot.press(key)
            await settle(pilot)
            assert re.search(rf"› . \S+( MARK)? +{re.escape(name)}", text_of(app)), (key, text_of(app))
        await pilot.press("end", "enter")
        await settle(pilot, 5)
        assert "space marks it as holding" in text_of(app)
        await pilot.press("home", "J", "K", "pagedown")
        await settle(pilot)
        assert "evidence/junit.xml" in text_of(app)
        await pilot.press("escape")
        await settle(pilot, 5)
        assert "verdict       criterion" in text_of(app)
        await pilot.press("i")
        await settle(pilot, 5)
        assert "A small release" in text_of(app) and "approvals" in text_of(app)
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert app.room.MODE == "fleet"


async def test_a_profile_is_chosen_from_those_that_are_there(console, release):
    release.good()
    (release.evidence / "own.toml").write_text((release.folder / "release.toml").read_text())
    (release.evidence / "other.toml").write_text("[tool]\nname = 'no profile'\n")
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await pilot.press("9", "p")
        await settle(pilot, 5)
        assert "phase3-release" in text_of(app) and "25 criteria decide" not in text_of(app)
        assert "evidence/own.toml" in text_of(app) and "(of a watched folder)" in text_of(app)
        assert "other.toml" not in text_of(app)
        await pilot.press("k", "enter")
        await shows(app, pilot, "4.1 Code cover")
        assert drafts.load_last().profile == "evidence/own.toml"
        await pilot.press("p", "escape", "p", "j", "enter")  # the first shipped one, which the list goes round to
        await shows(app, pilot, "4.3 Mean cycl")


async def test_the_release_and_the_evidence_are_named(console, release):
    release.good()
    release.chosen(release="")
    other = release.folder / "elsewhere"
    other.mkdir()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "no release named (R)" in text_of(app)
        await pilot.press("R")
        app.screen.query_one(Input).value = "two  blanks"
        await pilot.press("enter")
        await shows(app, pilot, "cannot be signed")
        app.screen.query_one(Input).value = "2.0-rc1"
        await pilot.press("enter")
        await shows(app, pilot, "release 2.0-rc1")
        await pilot.press("e")
        app.screen.query_one(Input).value = "'elsewhere"
        await pilot.press("enter")
        await shows(app, pilot, "a quotation mark is not closed")
        app.screen.query_one(Input).value = "elsewhere"
        await pilot.press("enter")
        await shows(app, pilot, "∅ UNDERFED")
        assert drafts.load_last().paths == (str(other),)
        await pilot.press("e")
        app.screen.query_one(Input).value = "nowhere"
        await pilot.press("enter")
        await shows(app, pilot, "there is no such file or")


async def test_a_check_is_marked_with_a_note_and_unmarked(console, release):
    release.good()
    release.chosen(mark=False)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "g", "space")
        app.screen.query_one(Input).value = "ok"
        await pilot.press("enter")
        await shows(app, pilot, "a mark needs a note")
        app.screen.query_one(Input).value = "read every line"
        await pilot.press("enter")
        await shows(app, pilot, "nothing stands in the way of a GO")
        mark = drafts.load_marks("small", "1.2.0")[0]
        assert (mark.criterion, mark.passed, mark.note, mark.by) == ("notes", True, "read every line", desk.login())
        path = drafts.path_of("small", "1.2.0")
        assert path.stat().st_mode & 0o777 == 0o600
        await pilot.press("G", "space")
        await until(pilot, lambda: drafts.load_marks("small", "1.2.0") == ())
        await shows(app, pilot, "no GO yet: 1 to mark")
        await pilot.press("g", "x")
        app.screen.query_one(Input).value = "a page is missing"
        await pilot.press("enter")
        await shows(app, pilot, "✖ FAIL")
        assert drafts.load_marks("small", "1.2.0")[0].passed is False


async def test_what_is_measured_is_not_marked(console, release):
    release.good()
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "g", "space")
        assert "no mark does" in text_of(app)
        assert [one.criterion for one in drafts.load_marks("small", "1.2.0")] == ["notes"]


async def test_a_mark_asks_for_the_release_first(console, release):
    release.good()
    release.chosen(release="")
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "g", "space")
        app.screen.query_one(Input).value = "1.2.0"
        await pilot.press("enter")
        await shows(app, pilot, "What did you look at?")


# ---------------------------------------------------------------------- files


async def test_files_that_change_are_judged_anew(console, release):
    release.good()
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        before = room.bench.judged
        room.bench.beat()
        await until(pilot, lambda: not room.bench._looking)
        assert room.bench.judged is before
        release.coverage(80.0)
        room.bench._next = float("-inf")
        room.bench.beat()
        await shows(app, pilot, "✖ FAIL")


async def test_a_long_judging_rests_before_the_next(console, release):
    release.good()
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        release.coverage(80.0)
        room.bench._next = float("inf")
        room.bench.beat()
        await shows(app, pilot, "changed since: evidence/coverage.json")
        assert "✔ PASS" in text_of(app)
        await pilot.press("r")
        await shows(app, pilot, "✖ FAIL")


@pytest.mark.parametrize("key", ["s", "space", "x", "w"])
async def test_keys_that_need_a_judging_say_what_to_do_before_there_is_one(console, release, key):
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await pilot.press("9")
        await shows(app, pilot, "No profile chosen yet")
        await pilot.press(key)
        await shows(app, pilot, "choose a profile first (p")


async def test_judging_holds_no_screen_and_tells_how_long_it_takes(console, release, monkeypatch):
    release.good()
    release.chosen()
    gate, seen, real = threading.Event(), [], desk.judge

    def slow(question, now, **more):
        seen.append(threading.current_thread())
        gate.wait(20)
        return real(question, now, **more)

    monkeypatch.setattr(desk, "judge", slow)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await pilot.press("9")
        await shows(app, pilot, "Judging")
        await pilot.press("1", "9", "s")
        await shows(app, pilot, "It is being judged: a moment")
        gate.set()
        await shows(app, pilot, "4.1 Code cover")
        assert threading.main_thread() not in seen


async def test_nobody_looks_nothing_is_read(console, release, monkeypatch):
    looked = []
    monkeypatch.setattr(desk, "changed", lambda *_, **__: looked.append(1) or ())
    release.good()
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        await until(pilot, lambda: not room.bench._looking)
        await pilot.press("1")
        await settle(pilot)
        before = len(looked)
        room._beat()
        await settle(pilot)
        assert len(looked) == before


# ---------------------------------------------------------------------- what is odd


async def test_a_broken_profile_is_told_with_its_line(console, release):
    release.profile(criterion("1", "x", "d", "coverage", "%", ">=ninety"))
    release.chosen()
    async with console(release.snapshot(), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert "Nothing is judged." in text_of(app) and re.search(r"release\.toml:\d+", text_of(app))


async def test_hostile_text_steers_nothing(console, release):
    evil = "[red]\\u001b[2J\\u202eevil[/]"
    release.profile(COVERAGE.replace("Code coverage", evil).replace("Write tests", evil), MANUAL.replace("final", evil))
    release.coverage()
    (release.evidence / "odd\x1b[31m\u202e.json").write_text('{"totals": {"percent_covered": "\x1b[2J"}')
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "enter")
        for keys in ((), ("j",), ("i",)):
            await pilot.press(*keys)
            await settle(pilot, 5)
            shown = text_of(app)
            assert "\x1b" not in shown and "\u202e" not in shown
            assert "evil" in shown or "odd" in shown or "A small release" in shown


async def test_a_harmed_draft_is_told_and_half_of_it_not_taken(console, release):
    release.good()
    release.chosen()
    drafts.path_of("small", "1.2.0").write_text('{"marks": [{"criterion": "notes"}]}')
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "it is not as the console wrote it" in text_of(app).replace("\n", " ")


async def test_a_replay_is_judged_and_never_signed(console, release):
    release.good()
    release.chosen()
    async with console(release.snapshot(replay=True, at=NOW), (120, 40)) as (app, pilot):
        await pilot.press("9")
        await settle(pilot, 5)
        await shows(app, pilot, "1.1 Throughput on one GPU")  # what a replay is asked until something else is
        app.room.bench.choose(profile="./release.toml", release="1.2.0")
        await shows(app, pilot, "4.1 Code cover")
        assert "a replay is judged, and never signed" in text_of(app)
        await pilot.press("s", "g", "space")
        await settle(pilot)
        assert app.screen is app.room and "nothing is signed on it" in text_of(app)


async def test_evidence_that_cannot_be_read_is_told(console, release):
    release.good()
    os.mkfifo(release.evidence / "pipe.json")
    release.chosen()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "i")
        assert "pipe.json" in text_of(app)


async def test_without_roots_nothing_is_named(console, release):
    async with console(snapshot(box()), (80, 24)) as (app, pilot):
        await pilot.press("9", "s", "r", "escape")
        await settle(pilot)
        assert "No profile chosen yet" in text_of(app)


async def test_a_profile_is_chosen_on_the_page_that_has_none(console, release):
    release.good()
    (release.evidence / "broken.toml").write_text('schema = "mens-gate-profile/1"\nid = 7\n')
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await pilot.press("9")
        await shows(app, pilot, "› engineering")
        assert "4 criteria decide" in text_of(app) and "cannot be used" in text_of(app)
        await pilot.press("j", "j", "j", "k", "k", "k", "k", "enter")
        await shows(app, pilot, "4.1 Code cov")
        assert drafts.load_last().profile == "engineering"


async def test_a_profile_that_breaks_is_told_on_the_page(console, release):
    (release.evidence / "broken.toml").write_text('schema = "mens-gate-profile/1"\nid = 7\n')
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await pilot.press("9", "G")
        await shows(app, pilot, "› evidence/broken.toml")
        assert "broken.toml:2: id: input should be a valid" in text_of(app)
        await pilot.press("enter")
        await shows(app, pilot, "p chooses another profile")

"""Waivers on screen 9: asked for, checked, shown, taken back, and refused where they would count for nothing."""

import json

import pytest
from screens.box import NOW
from screens.conftest import settle, text_of, until
from screens.gatebox import COMPLEXITY, COVERAGE, MANUAL, Release, opened, shows
from textual.widgets import Input

from mens_console.gate import desk, drafts
from mens_console.gate.types import Waiver
from mens_console.gate.words import due_of, read_marks, read_waivers

DAY = 86_400.0


@pytest.fixture
def release(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("MENS_LEDGER", "MENS_CONFIG", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    return Release(tmp_path)


def waiver(due, **more):
    return Waiver(
        **{"criterion": "4.3", "owner": "bob", "due": due, "reason": "soon", "by": "ada", "at": NOW - 60} | more
    )


def day(ahead):
    """Return a day so many days from now, as a person writes it, and the moment that it ends."""
    from datetime import UTC, datetime

    text = datetime.fromtimestamp(NOW + ahead * DAY, UTC).date().isoformat()
    return text, due_of(text)


async def answer(app, pilot, text):
    app.screen.query_one(Input).value = text
    await pilot.press("enter")


async def test_a_conditional_is_let_through_and_taken_back(console, release):
    release.conditional()
    release.chosen(mark=False)
    text, moment = day(14)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "no GO yet: 1 block" in text_of(app)
        assert "w lets it through, with an owner" in text_of(app)
        await pilot.press("w")
        await shows(app, pilot, "Who answers for it?")
        await answer(app, pilot, "7")
        await shows(app, pilot, "a waiver needs an owner")
        await answer(app, pilot, "bob")
        await shows(app, pilot, "Until when does bob have it settled?")
        for wrong, why in (("soon", "write a day such as"), ("2001-01-01", "is over"), (day(-1)[0], "is over")):
            await answer(app, pilot, wrong)
            await shows(app, pilot, why)
        await answer(app, pilot, text)
        await shows(app, pilot, f"until the end of {text} (UTC), in 14 d")
        await answer(app, pilot, "x")
        await shows(app, pilot, "a waiver needs a reason")
        await answer(app, pilot, "the split of the parser lands then")
        await shows(app, pilot, "nothing stands in the way of a GO")
        assert "△ WAIVED" in text_of(app)
        kept = drafts.load_words("small", "1.2.0").waivers
        assert [(one.criterion, one.owner, one.due, one.reason, one.by) for one in kept] == [
            ("4.3", "bob", moment, "the split of the parser lands then", desk.login())
        ]
        assert drafts.path_of("small", "1.2.0").stat().st_mode & 0o777 == 0o600
        await pilot.press("enter")
        await shows(app, pilot, f"bob answers for it until the end of {text} (UTC)")
        await pilot.press("w")
        await until(pilot, lambda: drafts.load_words("small", "1.2.0").waivers == ())
        await shows(app, pilot, "no GO yet: 1 block")


@pytest.mark.parametrize("answers", [(), ("bob",), ("bob", day(3)[0])])
async def test_a_question_that_is_left_leaves_everything(console, release, answers):
    release.conditional()
    release.chosen(mark=False)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot, "w")
        for text in answers:
            await answer(app, pilot, text)
            await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is room
        assert drafts.load_words("small", "1.2.0") == drafts.Words()


@pytest.mark.parametrize(
    ("mean", "rules", "why"),
    [
        (4, {}, "It passes"),
        (9, {}, "It is FAIL"),
        (None, {}, "It is UNDERFED"),
        (6, {"lenient": False}, "small lets no CONDITIONAL through"),
    ],
)
async def test_what_a_waiver_cannot_let_through_is_told(console, release, mean, rules, why):
    release.conditional(mean=mean or 6, **rules)
    if mean is None:
        (release.evidence / "radon_cc.json").unlink()
    release.chosen(mark=False)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        room._chosen = "4.3"
        await pilot.press("w")
        await shows(app, pilot, why)
        assert app.screen is room


async def test_one_that_is_due_counts_for_nothing_and_is_asked_again(console, release):
    release.conditional()
    release.chosen(mark=False)
    drafts.save_waiver("small", "1.2.0", waiver(NOW - DAY))
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "no GO yet: 1 block" in text_of(app) and "▲ CONDITIONAL" in text_of(app)
        await pilot.press("enter")
        await shows(app, pilot, "waiver that counts for nothing")
        assert "the waiver of bob was due" in text_of(app)
        await pilot.press("w")
        await shows(app, pilot, "Who answers for it?")
        assert app.screen.query_one(Input).value == "bob"


@pytest.mark.parametrize("mean", [9, None])
async def test_a_waiver_does_not_outlast_its_conditional(console, release, mean):
    release.conditional()
    release.chosen(mark=False)
    drafts.save_waiver("small", "1.2.0", waiver(NOW + DAY))
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        assert "nothing stands in the way of a GO" in text_of(app)
        if mean is None:
            (release.evidence / "radon_cc.json").unlink()
        else:
            release.complexity(mean)
        await pilot.press("r")
        await shows(app, pilot, "no GO yet: 1 block")
        assert room.bench.judged.evaluation.get("4.3").waived is None
        assert not room.bench.judged.evaluation.ready


async def test_a_waiver_is_asked_for_its_release_first(console, release):
    release.conditional()
    release.chosen(release="")
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "w")
        await answer(app, pilot, "1.2.0")
        await shows(app, pilot, "Who answers for it?")


async def test_nothing_is_waived_in_a_replay(console, release):
    release.conditional()
    release.chosen(mark=False)
    async with console(release.snapshot(replay=True, at=NOW), (120, 40)) as (app, pilot):
        await pilot.press("9")
        await settle(pilot, 5)
        app.room.bench.choose(profile="./release.toml", release="1.2.0")
        await shows(app, pilot, "4.3 Mean complex")
        app.room._chosen = "4.3"
        await pilot.press("w")
        await shows(app, pilot, "nothing is waived in it")


async def test_the_draft_is_a_file_that_the_command_reads(release):
    drafts.save_mark("small", "1", drafts.Mark("notes", True, "read", "ada", NOW))
    drafts.save_waiver("small", "1", waiver(NOW + DAY))
    drafts.save_waiver("small", "1", waiver(NOW + 2 * DAY, owner="eve"))
    path = drafts.path_of("small", "1")
    assert [one.criterion for one in read_marks(path)] == ["notes"]
    assert read_waivers(path) == drafts.load_words("small", "1").waivers == (waiver(NOW + 2 * DAY, owner="eve"),)
    assert drafts.drop_mark("small", "1", "notes").waivers, "one word is not lost with another"


@pytest.mark.parametrize("harm", [{"due": "soon"}, {"owner": 3}, {"due": float("nan")}, {"reason": None}])
async def test_a_harmed_waiver_is_told_and_half_of_the_file_not_taken(release, harm):
    drafts.save_mark("small", "1", drafts.Mark("notes", True, "read", "ada", NOW))
    drafts.save_waiver("small", "1", waiver(NOW + DAY))
    path = drafts.path_of("small", "1")
    document = json.loads(path.read_text())
    document["waivers"][0] |= harm
    path.write_text(json.dumps(document))
    with pytest.raises(drafts.DraftError, match="not as the console wrote it"):
        drafts.load_words("small", "1")


async def test_a_draft_without_waivers_is_an_older_one(release):
    drafts.save_mark("small", "1", drafts.Mark("notes", True, "read", "ada", NOW))
    path = drafts.path_of("small", "1")
    document = json.loads(path.read_text())
    del document["waivers"]
    path.write_text(json.dumps(document))
    assert (len(drafts.load_marks("small", "1")), drafts.load_words("small", "1").waivers) == (1, ())


async def test_hostile_names_steer_nothing(console, release):
    release.profile(COVERAGE, COMPLEXITY.replace("Mean complexity", "[red]\\u001b[2Jevil[/]"), MANUAL, lenient=True)
    release.coverage()
    release.complexity(6)
    release.chosen(mark=False)
    drafts.save_waiver("small", "1.2.0", waiver(NOW - DAY, owner="[red]\x1b[2J\u202eeve[/]", reason="\x1b]0;x\x07"))
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        room._chosen = "4.3"
        await pilot.press("enter")
        await settle(pilot, 5)
        assert "\x1b" not in text_of(app) and "\u202e" not in text_of(app)
        await pilot.press("w")
        await settle(pilot, 5)
        assert "\x1b" not in text_of(app) and "evil" in text_of(app)

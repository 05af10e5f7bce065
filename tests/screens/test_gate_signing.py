"""Sign-off on the screen: nothing but a phrase typed by hand is a GO, and nothing that changed is signed."""

import os
import re
import subprocess
import threading

import pytest
from gate.signing import make_key, needs_openssh
from screens.box import NOW
from screens.conftest import settle, text_of, until
from screens.gatebox import Release, by_hand, named, opened, shows
from textual import events
from textual.widgets import Input

from gate import signing
from mens_console.gate import desk, drafts, frozen, ledger, ssh, verify
from mens_console.gate import signers as signer_files
from mens_console.screens.gatephrase import Typed
from mens_console.screens.gatesign import SignScreen


@pytest.fixture
def release(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("MENS_LEDGER", "MENS_CONFIG", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    made = Release(tmp_path)
    made.good()
    made.chosen()
    return made


@pytest.fixture
def people(release, monkeypatch):
    """Two people who may sign, and an agent that holds ada's key."""
    folder = release.folder / "config" / "mens-console"
    folder.mkdir(parents=True)
    keys = {name: make_key(release.folder, name) for name in ("ada", "bob")}
    lines = [f"{name}@example.org {path.with_suffix('.pub').read_text()}" for name, path in keys.items()]
    (folder / "allowed_signers").write_text("".join(lines))
    with signing.agent() as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent.socket)
        agent.keys = keys
        yield agent


def records():
    return ledger.load(desk.ledger_path()).entries


def phrase_on(app):
    return re.search(r"GO \S+ [0-9a-f]{6}\b", text_of(app))[0]


async def choose(app, pilot, text):
    """Move to an offer by its text and take it."""
    await shows(app, pilot, text)
    for _ in range(12):
        if re.search(rf"› {re.escape(text)}", text_of(app)):
            await pilot.press("enter")
            return
        await pilot.press("j")
        await settle(pilot)
    raise AssertionError(f"{text!r} is not offered on:\n{text_of(app)}")


async def signed_off(app, pilot, *choices):
    """Open sign-off and go to where the word is said."""
    await opened(app, pilot, "s")
    await shows(app, pilot, "What do you say?")
    for text in choices:
        await choose(app, pilot, text)
    await settle(pilot, 5)


# ---------------------------------------------------------------------- GO


@needs_openssh
async def test_a_go_is_typed_signed_checked_and_recorded(console, release, people):
    people.add(people.keys["ada"])
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
        await shows(app, pilot, "In the name of ada@example.org")
        await by_hand(pilot, phrase_on(app))
        assert not records()
        await pilot.press("enter")
        await shows(app, pilot, "SIGNED  GO  1.2.0 by ada@example.org")
        chain = ledger.load(desk.ledger_path())
        assert chain.head in text_of(app) and len(chain.entries) == 1
        allowed = signer_files.load(release.folder / "config" / "mens-console" / "allowed_signers")
        assert verify.verify(chain, allowed, root=release.folder).holds
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is app.room


@needs_openssh
async def test_a_wrong_phrase_signs_nothing(console, release, people):
    people.add(people.keys["ada"])
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
        await shows(app, pilot, "Type this")
        for wrong in (phrase_on(app).lower(), phrase_on(app)[:-1], "", "GO"):
            await by_hand(pilot, wrong)
            await pilot.press("enter")
            await shows(app, pilot, "That is not the phrase")
            for _ in wrong:
                await pilot.press("backspace")
        assert not records()


@needs_openssh
async def test_a_laptop_signs_what_was_written_out(console, release, people):
    release.profile_text = (release.folder / "release.toml").read_text()
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "On the laptop of bob@example.org")
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "Where to write")
        app.screen.query_one(Input).value = str(release.evidence / "x.pae")
        await pilot.press("enter")
        await shows(app, pilot, "would change it")
        assert not (release.evidence / "x.pae").exists()
        await pilot.press("enter")
        for text in ("GO: it ships", "On the laptop of bob@example.org"):
            await choose(app, pilot, text)
        await settle(pilot, 5)
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "Where to write")
        out = release.folder / "out"
        out.mkdir()
        app.screen.query_one(Input).value = str(out / "x.pae")
        await pilot.press("enter")
        await shows(app, pilot, "ssh-keygen -Y sign -n mens-gate")
        assert not records()
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "mens-gate", "-f", str(people.keys["bob"])]
        subprocess.run([*command, "x.pae", "x.pae.results"], cwd=out, check=True, capture_output=True)
        await pilot.press("enter")
        await shows(app, pilot, "The signature that came back")
        await pilot.press("enter")
        await shows(app, pilot, "SIGNED  GO  1.2.0 by bob@example.org")
        assert [one.signed for one in records()] == [True]


async def test_unsigned_is_loud_and_only_where_the_profile_lets_it_in(console, release):
    release.good(unsigned=True)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "UNSIGNED, as")
        await shows(app, pilot, "UNSIGNED: nobody can check")
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "UNSIGNED  GO  1.2.0")
        assert "it proves nothing of who said it" in text_of(app)
        assert [one.signed for one in records()] == [False]


async def test_without_signers_and_unsigned_there_is_no_way(console, release):
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships")
        await shows(app, pilot, "There is no way to record it")
        assert "nobody says whose signatures count" in text_of(app)
        await pilot.press("enter")
        await settle(pilot)
        assert not records()


# ---------------------------------------------------------------------- what is no typing


@pytest.fixture
def unsigned(release):
    release.good(unsigned=True)
    return release


async def at_the_phrase(app, pilot):
    await signed_off(app, pilot, "GO: it ships", "UNSIGNED, as")
    await shows(app, pilot, "Type this")
    return app.screen.query_one(Typed)


async def test_a_paste_is_ignored(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        line = await at_the_phrase(app, pilot)
        await pilot.pause(0.35)
        app.post_message(events.Paste(phrase_on(app)))
        line.post_message(events.Paste(phrase_on(app)))
        await shows(app, pilot, "A paste does not count")
        await pilot.press("enter")
        await settle(pilot)
        assert line.text == "" and not records()


async def test_a_burst_is_no_typing(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        line = await at_the_phrase(app, pilot)
        await pilot.pause(0.35)
        for char in phrase_on(app):
            app.post_message(events.Key(named(char), char))
        app.post_message(events.Key("enter", None))
        await shows(app, pilot, "faster than anybody types")
        await settle(pilot, 5)
        assert line.text == "" and not records()
        await pilot.pause(0.25)  # by_hand waits as long again
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "UNSIGNED  GO")


async def test_type_ahead_is_ignored(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        wanted = f"GO 1.2.0 {room.bench.judged.evaluation.digest[:6]}"
        await pilot.press("s")
        await shows(app, pilot, "What do you say?")
        # Everything at once, as from a buffer: through the offers, into the phrase, and Enter.
        for key, char in [("enter", None), ("enter", None), *((named(one), one) for one in wanted), ("enter", None)]:
            app.post_message(events.Key(key, char))
        await shows(app, pilot, "Type this")
        await settle(pilot, 10)
        assert app.screen.query_one(Typed).text == "" and not records()


async def test_no_single_key_says_go(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "s")
        await shows(app, pilot, "What do you say?")
        for _ in range(8):
            await pilot.press("enter")
            await pilot.pause(0.05)
        for key in ("y", "g", "G", "s", "space", "ctrl+m", "enter"):
            await pilot.pause(0.05)
            await pilot.press(key)
        assert not records()


# ---------------------------------------------------------------------- NO-GO


async def test_with_blockers_only_a_no_go_is_offered(console, unsigned):
    unsigned.coverage(70.0)
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot)
        assert "No GO: this stands in its way." in text_of(app) and "4.1 FAIL" in text_of(app)
        assert "GO: it ships" not in text_of(app)
        await choose(app, pilot, "NO-GO: it does not")
        await choose(app, pilot, "UNSIGNED, as")
        await shows(app, pilot, "Why not?")
        app.screen.query_one(Input).value = "too short"
        await pilot.press("enter")
        await shows(app, pilot, "a reason of at least 10 characters")
        assert not records()
        app.screen.query_one(Input).value = "coverage fell under what was agreed"
        await pilot.press("enter")
        await shows(app, pilot, "UNSIGNED  NO-GO  1.2.0")
        assert [(one.decision.decision, one.decision.reason) for one in records()] == [
            ("NO-GO", "coverage fell under what was agreed")
        ]


async def test_a_complaint_is_gone_once_it_is_met(console, unsigned):
    unsigned.coverage(70.0)
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot)
        await choose(app, pilot, "NO-GO: it does not")
        await choose(app, pilot, "UNSIGNED, as")
        await shows(app, pilot, "Why not?")
        await pilot.press("enter")
        await shows(app, pilot, "a reason of at least 10 characters")
        app.screen._how = "laptop"
        app.screen.query_one(Input).value = "coverage fell under what was agreed"
        await pilot.press("enter")
        await shows(app, pilot, "Where to write what is to be signed?")
        assert "a reason of at least" not in text_of(app)


async def test_a_no_go_that_stands_is_told_where_the_approvals_are(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot)
        await choose(app, pilot, "NO-GO: it does not")
        await choose(app, pilot, "UNSIGNED, as")
        await shows(app, pilot, "Why not?")
        app.screen.query_one(Input).value = "the tracker holds a new bug"
        await pilot.press("enter")
        await shows(app, pilot, "UNSIGNED  NO-GO  1.2.0")
        await pilot.press("escape")
        await shows(app, pilot, "stands on this evaluation")
        assert "a GO is complete" not in text_of(app)


async def test_an_unmarked_check_lets_no_go_through(console, unsigned):
    drafts.drop_mark("small", "1.2.0", "notes")
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot)
        assert "notes waits for a person's mark" in text_of(app) and "GO: it ships" not in text_of(app)


# ---------------------------------------------------------------------- what changes


async def test_a_change_closes_sign_off_and_names_the_file(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await at_the_phrase(app, pilot)
        unsigned.coverage(91.0)
        app.screen._watch()
        await until(pilot, lambda: not isinstance(app.screen, SignScreen))
        await shows(app, pilot, "evidence/coverage.json")
        assert not records()


async def test_a_new_file_of_evidence_closes_it_too_and_a_touch_does_not(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await at_the_phrase(app, pilot)
        screen = app.screen
        os.utime(unsigned.evidence / "coverage.json", (NOW - 5, NOW - 5))
        screen._watch()
        await until(pilot, lambda: not screen._watching)
        assert app.screen is screen
        unsigned.junit(2)
        screen._watch()
        await until(pilot, lambda: app.screen is not screen)
        await shows(app, pilot, "evidence/junit.xml")


async def test_what_changed_before_it_opened_is_not_decided_on(console, unsigned):
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        unsigned.coverage(92.0)
        await pilot.press("s")
        await until(pilot, lambda: not isinstance(app.screen, SignScreen))
        await shows(app, pilot, "changed since it was")


@needs_openssh
async def test_a_change_while_it_is_signed_records_nothing(console, release, people, monkeypatch):
    people.add(people.keys["ada"])
    real = ssh.sign

    def meanwhile(*args, **more):
        release.coverage(99.0)
        return real(*args, **more)

    monkeypatch.setattr(ssh, "sign", meanwhile)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
        await shows(app, pilot, "Type this")
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "Nothing was recorded.")
        assert "the evidence changed since it was shown" in text_of(app) and not records()


# ---------------------------------------------------------------------- agents


@needs_openssh
async def test_an_agent_that_refuses_is_told(console, release, people):
    people.add(people.keys["ada"], "-c")  # to be confirmed, and nobody can
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
        await shows(app, pilot, "Type this")
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "Nothing was recorded.")
        assert not records()
        await pilot.press("enter")
        await shows(app, pilot, "What do you say?")


@needs_openssh
async def test_an_agent_without_a_fitting_key_is_told(console, release, people):
    people.add(make_key(release.folder, "stranger"))
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
        await shows(app, pilot, "none of them may sign")


@needs_openssh
async def test_a_hanging_agent_is_left_by_a_key(console, release, people, monkeypatch):
    with signing.silent_agent() as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        async with console(release.snapshot(), (120, 40)) as (app, pilot):
            await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent")
            await shows(app, pilot, "Asking…")
            await pilot.press("escape")
            await shows(app, pilot, "What do you say?")
            assert not records()


async def test_signing_that_hangs_is_given_up(console, unsigned, monkeypatch):
    given_up = threading.Event()

    def hang(_frozen, _said, _clock):
        given_up.wait(20)
        raise frozen.SignOffError("the signing was given up; nothing was recorded")

    monkeypatch.setattr(frozen, "unsigned", hang)
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await at_the_phrase(app, pilot)
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "Esc gives up")
        await pilot.press("enter", "escape")
        await shows(app, pilot, "giving up…")
        assert app.screen._cancel.is_set()
        given_up.set()
        await shows(app, pilot, "Nothing was recorded.")


# ---------------------------------------------------------------------- ledgers


async def test_a_harmed_ledger_takes_nothing(console, unsigned):
    path = desk.ledger_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"schema":"mens-gate-ledger/1"}\n')
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await opened(app, pilot, "s")
        await shows(app, pilot, "ledger that is not whole")
        assert path.read_text() == '{"schema":"mens-gate-ledger/1"}\n'


async def test_a_ledger_among_the_evidence_is_refused(console, unsigned, monkeypatch):
    monkeypatch.setenv("MENS_LEDGER", str(unsigned.evidence / "ledger.jsonl"))
    async with console(unsigned.snapshot(), (120, 40)) as (app, pilot):
        await at_the_phrase(app, pilot)
        await by_hand(pilot, phrase_on(app))
        await pilot.press("enter")
        await shows(app, pilot, "and would change it")
        assert not (unsigned.evidence / "ledger.jsonl").exists()


@needs_openssh
async def test_a_second_person_completes_what_one_began(console, release, people):
    release.good(approvals=2)
    for key in people.keys.values():
        people.add(key)
    async with console(release.snapshot(), (120, 40)) as (app, pilot):
        for name, stands in (("ada", "1 of 2 GO"), ("bob", "GO")):
            await signed_off(app, pilot, "GO: it ships", "Here, with a key of the agent", f"{name}@example.org")
            await shows(app, pilot, f"In the name of {name}@example.org")
            await by_hand(pilot, phrase_on(app))
            await pilot.press("enter")
            await shows(app, pilot, f"by {name}@example.org")
            await shows(app, pilot, f"stands at    {stands}")
            assert ("It takes another person" in text_of(app)) == (name == "ada")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.room and app.room.bench.busy_s is None)
            told = "1 of 2: ada@example.org; 1 more" if name == "ada" else "2 of 2: ada@example.org, bob@example.org"
            await shows(app, pilot, f"approvals {told}")
        assert app.room.bench.judged.evaluation.pending == ()

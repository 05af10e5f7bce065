"""Charts that are kept on top: where that is written down, and what becomes of it."""

import json
import stat

import pytest

from mens_console.config.pins import MOST, Pins


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "pins.json"


def test_pinned_charts_are_there_tomorrow_in_their_order(file):
    pins = Pins(file)
    assert pins.names == ()
    assert [pins.toggle("reward"), pins.toggle("kl"), pins.toggle("loss"), pins.toggle("kl")] == [
        True,
        True,
        True,
        False,
    ]
    assert Pins(file).names == pins.names == ("reward", "loss")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["schema"] == "mens-pins/1"


def test_two_consoles_keep_what_the_other_pinned(file):
    one, two = Pins(file), Pins(file)
    assert one.names == two.names == ()
    one.toggle("reward")
    two.toggle("kl")
    assert two.names == ("reward", "kl")


def test_any_name_is_kept(file):
    name = "\ud800 \x1b[31m/…" + "x" * 300
    Pins(file).toggle(name)
    assert Pins(file).names == (name,)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"charts": 7}', '{"charts": [1, null, "loss", "loss"]}', "\x00" * 99])
def test_a_damaged_file_hinders_nobody(file, text):
    file.parent.mkdir()
    file.write_text(text)
    pins = Pins(file)
    assert set(pins.names) <= {"loss"}
    assert pins.toggle("kl")
    assert Pins(file).names[-1] == "kl"


def test_where_nothing_can_be_written_it_lasts_for_the_session(file):
    file.parent.mkdir()
    file.with_name("pins.json.lock").mkdir()  # nobody can open it, not even root
    pins = Pins(file)
    for name in ("reward", "kl"):
        with pytest.raises(OSError, match="lock"):
            pins.toggle(name)
    assert pins.names == ("reward", "kl")
    with pytest.raises(OSError, match="lock"):
        pins.toggle("reward")
    assert pins.names == ("kl",)


def test_there_is_an_end_to_it():
    pins = Pins()
    for i in range(MOST):
        pins.toggle(f"m{i}")
    with pytest.raises(ValueError, match="100 charts"):
        pins.toggle("one more")
    assert not pins.toggle("m0")
    assert pins.toggle("one more")

"""`alerts since`: what happened since the console was left, without a console."""

import json
import time

import pytest
from cli.runs import BEGAN, broken

from mens_console.store.alertbook import AlertBook


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mens-console"


def lately(folder):
    """Move the times of a run such that its last row is of now."""
    path = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    shift = time.time() - 1.0 - rows[-1]["ts"]
    path.write_text("".join(json.dumps({**row, "ts": row["ts"] + shift}) + "\n" for row in rows))
    return BEGAN + shift


def left(state, box, at):
    AlertBook(state / "alerts.json", clock=time.time, roots=[box]).leave(at)


def test_it_tells_what_the_console_would(cli, box, state):
    began = lately(broken(box))
    left(state, box, began + 60.0)
    code, out, _ = cli("alerts", "since", box)
    assert code == 0
    assert out.startswith("You left ")
    assert "Alerts that fired  1" in out and "✖ nan  loss is NaN  21×" in out
    assert out.rstrip().endswith("Nothing else happened.")
    document = json.loads(cli("alerts", "since", box, "--json")[1])
    (fired,) = document["fired"]
    assert (fired["name"], fired["rule"], fired["count"]) == ("nan", "nan_loss", 21)
    assert (document["left_at"], fired["since"]) == pytest.approx((began + 60.0, began + 80.0))


def test_it_does_not_count_as_having_been_there(cli, box, state):
    left(state, box, lately(broken(box)) + 60.0)
    before = (state / "alerts.json").read_bytes()
    assert "nan  loss is NaN" in cli("alerts", "since", box)[1]
    assert (state / "alerts.json").read_bytes() == before


def test_who_never_left_says_since_when(cli, box):
    broken(box)
    code, _, err = cli("alerts", "since", box)
    assert code == 2 and "say since when, such as --from 8h" in err
    code, out, _ = cli("alerts", "since", box, "--from", "1m")
    assert code == 0 and out.startswith("Since ") and "1 m ago" in out


def test_a_clock_that_was_set_back_is_told(cli, box, state):
    broken(box)
    left(state, box, time.time() + 7200)
    assert "the clock was set back" in cli("alerts", "since", box)[1]

"""An alert that is seen again says so: the newest value in words, the first moment, the last, and how often."""

import json
import os
import time

import pytest
from cli.runs import rows, write
from notify.alarms import service


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MENS_NOTIFY", raising=False)


def spiking(box, spikes, until):
    """Write a run that logs every 2 s, whose loss is 1 but for `spikes` (by step)."""
    steps = range(1, until)
    return write(
        box / "spiky", rows(steps, loss=lambda s: spikes.get(s, 1.0 + s % 3 / 100), total=2000), "metrics.jsonl"
    )


def spike(cli, box):
    document = json.loads(cli("alerts", "list", "--all", "--json", box)[1])
    return next(one for one in document["alerts"] if one["rule"] == "loss_spike")


def test_within_one_episode_the_newest_value_is_told_in_words_and_what_it_fired_on_is_kept(cli, box):
    spiking(box, {60: 3.0, 64: 5.0, 70: 2.5}, 73)
    seen = spike(cli, box)
    assert seen["count"] == 3
    assert seen["message"].startswith("loss 2.5 is 2.4"), seen["message"]
    assert seen["fired_on"].startswith("loss 3 is 2.9"), seen["fired_on"]
    assert 2.4 < seen["value"] < 2.6, "the number and the words are of the same moment"
    assert (seen["since_step"], seen["last_step"], seen["first_step"]) == (60, 70, 60)
    assert seen["last_seen"] - seen["since"] == 20.0
    out = cli("alerts", "list", "--all", box)[1]
    assert "loss 2.5 is 2.4" in out
    assert "it fired on: loss 3 is 2.9" in out
    assert "seen 3 times, last " in out and "at step 70" in out


def test_over_several_episodes_the_first_the_last_and_the_count_are_told(cli, box):
    spiking(box, {60: 3.0, 200: 5.0, 340: 2.5}, 345)
    seen = spike(cli, box)
    assert seen["count"] == 3
    assert (seen["first_step"], seen["since_step"], seen["last_step"]) == (60, 340, 340)
    assert seen["since"] - seen["first_seen"] == 560.0
    out = cli("alerts", "list", "--all", box)[1]
    assert "seen 3 times, first " in out and "at step 60, last " in out


def test_what_comes_again_is_not_sent_again_and_when_it_is_sent_says_how_often(cli, box, monkeypatch):
    (box.parent / "xdg" / "mens-console").mkdir(parents=True)
    text = '[notify]\nmin_severity = "warning"\ngroup_s = 0\n'
    (box.parent / "xdg" / "mens-console" / "config.toml").write_text(text)

    def written(spikes, until):
        folder = spiking(box, spikes, until)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        shift = time.time() - lines[-1]["ts"]
        write(folder, [{**line, "ts": line["ts"] + shift} for line in lines])
        os.utime(folder / "metrics.jsonl")

    with service() as chat:
        monkeypatch.setenv("MENS_NOTIFY", chat.url)
        written({60: 3.0, 64: 5.0}, 66)
        cli("watch", "--notify", "--once", box)
        (said,) = [body["message"] for _, body in chat.told]
        assert "loss 5 is" in said and "it fired on: loss 3 is" in said
        assert "seen 2 times: last " in said and "step 64" in said
        written({60: 3.0, 64: 5.0, 66: 2.5}, 68)
        cli("watch", "--notify", "--once", box)
        assert len(chat.told) == 1, "the same episode"

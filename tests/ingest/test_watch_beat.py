from hypothesis import given
from hypothesis import strategies as st

from mens_console.ingest.beat import COLD_PER_S, COVER_S, HOT_PER_S, HOT_S, Beat


def beat_of(count):
    beat = Beat()
    for index in range(count):
        beat.add(f"/{index}")
    beat.due(0.0)
    return beat


def test_new_files_are_due_at_once():
    beat = Beat()
    beat.add("/a")
    beat.add("/a")
    assert beat.due(0.0) == ["/a"]
    assert len(beat) == 1
    assert "/a" in beat


def test_hints_come_first_and_unknown_ones_are_refused():
    beat = beat_of(1000)
    assert beat.hint("/777")
    assert not beat.hint("/elsewhere")
    assert beat.due(0.001)[0] == "/777"


def test_growing_files_every_beat_until_they_rest():
    beat = beat_of(1000)
    beat.changed("/5", 0.0)
    beat.changed("/elsewhere", 0.0)
    assert beat.interval() == 0.25
    assert all("/5" in beat.due(tick * 0.25) for tick in range(1, 40))
    beat.due(HOT_S + 1)
    seen = sum("/5" in beat.due(HOT_S + 1 + tick * 0.25) for tick in range(1, 80))
    assert seen <= 12
    beat.changed("/6", 100.0)
    beat.hints = True
    assert beat.interval() == 1.0


@given(st.integers(1, 3000), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=60))
def test_every_file_within_the_promised_time(count, pauses):
    beat = beat_of(count)
    now, looked = 0.0, dict.fromkeys((f"/{index}" for index in range(count)), 0.0)
    for pause in pauses:
        now += pause
        for path in beat.due(now):
            looked[path] = now
        assert now - min(looked.values()) <= COVER_S + pause + 1e-6


def test_looks_a_second_are_bounded():
    beat = beat_of(100_000)
    looks = sum(len(beat.due(tick / 4)) for tick in range(1, 41))
    assert looks <= COLD_PER_S * 10 + 41
    hot = beat_of(2000)
    for index in range(2000):
        hot.changed(f"/{index}", 0.0)
    assert hot.interval() == 2000 / HOT_PER_S
    assert hot.crowded
    looks = sum(len(hot.due(tick / 4)) for tick in range(1, 41))
    assert looks <= 10 * 2100


def test_forgotten_files_are_not_looked_at():
    beat = beat_of(3)
    beat.changed("/1", 0.0)
    beat.hint("/1")
    beat.discard("/1")
    assert sorted(beat.due(5.0)) == ["/0", "/2"]
    beat.changed("/1", 6.0)
    assert "/1" not in beat.due(12.0)


def test_rate_of_changes():
    beat = beat_of(10)
    for tick in range(50):
        beat.changed("/1", tick / 10)
    assert beat.changed_per_s(5.0) == 10.0
    assert beat.changed_per_s(60.0) == 0.0

"""Incidents: both edges of each rule of opening and closing, causes, gaps, and that minutes may be fed again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak.handmade import minute

from mens_console.soak import incidents
from mens_console.soak.incidents import Watch
from mens_console.soak.types import Minute, ProbeAt


def found(minutes, gaps=(), every=10.0):
    watch = Watch(every)
    for one in minutes:
        watch.feed(one, gaps)
    return watch.incidents(gaps)


def probed(answers, at=0.0, every=10.0):
    """Return minutes in which nothing but probes happened: one letter each, `.` good, `x` failed, ` ` none."""
    minutes = {}
    for i, letter in enumerate(answers):
        when = at + i * every
        made = minutes.setdefault(int(when // 60), Minute(int(when // 60)))
        if letter != " ":
            made.probes.append(ProbeAt(when, letter == ".", 1.0, "" if letter == "." else "connection refused"))
    return [minutes[index] for index in sorted(minutes)]


def times(incidents):
    return [(one.opened, one.closed) for one in incidents]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("......", []),
        (".xx...", []),
        (".xx.xx.xx.", []),
        (".xxx...", [(10, 40)]),
        ("xxx..", [(0, None)]),
        ("xxx..x...", [(0, 60)]),
        ("...xxx", [(30, None)]),
        ("xxx...xxx...", [(0, 30), (60, 90)]),
        ("xxxxxxxx...", [(0, 80)]),
    ],
)
def test_three_probes_in_a_row_open_and_three_close(answers, expected):
    assert times(found(probed(answers))) == expected


def test_probes_that_time_out_are_in_a_row_though_they_put_each_other_off():
    """One is to be made each second, and each takes five."""
    assert times(found(probed("xxx...", every=5.0), every=1.0)) == [(0, 15)]


def test_failed_probes_are_counted_from_the_first_to_the_last():
    (one,) = found(probed(".xxxx.x..x....."))
    assert (one.opened, one.closed, one.probes_failed) == (10, 100, 6)
    assert one.cause == "probes fail: connection refused"


def binned(*tens, probes="......"):
    """Return minutes by (ended, failed) of each 10 s, with a good probe in each."""
    minutes = []
    for first in range(0, len(tens), 6):
        six = [list(one) for one in tens[first : first + 6]]
        six += [[0, 0]] * (6 - len(six))
        index = first // 6
        made = Minute(index, tens=six, failed={"http": sum(bad for _, bad in six)})
        made.probes = [ProbeAt(index * 60 + i * 10.0 + 5, True, 1.0) for i in range(6)]
        minutes.append(made)
    return minutes


def test_half_of_a_bin_opens_and_less_does_not():
    calm = [(10, 0)] * 5
    (one,) = found(binned((10, 5), *calm))
    assert (one.opened, one.closed, one.requests_failed) == (0, 15, 5)
    assert one.cause == "50 % of requests fail: http"
    assert not found(binned((100, 49), *calm))


def test_a_bin_of_two_says_nothing():
    calm = [(10, 0)] * 5
    assert not found(binned((2, 2), *calm))
    assert found(binned((3, 2), *calm))


def test_a_bad_bin_while_it_lasts_starts_the_good_probes_anew():
    calm = [(10, 0)] * 6
    assert times(found(binned((10, 9), (10, 0), (10, 0), (10, 9), *calm))) == [(0, 45)]


def test_a_good_probe_within_a_bad_bin_does_not_count():
    (one,) = found(binned((10, 0), (10, 10), *[(10, 0)] * 6))
    assert (one.opened, one.closed) == (10, 25)


def test_both_rules_give_one_incident_from_the_earlier_beginning():
    (one,) = found([minute(0), minute(1, down=[(83, 147)]), minute(2, down=[(83, 147)]), minute(3)])
    assert (one.opened, one.closed) == (83, 150)
    assert one.probes_failed == 6
    assert one.requests_failed == 640
    assert one.cause.startswith("100 % of requests fail: connection refused; probes fail: connection refused")


def test_requests_alone_fail():
    (one,) = found([minute(0, broken=[(20, 40)]), minute(1)])
    assert (one.opened, one.closed, one.probes_failed, one.requests_failed) == (20, 40, 0, 200)
    assert one.cause == "100 % of requests fail: http 503"


def test_the_share_is_that_while_it_lasted():
    """What ended well until a probe saw that it was over does not thin the share out."""
    (one,) = found([minute(0, broken=[(20, 42)], offset=0.5), minute(1, offset=0.5)])
    assert (one.opened, one.closed, one.requests_failed) == (20, 50.5, 220)
    assert one.cause == "100 % of requests fail: http 503"


@pytest.mark.parametrize("begin", [3.0, 7.0, 15.0, 47.0, 56.0, 57.0])
def test_an_outage_that_lies_across_two_tens_of_seconds_is_found(begin):
    """Of neither :00 to :10 nor :10 to :20 half failed, but of ten seconds between them."""
    minutes = [minute(index, broken=[(begin, begin + 6)]) for index in range(3)]
    (one,) = found(minutes)
    assert (one.opened, one.requests_failed) == (begin, 60)
    assert begin + 6 <= one.closed <= begin + 16
    assert one.cause == "100 % of requests fail: http 503"


@pytest.mark.parametrize("begin", [0.0, 3.0, 5.0, 8.0, 57.0])
def test_half_of_any_ten_seconds_opens_and_less_does_not(begin):
    def minutes(length):
        return [minute(index, broken=[(begin, begin + length)]) for index in range(3)]

    assert len(found(minutes(5))) == 1
    assert not found(minutes(4.8))


def test_a_cause_names_what_failed_while_it_lasted():
    made = minute(0, broken=[(40, 50)])
    for second in (3, 20, 58):  # strays of the same minute, which are no part of it
        made.tens[second // 10][1] += 10
        made.failed["timeout"] = made.failed.get("timeout", 0) + 10
        made.reasons["timeout no token"] = made.reasons.get("timeout no token", 0) + 300
        made.fails.setdefault("timeout no token", []).extend([second, 10])
    (one,) = found([made, minute(1)])
    assert (one.opened, one.closed) == (40, 50)
    assert one.cause == "100 % of requests fail: http 503"


def test_ten_seconds_that_nobody_saw_most_of_are_not_judged():
    """One bad second after a halt is no half of ten seconds."""
    bad = Minute(1, ended=310, failed={"http": 10}, reasons={"http 503": 10}, fails={"http 503": [29, 10]})
    bad.seconds = [0] * 29 + [10] * 31
    bad.tens = [[0, 0], [0, 0], [10, 10], [100, 0], [100, 0], [100, 0]]
    bad.probes = [ProbeAt(90.0 + i * 10, True, 1.0) for i in range(3)]
    assert not found([minute(0), bad], gaps=[(60.0, 89.0)])
    assert found([minute(0), bad])


def test_an_incident_that_closed_opens_no_other():
    """Probes each second close it while its bad seconds are still among the newest ten."""
    minutes = [minute(index, broken=[(20, 26)], every=1.0) for index in range(2)]
    assert times(found(minutes, every=1.0)) == [(20, 26)]


def naively(failing):
    """Find bad seconds with all at hand: seconds with (ended, failed)."""
    bad = set()
    for end in range(10, len(failing) + 1):
        held = [at for at in range(end - 10, end) if failing[at][0]]
        if not failing[end - 1][0] or sum(failing[at][0] for at in held) < 3:
            continue
        if 2 * sum(failing[at][1] for at in held) >= sum(failing[at][0] for at in held):
            bad |= {(end, at) for at in held if failing[at][1] and 2 * failing[at][1] >= failing[at][0]}
    return bad


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=120, max_size=120))
@settings(max_examples=150, deadline=None)
def test_any_ten_seconds_are_looked_at(told):
    """No good probe comes, so that there is one incident at most: it opens where the first ten seconds say."""
    failing = [(max(pair), min(pair)) for pair in told]
    minutes = []
    for index in range(2):
        part = failing[index * 60 : index * 60 + 60]
        made = Minute(index, seconds=[ended for ended, _ in part])
        made.fails = {"http 503": [one for at, (_, bad) in enumerate(part) if bad for one in (at, bad)]}
        made.failed = {"http": sum(bad for _, bad in part)}
        minutes.append(made)
    bad = naively(failing)
    if not bad:
        assert not found(minutes)
        return
    first = min(end for end, _ in bad)
    (one,) = found(minutes)
    assert one.opened == min(at for end, at in bad if end == first)
    assert one.requests_failed == sum(failing[at][1] for at in range(int(one.opened), 120))


def test_an_incident_at_the_end_stays_open():
    (one,) = found([minute(0), minute(1, down=[(100, 999)])])
    assert (one.opened, one.closed) == (100, None)


def test_over_a_gap_nothing_opens_but_what_is_open_stays():
    assert not found(probed(".xx" + " " * 30 + "x..."))
    (one,) = found(probed(".xxx" + " " * 30 + "x..."), gaps=[(35.0, 335.0)])
    assert (one.opened, one.closed) == (10, 350)
    assert one.cause.endswith("; the driver was away for 5 m of it")
    (one,) = found(probed(".xxx.." + " " * 30 + "."), gaps=[(55.0, 355.0)])
    assert (one.opened, one.closed) == (10, 40)
    assert "away" not in one.cause


def test_what_a_server_says_steers_no_terminal():
    bad = Minute(0, probes=[ProbeAt(i * 10.0, False, None, "\x1b[2J") for i in range(3)])
    assert found([bad])[0].cause == "probes fail: ␛[2J"


ANSWERS = st.text(alphabet=".x ", min_size=1, max_size=120)


@given(ANSWERS)
@settings(max_examples=200, deadline=None)
def test_the_rule_read_naively_agrees(answers):
    """The oracle looks at all probes at once; without blanks there are no gaps."""
    answers = answers.replace(" ", ".")
    expected, place, opened = [], 0, None
    while place < len(answers):
        row = answers[place : place + 3]
        if opened is None and row == "xxx":
            opened = place
        elif opened is not None and row == "...":
            expected.append((opened * 10, place * 10))
            opened = None
        place += 1
    expected += [(opened * 10, None)] if opened is not None else []
    assert times(found(probed(answers))) == expected


@given(ANSWERS, st.data())
@settings(max_examples=100, deadline=None)
def test_feeding_a_copy_changes_nothing(answers, data):
    minutes = probed(answers)
    watch = Watch()
    for one in minutes:
        ahead = watch.copy()
        for other in minutes[data.draw(st.integers(0, len(minutes))) :]:
            ahead.feed(other)
        watch.feed(one)
    assert watch.incidents() == found(minutes)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 59), st.integers(1, 12)), max_size=4)),
        min_size=2, max_size=5,
    ),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_minutes_that_are_passed_over_would_have_changed_nothing(told, probed_):
    """Each minute has some failures in some of its seconds, of a few requests a second."""
    minutes = []
    for index, (rate, failing) in enumerate(told):
        fails = {}
        for second, n in failing:
            fails[second] = min(max(n, fails.get(second, 0)), rate)
        pairs = [one for pair in sorted(fails.items()) if pair[1] for one in pair]
        made = Minute(index, fails={"http 503": pairs} if pairs else {}, failed={"http": sum(pairs[1::2])})
        made.seconds = [rate] * 60 if pairs else []
        made.tens = [[10 * rate, 0] for _ in range(6)]
        if probed_:
            made.probes = [ProbeAt(index * 60 + i * 10.0, True, 1.0) for i in range(6)]
        minutes.append(made)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(incidents, "may_be_bad", lambda *_: True)
        thorough = found(minutes)
    assert found(minutes) == thorough

from hypothesis import given
from hypothesis import strategies as st

from mens_console.soak import schedule
from mens_console.soak.clock import Clock
from mens_console.soak.pace import Slots
from mens_console.soak.types import Plan

PLANS = st.builds(
    Plan,
    id=st.just("a"),
    url=st.just("http://127.0.0.1:1/v1"),
    model=st.just("m"),
    rate=st.sampled_from([0.01, 0.3, 1.0, 3.7]),
    duration_s=st.floats(1.0, 400.0),
    started=st.just(0.0),
    arrivals=st.sampled_from(["constant", "poisson"]),
    seed=st.integers(0, 9),
)


def every(plan):
    return [
        (minute, place, due)
        for minute in range(schedule.minutes(plan))
        for place, due in enumerate(schedule.due(plan, minute))
    ]


def rest(slots):
    taken = []
    while slots.head is not None:
        taken.append(tuple(slots.take()))
    return taken


@given(PLANS, st.floats(0.0, 500.0))
def test_from_any_moment_on_each_slot_comes_once_and_in_order(plan, since):
    assert rest(Slots(plan, since)) == [slot for slot in every(plan) if slot[2] >= since]


@given(PLANS, st.lists(st.floats(0.0, 500.0), max_size=5))
def test_what_is_skipped_is_what_was_due_before(plan, moments):
    slots = Slots(plan, 0.0)
    for moment in moments:
        slots.skip(moment)
    assert rest(slots) == [slot for slot in every(plan) if slot[2] >= max(moments, default=0.0)]


def test_nothing_is_skipped_before_the_beginning_of_time():
    plan = Plan(id="a", url="u", model="m", rate=1.0, duration_s=3.0, started=0.0)
    slots = Slots(plan, 0.0)
    slots.skip(float("-inf"))
    assert [due for _, _, due in rest(slots)] == [0.0, 1.0, 2.0]


class Hands:
    """Two clocks that are set by hand."""

    def __init__(self):
        self.wall = self.steady = 1000.0


def clock(hands, at=0.0):
    return Clock(at, wall=lambda: hands.wall, steady=lambda: hands.steady)


def test_a_clock_goes_on_from_where_it_is_put():
    hands = Hands()
    made = clock(hands, 500.0)
    hands.steady += 3.0
    assert (made.begun, made.now()) == (500.0, 503.0)


def test_a_wall_clock_that_is_set_moves_nothing_and_is_told_once():
    hands = Hands()
    made = clock(hands)
    for moved, told in ((3600.0, 3600.0), (0.0, 0.0), (-7200.0, -7200.0), (0.5, 0.0)):
        hands.steady += 1.0
        hands.wall += 1.0 + moved
        assert made.jump() == told
    assert made.now() == 4.0


def test_a_box_that_was_suspended_had_no_clock_set():
    hands = Hands()
    made = clock(hands)
    hands.steady += 900.0
    hands.wall += 900.0
    assert made.jump() == 0.0

"""Ranges are counted after the attempts that came before them, whatever they hold and whenever workers answer."""

from collections import Counter
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mens_console.health.plan import Plan

ranges = st.lists(st.lists(st.sampled_from(["a", "a", "a", "a", "b", "bad"]), max_size=6), max_size=14)


def told(held):
    return Counter(line for line in held if line != "bad")


class Workers:
    """Answers what a plan asks, one answer at a time, in an order that `choose` gives."""

    def __init__(self, held, phases, choose):
        self.held, self.choose = held, choose
        self.plan = Plan(phases)
        self.answers, self.out, self.asked = [], [], Counter()

    def run(self):
        left = list(range(len(self.held)))
        while left or self.answers:
            if left and (not self.answers or self.choose(2)):
                number, first = self.plan.add(left[0], left.pop(0) + 1)
                self.answers.append((first, number, None))
            else:
                self.answer(*self.answers.pop(self.choose(len(self.answers))))

    def answer(self, kind, number, order):
        held = self.held[number]
        if kind == "lines":
            self.plan.tell_lines(number, len(held))
        elif kind == "runs":
            self.plan.tell_runs(number, told(held))
        elif not order.sure and told(held).keys() - order.before.keys():
            self.plan.tell_strange(number)
        else:
            read = SimpleNamespace(attempts=dict(told(held)), before=order.before)
            self.plan.tell_counted(number, SimpleNamespace(read=read))
        self.out += [(start, result) for start, _, result in self.plan.ready()]
        for order in self.plan.orders():
            self.asked[order.number] += 1
            self.answers.append(("count", order.number, order))


@given(ranges, st.sampled_from([{}, {"a": 7}, {"a": 7, "b": 3}]), st.randoms(use_true_random=False))
def test_every_range_is_handed_out_once_in_order_and_counted_after_what_came_before(held, phases, chance):
    workers = Workers(held, phases, chance.randrange)
    workers.run()
    assert [start for start, _ in workers.out] == list(range(len(held)))
    passed = Counter(phases)
    for start, result in workers.out:
        for name in told(held[start]):
            assert result.read.before.get(name, 0) == passed[name]
        passed += told(held[start])
    assert workers.plan.pending == 0


@given(st.lists(st.integers(0, 9), max_size=12), st.randoms(use_true_random=False))
def test_one_run_without_bad_lines_is_counted_once_after_its_lines_alone(sizes, chance):
    workers = Workers([["a"] * size for size in sizes], {"a": 3}, chance.randrange)
    workers.run()
    assert all(times == 1 for times in workers.asked.values())
    assert len(workers.out) == len(sizes)


def test_lines_are_not_believed_any_more_where_many_are_bad_or_another_run_is_met():
    plan = Plan({"a": 0})
    assert plan.add(0, 1) == (0, "lines")
    plan.tell_strange(0)
    assert plan.add(1, 2) == (1, "runs")
    workers = Workers([["a", "bad"]] * 40, {"a": 0}, lambda n: n - 1)
    workers.run()
    assert workers.plan.add(40, 41) == (40, "runs")
    assert max(workers.asked.values()) == 2


def test_other_groups_need_nothing_told():
    plan = Plan({}, batches=False)
    assert plan.add(0, 1) == (0, "nothing")
    assert plan.begun(0)
    result = SimpleNamespace(read=SimpleNamespace(attempts={"a": 1}))
    plan.tell_counted(0, result)
    assert list(plan.orders()) == []
    assert list(plan.ready()) == [(0, 1, result)]

"""A mapping that is made when it is asked for, once."""

from signals.madebatches import batch

from mens_console.signals.runjudge import RunJudge
from mens_console.signals.whenasked import WhenAsked


def test_it_is_made_once_and_reads_like_what_was_made():
    calls = []

    def make():
        calls.append(1)
        return {"b": 2, "a": 1}

    lazy = WhenAsked(make)
    assert calls == []
    assert lazy == {"b": 2, "a": 1} == lazy
    assert (list(lazy), len(lazy), lazy["a"], lazy.get("c"), repr(lazy)) == (["b", "a"], 2, 1, None, "{'b': 2, 'a': 1}")
    assert calls == [1]
    assert lazy != {"b": 2}


def test_a_batch_is_judged_by_what_was_known_when_it_came():
    """Whether its bands are asked for at once or after all the others makes no difference."""
    made = [batch(i, repairs=0.02 + 0.03 * i, latency=1000 + 90 * i) for i in range(14)]
    at_once, later = RunJudge(), RunJudge()
    asked = [dict(at_once.add(one).bands) for one in made]
    kept = [later.add(one) for one in made]
    assert repr([dict(one.bands) for one in kept]) == repr(asked)
    assert len({band["mean_latency"].reason for band in asked}) == len(made)
    growing = batch(14, complete=False)
    peeked = later.peek(growing)
    before = repr(dict(at_once.peek(growing).bands))
    later.add(batch(14, repairs=0.9))
    assert repr(dict(peeked.bands)) == before

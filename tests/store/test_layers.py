"""Adapter pairs over time: nothing is lost that an operator must see, and memory stays bounded."""

import math
from array import array

import numpy as np
import pytest

from mens_console.signals.pairs import LayerRow, PairState, PairSummary, PairTable
from mens_console.store.layers import CELLS, LEAST_COLUMNS, MOST_COLUMNS, LayerHistory

SUMMARY = PairSummary(2, {}, math.nan, (), None)


def look(step, *grads, **more):
    values = {"grad": array("d", grads), **{name: array("d", column) for name, column in more.items()}}
    return LayerRow(step, float(step), values)


def view(history):
    return history.view((PairState.ACTIVE,) * len(history.table), SUMMARY)


def test_a_look_is_a_column():
    history, table = LayerHistory(), PairTable(("a", "b"))
    history.know(table)
    assert view(history) is None
    history.take(look(1, 0.5, 0.25), table)
    history.take(look(2, 1.5, math.nan, ratio=[1e-3, 2e-3]), table)
    seen = view(history)
    assert seen.steps.tolist() == [1, 2]
    np.testing.assert_array_equal(seen.values["grad"], np.float32([[0.5, 1.5], [0.25, np.nan]]))
    np.testing.assert_array_equal(seen.values["ratio"], np.float32([[np.nan, 1e-3], [np.nan, 2e-3]]))
    assert seen.latest["ratio"].tolist() == [1e-3, 2e-3]


@pytest.mark.parametrize("pairs", [1, 3, 700])
def test_the_greatest_value_survives_any_number_of_looks(pairs):
    history, table = LayerHistory(), PairTable(tuple(f"p{i}" for i in range(pairs)))
    history.know(table)
    random = np.random.default_rng(pairs)
    rows = random.random((3000, pairs))
    rows[1234, pairs - 1] = 500.0
    for step, row in enumerate(rows):
        history.take(look(step, *row), table)
        assert len(history) <= min(MOST_COLUMNS, max(LEAST_COLUMNS, CELLS // pairs))
    seen = view(history)
    np.testing.assert_allclose(seen.values["grad"].max(axis=1), rows.max(axis=0), rtol=1e-6)
    place = int(np.argmax(seen.values["grad"][pairs - 1]))
    assert seen.steps[place - 1] < 1234 <= seen.steps[place]
    assert seen.steps[-1] == 2999
    assert (np.diff(seen.steps) > 0).all()
    assert seen.latest["grad"].tolist() == rows[-1].tolist()


def test_a_published_view_does_not_change():
    history, table = LayerHistory(), PairTable(("a",))
    history.know(table)
    history.take(look(1, 1.0), table)
    before = view(history)
    assert view(history) is before
    for step in range(2, 3000):
        history.take(look(step, 9.0), table)
    assert before.values["grad"].tolist() == [[1.0]]


def test_another_table_adds_pairs_and_keeps_the_old_ones():
    history, first, second = LayerHistory(), PairTable(("a", "b"), (False, True), (8, 8)), PairTable(("b", "c"))
    history.know(first)
    history.take(look(1, 1.0, 2.0), first)
    history.know(second)
    history.take(look(2, 3.0, 4.0), second)
    seen = view(history)
    assert seen.table.names == ("a", "b", "c")
    assert seen.table.r == (8, 8, 0)
    np.testing.assert_array_equal(seen.values["grad"], np.float32([[1, np.nan], [2, 3], [np.nan, 4]]))


def test_a_table_that_grows_much_makes_columns_fewer():
    history, small = LayerHistory(), PairTable(("p0",))
    history.know(small)
    for step in range(1000):
        history.take(look(step, float(step)), small)
    large = PairTable(tuple(f"p{i}" for i in range(5000)))
    history.know(large)
    history.take(look(1000, *range(5000)), large)
    assert len(history) <= CELLS // 5000
    assert view(history).values["grad"][0].max() == 999.0


def test_a_run_that_nobody_looks_at_is_thinned():
    history, table = LayerHistory(), PairTable(("a",))
    history.know(table)
    for step in range(900):
        history.take(look(step, float(step % 7)), table)
    before = history.nbytes
    history.thin(32)
    assert history.nbytes < before / 8
    assert view(history).values["grad"].max() == 6.0
    history.take(look(900, 11.0), table)
    assert view(history).values["grad"].max() == 11.0

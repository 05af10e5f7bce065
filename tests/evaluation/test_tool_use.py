"""The tool-use bucket, counted by hand."""

import json

import pytest
from evaluation.sets import CHAIN, HEADER, RIGHT, scored, tool_items
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.evaluation.plan import align, plan_of, same, target
from mens_console.evaluation.rows import UnreadableError


def bucket(tmp_path, outputs, calls=CHAIN, **more):
    return scored(tmp_path, *tool_items(outputs, calls), **more)[1]


def calls(*pairs):
    return [{"tool": tool, "arguments": arguments} for tool, arguments in pairs]


def test_json_is_the_whole_answer(tmp_path):
    outputs = [
        RIGHT,
        f"```json\n{RIGHT}\n```",
        "",
        f"  {RIGHT}\n",
        '{"a": NaN}',
        "[" * 100_000,
        "null",
        f"Sure: {RIGHT}",
    ]
    found = bucket(tmp_path, outputs)["json_validity"]
    assert (found.successes, found.n) == (3, 8)  # the plain one, the one with blanks, and null, which is no plan


def test_schema_wants_known_tools_and_their_arguments(tmp_path):
    outputs = [
        RIGHT,
        json.dumps(calls(("search", {"q": "x", "n": 1.0}))),  # 1.0 is an integer to JSON Schema
        json.dumps(calls(("search", {"q": 1}))),
        json.dumps(calls(("search", {}))),
        json.dumps(calls(("search", {"q": "x", "more": 1}))),
        json.dumps(calls(("delete", {}))),
        "null",
    ]
    found = bucket(tmp_path, outputs)["schema_match"]
    assert (found.successes, found.n) == (2, 7)


def test_without_a_schema_there_is_no_match_and_no_score(tmp_path):
    header = {key: value for key, value in HEADER.items() if key != "tools"}
    done, results = scored(tmp_path, *tool_items([RIGHT]), header=header)
    assert results["schema_match"].verdict == "UNDERFED"
    assert "no schema" in results["schema_match"].reason
    assert done.scores["tool_use"] != done.scores["tool_use"]
    assert not done.good


def test_tools_are_the_same_in_the_same_order(tmp_path):
    search, other = CHAIN
    outputs = [json.dumps(one) for one in ([search, other], [other, search], [search], [search, search, other])]
    found = bucket(tmp_path, outputs)["tool_selection"]
    assert (found.successes, found.n) == (1, 4)


def test_arguments_are_counted_one_by_one(tmp_path):
    gold = calls(("search", {"q": "x", "n": 1}), ("open", {"url": "u"}))
    outputs = [
        json.dumps(gold),  # 3 of 3
        json.dumps(calls(("search", {"q": "x", "n": "1"}), ("open", {"url": "u"}))),  # wrong type: 2 of 3
        json.dumps(calls(("search", {"q": "x", "n": True}))),  # true is no 1, and a call is missing: 1 of 3
        json.dumps(calls(("search", {"q": "x", "n": 1.0, "z": 0}), ("open", {"url": "u"}))),  # one invented: 3 of 4
        "no plan",  # 0 of 3
    ]
    found = bucket(tmp_path, outputs, gold)["argument_correctness"]
    assert (found.successes, found.n) == (9, 16)


def test_a_redundant_first_step_shifts_no_argument(tmp_path):
    gold = calls(("open", {"url": "a"}), ("open", {"url": "b"}))
    found = bucket(tmp_path, [json.dumps(calls(("open", {"url": "z"}), *(("open", {"url": u}) for u in "ab")))], gold)
    assert (found["argument_correctness"].successes, found["argument_correctness"].n) == (2, 2)
    assert found["plan_minimality"].value == 1


@pytest.mark.parametrize(("extra", "verdict"), [(1, "met"), (2, "missed")])
def test_one_step_over_gold_is_the_edge(tmp_path, extra, verdict):
    plan = json.dumps([*CHAIN, *calls(*[("search", {"q": "y"})] * extra)])
    found = bucket(tmp_path, [plan, plan])["plan_minimality"]
    assert (found.value, found.n, found.verdict) == (extra, 2, verdict)
    assert found.ratio == pytest.approx(1 - extra / (2 + extra))


def test_short_plans_offset_no_bloated_ones(tmp_path):
    short, bloated = json.dumps(CHAIN[:1]), json.dumps([*CHAIN, *calls(*[("search", {"q": "y"})] * 3)])
    found = bucket(tmp_path, [short, short, bloated, "no plan"])["plan_minimality"]
    assert (found.value, found.n) == (1, 3)
    assert found.ratio == pytest.approx(1 - 3 / (2 + 2 + 5))


@pytest.mark.parametrize(
    ("reference", "resolves"),
    [("s.hits[0]", True), ("1.hits[0]", True), ("step1.hits[0]", True), ("search.hits[0]", True), ("s", True),
     ("s.hits[1]", False), ("s.none", False), ("2.hits[0]", False), ("3", False), ("0.hits[0]", False),
     ("open", False), ("nobody", False)],
)  # fmt: skip
def test_references_resolve_to_earlier_results(tmp_path, reference, resolves):
    answer = [CHAIN[0], {"tool": "open", "arguments": {"url": f"<RESULTS:{reference}>"}}]
    found = bucket(tmp_path, [json.dumps(answer)])
    assert found["chaining_consistency"].successes == resolves
    right = resolves and reference != "s"  # the whole result is another value than its first hit
    assert found["sim_pass"].successes == right
    assert found["argument_correctness"].successes == 1 + right


def test_a_plan_that_should_chain_and_does_not_is_inconsistent(tmp_path):
    hard_coded = [CHAIN[0], {"tool": "open", "arguments": {"url": "u"}}]
    found = bucket(tmp_path, [json.dumps(hard_coded), "no plan", RIGHT])["chaining_consistency"]
    assert (found.successes, found.n) == (1, 3)


def test_steps_count_from_0_where_gold_does(tmp_path):
    gold = [CHAIN[0], {"tool": "open", "arguments": {"url": "<RESULTS:0.hits[0]>"}}]
    found = bucket(tmp_path, [json.dumps(gold)], gold)
    assert found["chaining_consistency"].successes == 1


def test_where_no_tool_is_right_a_call_is_wrong(tmp_path):
    gold = [{"id": name, "bucket": "tool_use", "format": "text"} for name in "abc"]
    answers = [{"id": "a", "output": "It is noon."}, {"id": "b", "output": RIGHT}, {"id": "c", "output": ""}]
    found = scored(tmp_path, gold, answers)[1]
    assert (found["tool_selection"].successes, found["tool_selection"].n) == (1, 3)
    assert found["json_validity"].verdict == "UNDERFED"


def test_a_missing_answer_never_helps(tmp_path):
    gold, answers = tool_items([RIGHT, RIGHT, "wrong", RIGHT])
    whole, fewer = (scored(tmp_path / str(n), gold, answers[:n])[1] for n in (4, 3))
    for metric in ("json_validity", "schema_match", "tool_selection", "chaining_consistency", "sim_pass", "stability"):
        assert fewer[metric].n == whole[metric].n == 4
        assert fewer[metric].successes == whole[metric].successes - 1


@pytest.mark.parametrize(
    "schema, word",
    [({"$ref": "http://127.0.0.1:9/x.json"}, "nothing is fetched"), ({"$ref": "#/$defs/no"}, "does not hold"),
     ({"$ref": "#"}, "without end"), ({"type": 7}, "no JSON Schema"),
     ({"properties": {"q": {"pattern": "("}}}, "no JSON")],
)  # fmt: skip
def test_broken_schemas_are_told(tmp_path, schema, word):
    with pytest.raises(UnreadableError, match=word):
        scored(tmp_path, *tool_items([RIGHT]), header={**HEADER, "tools": {"search": schema, "open": {}}})


def test_a_pattern_that_never_ends_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.evaluation.schemas.PATIENCE_S", 0.05)
    header = {**HEADER, "tools": {"search": {"properties": {"q": {"pattern": "^(a|a)*$"}}}}}
    slow = json.dumps(calls(("search", {"q": "a" * 60 + "b"})))
    done, results = scored(tmp_path, *tool_items([slow, slow], calls(("search", {"q": "a"}))), header=header)
    assert results["schema_match"].successes == 0
    assert any("ran out of time" in note for note in done.notes)
    with pytest.raises(UnreadableError, match="simpler"):
        scored(tmp_path, *tool_items([slow] * 3, calls(("search", {"q": "a"}))), header=header)


@pytest.mark.parametrize(
    "value",
    [{"tool": "a", "arguments": {"x": 1}}, [{"name": "a", "args": {"x": 1}}],
     {"plan": [{"tool": "a", "input": {"x": 1}}]},
     {"tool_calls": [{"type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}}]}],
)  # fmt: skip
def test_plans_of_any_usual_shape(value):
    (call,) = plan_of(value)
    assert (call.tool, call.arguments) == ("a", {"x": 1})


@pytest.mark.parametrize("value", [None, 1, "a", {}, [1], [{"tool": 3}], {"tool": "a", "arguments": "no"}])
def test_what_is_no_plan(value):
    assert plan_of(value) is None


names = st.lists(st.sampled_from("abc"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(names, names)
def test_alignment_keeps_order_and_tools_and_pairs_as_many_as_can_be(one, other):
    mine, gold = (plan_of([{"tool": name} for name in side]) for side in (one, other))
    pairs = align(mine, gold)
    assert all(one[i] == other[j] for i, j in pairs.items())
    assert list(pairs.values()) == sorted(set(pairs.values()))

    def longest(i, j):
        if i == len(one) or j == len(other):
            return 0
        return max(longest(i + 1, j), longest(i, j + 1), (one[i] == other[j]) and 1 + longest(i + 1, j + 1))

    assert len(pairs) == longest(0, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=6,
)


@given(json_values, json_values)
def test_values_are_the_same_where_their_json_is(one, other):
    assert same(one, other) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_an_id_of_a_later_call_means_nothing():
    plan = plan_of([{"tool": "a"}, {"tool": "b", "id": "1"}])
    assert target("1", 1, plan) is None
    assert target("a", 1, plan) == (0, ())

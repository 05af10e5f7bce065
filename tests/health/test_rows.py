import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import astuple

from mens_console.health import lenient
from mens_console.health.attempt import ABSENT, FIELDS, PLACES, Layout
from mens_console.health.lenient import BadLineError, read_line, seconds
from mens_console.health.partial import count
from mens_console.health.rows import LONGEST, SAMPLES, RowReader, join
from mens_console.health.source import AttemptDecoder
from mens_console.health.spelling import OTHER_NAMES
from mens_contracts.attempt import GenerationAttempt

ROW = {
    "ts": "2026-01-31T14:32:01.234Z", "run_id": "25K_1", "persona_id": "p1", "stage": "B", "attempt": 1,
    "status": "success", "latency_ms": 1250, "prompt_tokens": 450, "completion_tokens": 320,
    "repairs": ["trait_leak"], "validator_scores": {"pollyanna": 0.7, "trait_leak": 0},
    "opening_move": "situational_hook", "constraint_categories": ["time_pressure"],
    "anchors_used": ["piața din Cahul", "zacuscă"], "error": None,
}  # fmt: skip


def line(**values):
    return json.dumps({**ROW, **values}, ensure_ascii=False).encode()


def decode(*lines, reader=None):
    return (reader or RowReader()).decode(b"".join(one + b"\n" for one in lines), 0)


def values(row, layout):
    """Return a row by field name, scores by validator, without what is missing."""
    named = dict(zip((*FIELDS, *layout.unknown), astuple(row), strict=True))
    if named["validator_scores"] is not None:
        scores = (
            named["validator_scores"].items()
            if layout.loose
            else zip(layout.validators, astuple(named["validator_scores"]), strict=True)
        )
        named["validator_scores"] = {name: score for name, score in scores if score is not None}
    if isinstance(named["ts"], datetime):
        named["ts"] = seconds(named["ts"])
    for name in ("constraint_categories", "error", *layout.unknown):
        named[name] = (named[name] is not ABSENT and named[name] is not UNSET) or None
    return {name: value for name, value in named.items() if value is not None}


def one(text):
    """Decode one line: typed if it can be, twice, so that all its names were learned."""
    reader = RowReader()
    decode(text, reader=reader)
    block = decode(text, reader=reader)
    return values(block.rows[0], block.layout) if block.rows else None


def loosely(text):
    """Read the same line leniently alone."""
    layout = Layout()
    read = lenient._read_loosely(text)
    layout = layout.learn([read])
    return values(layout.build(read), layout)


texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9)
times = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC) | st.none())
contract_rows = st.fixed_dictionaries(
    {
        "ts": times.map(datetime.isoformat),
        "run_id": texts,
        "persona_id": texts | st.integers(0, 2**50),
        "stage": texts,
        "attempt": st.integers(1, 9),
        "status": st.sampled_from(["success", "fail", "repair"]),
        "latency_ms": st.integers(0, 10**7),
        "prompt_tokens": st.integers(0, 10**6),
        "completion_tokens": st.integers(0, 10**6),
    },
    optional={
        "repairs": st.lists(texts, max_size=3),
        "validator_scores": st.dictionaries(texts, st.floats(0, 1), max_size=4),
        "opening_move": st.none() | texts,
        "constraint_categories": st.lists(texts, max_size=2),
        "anchors_used": st.lists(texts, max_size=3),
        "error": st.none() | texts,
        "model": st.none() | texts,
    },
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
OTHERS = ("duration_ms", "latency_s", "scores", "state", "err", "anchors", "time", "constraints", "run", "repair")
"""Other names of fields."""
FURTHER = {"model", "noise", *OTHERS}
odd_rows = st.dictionaries(st.sampled_from([*FIELDS, *FURTHER]), anything, max_size=12)
near_rows = st.builds(lambda row, odd: {**row, **odd}, contract_rows, odd_rows)


@given(contract_rows, st.booleans())
def test_a_row_that_keeps_the_contract_reads_the_same_typed_leniently_and_by_the_contract(row, escaped):
    text = json.dumps(row, ensure_ascii=escaped).encode()
    typed = one(text)
    assert typed == loosely(text)
    kept = GenerationAttempt.model_validate_json(text)
    for name in (
        "run_id",
        "persona_id",
        "stage",
        "attempt",
        "status",
        "latency_ms",
        "prompt_tokens",
        "completion_tokens",
    ):
        assert typed[name] == getattr(kept, name)
    assert typed.get("opening_move") == kept.opening_move
    assert list(typed.get("repairs", ())) == kept.repairs
    assert list(typed.get("anchors_used", ())) == kept.anchors_used
    assert typed.get("validator_scores", {}) == kept.validator_scores
    at = datetime.fromisoformat(kept.ts)
    assert typed["ts"] == (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@given(near_rows)
def test_what_the_typed_decoder_takes_it_reads_as_the_lenient_one_does(row):
    text = json.dumps(row).encode()
    try:
        loose = loosely(text)
    except BadLineError:
        loose = None
    telling = loose is not None and loose.keys() - {"ts", "run_id", "constraint_categories", "error", *FURTHER}
    assert one(text) == (loose if telling else None)


@given(st.lists(near_rows | odd_rows, max_size=8), st.integers(0, 7))
def test_a_row_gives_the_same_attempt_whatever_was_learned_before(rows, at):
    lines = [json.dumps(row).encode() for row in rows]
    apart = [got for text in lines if (got := one(text)) is not None]
    reader = RowReader()
    blocks = [decode(*part, reader=reader) for part in (lines[:at], lines[at:]) if part]
    assert [values(row, block.layout) for block in blocks for row in block.rows] == apart
    assert sum(block.bad_rows for block in blocks) == len(lines) - len(apart)


def renamed(row):
    """Return a row with every field under the first of its other names."""
    return {OTHER_NAMES[name][0][0] if name in OTHER_NAMES else name: value for name, value in row.items()}


@given(st.lists(contract_rows, min_size=1, max_size=6), st.data())
def test_fields_are_known_by_their_other_names_whatever_was_learned_before(rows, data):
    spelled = [data.draw(st.sampled_from([row, renamed(row)])) for row in rows]
    expected = [one(json.dumps(row).encode()) for row in rows]
    reader = RowReader()
    for _ in range(2):
        block = decode(*(json.dumps(row).encode() for row in spelled), reader=reader)
        read = [values(row, block.layout) for row in block.rows]
        assert [{name: row[name] for name in FIELDS if name in row} for row in read] == [
            {name: row[name] for name in FIELDS if name in row} for row in expected
        ]


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ({"latency_ms": 5, "duration_ms": 7}, 5), ({"latency_ms": None, "duration_ms": 7}, 7),
        ({"latency_ms": "fast", "duration_ms": 7}, 7), ({"elapsed_ms": 9, "duration_ms": 7}, 7),
        ({"elapsed_ms": 9, "duration_ms": None}, 9), ({"latency_s": 1.5}, 1500.0), ({"duration_s": "2"}, 2000.0),
        ({"duration_ms": math.nan, "latency_s": 2}, 2000.0), ({"duration_ms": [7]}, None), ({"latency_MS": 7}, None),
    ],
)  # fmt: skip
def test_the_own_name_goes_first_then_the_others_in_their_order_and_unit(row, read):
    plain = {name: value for name, value in ROW.items() if name != "latency_ms"}
    got = one(json.dumps({**plain, **row}).encode())
    assert got.get("latency_ms") == read


def test_names_that_tell_a_field_are_known_beyond_any_bound_of_further_ones():
    many = json.dumps({**ROW, **{f"n{n}": 1 for n in range(300)}}).encode()
    plain = {name: value for name, value in ROW.items() if name != "latency_ms"}
    reader = RowReader()
    decode(many, reader=reader)
    block = decode(json.dumps({**plain, "duration_ms": 7}).encode(), many, reader=reader)
    assert [row.f6 for row in block.rows] == [7, ROW["latency_ms"]]


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("latency_ms", "1250", 1250), ("latency_ms", " 12.5 ", 12.5), ("latency_ms", "fast", None),
        ("latency_ms", True, None), ("latency_ms", [1250], None), ("latency_ms", math.nan, None),
        ("latency_ms", math.inf, None), ("latency_ms", 10**30, None), ("latency_ms", -5, -5),
        ("latency_ms", "1_000", None), ("latency_ms", "0x10", None), ("latency_ms", 1250.5, 1250.5),
        ("prompt_tokens", 12.0, 12), ("prompt_tokens", 12.5, None), ("prompt_tokens", "12", 12),
        ("persona_id", 7, 7), ("persona_id", 7.5, "7.5"), ("persona_id", {"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
        ("persona_id", True, "true"), ("persona_id", None, None), ("run_id", 25, 25), ("status", 1, None),
        ("repairs", "trait_leak", None), ("repairs", [1, None, "x"], ("1", "x")), ("repairs", {"a": 1}, None),
        ("validator_scores", [], None), ("validator_scores", {"pollyanna": "0.5"}, {"pollyanna": 0.5}),
        ("validator_scores", {"pollyanna": None}, {}), ("validator_scores", {"pollyanna": "high", "x": 1}, {"x": 1.0}),
        ("validator_scores", {"pollyanna": math.nan}, {}), ("validator_scores", {"pollyanna": True}, {}),
        ("opening_move", ["a"], None), ("opening_move", "\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("ts", 1769869921.5, 1769869921.5), ("ts", "1769869921.5", 1769869921.5), ("ts", "yesterday", None),
        ("ts", "2026-01-31 14:32:01", 1769869921.0), ("ts", "2026-01-31T14:32Z", 1769869920.0),
        ("ts", "2026-01-31T16:32:01+02:00", 1769869921.0), ("ts", True, None),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_read_where_that_is_sure_and_not_measured_elsewhere(field, given, read):
    got = one(json.dumps({**ROW, field: given}).encode())
    assert got.get(field) == read
    assert type(got.get(field)) is type(read)
    assert got["status" if field != "status" else "stage"] == ROW["status" if field != "status" else "stage"]


@pytest.mark.parametrize(
    ("number", "second"),
    [
        (1769869921, 1769869921.0), (1769869921234, 1769869921.234), (1769869921234567, 1769869921.234567),
        (1769869921234567890, 1769869921.2345679), (-5, -5.0), (0, 0.0),
    ],
)  # fmt: skip
def test_a_time_as_a_number_is_in_seconds_or_a_fraction_of_them(number, second):
    assert seconds(float(number)) == pytest.approx(second, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[1, 2]", "not an object"), (b"17", "not an object"), (b"null", "not an object"),
        (b'{"status": "success",, }', "not JSON"), (b"Traceback (most recent call last):", "not JSON"),
        (b"\x00\x00\x7fELF\x02", "not JSON"), (b"\x1f\x8b\x08\x00", "name it .gz"),
        ('{"status": "success"}'.encode("utf-16"), "UTF-16"), (b"\0" + '{"status": 1}'.encode("utf-16-le"), "UTF-16"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"{}", "no field"), (b'{"level": "info", "ts": "2026-01-31T14:32:01Z", "error": "x"}', "no field"),
        (b'{"status": 7}', "no field"), (b'{"status": "success"} {"status": "fail"}', "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_attempt_is_counted_with_its_place_and_its_reason(text, why):
    block = decode(line(), b"", text, line())
    assert (len(block.rows), block.lines, block.bad_rows) == (2, 4, 1)
    bad = block.bad[0]
    assert (bad.line, bad.offset) == (2, len(line()) + 2)
    assert why in bad.why
    assert block.offset(1) == len(line()) + 3 + len(text)


def test_a_byte_that_is_no_utf8_costs_a_character_and_not_the_attempt():
    got = one(line(opening_move="plăcintă").replace("ă".encode(), b"\xff"))
    assert got["opening_move"] == "pl\N{REPLACEMENT CHARACTER}cint\N{REPLACEMENT CHARACTER}"
    assert got["latency_ms"] == 1250


def test_samples_of_bad_lines_are_bounded_and_harmless():
    block = decode(*[b"\x1b[31mred" + b"x" * 1000] * (SAMPLES + 9))
    assert block.bad_rows == SAMPLES + 9
    assert len(block.bad) == SAMPLES
    assert all(len(bad.sample) <= 160 and bad.sample.isprintable() for bad in block.bad)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_lines_and_a_byte_order_mark_are_read(end, mark):
    data = mark + b"".join(line(persona_id=str(n)) + end for n in range(5))
    reader = RowReader()
    for _ in range(2):  # the second time all names are known
        block = reader.decode(data, 0)
        assert [values(row, block.layout)["persona_id"] for row in block.rows] == list("01234")
        places = [block.offset(n) for n in range(5)]
        assert [data[place:].lstrip(b"\xef\xbb\xbf").startswith(b'{"ts"') for place in places] == [True] * 5
        assert places == sorted(set(places))


def test_a_byte_order_mark_in_the_middle_is_where_another_log_was_appended():
    marked = b"\xef\xbb\xbf" + line(persona_id="1")
    block = decode(line(persona_id="0"), marked, line(persona_id="2"), b"\xef\xbb\xbfno row")
    assert [values(row, block.layout)["persona_id"] for row in block.rows] == list("012")
    assert block.bad_rows == 1


def test_objects_that_share_a_line_or_span_two_are_no_attempts_in_a_block_either():
    reader = RowReader()
    decode(line(), reader=reader)
    block = decode(line() + b" " + line(), b"", line(), reader=reader)
    assert (len(block.rows), block.bad_rows) == (1, 1)
    torn = line()
    block = decode(torn[:50], torn[50:], line() + line(), reader=reader)
    assert (len(block.rows), block.bad_rows) == (0, 3)


def test_validators_and_fields_that_appear_and_vanish_are_learned_and_unknown_fields_counted():
    lines = [
        line(**({"validator_scores": {f"v{n % 7}": 0.5}} if n % 3 else {"validator_scores": {}})) for n in range(50)
    ]
    lines += [line(model="m", **{"": 1}), line(model=None), line(**{"weird name\n": [1]})]
    block = decode(*lines)
    assert sorted(block.layout.validators) == ["pollyanna", "trait_leak", *(f"v{n}" for n in range(7))]
    assert block.unknown() == {"model": 2, "": 1, "weird name\n": 1}
    assert sum(values(row, block.layout)["validator_scores"].get("v1", 0) for row in block.rows) == pytest.approx(2.5)


def test_any_number_of_validators_and_any_names_of_theirs_are_read():
    odd = {'"quoted"': 0.5, "new\nline": 0.25, "x" * 999: 1.0}
    lines = [line(validator_scores={f"v{n}": 1.0, "pollyanna": 0.25, **odd}) for n in range(600)]
    block = decode(*lines)
    assert block.layout.loose
    assert [values(row, block.layout)["validator_scores"] for row in block.rows] == [
        {f"v{n}": 1.0, "pollyanna": 0.25, **odd} for n in range(600)
    ]
    counted = count(block.rows, block.layout, ("a", 0))
    assert len(counted.scores) == 604
    assert counted.scores["new\nline"].values == [0.25] * 600


def test_unknown_fields_are_counted_by_name_up_to_a_bound():
    block = decode(*[line(**{f"f{n}": 1, "common": n, "x" * 999: 1}) for n in range(600)])
    assert len(block.rows) == 600
    assert len(block.unknown()) <= 512
    assert block.unknown()["common"] == 600
    assert block.layout.full


def test_many_different_words_are_read_as_text():
    block = decode(*[line(opening_move=f"move {n}") for n in range(300)])
    assert [row.f11 for row in block.rows] == [f"move {n}" for n in range(300)]
    assert block.layout.words["opening_move"] is None
    assert block.layout.words["status"] == ("success",)


def test_blocks_of_one_type_become_one_that_knows_its_offsets():
    reader = RowReader()
    first = reader.decode(line() + b"\n", 0)
    start = len(line()) + 1
    second = reader.decode((line() + b"\n") * 3, start)
    third = reader.decode(b"no\n" + line() + b"\n", 4 * start)
    fourth = reader.decode(line(validator_scores={"new": 1}) + b"\n", 5 * start + 3)
    assert first.layout is second.layout is third.layout is not fourth.layout
    joined = join([first, second, third, fourth])
    assert [len(block.rows) for block in joined] == [5, 1]
    assert [joined[0].offset(n) for n in range(5)] == [0, start, 2 * start, 3 * start, 4 * start + 3]


def test_a_line_longer_than_any_attempt_is_given_up_and_reading_goes_on():
    decoder = AttemptDecoder()
    used, batch = decoder.feed(b"x" * (LONGEST - 1), 0.0)
    assert used == 0 == batch.bad_rows
    used, batch = decoder.feed(b"x" * LONGEST, 0.0)
    assert (used, batch.bad_rows, batch.block.bad[0].offset) == (LONGEST, 1, 0)
    assert "longer than 64 MiB" in batch.block.bad[0].why
    assert decoder.feed(b"yy", 0.0)[0] == 2
    used, batch = decoder.feed(b"zz\n" + line() + b"\n" + b"bad\n", 0.0)
    assert (batch.rows, batch.bad_rows, batch.block.bad[0].line) == (1, 1, 2)
    assert batch.block.offset(0) == LONGEST + 2 + 3
    assert batch.block.bad[0].offset == LONGEST + 2 + 3 + len(line()) + 1


def test_a_line_is_read_by_the_typed_decoder_where_only_its_names_are_new():
    assert read_line(line(model=1))["validator_scores"] == ROW["validator_scores"]
    assert PLACES["status"] == 5

import json
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.formats.support import read

from mens_console.ingest.formats.protobuf import fields, masked_crc32c, signed, tensor_scalar, tensor_text, varint
from mens_console.ingest.formats.tfevents import MAX_RECORD, TfeventsDecoder, claims


def encode(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(*parts):
    out = b""
    for number, value in parts:
        if isinstance(value, int):
            out += encode(number << 3) + encode(value)
        elif isinstance(value, float):
            out += encode(number << 3 | 1) + struct.pack("<d", value)
        else:
            out += encode(number << 3 | 2) + encode(len(value)) + value
    return out


def record(data):
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def simple(tag, value):
    return message((1, tag.encode())) + b"\x15" + struct.pack("<f", value)


def event(step, *values, wall=1.7e9):
    summary = message(*((1, value) for value in values))
    return record(message((1, wall), *([(2, step)] if step else []), (5, summary)))


def tensor(tag, proto):
    return message((1, tag.encode()), (8, proto))


VERSION = record(message((1, 1.7e9), (3, b"brain.Event:2")))


def decode(*records, **options):
    return read(VERSION + b"".join(records), TfeventsDecoder(), **options)


def test_crc32c_known_answers():
    # RFC 3720, appendix B.4
    def unmasked(data):
        crc = (masked_crc32c(data) - 0xA282EAD8) & 0xFFFFFFFF
        return (crc >> 17 | crc << 15) & 0xFFFFFFFF

    assert unmasked(bytes(32)) == 0x8A9136AA
    assert unmasked(b"\xff" * 32) == 0x62A8AB43
    assert unmasked(bytes(range(32))) == 0x46DD794E


def test_scalars_share_rows():
    records = [
        event(step, simple(tag, value), wall=1.7e9 + step + place / 8)
        for step in range(300)
        for place, (tag, value) in enumerate([("train/loss", 2.5), ("train/learning_rate", 0.25), ("eval/loss", 3.0)])
    ]
    got = decode(*records)
    assert got.series("loss") == [(step, 2.5) for step in range(300)]
    assert got.series("eval_loss") == [(step, 3.0) for step in range(300)]
    assert got.walls["learning_rate", None] == [1.7e9 + step for step in range(300)]
    assert (got.rows, got.bad_rows, len(got.columns)) == (300, 0, 1)


def test_steps_that_repeat_or_go_back_are_kept():
    got = decode(*(event(step, simple("loss", step)) for step in (5, 6, 6, 5)))
    assert got.series("loss") == [(5, 5.0), (6, 6.0), (6, 6.0), (5, 5.0)]
    assert got.rows == 4


def test_large_steps_and_non_finite_values():
    got = decode(
        *(event(step, simple("x", value)) for step, value in [(300, math.nan), (2**40, math.inf), (2**63 - 1, 1)])
    )
    assert got.series("x") == [(300, "nan"), (2**40, math.inf), (2**63 - 1, 1.0)]


def test_negative_steps_are_bad_rows():
    got = decode(event(1, simple("x", 1)), event(-4, simple("x", 1)), event(2, simple("x", 2)))
    assert (got.series("x"), got.bad_rows) == ([(1, 1.0), (2, 2.0)], 1)


@pytest.mark.parametrize(
    ("proto", "value"),
    [
        (message((1, 1), (4, struct.pack("<f", 1.5))), 1.5),
        (message((1, 2), (4, struct.pack("<d", 1.1))), 1.1),
        (message((1, 1)) + b"\x2d" + struct.pack("<f", 2.5), 2.5),
        (message((1, 1), (5, struct.pack("<f", 2.5))), 2.5),
        (message((1, 2), (6, 3.25)), 3.25),
        (message((1, 3), (7, 7)), 7.0),
        (message((1, 3), (7, encode(-7))), -7.0),
        (message((1, 9), (10, -9)), -9.0),
        (message((1, 19), (13, encode(0x3E00))), 1.5),
        (message((1, 19), (4, struct.pack("<e", 0.5))), 0.5),
        (message((1, 23), (17, 12)), 12.0),
        (message((1, 1), (4, struct.pack("<ff", 1, 2))), None),
        (message((1, 1), (5, struct.pack("<ff", 1, 2))), None),
        (message((1, 3), (7, encode(1) + encode(2))), None),
        (message((1, 7), (8, b"text")), None),
        (message((1, 1), (2, b"")), None),
    ],
)
def test_tensors(proto, value):
    assert tensor_scalar(proto) == value
    got = decode(event(4, tensor("t", proto)))
    assert got.series("t") == ([] if value is None else [(4, value)])


def test_settings_from_text():
    text = json.dumps({"lr": 1e-4, "nested": {"a": "b"}, "none": None}).encode()
    got = decode(event(0, tensor("args/text_summary", message((1, 7), (8, text)))))
    assert got.fact("config") == [{"args/lr": "0.0001", "args/nested/a": "b"}]
    for other in (b"# markdown", b"{torn"):
        assert decode(event(0, tensor("note/text_summary", message((1, 7), (8, other))))).facts == []
    assert tensor_text(message((1, 1))) is None


def test_a_damaged_length_stops_with_one_bad_row():
    good = event(1, simple("x", 1))
    broken = bytearray(event(2, simple("x", 2)))
    broken[7] = 0x10
    got = decode(good, bytes(broken), event(3, simple("x", 3)))
    assert (got.series("x"), got.bad_rows) == ([(1, 1.0)], 1)
    assert "length" in got.bad[0][2]
    assert got.consumed == len(VERSION + good + broken) + len(event(3, simple("x", 3)))


def test_damaged_data_costs_one_record():
    broken = bytearray(event(2, simple("fresh", 2)))
    broken[14] ^= 1
    got = decode(event(1, simple("x", 1)), bytes(broken), record(b"\x0f\x0f\x0f"), event(3, simple("x", 3)))
    assert (got.values("x"), got.bad_rows) == ([1.0, 3.0], 2)
    assert "checksum" in got.bad[0][2]
    assert "not an event" in got.bad[1][2]


def test_a_cut_tail_waits_and_is_bad_only_at_the_end():
    data = VERSION + event(1, simple("x", 1))[:-3]
    assert read(data, TfeventsDecoder(), final=False).bad_rows == 0
    assert read(data, TfeventsDecoder()).bad_rows == 1


def test_large_records_are_stepped_over_in_pieces():
    image = record(message((1, 1.7e9), (5, b"\x00" * (2 * MAX_RECORD))))
    data = VERSION + event(1, simple("x", 1)) + image + event(2, simple("x", 2))
    pieces = read(data, TfeventsDecoder(), cuts=range(0, len(data), 100_000))
    assert pieces.values("x") == [1.0, 2.0]
    assert pieces.same() == read(data, TfeventsDecoder()).same()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (VERSION, True),
        (VERSION[:12], True),
        (VERSION[:11], False),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n", False),
        (b"\x1f\x8b" + bytes(100), False),
        (b"", False),
    ],
)
def test_claims(head, expected):
    assert claims("events.out.tfevents.1.host", head) is expected


def test_wire_errors():
    with pytest.raises(ValueError, match="varint"):
        varint(b"\xff\xff", 0)
    with pytest.raises(ValueError, match="longer"):
        list(fields(b"\x0a\x7f"))
    with pytest.raises(ValueError, match="wire type"):
        list(fields(b"\x0b"))
    assert signed((1 << 64) - 2) == -2


steps = st.one_of(st.integers(0, 300), st.integers(0, 2**63 - 1))
scalars = st.tuples(steps, st.sampled_from(["loss", "train/lr", "a/b", "eval/loss"]), st.floats(width=32))


@settings(max_examples=80, deadline=None)
@given(st.lists(scalars, max_size=40), st.lists(st.integers(0, 3000), max_size=12))
def test_cutting_the_bytes_changes_nothing(points, cuts):
    data = VERSION + b"".join(
        event(step, simple(tag, value), wall=1.7e9 + at) for at, (step, tag, value) in enumerate(points)
    )
    got = read(data, TfeventsDecoder(), cuts=cuts)
    assert got.same() == read(data, TfeventsDecoder()).same()
    names = {"loss": "loss", "train/lr": "learning_rate", "a/b": "a/b", "eval/loss": "eval_loss"}
    for tag, name in names.items():
        assert got.series(name) == [(s, "nan" if math.isnan(v) else v) for s, t, v in points if t == tag]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_junk_never_crashes(junk):
    read(VERSION + junk, TfeventsDecoder())
    read(VERSION + record(junk), TfeventsDecoder())


@pytest.mark.parametrize("length", [2**31, 2**62, 2**64 - 17])
def test_a_length_that_nobody_means_is_not_waited_for(length):
    header = struct.pack("<Q", length)
    monster = header + struct.pack("<I", masked_crc32c(header))
    got = read(event(1, simple("loss", 2.0)) + monster + b"x" * 50, TfeventsDecoder())
    assert got.series("loss") == [(1, 2.0)]
    assert got.bad_rows == 1


def test_a_large_record_that_never_came_whole_is_cut():
    header = struct.pack("<Q", 5 << 20)
    data = event(1, simple("loss", 2.0)) + header + struct.pack("<I", masked_crc32c(header)) + b"x" * 50
    assert read(data, TfeventsDecoder(), final=True).bad_rows == 1

"""The little of protobuf and TFRecord that event files need: framing checks, wire fields, scalar tensors.

Knows the wire and no meaning: no tags, no runs.
Wire format: protobuf.dev/programming-guides/encoding; CRC-32C with TFRecord's mask: tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLYNOMIAL: Final = 0x82F63B78
"""CRC-32C (Castagnoli), reflected."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE: Final = _crc_table()

# DataType → (struct code, field of the typed values); bfloat16 and strings are left out.
_TENSOR: Final = {
    1: ("f", 5),
    2: ("d", 6),
    3: ("i", 7),
    4: ("B", 7),
    5: ("h", 7),
    6: ("b", 7),
    9: ("q", 10),
    17: ("H", 7),
    19: ("e", 13),
    22: ("I", 16),
    23: ("Q", 17),
}
_STRING: Final = 7


def masked_crc32c(data: bytes) -> int:
    """Return TFRecord's masked CRC-32C of `data`; about 0.1 µs a byte, so meant for headers and single records."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned varint at `at` and the place after it; ValueError when it is cut or too long."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a varint is cut or too long")


def signed(value: int) -> int:
    """Return an unsigned 64-bit varint read as the int64 it encodes."""
    return value - (1 << 64) if value >= 1 << 63 else value


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (number, wire type, value) of each field; varints as int, everything else as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = varint(data, at)
            yield key >> 3, wire, value
            continue
        if wire == 2:
            size, at = varint(data, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > end:
            raise ValueError("a field is longer than its message")
        yield key >> 3, wire, data[at : at + size]
        at += size


def tensor_scalar(data: bytes) -> float | None:
    """Return the one number of a TensorProto, None when it holds none or several."""
    dtype, content, typed = 0, b"", list[tuple[int, int, int | bytes]]()
    for number, wire, value in fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number >= 5:
            typed.append((number, wire, value))
    code, field = _TENSOR.get(dtype, ("", 0))
    if not code:
        return None
    if content:
        return float(struct.unpack(f"<{code}", content)[0]) if len(content) == struct.calcsize(code) else None
    values = [(wire, value) for number, wire, value in typed if number == field]
    return _typed_scalar(code, *values[0]) if len(values) == 1 else None


def _typed_scalar(code: str, wire: int, value: int | bytes) -> float | None:
    if code in "fd":
        if not isinstance(value, bytes) or len(value) != struct.calcsize(code):
            return None
        return float(struct.unpack(f"<{code}", value)[0])
    if isinstance(value, bytes):
        packed, end = varint(value, 0)
        if end != len(value):
            return None
        value = packed
    if wire not in {0, 2}:
        return None
    if code == "e":
        return float(struct.unpack("<e", struct.pack("<H", value & 0xFFFF))[0])
    return float(signed(value) if code in "bhiq" else value)


def tensor_text(data: bytes) -> str | None:
    """Return the one string of a TensorProto, None when it holds none or several."""
    parts = list(fields(data))
    texts = [value for number, _, value in parts if number == 8 and isinstance(value, bytes)]
    is_string = any(number == 1 and value == _STRING for number, _, value in parts)
    return texts[0].decode("utf-8", "replace") if is_string and len(texts) == 1 else None

"""A decoder whose state was carried over reads on as if nothing had happened."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.ingest.formats import FORMATS

from .support import Read

JSONL = b"\xef\xbb\xbf" + b"".join(
    json.dumps(row).encode() + b"\n"
    for row in [
        *({"step": s, "loss": 3.0 / (s + 1), "total_steps": 90} for s in range(20)),
        {"eval_loss": 1.5},
        {"note": "x" * 2000},
        *({"step": s, "loss": float(s)} for s in range(20, 30)),
    ]
)
CSV = b"step,loss,epoch\n" + b"".join(b"%d,%d.5,\n" % (s, s) for s in range(40))
STEPLESS = b"".join(b'{"loss": %d.25}\n' % s for s in range(30))
LOG = (
    b"hello\n***** Running training *****\n  Total optimization steps = 90\n"
    b"Traceback (most recent call last):\n  File x, line 1\n    boom()\n"
    b"RuntimeError: CUDA error: device-side assert triggered\n" + b"calm\n" * 30 + b"Killed\n"
)


@pytest.mark.parametrize(("name", "data"), [("jsonl", JSONL), ("csv", CSV), ("jsonl", STEPLESS), ("log", LOG)])
@given(cut=st.integers(0, 2500))
@settings(max_examples=40, deadline=None)
def test_state_survives_the_process(name: str, data: bytes, cut: int) -> None:
    make = next(f for f in FORMATS if f.name == name).decoder
    whole = Read()
    whole.add(make().feed(data, 7.0)[1])
    first, parts = make(), Read()
    consumed, batch = first.feed(data[:cut], 7.0)
    parts.add(batch)
    second = make()
    second.restore(json.loads(json.dumps(first.state())))
    parts.add(second.feed(data[consumed:], 7.0)[1])
    assert parts.same() == whole.same()

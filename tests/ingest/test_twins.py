"""Packed copies beside their originals."""

import gzip

import pytest

from mens_console.ingest.twins import packed_copies

ROWS = b"".join(b'{"row": %d, "text": "%s"}\n' % (i, b"x" * 90) for i in range(3000))


@pytest.fixture
def pair(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(ROWS)
    packed.write_bytes(gzip.compress(ROWS))
    return plain, packed


def test_a_copy_is_known_by_what_it_unpacks_to(pair):
    plain, packed = pair
    assert packed_copies([plain, packed]) == {packed: plain}
    assert packed_copies([packed]) == {}, "alone it is the log"
    packed.write_bytes(gzip.compress(ROWS[::-1]))
    assert packed_copies([plain, packed]) == {}


def test_a_copy_that_is_still_made_or_of_a_log_that_grew_is_one_too(pair):
    plain, packed = pair
    packed.write_bytes(gzip.compress(ROWS)[:900])
    assert packed_copies([plain, packed]) == {packed: plain}
    packed.write_bytes(gzip.compress(ROWS[: len(ROWS) // 2]))
    assert packed_copies([plain, packed]) == {packed: plain}


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"no gzip at all"])
def test_what_cannot_be_read_is_no_copy(pair, content):
    plain, packed = pair
    packed.write_bytes(content)
    assert packed_copies([plain, packed]) == {}
    packed.unlink()
    assert packed_copies([plain, packed]) == {}


def test_the_torn_beginning_of_a_new_log_makes_no_copy_of_the_old_one(pair):
    plain, packed = pair
    plain.write_bytes(ROWS[:10])
    assert packed_copies([plain, packed]) == {}

import errno
import json
import math
import os
from array import array

import pytest
from ingest.lines import LINES

from mens_console.ingest import document as document_module
from mens_console.ingest.document import DocumentTail, open_tail
from mens_console.ingest.formats.base import Format
from mens_console.ingest.records import BadLine, Batch, Columns
from mens_console.ingest.safeopen import FdCache
from mens_console.ingest.tail import Tail


class Whole:
    def __init__(self, *, replace=True):
        self.replace = replace

    def feed(self, data, at, *, final=False):
        try:
            step = json.loads(data)["step"]
        except ValueError:
            bad = [BadLine(1, 0, "not JSON", "")]
            return (len(data), Batch(bad=bad, bad_rows=1)) if final else (0, Batch())
        column = Columns(("loss",), array("q", [step]), array("d", [at]), (array("d", [0.5]),))
        return len(data), Batch([column], rows=1, replace=self.replace)


STATE = Format("state", 20, lambda *_: True, Whole, document=True)
SAMPLED = Format("sampled", 50, lambda *_: True, lambda: Whole(replace=False), document=True)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "trainer_state.json"


def put(file, text):
    fresh = file.with_name("fresh")
    fresh.write_text(text)
    os.replace(fresh, file)


def read(tail, now, **options):
    chunk = tail.poll(now, **options)
    return None if chunk is None else [(c.steps[0], c.walls[0]) for c in chunk.batch.columns]


def test_open_tail_chooses_by_format(file):
    assert isinstance(open_tail(str(file), STATE, FdCache()), DocumentTail)
    assert isinstance(open_tail(str(file), LINES, FdCache(), follow=True), Tail)


def test_read_again_only_when_it_changed(file):
    put(file, '{"step": 1}')
    tail = DocumentTail(str(file), STATE)
    assert read(tail, 1.0)[0][0] == 1
    assert read(tail, 2.0) is None
    put(file, '{"step": 2}')
    chunk = tail.poll(3.0)
    assert chunk.batch.replace
    assert not chunk.restarted
    assert tail.done == tail.size == 11
    assert not tail.more
    assert tail.save() is None
    tail.close()


def test_a_whole_history_never_gets_arrival_times_a_sample_does(file):
    for format, expected in ((STATE, math.nan), (SAMPLED, 77.0)):
        put(file, '{"step": 1}')
        tail = DocumentTail(str(file), format)
        assert math.isnan(read(tail, 1.0)[0][1])
        put(file, '{"step": 2}')
        os.utime(file, (77, 77))
        assert str(read(tail, 80.0)[0][1]) == str(expected)


def test_torn_document_is_tried_again_and_at_last_counted(file):
    put(file, '{"step": 1}')
    tail = DocumentTail(str(file), STATE)
    tail.poll(1.0)
    put(file, '{"st')
    assert tail.poll(2.0) is None
    assert tail.poll(2.1) is None
    put(file, '{"step": 3}')
    assert read(tail, 2.15)[0][0] == 3
    put(file, '{"st')
    polls = [tail.poll(3.0 + tick / 10) for tick in range(40)]
    assert [chunk.batch.bad_rows for chunk in polls if chunk] == [1]
    assert polls.index(next(filter(None, polls))) >= 20
    assert "cut off" in tail.problem
    put(file, '{"step": 4}')
    assert read(tail, 8.0)[0][0] == 4
    assert tail.problem is None


def test_final_counts_a_torn_document_at_once(file):
    put(file, '{"st')
    tail = DocumentTail(str(file), STATE)
    assert tail.poll(1.0, final=True).batch.bad_rows == 1
    assert tail.poll(2.0, final=True) is None


def test_empty_document_waits(file):
    put(file, "")
    tail = DocumentTail(str(file), STATE)
    assert tail.poll(1.0, final=True) is None
    put(file, '{"step": 1}')
    assert read(tail, 1.1)[0][0] == 1


def test_too_large(file, monkeypatch):
    monkeypatch.setattr(document_module, "MAX_DOCUMENT", 4)
    put(file, '{"step": 1}')
    tail = DocumentTail(str(file), STATE)
    assert tail.poll(1.0) is None
    assert "read up to" in tail.problem


def test_gone_and_back(file):
    tail = DocumentTail(str(file), STATE)
    assert tail.poll(1.0) is None
    assert "gone" in tail.problem
    put(file, '{"step": 1}')
    assert tail.poll(1.1) is None
    assert read(tail, 2.0)[0][0] == 1
    assert tail.problem is None


def test_pipe_and_refusal(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "status.json")
    tail = DocumentTail(str(tmp_path / "status.json"), STATE)
    assert tail.poll(1.0) is None
    assert "not a regular file" in tail.problem

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "no")

    put(tmp_path / "a.json", "{}")
    monkeypatch.setattr(document_module, "open_regular", refuse)
    tail = DocumentTail(str(tmp_path / "a.json"), STATE)
    assert tail.poll(1.0) is None
    assert "chmod" in tail.problem

import io
import math
import os
import signal
import subprocess
import sys
import threading
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.lines import LINES, STATELESS, Folded, rows

from mens_console.ingest import backlog as backlog_module
from mens_console.ingest.backlog import BacklogReader, main, preview, stream, suits
from mens_console.ingest.formats.base import Format
from mens_console.ingest.frames import pack, pack_chunk, read_frame, unpack_chunk
from mens_console.ingest.records import BadLine, Batch, Columns, Fact
from mens_console.ingest.safeopen import FdCache
from mens_console.ingest.tail import Chunk, Tail
from mens_console.signals.system import SystemSample

TESTS = str(Path(__file__).parents[1])
CHILD = (
    sys.executable,
    "-P",
    "-c",
    f"import sys; sys.path.insert(0, {TESTS!r})\n"
    "from ingest.lines import LINES, STATELESS\n"
    "from mens_console.ingest.backlog import main\n"
    "sys.exit(main(sys.argv[1:], [LINES, STATELESS], sys.stdout.buffer))",
)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "metrics.jsonl"


def child(path, code=None, **options):
    command = CHILD if code is None else (sys.executable, "-c", code)
    return BacklogReader(str(path), LINES, command=command, **options)


def collect(reader, ready):
    seen = Folded()
    while not reader.finished:
        ready.wait(10)
        ready.clear()
        for chunk in reader.poll():
            seen.add(chunk)
    return seen


def read(path, code=None):
    ready = threading.Event()
    reader = child(path, code, on_ready=ready.set)
    reader._thread.join(0)
    seen = collect(reader, ready)
    return reader, seen


# ---------------------------------------------------------------- frames

texts = st.text(st.characters(codec=None), max_size=8)
numbers = st.floats(width=64)


@st.composite
def chunks(draw):
    columns = []
    for _ in range(draw(st.integers(0, 3))):
        names = tuple(draw(st.lists(texts, max_size=3)))
        count = draw(st.integers(0, 4))
        steps = array("q", draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count)))
        cells = st.lists(numbers, min_size=count, max_size=count).map(lambda v: array("d", v))
        columns.append(
            Columns(names, steps, draw(cells), tuple(draw(cells) for _ in names), draw(st.none() | st.just(3)))
        )
    values = st.none() | st.integers() | numbers | texts | st.dictionaries(texts, texts, max_size=2)
    facts = draw(st.lists(st.builds(Fact, texts, values, st.none() | st.integers(), numbers, texts), max_size=3))
    bad = draw(st.lists(st.builds(BadLine, st.integers(), st.integers(), texts, texts), max_size=2))
    flags = [draw(st.booleans()) for _ in range(3)]
    figures = st.dictionaries(texts, numbers.filter(math.isfinite), max_size=2)
    slowed = st.dictionaries(texts, st.lists(texts, max_size=2).map(tuple), max_size=2)
    samples = draw(st.lists(st.builds(SystemSample, st.integers(0), numbers, figures, slowed), max_size=2))
    batch = Batch(columns, facts, bad, 7, 2, draw(st.booleans()), system=samples, heard=draw(numbers))
    return Chunk(batch, 5, 99, *flags)


@given(st.lists(chunks(), max_size=3))
def test_frames_keep_everything(sent):
    pipe = io.BytesIO(b"".join(map(pack_chunk, sent)))
    got = []
    while (frame := read_frame(pipe.read)) is not None:
        got.append(unpack_chunk(*frame))
    assert repr(got) == repr(sent)
    assert all(c.steps.typecode == "q" for chunk in got for c in chunk.batch.columns)


def test_broken_frames_are_refused():
    whole = pack({"size": 1}, b"12345678")
    for cut in range(1, len(whole)):
        with pytest.raises(ValueError, match="ends inside"):
            read_frame(io.BytesIO(whole[:cut]).read)
    with pytest.raises(ValueError, match="impossible"):
        read_frame(io.BytesIO(b"\xff" * 8).read)
    with pytest.raises(TypeError):
        read_frame(io.BytesIO(pack([])).read)
    short = Chunk(Batch([Columns(("loss",), array("q", [1]), array("d", [1]), (array("d", [1]),))]), 0, 1)
    header, cells = read_frame(io.BytesIO(pack_chunk(short)).read)
    with pytest.raises(ValueError, match="shorter"):
        unpack_chunk(header, cells[:-8])


# ---------------------------------------------------------------- the child


def test_stream_tells_size_chunks_and_place(log):
    log.write_bytes(rows(*range(1000)) + b"torn")
    out = io.BytesIO()
    stream(Tail(str(log), LINES), out.write)
    out.seek(0)
    frames = []
    while (frame := read_frame(out.read)) is not None:
        frames.append(frame)
    assert frames[0][0] == {"size": log.stat().st_size}
    assert frames[-1][0]["problem"] is None
    chunk = unpack_chunk(*frames[1])
    assert len(chunk.batch.columns[0]) == 1000
    assert math.isnan(chunk.batch.columns[0].walls[0])
    tail = Tail(str(log), LINES)
    tail.load(frames[-1][0]["place"])
    assert tail.done == log.stat().st_size - 4


def test_main_survives_a_reader_that_left(log):
    log.write_bytes(rows(1))
    out = io.BytesIO()
    assert main([str(log), "lines", "stay"], [STATELESS, LINES], out) == 0
    assert out.tell() > 0

    class Gone:
        def write(self, data):
            raise BrokenPipeError

    assert main([str(log), "lines", "stay"], [LINES], Gone()) == 1


def test_history_in_a_child_then_live_in_the_parent(log):
    log.write_bytes(rows(*range(200_000)) + b"junk\n" + b"200000,0.")
    reader, seen = read(log)
    assert reader.problem is None
    assert reader.progress > 0.99
    assert seen.steps == list(range(200_000))
    tail = reader.hand_over(FdCache())
    with log.open("ab") as file:
        file.write(b"5\nmore junk\n")
    chunk = tail.poll(50.0)
    assert chunk.batch.bad[0].line == 200_003
    seen.add(chunk)
    assert seen.steps == list(range(200_001))
    assert seen.walls[-1] == 50.0
    assert (seen.restarts, seen.bad) == (0, 2)
    reader.close()


def test_file_replaced_while_the_child_read_restarts(log):
    log.write_bytes(rows(*range(1000)))
    reader, seen = read(log)
    log.write_bytes(rows(7))
    assert seen.drain(reader.hand_over(FdCache())) == [7]
    assert seen.restarts == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('it broke')", "it broke"),
        ("import os; os._exit(3)", "3"),
        ("import sys; sys.stdout.write('nonsense, at length')", "nonsense"),
        ("import os; os.kill(os.getpid(), 9)", "-9"),
    ],
)
def test_a_child_that_fails_is_read_again_here(log, code, words):
    log.write_bytes(rows(1, 2))
    reader, seen = read(log, code)
    assert words in reader.problem
    assert str(log) in reader.problem
    assert seen.drain(reader.hand_over(FdCache())) == [1, 2]
    assert seen.restarts == 1


def test_unreadable_file_is_a_problem(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    reader, seen = read(tmp_path / "metrics.jsonl")
    assert "not a regular file" in reader.problem
    assert seen.steps == []
    assert reader.progress == 0.0


def test_the_child_waits_for_a_slow_reader_and_ends_when_closed(log, monkeypatch):
    monkeypatch.setattr(backlog_module, "_WAITING", 2)
    log.write_bytes(rows(*range(3_000_00)) * 4)
    ready = threading.Event()
    reader = child(log, on_ready=ready.set)
    assert ready.wait(20)
    first = reader.poll(1)
    assert first[0].start == 0
    assert reader._chunks.qsize() <= 2
    reader.close()
    assert reader._child.poll() is not None
    assert not Path(f"/proc/{reader.pid}/task").exists() or sys.platform != "linux"
    while not reader.finished:
        reader.poll()
    assert reader.problem is None


def test_a_killed_console_leaves_no_child(log):
    log.write_bytes(rows(*range(300_000)) * 6)
    code = (
        f"import sys, time; sys.path.insert(0, {TESTS!r})\n"
        "from ingest.test_backlog import CHILD, LINES, BacklogReader\n"
        f"reader = BacklogReader({str(log)!r}, LINES, command=CHILD)\n"
        "print(reader.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    console = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(console.stdout.readline())
    console.send_signal(signal.SIGKILL)
    console.wait()
    console.stdin.close()
    console.stdout.close()
    waited = threading.Event()
    for _ in range(500):
        if not alive(pid):
            break
        waited.wait(0.02)
    assert not alive(pid)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_the_real_command_imports_nothing_from_where_it_stands(tmp_path, monkeypatch):
    (tmp_path / "orjson.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET_TOKEN", "x")
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 0.5}\n')
    ready = threading.Event()
    named = Format("jsonl", 10, LINES.claims, LINES.decoder)
    reader = BacklogReader(str(tmp_path / "metrics.jsonl"), named, on_ready=ready.set)
    assert collect(reader, ready).steps == [1]
    assert reader.size == 25


def test_suits_long_histories_of_decoders_with_a_state():
    document = Format("d", 1, LINES.claims, LINES.decoder, document=True)
    assert suits(LINES, 1 << 30)
    assert not suits(LINES, 1 << 10)
    assert not suits(STATELESS, 1 << 30)
    assert not suits(document, 1 << 30)


# ---------------------------------------------------------------- preview


def test_preview_shows_the_last_whole_lines(log):
    log.write_bytes(rows(*range(1000)) + b"1000,0.")
    batch = preview(str(log), LINES, span=100)
    assert batch.columns[0].steps[-1] == 999
    assert 10 <= len(batch.columns[0]) <= 20
    assert math.isnan(batch.columns[0].walls[0])
    assert batch.bad_rows == 0
    log.write_bytes(rows(1, 2))
    assert preview(str(log), LINES).columns[0].steps.tolist() == [1, 2]


def test_preview_gives_csv_its_header(log):
    fed = []

    class Keeper:
        def feed(self, data, at, *, final=False):
            fed.append(data)
            return len(data), Batch()

    log.write_bytes(b"step,loss\n" + rows(*range(100)))
    preview(str(log), Format("csv", 30, LINES.claims, Keeper), span=20)
    assert fed == [b"step,loss\n98,0.5\n99,0.5\n"]


def test_preview_declines(log, tmp_path, monkeypatch):
    assert preview(str(log), LINES) is None
    log.write_bytes(b"\0binary\n")
    assert preview(str(log), LINES) is None
    log.write_bytes(b"1" * 1000)
    assert preview(str(log), LINES, span=100) is None
    assert preview(str(log), Format("d", 1, LINES.claims, LINES.decoder, document=True)) is None

    def broken(*_):
        raise OSError

    monkeypatch.setattr(backlog_module, "read_at", broken)
    assert preview(str(log), LINES) is None

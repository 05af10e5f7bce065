import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.formats.support import read

from mens_console.ingest.formats.log import LogDecoder, claims

TRACE = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    main()\n'


def decode(text, **options):
    return read(text.encode() if isinstance(text, str) else text, LogDecoder(), **options)


def errors(text):
    return [(fact[1], fact[3]) for fact in decode(text).facts if fact[0] == "error"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "oom"),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.batch", "oom"),
        ("Out of memory: Killed process 4121 (python)", "oom"),
        ("RuntimeError: MPS backend out of memory", "oom"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("torch.distributed.DistBackendError: NCCL error in: x.cpp:1", "device"),
        ("RuntimeError: CUDA error: device-side assert triggered", "device"),
        ("Killed", "killed"),
        ("run.sh: line 3: 12345 Killed                  python train.py", "killed"),
        ("  exitcode  : -9 (pid: 12)", "killed"),
    ],
)
def test_kinds_of_end(line, kind):
    assert errors(f"start\n{line}\n") == [(line.strip(), kind)]


def test_a_traceback_ends_with_its_exception():
    assert errors(TRACE + "ValueError: bad \x1b[2J shape\n") == [("ValueError: bad ␛[2J shape", "traceback")]
    assert errors(TRACE + "OSError: [Errno 28] No space left on device\n") == [
        ("OSError: [Errno 28] No space left on device", "disk")
    ]
    assert errors(f"[rank0]: {TRACE}".replace("\n  ", "\n[rank0]:   ") + "[rank0]: KeyError: 'x'\n") == [
        ("KeyError: 'x'", "traceback")
    ]
    chained = TRACE + "KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n" + TRACE
    assert [text for text, _ in errors(chained + "ValueError: 2\n")] == ["KeyError: 1", "ValueError: 2"]


def test_tracebacks_that_end_nothing():
    assert errors("Exception ignored in: <function f>\n" + TRACE + "ValueError: x\n") == []
    assert errors("2026-01-01 ERROR upload failed\n" + TRACE + "ConnectionError: x\n") == []
    assert errors(TRACE + "KeyboardInterrupt\n") == []
    assert errors("hint: see Traceback docs\nWARNING: nothing\n") == []


def test_an_error_repeated_is_one():
    assert len(errors("Killed\n" * 1000)) == 1


def test_phases_checkpoints_and_totals():
    got = decode(
        "***** Running training *****\n  Num Epochs = 3\n  Total optimization steps = 1,234\n"
        "Saving model checkpoint to /out/checkpoint-500\n***** Running Evaluation *****\nTraining completed. Bye\n"
    )
    assert got.fact("phase") == ["training", "saving", "evaluating"]
    assert got.fact("total_epochs") == [3.0]
    assert got.fact("total_steps") == [1234]
    assert [fact for fact in got.facts if fact[0] == "checkpoint"] == [("checkpoint", "/out/checkpoint-500", 500, "")]
    assert got.fact("finished") == ["Training completed"]
    assert (got.rows, got.columns) == (0, [])


def test_torn_tails_wait_and_long_lines_are_no_errors():
    assert decode("Kil", final=False).facts == []
    assert errors("Killed") == [("Killed", "killed")]
    got = decode(b"x" * (3 << 20) + b"\nKilled\n")
    assert (got.bad_rows, len(got.facts)) == (0, 1)


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("train.log", b"hello\n", True),
        ("slurm-123.out", b"hello\n", True),
        ("stderr", b"\x1b[31mred\x1b[0m\n", True),
        ("nohup.out", b"x", True),
        ("job.log", b"8-bit text\r\n" * 90 + "then UTF-16\r\n".encode("utf-16-le") * 50, True),
        ("app.jsonl", b'{"level": "info", "msg": "hi"}\n', True),
        ("readme.md", b"# hi\n", False),
        ("train.log", bytes(range(256)) * 4, False),
        ("train.log", b"", False),
    ],
)
def test_claims(name, head, expected):
    assert claims(name, head) is expected


pieces = st.sampled_from(
    [TRACE, "ValueError: x\n", "Killed\n", "noise\n", "\r\n", "ERROR: y\n", "  indented\n", "CUDA error: 7\n", "a\rb\n"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(pieces, max_size=25), st.lists(st.integers(0, 1500), max_size=12))
def test_cutting_the_bytes_changes_nothing(parts, cuts):
    text = "".join(parts)
    assert decode(text, cuts=cuts).same() == decode(text).same()

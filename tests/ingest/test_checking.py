"""Files against their contracts: what they are, and what is wrong with them, whatever is in them."""

import gzip
import json
import os
import random
import tracemalloc

import pytest
from contracts.samples import ATTEMPT, EVENT, KPI, SCORECARD_ROW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mens_console.ingest.checking.check import check_file
from mens_console.ingest.checking.places import Places
from mens_console.ingest.checking.recognise import UnknownContractError, named
from mens_console.ingest.checking.stream import CHUNK, LONGEST, Stream
from mens_console.ingest.checking.words import lines_of, report_document
from mens_contracts.registry import CONTRACTS
from mens_contracts.taxonomy import document


def write(path, rows, *, end="\n"):
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes((end.join(lines) + end).encode())
    return str(path)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "attempts.jsonl"


def test_a_good_log_fits(log):
    report = check_file(write(log, [ATTEMPT] * 50))
    assert (report.contract.id, report.rows, report.fits) == ("mens_generation_attempt_v1", 50, True)
    assert not report.notes and not report.bad


@pytest.mark.parametrize("row", [KPI, EVENT, SCORECARD_ROW])
def test_rows_are_known_by_id_or_fields(log, row):
    report = check_file(write(log, [row, row]))
    assert report.fits and report.contract.id in (row.get("schema"), "mens_scorecard_event_v1")


def test_rows_of_several_contracts_in_one_file(log):
    report = check_file(write(log, [EVENT, KPI, {**KPI, "attempts": 0}, EVENT]))
    counts = {name: (tally.objects, tally.faults) for name, tally in report.tallies.items()}
    assert counts == {"mens_generation_event_v1": (2, 0), "vox_runtime_generation_kpi_v1": (2, 1)}


def test_the_contract_can_be_named(log):
    report = check_file(write(log, [KPI]), CONTRACTS["mens_generation_attempt_v1"])
    assert report.contract.id == "mens_generation_attempt_v1" and not report.fits


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{not json", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        (json.dumps(ATTEMPT) * 2, "several objects on one line"),
        (json.dumps({**ATTEMPT, "latency_ms": float("nan")}), "not strict JSON"),
    ],
)
def test_lines_that_are_wrong_are_counted_with_their_number(log, line, why):
    report = check_file(write(log, [ATTEMPT, line, "", ATTEMPT]))
    ((said, spot),) = report.bad.items()
    assert said.startswith(why) and (spot.count, spot.lines) == (1, [2]) and not report.fits


def test_a_torn_last_line_is_no_fault(log):
    write(log, [ATTEMPT, ATTEMPT])
    with log.open("a") as file:
        file.write('{"ts": "2026-01')
    report = check_file(str(log))
    assert report.fits and report.rows == 2 and "line 3" in report.notes[0]
    with log.open("a") as file:
        file.write("\n")
    assert not check_file(str(log)).fits


def test_a_last_line_without_its_end_counts_where_it_is_whole(log):
    log.write_text(json.dumps(ATTEMPT) + "\n" + json.dumps(ATTEMPT))
    assert check_file(str(log)).rows == 2


def test_a_byte_order_mark_and_windows_line_ends(log):
    write(log, [ATTEMPT] * 3, end="\r\n")
    log.write_bytes(b"\xef\xbb\xbf" + log.read_bytes())
    report = check_file(str(log))
    assert (report.rows, report.fits) == (3, True) and "byte order mark" in report.notes[0]


def test_gzip_of_several_members(log):
    log.write_bytes(gzip.compress((json.dumps(ATTEMPT) + "\n").encode()) * 3)
    report = check_file(str(log))
    assert (report.rows, report.fits, report.notes) == (3, True, [])


def test_a_gzip_that_is_still_written(log):
    rng = random.Random(7)
    rows = [{**ATTEMPT, "persona_id": rng.randrange(10**9)} for _ in range(500)]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    log.write_bytes(packed[: len(packed) // 2])
    report = check_file(str(log))
    assert 100 < report.rows < 500 and report.fits and any("still being written" in note for note in report.notes)


def test_a_damaged_gzip_is_a_problem(log):
    packed = bytearray(gzip.compress((json.dumps(ATTEMPT) + "\n").encode() * 50))
    packed[-6] ^= 0xFF
    log.write_bytes(packed)
    assert "damaged" in check_file(str(log)).problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (bytes(range(256)) * 8, "binary"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b"\x28\xb5\x2f\xfdxxxx", "zstd -dc"),
        (b"no json\nat all\n", "no JSON"),
        (b"[]", "holds no JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema": "mens-health/2"}', "the nearest is mens-health/1"),
        (b'{"a": 1}\n{"a": 2}\n', "names no contract"),
        (gzip.compress(b"x" * 1000, mtime=0)[:10], "still being written"),
    ],
)
def test_what_cannot_be_judged_says_why(log, content, said):
    log.write_bytes(content)
    report = check_file(str(log))
    assert said in report.problem and not report.fits


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in check_file(str(tmp_path / "pipe")).problem
    assert "folder" in check_file(str(tmp_path)).problem
    assert "no such file" in check_file(str(tmp_path / "nothing")).problem


def test_documents_have_lines_too(tmp_path):
    taxonomy = document()
    taxonomy["categories"][1]["title"] = 5
    del taxonomy["categories"][3]["id"]
    text = json.dumps(taxonomy, indent=2)
    path = tmp_path / "taxonomy.json"
    path.write_text(text)
    report = check_file(str(path))
    fields = report.tallies["mens_diagnostic_taxonomy_v1"].fields
    lines = text.split("\n")
    (wrong,) = fields["categories[].title"].wrong.values()
    assert wrong.lines == [next(i for i, line in enumerate(lines, 1) if '"title": 5' in line)]
    title = next(i for i, line in enumerate(lines, 1) if '"invalid import"' in line)
    assert fields["categories[].id"].missing.lines == [title - 1], "the line that its object begins on"


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_rows_is_looked_at_and_told_of(log, indent):
    log.write_text(json.dumps([ATTEMPT, {**ATTEMPT, "attempt": 0}], indent=indent))
    report = check_file(str(log))
    assert report.rows == 2 and not report.fits and "jq -c" in report.notes[0]


def test_one_pretty_printed_row(log):
    log.write_text(json.dumps(ATTEMPT, indent=2))
    report = check_file(str(log))
    assert (report.rows, report.fits) == (1, True) and "several lines" in report.notes[0]


def test_places_of_keys():
    text = b'{"a": {"b": [1, {"c": 2,\n "d": "x\\"y"}]},\n\n "e": null}'
    places = Places(text)
    inner = places.value["a"]["b"][1]
    assert [places.line(inner, key) for key in ("c", "d", "absent", "")] == [1, 2, 1, 1]
    assert places.line(places.value, "e") == 4 and places.line({}, "e") == 0


def test_memory_does_not_grow_with_the_file(log):
    line = json.dumps(ATTEMPT, ensure_ascii=False) + "\n"

    def peak(count):
        log.write_text(line * count)
        tracemalloc.start()
        assert check_file(str(log)).rows == count
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(24_000) < peak(6_000) + (1 << 20)


def test_lines_of_any_length(log):
    long = b"x" * (LONGEST + CHUNK)
    log.write_bytes(b"first\n" + long + b"\nthird\n" + b"y" * CHUNK + b"\n" + long)
    stream = Stream(str(log))
    found = [(None if line is None else len(line), whole) for line, whole in stream.lines()]
    stream.close()
    assert found == [(5, True), (None, True), (5, True), (CHUNK, True), (None, False)]


@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_lines_do_not_depend_on_how_they_are_read(log, monkeypatch, cut):
    text = b"".join(b"%d\n" % i * (i % 3) for i in range(500)) + b"end"
    log.write_bytes(text)
    monkeypatch.setattr("mens_console.ingest.checking.stream.CHUNK", cut)
    stream = Stream(str(log))
    assert b"\n".join(line for line, _ in stream.lines()) == text
    stream.close()


def test_an_unknown_id_has_a_near_one():
    with pytest.raises(UnknownContractError, match="mens_generation_attempt_v1"):
        named("mens_generation_attempts_v1")


JUNK = [b"\xff", b"\0", b"{", b"]", b'"', b"NaN", b"1e999", b"\n", b"\xef\xbb\xbf", b"\\ud800", b"9" * 500, b"\x1b[2J"]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(JUNK)), max_size=5), st.booleans())
def test_whatever_is_in_it_there_is_a_report(log, damage, packed):
    data = b"".join(json.dumps(row).encode() + b"\n" for row in (ATTEMPT, EVENT, KPI, SCORECARD_ROW))
    data = gzip.compress(data) if packed else data
    for share, cut, junk in damage:
        at = int(share * len(data))
        data = data[:at] + junk + data[at + cut :]
    log.write_bytes(data)
    report = check_file(str(log))
    found = json.loads(json.dumps(report_document(report)))
    assert found["verdict"] in ("fits", "does not fit", "unreadable") and bool(report.problem) >= (report.rows == 0)
    assert "\x1b" not in "\n".join(lines_of(report, lambda text, ink: text))

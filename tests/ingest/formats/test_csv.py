import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.formats.support import read

from mens_console.ingest.formats.csv_metrics import CsvDecoder, claims
from mens_console.ingest.formats.lines import MAX_LINE


def decode(text, **options):
    return read(text.encode(), CsvDecoder(), **options)


def test_plain_columns():
    got = decode("step,loss,elapsed\n0,2.5,0.1\n10,2.25,1.1\n")
    assert got.series("loss") == [(0, 2.5), (10, 2.25)]
    assert got.series("elapsed_s") == [(0, 0.1), (10, 1.1)]


def test_lightning_blank_cells_are_absent_and_never_nan():
    got = decode("epoch,lr-AdamW,step,train_loss_step,val_loss\n,0.1,9,,\n0,,9,2.5,\n0,,19,,2.1\n1,,29,nan,\n")
    assert got.series("loss") == [(9, 2.5), (29, "nan")]
    assert got.series("eval_loss") == [(19, 2.1)]
    assert got.series("learning_rate") == [(9, 0.1)]


def test_a_newline_inside_quotes_does_not_end_a_record():
    text = 'step,note,loss\n1,"two\nlines, ""quoted""",2.5\n2,plain,2.0\n'
    assert decode(text).series("loss") == [(1, 2.5), (2, 2.0)]
    assert decode(text, cuts=range(len(text))).same() == decode(text).same()


def test_a_second_header_widens_the_table():
    got = decode("step,loss\n1,3.0\nstep,loss,lr\n2,2.5,0.1\n")
    assert got.series("loss") == [(1, 3.0), (2, 2.5)]
    assert got.series("learning_rate") == [(2, 0.1)]
    assert got.bad_rows == 0


def test_torn_and_ragged_rows():
    got = decode("step,loss\n1,3.0\n2\nx,9\n3,2.0\n4,1.5", final=False)
    assert got.series("loss") == [(1, 3.0), (3, 2.0)]
    assert [bad[0] for bad in got.bad] == [3, 4]
    assert decode("step,loss\n1,3.0\n2,2.5").series("loss") == [(1, 3.0), (2, 2.5)]


def test_crlf_bom_and_other_delimiters():
    assert decode("\ufeffstep,loss\r\n1,3.0\r\n\r\n2,2.0\r\n").series("loss") == [(1, 3.0), (2, 2.0)]
    assert decode("step;loss\n1;3.0\n").series("loss") == [(1, 3.0)]
    assert decode("step\tloss\n1\t3.0\n").series("loss") == [(1, 3.0)]


def test_a_quote_that_is_never_closed_does_not_wait_for_ever():
    good = "".join(f"{step},1.0,x\n" for step in range(2, 150_000))
    text = 'step,loss,note\n1,2.0,"open\n' + good
    assert len(text) > MAX_LINE
    got = decode(text, final=False)
    assert got.rows == 149_999


def test_float_steps():
    assert decode("step,loss\n1.0,3.0\n2.0,\n").series("loss") == [(1, 3.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("step,loss\n1,2\n", True),
        ("epoch,step,train_loss\n", True),
        ("step,anything\n1,2.0\n", True),
        ("step,anything\n", False),
        ("steps,description\n1,2\n", False),
        ("name,loss\na,1\n", False),
        ("step\n1\n", False),
        ("1,2,3\n", False),
        ("step,lo\0ss\n", False),
        ("", False),
    ],
)
def test_claims(text, expected):
    assert claims("metrics.csv", text.encode()) is expected


cells = st.one_of(st.just(""), st.floats(allow_nan=False).map(repr), st.sampled_from(["a,b", 'q"q', "x\ny", "text"]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=30), st.lists(st.integers(0, 1500), max_size=10))
def test_values_are_those_of_the_csv_module_however_the_bytes_are_cut(rows, cuts):
    out = io.StringIO()
    csv.writer(out).writerows([("step", "a", "b"), *((at, *row) for at, row in enumerate(rows))])
    got = decode(out.getvalue(), cuts=cuts)
    assert got.same() == decode(out.getvalue()).same()
    expected = []
    for row in csv.DictReader(io.StringIO(out.getvalue())):
        try:
            expected.append((int(row["step"]), float(row["a"])))
        except ValueError:
            continue
    assert got.series("a") == expected
    assert got.bad_rows == 0


def test_a_table_made_for_people_is_read_too():
    data = b"Step,Train Loss,Val Loss,LR,Peak GB\n1,2.5,,1e-4,7\n2,2.4,2.9,1e-4,8\n"
    assert claims("log.csv", data)
    got = read(data, CsvDecoder())
    assert got.series("loss") == [(1, 2.5), (2, 2.4)]
    assert got.series("eval_loss") == [(2, 2.9)]
    assert got.series("learning_rate") == [(1, 1e-4), (2, 1e-4)]
    assert got.series("Peak GB") == [(1, 7), (2, 8)]


def test_epochs_are_the_axis_of_a_table_without_steps():
    data = b"epoch,accuracy,loss,val_accuracy,val_loss\n0,0.1,2.5,0.1,2.6\n1,0.2,2.4,0.2,2.5\n"
    assert claims("training.csv", data)
    got = read(data, CsvDecoder())
    assert got.series("loss") == [(0, 2.5), (1, 2.4)]
    assert got.series("eval_loss") == [(0, 2.6), (1, 2.5)]


def test_the_nameless_column_of_an_index_is_no_series():
    got = read(b",step,loss\n0,1,2.5\n1,2,2.4\n", CsvDecoder())
    assert got.series("loss") == [(1, 2.5), (2, 2.4)]
    assert got.series("") == []

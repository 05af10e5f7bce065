from pathlib import PurePath

from hypothesis import given
from hypothesis import strategies as st

from mens_console.ingest.lognames import short_names


def names(*streams):
    return short_names([(owner, PurePath(path)) for owner, path in streams])


def test_no_more_than_tells_streams_apart():
    assert names(("a", "/r/a/x.log"), ("a", "/r/a/y.log")) == ["x.log", "y.log"]
    assert names(("a", "/r/a/train.log"), ("b", "/r/b/train.log"), ("b", "/r/b/z.log")) == ["a", "b/train.log", "z.log"]
    assert names(("a", "/r/a/1/train.log"), ("a", "/r/a/2/train.log")) == ["a/1/train.log", "a/2/train.log"]
    assert names(("", "/train.log"), ("b", "/b/train.log")) == ["/train.log", "b"]
    assert names(("a", "/r/a/\x1b[2Jx.log")) == ["␛[2Jx.log"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.sampled_from("xy")), unique=True))
def test_names_differ(streams):
    found = names(*((owner, f"/r/{owner}/{folder}/{file}.log") for owner, folder, file in streams))
    assert len(set(found)) == len(found)

"""Events decoded from bytes in any pieces, and what they say of a generation."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load.rawserver import GOOD, chat, said, sse, usage

from mens_console.load.stream import CHUNKS_MOST, COUNT_MOST, LINE_MOST, Answer, Lines, StreamError
from mens_console.load.types import Outcome
from mens_console.soak import rows


def decoded(*pieces):
    lines = Lines()
    found = [data for piece in pieces for data in lines.feed(piece)]
    return found + lines.end()


def answered(raw, *, keep_text=True):
    answer = Answer(keep_text=keep_text)
    for number, data in enumerate(decoded(raw)):
        answer.take(data, float(number))
    return answer


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("begin", ["data: ", "data:"])
def test_ends_of_lines_and_the_blank_after_data_do_not_matter(end, begin):
    assert decoded(sse("a", "b", end=end * 2, begin=begin)) == [b"a", b"b"]


def test_only_one_blank_after_data_is_taken_away():
    assert decoded(b"data:  a\n\n") == [b" a"]


def test_comments_and_other_fields_are_passed_over():
    raw = b": ping\n\n:\n\nevent: message\nid: 3\nretry: 10\nx-own: 1\ndata: a\n\n: ping\r\n\r\n"
    assert decoded(raw) == [b"a"]


def test_data_on_several_lines_is_one_event_where_that_is_json():
    assert decoded(b'data: {"a":\ndata: 1}\n\n') == [b'{"a":\n1}']


def test_events_that_end_with_one_line_feed_are_taken_apart():
    assert decoded(sse('{"a": 1}', '{"a": 2}', "[DONE]", end="\n") + b"\n") == [b'{"a": 1}', b'{"a": 2}', b"[DONE]"]


def test_a_byte_order_mark_is_passed_over_however_it_comes():
    raw = b"\xef\xbb\xbfdata: a\n\n"
    assert decoded(raw) == decoded(*(raw[at : at + 1] for at in range(len(raw)))) == [b"a"]
    assert decoded(b"\xef\xbb", b"") == []


ODD = (
    b"\xef\xbb\xbf: ping\r\n\r\n" + sse(chat("", role="assistant"), chat("Grüß"), chat(" 👋🏽"), end="\r\n\r\n") +
    sse(chat(" dich"), end="\r\r", begin="data:") + b":\n\n" + sse(chat(finish="stop"), usage(2, 3), "[DONE]")
)  # fmt: skip


@given(st.lists(st.integers(0, len(ODD)), max_size=40))
def test_how_a_stream_is_cut_into_reads_changes_nothing(places):
    cuts = [0, *sorted(places), len(ODD)]
    pieces = [ODD[a:b] for a, b in pairwise(cuts)]
    assert decoded(*pieces) == decoded(ODD) == decoded(*(ODD[at : at + 1] for at in range(len(ODD))))


@given(st.binary(max_size=400), st.integers(1, 7))
def test_arbitrary_bytes_are_events_or_a_stream_error_and_pieces_do_not_matter(raw, size):
    def outcome(pieces):
        try:
            return decoded(*pieces)
        except StreamError as error:
            return str(error)

    assert outcome([raw]) == outcome([raw[at : at + size] for at in range(0, len(raw), size)] or [b""])


def test_a_stream_that_ends_without_an_empty_line_keeps_what_is_whole():
    assert decoded(b"data: [DONE]") == [b"[DONE]"]
    assert decoded(b'data: {"a": 1}\n') == [b'{"a": 1}']
    assert decoded(b'data: {"a": 1') == []


def test_a_gigantic_line_is_refused_and_never_kept():
    lines = Lines()
    piece = b"x" * 65_536
    with pytest.raises(StreamError, match="more than 1048576 bytes") as caught:
        for _ in range(100):
            lines.feed(b"data: " + piece if not lines._rest else piece)
    assert caught.value.kind == "malformed"
    assert len(lines._rest) <= LINE_MOST + len(piece)


def test_a_gigantic_event_of_many_lines_is_refused():
    with pytest.raises(StreamError, match="an event of more than"):
        decoded(*[b"data: " + b"x" * 65_536 + b"\n"] * 17)


def test_a_line_that_belongs_to_no_event_is_malformed_and_shown_safely():
    with pytest.raises(StreamError, match="belongs to no event: Traceback") as caught:
        decoded(b"Traceback (most recent call last) \x1b[31m\n\n")
    assert "\x1b" not in str(caught.value)
    assert caught.value.kind == "malformed"


def test_json_without_data_is_malformed_unless_it_tells_an_error():
    with pytest.raises(StreamError) as caught:
        decoded(b'{"response": "x"}\n')
    assert caught.value.kind == "malformed"
    with pytest.raises(StreamError, match="out of memory") as caught:
        decoded(b'{"error": {"message": "out of memory", "code": 500}}\n')
    assert (caught.value.kind, caught.value.status) == ("http", 500)


def test_an_event_named_error_is_the_servers_failure_whatever_it_holds():
    with pytest.raises(StreamError, match="inside the stream: engine died") as caught:
        decoded(b"event: error\ndata: engine died\n\n")
    assert caught.value.kind == "http"


def test_a_good_stream():
    answer = answered(GOOD)
    assert (answer.text, answer.chunks, answer.finish, answer.done) == ("Hello world", 2, "stop", True)
    assert (answer.prompt_tokens, answer.output_tokens) == (7, 3)
    assert (answer.first, answer.gaps) == (1.0, [1.0])
    assert answer.verdict() == (None, "")


def test_roles_and_empty_deltas_are_no_tokens():
    raw = sse(
        chat("", role="assistant"), chat(None, role="assistant"), chat(""), {"choices": [{"delta": None}]}, chat("a")
    )
    assert answered(raw).first == 4.0


def test_what_a_model_thinks_and_calls_counts_as_said():
    call = {"tool_calls": [{"function": {"name": "look", "arguments": '{"at"'}}]}
    raw = sse(chat(reasoning_content="Hm"), chat(reasoning="m."), chat(**call), chat("Yes", finish="stop"))
    answer = answered(raw)
    assert answer.chunks == 4
    assert answer.text == 'Hmm.look{"at"Yes'


def test_completions_say_text():
    answer = answered(sse(said("a "), said("b", "length"), usage(1, 2)))
    assert (answer.text, answer.finish, answer.whole, answer.done) == ("a b", "length", True, False)
    assert answer.verdict() == (None, "")


def test_usage_in_every_event_counts_as_last_told_and_null_is_none():
    events = [{**chat("a"), "usage": None}, {**chat("b"), "usage": {"completion_tokens": 2, "prompt_tokens": 1}}]
    answer = answered(sse(*events, chat(finish="stop")))
    assert answer.output_tokens == 2
    odd = [{**chat("a"), "usage": {"completion_tokens": value}} for value in (True, -1, "3", 1.5, None, 5_000_000_000)]
    assert answered(sse(*odd)).output_tokens is None


@given(st.lists(st.text(alphabet="ab \n\té世", min_size=1, max_size=6), min_size=1, max_size=30))
def test_words_are_counted_as_in_the_whole_text(parts):
    assert answered(sse(*map(chat, parts))).words == len("".join(parts).split())


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"", "cut", "before anything was said"),
        (sse(chat("a")), "cut", "ended after 1 chunk, before"),
        (sse(chat("a"), chat(" b")) + b'data: {"choi', "cut", "after 2 chunks"),
        (sse(chat("", role="assistant"), chat(finish="stop"), "[DONE]"), "empty", "no text had come"),
        (sse(chat(finish="stop"), usage(3, 1), "[DONE]"), "empty", "the server counts 1 token"),
        (sse("[DONE]"), "empty", "no text"),
        (sse(chat("a"), chat(finish="abort"), "[DONE]"), "cut", "gave it up after 1 chunk"),
    ],
)
def test_what_went_wrong_with_a_stream(raw, kind, words):
    error, detail = answered(raw).verdict()
    assert error == kind
    assert words in detail


@pytest.mark.parametrize(
    ("event", "kind"),
    [("{", "malformed"), ("[1]", "malformed"), ("3", "malformed"), ("hello", "malformed"),
     ('{"choices": [1]}', "malformed"),
     ('{"error": "overloaded"}', "http"), ('{"object": "error", "message": "no", "code": 503}', "http")],
)  # fmt: skip
def test_events_that_say_no_generation(event, kind):
    with pytest.raises(StreamError) as caught:
        answered(sse(event))
    assert caught.value.kind == kind


def test_text_that_is_no_utf8_is_malformed():
    with pytest.raises(StreamError) as caught:
        answered(b'data: {"choices": [{"text": "\xff"}]}\n\n')
    assert caught.value.kind == "malformed"


def test_events_of_one_read_share_its_time_and_are_counted():
    answer = Answer()
    for data, at in ((said("a"), 1.0), (said("b"), 1.0), (said("c"), 2.5), (said("d"), 2.5)):
        answer.take(json.dumps(data).encode(), at)
    assert (answer.gaps, answer.shared) == ([0.0, 1.5, 0.0], 2)


def test_chunks_without_end_are_refused():
    answer = Answer()
    data = json.dumps(said("a")).encode()
    answer.chunks = CHUNKS_MOST - 1
    answer.take(data, 0.0)
    with pytest.raises(StreamError, match="chunks in one answer"):
        answer.take(data, 0.0)


def test_no_count_that_a_server_may_claim_is_too_much_for_the_record():
    most = answered(sse(chat("a"), {"choices": [], "usage": {"completion_tokens": COUNT_MOST}}, chat(finish="stop")))
    outcome = Outcome("1", ttft_s=0.1, e2e_s=0.1, output_tokens=most.output_tokens, tokens_by="server", chunks=1)
    assert rows.fault(rows.request(outcome, (0, 0), 0.0, 0.0)) is None

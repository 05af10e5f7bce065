"""Prompts that are made up, and those of a file."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.load import prompts
from mens_console.load.prompts import PromptError, Prompts, read_prompts, synthetic


def test_the_same_place_gives_the_same_prompt_and_another_another():
    first, again = Prompts(seed=3), Prompts(seed=3)
    assert [first.of(2, 5), first.of(0, 0)] == [again.of(2, 5), again.of(0, 0)]
    made = [first.of(minute, number) for minute in range(40) for number in range(50)]
    assert len(set(made)) == len(made)
    assert first.of(0, 0) != Prompts(seed=4).of(0, 0)


def test_prompts_share_no_beginning_that_a_cache_could_keep():
    made = [Prompts().of(0, number) for number in range(500)]
    beginnings = {text[:40] for text in made}
    assert len(beginnings) == 500


@given(st.integers(1, 5000))
def test_words_and_stops_come_to_about_the_tokens_that_are_wanted(tokens):
    text = synthetic("s", tokens)
    counted = len(text.split()) + text.count(".")
    assert abs(counted - max(tokens, 8)) <= 2


def write(tmp_path, raw):
    path = tmp_path / "prompts"
    path.write_bytes(raw)
    return path


def test_json_lines_under_any_of_the_usual_names_and_bare_strings(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbf{"prompt": "a"}\r\n\n{"id": 1, "text": "b\\nc"}\n"d"\n{"question": "e"}')
    assert read_prompts(path) == ("a", "b\nc", "d", "e")


def test_plain_lines(tmp_path):
    assert read_prompts(write(tmp_path, "Grüße\n\n[a] b\n".encode())) == ("Grüße", "[a] b")


def test_a_files_prompts_are_gone_through_in_turn(tmp_path):
    mine = Prompts(own=("a", "b", "c"))
    assert [mine.of(0, number) for number in range(4)] == ["a", "b", "c", "a"]
    assert {mine.of(minute, 0) for minute in range(9)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no prompt in it"),
        (b"\n \n", "no prompt in it"),
        (b'{"prompt": "a"}\n{"prompt": "b"\n', "line 2: no JSON"),
        (b'{"prompt": "a"}\n{"q": 1, "\\u001b[2J": 2}', "line 2: no text under"),
        (b'{"prompt": "a"}\n[1]', "line 2: neither a string nor"),
        (b'{"prompt": "a"}\n\n{"prompt": " "}', "line 3: the prompt is empty"),
        (b"a\nb\xff\n", "line 2: it is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_file_names_line_and_cure(tmp_path, raw, words):
    with pytest.raises(PromptError) as caught:
        read_prompts(write(tmp_path, raw))
    assert words in str(caught.value)
    assert "prompts" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_file_is_bounded(tmp_path, monkeypatch):
    for name, most, words in (
        ("FILE_MOST", 1 << 20, "larger than 1 MiB"),
        ("PROMPT_MOST", 3, "line 1: longer"),
        ("COUNT_MOST", 1, "line 2: more"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(prompts, name, most)
            with pytest.raises(PromptError, match=words):
                read_prompts(write(tmp_path, b"abcd\nefgh\n" * (1 << 18 if name == "FILE_MOST" else 1)))


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "not a regular file"), ("none", "no such file"), (".", "is a directory")):
        with pytest.raises(PromptError, match=words):
            read_prompts(tmp_path / name)

"""Where a key comes from, and that it is never shown."""

import pytest

from mens_console.load.keys import KeyFileError, api_key, hide


def test_a_file_comes_before_the_environment_and_our_variable_before_the_usual_one(tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-file\n")
    path.chmod(0o600)
    both = {"MENS_API_KEY": "sk-mens", "OPENAI_API_KEY": "sk-open"}
    assert api_key(path, both) == "sk-file"
    assert api_key(None, both) == "sk-mens"
    assert api_key(None, {"MENS_API_KEY": "", "OPENAI_API_KEY": "sk-open"}) == "sk-open"
    assert api_key(None, {}) == ""


@pytest.mark.parametrize(
    ("raw", "mode", "words"),
    [(b"sk-1", 0o644, "others may read it; chmod 600"), (b"", 0o600, "no API key"), (b"a b", 0o600, "no API key"),
     (b"a\nb", 0o600, "no API key"), (b"\xff", 0o600, "no API key"), (b"x" * 5000, 0o600, "no API key")],
)  # fmt: skip
def test_what_is_no_key_is_refused_without_being_told(tmp_path, raw, mode, words):
    path = tmp_path / "key"
    path.write_bytes(raw)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=words) as caught:
        api_key(path, {})
    assert "sk-1" not in str(caught.value)


def test_a_file_that_is_none(tmp_path):
    for name, words in (("none", "no such file"), (".", "is a directory")):
        with pytest.raises(KeyFileError, match=words):
            api_key(tmp_path / name, {})


def test_a_variable_with_a_line_feed_in_it_is_refused():
    with pytest.raises(KeyFileError, match=r"\$OPENAI_API_KEY") as caught:
        api_key(None, {"OPENAI_API_KEY": "sk-abc\nX-Evil: 1"})
    assert "sk-abc" not in str(caught.value)


def test_secrets_are_hidden_the_longest_first():
    assert hide("key sk-abcd-efgh and sk-abcd", ("sk-abcd", "sk-abcd-efgh", "a")) == "key ‹secret› and ‹secret›"

"""The addresses of a server, from whatever form of one the operator gives."""

import pytest

from mens_console.load.endpoint import EndpointError, endpoint_of


@pytest.mark.parametrize(
    ("url", "generate", "models", "health"),
    [
        ("http://a:8000", "http://a:8000/v1/chat/completions", "http://a:8000/v1/models", "http://a:8000/health"),
        ("http://a:8000/", "http://a:8000/v1/chat/completions", "http://a:8000/v1/models", "http://a:8000/health"),
        ("http://a/v1/", "http://a/v1/chat/completions", "http://a/v1/models", "http://a/health"),
        ("http://a/v1/completions", "http://a/v1/completions", "http://a/v1/models", "http://a/health"),
        ("http://a/v1/chat/completions", "http://a/v1/chat/completions", "http://a/v1/models", "http://a/health"),
        ("https://a.example/llm/v1", "https://a.example/llm/v1/chat/completions", "https://a.example/llm/v1/models",
         "https://a.example/llm/health"),
        ("http://a/proxy", "http://a/proxy/v1/chat/completions", "http://a/proxy/v1/models", "http://a/proxy/health"),
        ("http://a//v1//completions", "http://a/v1/completions", "http://a/v1/models", "http://a/health"),
        ("http://a/v1beta/openai", "http://a/v1beta/openai/chat/completions", "http://a/v1beta/openai/models",
         "http://a/v1beta/health"),
        ("http://[::1]:80", "http://[::1]:80/v1/chat/completions", "http://[::1]:80/v1/models", "http://[::1]:80/health"),
        ("HTTP://A:1/v1", "http://a:1/v1/chat/completions", "http://a:1/v1/models", "http://a:1/health"),
    ],
)  # fmt: skip
def test_addresses_that_follow(url, generate, models, health):
    endpoint = endpoint_of(url)
    assert (endpoint.generate, endpoint.models, endpoint.beside("/health")) == (generate, models, health)
    assert endpoint.url == generate
    assert endpoint_of(endpoint.url) == endpoint


def test_the_api_is_what_the_path_says_else_what_is_wanted():
    assert endpoint_of("http://a", "completions").url == "http://a/v1/completions"
    assert endpoint_of("http://a/v1/completions").api == "completions"
    assert endpoint_of("http://a/v1/completions", "completions").api == "completions"
    with pytest.raises(EndpointError, match="that of completions, but chat"):
        endpoint_of("http://a/v1/completions", "chat")


def test_secrets_are_sent_and_not_shown():
    endpoint = endpoint_of("https://me:p%40ss@a:8/v1?api-version=1&sig=xyz#part")
    assert endpoint.url == "https://a:8/v1/chat/completions"
    assert endpoint.generate == "https://a:8/v1/chat/completions?api-version=1&sig=xyz"
    assert endpoint.basic == "Basic bWU6cEBzcw=="
    assert "p@ss" in endpoint.secrets
    for shown in (repr(endpoint), endpoint.url, endpoint.models, endpoint.beside("/health")):
        assert not any(secret in shown for secret in (*endpoint.secrets, "sig", "p%40ss", "me:"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("http://a b", "has blanks"),
        ("http://a\n", "has blanks"),
        ("localhost:8000", "did you mean http://localhost:8000?"),
        ("10.0.0.1:8000/v1", "did you mean http://10.0.0.1:8000/v1?"),
        ("localhost", "did you mean http://localhost?"),
        ("ftp://a/v1", "ftp: only http and https"),
        ("file:///etc/passwd", "file: only http"),
        ("//a/v1", "only http and https"),
        ("http://", "names no host"),
        ("http:///v1", "names no host"),
        ("http://a..b", "names no host"),
        (f"http://{'x' * 64}.example", "names no host"),
        ("http://a:99999", "is no address"),
        ("http://a:b", "is no address"),
        ("http://[::1", "is no address"),
        ("http://me:secret@a:b/?key=secret", "is no address"),
        ("http://a/health", "generates nothing"),
        ("http://a/v1/models", "without /models"),
    ],
)
def test_what_is_no_address_is_refused_with_a_cure(url, words):
    with pytest.raises(EndpointError) as caught:
        endpoint_of(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)

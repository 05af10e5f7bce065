"""Where a model server is asked what: the addresses that follow from the one that the operator gave.

Pure. What is recorded and shown of an address holds no user, password or query.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

Api: TypeAlias = Literal["chat", "completions"]
_PATHS: Final[dict[Api, str]] = {"chat": "/chat/completions", "completions": "/completions"}
_VERSION: Final = re.compile(r"v\d+\w*|openai")
"""A last part of a path that other paths of the same API stand beside: /v1, /api/v4, /v1beta/openai."""
_LIKE_HOST: Final = re.compile(r"[\w.-]+(:\d+)?(/.*)?|\[[\da-fA-F:]+\](:\d+)?(/.*)?")


class EndpointError(ValueError):
    """The address cannot be used; the message says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's addresses."""

    origin: str
    """Scheme, host and port."""
    prefix: str
    """Path of the API: `/v1`."""
    api: Api
    query: str = field(default="", repr=False)
    """What the operator's address had after `?`; sent with every generation, and never recorded."""
    basic: str = field(default="", repr=False)
    """The value of an Authorization header, where the address held user and password."""

    @property
    def url(self) -> str:
        """What is recorded and shown: where generations are asked for."""
        return f"{self.origin}{self.prefix}{_PATHS[self.api]}"

    @property
    def generate(self) -> str:
        """Where generations are asked for, with the query."""
        return f"{self.url}?{self.query}" if self.query else self.url

    @property
    def models(self) -> str:
        """Where the server lists its models."""
        return f"{self.origin}{self.prefix}/models"

    def beside(self, path: str) -> str:
        """Return the address of `path` beside the API: `/health`, `/metrics`."""
        root = self.prefix.rpartition("/")[0]
        return f"{self.origin}{root}/{path.removeprefix('/')}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        parts = (self.query, self.basic, self.basic.removeprefix("Basic "))
        password = base64.b64decode(parts[2]).decode().partition(":")[2] if self.basic else ""
        return tuple(one for one in (*parts, password) if one)

    @property
    def host(self) -> str:
        """The host alone."""
        return urlsplit(self.origin).hostname or ""

    @property
    def encrypted(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.origin.startswith("https:")


def endpoint_of(url: str, api: Api | None = None) -> Endpoint:
    """Return the addresses that follow from `http://host:port`, `…/v1`, or a whole path to completions or chat.

    `api` is wanted where the path does not say (chat by default). Raises `EndpointError`.
    """
    if not url.strip() or any(char.isspace() or not char.isprintable() for char in url):
        raise EndpointError("the address is empty or has blanks in it; give one such as http://127.0.0.1:8000")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointError(f"{_bare(url)} is no address ({error}); give one such as http://127.0.0.1:8000") from None
    if parts.scheme not in ("http", "https"):
        raise EndpointError(_scheme(url, parts.scheme))
    if not parts.hostname or not _is_host(parts.hostname):
        raise EndpointError(f"{_bare(url)} names no host; give one such as http://127.0.0.1:8000")
    prefix, named = _api(parts.path)
    if named is not None and api is not None and named != api:
        raise EndpointError(f"the address is that of {named}, but {api} was asked for; leave one of the two away")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"
    return Endpoint(origin, prefix, named or api or "chat", parts.query, _basic(parts.username, parts.password))


def _is_host(name: str) -> bool:
    """Say whether a name can be looked up at all: no part of it is empty or longer than 63 bytes."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _api(path: str) -> tuple[str, Api | None]:
    path = re.sub(r"/{2,}", "/", path).rstrip("/")
    for api, end in _PATHS.items():
        if path.endswith(end):
            return path.removesuffix(end), api
    for end in ("/models", "/health", "/metrics"):
        if path.endswith(end):
            raise EndpointError(f"{path} generates nothing; give the address without {end}")
    if _VERSION.fullmatch(path.rpartition("/")[2]):
        return path, None
    return f"{path}/v1", None


def _scheme(url: str, scheme: str) -> str:
    if "://" not in url and _LIKE_HOST.fullmatch(url):
        return f"{_bare(url)} has no scheme; did you mean http://{_bare(url)}?"
    return (
        f"{scheme or 'no scheme'}: only http and https are spoken here; give an address such as http://127.0.0.1:8000"
    )


def _basic(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def _bare(url: str) -> str:
    """Return what may be shown of an address that cannot be taken apart."""
    return re.sub(r"(?<=//)[^/@]*@|[?#].*", "", url)


def bare(url: str) -> str:
    """Return an address without user, password, query and fragment, such as one that a server redirects to."""
    return _bare(url)

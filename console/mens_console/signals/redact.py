"""Secrets taken out of command lines and settings before they are written down or shown.

Pure string work on names and values; nothing here reads the environment or files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN: Final = "***"

_SECRET_NAME: Final = re.compile(r"(?i)(token|secret|passw|api[_-]?key|access[_-]?key|credential|auth|cookie|bearer)")
_SECRET_VALUE: Final = re.compile(r"\b(hf_|sk-|ghp_|gho_|github_pat_|xox[abp]-|AKIA|wandb_v\d_)[\w-]{8,}")
_URL_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SECRET_SETTING: Final = re.compile(
    r"(?i)token$|secret|passw|api[_-]?key|access[_-]?key|private[_-]?key|credential|cookie|bearer|authorization"
)
"""Settings are not command lines: `tokenizer`, `max_tokens` and `pad_token` must stay readable."""
_SPECIAL_TOKEN: Final = re.compile(r"(?i)(?:pad|eos|bos|unk|sep|cls|mask|special|image|audio|video|extra)_token$")


def redact_words(words: Iterable[str]) -> list[str]:
    """Return command line words with every secret in them replaced by `***`.

    Hidden are: what follows or is assigned to a name like `--hub-token` or `API_KEY`, values of well-known key shapes,
    and the user part of addresses.
    """
    shown: list[str] = []
    hide_next = False
    for word in words:
        name, assigned, _ = word.partition("=")
        if hide_next and not word.startswith("--"):
            shown.append(HIDDEN)
            hide_next = False
            continue
        secret = bool(_SECRET_NAME.search(name))
        hide_next = secret and not assigned and name.startswith("-")
        shown.append(redact_text(f"{name}={HIDDEN}" if secret and assigned else word))
    return shown


def redact(words: Iterable[str]) -> str:
    """Return `redact_words` joined by blanks."""
    return " ".join(redact_words(words))


def redact_text(text: str) -> str:
    """Return `text` without values of well-known key shapes and without the user part of addresses."""
    return _URL_PASSWORD.sub(HIDDEN, _SECRET_VALUE.sub(HIDDEN, text))


def redact_setting(name: str, text: str) -> str:
    """Return the text of the setting `name`, `***` where the name says that it is secret."""
    leaf = name.replace("/", ".").rpartition(".")[2]
    if text and _SECRET_SETTING.search(leaf) and not _SPECIAL_TOKEN.search(leaf):
        return HIDDEN
    return redact_text(text)

"""Who may sign: an `allowed_signers` file as OpenSSH has it (ssh-keygen(1), ALLOWED SIGNERS), read strictly.

Signatures are checked by ssh-keygen in `ssh`; here is only what it would let through and a gate may not: principals
with wildcards, certificate authorities, and one key under two names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mens_console.gate.people import disguised
from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.text import safe_text

_MOST: Final = 4 << 20
"""Bytes of an allowed_signers file."""
_KEY: Final = re.compile(r"(?:^|\s)((?:sk-)?(?:ssh-|ecdsa-)[a-zA-Z0-9@.-]+)\s+(AAAA[A-Za-z0-9+/]+={0,2})(?:\s|$)")
_KRL: Final = b"SSHKRL\n\x00"
"""Begins a key revocation list of OpenSSH (PROTOCOL.krl)."""
_WILD: Final = re.compile(r"[*?!]")


class SignersError(Exception):
    """The file cannot be trusted or read; the message names file, line and cure."""


@dataclass(frozen=True, slots=True)
class Signers:
    """The people whose signatures count. `data` is what ssh-keygen is given; `revoked` a list or KRL of dead keys."""

    path: str
    data: bytes
    principals: Mapping[str, str]
    """Principal by the key's fingerprint."""
    revoked: bytes = b""
    revoked_path: str = ""

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return hashlib.sha256(self.data).hexdigest()


def fingerprint(blob: bytes) -> str:
    """Return a public key's fingerprint as OpenSSH prints it: SHA256:…, base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def key_blob(text: str) -> bytes | None:
    """Return the key in a line such as `ssh-ed25519 AAAA… comment`, None where there is none."""
    found = _KEY.search(text)
    if found is None:
        return None
    try:
        blob = base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = found[1].encode()
    return blob if blob[:4] == len(kind).to_bytes(4, "big") and blob[4 : 4 + len(kind)] == kind else None


def load(path: Path, revoked: Path | None = None) -> Signers:
    """Read who may sign, and which keys were revoked (default: `revoked_keys` beside the file, where there is one).

    Raises `SignersError` for a file that cannot be read, says nothing, or lets in whom nobody named.
    """
    data = _read(path)
    principals: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, key = _entry(f"{path}:{number}", text)
        other = principals.setdefault(key, name)
        if other != name:
            raise SignersError(
                f"{path}:{number}: the key {key} is also {safe_text(other, 80)}'s: one key is one person's; "
                "give each their own"
            )
    if not principals:
        raise SignersError(f"{path}: it names nobody; add a line: ada@example.org ssh-ed25519 AAAA…")
    beside = path.with_name("revoked_keys")
    chosen = revoked if revoked is not None else beside if beside.exists() else None
    return Signers(str(path), data, principals, _revoked(chosen) if chosen else b"", str(chosen) if chosen else "")


def _revoked(path: Path) -> bytes:
    """Return a list of revoked keys. Raises `SignersError` for what is none: ssh-keygen takes that for an empty one."""
    data = _read(path)
    if data.startswith(_KRL):
        return data
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#") and key_blob(text) is None:
            raise SignersError(
                f"{path}:{number}: it holds no key; write one public key a line (ssh-ed25519 AAAA…), or make a KRL: "
                "ssh-keygen -k -f FILE KEY.pub"
            )
    return data


def _entry(where: str, text: str) -> tuple[str, str]:
    """Return (principal, fingerprint) of a line; of several names for one key the first is the person's."""
    if text.startswith('"'):
        names, closed, rest = text[1:].partition('"')
    else:
        names, closed, rest = re.split(r"([ \t]+|$)", text, maxsplit=1)
    blob = key_blob(rest) if closed else None
    if blob is None:
        raise SignersError(f"{where}: it holds no key; write: ada@example.org ssh-ed25519 AAAA…")
    if _WILD.search(names):
        raise SignersError(
            f"{where}: the principal {safe_text(names, 80)} stands for anybody of that pattern (* ? !); "
            "name each person in full"
        )
    if "cert-authority" in rest[: rest.find("AAAA")].lower():
        raise SignersError(f"{where}: a certificate authority lets in whom nobody named here; list the people's keys")
    first = next((name for name in names.split(",") if name), "")
    if why := disguised(first):
        raise SignersError(
            f"{where}: the name {safe_text(first, 80)!r} {why} and could pass for another's; write it plainly"
        )
    if not first:
        raise SignersError(f"{where}: it names nobody; write: ada@example.org ssh-ed25519 AAAA…")
    return first, fingerprint(blob)


def _read(path: Path) -> bytes:
    try:
        data = read_small(str(path.expanduser()), _MOST + 1, follow=True)
    except OSError as error:
        raise SignersError(f"{path}: {explain(error)}") from None
    if len(data) > _MOST:
        raise SignersError(f"{path}: it is over {_MOST >> 20} MiB, which no list of signers is; name the right file")
    return data

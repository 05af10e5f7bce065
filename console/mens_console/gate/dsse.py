"""DSSE: a payload with its type, the bytes that are signed for it (PAE), and the envelope that carries both.

https://github.com/secure-systems-lab/dsse; nothing here knows what a payload says or how it is signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_PAE: Final = re.compile(rb"DSSEv1 (0|[1-9][0-9]{0,8}) ")
_LENGTH: Final = re.compile(rb" (0|[1-9][0-9]{0,11}) ")


class DsseError(ValueError):
    """The envelope or PAE is not one; the message says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over the PAE. `keyid` is the key's fingerprint as OpenSSH writes it (SHA256:…), a hint alone."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and the signatures over both: none where the record is unsigned."""

    payload: bytes
    signatures: tuple[Signature, ...] = ()
    payload_type: str = PAYLOAD_TYPE

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload, self.payload_type)

    def document(self) -> dict[str, Any]:
        """Return the envelope as JSON has it."""
        signatures = [{"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode()} for one in self.signatures]
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": signatures,
        }


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the pre-authentication encoding: type and payload, each behind its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def unpae(data: bytes) -> bytes:
    """Return the payload of a PAE of our payload type. Raises `DsseError` where it is anything else."""
    start = _PAE.match(data)
    if start is None:
        raise DsseError("it does not begin as a DSSE PAE does (DSSEv1 …)")
    end = start.end() + int(start[1])
    if data[start.end() : end] != PAYLOAD_TYPE.encode():
        raise DsseError(f"its payload type is not {PAYLOAD_TYPE}")
    length = _LENGTH.match(data, end)
    if length is None or len(data) - length.end() != int(length[1]):
        raise DsseError("its length is not the one that it tells: it was cut off or changed")
    return data[length.end() :]


def envelope(document: object) -> Envelope:
    """Return the envelope that a JSON document holds. Raises `DsseError` where it is none of ours."""
    if not isinstance(document, dict):
        raise DsseError("the envelope is not a JSON object")
    kind, signatures = document.get("payloadType"), document.get("signatures")
    if kind != PAYLOAD_TYPE:
        raise DsseError(f"the envelope's payloadType is not {PAYLOAD_TYPE}")
    if not isinstance(signatures, list):
        raise DsseError("the envelope has no list of signatures")
    return Envelope(_bytes(document.get("payload"), "payload"), tuple(map(_signature, signatures)))


def _signature(one: object) -> Signature:
    if not isinstance(one, dict):
        raise DsseError("a signature of the envelope is not a JSON object")
    keyid = one.get("keyid", "")
    if not isinstance(keyid, str):
        raise DsseError("the keyid of a signature is not text")
    return Signature(keyid, _bytes(one.get("sig"), "sig"))


def _bytes(value: object, name: str) -> bytes:
    """Return what standard base64 says, and only that: one text for one value."""
    if not isinstance(value, str):
        raise DsseError(f"the envelope's {name} is not text")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise DsseError(f"the envelope's {name} is not base64") from None
    if base64.b64encode(data).decode() != value:
        raise DsseError(f"the envelope's {name} is not base64 in its one right form")
    return data

"""Signatures by OpenSSH: asked of the agent, read, and checked against the people whose signatures count.

A signature is an SSHSIG (PROTOCOL.sshsig) over a DSSE PAE in the namespace `mens-gate`. Everything here may wait for a
person who confirms or touches a key: call it from a worker, with an Event to give up by.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.gate.signers import Signers, fingerprint, key_blob
from mens_console.gate.subprocesses import TimeLimitError, ToolError, run, tool
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

NAMESPACE: Final = "mens-gate"
"""A signature that was made for anything else (a commit, a file) is none of ours."""
SIGN_LIMIT_S: Final = 60.0
"""A person confirms or touches the key within that."""
_LIST_LIMIT_S: Final = 10.0
_VERIFY_LIMIT_S: Final = 20.0
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_ELSEWHERE: Final = "sign where the key is instead: gate sign … --export-pae FILE"


class SshError(Exception):
    """Nothing was signed, or the signature does not hold; the message says why and what cures it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: the line that OpenSSH writes, and its fingerprint."""

    line: str
    fingerprint: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Sshsig:
    """What a signature says of itself: nothing of it holds before `verify` says so."""

    fingerprint: str
    namespace: str


def key_of(line: str) -> Key:
    """Return the public key of a line. Raises `SshError` where there is none."""
    blob = key_blob(line)
    if blob is None:
        raise SshError(f"{safe_text(line.strip(), 60)}: that is no public key; a .pub file begins ssh-ed25519 AAAA…")
    words = line.split(None, 2)
    return Key(" ".join(words[:2]), fingerprint(blob), safe_text(words[2].strip(), 80) if len(words) > 2 else "")


def agent_keys(
    environ: Mapping[str, str] | None = None, *, limit_s: float = _LIST_LIMIT_S, cancel: threading.Event | None = None
) -> tuple[Key, ...]:
    """Return the keys that the agent holds, one at least. Raises `SshError` or `ToolError`."""
    env = os.environ if environ is None else environ
    where = _agent(env)
    try:
        done = run([tool("ssh-add"), "-L"], environ=env, limit_s=limit_s, cancel=cancel)
    except TimeLimitError:
        raise SshError(_hangs(where, limit_s)) from None
    lines = [line for line in done.out.decode("utf-8", "replace").splitlines() if key_blob(line) is not None]
    keys = tuple(key_of(line) for line in lines if "-cert-v01@" not in line)
    if not keys and done.status > 1:
        raise SshError(f"the agent at {where} does not speak as an agent does: {_said(done.err)}; {_ELSEWHERE}")
    if not keys:
        raise SshError(
            "the agent holds no keys; add yours (ssh-add ~/.ssh/id_ed25519), on the laptop where it is forwarded "
            f"from there, or {_ELSEWHERE}"
        )
    return keys


def sign(
    pae: bytes,
    key: Key,
    environ: Mapping[str, str] | None = None,
    *,
    limit_s: float = SIGN_LIMIT_S,
    cancel: threading.Event | None = None,
) -> bytes:
    """Return the armoured signature of `pae` by the agent's `key`. Raises `SshError` or `ToolError`.

    The public key lies alone in a folder of ours, so that no private key beside it is used in the agent's place; bytes
    go in and out by pipes, for ssh-keygen leaves a signature file that is already there as it is, and returns 0.
    """
    env = os.environ if environ is None else environ
    where = _agent(env)
    with _folder() as folder:
        public = folder / "key.pub"
        public.write_text(f"{key.line}\n")
        argv = [tool("ssh-keygen"), "-Y", "sign", "-n", NAMESPACE, "-f", str(public)]
        try:
            done = run(argv, stdin=pae, environ=env, limit_s=limit_s, cancel=cancel)
        except TimeLimitError:
            raise SshError(_hangs(where, limit_s)) from None
    if done.status or not done.out:
        raise SshError(_refusal(done.err, key))
    made = parse(done.out)
    if made.fingerprint != key.fingerprint or made.namespace != NAMESPACE:
        raise SshError(
            f"the agent signed with another key ({made.fingerprint}) than {key.fingerprint}; choose that one"
        )
    return done.out


def parse(armoured: bytes) -> Sshsig:
    """Return key and namespace of an SSHSIG. Raises `SshError` where it is none."""
    text = armoured.decode("ascii", "replace").strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise SshError(f"that is no SSH signature: it begins {_BEGIN} and ends {_END}")
    try:
        blob = base64.b64decode("".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
    except (binascii.Error, ValueError):
        raise SshError("the SSH signature is damaged: what stands in it is not base64") from None
    if blob[:10] != b"SSHSIG\x00\x00\x00\x01":
        raise SshError("the SSH signature is not of version 1 of SSHSIG")
    public, at = _string(blob, 10)
    namespace, _ = _string(blob, at)
    return Sshsig(fingerprint(public), safe_text(namespace.decode("utf-8", "replace"), 80))


def verify(pae: bytes, armoured: bytes, principal: str, signers: Signers) -> None:
    """Return where `armoured` is `principal`'s signature of `pae`, valid now; raise `SshError` with the reason if not.

    SSHSIG tells no time: a key that has expired or was revoked since vouches for nothing that it signed before.
    """
    made = parse(armoured)
    if made.namespace != NAMESPACE:
        raise SshError(
            f"it was made for {made.namespace!r}, not for {NAMESPACE!r}: it is a signature of something else"
        )
    known = signers.principals.get(made.fingerprint)
    if known is None:
        raise SshError(f"{signers.path} does not list the key {made.fingerprint}: nobody known signed")
    if known != principal:
        raise SshError(f"the key {made.fingerprint} is {safe_text(known, 80)}'s, not {safe_text(principal, 80)}'s")
    problem = _verify(pae, armoured, principal, signers, revoked=True)
    if problem is None:
        return
    if signers.revoked and _verify(pae, armoured, principal, signers, revoked=False) is None:
        raise SshError(f"the key {made.fingerprint} was revoked ({signers.revoked_path}, or that list is damaged)")
    raise SshError(problem)


def _verify(pae: bytes, armoured: bytes, principal: str, signers: Signers, *, revoked: bool) -> str | None:
    """Ask ssh-keygen; return why the signature does not hold, None where it does."""
    with _folder() as folder:
        allowed, signature, dead = folder / "allowed_signers", folder / "signature", folder / "revoked"
        allowed.write_bytes(signers.data)
        signature.write_bytes(armoured)
        argv = [tool("ssh-keygen"), "-Y", "verify", "-n", NAMESPACE, "-I", principal]
        argv += ["-f", str(allowed), "-s", str(signature)]
        if revoked and signers.revoked:
            dead.write_bytes(signers.revoked)
            argv += ["-r", str(dead)]
        try:
            done = run(argv, stdin=pae, environ={}, limit_s=_VERIFY_LIMIT_S)
        except TimeLimitError:
            raise ToolError(f"ssh-keygen did not check a signature within {_VERIFY_LIMIT_S:g} s") from None
    return None if done.status == 0 else _reason(done.err, signers)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a private folder for the few files that ssh-keygen wants. Raises `ToolError` where there is no room."""
    try:
        with tempfile.TemporaryDirectory(prefix="mens-gate-") as name:
            yield Path(name)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ToolError(
            f"{tempfile.gettempdir()}: nothing can be written there ({why}); make room, try again"
        ) from None


def _reason(said: str, signers: Signers) -> str:
    text = said.lower()
    if "key has expired" in text:
        return f"the key has expired ({signers.path}, valid-before)"
    if "key is not yet valid" in text:
        return f"the key is not valid yet ({signers.path}, valid-after)"
    if "not permitted for use in signature namespace" in text:
        return f"{signers.path} does not let the key sign in the namespace {NAMESPACE}"
    if "incorrect signature" in text:
        return "the signature is not of these bytes: what was signed was changed, or the signature is another's"
    return f"ssh-keygen does not accept the signature: {_said(said)}"


def _refusal(said: str, key: Key) -> str:
    text = said.lower()
    if "agent refused operation" in text:
        return (
            f"the agent refused to sign with {key.fingerprint}: it is locked, or it asks for a confirmation that "
            f"nobody can give here (ssh-add -c without a display); confirm it, unlock it (ssh-add -X), or {_ELSEWHERE}"
        )
    if "no private key found" in text:
        return f"the agent does not hold the key {key.fingerprint}; add it (ssh-add), or {_ELSEWHERE}"
    return f"ssh-keygen did not sign: {_said(said)}; {_ELSEWHERE}"


def _agent(environ: Mapping[str, str]) -> str:
    """Return where the agent listens. Raises `SshError` where there is none, or it is dead."""
    where = environ.get("SSH_AUTH_SOCK", "")
    if not where:
        raise SshError(
            "there is no SSH agent here (SSH_AUTH_SOCK is not set): log in with the agent forwarded (ssh -A), or "
            f"{_ELSEWHERE}"
        )
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2.0)
            probe.connect(where)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        cure = (
            'tmux kept the socket of an earlier login: eval "$(tmux show-environment -s SSH_AUTH_SOCK)" in this pane'
            if environ.get("TMUX")
            else "log in again with the agent forwarded (ssh -A)"
        )
        raise SshError(f"the SSH agent is gone ({safe_text(where, 120)}: {why}); {cure}, or {_ELSEWHERE}") from None
    return safe_text(where, 120)


def _hangs(where: str, limit_s: float) -> str:
    return (
        f"the agent at {where} did not answer within {limit_s:g} s, and nothing was signed; touch or confirm the key "
        f"sooner, log in again where the connection to the agent is dead, or {_ELSEWHERE}"
    )


def _said(text: str) -> str:
    """Return the last line of what a tool said, made safe."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return safe_text(lines[-1], 200) if lines else "it said nothing"


def _string(blob: bytes, at: int) -> tuple[bytes, int]:
    """Return an SSH string and where it ends."""
    end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
    if end > len(blob):
        raise SshError("the SSH signature is damaged: it was cut off")
    return blob[at + 4 : end], end

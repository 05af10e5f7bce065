"""Choosing the key that signs: by its fingerprint, its .pub file, or the name of the person whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.errors import CommandError
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.gate.signers import Signers
    from mens_console.gate.ssh import Key

_MOST: Final = 65536
"""Bytes of a .pub file."""


def needed(signers: Signers | None) -> Signers:
    """Return who may sign. Raises `CommandError` where nothing says."""
    if signers is None:
        raise CommandError(
            "nobody says whose signatures count: name a file of people and their public keys (--allowed-signers FILE, "
            "or allowed_signers in the profile), with lines such as: ada@example.org ssh-ed25519 AAAA…"
        )
    return signers


def key_of(named: str | None, signers: Signers, *, elsewhere: bool) -> Key:
    """Return the key to sign with: `named` by the operator, or the only one that may sign.

    `elsewhere` looks in the file of signers instead of the agent. Raises `CommandError` with what there is to choose.
    """
    from mens_console.gate.ssh import Key, agent_keys

    if elsewhere:
        held = {fingerprint: Key("", fingerprint, name) for fingerprint, name in signers.principals.items()}
    else:
        held = {one.fingerprint: one for one in agent_keys()}
    wanted = _wanted(named, signers) if named else None
    fitting = [held[one] for one in held if (one in signers.principals if wanted is None else one in wanted)]
    if len(fitting) == 1:
        return fitting[0]
    where = f"the file {signers.path}" if elsewhere else "the agent"
    if not fitting:
        kind = f"of {safe_text(named, 80)}" if named else "that may sign"
        raise CommandError(
            f"{where} holds no key {kind}; known in {signers.path}:",
            tuple(f"{key}  {safe_text(name, 80)}" for key, name in signers.principals.items()),
        )
    raise CommandError(
        f"{where} holds {len(fitting)} keys that may sign; choose one with --key:",
        tuple(
            f"{one.fingerprint}  {safe_text(signers.principals.get(one.fingerprint, 'unknown'), 80)}" for one in fitting
        ),
    )


def _wanted(named: str, signers: Signers) -> set[str]:
    """Return the fingerprints that `--key` means."""
    from mens_console.gate import ssh
    from mens_console.ingest.safeopen import read_small

    if named.startswith("SHA256:"):
        return {named}
    people = {key for key, name in signers.principals.items() if name == named}
    if people:
        return people
    try:
        line = read_small(str(Path(named).expanduser()), _MOST, follow=True).decode("utf-8", "replace")
        return {ssh.key_of(line).fingerprint}
    except OSError as error:
        raise CommandError(
            f"{named}: neither a name in {signers.path}, nor a .pub file ({(error.strerror or str(error)).lower()})"
        ) from None
    except ssh.SshError as error:
        raise CommandError(f"{named}: {error}") from None

"""How a publisher or admin key is spelled."""

from __future__ import annotations

from bellwire.engine.secrets import new_secret
from bellwire.model.identity import KeyKind

_PREFIXES = {KeyKind.PUBLISHER: "bwp_", KeyKind.ADMIN: "bwa_"}


def new_api_key(kind: KeyKind) -> str:
    """A new key; its prefix says what it is, to people and to scanners that look for leaked secrets."""
    return _PREFIXES[kind] + new_secret()

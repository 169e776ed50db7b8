"""How secrets are made and stored: tokens and keys as SHA-256, passwords as scrypt.

What a machine chose has 256 random bits, and a plain hash is enough: nobody guesses it, and it is looked up by that
hash. What a person chose is guessed, so a password costs 16 MiB and some 50 ms to try; both functions for passwords
block that long and belong on a thread (`asyncio.to_thread`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct

MAX_PASSWORD_BYTES = 256
"""Longer passwords are neither stored nor tried."""

_SALT_BYTES = 16
_DIGEST_BYTES = 32
_LOG2_COST, _BLOCK_SIZE, _PARALLEL = 14, 8, 1
_HEADER = struct.Struct(">BBBB")
_VERSION = 1
_MAX_LOG2_COST = 20
_MEMORY_LIMIT_BYTES = 256 * 1024 * 1024


def new_secret(size_bytes: int = 32) -> str:
    """A random secret or id in URL-safe base64 without padding (`A-Za-z0-9-_`): token, code, key, client id or secret.

    Never with a hyphen first: as an argument on a command line it would be taken for an option.
    """
    while (secret := secrets.token_urlsafe(size_bytes)).startswith("-"):
        pass
    return secret


def hash_secret(secret: str) -> bytes:
    """What is stored of a machine-made secret: its SHA-256, 32 bytes. Any text is hashed, lone surrogates too."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def same_secret(shown: str, stored_hash: bytes) -> bool:
    """Whether `shown` is the secret that was stored, compared in constant time."""
    return hmac.compare_digest(hash_secret(shown), stored_hash)


def hash_password(password: str) -> bytes:
    """What is stored of a password: version, scrypt's parameters, salt and digest. Blocks for some 50 ms.

    Raises:
        ValueError: the password is empty, longer than 256 bytes of UTF-8, or not encodable.
    """
    encoded = password.encode()
    if not 1 <= len(encoded) <= MAX_PASSWORD_BYTES:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD_BYTES} bytes, this one has {len(encoded)}")
    salt = secrets.token_bytes(_SALT_BYTES)
    return (
        _HEADER.pack(_VERSION, _LOG2_COST, _BLOCK_SIZE, _PARALLEL)
        + salt
        + _scrypt(encoded, salt, _LOG2_COST, _BLOCK_SIZE, _PARALLEL)
    )


def verify_password(password: str, stored: bytes) -> bool:
    """Whether `password` is the one that was stored. Blocks for some 50 ms.

    Raises:
        ValueError: `stored` did not come from `hash_password`.
    """
    if len(stored) != _HEADER.size + _SALT_BYTES + _DIGEST_BYTES:
        raise ValueError("a stored password has the wrong length")
    version, log2_cost, block_size, parallel = _HEADER.unpack_from(stored)
    if version != _VERSION or log2_cost > _MAX_LOG2_COST:
        raise ValueError(
            f"a stored password has version {version} and cost 2^{log2_cost}, which this release can't read"
        )
    encoded = password.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_PASSWORD_BYTES:
        return False
    salt = stored[_HEADER.size : _HEADER.size + _SALT_BYTES]
    digest = stored[_HEADER.size + _SALT_BYTES :]
    return hmac.compare_digest(_scrypt(encoded, salt, log2_cost, block_size, parallel), digest)


def _scrypt(password: bytes, salt: bytes, log2_cost: int, block_size: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password,
        salt=salt,
        n=1 << log2_cost,
        r=block_size,
        p=parallel,
        maxmem=_MEMORY_LIMIT_BYTES,
        dklen=_DIGEST_BYTES,
    )

"""What makes one data directory itself: its id, and the key that it seals with.

The key is in a file of its own beside the database, so that a copy of the database alone gives nothing away. From its
32 bytes two keys are derived (HKDF, RFC 5869): one seals (AES-256-GCM), one signs Bellwire's own JWTs (HS256). A proof
sealed in the database tells at start whether key and database belong together.

    sealed text = version (1 byte, 1) · nonce (12 bytes, random) · ciphertext and tag
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, insert, select

from bellwire.errors import Misconfigured, Problem
from bellwire.storage.records import tables
from bellwire.storage.records.database import FILE_NAME, Records
from bellwire.storage.records.rows import put

KEY_FILE_NAME = "installation.key"

_KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class SqlInstallation:
    """`Installation` over a key file and the records database. Use `open`."""

    def __init__(self, records: Records, installation_id: str, sealing: Sealing) -> None:
        self._records = records
        self._id = installation_id
        self._sealing = sealing

    @classmethod
    async def open(cls, data_dir: Path, records: Records) -> SqlInstallation:
        """Read the installation's id and key; the first time, make them.

        Raises:
            Misconfigured: the key file is missing, unreadable, or another installation's.
        """
        known = await records.read(_identity)
        if known is None:
            sealing = Sealing(_made_key(data_dir))
            installation_id = str(uuid.uuid4())
            row = {"id": installation_id, "proof_sealed": sealing.seal(installation_id)}
            await records.write(lambda connection: connection.execute(insert(tables.installation).values(row)))
            return cls(records, installation_id, sealing)
        installation_id, proof = known
        sealing = Sealing(read_key(data_dir))
        if sealing.unseal(proof) != installation_id:
            raise _key_problem(data_dir, "belongs to another data directory")
        return cls(records, installation_id, sealing)

    @property
    def id(self) -> str:
        return self._id

    @property
    def signing_key(self) -> bytes:
        return self._sealing.signing_key

    def seal(self, text: str) -> bytes:
        return self._sealing.seal(text)

    def unseal(self, sealed: bytes) -> str:
        """Decrypt what `seal` gave.

        Raises:
            Misconfigured: it was sealed with another key, or changed since.
        """
        return self._sealing.unseal(sealed)

    async def memo(self, name: str) -> str | None:
        statement = select(tables.memo.c.text_sealed).where(tables.memo.c.name == name)
        sealed = await self._records.read(lambda connection: connection.execute(statement).scalar())
        return None if sealed is None else self.unseal(sealed)

    async def set_memo(self, name: str, text: str) -> None:
        row = {"name": name, "text_sealed": self.seal(text)}
        await self._records.write(lambda connection: put(connection, tables.memo, row))


def read_memo(data_dir: Path, name: str) -> str | None:
    """A memo of a data directory, read from outside: a server may be running on it, and nothing is written.

    Returns:
        None, too, where the directory has no records yet.

    Raises:
        Misconfigured: the records or their key can't be read.
    """
    path = data_dir / FILE_NAME
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            row = connection.execute("SELECT text_sealed FROM memo WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error as error:
        raise Misconfigured((Problem("data", f"{path} can't be read: {error}"),)) from error
    return None if row is None else Sealing(read_key(data_dir)).unseal(row[0])


class Sealing:
    """The two keys derived from an installation's key, and what is done with them."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derived(key, b"bellwire sealing"))
        self.signing_key = _derived(key, b"bellwire signing")

    def seal(self, text: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), _VERSION)

    def unseal(self, sealed: bytes) -> str:
        version, nonce, ciphertext = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if version != _VERSION or len(nonce) != _NONCE_BYTES:
                raise InvalidTag
            return self._cipher.decrypt(nonce, ciphertext, _VERSION).decode()
        except InvalidTag as error:
            raise Misconfigured(
                (Problem(KEY_FILE_NAME, "something sealed can't be opened: the key is not the one it was sealed with"),)
            ) from error


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(key)


def _identity(connection: Connection) -> tuple[str, bytes] | None:
    row = connection.execute(select(tables.installation.c.id, tables.installation.c.proof_sealed)).first()
    return None if row is None else (row[0], row[1])


def _made_key(data_dir: Path) -> bytes:
    """A new key, durable before anything is sealed with it. One that an interrupted first start left is used."""
    path = data_dir / KEY_FILE_NAME
    if path.exists():
        return read_key(data_dir)
    key = secrets.token_bytes(_KEY_BYTES)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    directory = os.open(data_dir, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key


def read_key(data_dir: Path) -> bytes:
    path = data_dir / KEY_FILE_NAME
    try:
        with path.open("rb") as file:
            text = file.read(2 * _KEY_BYTES + 2)
        key = bytes.fromhex(text.decode("ascii").strip())
    except OSError as error:
        raise _key_problem(data_dir, f"can't be read ({error.strerror})") from error
    except ValueError as error:
        raise _key_problem(data_dir, "is not a key of Bellwire") from error
    if len(key) != _KEY_BYTES:
        raise _key_problem(data_dir, "is not a key of Bellwire")
    return key


def _key_problem(data_dir: Path, what: str) -> Misconfigured:
    return Misconfigured(
        (
            Problem(
                "data",
                f"{data_dir / KEY_FILE_NAME} {what}; what {FILE_NAME} holds sealed can't be read without its key: "
                "restore both from the same backup",
            ),
        )
    )

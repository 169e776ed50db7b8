"""The installation's key file: made once, apart from the database, and missed loudly."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from bellwire.errors import Misconfigured
from bellwire.storage.records import FILE_NAME, KEY_FILE_NAME, open_records, read_memo
from tests.conformance.subscription_store import StoppedClock

SECRET = "the demo application's secret"


async def make_installation(data_dir: Path) -> None:
    stores = await open_records(data_dir, StoppedClock())
    await stores.installation.set_memo("demo", SECRET)
    await stores.close()


async def test_the_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    await make_installation(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE_NAME).stat().st_mode) == 0o600


async def test_neither_secrets_nor_the_key_are_in_the_database(tmp_path: Path) -> None:
    await make_installation(tmp_path)
    contents = (tmp_path / FILE_NAME).read_bytes()
    assert SECRET.encode() not in contents
    assert bytes.fromhex((tmp_path / KEY_FILE_NAME).read_text().strip()) not in contents


async def test_a_missing_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    await make_installation(tmp_path)
    (tmp_path / KEY_FILE_NAME).unlink()
    with pytest.raises(Misconfigured, match=r"installation\.key can't be read"):
        await open_records(tmp_path, StoppedClock())
    assert not (tmp_path / KEY_FILE_NAME).exists()


@pytest.mark.parametrize("text", ["", "zz", "00" * 31, "00" * 33, "ü"])
async def test_a_damaged_key_is_refused(tmp_path: Path, text: str) -> None:
    await make_installation(tmp_path)
    (tmp_path / KEY_FILE_NAME).write_text(text)
    with pytest.raises(Misconfigured, match=r"installation\.key"):
        await open_records(tmp_path, StoppedClock())


async def test_another_installations_key_is_refused(tmp_path: Path) -> None:
    await make_installation(tmp_path / "one")
    await make_installation(tmp_path / "two")
    (tmp_path / "one" / KEY_FILE_NAME).write_bytes((tmp_path / "two" / KEY_FILE_NAME).read_bytes())
    with pytest.raises(Misconfigured, match=r"installation\.key"):
        await open_records(tmp_path / "one", StoppedClock())


async def test_a_key_that_an_interrupted_first_start_left_is_used(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE_NAME).write_text("ab" * 32)
    await make_installation(tmp_path)
    assert (tmp_path / KEY_FILE_NAME).read_text() == "ab" * 32


@pytest.mark.parametrize("spoiled", [b"", b"\x01", b"\x02" + b"0" * 40, b"\x01" + b"0" * 40])
async def test_what_was_not_sealed_here_can_not_be_unsealed(tmp_path: Path, spoiled: bytes) -> None:
    stores = await open_records(tmp_path, StoppedClock())
    with pytest.raises(Misconfigured, match="sealed"):
        stores.installation.unseal(spoiled)
    await stores.close()


async def test_a_memo_can_be_read_from_another_process_while_the_server_has_it_open(tmp_path: Path) -> None:
    stores = await open_records(tmp_path, StoppedClock())
    await stores.installation.set_memo("demo", SECRET)
    program = (
        "import sys, pathlib; from bellwire.storage.records import read_memo; "
        "print(read_memo(pathlib.Path(sys.argv[1]), 'demo'))"
    )
    read = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await read.communicate()
    assert output.decode() == SECRET + "\n"
    await stores.installation.set_memo("demo", "changed after it was read")
    assert read_memo(tmp_path, "demo") == "changed after it was read"
    await stores.close()


async def test_a_memo_can_be_read_after_the_server_stopped(tmp_path: Path) -> None:
    await make_installation(tmp_path)
    assert read_memo(tmp_path, "demo") == SECRET
    assert read_memo(tmp_path, "unknown") is None


def test_reading_a_memo_makes_no_data_directory(tmp_path: Path) -> None:
    assert read_memo(tmp_path / "none", "demo") is None
    assert not (tmp_path / "none").exists()


def test_reading_a_memo_of_a_broken_database_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(Misconfigured, match=FILE_NAME):
        read_memo(tmp_path, "demo")

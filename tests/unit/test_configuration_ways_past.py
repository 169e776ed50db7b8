"""Configurations that look right at a glance, and could not run, or would not be safe."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bellwire.configuration import load_settings
from bellwire.errors import Misconfigured, Problem
from bellwire.settings import Mode


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


def problems_of(environ: dict[str, str], mode: Mode = Mode.SERVE) -> tuple[Problem, ...]:
    with pytest.raises(Misconfigured) as refusal:
        load_settings(environ, None, mode)
    return refusal.value.problems


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("path", ["/proc/x", "/proc/x/y", "/dev/null/x"])
def test_a_data_directory_that_can_not_be_made_is_refused(path: str, mode: Mode) -> None:
    [problem] = problems_of({"BELLWIRE_DATA_DIR": path}, mode)

    assert problem.key == "data_dir"
    assert path in problem.message


def test_a_data_directory_that_is_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    assert [p.key for p in problems_of({"BELLWIRE_DATA_DIR": str(tmp_path / "link")})] == ["data_dir"]
    assert [p.key for p in problems_of({"BELLWIRE_DATA_DIR": str(tmp_path / "link" / "x")})] == ["data_dir"]


def test_trying_a_data_directory_leaves_nothing_behind(data_dir: Path) -> None:
    load_settings({"BELLWIRE_DATA_DIR": str(data_dir)}, None, Mode.SERVE)
    load_settings({"BELLWIRE_DATA_DIR": str(data_dir / "below")}, None, Mode.SERVE)

    assert list(data_dir.iterdir()) == []


def test_the_home_of_a_user_that_is_not_there_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    environ = {"BELLWIRE_DATA_DIR": "~no-such-user/x", "BELLWIRE_CONFIG": "~no-such-user/bellwire.toml"}

    assert {problem.key for problem in problems_of(environ)} == {"BELLWIRE_DATA_DIR", "~no-such-user/bellwire.toml"}


def list_of_revoked_certificates() -> str:
    """A PEM file that is loaded without complaint, and vouches for nobody."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1, tzinfo=UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    builder = x509.CertificateRevocationListBuilder(issuer, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("content", ["", "root:x:0:0:root:/root:/bin/bash\n", list_of_revoked_certificates()])
def test_a_file_without_certificates_is_refused_as_authorities(data_dir: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(content)

    [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_WEBHOOK_CA_FILE": str(file)})

    assert problem.key == "webhook_ca_file"
    assert "certificates" in problem.message


def test_a_directory_or_a_pipe_is_refused_as_authorities_without_waiting(data_dir: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", data_dir):
        [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_WEBHOOK_CA_FILE": str(path)})
        assert (problem.key, problem.message) == ("webhook_ca_file", f"{path} is not a file that can be read")


@pytest.mark.parametrize("key", ["trusted_proxies", "webhook_allowed_networks"])
@pytest.mark.parametrize(
    "networks",
    [
        "0.0.0.0/1,128.0.0.0/1",
        "0.0.0.0/2,64.0.0.0/2,128.0.0.0/3",
        "10.0.0.0/8,0.0.0.0/1,128.0.0.0/9",
        "::/1,8000::/1",
        "2000::/3",
        "2000::/5,2800::/6",
        "::ffff:0:0/96",
        "::ffff:0:0/97,::ffff:128.0.0.0/97",
        "0.0.0.0/1,::ffff:128.0.0.0/97",
    ],
)
def test_networks_that_together_are_nearly_everybody_are_refused(data_dir: Path, key: str, networks: str) -> None:
    [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), f"BELLWIRE_{key.upper()}": networks})

    assert problem.key == key


@pytest.mark.parametrize("networks", ["10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", "::ffff:10.0.0.0/104", "::1"])
def test_networks_that_are_named_are_accepted_even_where_they_are_large(data_dir: Path, networks: str) -> None:
    environ = {"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_TRUSTED_PROXIES": networks}

    assert len(load_settings(environ, None, Mode.SERVE).trusted_proxies) == networks.count(",") + 1


def test_every_bad_item_of_a_list_is_reported(data_dir: Path) -> None:
    problems = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_TRUSTED_PROXIES": "bad1,10.0.0.0/8,bad2"})

    assert [problem.key for problem in problems] == ["BELLWIRE_TRUSTED_PROXIES"] * 2
    assert [problem.message.split(" is not")[0] for problem in problems] == ["item 1: 'bad1'", "item 3: 'bad2'"]


@pytest.mark.parametrize(
    "url",
    [
        "https://a..b",
        "https://.example.com",
        "https://example.com.",
        "https://exam_ple.com",
        "https://exam ple.com",
        "https://exa\tmple.com",
        "https://éxample.com",
        "https://-a.example.com",
        f"https://{'a' * 64}.example.com",
        f"https://{'a.' * 130}example",
        "https://1.2.3.4.5",
        "https://127.1",
        "https://256.1.1.1",
        "https://[fe80::1%25eth0]",
        "https://example.com:",
        "https://example.com/a/../b",
        "https://example.com/./b",
        "https://example.com/a/%2E%2e/b",
        "https://example.com/..",
        "https://example.com/a?",
        "https://example.com/a#",
        "https://example.com/a\\b",
    ],
)
def test_a_public_url_that_clients_could_not_use_is_refused(data_dir: Path, url: str) -> None:
    [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_PUBLIC_URL": url})

    assert problem.key == "BELLWIRE_PUBLIC_URL"


@pytest.mark.parametrize(
    "url",
    [
        "https://events",
        "https://xn--bcher-kva.example:8443/a-b/c.d/~e",
        "https://[2606:4700::1]:444",
        "https://192.0.2.1/.well-known",
        f"https://{'a' * 63}.example.com",
    ],
)
def test_a_public_url_that_clients_can_use_is_accepted(data_dir: Path, url: str) -> None:
    environ = {"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_PUBLIC_URL": url}

    assert load_settings(environ, None, Mode.SERVE).public_url == url


@pytest.mark.parametrize("host", ["no host", "a..b", "127.1", "http://localhost", "[::1]", "localhost:80", "a" * 64])
def test_a_host_that_is_neither_address_nor_name_is_refused(data_dir: Path, host: str) -> None:
    assert "BELLWIRE_HOST" in {p.key for p in problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_HOST": host})}


@pytest.mark.parametrize("name", ["BELLWIRE_NONSENSE", "BELLWIRE_X", "BELLWIRE_"])
def test_a_name_that_is_like_no_setting_gets_no_suggestion(data_dir: Path, name: str) -> None:
    [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), name: "x"})

    assert (problem.key, problem.message) == (name, "no such setting; `bellwire settings` lists them")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BELLWIRE_PROT", "BELLWIRE_PORT"),
        ("BELLWIRE_CONFG", "BELLWIRE_CONFIG"),
        ("BELLWIRE_DATADIR", "BELLWIRE_DATA_DIR"),
    ],
)
def test_a_slip_of_the_pen_gets_the_setting_that_was_meant(data_dir: Path, name: str, meant: str) -> None:
    [problem] = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), name: "x"})

    assert problem.message == f"no such setting; did you mean {meant}?"

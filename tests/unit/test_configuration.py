from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from bellwire.configuration import CLIENT_VARIABLES, load_settings
from bellwire.errors import Misconfigured
from bellwire.settings import LogLevel, Mode, Settings


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


def problems_of(environ: dict[str, str], toml: Path | None = None, mode: Mode = Mode.SERVE) -> dict[str, str]:
    with pytest.raises(Misconfigured) as refusal:
        load_settings(environ, toml, mode)
    return {problem.key: problem.message for problem in refusal.value.problems}


def test_defaults_serve_on_loopback_and_allow_nothing_unsafe(data_dir: Path) -> None:
    settings = load_settings({"BELLWIRE_DATA_DIR": str(data_dir)}, None, Mode.SERVE)

    assert settings == Settings(data_dir=data_dir)
    assert settings.base_url == "http://127.0.0.1:8710"
    assert not settings.webhook_allow_http
    assert not settings.webhook_allow_private_networks
    assert settings.cors_origins == ()


def test_dev_allows_http_and_private_addresses_and_keeps_its_data_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings({}, None, Mode.DEV)

    assert settings.webhook_allow_http
    assert settings.webhook_allow_private_networks
    assert settings.data_dir == Path(".bellwire")


def test_environment_wins_over_file_and_command_line_over_both(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "bellwire.toml"
    file.write_text(f'data_dir = "{data_dir}"\nport = 1000\nretention_hours = 10\nlog_level = "debug"\n')

    settings = load_settings(
        {"BELLWIRE_PORT": "2000", "BELLWIRE_RETENTION_HOURS": "20"}, file, Mode.SERVE, overrides={"port": 3000}
    )

    assert (settings.port, settings.retention_hours, settings.log_level) == (3000, 20, LogLevel.DEBUG)


def test_the_environment_may_name_the_file(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "bellwire.toml"
    file.write_text(f'data_dir = "{data_dir}"\nport = 1234\n')

    assert load_settings({"BELLWIRE_CONFIG": str(file)}, None, Mode.SERVE).port == 1234


@pytest.mark.parametrize("written", ["10.1.0.0/16, fd00::/8", ["10.1.0.0/16", "fd00::/8"]])
def test_lists_are_read_with_commas_and_as_toml_lists(data_dir: Path, written: object) -> None:
    settings = load_settings(
        {}, None, Mode.SERVE, overrides={"data_dir": data_dir, "webhook_allowed_networks": written}
    )

    assert settings.webhook_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


def test_name_servers_are_addresses_asked_at_port_53_unless_another_is_given(data_dir: Path) -> None:
    written = "10.0.0.53, 10.0.0.54:5353, fd00::53, [fd00::54], [fd00::55]:5353"
    settings = load_settings({"BELLWIRE_DNS_SERVERS": written, "BELLWIRE_DATA_DIR": str(data_dir)}, None, Mode.SERVE)

    assert settings.dns_servers == (
        "10.0.0.53:53",
        "10.0.0.54:5353",
        "[fd00::53]:53",
        "[fd00::54]:53",
        "[fd00::55]:5353",
    )


@pytest.mark.parametrize(
    "server", ["dns.example.com", "10.0.0.53:", "10.0.0.53:0", "10.0.0.53:65536", "[fd00::53", "fe80::1%eth0", "10.0.0"]
)
def test_a_name_server_that_is_no_address_is_refused_and_named(data_dir: Path, server: str) -> None:
    found = problems_of({"BELLWIRE_DATA_DIR": str(data_dir), "BELLWIRE_DNS_SERVERS": f"10.0.0.1,{server}"})

    assert list(found) == ["BELLWIRE_DNS_SERVERS"]
    assert "item 2" in found["BELLWIRE_DNS_SERVERS"]
    assert server in found["BELLWIRE_DNS_SERVERS"]


def test_all_problems_are_listed_each_with_its_key(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "bellwire.toml"
    file.write_text('retention_hours = "long"\nwebhook_alow_http = true\n')

    found = problems_of(
        {
            "BELLWIRE_DATA_DIR": str(data_dir),
            "BELLWIRE_PORT": "70000",
            "BELLWIRE_HOTS": "0.0.0.0",
            "BELLWIRE_PUBLIC_URL": "http://events.example.com",
            "BELLWIRE_WEBHOOK_ALLOW_PRIVATE_NETWORKS": "yes",
        },
        file,
    )

    assert set(found) == {
        f"retention_hours in {file}",
        f"webhook_alow_http in {file}",
        "BELLWIRE_PORT",
        "BELLWIRE_HOTS",
        "public_url",
        "webhook_allow_private_networks",
    }
    assert "BELLWIRE_HOST" in found["BELLWIRE_HOTS"]
    assert "webhook_allow_http" in found[f"webhook_alow_http in {file}"]


def test_names_that_bellwire_env_prints_pass(data_dir: Path) -> None:
    environ = dict.fromkeys(CLIENT_VARIABLES, "anything") | {"BELLWIRE_DATA_DIR": str(data_dir)}

    assert load_settings(environ, None, Mode.SERVE).data_dir == data_dir


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BELLWIRE_PORT", "-1"),
        ("BELLWIRE_PORT", "８７１０"),
        ("BELLWIRE_PORT", "1" * 5000),
        ("BELLWIRE_PORT", ""),
        ("BELLWIRE_WEBHOOK_STRICT_CONTENT_TYPE", "maybe"),
        ("BELLWIRE_PUBLIC_URL", "events.example.com"),
        ("BELLWIRE_PUBLIC_URL", "https://user@events.example.com"),
        ("BELLWIRE_PUBLIC_URL", "https://events.example.com/?a=b"),
        ("BELLWIRE_PUBLIC_URL", "https://[::1"),
        ("BELLWIRE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("BELLWIRE_CORS_ORIGINS", "https://app.example.com/path"),
        ("BELLWIRE_LOG_LEVEL", "loud"),
        ("BELLWIRE_MAX_EVENT_BYTES", "256K"),
        ("BELLWIRE_RETENTION_HOURS", "0"),
        ("BELLWIRE_SMPP_PASSWORD", "123456789"),
        ("BELLWIRE_SMPP_SYSTEM_ID", "a-name-too-long-"),
        ("BELLWIRE_SMPP_LONG_TEXTS", "sar"),
        ("BELLWIRE_SMPP_WINDOW", "0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_name(data_dir: Path, name: str, value: str) -> None:
    assert list(problems_of({"BELLWIRE_DATA_DIR": str(data_dir), name: value})) == [name]


@pytest.mark.parametrize(
    ("key", "environ"),
    [
        ("public_url", {"BELLWIRE_HOST": "0.0.0.0"}),
        ("public_url", {"BELLWIRE_HOST": "::"}),
        ("public_url", {"BELLWIRE_HOST": "192.0.2.7"}),
        ("public_url", {"BELLWIRE_PUBLIC_URL": "http://events.example.com"}),
        ("cors_origins", {"BELLWIRE_CORS_ORIGINS": "https://a.example.com,*"}),
        ("webhook_allow_http", {"BELLWIRE_WEBHOOK_ALLOW_HTTP": "true"}),
        ("webhook_allow_private_networks", {"BELLWIRE_WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true"}),
        ("webhook_allowed_networks", {"BELLWIRE_WEBHOOK_ALLOWED_NETWORKS": "::/0"}),
        ("trusted_proxies", {"BELLWIRE_TRUSTED_PROXIES": "0.0.0.0/0"}),
        ("max_event_bytes", {"BELLWIRE_MAX_PUBLISH_BYTES": "2048"}),
        ("webhook_connections_per_host", {"BELLWIRE_WEBHOOK_CONNECTIONS": "8"}),
        ("webhook_ca_file", {"BELLWIRE_WEBHOOK_CA_FILE": "/no/such/file"}),
        ("smpp_host", {"BELLWIRE_SMS_CARRIER": "smpp"}),
        ("smpp_system_id", {"BELLWIRE_SMPP_HOST": "smsc.example.com"}),
        ("smpp_ca_file", {"BELLWIRE_SMPP_CA_FILE": "/no/such/file", "BELLWIRE_SMPP_TLS": "true"}),
    ],
)
def test_what_is_unsafe_in_production_is_refused(data_dir: Path, key: str, environ: dict[str, str]) -> None:
    assert list(problems_of({"BELLWIRE_DATA_DIR": str(data_dir)} | environ)) == [key]


def test_a_server_for_others_with_a_public_https_url_is_accepted(data_dir: Path) -> None:
    environ = {
        "BELLWIRE_DATA_DIR": str(data_dir),
        "BELLWIRE_HOST": "0.0.0.0",
        "BELLWIRE_PUBLIC_URL": "https://events.example.com/",
    }

    assert load_settings(environ, None, Mode.SERVE).base_url == "https://events.example.com"


def test_a_data_directory_that_others_can_read_is_refused(data_dir: Path) -> None:
    data_dir.chmod(0o755)

    assert "chmod" in problems_of({"BELLWIRE_DATA_DIR": str(data_dir)})["data_dir"]


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "not a directory" in problems_of({"BELLWIRE_DATA_DIR": str(tmp_path / "file")})["data_dir"]
    assert "data_dir" in problems_of({"BELLWIRE_DATA_DIR": str(tmp_path / "file" / "below")})


def test_a_missing_data_directory_is_accepted_where_it_can_be_made(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"

    assert load_settings({"BELLWIRE_DATA_DIR": str(wanted)}, None, Mode.SERVE).data_dir == wanted
    assert not wanted.exists()


@pytest.mark.parametrize("content", ["port = ", "\udcff"])
def test_a_file_that_is_not_toml_is_a_problem_not_a_traceback(data_dir: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "bellwire.toml"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))

    assert list(problems_of({"BELLWIRE_DATA_DIR": str(data_dir)}, file)) == [str(file)]


def test_a_missing_file_is_a_problem(data_dir: Path, tmp_path: Path) -> None:
    assert list(problems_of({"BELLWIRE_DATA_DIR": str(data_dir)}, tmp_path / "none.toml")) == [
        str(tmp_path / "none.toml")
    ]

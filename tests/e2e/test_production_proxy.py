"""nginx as docs/quickstart-production.md has it, before a server: TLS, publishing, WebSockets, what is kept back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import trustme
from websockets.asyncio.client import connect

from tests.e2e.in_process import Running, running_server
from tests.e2e.raw_socket import Login
from tests.e2e.tours import free_ports
from tests.pages import blocks_run_by

HERE = "tests/e2e/test_production_proxy.py"
NAME = "events.example.com"
AROUND = """
daemon off;
pid {tmp}/nginx.pid;
error_log {tmp}/error.log;
worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {tmp}/body;
  proxy_temp_path {tmp}/proxy;
  fastcgi_temp_path {tmp}/fastcgi;
  uwsgi_temp_path {tmp}/uwsgi;
  scgi_temp_path {tmp}/scgi;
  {site}
}}
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Proxied:
    running: Running
    http: httpx.AsyncClient
    tls: ssl.SSLContext


def site(tmp: Path, *, port: int, behind: str, authority: trustme.CA) -> str:
    """The page's block with ports and files of this machine; each has to be there to be replaced."""
    [block] = blocks_run_by(f"{HERE}::test_clients_are_served_over_tls_under_the_public_url")
    certificate = authority.issue_cert(NAME, "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp / "both.pem"))
    for told, instead in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:8710": behind,
        "/etc/ssl/events.example.com.pem": str(tmp / "both.pem"),
        "/etc/ssl/events.example.com.key": str(tmp / "both.pem"),
    }.items():
        assert told in block
        block = block.replace(told, instead)
    return AROUND.format(tmp=tmp, site=block)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        assert os.environ.get("CI") != "true", "nginx is missing"
        pytest.skip("nginx is missing")
    tmp = tmp_path_factory.mktemp("proxy")
    tmp.chmod(0o755)
    [port] = free_ports(1)
    authority = trustme.CA()
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    environment = {"BELLWIRE_PUBLIC_URL": f"https://localhost:{port}", "BELLWIRE_TRUSTED_PROXIES": "127.0.0.1/32"}
    async with running_server(tmp / "data", environment=environment) as running:
        configuration = tmp / "nginx.conf"
        behind = running.url.removeprefix("http://")
        configuration.write_text(site(tmp, port=port, behind=behind, authority=authority))
        process = await asyncio.create_subprocess_exec(nginx, "-p", str(tmp), "-c", str(configuration))
        try:
            async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=tls, trust_env=False) as http:
                await _until_it_answers(http, process)
                yield Proxied(running, http, tls)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _until_it_answers(http: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(30):
        while True:
            assert process.returncode is None, "nginx has ended"
            with contextlib.suppress(httpx.TransportError):
                await http.get("/restapi")
                return
            await asyncio.sleep(0.02)


async def test_clients_are_served_over_tls_under_the_public_url(proxied: Proxied) -> None:
    login = await Login.of(proxied.http, proxied.running.demo)
    account = (await login.call("GET", "/restapi/v1.0/account/~")).json()

    assert account["uri"].startswith(str(proxied.http.base_url))


async def test_operators_paths_are_kept_from_the_public(proxied: Proxied) -> None:
    paths = ("/metrics", "/bellwire/v1/health", "/bellwire/v1/ready", "/bellwire/v1/admin/accounts")

    assert [(await proxied.http.get(path)).status_code for path in paths] == [404] * 4
    assert (await proxied.running.http.get("/metrics")).status_code == 200


async def test_a_long_publish_request_goes_through(proxied: Proxied) -> None:
    event = {
        "event": "/restapi/v1.0/account/400100/a2p-sms/opt-outs",
        "body": {"from": "+16505550180", "to": "+12015550111", "active": True, "note": "x" * 100_000},
    }
    lines = (json.dumps(event) + "\n").encode()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield lines

    answer = await proxied.http.post(
        "/bellwire/v1/events",
        content=body(),
        headers={
            "Authorization": f"Bearer {proxied.running.demo.publisher_key}",
            "Content-Type": "application/x-ndjson",
        },
        timeout=60,
    )

    assert (answer.status_code, answer.json()["accepted"]) == (202, 60)


async def test_a_batch_may_be_larger_than_nginx_lets_through_by_default(proxied: Proxied) -> None:
    answer = await proxied.http.post(
        "/restapi/v1.0/account/~/a2p-sms/batches",
        content=b" " * 2_000_000 + b"{}",
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {(await Login.of(proxied.http, proxied.running.demo)).tokens['access_token']}",
        },
    )

    assert answer.status_code == 400, answer.text  # Bellwire's refusal, not nginx' 413
    assert answer.json()["errorCode"].startswith("CMN-")


async def test_a_websocket_is_let_through(proxied: Proxied) -> None:
    token = await (await Login.of(proxied.http, proxied.running.demo)).socket_token()
    assert token["uri"].startswith("wss://localhost:")

    async with connect(f"{token['uri']}?access_token={token['ws_access_token']}", ssl=proxied.tls) as socket:
        [meta, *_] = json.loads(await socket.recv())

    assert meta["type"] == "ConnectionDetails"

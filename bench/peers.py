"""Outside programs that benchmarks measure against: nginx as the receiver, wrk as the yardstick.

Both are optional tools of the machine, not of the project. Each runs on a free loopback port, out of a temporary
directory, and is gone afterwards.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NGINX_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 60s;
  server {{
    listen {address}:{port} backlog=4096;
    location / {{ add_header Validation-Token $http_validation_token; return {status}; }}
  }}
}}
"""

_WRK_SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json; charset=UTF-8"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""


PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "redis-server": "redis-server"}
"""What brings each tool on Debian and Ubuntu."""


def missing_tools(*tools: str) -> list[str]:
    """Which of these tools, or of nginx and wrk, this machine lacks."""
    return [tool for tool in tools or ("nginx", "wrk") if _find(tool) is None]


@contextmanager
def nginx(*, status: int = 200, every_address: bool = False) -> Iterator[int]:
    """One nginx worker that answers every request with `status`; gives its port once it listens.

    `every_address`: on all of 127.0.0.0/8, so that one receiver is many hosts.
    """
    program = _find("nginx")
    assert program is not None, "nginx is not installed"
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as name:
        directory = Path(name)
        port = free_port()
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _NGINX_CONFIGURATION.format(
                directory=directory, address="0.0.0.0" if every_address else "127.0.0.1", port=port, status=status
            )
        )
        process = subprocess.Popen(
            [program, "-p", name, "-e", str(directory / "error.log"), "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_listening(process, port, directory / "error.log")
            yield port
        finally:
            process.terminate()
            process.wait(10)


def wrk_rate(port: int, body: bytes, *, connections: int = 64, seconds: int = 4) -> float:
    """Requests a second that one thread of wrk gets answered when it POSTs the body over keep-alive connections."""
    program = _find("wrk")
    assert program is not None, "wrk is not installed"
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as name:
        (Path(name) / "body").write_bytes(body)
        script = Path(name) / "post.lua"
        script.write_text(_WRK_SCRIPT.format(body=Path(name) / "body"))
        run = subprocess.run(
            [program, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/hook"],
            check=True,
            capture_output=True,
            text=True,
        )
    if re.search(r"Non-2xx|Socket errors", run.stdout):
        raise RuntimeError(f"wrk met errors:\n{run.stdout}")
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", run.stdout)
    assert rate is not None, run.stdout
    return float(rate[1])


def _find(tool: str) -> str | None:
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended: {log.read_text() if log.exists() else 'no log'}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("nginx did not listen within 10 s")

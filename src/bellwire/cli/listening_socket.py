"""The socket that a server listens on, and whether there could be one: host and port of the configuration."""

from __future__ import annotations

import errno
import socket
import threading

from bellwire.cli.failure import CommandFailed
from bellwire.errors import Misconfigured, Problem
from bellwire.host_name import is_address, is_local_name

LOOK_UP_SECONDS = 5.0
"""What a resolver may take; one that is down would else hold the start up for half a minute."""
BACKLOG = 2048


def listening_socket(host: str, port: int) -> socket.socket:
    """Bind before anything else is opened: a port that is taken is the likeliest thing to go wrong.

    Raises:
        CommandFailed: the port is taken.
        Misconfigured: host or port can't be listened on.
    """
    listening = _bound(host, port)
    try:
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _failure(host, port, error) from None
    listening.setblocking(False)
    return listening


def trouble_with_host(host: str) -> Problem | None:
    """Why nothing could listen on a host; its port is left alone, which a running server may have."""
    try:
        _bound(host, 0).close()
    except Misconfigured as refusal:
        return refusal.problems[0]
    return None


def _bound(host: str, port: int) -> socket.socket:
    address = _address_of(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound: socket.socket | None = None
    try:
        # TCP by name: asyncio's own loop turns Nagle off only where it is said, and a small answer else waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
    except OSError as error:
        if bound is not None:
            bound.close()
        raise _failure(host, port, error) from None
    return bound


def _address_of(host: str) -> str:
    if is_address(host):
        return host
    if is_local_name(host):
        return "127.0.0.1"
    found: list[str] = []
    reasons = [f"its name could not be looked up within {LOOK_UP_SECONDS:g} s"]

    def look_up() -> None:
        try:
            found.extend(str(answer[4][0]) for answer in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            reasons[0] = f"it can't be resolved: {_text_of(error)}"

    # A thread that nobody waits for at exit: a look-up can't be broken off.
    looking = threading.Thread(target=look_up, daemon=True)
    looking.start()
    looking.join(LOOK_UP_SECONDS)
    # IPv4 first: what a name listened on before it had an IPv6 address as well.
    for address in sorted(found, key=lambda address: ":" in address):
        return address
    raise Misconfigured((Problem("host", f"can't listen on {host}: {reasons[0]}"),))


def _failure(host: str, port: int, error: OSError) -> CommandFailed | Misconfigured:
    if error.errno == errno.EADDRINUSE:
        return CommandFailed(f"port {port} of {host} is in use by another program")
    key = "port" if error.errno in {errno.EACCES, errno.EPERM} else "host"
    return Misconfigured((Problem(key, f"can't listen on {host} port {port}: {_text_of(error)}"),))


def _text_of(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

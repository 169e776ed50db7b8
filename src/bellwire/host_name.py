"""What may stand where a host is asked for: an IP address, or a name that DNS could know.

A form, not a look-up: whether there is such a host is for whoever connects or listens to find out.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

MAX_NAME_LENGTH = 253

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_plausible_host(host: str) -> bool:
    """An address without brackets, or labels of letters, digits and hyphens, the last of them no number.

    What ends in a number is read as an IPv4 address in one of its odd spellings by much software (`127.1`, `0x7f.1`).
    """
    if is_address(host):
        return True
    labels = host.split(".")
    return (
        len(host) <= MAX_NAME_LENGTH
        and all(_LABEL.fullmatch(label) for label in labels)
        and _NUMBER.fullmatch(labels[-1]) is None
    )


def is_plausible_in_url(netloc: str, host: str) -> bool:
    """The same within a URL, where an IPv6 address has brackets, and no zone, which means nothing elsewhere."""
    if not netloc.startswith("["):
        return is_plausible_host(host)
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False


def is_local_name(host: str) -> bool:
    """`localhost` and what is below it are this machine by definition (RFC 6761), whatever a resolver says."""
    return host.lower() == "localhost" or host.lower().endswith(".localhost")

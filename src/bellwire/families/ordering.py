"""Ordering keys that several families share. What a body does not give is taken from the path, or is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellwire.families.declaration import PathValues


def by_id(_values: PathValues, body: Mapping[str, Any]) -> str:
    """What happens to the thing that the body is of, in order."""
    return str(body.get("id", ""))


def by_extension(values: PathValues, body: Mapping[str, Any]) -> str:
    """What happens to one extension, in order. The body's comes first: a path may name the extension that watches."""
    return body.get("extensionId") or values.get("extensionId") or ""


def by_path_extension(values: PathValues, _body: Mapping[str, Any]) -> str:
    """What happens to the extension that the path names, in order."""
    return values.get("extensionId", "")


def by_account(values: PathValues, _body: Mapping[str, Any]) -> str:
    """All events of the family that one account has, in order."""
    return values.get("accountId", "")

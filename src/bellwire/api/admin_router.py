"""What all routes of the admin API have in common."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from bellwire.api.problems import documented
from bellwire.api.routing import api_router

PREFIX = "/bellwire/v1/admin"


def admin_router(path: str, *, named: Callable[[str], str] = str) -> APIRouter:
    """A router of the admin API.

    Args:
        path: of its routes, below the prefix of all.
        named: makes the operations' names from the functions' (`operation_ids`), before all get their `admin_`.
    """
    return api_router(
        PREFIX + path,
        tag="Administration",
        responses=documented(400, 401, 404, 503),
        named=lambda name: f"admin_{named(name)}",
    )

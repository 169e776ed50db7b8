"""Logging in as a client would, where a test has only what was printed for it."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.in_process import JWT_BEARER


def log_in(url: str, *, client: str, secret: str, jwt: str) -> dict[str, Any]:
    """By JWT; returns the answer with the access token."""
    answer = httpx.post(
        f"{url}/restapi/oauth/token",
        auth=(client, secret),
        data={"grant_type": JWT_BEARER, "assertion": jwt},
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found

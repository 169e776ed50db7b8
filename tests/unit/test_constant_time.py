"""Secrets are never compared by `==`, whose time says how much of a guess was right.

What is looked up in a table is looked up by its SHA-256: whoever measures that learns about a hash of the guess, which
can't be steered. What is compared in Python is compared by `hmac.compare_digest`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bellwire

SOURCES = sorted(Path(str(bellwire.__file__)).parent.rglob("*.py"))

SECRET = re.compile(r"(^|_)(hash|token|secret|password|signature|digest|challenge|verifier|assertion)s?$")

_LOOK_UP = "a look-up by the SHA-256 of what was shown"
ALLOWED = {
    "session.access_hash == access_hash": _LOOK_UP,
    "session.previous_access_hash == access_hash": _LOOK_UP,
    "session.refresh_hash == refresh_hash": _LOOK_UP,
    "session.previous_refresh_hash == refresh_hash": _LOOK_UP,
    "code.c.code_hash == code_hash": _LOOK_UP,
    "session.tokens.access_hash != access_hash": "which of a session's two hashes it was found by",
    "session.tokens.refresh_hash != token_hash": "which of a session's two hashes it was found by",
    "text.digests.get(part.number) == _digest(part)": "whether a part of a text came before",
    "value != expected_token": "the answer of an endpoint, which was sent the token just before",
}
"""Comparisons that may be, each with the reason."""


def comparisons(tree: ast.AST) -> Iterator[ast.Compare]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            yield node


def name_of(node: ast.expr) -> str:
    """The last name of what is compared; empty for what has none."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value, ast.Constant(str() as key)):
            return key if value else ""
        case ast.Call(func):
            return name_of(func)
        case ast.Await(value):
            return name_of(value)
    return ""


def is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def suspicious(source: str) -> list[str]:
    return [
        ast.unparse(compared)
        for compared in comparisons(ast.parse(source))
        for sides in [[compared.left, *compared.comparators]]
        if any(SECRET.search(name_of(side)) for side in sides) and not any(map(is_literal, sides))
    ]


def test_secrets_are_compared_in_constant_time_or_by_their_hashes() -> None:
    found = {compared for source in SOURCES for compared in suspicious(source.read_text())}

    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "shown == self._verification_token",
        "if headers['token'] != expected: refuse()",
        "key.key_hash == hash_secret(shown)",
        "a == signature(b)",
        "await password() == b",
    ],
)
def test_a_comparison_by_equality_would_be_found(source: str) -> None:
    assert suspicious(source)


def test_a_comparison_with_a_literal_is_none_of_secrets() -> None:
    assert not suspicious("token == '' or grant.token_type == BEARER")

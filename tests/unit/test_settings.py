from __future__ import annotations

import pytest

from bellwire.settings import declarations, local_url, reference


def test_every_setting_is_in_the_reference_with_both_spellings() -> None:
    rendered = reference()

    for key in declarations():
        assert f"| `{key}` | `BELLWIRE_{key.upper()}` |" in rendered


def test_every_default_is_a_value_that_the_setting_accepts() -> None:
    for key, (declaration, default) in declarations().items():
        for value in (default, declaration.dev_default):
            if value is not None:
                assert declaration.read(value) == value, key


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_a_listening_address_has_a_url_for_the_same_machine(host: str, url: str) -> None:
    assert local_url(host, 80) == url

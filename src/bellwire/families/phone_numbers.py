"""How phone numbers are brought to one spelling before they are compared: E.164, with its plus."""

from __future__ import annotations

import re

E164_PATTERN = r"^\+[1-9][0-9]{1,14}$"
E164 = re.compile(r"\+[1-9][0-9]{1,14}")


def with_plus(number: str) -> str:
    """Bare digits get their plus; all else stays as it is. Short extension numbers too: both sides do the same."""
    return f"+{number}" if number.isdigit() and number.isascii() else number

"""What the simulated carrier does with a message: decided by the last four digits of its recipient, so that a test or a
demonstration picks an outcome by picking a number. All other numbers are delivered.

    74dd  this server reports SMS-RC-4dd (or 75dd, 5dd), and nothing is sent
    94dd  the upstream carrier refuses with SMS-UP-4dd (or 95dd, 5dd)
    84dd  taken, and then the recipient's carrier reports SMS-CAR-4dd (or 85dd, 5dd; 81dd, 1dd)
    90dd  taken and delivered with a peculiarity of carriers
    91dd  taken and delivered, and then answered

docs/sms.md has the table for readers, and a test compares.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from bellwire.sms.codes import ErrorCode


class Peculiarity(Enum):
    """What else a carrier may do."""

    NONE = "none"
    NO_RECEIPT = "no receipt ever comes"
    EARLY_RECEIPT = "the receipt comes before the answer to the submission"
    THROTTLED_ONCE = "the first submission is throttled for half a second, the second is taken"
    NO_ANSWER = "the link ends before the answer: nobody knows whether it was sent"


@dataclass(frozen=True, slots=True)
class Script:
    """What happens to one message."""

    refusal: ErrorCode | None = None
    """It is not taken."""
    failure: ErrorCode | None = None
    """It is taken and not delivered."""
    peculiarity: Peculiarity = Peculiarity.NONE
    reply: str | None = None
    """The recipient's answer; `{text}` stands for what was sent."""


_DELIVERED = Script()


def _digits(code: ErrorCode) -> str:
    return code.rpartition("-")[2]


SCRIPTS: dict[str, Script] = {
    **{f"7{_digits(code)}": Script(refusal=code) for code in ErrorCode if code.startswith("SMS-RC-")},
    **{f"9{_digits(code)}": Script(refusal=code) for code in ErrorCode if code.startswith("SMS-UP-")},
    **{f"8{_digits(code)}": Script(failure=code) for code in ErrorCode if code.startswith("SMS-CAR-")},
    "9001": Script(peculiarity=Peculiarity.NO_RECEIPT),
    "9002": Script(peculiarity=Peculiarity.EARLY_RECEIPT),
    "9003": Script(peculiarity=Peculiarity.THROTTLED_ONCE),
    "9004": Script(peculiarity=Peculiarity.NO_ANSWER),
    "9101": Script(reply="STOP"),
    "9102": Script(reply="START"),
    "9103": Script(reply="Yes, thank you"),
    "9104": Script(reply="You wrote: {text}"),
}
"""The last four digits of a recipient → what happens."""


def script_of(recipient: str) -> Script:
    return SCRIPTS.get(recipient[-4:], _DELIVERED)


def receipt_delay(seed: int, message: str, mean_seconds: float) -> float:
    """Seconds from the submission to the report: between half and one and a half of the mean, always the same for one
    message and seed."""
    digest = hashlib.blake2b(f"{seed} {message}".encode(), digest_size=4).digest()
    return mean_seconds * (0.5 + int.from_bytes(digest) / 0x1_0000_0000)

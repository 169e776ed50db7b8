"""What the simulated carrier makes of a message, by the last digits of its recipient (docs/sms.md)."""

from __future__ import annotations

ENDINGS = ("0101", "0102", "0103", "0104", "9410", "8412", "9002", "0105")
"""Most are delivered; some fail before, some after the carrier took them, one has its receipt early."""
_STEPS = {
    "9410": ("Queued", "SendingFailed SMS-UP-410"),
    "8412": ("Queued", "Sent", "DeliveryFailed SMS-CAR-412"),
}
_DELIVERED = ("Queued", "Sent", "Delivered")


def expected_steps(recipient: str) -> tuple[str, ...]:
    """Statuses, each with its error code if it has one, in order."""
    return _STEPS.get(recipient[-4:], _DELIVERED)

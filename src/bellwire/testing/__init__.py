"""What people test their integrations with: the pytest plugin, and webhook receivers.

The plugin (`plugin.py`) is loaded by every pytest run where Bellwire is installed: nothing is imported here before it
is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bellwire.testing.embedded import ServerFailed
    from bellwire.testing.stage import Bellwire, Clock, Fault, Faults, Rejected, Sms
    from bellwire.testing.webhook import Notification, NotReceived, Webhook

__all__ = [
    "Bellwire",
    "Clock",
    "Fault",
    "Faults",
    "NotReceived",
    "Notification",
    "Rejected",
    "ServerFailed",
    "Sms",
    "Webhook",
]

_HOMES = {
    "embedded": ("ServerFailed",),
    "stage": ("Bellwire", "Clock", "Fault", "Faults", "Rejected", "Sms"),
    "webhook": ("NotReceived", "Notification", "Webhook"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")

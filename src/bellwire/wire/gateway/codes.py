"""Why the gateway refuses or closes, and with which WebSocket close code (wire contract, 5.10).

Node clients die of a refused handshake, and see nothing of a close code: whatever is wrong is said by an Error frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008
CLOSE_TRY_LATER = 1013
ABORTED = 1006
"""Never on the wire: the connection was cut, since its client does not read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an Error frame says, and the close code that follows it."""

    code: str
    status: int
    message: str
    close_code: int


BAD_TOKEN = Refusal("WSG-401", 401, "The socket token is missing, unknown or expired", CLOSE_POLICY)
BAD_ORIGIN = Refusal("CMN-401", 403, "Pages of this origin may not connect", CLOSE_POLICY)
BAD_RECOVERY_TOKEN = Refusal("WSG-400", 400, "Parameter [wsc] is not a recovery token", CLOSE_POLICY)
IDLE = Refusal("WSG-902", 408, "Nothing was sent in either direction for too long", CLOSE_NORMAL)
TOO_OLD = Refusal("WSG-903", 408, "The connection reached its longest life", CLOSE_NORMAL)
GOING_AWAY = Refusal("WSG-901", 503, "The server is going away; connect again", CLOSE_GOING_AWAY)
REVOKED = Refusal("WSG-904", 401, "The OAuth session was ended", CLOSE_POLICY)
TOO_MANY = Refusal("WSG-905", 429, "Too many connections", CLOSE_TRY_LATER)

UNREADABLE_FRAME = "WSG-906"
"""A frame that is none of the protocol's; the connection is kept."""


class RecoveryFailure(StrEnum):
    """Why a session could not be taken up again; in ConnectionDetails, the connection is a fresh one."""

    OTHER_LOGIN = "WSG-1003"
    """It belongs to another OAuth session."""
    GONE = "WSG-1005"
    """It is unknown, too old, or had no subscription."""

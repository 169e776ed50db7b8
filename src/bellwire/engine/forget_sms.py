"""Keeping High Volume SMS for as long as the operator wants: older batches, messages and changes of consents go.

The consents themselves stay, with the last change of each pair; so does whatever is not at its end, whatever its age.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from bellwire.model.sms import MessageId
from bellwire.ports.clock import Clock
from bellwire.ports.sms_retention import SmsRetention

FORGET_SECONDS = 3600.0
STEP = 500
"""Rows that are deleted together: some milliseconds of the records' only writer."""

_log = structlog.get_logger("bellwire.sms")


class SmsForgetting:
    """Has no state of its own: what a crash leaves undone is found by the next `run`."""

    def __init__(self, *, retention: SmsRetention, clock: Clock, keep: timedelta) -> None:
        """`keep`: how long; 0 is for ever."""
        self._retention = retention
        self._clock = clock
        self._keep = keep

    async def run(self) -> None:
        """Forget what is too old now."""
        if not self._keep:
            return
        before = self._clock.now() - self._keep
        batches = 0
        while (key := await self._retention.over_batch(before=before)) is not None:
            while await self._retention.forget_batch(key, limit=STEP):
                pass
            batches += 1
        last: MessageId | None = await self._retention.forget_single(before=before, after=None, limit=STEP)
        while last is not None:
            last = await self._retention.forget_single(before=before, after=last, limit=STEP)
        change: int | None = 0
        while change is not None:
            change = await self._retention.forget_changes(before=before, after=change, limit=STEP)
        if batches:
            _log.info("batches.forgotten", batches=batches, before=before.isoformat())

"""Changing consents over the API: by number in bulk (first version), or record by record (second version).

What can be changed is changed, and what can't is told back with the reason. A change is written in groups, so that
other changes of the records have their turn; repeating a request that broke off does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bellwire.errors import ErrorEntry, InvalidRequest
from bellwire.model.directory import Status
from bellwire.model.identity import Caller
from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from bellwire.model.sms_records import ConsentChange
from bellwire.ports.clock import Clock
from bellwire.ports.consents import ConsentWriter
from bellwire.ports.identity import Directory
from bellwire.sms.numbers import is_e164

GROUP = 1000
BULK_METHOD = "opt-outs/bulk-assign"
PATCH_METHOD = "consents v2"

_NOT_A_NUMBER = "The number has to be in E.164 format, as +16505550100"
_NOT_OURS = "The number is not one of this account"
_ONLY_PAIRS = "Only consents with the coverage PhoneNumber can be changed"


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of the numbers of one list, in its order."""

    successful: list[str]
    failed: list[tuple[str, str]]
    """Number and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedConsent:
    """One record of a PATCH."""

    sender: str
    recipient: str
    status: ConsentStatus
    source: ConsentSource
    coverage: str = ConsentCoverage.PHONE_NUMBER


class ConsentAssignment:
    """Changes for the caller's account."""

    def __init__(
        self, *, writer: ConsentWriter, directory: Directory, clock: Clock, room: Callable[[], Awaitable[None]]
    ) -> None:
        """`room`: waits while events of what happened before can't be published."""
        self._writer = writer
        self._room = room
        self._directory = directory
        self._clock = clock

    async def bulk_assign(
        self, caller: Caller, sender: str, *, opt_outs: Sequence[str], opt_ins: Sequence[str]
    ) -> tuple[Assigned, Assigned]:
        """Opt recipients of one of our numbers out, and others in.

        Returns:
            what became of the opt-outs, and of the opt-ins.

        Raises:
            InvalidRequest: CMN-101; the sender is not ours, there are no recipients, or one is in both lists.
        """
        if not is_e164(sender):
            raise _invalid("from", _NOT_A_NUMBER, sender)
        if sender not in self._own_numbers(caller):
            raise _invalid("from", _NOT_OURS, sender)
        if not opt_outs and not opt_ins:
            raise _invalid("optOuts", "At least one of optOuts and optIns has to have a number")
        if in_both := set(opt_outs).intersection(opt_ins):
            raise _invalid("optIns", "A number is in optOuts, too", min(in_both))
        out, in_ = _sorted_out(opt_outs), _sorted_out(opt_ins)
        now = self._clock.now()
        changes = [
            _change(
                caller,
                WantedConsent(sender=sender, recipient=number, status=status, source=ConsentSource.API),
                BULK_METHOD,
                now,
            )
            for status, assigned in ((ConsentStatus.OPT_OUT, out), (ConsentStatus.OPT_IN, in_))
            for number in dict.fromkeys(assigned.successful)
        ]
        await self._write(changes)
        return out, in_

    async def patch(self, caller: Caller, records: Sequence[WantedConsent]) -> list[tuple[WantedConsent, ErrorEntry]]:
        """Set consents as wanted; of two records of one pair the later holds.

        Returns:
            the records that can't be set, and why.
        """
        own, now = self._own_numbers(caller), self._clock.now()
        failed: list[tuple[WantedConsent, ErrorEntry]] = []
        changes: list[ConsentChange] = []
        for record in records:
            problem = _problem_of(record, own)
            if problem is not None:
                failed.append((record, problem))
            else:
                changes.append(_change(caller, record, PATCH_METHOD, now))
        await self._write(changes)
        return failed

    async def _write(self, changes: Sequence[ConsentChange]) -> None:
        for start in range(0, len(changes), GROUP):
            await self._room()
            await self._writer.change(changes[start : start + GROUP])

    def _own_numbers(self, caller: Caller) -> frozenset[str]:
        return frozenset(
            number.phone_number
            for number in self._directory.numbers(caller.account_id)
            if number.status is Status.ENABLED
        )


def _change(caller: Caller, wanted: WantedConsent, method: str, now: datetime) -> ConsentChange:
    return ConsentChange(
        account_id=caller.account_id,
        sender=wanted.sender,
        recipient=wanted.recipient,
        status=wanted.status,
        source=wanted.source,
        actor=caller.extension_id,
        method=method,
        created_at=now,
    )


def _sorted_out(numbers: Sequence[str]) -> Assigned:
    return Assigned(
        successful=[number for number in numbers if is_e164(number)],
        failed=[(number, _NOT_A_NUMBER) for number in numbers if not is_e164(number)],
    )


def _problem_of(record: WantedConsent, own: frozenset[str]) -> ErrorEntry | None:
    if record.coverage != ConsentCoverage.PHONE_NUMBER:
        return ErrorEntry("CMN-101", _ONLY_PAIRS, "coverage", record.coverage)
    for name, number in (("from", record.sender), ("to", record.recipient)):
        if not is_e164(number):
            return ErrorEntry("CMN-101", _NOT_A_NUMBER, name, number)
    if record.sender not in own:
        return ErrorEntry("CMN-101", _NOT_OURS, "from", record.sender)
    return None


def _invalid(parameter: str, reason: str, value: str | None = None) -> InvalidRequest:
    return InvalidRequest(
        "CMN-101", f"Parameter [{parameter}] value is invalid: {reason}", parameter=parameter, value=value
    )

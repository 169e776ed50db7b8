"""Changing consents over the API: what is ours, in which groups it is written, and who is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bellwire.engine.assign_consents import GROUP, ConsentAssignment, WantedConsent
from bellwire.errors import InvalidRequest
from bellwire.model.directory import Account, PhoneNumber, Status
from bellwire.model.identity import Caller
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SessionId
from bellwire.model.sms import ConsentSource, ConsentStatus
from bellwire.model.sms_records import ConsentChange
from tests.conformance.subscription_store import NOW, StoppedClock
from tests.doubles.identity import MemoryIdentity

OURS, RETIRED, STRANGERS = "+16505550180", "+16505550181", "+16505550182"
X = "+12025550101"
CALLER = Caller(
    session_id=SessionId("s"),
    client_id=ClientId("app"),
    account_id=AccountId("1"),
    extension_id=ExtensionId("7"),
    scope=frozenset(),
    rate_limit_factor=1.0,
)


class Written:
    """A store that keeps the groups of changes that it was given."""

    def __init__(self) -> None:
        self.groups: list[Sequence[ConsentChange]] = []
        self.has_room = asyncio.Event()
        self.has_room.set()

    async def room(self) -> None:
        await self.has_room.wait()

    async def change(self, changes: Sequence[ConsentChange]) -> None:
        self.groups.append(changes)


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
async def assignment(written: Written) -> ConsentAssignment:
    directory = MemoryIdentity()
    for account in ("1", "2"):
        await directory.save_account(Account(id=AccountId(account), company_name="Acme"))
    for id_, account, number, status in (
        ("11", "1", OURS, Status.ENABLED),
        ("12", "1", RETIRED, Status.DISABLED),
        ("13", "2", STRANGERS, Status.ENABLED),
    ):
        await directory.save_number(
            PhoneNumber(id=id_, account_id=AccountId(account), phone_number=number, status=status)
        )
    return ConsentAssignment(writer=written, directory=directory, clock=StoppedClock(), room=written.room)


async def test_who_asked_when_and_how_is_remembered(assignment: ConsentAssignment, written: Written) -> None:
    await assignment.bulk_assign(CALLER, OURS, opt_outs=[X], opt_ins=[])
    assert written.groups == [
        [
            ConsentChange(
                account_id=AccountId("1"),
                sender=OURS,
                recipient=X,
                status=ConsentStatus.OPT_OUT,
                source=ConsentSource.API,
                actor=ExtensionId("7"),
                method="opt-outs/bulk-assign",
                created_at=NOW,
            )
        ]
    ]


async def test_many_changes_are_written_in_groups(assignment: ConsentAssignment, written: Written) -> None:
    numbers = [f"+1202{n:07}" for n in range(2 * GROUP + 1)]
    out, _ = await assignment.bulk_assign(CALLER, OURS, opt_outs=numbers, opt_ins=[])
    assert out.successful == numbers
    assert [len(group) for group in written.groups] == [GROUP, GROUP, 1]


async def test_nothing_is_written_while_the_log_can_not_follow(assignment: ConsentAssignment, written: Written) -> None:
    written.has_room.clear()
    task = asyncio.create_task(assignment.bulk_assign(CALLER, OURS, opt_outs=[X], opt_ins=[]))
    for _ in range(20):
        await asyncio.sleep(0)
    assert written.groups == []
    written.has_room.set()
    await task
    assert len(written.groups) == 1


async def test_nothing_is_written_where_all_is_told_back(assignment: ConsentAssignment, written: Written) -> None:
    out, in_ = await assignment.bulk_assign(CALLER, OURS, opt_outs=["x"], opt_ins=["y"])
    assert ([number for number, _ in out.failed], [number for number, _ in in_.failed]) == (["x"], ["y"])
    assert written.groups == []


@pytest.mark.parametrize("sender", [RETIRED, STRANGERS])
async def test_a_number_that_is_not_ours_now_is_refused(
    assignment: ConsentAssignment, written: Written, sender: str
) -> None:
    with pytest.raises(InvalidRequest, match="not one of this account"):
        await assignment.bulk_assign(CALLER, sender, opt_outs=[X], opt_ins=[])
    wanted = WantedConsent(sender=sender, recipient=X, status=ConsentStatus.OPT_OUT, source=ConsentSource.API)
    ((failed, error),) = await assignment.patch(CALLER, [wanted])
    assert (failed, error.parameter) == (wanted, "from")
    assert written.groups == []

"""The SMPP carrier against an independent SMSC: smpp34's server, a process of its own, behind a proxy.

Kannel's `drive_smpp` (Debian's kannel-extras, 1.4.5) was tried as a second peer and can't serve: it answers a
bind_transceiver with "Unhandled SMPP PDU", and ends where no bearerbox of Kannel's listens beside it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from bellwire.carriers.smpp import SmppAccount
from bellwire.carriers.smpp_outbound import OutboundPolicy
from bellwire.carriers.smpp_texts import LongForm, Spelling
from bellwire.model.sms import MessageStatus, NotNow, Submitted, SubmitUnknown
from bellwire.transports.smpp_link import smpp_tls_context
from bellwire.wire.smpp.session import SessionLimits
from tests.doubles.carrier_reports import RecordingReports
from tests.integration.carriers.opened import AN_ACCOUNT, BIND, OURS, THEIRS, a_carrier, texts
from tests.integration.carriers.smpp34_process import Smsc, a_proxy, an_smpp34_smsc

LONG = "Ваш заказ в пути \N{SMILING FACE WITH OPEN MOUTH} " * 12
GOOD, EARLY, BAD = "+16505550141", "+16505550148", "+16505550149"


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with an_smpp34_smsc() as peer:
        yield peer


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - the product has no event for it
            await asyncio.sleep(0.005)


def in_order(submits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their texts: smpp34 handles what one read brings side by side."""
    return sorted(submits, key=lambda submit: bytes.fromhex(submit["text"]))


async def test_texts_receipts_and_replies_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    reports = RecordingReports()
    async with (
        an_smpp34_smsc(auto=True) as smsc,
        a_proxy(smsc.port, serving) as proxy,
        a_carrier(
            proxy.port, reports, tmp_path, host="localhost", tls=lambda: smpp_tls_context(ca_file), drain_seconds=5
        ) as carrier,
    ):
        await until(lambda: carrier.is_bound)
        good, early, bad = [
            (await carrier.submit(texts("Hi", recipient=recipient)))[0] for recipient in (GOOD, EARLY, BAD)
        ]
        await reports.until(lambda: len(reports.receipts_got) == 3)
        smsc.deliver(b"STOP", source=GOOD[1:], destination=OURS[1:])
        await reports.until(lambda: len(reports.texts) == 1)

    assert isinstance(good, Submitted)
    assert isinstance(early, Submitted)
    assert isinstance(bad, Submitted)
    assert {receipt.carrier_id: receipt.status for receipt in reports.receipts_got} == {
        good.carrier_ids[0]: MessageStatus.DELIVERED,
        early.carrier_ids[0]: MessageStatus.DELIVERED,
        bad.carrier_ids[0]: MessageStatus.DELIVERY_FAILED,
    }
    assert [(text.sender, text.recipient, text.text) for text in reports.texts] == [(GOOD, OURS, "STOP")]
    assert [said["system_id"] for said in smsc.those("bound")] == ["bellwire"]
    assert smsc.those("unbound")


@pytest.mark.parametrize("named", ["smsc.example.test", None])
async def test_a_certificate_for_another_name_or_of_a_stranger_is_not_accepted(
    tmp_path: Path, smsc: Smsc, named: str | None
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (authority if named else stranger).issue_cert(named or "localhost").configure_cert(serving)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with capture_logs() as logs:
        async with (
            a_proxy(smsc.port, serving) as proxy,
            a_carrier(
                proxy.port,
                RecordingReports(),
                tmp_path,
                host="localhost",
                tls=lambda: smpp_tls_context(ca_file),
            ) as carrier,
        ):
            await until(lambda: any(entry["event"] == "bind.failed" for entry in logs))
            assert isinstance((await carrier.submit(texts("Hi")))[0], NotNow)

    assert all(entry["event"] == "bind.failed" for entry in logs)
    assert "certificate is not accepted" in logs[0]["reason"]
    assert smsc.those("bound") == []


async def test_a_receipt_before_the_response_is_acknowledged_and_handed_on(tmp_path: Path, smsc: Smsc) -> None:
    reports = RecordingReports()
    async with a_carrier(smsc.port, reports, tmp_path) as carrier:
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("Hi")))
        (submit,) = await smsc.until("submit")
        smsc.deliver(b"id:early stat:DELIVRD err:000", source=THEIRS[1:], destination=OURS[1:], esm_class=4)
        (delivered,) = await smsc.until("delivered")
        assert not sending.done()
        smsc.tell("accept", number=submit["number"], id="early")

        assert await sending == [Submitted(("early",))]
    assert delivered["status"] == 0
    assert [receipt.carrier_id for receipt in reports.receipts_got] == ["early"]


@pytest.mark.parametrize("long_form", LongForm)
async def test_a_long_unicode_text_goes_out_whole_and_comes_in_whole(
    tmp_path: Path, smsc: Smsc, long_form: LongForm
) -> None:
    account = replace(AN_ACCOUNT, outbound=OutboundPolicy(Spelling(long_form=long_form)))
    reports = RecordingReports()
    async with a_carrier(smsc.port, reports, tmp_path, account=account) as carrier:
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts(LONG)))
        count = 1 if long_form is LongForm.MESSAGE_PAYLOAD else 4
        submits = in_order(await smsc.until("submit", count))
        for submit in submits:
            smsc.tell("accept", number=submit["number"], id=str(submit["number"]))
        assert await sending == [Submitted(tuple(str(submit["number"]) for submit in submits))]

        # What went out comes back in as a reply, part by part and out of order.
        if long_form is LongForm.USER_DATA_HEADER:
            for submit in reversed(submits):
                smsc.deliver(
                    bytes.fromhex(submit["text"]),
                    source=submit["destination"],
                    destination=submit["source"],
                    esm_class=submit["esm_class"],
                    data_coding=submit["data_coding"],
                )
            await reports.until(lambda: len(reports.texts) == 1)

    head = 0 if long_form is LongForm.MESSAGE_PAYLOAD else 6
    assert b"".join(bytes.fromhex(s["text"])[head:] for s in submits).decode("utf-16-be") == LONG
    assert {submit["registered_delivery"] for submit in submits} == {1}
    assert [text.text for text in reports.texts] == ([LONG] if head else [])


async def test_a_link_that_drops_in_the_middle_of_a_window_loses_nothing_and_repeats_nothing(
    tmp_path: Path, smsc: Smsc
) -> None:
    account = SmppAccount(BIND, SessionLimits(window=4))
    reports = RecordingReports()
    async with a_proxy(smsc.port) as proxy, a_carrier(proxy.port, reports, tmp_path, account=account) as carrier:
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts(*"abcdefgh")))
        for submit in in_order(await smsc.until("submit", 4))[:2]:
            smsc.tell("accept", number=submit["number"], id=f"id-{bytes.fromhex(submit['text']).decode()}")
        await smsc.until("submit", 6)
        await until(lambda: carrier.answers["taken"] == 2)
        proxy.cut()
        outcomes = list(await sending)
        await until(lambda: carrier.binds == 2)

        again = [
            text for text, outcome in zip(texts(*"abcdefgh"), outcomes, strict=True) if isinstance(outcome, NotNow)
        ]
        sending = asyncio.create_task(carrier.submit(again))
        for submit in (await smsc.until("submit", 8))[6:]:
            smsc.tell("accept", number=submit["number"], id=f"id-{bytes.fromhex(submit['text']).decode()}")
        rest = await sending

    assert outcomes[:2] == [Submitted(("id-a",)), Submitted(("id-b",))]
    assert outcomes[2:6] == [SubmitUnknown()] * 4
    assert [type(outcome) for outcome in outcomes[6:]] == [NotNow, NotNow]
    assert rest == [Submitted(("id-g",)), Submitted(("id-h",))]
    assert [bytes.fromhex(said["text"]) for said in in_order(smsc.those("submit"))] == [c.encode() for c in "abcdefgh"]


async def test_a_deliver_sm_that_was_not_acknowledged_comes_again_on_the_next_link(tmp_path: Path, smsc: Smsc) -> None:
    reports = RecordingReports()
    reports.is_open.clear()
    async with a_proxy(smsc.port) as proxy, a_carrier(proxy.port, reports, tmp_path) as carrier:
        await until(lambda: carrier.is_bound)
        smsc.deliver(b"STOP", source=THEIRS[1:], destination=OURS[1:])
        await reports.until(lambda: reports.asked == 1)
        assert smsc.those("delivered") == []
        proxy.cut()
        await until(lambda: carrier.binds == 2)
        reports.is_open.set()
        (delivered,) = await smsc.until("delivered")

    assert delivered["status"] == 0
    assert reports.texts
    assert {text.text for text in reports.texts} == {"STOP"}


@pytest.mark.parametrize("status", [0x58, 0x14])
async def test_throttling_and_a_full_queue_give_the_text_back_until_the_pause_is_over(
    tmp_path: Path, smsc: Smsc, status: int
) -> None:
    async with a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("Hi")))
        (submit,) = await smsc.until("submit")
        smsc.tell("reject", number=submit["number"], status=status)
        (outcome,) = await sending
        assert isinstance(outcome, NotNow)

        await asyncio.sleep(outcome.retry_after_seconds)
        sending = asyncio.create_task(carrier.submit(texts("Hi")))
        _, again = await smsc.until("submit", 2)
        smsc.tell("accept", number=again["number"], id="7")
        assert await sending == [Submitted(("7",))]


async def test_an_unbind_by_the_peer_is_followed_by_another_bind(tmp_path: Path, smsc: Smsc) -> None:
    async with a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        await until(lambda: carrier.is_bound)
        smsc.tell("unbind")
        await smsc.until("bound", 2)
        await until(lambda: carrier.binds == 2 and carrier.is_bound)


async def test_a_thousand_texts_each_have_one_outcome_and_one_receipt(tmp_path: Path) -> None:
    reports = RecordingReports()
    account = SmppAccount(BIND, SessionLimits(window=50))
    async with an_smpp34_smsc(auto=True) as smsc, a_carrier(smsc.port, reports, tmp_path, account=account) as carrier:
        await until(lambda: carrier.is_bound)
        calls = [carrier.submit(texts(*map(str, range(250)), recipient=GOOD)) for _ in range(4)]
        outcomes = [outcome for call in await asyncio.gather(*calls) for outcome in call]
        await reports.until(lambda: len(reports.receipts_got) == 1000)

    ids = [outcome.carrier_ids[0] for outcome in outcomes if isinstance(outcome, Submitted)]
    assert len(set(ids)) == 1000
    assert sorted(receipt.carrier_id for receipt in reports.receipts_got) == sorted(ids)
    assert len(smsc.those("submit")) == 1000

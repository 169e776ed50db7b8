"""Settings → what the SMPP carrier is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bellwire.carriers.smpp_texts import LongForm, Spelling
from bellwire.compose_smpp import smpp_account, smpp_peer
from bellwire.settings import Settings, SmppLongTexts, SmppReceiptIds
from bellwire.wire.smpp.pdus import BindTransceiver
from bellwire.wire.smpp.receipts import IdForm

SETTINGS = Settings(smpp_host="smsc.example.com", smpp_system_id="acme")


def test_zero_is_no_limit_and_never() -> None:
    session = smpp_account(SETTINGS).session

    assert session.submits_per_second is None
    assert session.timers.inactivity is None
    assert smpp_peer(SETTINGS).tls is None


def test_everything_that_is_set_arrives() -> None:
    settings = replace(
        SETTINGS,
        smpp_port=2776,
        smpp_password="secret",
        smpp_system_type="VMA",
        smpp_tls=True,
        smpp_ca_file=Path("ca.pem"),
        smpp_connect_seconds=7,
        smpp_window=30,
        smpp_submits_per_second=50,
        smpp_enquire_link_seconds=11,
        smpp_response_seconds=12,
        smpp_inactivity_seconds=13,
        smpp_long_texts=SmppLongTexts.MESSAGE_PAYLOAD,
        smpp_receipt_ids=SmppReceiptIds.DECIMAL_OF_HEX,
        smpp_source_ton=2,
        smpp_source_npi=8,
        smpp_destination_ton=0,
        smpp_destination_npi=9,
        smpp_long_text_wait_seconds=60,
    )

    account, peer = smpp_account(settings), smpp_peer(settings)

    assert (peer.host, peer.port, peer.connect_timeout_seconds) == ("smsc.example.com", 2776, 7)
    assert peer.tls is not None
    assert account.bind == BindTransceiver("acme", "secret", "VMA")
    assert (account.session.window, account.session.submits_per_second) == (30, 50)
    timers = account.session.timers
    assert (timers.bind, timers.enquire_link, timers.response, timers.inactivity) == (7, 11, 12, 13)
    assert account.outbound.spelling == Spelling(2, 8, 0, 9, LongForm.MESSAGE_PAYLOAD)
    assert account.outbound.id_form is IdForm.DECIMAL_OF_HEX
    assert account.reassembly.wait_ms == 60_000


def test_the_settings_know_every_form_that_the_carrier_knows() -> None:
    assert [form.value for form in SmppLongTexts] == [form.value for form in LongForm]
    assert [form.value for form in SmppReceiptIds] == [form.value for form in IdForm]

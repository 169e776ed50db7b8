"""The SMPP carrier, composed from the settings; and what Prometheus may read of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from random import Random

from bellwire.carriers.smpp import SmppAccount, SmppCarrier
from bellwire.carriers.smpp_outbound import OutboundPolicy
from bellwire.carriers.smpp_texts import LongForm, Spelling
from bellwire.observe.metrics import Metrics
from bellwire.ports.clock import Clock
from bellwire.settings import Settings
from bellwire.storage.embedded.parts_file import PartsFile
from bellwire.transports.smpp_link import SmppPeer, link_to, smpp_tls_context
from bellwire.wire.smpp.pdus import BindTransceiver
from bellwire.wire.smpp.reassembly import ReassemblyLimits
from bellwire.wire.smpp.receipts import IdForm
from bellwire.wire.smpp.session import SessionLimits
from bellwire.wire.smpp.timers import TimerPolicy


def open_smpp_carrier(
    settings: Settings, *, clock: Clock, metrics: Metrics, on_fatal: Callable[[BaseException], None]
) -> SmppCarrier:
    """A carrier for the SMPP server that the settings name; connects when it is started.

    Args:
        settings: with `smpp_host` and `smpp_system_id`.
        on_fatal: called where a bug of ours ended a part of it.
    """
    random = Random()  # noqa: S311 - it spreads pauses
    carrier = SmppCarrier(
        smpp_account(settings),
        link_to(smpp_peer(settings), random, on_fatal),
        parts=PartsFile(settings.data_dir),
        clock=clock,
        random=random,
        on_fatal=on_fatal,
    )
    watch_smpp(metrics, carrier)
    return carrier


def smpp_peer(settings: Settings) -> SmppPeer:
    assert settings.smpp_host is not None
    tls: Callable[[], ssl.SSLContext] | None = None
    if settings.smpp_tls:
        tls = partial(smpp_tls_context, settings.smpp_ca_file)
    return SmppPeer(
        settings.smpp_host, settings.smpp_port, tls=tls, connect_timeout_seconds=settings.smpp_connect_seconds
    )


def smpp_account(settings: Settings) -> SmppAccount:
    assert settings.smpp_system_id is not None
    return SmppAccount(
        bind=BindTransceiver(settings.smpp_system_id, settings.smpp_password or "", settings.smpp_system_type or ""),
        session=SessionLimits(
            window=settings.smpp_window,
            submits_per_second=settings.smpp_submits_per_second or None,
            timers=TimerPolicy(
                bind=settings.smpp_connect_seconds,
                enquire_link=settings.smpp_enquire_link_seconds,
                response=settings.smpp_response_seconds,
                inactivity=settings.smpp_inactivity_seconds or None,
            ),
        ),
        outbound=OutboundPolicy(
            spelling=Spelling(
                source_ton=settings.smpp_source_ton,
                source_npi=settings.smpp_source_npi,
                destination_ton=settings.smpp_destination_ton,
                destination_npi=settings.smpp_destination_npi,
                long_form=LongForm(settings.smpp_long_texts.value),
            ),
            id_form=IdForm(settings.smpp_receipt_ids.value),
        ),
        reassembly=ReassemblyLimits(wait_ms=settings.smpp_long_text_wait_seconds * 1000),
    )


def watch_smpp(metrics: Metrics, carrier: SmppCarrier) -> None:
    """docs/smpp.md lists these, and a test compares."""
    metrics.watch_gauge("bellwire_smpp_bound", "1 while there is a bind", lambda: float(carrier.is_bound))
    metrics.watch_counter("bellwire_smpp_binds", "Binds that were made", lambda: carrier.binds)
    metrics.watch_counter(
        "bellwire_smpp_submits",
        "submit_sm by what they came to",
        lambda: {(outcome,): count for outcome, count in carrier.answers.items()},
        labels=("outcome",),
    )
    metrics.watch_counter(
        "bellwire_smpp_delivers",
        "deliver_sm by what they were or came to",
        lambda: {(kind,): count for kind, count in carrier.arrivals.items()},
        labels=("kind",),
    )
    metrics.watch_gauge(
        "bellwire_smpp_waiting_texts", "Texts on their way out without an outcome", lambda: carrier.waiting_texts
    )
    metrics.watch_gauge(
        "bellwire_smpp_waiting_parts", "Parts of inbound texts that wait for the rest", lambda: carrier.waiting_parts
    )

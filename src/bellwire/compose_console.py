"""The web console in a composed server: its route, what it sees of the engine, and what it is told.

NiceGUI itself is loaded by the gate, when the first operator enters (console/gate.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bellwire.api.public_url import PublicUrl, is_asked_nearby, rate_key_of
from bellwire.console.facade import EngineFacade, EngineParts
from bellwire.console.figures import Figures, Series
from bellwire.console.gate import ConsoleGate, Surroundings
from bellwire.console.sms_facade import SmsLab
from bellwire.engine.accept_batch import BatchAcceptance
from bellwire.engine.receive_sms import Receiving
from bellwire.model.event import Event
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.metrics import Metrics
from bellwire.ports.clock import Clock
from bellwire.settings import Mode, Settings, SmsCarrier
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.sms_reading import SqlSmsReading


@dataclass(frozen=True, slots=True)
class ConsoleHooks:
    """What of the console is there before its route: `figures.sample` is a chore, every `SAMPLE_SECONDS`."""

    gate: ConsoleGate
    figures: Figures


def hook_console(
    gate: ConsoleGate,
    *,
    routed: list[Callable[[Event, int], None]],
    attempts: AttemptWatch,
    metrics: Metrics,
    now_ms: Callable[[], int],
) -> ConsoleHooks:
    """Have the console told of what an engine routes and attempts while somebody looks, and its figures sampled.

    Args:
        routed: who is told of each event.
    """
    feed = gate.feed

    def listen() -> None:
        routed.append(feed.routed)
        attempts.listen(feed.attempted)

    def stop_listening() -> None:
        routed.remove(feed.routed)
        attempts.forget(feed.attempted)

    feed.connect(listen, stop_listening)

    def read(name: str, suffix: str) -> Series:
        return metrics.samples(name, suffix)

    return ConsoleHooks(gate, Figures(read=read, now_ms=now_ms))


def serve_console(
    hooks: ConsoleHooks,
    parts: EngineParts,
    *,
    is_ready: Callable[[], bool],
    public_url: PublicUrl,
    demo_key: str | None,
    sms: SmsLab | None,
) -> ConsoleGate:
    """The route of the console, before this engine."""
    hooks.gate.serve(
        EngineFacade(parts, figures=hooks.figures, is_ready=is_ready, sms=sms),
        Surroundings(
            base_url=public_url.base,
            remote_address=lambda connection: rate_key_of(public_url.proxies.remote_address(connection)),
            # Whoever has it may do everything: pages of other sites must not read it.
            demo_key=lambda connection: demo_key if is_asked_nearby(connection) else None,
        ),
    )
    return hooks.gate


def compose_sms_lab(
    settings: Settings, acceptance: BatchAcceptance, receiving: Receiving, stores: RecordsStores, clock: Clock
) -> SmsLab | None:
    """The lab, where texts are simulated: elsewhere nobody may text in a recipient's name."""
    if settings.mode is not Mode.DEV or settings.sms_carrier is not SmsCarrier.SIMULATOR:
        return None
    return SmsLab(
        acceptance=acceptance,
        receiving=receiving,
        reading=SqlSmsReading(stores.records),
        consents=SqlConsentReading(stores.records),
        directory=stores.directory,
        clock=clock,
    )

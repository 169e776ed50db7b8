"""The web console in a composed server: its route, what it sees of the engine, and what it is told.

NiceGUI itself is loaded by the gate, when the first operator enters (console/gate.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bellwire.api.public_url import PublicUrl, rate_key_of
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

OnRouted = Callable[[Event, int], None]


@dataclass(frozen=True, slots=True)
class ConsoleHooks:
    """Where the console has to be told of what happens. `sample`: a chore, every `SAMPLE_SECONDS`."""

    gate: ConsoleGate
    figures: Figures

    def on_routed(self, counted: OnRouted) -> OnRouted:
        """For the router: first what counts, then the console's viewers."""
        passed_on = self.gate.feed.routed

        def routed(event: Event, notifications: int) -> None:
            counted(event, notifications)
            passed_on(event, notifications)

        return routed


def hook_console(
    gate: ConsoleGate, *, attempts: AttemptWatch, metrics: Metrics, now_ms: Callable[[], int]
) -> ConsoleHooks:
    """Have the console told of an engine's attempts, and its figures sampled."""
    attempts.listen(gate.feed.attempted)

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
            demo_key=demo_key,
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

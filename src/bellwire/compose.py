"""The composition root: settings in, a running server out. Nothing else reads settings or starts anything.

Opened in this order, and closed in reverse:

    engine files (the directory's lock) ─▶ records ─▶ webhook client ─▶ deliveries ─▶ subscriptions ─▶ API
                                                         then: restore, route, keep house

Each part is put together in a `compose_….py` of its own.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.types import ASGIApp

from bellwire.api.dev import DevControls, Reset
from bellwire.compose_access import compose_access
from bellwire.compose_api import ApiParts, compose_api
from bellwire.compose_console import compose_sms_lab, hook_console, serve_console
from bellwire.compose_delivery import compose_delivery, new_uuid
from bellwire.compose_gateway import GatewayParts
from bellwire.compose_metrics import watch_server
from bellwire.compose_outgoing import USER_AGENT, open_sender, open_traces_of
from bellwire.compose_sms import compose_sms
from bellwire.console.facade import EngineParts
from bellwire.console.figures import SAMPLE_SECONDS
from bellwire.console.gate import ConsoleGate
from bellwire.engine.faults import Faults
from bellwire.engine.housekeeping import Chore, Housekeeping
from bellwire.engine.seed import DEMO_MEMO, seed_demo
from bellwire.engine.seed_load import Seeding
from bellwire.engine.subscribe import Subscriptions
from bellwire.errors import Misconfigured, Problem
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.metrics import Metrics
from bellwire.observe.system_clock import SystemClock
from bellwire.running import RunningEngine, Server
from bellwire.settings import LogLevel, Settings
from bellwire.storage.embedded.engine_files import open_engine_files
from bellwire.storage.embedded.limits import ADVISED_SWITCH_INTERVAL_SECONDS, EngineLimits
from bellwire.storage.records import RecordsStores, open_records
from bellwire.transports.webhook_client import WebhookClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """What a development server has beside: faults on purpose, a way back to its seed, a console that outlives it."""

    faults: Faults
    reset: Reset
    console: ConsoleGate


async def open_server(
    settings: Settings, *, clock: SystemClock, dev: bool, development: Development | None = None
) -> Server:
    """Open everything that `settings` names; close it with `Server.stop`, also when it was never started.

    Args:
        dev: the demo account is there.
        development: so are the development controls.

    Raises:
        Misconfigured: the data directory can't be made, is in use, damaged, or not this release's.
    """
    sys.setswitchinterval(ADVISED_SWITCH_INTERVAL_SECONDS)
    async with AsyncExitStack() as opening:
        try:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            trouble = f"{settings.data_dir} can't be made: {error.strerror}"
            raise Misconfigured((Problem("data_dir", trouble),)) from error
        metrics = Metrics()
        traces = open_traces_of(settings, opening)
        attempts = AttemptWatch(metrics, debug=settings.log_level is LogLevel.DEBUG, traces=traces)
        engine = RunningEngine(settings=settings, closing=AsyncExitStack(), attempts=attempts, traces=traces)
        engine.files = await open_engine_files(
            settings.data_dir,
            clock=clock,
            on_fatal=engine.fail,
            limits=EngineLimits(minimum_free_bytes=settings.min_free_mib << 20),
        )
        opening.push_async_callback(engine.files.close)
        stores = await open_records(settings.data_dir, clock)
        opening.push_async_callback(stores.close)
        demo = None
        if not dev and await stores.installation.memo(DEMO_MEMO) is not None:
            raise Misconfigured(
                (
                    Problem(
                        "data_dir",
                        f"{settings.data_dir} was made by `bellwire dev`: its demo users and keys are no secret. "
                        "Name another directory",
                    ),
                )
            )
        if dev:
            demo = await seed_demo(
                writer=stores.directory,
                credentials=stores.credentials,
                installation=stores.installation,
                clock=clock,
            )
        # The sender's time is never moved: its deadlines and Retry-After dates are about others, who live in real time,
        # and what is under way while the clock is advanced has not taken longer for that.
        sender = await open_sender(settings, SystemClock(), opening)
        if development is None:
            console = ConsoleGate(now=SystemClock().monotonic)
            opening.push_async_callback(console.close)
        else:
            console = development.console
        app, notes = await _compose(
            settings=settings,
            clock=clock,
            engine=engine,
            stores=stores,
            sender=sender,
            metrics=metrics,
            development=development,
            console=console,
            demo_key=None if demo is None else demo.admin_key,
        )
        engine.closing = opening.pop_all()
    return Server(app=app, clock=clock, notes=[] if dev else notes, demo=demo, engine=engine)


async def _compose(
    *,
    settings: Settings,
    clock: SystemClock,
    engine: RunningEngine,
    stores: RecordsStores,
    sender: WebhookClient,
    metrics: Metrics,
    development: Development | None,
    console: ConsoleGate,
    demo_key: str | None,
) -> tuple[ASGIApp, list[str]]:
    """Wire the engine and the API over what is open; returns the application and the notes."""
    files, faults = engine.files, None if development is None else development.faults
    delivery = engine.delivery = compose_delivery(
        settings=settings,
        clock=clock,
        files=files,
        stores=stores,
        sender=sender,
        faults=faults,
        attempts=engine.attempts,
        on_fatal=engine.fail,
    )
    access = compose_access(settings=settings, clock=clock, stores=stores, recheck=delivery.upkeep.recheck)
    subscriptions = Subscriptions(
        live=delivery.live,
        store=delivery.store,
        directory=stores.directory,
        installation=stores.installation,
        validate=delivery.validate,
        clock=clock,
        expiry_clock=delivery.steady,
        new_id=lambda: SubscriptionId(new_uuid()),
    )
    gateway = engine.gateway = GatewayParts(
        settings=settings,
        clock=clock,
        deliveries=delivery.sockets,
        live=delivery.live,
        subscriptions=subscriptions,
        sessions=access.sessions,
        session_store=stores.sessions,
        socket_sessions=stores.socket_sessions,
        missed=delivery.missed,
        routed=lambda: delivery.deliveries.settling.routed,
        desk=delivery.desk,
        on_fatal=engine.fail,
        faults=faults,
    )
    sms = engine.sms = compose_sms(
        settings=settings,
        stores=stores,
        publisher=delivery.publisher,
        authenticator=access.authenticator,
        clock=clock,
        metrics=metrics,
        on_fatal=engine.fail,
    )
    engine.seeding = Seeding(
        directory=stores.directory,
        writer=access.writer,
        credentials=stores.credentials,
        installation=stores.installation,
        live=delivery.live,
        clock=clock,
    )
    watch_server(metrics, delivery.watched(files=files, stores=stores, sender=sender))
    gateway.watch(metrics)
    engine.housekeeping = Housekeeping(
        (
            *delivery.chores(),
            Chore("forget sessions", 60.0, access.sessions.sweep),
            Chore("end sockets' subscriptions", 5.0, gateway.subscriptions.end_again),
            *sms.chores,
        ),
        on_fatal=engine.fail,
    )
    clock.on_advance(engine.housekeeping.look_again)
    controls = None
    if development is not None:
        controls = DevControls(
            clock=clock, faults=development.faults, reset=development.reset, seed=engine.seeding.load
        )
    if settings.console:
        hooks = hook_console(
            console, routed=delivery.routed.listeners, attempts=engine.attempts, metrics=metrics, now_ms=clock.now_ms
        )
        engine.housekeeping.add(Chore("sample figures", SAMPLE_SECONDS, hooks.figures.sample))
        serve_console(
            hooks,
            EngineParts(
                partition=EMBEDDED_PARTITION,
                log=files.event_log,
                lookback=delivery.lookback,
                operations=delivery.operations,
                replays=delivery.replays,
                subscriptions=subscriptions,
                deliveries=delivery.deliveries,
                announcements=delivery.announcements,
                directory=stores.directory,
                credentials=stores.credentials,
                clock=clock,
                user_agent=USER_AGENT,
            ),
            is_ready=lambda: engine.is_ready,
            public_url=access.public_url,
            demo_key=demo_key,
            sms=compose_sms_lab(settings, sms.acceptance, sms.receiving, stores, clock),
        )
    first_key = await access.provisioning.ensure_first_admin_key()
    app = compose_api(
        ApiParts(
            settings=settings,
            clock=clock,
            stores=stores,
            metrics=metrics,
            engine=engine,
            delivery=delivery,
            access=access,
            subscriptions=subscriptions,
            gateway=gateway,
            sms=sms,
            controls=controls,
            console=console if settings.console else None,
        )
    )
    notes = [] if first_key is None else [f"first admin key, shown this once: {first_key}"]
    return gateway.before(app), notes

"""The composition root: settings in, a running server out. Nothing else reads settings or starts anything.

Opened in this order, and closed in reverse:

    engine files (the directory's lock) ─▶ records ─▶ webhook client ─▶ deliveries ─▶ subscriptions ─▶ API
                                                         then: restore, route, keep house
"""

from __future__ import annotations

import sys
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import structlog
from fastapi import APIRouter
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bellwire import __version__
from bellwire.api import a2p_batches as a2p_batches_api
from bellwire.api import publish as publish_api
from bellwire.api.admin import admin_routes
from bellwire.api.admin_router import PREFIX as ADMIN_PREFIX
from bellwire.api.app import build_app
from bellwire.api.authentication import Authenticator
from bellwire.api.conventions import Conventions
from bellwire.api.dev import DevControls, RefusedTokens, Reset, dev_routes
from bellwire.api.directory import directory_routes
from bellwire.api.discovery import discovery_routes
from bellwire.api.event_families import family_routes, family_webhooks
from bellwire.api.explain import explain_routes
from bellwire.api.health import health_routes
from bellwire.api.history import PATHS as HISTORY_PATHS
from bellwire.api.history import history_routes
from bellwire.api.oauth import oauth_routes
from bellwire.api.public_url import PublicUrl, TrustedProxies
from bellwire.api.publish import PublishLimits, publish_route
from bellwire.api.publish_document import publish_description
from bellwire.api.rate_limits import RateGroup, RateLimits
from bellwire.api.root import root_routes
from bellwire.api.routing import LaterRoutes
from bellwire.api.socket_tokens import socket_token_routes
from bellwire.api.subscriptions import subscription_routes
from bellwire.api.unsupported import PREFIXES as UNSUPPORTED_PREFIXES
from bellwire.api.unsupported import unsupported_routes
from bellwire.compose_console import compose_sms_lab, hook_console, serve_console
from bellwire.compose_gateway import GatewayParts, keeps_sessions
from bellwire.compose_metrics import RoutedCounts, Watched, watch_server
from bellwire.compose_outgoing import USER_AGENT, open_sender, open_traces_of, operator_alerts
from bellwire.compose_sms import compose_sms
from bellwire.console.facade import EngineParts
from bellwire.console.figures import SAMPLE_SECONDS
from bellwire.console.gate import PREFIX as CONSOLE_PREFIX
from bellwire.console.gate import ConsoleGate
from bellwire.delivery.health import BlacklistRule
from bellwire.delivery.lane import LaneLimits
from bellwire.engine.authorize import Authorization
from bellwire.engine.authorize_codes import AuthorizationCodes
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.deliver import Deliveries
from bellwire.engine.deliver_sockets import SocketDeliveries
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.destination import Desk, Rendering
from bellwire.engine.fairness import Unrouted
from bellwire.engine.faults import Faults, FaultySender
from bellwire.engine.history import Lookback
from bellwire.engine.housekeeping import Chore, Housekeeping
from bellwire.engine.operate import Operations
from bellwire.engine.places import room_below
from bellwire.engine.provision import Provisioning
from bellwire.engine.publish import Publisher, Submissions
from bellwire.engine.recover_sockets import MissedNotifications
from bellwire.engine.replay import Replays
from bellwire.engine.retention import SWEEP_SECONDS, Retention, RetentionLimits
from bellwire.engine.route import Announcements, Router
from bellwire.engine.seed import DEMO_MEMO, seed_demo
from bellwire.engine.seed_load import Seeding
from bellwire.engine.steady_clock import SteadyClock
from bellwire.engine.subscribe import Subscriptions
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.engine.subscribers import Subscribers
from bellwire.engine.validate_address import AddressHandshake
from bellwire.engine.watch_directory import WatchedDirectoryWriter
from bellwire.engine.watch_endpoints import WATCH_SECONDS, EndpointWatch, WatchPolicy
from bellwire.engine.wrong_guesses import WrongGuesses
from bellwire.errors import Misconfigured, Problem
from bellwire.families import REGISTRY
from bellwire.model.identity import BlacklistPolicy
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.backlog_age import MEASURE_SECONDS, BacklogAge
from bellwire.observe.idle_time import idle_seconds
from bellwire.observe.metrics import Metrics
from bellwire.observe.publishing import PublishWatch
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.subscription_store import SubscriptionStore
from bellwire.running import RunningEngine, Server
from bellwire.settings import LogLevel, Settings
from bellwire.storage.embedded.engine_files import EngineFiles, open_engine_files
from bellwire.storage.embedded.limits import ADVISED_SWITCH_INTERVAL_SECONDS, EngineLimits
from bellwire.storage.records import RecordsStores, open_records
from bellwire.storage.records.socket_subscriptions import WithoutSockets
from bellwire.subscriptions.reminders import JOB_PERIOD_SECONDS
from bellwire.transports.webhook_client import WebhookClient

_log = structlog.get_logger("bellwire.server")


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
        files = await open_engine_files(
            settings.data_dir,
            clock=clock,
            on_fatal=engine.fail,
            limits=EngineLimits(minimum_free_bytes=settings.min_free_mib << 20),
        )
        opening.push_async_callback(files.close)
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
        demo_key = None if demo is None else demo.admin_key
        app, notes = await _compose(
            settings, clock, engine, files, stores, sender, metrics, development, console, demo_key
        )
        engine.closing = opening.pop_all()
    return Server(app=app, clock=clock, notes=[] if dev else notes, demo=demo, engine=engine)


async def _compose(  # noqa: PLR0917 - called once
    settings: Settings,
    clock: SystemClock,
    engine: RunningEngine,
    files: EngineFiles,
    stores: RecordsStores,
    sender: WebhookClient,
    metrics: Metrics,
    development: Development | None,
    console: ConsoleGate,
    demo_key: str | None,
) -> tuple[ASGIApp, list[str]]:
    """Wire the engine and the API over what is open; returns the application and the notes."""
    directory, installation = stores.directory, stores.installation
    outgoing = sender if development is None else FaultySender(sender, development.faults)
    steady = SteadyClock(clock)
    subscribers = Subscribers()
    unrouted = Unrouted()
    announcements = Announcements(directory)
    rendering = Rendering(announcements=announcements, installation=installation, clock=clock, user_agent=USER_AGENT)
    deliveries = Deliveries(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        backlog=files.backlog,
        sender=outgoing,
        clock=clock,
        random=Random(),  # noqa: S311 - it spreads retries
        observe=engine.attempts,
        limits=DeliveryLimits(
            in_flight=room_below(settings.webhook_connections),
            in_flight_per_origin=room_below(settings.webhook_connections_per_host),
            lane=LaneLimits(parallel=settings.webhook_parallel_per_subscription),
        ),
        idle_seconds=idle_seconds,
        on_fatal=engine.fail,
    )
    desk = Desk(deliveries, rendering, subscribers)
    sockets = SocketDeliveries(
        clock=clock, record=deliveries.record, observe=engine.attempts, observe_sent=engine.attempts.sent_over_sockets
    )
    subscription_store: SubscriptionStore = stores.subscriptions
    if not keeps_sessions(settings):
        subscription_store = WithoutSockets(subscription_store)
    live = LiveSubscriptions(
        partition=EMBEDDED_PARTITION,
        store=subscription_store,
        subscribers=subscribers,
        log=files.event_log,
        delivery=desk,
    )
    upkeep = SubscriptionUpkeep(
        live=live,
        store=subscription_store,
        directory=directory,
        clock=clock,
        public_url=settings.base_url,
        new_uuid=_new_uuid,
    )
    publisher = Publisher(log=files.event_log, partition=EMBEDDED_PARTITION, unrouted=unrouted)
    counts = RoutedCounts()
    hooks = None
    if settings.console:
        hooks = hook_console(
            console, routed=counts.listeners, attempts=engine.attempts, metrics=metrics, now_ms=clock.now_ms
        )
    engine.files, engine.deliveries, engine.live = files, deliveries, live
    engine.router = Router(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        announcements=announcements,
        subscribers=subscribers,
        deliveries=deliveries,
        unrouted=unrouted,
        clock=steady,
        sockets=sockets,
        on_routed=counts.count,
    )

    sessions = Sessions(store=stores.sessions, directory=directory, installation=installation, clock=clock)

    async def expire() -> None:
        await upkeep.expire_due(steady.now())
        subscribers.forget_versions_below(deliveries.committed_watermark)

    async def end_socket_subscriptions() -> None:
        await engine.gateway.subscriptions.end_again()

    async def remind() -> None:
        await publisher.publish(upkeep.due_reminders(steady.now()))

    async def forget_sessions() -> None:
        await sessions.sweep()

    validate = AddressHandshake(
        sender=outgoing,
        user_agent=USER_AGENT,
        allow_http=settings.webhook_allow_http,
        strict_content_type=settings.webhook_strict_content_type,
    )
    alerts = engine.alerts = operator_alerts(settings, clock, sender)
    watch = engine.watch = EndpointWatch(
        live=live,
        upkeep=upkeep,
        deliveries=deliveries,
        directory=directory,
        validate=validate,
        unseal=installation.unseal,
        alerts=alerts,
        clock=clock,
        random=Random(),  # noqa: S311 - it spreads probes
        policy=WatchPolicy(
            rule=BlacklistRule(after_seconds=settings.blacklist_after_seconds),
            policy=BlacklistPolicy.HEALING if settings.blacklist_reactivates else BlacklistPolicy.PERMANENT,
            probe_every_seconds=settings.blacklist_probe_seconds,
        ),
        on_fatal=engine.fail,
    )
    engine.attempts.listen(watch.attempted)
    desk.on_closed(watch.forget)
    desk.on_reactivated(watch.brought_back)
    engine.operations = Operations(live=live, deliveries=deliveries, watch=watch, clock=clock)
    replays = engine.replays = Replays(
        partition=EMBEDDED_PARTITION,
        store=files.replays,
        history=files.history,
        live=live,
        deliveries=deliveries,
        announcements=announcements,
        clock=clock,
        random=Random(),  # noqa: S311 - it spreads retries
        new_id=_new_uuid,
        on_fatal=engine.fail,
    )
    retention = Retention(
        partition=EMBEDDED_PARTITION,
        store=files.retention,
        log=files.event_log,
        backlog=files.backlog,
        deliveries=deliveries,
        clock=clock,
        limits=RetentionLimits(
            keep_seconds=settings.retention_hours * 3600.0,
            log_bytes=settings.log_max_mib << 20,
            history_bytes=settings.history_max_mib << 20,
            backlog_rows=settings.backlog_max_rows,
        ),
    )

    backlog_age = BacklogAge(
        store=files.retention,
        log=files.event_log,
        clock=clock,
        is_empty=lambda: not deliveries.figures()["backlog_rows"],
    )
    engine.housekeeping = Housekeeping(
        (
            Chore("expire subscriptions", 1.0, expire),
            Chore("send reminders", JOB_PERIOD_SECONDS, remind),
            Chore("forget sessions", 60.0, forget_sessions),
            Chore("end sockets' subscriptions", 5.0, end_socket_subscriptions),
            Chore("watch endpoints", WATCH_SECONDS, watch.watch),
            Chore("keep to the retention", SWEEP_SECONDS, retention.sweep),
            Chore("measure the backlog", MEASURE_SECONDS, backlog_age.measure),
            *(() if hooks is None else (Chore("sample figures", SAMPLE_SECONDS, hooks.figures.sample),)),
        ),
        on_fatal=engine.fail,
    )
    clock.on_advance(deliveries.look_again)
    clock.on_advance(engine.housekeeping.look_again)

    provisioning = Provisioning(
        directory=directory,
        writer=WatchedDirectoryWriter(directory, upkeep.recheck),
        credentials=stores.credentials,
        installation=installation,
        clock=clock,
    )
    engine.seeding = Seeding(
        directory=directory,
        writer=WatchedDirectoryWriter(directory, upkeep.recheck),
        credentials=stores.credentials,
        installation=installation,
        live=live,
        clock=clock,
    )
    first_key = await provisioning.ensure_first_admin_key()
    proxies = TrustedProxies([str(network) for network in settings.trusted_proxies])
    public_url = PublicUrl(settings.public_url, proxies=proxies)
    authenticator = Authenticator(
        sessions=sessions,
        credentials=stores.credentials,
        limits=RateLimits(),
        clock=clock,
        proxies=proxies,
    )
    sms = engine.sms = compose_sms(
        settings=settings,
        stores=stores,
        publisher=publisher,
        authenticator=authenticator,
        clock=clock,
        metrics=metrics,
        on_fatal=engine.fail,
    )
    engine.housekeeping.add(*sms.chores)
    subscriptions = Subscriptions(
        live=live,
        store=subscription_store,
        directory=directory,
        installation=installation,
        validate=validate,
        clock=clock,
        expiry_clock=steady,
        new_id=lambda: SubscriptionId(_new_uuid()),
    )
    gateway = engine.gateway = GatewayParts(
        settings=settings,
        clock=clock,
        deliveries=sockets,
        live=live,
        subscriptions=subscriptions,
        sessions=sessions,
        session_store=stores.sessions,
        socket_sessions=stores.socket_sessions,
        missed=MissedNotifications(
            partition=EMBEDDED_PARTITION,
            history=files.history,
            live=live,
            announcements=announcements,
            most=settings.websocket_recovery_messages,
        ),
        routed=lambda: deliveries.settling.routed,
        desk=desk,
        on_fatal=engine.fail,
        faults=None if development is None else development.faults,
    )
    gateway.watch(metrics)
    authorization = Authorization(
        directory=directory,
        sessions=sessions,
        jwts=UserJwts(credentials=stores.credentials, installation=installation, clock=clock),
        passwords=Passwords(directory=directory, credentials=stores.credentials, clock=clock),
        codes=AuthorizationCodes(directory=directory, store=stores.sessions, installation=installation, clock=clock),
        guesses=WrongGuesses(clock.monotonic),
    )
    watch_server(
        metrics,
        Watched(
            deliveries=deliveries,
            files=files,
            records=stores.records,
            sender=sender,
            subscribers=subscribers,
            unrouted=unrouted,
            routed=counts,
            endpoints=watch,
            retention=retention,
            backlog_age=backlog_age,
        ),
    )
    lookback = Lookback(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        history=files.history,
        live=live,
        deliveries=deliveries,
        announcements=announcements,
        directory=directory,
    )
    routers: list[APIRouter | LaterRoutes] = [
        oauth_routes(authorization=authorization, authenticator=authenticator, public_url=public_url),
        socket_token_routes(tokens=gateway.tokens, authenticator=authenticator, public_url=public_url),
        discovery_routes(authenticator=authenticator, public_url=public_url),
        root_routes(public_url=public_url, version=__version__),
        directory_routes(directory=directory, authenticator=authenticator, public_url=public_url),
        *subscription_routes(
            subscriptions=subscriptions,
            sockets=gateway.subscriptions,
            authenticator=authenticator,
            public_url=public_url,
            clock=clock,
        ),
        family_routes(),
        explain_routes(
            directory=directory,
            asking=authenticator.caller_or_publisher(RateGroup.LIGHT),
            max_event_bytes=settings.max_event_bytes,
        ),
        health_routes(version=__version__, readiness=engine.readiness, render_metrics=metrics.render),
        LaterRoutes((ADMIN_PREFIX,), lambda: admin_routes(provisioning=provisioning, admin=authenticator.admin)),
        LaterRoutes(
            HISTORY_PATHS,
            lambda: history_routes(
                lookback=lookback,
                operations=engine.operations,
                replays=replays,
                deliveries=deliveries,
                admin=authenticator.admin,
            ),
        ),
        *sms.routers,
        LaterRoutes(UNSUPPORTED_PREFIXES, lambda: [unsupported_routes()]),
    ]
    before: list[BaseRoute] = []
    if development is not None:
        controls = DevControls(
            clock=clock, faults=development.faults, reset=development.reset, seed=engine.seeding.load
        )
        routers.insert(0, dev_routes(controls))
        before.append(RefusedTokens(development.faults))
    if hooks is not None:
        parts = EngineParts(
            partition=EMBEDDED_PARTITION,
            log=files.event_log,
            lookback=lookback,
            operations=engine.operations,
            replays=replays,
            subscriptions=subscriptions,
            deliveries=deliveries,
            announcements=announcements,
            directory=directory,
            credentials=stores.credentials,
            clock=clock,
            user_agent=USER_AGENT,
        )
        before.append(
            serve_console(
                hooks,
                parts,
                is_ready=lambda: engine.is_ready,
                public_url=public_url,
                demo_key=demo_key,
                sms=compose_sms_lab(settings, sms.acceptance, sms.receiving, stores, clock),
            )
        )
    app = build_app(
        routers=routers,
        plain_routes=[
            *before,
            publish_route(
                authenticate=authenticator.publisher,
                submissions=Submissions(
                    clock=clock,
                    max_event_bytes=settings.max_event_bytes,
                    status_of=lambda account: None if (known := directory.account(account)) is None else known.status,
                ),
                publisher=publisher,
                limits=PublishLimits(event_bytes=settings.max_event_bytes, stream_bytes=settings.max_publish_bytes),
                watch=PublishWatch(metrics, clock, publisher.counts, debug=settings.log_level is LogLevel.DEBUG),
                traces=engine.traces,
                stopping=engine.stopping,
            ),
        ],
        plain_descriptions=[publish_description()],
        webhooks=lambda: family_webhooks(REGISTRY.families),
        public_url=settings.public_url,
        conventions=Conventions(
            cors_origins="*" if "*" in settings.cors_origins else settings.cors_origins,
            pages=(CONSOLE_PREFIX,),
            body_limit_bytes=settings.max_request_bytes,
            body_limits={
                publish_api.PATH: None,
                a2p_batches_api.BODY_PATH: a2p_batches_api.MAX_BODY_BYTES,
            },
        ),
        version=__version__,
    )
    notes = [] if first_key is None else [f"first admin key, shown this once: {first_key}"]
    return gateway.before(app), notes


def _new_uuid() -> str:
    return str(uuid.uuid4())

"""The composition root: settings in, a running server out. Nothing else reads settings or starts anything.

Opened in this order, and closed in reverse:

    engine files (the directory's lock) ─▶ records ─▶ webhook client ─▶ deliveries ─▶ subscriptions ─▶ API
                                                         then: restore, route, keep house
"""

from __future__ import annotations

import asyncio
import gc
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from random import Random

import structlog
from fastapi import APIRouter, FastAPI

from bellwire import __version__
from bellwire.api import publish as publish_api
from bellwire.api.admin import admin_routes
from bellwire.api.app import build_app
from bellwire.api.authentication import Authenticator
from bellwire.api.conventions import Conventions
from bellwire.api.directory import directory_routes
from bellwire.api.discovery import discovery_routes
from bellwire.api.event_families import family_routes, family_webhooks
from bellwire.api.health import Readiness, health_routes
from bellwire.api.oauth import oauth_routes
from bellwire.api.public_url import PublicUrl, TrustedProxies
from bellwire.api.publish import PublishLimits, publish_route
from bellwire.api.publish_document import publish_description
from bellwire.api.rate_limits import RateLimits
from bellwire.api.root import root_routes
from bellwire.api.subscriptions import subscription_routes
from bellwire.api.unsupported import unsupported_routes
from bellwire.delivery.lane import LaneLimits
from bellwire.engine.authorize import Authorization
from bellwire.engine.authorize_codes import AuthorizationCodes
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.deliver import Deliveries, DeliveryLimits
from bellwire.engine.destination import Desk, Rendering
from bellwire.engine.fairness import Unrouted
from bellwire.engine.housekeeping import Chore, Housekeeping
from bellwire.engine.provision import Provisioning
from bellwire.engine.publish import Publisher, Submissions
from bellwire.engine.route import Announcements, Router
from bellwire.engine.seed import DEMO_MEMO, DemoCredentials, seed_demo
from bellwire.engine.subscribe import Subscriptions
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.engine.subscribers import Subscribers
from bellwire.engine.validate_address import AddressHandshake
from bellwire.engine.watch_directory import WatchedDirectoryWriter
from bellwire.errors import Misconfigured, Problem
from bellwire.families import REGISTRY
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.metrics import Metrics
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.clock import Clock
from bellwire.settings import LogLevel, Settings
from bellwire.storage.embedded.engine_files import EngineFiles, open_engine_files
from bellwire.storage.embedded.limits import ADVISED_SWITCH_INTERVAL_SECONDS, EngineLimits
from bellwire.storage.records import RecordsStores, open_records
from bellwire.subscriptions.reminders import JOB_PERIOD_SECONDS
from bellwire.transports.dial import verifying_tls_context
from bellwire.transports.guard import AddressGuard
from bellwire.transports.limits import SenderLimits
from bellwire.transports.resolver import DnsResolver
from bellwire.transports.webhook_client import WebhookClient

USER_AGENT = f"Bellwire-Webhook/{__version__}"

_log = structlog.get_logger("bellwire.server")

Closer = Callable[[], Awaitable[object]]


class Server:
    """A composed server. `app` answers requests between `start` and `stop`."""

    def __init__(
        self,
        *,
        app: FastAPI,
        clock: SystemClock,
        notes: Sequence[str],
        demo: DemoCredentials | None,
        engine: _Engine,
    ) -> None:
        self.app = app
        self.clock = clock
        self.notes = tuple(notes)
        """Lines to show once: the first admin key."""
        self.demo = demo
        """The demo account's credentials, in `dev`."""
        self._engine = engine

    @property
    def attempts(self) -> AttemptWatch:
        """Where to listen for delivery attempts."""
        return self._engine.attempts

    @property
    def failed(self) -> asyncio.Event:
        """Set when the engine can't go on (its disk failed): the process should end."""
        return self._engine.failed

    async def start(self) -> None:
        """Restore the subscriptions, and begin to route and to deliver."""
        await self._engine.start()

    def wind_down(self) -> None:
        """Ask long requests that are under way to end with an answer; `stop` comes when all have ended."""
        self._engine.stopping.set()

    async def stop(self) -> None:
        """Stop in reverse order: no more routing, attempts under way end, everything durable, files closed."""
        await self._engine.stop()


class _Engine:
    """What runs behind the API."""

    def __init__(self, *, settings: Settings, closing: AsyncExitStack, attempts: AttemptWatch) -> None:
        self.settings = settings
        self.closing = closing
        self.attempts = attempts
        self.failed = asyncio.Event()
        self.stopping = asyncio.Event()
        self.is_ready = False
        self.files: EngineFiles
        self.deliveries: Deliveries
        self.live: LiveSubscriptions
        self.router: Router
        self.housekeeping: Housekeeping
        self._routing: asyncio.Task[None] | None = None

    def fail(self, error: BaseException) -> None:
        """The engine can't go on: nothing more is said to be ready, and the process ends."""
        _log.critical("engine.failed", error=repr(error), exc_info=error)
        self.is_ready = False
        self.failed.set()

    async def start(self) -> None:
        watermark = await self.deliveries.claim()
        restored = await self.live.restore()
        # A log that retention emptied must not count from 1 again, below the filters' positions (engine.md, Files).
        await self.files.event_log.raise_head(max(watermark, self.live.newest_position()))
        self.deliveries.start()
        self._routing = asyncio.create_task(self.router.run(watermark), name="router")
        self._routing.add_done_callback(self._routing_ended)
        self.housekeeping.start()
        _calm_the_collector()
        self.is_ready = True
        _log.info("server.started", watermark=watermark, subscriptions=restored, version=__version__)

    async def stop(self) -> None:
        self.is_ready = False
        if self._routing is not None:
            await self.housekeeping.stop()
            self._routing.cancel()
            await asyncio.gather(self._routing, return_exceptions=True)
            await self.deliveries.stop(drain_seconds=min(5.0, self.settings.shutdown_seconds))
        await self.closing.aclose()
        _log.info("server.stopped")

    def readiness(self) -> Readiness | None:
        if not self.is_ready:
            return None
        return Readiness(
            logHead=self.files.event_log.head(EMBEDDED_PARTITION),
            routed=self.deliveries.settling.routed,
            watermark=self.deliveries.committed_watermark,
        )

    def _routing_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)


def _calm_the_collector() -> None:
    """What was loaded stays: the collector need not look at it again (engine.md, Memory). And a busy event path makes
    tens of thousands of objects that die at once by reference count: with Python's threshold of 700 a collection would
    run every few events, to find nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def open_server(settings: Settings, *, clock: SystemClock, dev: bool) -> Server:
    """Open everything that `settings` names; close it with `Server.stop`, also when it was never started.

    Raises:
        Misconfigured: the data directory is in use, damaged, or not this release's.
    """
    sys.setswitchinterval(ADVISED_SWITCH_INTERVAL_SECONDS)
    async with AsyncExitStack() as opening:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        metrics = Metrics()
        attempts = AttemptWatch(metrics, debug=settings.log_level is LogLevel.DEBUG)
        engine = _Engine(settings=settings, closing=AsyncExitStack(), attempts=attempts)
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
        sender = await _open_sender(settings, SystemClock(), opening)
        app, notes = await _compose(settings, clock, engine, files, stores, sender, metrics)
        engine.closing = opening.pop_all()
    return Server(app=app, clock=clock, notes=[] if dev else notes, demo=demo, engine=engine)


async def _open_sender(settings: Settings, clock: Clock, opening: AsyncExitStack) -> WebhookClient:
    resolver = DnsResolver(clock)
    opening.push_async_callback(resolver.close)
    sender = WebhookClient(
        resolver=resolver,
        guard=AddressGuard(
            allow_http=settings.webhook_allow_http,
            allow_private=settings.webhook_allow_private_networks,
            allowed_networks=settings.webhook_allowed_networks,
        ),
        clock=clock,
        limits=SenderLimits(
            max_connections=settings.webhook_connections,
            max_connections_per_origin=settings.webhook_connections_per_host,
        ),
        tls_context=partial(verifying_tls_context, settings.webhook_ca_file),
    )
    opening.push_async_callback(sender.close)
    return sender


async def _compose(  # noqa: PLR0917 - called once
    settings: Settings,
    clock: SystemClock,
    engine: _Engine,
    files: EngineFiles,
    stores: RecordsStores,
    sender: WebhookClient,
    metrics: Metrics,
) -> tuple[FastAPI, list[str]]:
    """Wire the engine and the API over what is open; returns the application and the notes."""
    directory, installation = stores.directory, stores.installation
    subscribers = Subscribers()
    unrouted = Unrouted()
    announcements = Announcements(directory)
    rendering = Rendering(announcements=announcements, installation=installation, clock=clock, user_agent=USER_AGENT)
    deliveries = Deliveries(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        backlog=files.backlog,
        sender=sender,
        clock=clock,
        random=Random(),  # noqa: S311 - it spreads retries
        observe=engine.attempts,
        limits=DeliveryLimits(
            in_flight=settings.webhook_connections,
            in_flight_per_origin=settings.webhook_connections_per_host,
            lane=LaneLimits(parallel=settings.webhook_parallel_per_subscription),
        ),
        on_fatal=engine.fail,
    )
    live = LiveSubscriptions(
        partition=EMBEDDED_PARTITION,
        store=stores.subscriptions,
        subscribers=subscribers,
        log=files.event_log,
        delivery=Desk(deliveries, rendering),
    )
    upkeep = SubscriptionUpkeep(
        live=live,
        store=stores.subscriptions,
        directory=directory,
        clock=clock,
        public_url=settings.base_url,
        new_uuid=_new_uuid,
    )
    publisher = Publisher(log=files.event_log, partition=EMBEDDED_PARTITION, unrouted=unrouted)
    counts = _RoutedCounts()
    engine.files, engine.deliveries, engine.live = files, deliveries, live
    engine.router = Router(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        announcements=announcements,
        subscribers=subscribers,
        deliveries=deliveries,
        unrouted=unrouted,
        clock=clock,
        on_routed=counts.count,
    )

    sessions = Sessions(store=stores.sessions, directory=directory, installation=installation, clock=clock)

    async def expire() -> None:
        await upkeep.expire_due(clock.now())
        subscribers.forget_versions_below(deliveries.committed_watermark)

    async def remind() -> None:
        await publisher.publish(upkeep.due_reminders(clock.now()))

    async def forget_sessions() -> None:
        await sessions.sweep()

    engine.housekeeping = Housekeeping(
        (
            Chore("expire subscriptions", 1.0, expire),
            Chore("send reminders", JOB_PERIOD_SECONDS, remind),
            Chore("forget sessions", 60.0, forget_sessions),
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
    subscriptions = Subscriptions(
        live=live,
        store=stores.subscriptions,
        directory=directory,
        installation=installation,
        validate=AddressHandshake(
            sender=sender,
            user_agent=USER_AGENT,
            allow_http=settings.webhook_allow_http,
            strict_content_type=settings.webhook_strict_content_type,
        ),
        clock=clock,
        new_id=lambda: SubscriptionId(_new_uuid()),
    )
    authorization = Authorization(
        directory=directory,
        sessions=sessions,
        jwts=UserJwts(credentials=stores.credentials, installation=installation, clock=clock),
        passwords=Passwords(directory=directory, credentials=stores.credentials, clock=clock),
        codes=AuthorizationCodes(directory=directory, store=stores.sessions, installation=installation, clock=clock),
    )
    _watch(metrics, deliveries, files, sender, subscribers, counts)
    routers: list[APIRouter] = [
        oauth_routes(authorization=authorization, authenticator=authenticator, public_url=public_url),
        discovery_routes(authenticator=authenticator, public_url=public_url),
        root_routes(public_url=public_url, version=__version__),
        directory_routes(directory=directory, authenticator=authenticator, public_url=public_url),
        subscription_routes(
            subscriptions=subscriptions, authenticator=authenticator, public_url=public_url, clock=clock
        ),
        family_routes(),
        health_routes(version=__version__, readiness=engine.readiness, render_metrics=metrics.render),
        admin_routes(provisioning=provisioning, admin=authenticator.admin),
        unsupported_routes(),
    ]
    app = build_app(
        routers=routers,
        plain_routes=[
            publish_route(
                authenticate=authenticator.publisher,
                submissions=Submissions(clock=clock, max_event_bytes=settings.max_event_bytes),
                publisher=publisher,
                limits=PublishLimits(event_bytes=settings.max_event_bytes, stream_bytes=settings.max_publish_bytes),
                stopping=engine.stopping,
            )
        ],
        plain_descriptions=[publish_description()],
        webhooks=family_webhooks(REGISTRY.families),
        public_url=settings.public_url,
        conventions=Conventions(
            cors_origins="*" if "*" in settings.cors_origins else settings.cors_origins,
            body_limit_bytes=settings.max_request_bytes,
            body_limits={publish_api.PATH: None},
        ),
        version=__version__,
    )
    notes = [] if first_key is None else [f"first admin key, shown this once: {first_key}"]
    return app, notes


class _RoutedCounts:
    """What the router did, for metrics."""

    def __init__(self) -> None:
        self.events = 0
        self.notifications = 0

    def count(self, _event: Event, notifications: int) -> None:
        self.events += 1
        self.notifications += notifications


def _watch(  # noqa: PLR0917 - called once
    metrics: Metrics,
    deliveries: Deliveries,
    files: EngineFiles,
    sender: WebhookClient,
    subscribers: Subscribers,
    counts: _RoutedCounts,
) -> None:
    """What Prometheus may read, at each scrape."""

    def figure(name: str) -> Callable[[], float]:
        return lambda: deliveries.figures()[name]

    head = partial(files.event_log.head, EMBEDDED_PARTITION)
    metrics.watch_gauge("bellwire_log_head", "Last durable position of the event log", head)
    metrics.watch_counter("bellwire_events_routed", "Events that were matched", lambda: counts.events)
    metrics.watch_counter("bellwire_notifications", "Notifications that came of them", lambda: counts.notifications)
    metrics.watch_gauge("bellwire_subscriptions", "Live subscriptions", lambda: len(subscribers))
    metrics.watch_gauge("bellwire_event_filters", "Event filters in the index", lambda: subscribers.filter_count)
    metrics.watch_gauge("bellwire_watermark", "Position up to which all is settled", figure("watermark"))
    metrics.watch_gauge(
        "bellwire_oldest_unsettled_seconds", "Age of the oldest unsettled event", figure("oldest_open_seconds")
    )
    metrics.watch_gauge("bellwire_attempts_in_flight", "Attempts under way", figure("in_flight"))
    metrics.watch_gauge("bellwire_backlog_notifications", "Notifications in the backlog", figure("backlog_rows"))
    metrics.watch_gauge("bellwire_webhook_connections", "Open connections", lambda: sender.open_connections)


def _new_uuid() -> str:
    return str(uuid.uuid4())

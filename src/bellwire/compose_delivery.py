"""The delivery engine, put together: what matches events, delivers them, watches endpoints, and looks back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bellwire.compose_gateway import keeps_sessions
from bellwire.compose_metrics import RoutedCounts, Watched
from bellwire.compose_outgoing import USER_AGENT, operator_alerts
from bellwire.delivery.health import BlacklistRule
from bellwire.delivery.lane import LaneLimits
from bellwire.engine.deliver import Deliveries
from bellwire.engine.deliver_sockets import SocketDeliveries
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.destination import Desk, Rendering
from bellwire.engine.fairness import Unrouted
from bellwire.engine.faults import Faults, FaultySender
from bellwire.engine.history import Lookback
from bellwire.engine.housekeeping import Chore
from bellwire.engine.operate import Operations
from bellwire.engine.operator_alerts import OperatorAlerts
from bellwire.engine.places import room_below
from bellwire.engine.publish import Publisher
from bellwire.engine.recover_sockets import MissedNotifications
from bellwire.engine.replay import Replays
from bellwire.engine.retention import SWEEP_SECONDS, Retention, RetentionLimits
from bellwire.engine.route import Announcements, Router
from bellwire.engine.steady_clock import SteadyClock
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.engine.subscribers import Subscribers
from bellwire.engine.validate_address import AddressHandshake
from bellwire.engine.watch_endpoints import WATCH_SECONDS, EndpointWatch, WatchPolicy
from bellwire.model.identity import BlacklistPolicy
from bellwire.model.ids import EMBEDDED_PARTITION
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.backlog_age import MEASURE_SECONDS, BacklogAge
from bellwire.observe.idle_time import idle_seconds
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.subscription_store import SubscriptionStore
from bellwire.settings import Settings
from bellwire.storage.embedded.engine_files import EngineFiles
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.socket_subscriptions import WithoutSockets
from bellwire.subscriptions.reminders import JOB_PERIOD_SECONDS
from bellwire.transports.webhook_client import WebhookClient


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryParts:
    """What stands between the event log and the subscribers. `RunningEngine` starts and stops it."""

    steady: SteadyClock
    store: SubscriptionStore
    subscribers: Subscribers
    unrouted: Unrouted
    announcements: Announcements
    deliveries: Deliveries
    desk: Desk
    sockets: SocketDeliveries
    live: LiveSubscriptions
    upkeep: SubscriptionUpkeep
    publisher: Publisher
    routed: RoutedCounts
    router: Router
    validate: AddressHandshake
    alerts: OperatorAlerts
    watch: EndpointWatch
    operations: Operations
    replays: Replays
    retention: Retention
    backlog_age: BacklogAge
    lookback: Lookback
    missed: MissedNotifications

    def chores(self) -> tuple[Chore, ...]:
        async def expire() -> None:
            await self.upkeep.expire_due(self.steady.now())
            self.subscribers.forget_versions_below(self.deliveries.committed_watermark)

        async def remind() -> None:
            await self.publisher.publish(self.upkeep.due_reminders(self.steady.now()))

        return (
            Chore("expire subscriptions", 1.0, expire),
            Chore("send reminders", JOB_PERIOD_SECONDS, remind),
            Chore("watch endpoints", WATCH_SECONDS, self.watch.watch),
            Chore("keep to the retention", SWEEP_SECONDS, self.retention.sweep),
            Chore("measure the backlog", MEASURE_SECONDS, self.backlog_age.measure),
        )

    def watched(self, *, files: EngineFiles, stores: RecordsStores, sender: WebhookClient) -> Watched:
        """What metrics read."""
        return Watched(
            deliveries=self.deliveries,
            files=files,
            records=stores.records,
            sender=sender,
            subscribers=self.subscribers,
            unrouted=self.unrouted,
            routed=self.routed,
            endpoints=self.watch,
            retention=self.retention,
            backlog_age=self.backlog_age,
        )


def compose_delivery(
    *,
    settings: Settings,
    clock: SystemClock,
    files: EngineFiles,
    stores: RecordsStores,
    sender: WebhookClient,
    faults: Faults | None,
    attempts: AttemptWatch,
    on_fatal: Callable[[BaseException], None],
) -> DeliveryParts:
    """Wire the engine over files and stores that are open.

    Args:
        faults: a development server's, which deliveries and handshakes suffer, but not alerts to the operator.

    Raises:
        Misconfigured: `operator_webhook_url` is no address.
    """
    directory, installation = stores.directory, stores.installation
    outgoing = sender if faults is None else FaultySender(sender, faults)
    store: SubscriptionStore = stores.subscriptions
    if not keeps_sessions(settings):
        store = WithoutSockets(store)
    steady, subscribers, unrouted, routed = SteadyClock(clock), Subscribers(), Unrouted(), RoutedCounts()
    announcements = Announcements(directory)
    deliveries = Deliveries(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        backlog=files.backlog,
        sender=outgoing,
        clock=clock,
        random=Random(),  # noqa: S311 - it spreads retries
        observe=attempts,
        limits=DeliveryLimits(
            in_flight=room_below(settings.webhook_connections),
            in_flight_per_origin=room_below(settings.webhook_connections_per_host),
            lane=LaneLimits(parallel=settings.webhook_parallel_per_subscription),
        ),
        idle_seconds=idle_seconds,
        on_fatal=on_fatal,
    )
    desk = Desk(
        deliveries,
        Rendering(announcements=announcements, installation=installation, clock=clock, user_agent=USER_AGENT),
        subscribers,
    )
    sockets = SocketDeliveries(
        clock=clock, record=deliveries.record, observe=attempts, observe_sent=attempts.sent_over_sockets
    )
    live = LiveSubscriptions(
        partition=EMBEDDED_PARTITION, store=store, subscribers=subscribers, log=files.event_log, delivery=desk
    )
    upkeep = SubscriptionUpkeep(
        live=live, store=store, directory=directory, clock=clock, public_url=settings.base_url, new_uuid=new_uuid
    )
    router = Router(
        partition=EMBEDDED_PARTITION,
        log=files.event_log,
        announcements=announcements,
        subscribers=subscribers,
        deliveries=deliveries,
        unrouted=unrouted,
        clock=steady,
        sockets=sockets,
        on_routed=routed.count,
    )
    validate = AddressHandshake(
        sender=outgoing,
        user_agent=USER_AGENT,
        allow_http=settings.webhook_allow_http,
        strict_content_type=settings.webhook_strict_content_type,
    )
    alerts = operator_alerts(settings, clock, sender)
    watch = EndpointWatch(
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
        on_fatal=on_fatal,
    )
    attempts.listen(watch.attempted)
    desk.on_closed(watch.forget)
    desk.on_reactivated(watch.brought_back)
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
    clock.on_advance(deliveries.look_again)
    return DeliveryParts(
        steady=steady,
        store=store,
        subscribers=subscribers,
        unrouted=unrouted,
        announcements=announcements,
        deliveries=deliveries,
        desk=desk,
        sockets=sockets,
        live=live,
        upkeep=upkeep,
        publisher=Publisher(log=files.event_log, partition=EMBEDDED_PARTITION, unrouted=unrouted),
        routed=routed,
        router=router,
        validate=validate,
        alerts=alerts,
        watch=watch,
        operations=Operations(live=live, deliveries=deliveries, watch=watch, clock=clock),
        replays=Replays(
            partition=EMBEDDED_PARTITION,
            store=files.replays,
            history=files.history,
            live=live,
            deliveries=deliveries,
            announcements=announcements,
            clock=clock,
            random=Random(),  # noqa: S311 - it spreads retries
            new_id=new_uuid,
            on_fatal=on_fatal,
        ),
        retention=retention,
        backlog_age=BacklogAge(
            store=files.retention,
            log=files.event_log,
            clock=clock,
            is_empty=lambda: not deliveries.figures()["backlog_rows"],
        ),
        lookback=Lookback(
            partition=EMBEDDED_PARTITION,
            log=files.event_log,
            history=files.history,
            live=live,
            deliveries=deliveries,
            announcements=announcements,
            directory=directory,
        ),
        missed=MissedNotifications(
            partition=EMBEDDED_PARTITION,
            history=files.history,
            live=live,
            announcements=announcements,
            most=settings.websocket_recovery_messages,
        ),
    )


def new_uuid() -> str:
    return str(uuid.uuid4())

"""What Prometheus may read of a composed server, at each scrape: every metric that is not counted where it happens.

Those that are: attempts and their durations (observe/attempts.py), publishing (observe/publishing.py).
docs/operations.md lists all of them, and a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bellwire.engine.deliver import Deliveries
from bellwire.engine.fairness import Unrouted
from bellwire.engine.retention import Retention
from bellwire.engine.subscribers import Subscribers
from bellwire.engine.watch_endpoints import EndpointWatch
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION
from bellwire.observe.backlog_age import BacklogAge
from bellwire.observe.metrics import Metrics
from bellwire.storage.embedded.engine_files import EngineFiles
from bellwire.storage.records import Records
from bellwire.transports.webhook_client import WebhookClient


class RoutedCounts:
    """What the router did. `listeners` are told of each event, and how many notifications came of it."""

    def __init__(self) -> None:
        self.events = 0
        self.notifications = 0
        self.listeners: list[Callable[[Event, int], None]] = []

    def count(self, event: Event, notifications: int) -> None:
        self.events += 1
        self.notifications += notifications
        for listener in self.listeners:
            listener(event, notifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The parts of a server that are looked at."""

    deliveries: Deliveries
    files: EngineFiles
    records: Records
    sender: WebhookClient
    subscribers: Subscribers
    unrouted: Unrouted
    routed: RoutedCounts
    endpoints: EndpointWatch
    retention: Retention
    backlog_age: BacklogAge


def watch_server(metrics: Metrics, watched: Watched) -> None:
    _watch_log(metrics, watched)
    _watch_deliveries(metrics, watched)
    _watch_subscriptions(metrics, watched)


def _watch_log(metrics: Metrics, watched: Watched) -> None:
    files, routed, deliveries = watched.files, watched.routed, watched.deliveries
    head = partial(files.event_log.head, EMBEDDED_PARTITION)
    metrics.watch_gauge("bellwire_log_head", "Last durable position of the event log", head)
    metrics.watch_counter("bellwire_events_routed", "Events that were matched", lambda: routed.events)
    metrics.watch_counter("bellwire_notifications", "Notifications that came of them", lambda: routed.notifications)
    metrics.watch_gauge("bellwire_watermark", "Position up to which all is settled", _figure(deliveries, "watermark"))
    metrics.watch_gauge(
        "bellwire_watermark_lag_events",
        "Positions between the log's head and the watermark",
        lambda: max(0, head() - deliveries.committed_watermark),
    )
    metrics.watch_gauge(
        "bellwire_oldest_unsettled_seconds",
        "Age of the oldest unsettled event",
        _figure(deliveries, "oldest_open_seconds"),
    )
    sizes = files.group_sizes
    metrics.watch_histogram(
        "bellwire_log_commit_events", "Events that one commit of the log had", lambda: (sizes.buckets(), sizes.events)
    )
    metrics.watch_gauge(
        "bellwire_queue_depth",
        "What waits: events for the log's commit (append) and for the router (unrouted), entries for the delivery "
        "engine's commit (uncommitted), calls for the writer thread (writer), changes of records (records)",
        lambda: {
            ("append",): files.event_log.waiting_events,
            ("unrouted",): watched.unrouted.total,
            ("uncommitted",): deliveries.figures()["uncommitted"],
            ("writer",): files.waiting_calls,
            ("records",): watched.records.waiting_writes,
        },
        labels=("queue",),
    )


def _watch_deliveries(metrics: Metrics, watched: Watched) -> None:
    deliveries, sender, age = watched.deliveries, watched.sender, watched.backlog_age
    metrics.watch_gauge("bellwire_attempts_in_flight", "Attempts under way", _figure(deliveries, "in_flight"))
    metrics.watch_gauge(
        "bellwire_backlog_notifications", "Notifications in the backlog", _figure(deliveries, "backlog_rows")
    )
    metrics.watch_gauge(
        "bellwire_backlog_oldest_seconds",
        "Age of the oldest event in the backlog, looked up every 15 seconds",
        age.seconds,
    )
    metrics.watch_gauge("bellwire_webhook_connections", "Open connections", lambda: sender.open_connections)
    metrics.watch_counter(
        "bellwire_webhook_requests_reused",
        "Requests that went out on a connection that was open already",
        lambda: sender.reused,
    )
    metrics.watch_counter(
        "bellwire_webhook_dials_failed", "Connections that could not be made", lambda: sender.failed_dials
    )


def _watch_subscriptions(metrics: Metrics, watched: Watched) -> None:
    subscribers, endpoints, retention = watched.subscribers, watched.endpoints, watched.retention
    metrics.watch_gauge("bellwire_subscriptions", "Live subscriptions", lambda: len(subscribers))
    metrics.watch_gauge("bellwire_event_filters", "Event filters in the index", lambda: subscribers.filter_count)
    metrics.watch_gauge(
        "bellwire_failing_subscriptions", "Subscriptions whose address fails", lambda: endpoints.failing
    )
    metrics.watch_counter("bellwire_blacklisted", "Subscriptions that were blacklisted", lambda: endpoints.blacklisted)
    metrics.watch_counter(
        "bellwire_reactivated",
        "Blacklisted subscriptions whose address answered a probe",
        lambda: endpoints.reactivated,
    )
    metrics.watch_gauge(
        "bellwire_own_outage",
        "1 while most hosts can't be reached from here",
        lambda: float(endpoints.is_own_outage),
    )
    metrics.watch_counter(
        "bellwire_retention_sweeps", "Times that retention was looked after", lambda: retention.sweeps
    )
    metrics.watch_gauge(
        "bellwire_retention_suspended",
        "1 while nothing is dropped, since the clock jumped or the server was down for long",
        lambda: float(retention.is_suspended),
    )
    metrics.watch_counter(
        "bellwire_retention_dropped",
        "Events, undelivered notifications and hours of attempts that went by age or size",
        lambda: {(what,): count for what, count in retention.dropped.items()},
        labels=("what",),
    )


def _figure(deliveries: Deliveries, name: str) -> Callable[[], float]:
    return lambda: deliveries.figures()[name]

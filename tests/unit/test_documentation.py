"""What the documentation says, compared with the code: generated pages, numbers, links, completeness."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from bellwire.api import a2p_parameters, sms_consents
from bellwire.api.a2p_batches import MAX_BODY_BYTES
from bellwire.api.publish import IDEMPOTENCY_KEY, PublishLimits
from bellwire.api.rate_limits import PENALTY_SECONDS, RateGroup
from bellwire.cli.sms import sms
from bellwire.compose_gateway import gateway_limits
from bellwire.delivery.failures import sentence
from bellwire.delivery.lane import LaneLimits
from bellwire.delivery.schedule import RetryPolicy
from bellwire.engine import publish
from bellwire.engine.authorize_codes import CODE_LIFETIME
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import MAX_PARALLEL_SESSIONS
from bellwire.engine.fairness import Unrouted
from bellwire.engine.seed import GENEROUS_FACTOR
from bellwire.engine.sms_lists import MAX_NUMBERS
from bellwire.engine.socket_tokens import ACCEPTED_SECONDS
from bellwire.engine.wrong_guesses import WrongGuesses
from bellwire.families import REGISTRY
from bellwire.filters import ReasonKind
from bellwire.filters.event_filter import MAX_FILTER_LENGTH
from bellwire.filters.query import MAX_COMBINATIONS, MAX_VALUES
from bellwire.filters.topic import MAX_EVENT_LENGTH
from bellwire.model.attempt import FailureCode
from bellwire.settings import Settings, declarations
from bellwire.sms.batch_request import MAX_TEXT_LENGTH
from bellwire.sms.codes import ErrorCode
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.subscriptions.lifetime import DEFAULT_SECONDS, MAX_SECONDS
from bellwire.subscriptions.requested import MAX_FILTERS, MAX_SUBSCRIPTIONS
from bellwire.testing.stage import Bellwire, Clock, Faults, Sms
from bellwire.testing.webhook import Webhook
from bellwire.transports.limits import SenderLimits
from bellwire.wire.gateway.frames import MAX_MESSAGE_ID
from bellwire.wire.gateway.limits import MAX_FRAME_BYTES
from bellwire.wire.oauth import DEFAULT_ACCESS_TTL_SECONDS, DEFAULT_REFRESH_TTL_SECONDS
from bellwire.wire.webhook import handshake
from bellwire.wire.webhook.address import MAX_ADDRESS_LENGTH
from bellwire.wire.webhook.request import MAX_VERIFICATION_TOKEN_LENGTH
from bellwire.wire.webhook.signature import MAX_SECRET_BYTES, MIN_SECRET_BYTES
from tests.command_line import run

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])

DEFAULTS = Settings()
GATEWAY = gateway_limits(DEFAULTS)
SENDER = SenderLimits()


def default_of(function: object, parameter: str) -> object:
    assert callable(function)
    return inspect.signature(function).parameters[parameter].default


def longest(pattern: re.Pattern[str]) -> str:
    """How often the last part of a pattern may be repeated."""
    return pattern.pattern.rstrip("}").rpartition(",")[2]


LIMITS = {
    "subscriptions of one user with one application, at each of the two endpoints": f"{MAX_SUBSCRIPTIONS}",
    "event filters of one subscription": f"{MAX_FILTERS}",
    "characters of an event filter": f"{MAX_FILTER_LENGTH}",
    "values of one parameter in a filter": f"{MAX_VALUES}",
    "combinations of values in a filter": f"{MAX_COMBINATIONS}",
    "lifetime of a subscription, by default": f"{DEFAULT_SECONDS} s",
    "lifetime of a subscription, at most; more is cut to it": f"{MAX_SECONDS} s",
    "characters of a webhook address": f"{MAX_ADDRESS_LENGTH}",
    "characters of a verification token": f"{MAX_VERIFICATION_TOKEN_LENGTH}",
    "bytes of a signing secret": f"{MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}",
    "one event's body": f"{DEFAULTS.max_event_bytes} bytes",
    "one JSON request": f"{PublishLimits().json_bytes} bytes",
    "one NDJSON request": f"{DEFAULTS.max_publish_bytes} bytes",
    "rejections that are listed": f"{default_of(publish.Tally.reject, 'listed')}",
    "characters of an event's `uuid`": longest(publish._UUID),
    "characters of `event`": f"{MAX_EVENT_LENGTH}",
    "extensions in `audience`": f"{publish._MAX_AUDIENCE}",
    "characters of `Idempotency-Key`": longest(IDEMPOTENCY_KEY),
    "events that wait for the disk before 429": f"{EngineLimits().waiting_events}",
    "events of one account that wait to be matched before its publishers are slowed down": (
        f"{default_of(Unrouted, 'limit')}"
    ),
    "free disk space below which publishing answers 503": f"{DEFAULTS.min_free_mib} MiB",
    "answer to a notification": f"{SENDER.answer_timeout:g} s",
    "body and headers of that answer": f"{SENDER.max_answer_bytes} bytes",
    "answer to the handshake": f"{handshake.TIMEOUT_SECONDS:g} s",
    "body and headers of that answer to the handshake": f"{handshake.MAX_ANSWER_BYTES} bytes",
    "notifications of one subscription under way": f"{DEFAULTS.webhook_parallel_per_subscription}",
    "notifications of one subscription that wait in memory": f"{LaneLimits().waiting}",
    "connections to one host": f"{DEFAULTS.webhook_connections_per_host}",
    "connections in all": f"{DEFAULTS.webhook_connections}",
    "longest pause between two tries": f"{RetryPolicy().longest_pause:g} s",
    "4xx answers after which a notification is given up": f"{RetryPolicy().give_up_after}",
    "sockets of one OAuth session": f"{GATEWAY.connections_per_session}",
    "sockets of one user": f"{GATEWAY.connections_per_user}",
    "sockets in all": f"{GATEWAY.connections}",
    "requests of one socket under way": f"{GATEWAY.active_requests}",
    "a frame that a client sends": f"{DEFAULTS.websocket_max_frame_bytes} bytes",
    "a frame that is sent": f"{MAX_FRAME_BYTES} bytes",
    "characters of a frame's `messageId`": f"{MAX_MESSAGE_ID}",
    "what waits for a client to read": f"{GATEWAY.waiting_bytes} bytes",
    "time without traffic": f"{GATEWAY.idle_seconds:g} s",
    "life of a socket": f"{GATEWAY.absolute_seconds:g} s",
    "time between two pings": f"{GATEWAY.ping_seconds:g} s",
    "answer to a ping": f"{GATEWAY.pong_seconds:g} s",
    "time in which a session can be recovered": f"{GATEWAY.recovery_seconds:g} s",
    "notifications that a recovered session gets": f"{GATEWAY.recovery_messages}",
    "use of a socket token": f"{ACCEPTED_SECONDS} s",
    "penalty after a request over the limit": f"{PENALTY_SECONDS} s",
    "body of a request other than publishing": f"{DEFAULTS.max_request_bytes} bytes",
    "connections from clients": f"{DEFAULTS.max_connections}",
    "body of a High Volume SMS batch": f"{MAX_BODY_BYTES} bytes",
    "characters of a High Volume SMS text": f"{MAX_TEXT_LENGTH}",
    "life of an access token, at most": f"{DEFAULT_ACCESS_TTL_SECONDS} s",
    "life of a refresh token, at most": f"{DEFAULT_REFRESH_TTL_SECONDS} s",
    "life of an authorization code": f"{CODE_LIFETIME.total_seconds():g} s",
    "sessions of one user with one application": f"{MAX_PARALLEL_SESSIONS}",
    "wrong passwords before a login is locked": f"{default_of(Passwords, 'max_failed_attempts')}",
    "wrong passwords from one address in five minutes": f"{default_of(WrongGuesses, 'most')}",
    "records of a page of batches, messages and opt-outs, also by default": f"{a2p_parameters.MAX_PER_PAGE}",
    "records of a page of consents, by default": f"{sms_consents.DEFAULT_PER_PAGE}",
    "numbers in `phoneNumber`": f"{MAX_NUMBERS}",
    "numbers in `from`, and in `to`, of a list of consents": f"{sms_consents.MAX_NUMBERS_LISTED}",
    "numbers in `from`, and in `to`, of a search of consents": f"{sms_consents.MAX_NUMBERS_SEARCHED}",
    "records of one change of consents": f"{sms_consents.MAX_PATCHED}",
} | {
    f"requests of one user and application a minute, group {group.label}": f"{group.per_minute}"
    for group in (RateGroup.LIGHT, RateGroup.MEDIUM, RateGroup.HEAVY, RateGroup.AUTH)
}
"""Each row of docs/limits.md with its number as the code has it."""


@pytest.mark.parametrize(
    ("page", "command"), [("event-filters.md", "families"), ("configuration.md", "settings")], ids=str
)
def test_generated_pages_are_up_to_date(page: str, command: str) -> None:
    assert (DOCS / page).read_text() == run(command, "--markdown").out, "run `make docs`"


def test_every_limit_is_as_the_code_has_it() -> None:
    rows = [line.split("|")[1:4] for line in (DOCS / "limits.md").read_text().splitlines() if line.startswith("| ")]
    documented = {what.strip(): limit.strip() for what, limit, _ in rows if limit.strip() not in {"limit", "---"}}

    assert documented == LIMITS
    assert f"the demo application's is {GENEROUS_FACTOR:g}." in (DOCS / "limits.md").read_text()


def test_settings_named_in_the_pages_exist() -> None:
    text = (DOCS / "limits.md").read_text() + (DOCS / "operation.md").read_text() + (ROOT / "README.md").read_text()
    prefixes = ("max_", "min_", "webhook_", "blacklist_", "retention_", "trusted_", "public_", "data_", "shutdown_")
    named = {name for name in re.findall(r"`?\b([a-z]+(?:_[a-z]+)+)\b`?", text) if name.startswith(prefixes)}

    assert named <= declarations().keys()
    assert len(named) > 8


def test_every_failure_code_has_its_line() -> None:
    table = (DOCS / "delivery.md").read_text().partition("## Why an attempt failed")[2].partition("\n## ")[0]
    rows = [tuple(cell.strip(" `") for cell in line.split("|")[1:3]) for line in table.splitlines() if "| `" in line]

    assert rows == [(str(code), sentence(code)) for code in FailureCode]


def test_every_sms_error_code_and_command_has_its_line() -> None:
    page = (DOCS / "sms-reading.md").read_text()
    table = page.partition("## Error codes")[2]
    rows = [
        tuple(cell.strip(" `") for cell in line.split("|")[1:3]) for line in table.splitlines() if "| `SMS-" in line
    ]

    assert rows == [(str(code), code.sentence) for code in ErrorCode]
    for command in sms.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        assert f"| `bellwire sms {name}" in page


def test_every_kind_of_reason_has_its_line() -> None:
    table = (DOCS / "explain.md").read_text().partition("| kind | the event … |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [str(kind) for kind in ReasonKind]


def test_what_a_test_can_do_is_what_the_fixture_has() -> None:
    rows = "\n".join(line for line in (DOCS / "testing.md").read_text().splitlines() if line.startswith("| `"))
    parts = {"clock": Clock, "faults": Faults, "sms": Sms}
    roots = {"bellwire": Bellwire, "webhook": Webhook, "clock": Clock, "faults": Faults}
    named = set(re.findall(r"`(bellwire|webhook|clock|faults)\.(\w+)(?:\.(\w+))?", rows))
    attributes = {"env"}  # set as it is made

    assert len(named) > 18
    for root, first, second in named:
        if second:
            assert hasattr(parts[first], second), (root, first, second)
        else:
            assert first in attributes or hasattr(roots[root], first), (root, first)


def test_the_readme_names_every_event_family_once() -> None:
    table = (ROOT / "README.md").read_text().partition("| area | event families |")[2].partition("\n\n")[0]

    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(family.name for family in REGISTRY.families)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.is_file(), target
            assert not anchor or f'<a id="{anchor}"></a>' in file.read_text(), target


def test_the_readme_says_that_bellwire_is_not_affiliated_with_ringcentral() -> None:
    assert "Bellwire is not affiliated with RingCentral" in (ROOT / "README.md").read_text()

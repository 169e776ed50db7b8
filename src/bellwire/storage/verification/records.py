"""`records.db` and its key: migrations, references, subscriptions with their versions, and what is sealed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bellwire.errors import InvalidRequest, Misconfigured
from bellwire.filters import parse_filter
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi, TransportType
from bellwire.storage.embedded.database import rows, single
from bellwire.storage.records.installation import KEY_FILE_NAME, Sealing, read_key
from bellwire.storage.records.schema import HEAD
from bellwire.storage.verification.findings import Findings, Verification

SEALED = (
    ("memo", "name", "text_sealed"),
    ("subscription", "id", "verification_token_sealed"),
    ("subscription", "id", "signing_secret_sealed"),
    ("session", "id", "present_pair_sealed"),
)


def verify_records(db: apsw.Connection, head: int | None, data_dir: Path, verification: Verification) -> bool:
    """Args:
        head: the log's; None where it is not known.

    Returns:
        whether the tables could be looked into.
    """
    findings = verification.of("records.db")
    tables = {name for (name,) in rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    revision = rows(db, "SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    if not revision:
        findings.problem("it is no records database of Bellwire: it has no revision")
        return False
    if revision[0][0] > HEAD:
        findings.problem(f"a later release wrote it: revision {revision[0][0]}, this Bellwire knows {HEAD}")
        return False
    if revision[0][0] < HEAD:
        findings.note(f"revision {revision[0][0]}; the next start migrates it to {HEAD}")
    findings.problems(
        "rows that refer to others that are gone",
        (f"{table} row {row}" for table, row, *_ in db.execute("PRAGMA foreign_key_check")),
    )
    findings.problems("subscriptions whose versions make no sense", _broken_versions(db, head))
    findings.problems("webhook subscriptions without address", _without_address(db))
    _verify_filters(db, findings)
    _verify_key(db, data_dir, verification)
    accounts, extensions = (single(db, f"SELECT count(*) FROM {table}") for table in ("account", "extension"))  # noqa: S608
    subscriptions = single(db, "SELECT count(*) FROM subscription")
    findings.sound(
        f"revision {revision[0][0]}: {accounts} accounts, {extensions} extensions, {subscriptions} subscriptions"
    )
    return True


def verify_backlog_versions(records: apsw.Connection, delivery: apsw.Connection, findings: Findings) -> None:
    """Whether each waiting notification names an event filter that its subscription has."""
    broken: list[str] = []
    orphans = 0
    named = "SELECT subscription, filter_version, max(filter_index), count(*) FROM backlog GROUP BY 1, 2"
    for subscription, version, last_index, count in delivery.execute(named):
        if not rows(records, "SELECT 1 FROM subscription WHERE id = ?", (subscription,)):
            orphans += count
            continue
        found = rows(
            records,
            "SELECT json_array_length(filters) FROM filter_version WHERE subscription_id = ? AND version = ?",
            (subscription, version),
        )
        if not found:
            broken.append(f"version {version} of subscription {subscription} ({count} notifications)")
        elif last_index >= found[0][0]:
            broken.append(f"filter {last_index} of version {version} of subscription {subscription}")
    findings.problems("waiting notifications name filters that are not recorded", broken)
    if orphans:
        findings.note(f"{orphans} notifications wait for subscriptions that have ended; the next start drops them")


def _broken_versions(db: apsw.Connection, head: int | None) -> Iterator[str]:
    for (subscription,) in db.execute(
        "SELECT id FROM subscription WHERE id NOT IN (SELECT subscription_id FROM filter_version)"
    ):
        yield f"{subscription} has none"
    cursor = db.execute(
        "SELECT subscription_id, version, from_position, until_position FROM filter_version "
        "ORDER BY subscription_id, version"
    )
    for subscription, group in groupby(cursor, itemgetter(0)):
        problem = _why_broken([row[1:] for row in group], head)
        if problem is not None:
            yield f"{subscription} {problem}"


def _why_broken(versions: list[tuple[Any, ...]], head: int | None) -> str | None:
    for (version, start, end), (following, its_start, _) in pairwise(versions):
        if following != version + 1:
            return f"has version {version} and then {following}"
        if end is None or end != its_start or end < start:
            return f"has version {version} from {start} to {end}, and the next from {its_start}"
    last, start, end = versions[-1]
    if end is not None:
        return f"has no version in force: its last, {last}, ended at {end}"
    if head is not None and start > head:
        return f"has version {last} from position {start}, past the log's head {head}"
    return None


def _without_address(db: apsw.Connection) -> Iterator[str]:
    webhook = TransportType.WEB_HOOK.value
    for (subscription,) in db.execute(
        "SELECT id FROM subscription WHERE transport = ? AND address IS NULL", (webhook,)
    ):
        yield str(subscription)


def _verify_filters(db: apsw.Connection, findings: Findings) -> None:
    """A filter that can't be read keeps its place and matches nothing: said, and not a problem of the directory."""
    unreadable: list[str] = []
    found = db.execute(
        "SELECT s.id, s.api, s.account_id, s.owner_id, v.filters FROM filter_version v "
        "JOIN subscription s ON s.id = v.subscription_id WHERE v.until_position IS NULL"
    )
    for subscription, api, account, owner, filters in found:
        for text in msgspec.json.decode(filters, type=list[str]):
            try:
                parse_filter(
                    text,
                    account=AccountId(account),
                    extension=ExtensionId(owner),
                    api=SubscriptionApi(api),
                    subscription=SubscriptionId(subscription),
                )
            except InvalidRequest:
                unreadable.append(f"{text} of subscription {subscription}")
    if unreadable:
        findings.note(f"{len(unreadable)} event filters mean nothing to this release, such as {unreadable[0]}")


def _verify_key(db: apsw.Connection, data_dir: Path, verification: Verification) -> None:
    findings = verification.of(KEY_FILE_NAME)
    identity = rows(db, "SELECT id, proof_sealed FROM installation")
    if not identity:
        findings.note("no server has made an installation yet")
        return
    installation, proof = identity[0]
    try:
        sealing = Sealing(read_key(data_dir))
        if sealing.unseal(proof) != installation:
            findings.problem("it belongs to another data directory")
            return
    except Misconfigured as problem:
        findings.problem(problem.problems[0].message)
        return
    findings.problems("sealed with another key", _unopenable(db, sealing))
    mode = (data_dir / KEY_FILE_NAME).stat().st_mode
    if mode & 0o077:
        findings.note(f"others than its owner may read it (mode {mode & 0o777:o}); chmod 600 it")
    findings.sound(f"opens what records.db holds sealed; installation {installation}")


def _unopenable(db: apsw.Connection, sealing: Sealing) -> Iterator[str]:
    for table, key, column in SEALED:
        for name, sealed in db.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608
            try:
                sealing.unseal(sealed)
            except Misconfigured:
                yield f"{column} of {table} {name}"
